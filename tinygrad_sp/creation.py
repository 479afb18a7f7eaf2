"""Arrays that come from nowhere: constants, unless told ``requires_grad=True``.

The standard's creation functions.  Two are differentiable in what they are given: `linspace` (and its
relatives) in the ends, `full` in the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .dispatch import implements
from .graph import Op, Traced
from .ops.arguments import has_tensor, on_cpu
from .ops.joining import stack
from .ops.shape import broadcast_to, expand_dims, moveaxis, reshape
from .tensor import Tensor, checked_array, constant, exposed

__all__ = [
    "arange",
    "array",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tri",
    "zeros",
    "zeros_like",
]


def _made(name: str, value: Any, device: Any, requires_grad: bool) -> Any:
    """Make a Tensor of a new array, for the function of this name."""
    on_cpu(name, device)
    if value.dtype.kind not in "biufc":
        raise TypeError(f"{name}: dtype {value.dtype}; Tensors hold booleans, integers, floating and complex numbers")
    tensor = constant(value[()])
    return tensor.requires_grad_() if requires_grad else tensor


def asarray(
    obj: Any,
    /,
    dtype: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Any:
    """Return a Tensor: the same one if it is one already, otherwise a constant.

    Parameters
    ----------
    obj : Tensor, array_like or nested sequence of Tensors
        What to make a Tensor of; Tensors in a sequence are stacked and stay differentiable.
    dtype : dtype, optional
        The dtype wanted.
    device : "cpu", optional
        There is no other.
    copy : bool, optional
        True makes a new Tensor always; False shares the memory of an array, or refuses where it can't.
    requires_grad : bool
        Make a variable instead of a constant.

    Returns
    -------
    Tensor
        With the values of ``obj``.

    Raises
    ------
    ValueError
        If ``copy=False`` and a copy is needed.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.asarray([1.0, 2.0])
    Tensor([1., 2.])
    """
    on_cpu("asarray", device)
    if isinstance(obj, (list, tuple)) and has_tensor(obj):
        obj = stack([asarray(x) for x in obj])
    if isinstance(obj, Traced):
        same = dtype is None or np.dtype(dtype) == obj.dtype  # type: ignore[attr-defined]
        if copy is False and not same:
            raise ValueError(f"asarray: copy=False, but another dtype, {dtype}, needs a copy")
        return obj.copy() if same and copy else obj if same else obj.astype(dtype)  # type: ignore[attr-defined]
    if copy is False:
        shared = np.asarray(obj, dtype=dtype, copy=False)
        checked_array(np.empty_like(obj if isinstance(obj, np.ndarray) else shared, shape=(0,)))  # or why it can't be
        tensor = exposed(shared)
        return tensor.requires_grad_() if requires_grad else tensor
    return Tensor(obj, requires_grad, dtype=dtype)


def array(obj: Any, dtype: Any = None, *, copy: bool | None = True, requires_grad: bool = False) -> Any:
    """Return a new Tensor, a constant; see `asarray`."""
    return asarray(obj, dtype, copy=copy or None, requires_grad=requires_grad)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return a constant of an array of another library, exchanged by DLPack.

    It shares memory with the other array, unless ``copy=True``; what is recorded is a copy, so that writing
    into the other array doesn't change it.
    """
    on_cpu("from_dlpack", device)
    return exposed(np.from_dlpack(x, copy=copy))


Shape = int | Sequence[int]


def zeros(shape: Shape, dtype: Any = None, *, device: Any = None, requires_grad: bool = False) -> Any:
    """Return zeros of a shape."""
    return _made("zeros", np.zeros(shape, dtype), device, requires_grad)


def ones(shape: Shape, dtype: Any = None, *, device: Any = None, requires_grad: bool = False) -> Any:
    """Return ones of a shape."""
    return _made("ones", np.ones(shape, dtype), device, requires_grad)


def empty(shape: Shape, dtype: Any = None, *, device: Any = None, requires_grad: bool = False) -> Any:
    """Return an array of a shape; what it holds is not defined (zeros)."""
    return _made("empty", np.zeros(shape, dtype), device, requires_grad)


def full(shape: Shape, fill_value: Any, dtype: Any = None, *, device: Any = None, requires_grad: bool = False) -> Any:
    """Return one value repeated to a shape; differentiable in the value if that is a Tensor."""
    if isinstance(fill_value, Traced):
        value = fill_value if dtype is None else fill_value.astype(dtype)  # type: ignore[attr-defined]
        return broadcast_to(value, shape)
    return _made("full", np.full(shape, fill_value, dtype), device, requires_grad)


@implements(np.zeros_like)
def zeros_like(
    x: Any, /, dtype: Any = None, *, shape: Any = None, device: Any = None, requires_grad: bool = False, **_order: Any
) -> Any:
    """Return zeros of an array's shape and dtype."""
    return zeros(_shape(x, shape), dtype or x.dtype, device=device, requires_grad=requires_grad)


@implements(np.ones_like)
def ones_like(
    x: Any, /, dtype: Any = None, *, shape: Any = None, device: Any = None, requires_grad: bool = False, **_order: Any
) -> Any:
    """Return ones of an array's shape and dtype."""
    return ones(_shape(x, shape), dtype or x.dtype, device=device, requires_grad=requires_grad)


@implements(np.empty_like)
def empty_like(
    x: Any, /, dtype: Any = None, *, shape: Any = None, device: Any = None, requires_grad: bool = False, **_order: Any
) -> Any:
    """Return an array of another's shape and dtype; what it holds is not defined (zeros)."""
    return empty(_shape(x, shape), dtype or x.dtype, device=device, requires_grad=requires_grad)


@implements(np.full_like)
def full_like(
    x: Any,
    /,
    fill_value: Any,
    dtype: Any = None,
    *,
    shape: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **_order: Any,
) -> Any:
    """Return one value repeated to an array's shape, in its dtype."""
    return full(_shape(x, shape), fill_value, dtype or x.dtype, device=device, requires_grad=requires_grad)


def _shape(x: Any, shape: Any) -> Any:
    return x.shape if shape is None else shape


def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Any:
    """Return evenly spaced numbers, by their distance."""
    if stop is None:
        start, stop = 0, start
    return _made("arange", np.arange(start, stop, step, dtype=dtype), device, requires_grad)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Any:
    """Return a matrix with ones on the k-th diagonal."""
    return _made("eye", np.eye(n_rows, n_cols, k, dtype or float), device, requires_grad)


def identity(n: int, dtype: Any = None) -> Any:
    """Return the n x n unit matrix."""
    return eye(n, dtype=dtype)


def tri(n_rows: int, n_cols: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on and below the k-th diagonal."""
    return _made("tri", np.tri(n_rows, n_cols, k, dtype or float), None, False)


# ---------------------------------------------------------------------------------------------- spaced


class Linspace(Op):
    """Evenly spaced numbers along a new last axis: a weighted mean of the ends."""

    linear, holomorphic = "joint", False
    cases = (
        ((), (), {"num": 5, "endpoint": True, "dtype": None}),
        ((2, 1), (3,), {"num": 4, "endpoint": False, "dtype": None}),
        ((2,), (2,), {"num": 1, "endpoint": True, "dtype": None}),
    )

    @staticmethod
    def forward(start: Any, stop: Any, *, num: int, endpoint: bool, dtype: Any) -> Any:
        return np.linspace(start, stop, num, endpoint, dtype=dtype, axis=-1)

    @staticmethod
    def backward(grad: Any, _out: Any, _start: Any, _stop: Any, *, num: int, endpoint: bool, dtype: Any) -> Any:  # noqa: ARG004
        t = _fractions(num, endpoint)
        return np.sum(grad * (1 - t), axis=-1), np.sum(grad * t, axis=-1)


class Geomspace(Op):
    """Numbers with equal quotients along a new last axis."""

    cases = (((), (), {"num": 5, "endpoint": True}), ((2, 1), (3,), {"num": 4, "endpoint": False}))
    domain = (0.5, 4.0)

    @staticmethod
    def forward(start: Any, stop: Any, *, num: int, endpoint: bool) -> Any:
        return np.geomspace(start, stop, num, endpoint, axis=-1)

    @staticmethod
    def backward(grad: Any, out: Any, start: Any, stop: Any, *, num: int, endpoint: bool) -> Any:
        t = _fractions(num, endpoint)
        return np.sum(grad * out * (1 - t), axis=-1) / start, np.sum(grad * out * t, axis=-1) / stop


def _fractions(num: int, endpoint: bool) -> Any:
    """How far each number is from the start: 0 to 1."""
    return np.arange(num) / max(num - 1 if endpoint else num, 1)


def _spaced(op: Callable[..., Any], start: Any, stop: Any, axis: int, **params: Any) -> Any:
    """Apply the op to the ends, and put the new axis where it is wanted."""
    result = op(start, stop, **params)
    result = result if isinstance(result, Traced) else constant(result)
    return result if axis == -1 else moveaxis(result, -1, axis)


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    /,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
    requires_grad: bool = False,
) -> Any:
    """Return evenly spaced numbers, by their count.

    Parameters
    ----------
    start, stop : Tensor or array_like
        The ends; the result is differentiable in them.
    num : int
        How many numbers.
    endpoint : bool
        Whether ``stop`` is the last of them.
    retstep : bool
        Return the distance as well.
    dtype : dtype, optional
        Of the result.
    axis : int
        Where the new axis goes.
    device : "cpu", optional
        There is no other.
    requires_grad : bool
        Make a variable; only for ends that are not Tensors.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> stop = tg.Tensor(2.0)
    >>> tg.linspace(0.0, stop, 5).sum().backward()
    >>> stop.grad
    Tensor(2.5)
    """
    on_cpu("linspace", device)
    result = _spaced(Linspace.apply, start, stop, axis, num=num, endpoint=endpoint, dtype=dtype)
    if requires_grad:
        result.requires_grad_()
    step = num - 1 if endpoint else num
    return (result, (stop - start) / step if step else np.nan) if retstep else result


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """Return numbers whose logarithms are evenly spaced: ``base ** linspace(start, stop)``."""
    if np.ndim(base):  # every base has a row of its own
        ends = start, stop, base
        ndim = max(map(np.ndim, ends))
        start, stop, base = (reshape(v, (1,) * (ndim - np.ndim(v)) + tuple(np.shape(v))) for v in ends)
        base = expand_dims(base, axis)
    result = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else result.astype(dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Return numbers with equal quotients from start to stop."""
    result = _spaced(Geomspace.apply, start, stop, axis, num=num, endpoint=endpoint)
    return result if dtype is None else result.astype(dtype)


@implements(np.copy)
def copy(x: Any, /, order: str = "K", subok: bool = False) -> Any:
    """Return a Tensor of the same value that is recorded as computed from this one."""
    del order, subok
    return x.copy()
