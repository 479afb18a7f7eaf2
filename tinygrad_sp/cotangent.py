"""What a cotangent must be: of its primal's shape and dtype, and nothing where nothing came in.

`fit` is the one place where broadcasting is undone.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from .graph import Form, Node, Op, Traced

_ndarray, _float64, _vdot = np.ndarray, np.float64, np.vdot


def is_array(value: Any) -> bool:
    """Whether a value is NumPy's."""
    return isinstance(value, (np.ndarray, np.generic))


def checked(node: Node, i: int, cotangent: Any, parent: Node) -> Any:
    """Fit a cotangent to its primal, or say which rule returned what."""
    try:
        if node.op.own and parent.form is not tuple:
            _strict(cotangent, node, parent)
        return fit(cotangent, parent.form)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{node.op.name}.backward, cotangent of argument {i}: {error}") from None


def _strict(cotangent: Any, node: Node, parent: Node) -> None:
    """A user's rule may return the primal's shape, or the result's where the op broadcasts: nothing else."""
    if not hasattr(cotangent, "shape") and not isinstance(cotangent, (int, float, complex)):
        return  # `fit` says what it is
    shape = np.shape(cotangent)
    if shape != parent.shape and (node.form is tuple or shape != node.shape):
        raise ValueError(f"the rule returned shape {shape}, but the argument has shape {parent.shape}")
    real = parent.dtype.kind == "f" and (node.form is tuple or node.dtype.kind == "f")
    if real and getattr(cotangent, "dtype", np.dtype(type(cotangent))).kind == "c":
        raise TypeError(f"the rule returned {cotangent.dtype}, but a cotangent of dtype {parent.dtype} is wanted")


def strong_zero(node: Node, grad: Any, cotangent: Any) -> Any:
    """Where no cotangent came in, none goes out, whatever the local derivative: 0 * inf is 0 here.

    Only in graphs with a `where`: what it did not take must not leak NaN or inf.  An op that mixes elements along
    an ``axis`` gives nothing to rows of which nothing came in; one that mixes all, if nothing came in at all.
    """
    if type(cotangent) is _ndarray and _finite(cotangent):
        return cotangent  # nearly always
    recorded = isinstance(cotangent, Traced) and not cotangent.level
    value = cotangent._value if recorded else cotangent
    if is_array(value) and _finite(value):  # a recorded one's own derivative may yet meet infinity
        return _Masked.apply(cotangent) if recorded and node.op.linear not in ("each", "joint") else cotangent
    nothing = False if isinstance(grad, tuple) else grad == 0
    params = node.params
    if "keepdims" in params and hasattr(nothing, "shape"):
        nothing = nothing if params["keepdims"] else np.expand_dims(nothing, params["axis"])
    elif isinstance(params.get("axis"), int) and np.shape(grad) == np.shape(cotangent):
        nothing = np.all(nothing, axis=params["axis"], keepdims=True)
    elif node.op.linear != "pointwise":
        nothing = np.all(nothing)
    return zero_where(nothing, cotangent)


class _Masked(Op):
    """A finite cotangent, as it is: that its node is in a graph says that 0 * inf is 0 there."""

    linear, masks, holomorphic = "pointwise", True, False

    @staticmethod
    def forward(x: Any) -> Any:
        return x

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any) -> Any:
        return grad


def zero_where(nothing: Any, values: Any) -> Any:
    """Return the values, with 0 for what is not finite where nothing came in.

    A finite 0 * a stays: where it is itself differentiated, it depends on that 0, and by a.
    """
    return np.where(nothing & ~finite(values), 0.0, values)[()]


def finite(values: Any) -> Any:
    """Say of each element whether it is finite, and with it the tangents that forward mode carries beside it."""
    return values.finite() if hasattr(values, "finite") else np.isfinite(values)


def _finite(values: Any) -> bool:
    """Whether all values are finite; their sum of squares, if finite, says so in a quarter of the time."""
    if values.dtype.char in "fd" and isfinite(_vdot(values, values)):
        return True
    return bool(np.isfinite(values).all())


def fit(cotangent: Any, form: Form) -> Any:
    """Give a cotangent its primal's shape and dtype: undo broadcasting, take the real part, cast."""
    if type(cotangent) is _ndarray and type(form) is tuple:
        if cotangent.shape == form[0] and cotangent.dtype is form[1]:
            return cotangent  # nearly always; the rest of this costs 0.3 microseconds
    elif form is tuple:
        return cotangent
    shape, dtype = ((), np.dtype(_float64)) if form is _float64 else form
    if type(cotangent) in (float, int, complex):
        cotangent = np.asarray(cotangent)[()]
        if cotangent.dtype.kind == "i":
            cotangent = cotangent.astype(float)
    if not hasattr(cotangent, "shape") or cotangent.dtype.kind not in "fc":
        kind = getattr(cotangent, "dtype", type(cotangent).__name__)
        raise TypeError(f"the rule returned {kind}, but a cotangent of dtype {dtype} is wanted")
    if cotangent.shape != shape:
        cotangent = _unbroadcast(cotangent, shape)
    if cotangent.dtype != dtype:
        if cotangent.dtype.kind == "c" and dtype.kind == "f":
            cotangent = cotangent.real
        cotangent = cotangent.astype(dtype)
    return cotangent[()] if type(cotangent) is _ndarray and not shape else cotangent


def _unbroadcast(cotangent: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which a primal of this shape was broadcast."""
    came = cotangent.shape
    extra = len(came) - len(shape)
    axes = (*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 != came[extra + i])) if extra >= 0 else ()
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, came[extra:], strict=True)):
        raise ValueError(f"the rule returned shape {came}, but the argument has shape {shape}")
    return cotangent.sum(axis=axes).reshape(shape)
