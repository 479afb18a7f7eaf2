"""Sums, means, products, extremes: the rule hands the cotangent back along the axes that were lost.

Conventions: ties in max and min share equally; std of a constant has derivative 0; a product is exact with
zeros in it, because the product of all others is computed and never a division.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array
from .axes import Axis, is_flat, one_axis, reduced_axes, spread
from .shape import Transpose, ravel, reshape

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]

Axes = tuple[int, ...]
_CASES = (
    ((3, 4), {"axis": (-2, -1), "keepdims": False}),
    ((3, 4), {"axis": (-2,), "keepdims": True}),
    ((2, 3, 4), {"axis": (-3, -1), "keepdims": False}),
    ((1, 1), {"axis": (-1,), "keepdims": False}),
)
_EMPTY = (((0, 3), {"axis": (-2,), "keepdims": False}),)


def _count(shape: tuple[int, ...], axis: Axes) -> int:
    return math.prod(shape[a] for a in axis)


class Sum(Op):
    """The sum over axes: x gets spread(g, x.shape)."""

    linear, holomorphic = "joint", False
    cases = _CASES + _EMPTY

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return x.sum(axis=axis, keepdims=keepdims)  # the method: np.sum takes a microsecond to find it

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return spread(grad, axis, keepdims, _x.shape)


class Mean(Op):
    """The mean over axes: x gets spread(g, x.shape) / (x.size // out.size)."""

    linear, holomorphic = "joint", False
    cases = _CASES

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return np.mean(x, axis=axis, keepdims=keepdims)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, axis: Axes, keepdims: bool) -> Any:
        count = np.float64(_count(_x.shape, axis) or 1)  # no Python number: 70,000 is more than float16 can hold
        return spread((grad / count).astype(grad.dtype), axis, keepdims, _x.shape)


class Var(Op):
    """The variance over axes: the sum of squared distances from the mean, over n - correction.

    x gets spread(g, x.shape) * 2 * (x - mean(x, axis=axis, keepdims=True)) / (x.size // out.size - correction).
    """

    holomorphic = False
    cases = tuple((s, p | {"correction": c}) for (s, p), c in zip(_CASES[:3], (0, 1, 0.5), strict=True))

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool, correction: float) -> Any:
        return np.var(x, axis=axis, keepdims=keepdims, ddof=correction)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, axis: Axes, keepdims: bool, correction: float) -> Any:
        share = 2 / _freedom(x.shape, axis, correction)
        return spread(grad, axis, keepdims, x.shape) * (_away(x, axis) * share)


class Std(Op):
    """The standard deviation over axes; its derivative is 0 where it is 0.

    x gets spread(g / out, x.shape) * (x - mean(x, axis=axis, keepdims=True)) / (x.size // out.size - correction).
    """

    holomorphic = False
    cases = Var.cases

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool, correction: float) -> Any:
        return np.std(x, axis=axis, keepdims=keepdims, ddof=correction)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, axis: Axes, keepdims: bool, correction: float) -> Any:
        flat = out == 0  # there it has a tip: all derivatives are 0, the second too
        share = spread(np.where(flat, 0.0, grad) / np.where(flat, 1.0, out), axis, keepdims, x.shape)
        return share * _away(x, axis) * (1 / _freedom(x.shape, axis, correction))


def _away(x: Any, axis: Axes) -> Any:
    """Return the distances from the mean: exactly 0 between equal elements, whose mean may be rounded to another."""
    first = tuple(slice(1) if a in axis else slice(None) for a in range(axis[0] if axis else 0, 0))
    x = x - x[(Ellipsis, *first)]
    return x - np.mean(x, axis=axis, keepdims=True)


def _freedom(shape: tuple[int, ...], axis: Axes, correction: float) -> float:
    free = _count(shape, axis) - correction
    return free if free > 0 else math.nan


class Prod(Op):
    """The product over the last axis: x gets g times the product of the others."""

    cases = tuple((shape, {"axis": (-1,), "keepdims": False}) for shape in ((3, 4), (2, 1), (3,)))

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return np.prod(x, axis=axis, keepdims=keepdims)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:  # noqa: ARG004
        others = _before(x) * np.flip(_before(np.flip(x, -1)), -1)
        return np.expand_dims(grad, -1) * others


def _before(x: Any) -> Any:
    """Return at each place the product of all elements before it."""
    return np.concatenate([np.ones_like(x[..., :1]), np.cumprod(x[..., :-1], axis=-1)], axis=-1)


class Cumsum(Op):
    """Running sums along an axis: x gets flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis)."""

    linear, holomorphic = "joint", False
    cases = (((3, 4), {"axis": -1}), ((3, 4), {"axis": -2}), ((0,), {"axis": -1}))

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        return np.cumsum(x, axis=axis)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, axis: int) -> Any:
        return np.flip(np.cumsum(np.flip(grad, axis), axis=axis), axis)


class Cumprod(Op):
    """Running products along the last axis.

    x gets flip(cumsum(flip(g * out, axis=axis), axis=axis), axis=axis) / x (where no x is 0).
    """

    cases = tuple((shape, {"axis": -1}) for shape in ((3, 4), (5,), (2, 1), (0,)))

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        return np.cumprod(x, axis=axis)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, axis: int) -> Any:  # noqa: ARG004
        if not x.size:
            return grad
        return _before(x) * _suffix_scan(grad, x)


def _suffix_scan(s: Any, x: Any) -> Any:
    """Solve s[i] = grad[i] + x[i+1] * s[i+1] by doubling: log2(n) passes, no division, exact with zeros."""
    n, step = x.shape[-1], 1
    factor = np.concatenate([x[..., 1:], np.zeros_like(x[..., :1])], axis=-1)
    while step < n:
        ahead = s[..., step:]
        s = np.concatenate([s[..., :-step] + factor[..., :-step] * ahead, s[..., -step:]], axis=-1)
        factor = np.concatenate([factor[..., :-step] * factor[..., step:], np.zeros_like(x[..., :step])], axis=-1)
        step *= 2
    return s


def _extreme_rule(grad: Any, out: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """The places that hold the extreme share the cotangent equally; NaN counts as the extreme it gives."""
    top = spread(out, axis, keepdims, x.shape)
    chosen = (x == top) | (np.isnan(x) & np.isnan(top))
    share = spread(grad, axis, keepdims, x.shape) / np.sum(chosen, axis=axis, keepdims=True)
    return np.where(chosen, share, 0.0)


class Max(Op):
    """The largest element over axes: x gets spread(g, x.shape) * (x == spread(out, x.shape)) (equal ones share it)."""

    cases = _CASES
    backward = staticmethod(_extreme_rule)

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return np.max(x, axis=axis, keepdims=keepdims)


class Min(Op):
    """The smallest element over axes: x gets spread(g, x.shape) * (x == spread(out, x.shape)) (equal ones share it)."""

    cases = _CASES
    backward = staticmethod(_extreme_rule)

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return np.min(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------- public


def _reduced(op: type[Op], x: Any, axis: Axis, dtype: Any, keepdims: bool, **params: Any) -> Any:
    x = array(x) if dtype is None else array(x).astype(dtype)
    return _cast(op.apply(x, axis=reduced_axes(axis, x.ndim), keepdims=bool(keepdims), **params), dtype)


def _cast(x: Any, dtype: Any) -> Any:
    """Return x in a dtype: NumPy sums and multiplies small integers in large ones."""
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def _first(initial: Any, result: Any) -> Any:
    """Return the element that a reduction begins with, in the dtype of the result as NumPy does."""
    return array(initial).astype(result.dtype)


def _only(x: Any, where: Any, neutral: Any) -> Any:
    """Put the neutral element where the condition doesn't hold."""
    return x if where is True else np.where(where, x, neutral)


@implements(np.sum, (np.add, "reduce"))
def sum(
    x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the sum over axes, by default over all.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        Axes to sum over.
    dtype : dtype, optional
        Sum in this dtype.
    keepdims : bool
        Keep the summed axes, with length 1.
    initial : Tensor or number, optional
        Add this as well.
    where : array_like of bool
        Sum only where this holds.

    Returns
    -------
    Tensor or ndarray
        The sums.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.], op=Sum)
    """
    total = _reduced(Sum, _only(x, where, 0), axis, dtype, keepdims)
    return total if initial is None else total + _first(initial, total)


@implements(np.mean)
def mean(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Return the mean over axes, by default over all; only where a condition holds, if one is given."""
    if where is not True:
        taken = np.broadcast_to(where, np.shape(x))
        total = sum(x, axis, dtype, keepdims=keepdims, where=taken)
        return _cast(total / sum(taken, axis, keepdims=keepdims), total.dtype if total.dtype.kind in "fc" else None)
    return _reduced(Mean, x, axis, dtype, keepdims)


@implements(np.var)
def var(
    x: Any,
    /,
    axis: Axis = None,
    dtype: Any = None,
    ddof: float = 0,
    *,
    keepdims: bool = False,
    correction: float | None = None,
    where: Any = True,
    mean: Any = None,
) -> Any:
    """Return the variance over axes; ``correction`` (NumPy's ``ddof``) is taken off the number of elements.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        Axes to look over, by default all.
    dtype : dtype, optional
        Compute in this dtype.
    ddof, correction : float
        Two names for one number.
    keepdims : bool
        Keep the lost axes, with length 1.
    where : array_like of bool
        Only elements where this holds count.
    mean : Tensor or array_like, optional
        The mean, if it is known, with the lost axes kept.
    """
    correction, x = ddof if correction is None else correction, array(x)
    flat = _is_flattened(x, dtype)
    if where is True and mean is None and not flat:
        return _reduced(Var, x, axis, dtype, keepdims, correction=correction)
    taken = np.broadcast_to(where, x.shape)
    if flat and mean is None:
        mean = _mean(np.real(x), axis, dtype, keepdims=True, where=taken)
    elif dtype is not None and not flat:
        x = x.astype(dtype)
    away = _only(x - (_mean(x, axis, keepdims=True, where=taken) if mean is None else mean), taken, 0.0)
    free = np.maximum(sum(taken, axis, keepdims=keepdims) - correction, 0)
    squares = sum(np.real(away * np.conjugate(away)), axis, keepdims=keepdims)
    return (squares / free).astype(dtype if flat else squares.dtype)


def _is_flattened(x: Any, dtype: Any) -> bool:
    """Whether complex numbers are looked at as real ones: NumPy then takes their distances from the real mean."""
    return dtype is not None and x.dtype.kind == "c" and np.dtype(dtype).kind == "f"


@implements(np.std)
def std(
    x: Any,
    /,
    axis: Axis = None,
    dtype: Any = None,
    ddof: float = 0,
    *,
    keepdims: bool = False,
    correction: float | None = None,
    where: Any = True,
    mean: Any = None,
) -> Any:
    """Return the standard deviation over axes, with the arguments of `var`; where it is 0, so is its derivative."""
    correction = ddof if correction is None else correction
    if where is True and mean is None and not _is_flattened(array(x), dtype):
        return _reduced(Std, x, axis, dtype, keepdims, correction=correction)
    return root(var(x, axis, dtype, keepdims=keepdims, correction=correction, where=where, mean=mean))


def root(variance: Any) -> Any:
    """Return the square root of a variance, whose derivative is 0 where it is 0."""
    flat = variance == 0
    return np.where(flat, 0.0, np.sqrt(np.where(flat, 1.0, variance)))


@implements(np.prod, (np.multiply, "reduce"))
def prod(
    x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Return the product over axes; the derivative is exact with zeros among the factors."""
    x = array(_only(x, where, 1)) if dtype is None else array(_only(x, where, 1)).astype(dtype)
    over = reduced_axes(axis, x.ndim)
    rest = tuple(a for a in range(-x.ndim, 0) if a not in over)
    shape = tuple(x.shape[a] for a in rest)
    rows = reshape(Transpose.apply(x, axes=rest + over), (*shape, _count(x.shape, over)))
    result = Prod.apply(rows, axis=(-1,), keepdims=False)
    if keepdims:
        result = reshape(result, [1 if a in over else x.shape[a] for a in range(-x.ndim, 0)])
    result = _cast(result, dtype)
    return result if initial is None else result * _first(initial, result)


def _extreme(op: type[Op], larger: Any, x: Any, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    if where is not True and initial is None:
        raise ValueError(f"{op.__name__.lower()}: where= needs initial=, for when nothing is left")
    x = array(x)
    if initial is None:
        return _reduced(op, x, axis, None, keepdims)
    x, initial = array(_only(x, where, _first(initial, x))), _first(initial, x)
    if not _count(x.shape, reduced_axes(axis, x.ndim)):  # recorded all the same
        return _cast(np.where(True, initial, _reduced(Sum, x, axis, None, keepdims)), x.dtype)
    return larger(_reduced(op, x, axis, None, keepdims), initial)


@implements(np.max, (np.maximum, "reduce"))
def max(x: Any, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    """Return the largest element over axes; equal ones share the derivative."""
    return _extreme(Max, np.maximum, x, axis, keepdims, initial, where)


@implements(np.min, (np.minimum, "reduce"))
def min(x: Any, /, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    """Return the smallest element over axes; equal ones share the derivative."""
    return _extreme(Min, np.minimum, x, axis, keepdims, initial, where)


_mean = mean
amax, amin = implements(np.amax)(max), implements(np.amin)(min)


@implements(np.cumsum, (np.add, "accumulate"))
def cumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """Return running sums along an axis, by default of the flattened array."""
    x = array(x) if dtype is None else array(x).astype(dtype)
    x, at = one_axis(x, axis)
    return _cast(Cumsum.apply(x, axis=at), dtype)


@implements(np.cumprod, (np.multiply, "accumulate"))
def cumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """Return running products along an axis, by default of the flattened array."""
    x = array(x) if dtype is None else array(x).astype(dtype)
    x, at = one_axis(x, axis)
    rows = x if at == -1 else np.swapaxes(x, at, -1)
    result = Cumprod.apply(rows, axis=-1)
    result = result if at == -1 else np.swapaxes(result, at, -1)
    return _cast(result, dtype)


def _constant_reduction(name: str, function: Any) -> type[Op]:
    return type(name, (Op,), {"forward": staticmethod(function), "__module__": __name__, "__doc__": f"`numpy.{name}`."})


_ARGMAX, _ARGMIN = _constant_reduction("Argmax", np.argmax), _constant_reduction("Argmin", np.argmin)
_ALL, _ANY = _constant_reduction("All", np.all), _constant_reduction("Any", np.any)
_COUNT = _constant_reduction("CountNonzero", np.count_nonzero)


def _arg(op: type[Op], x: Any, axis: int | None, keepdims: bool) -> Any:
    x = array(x)
    if is_flat(axis, x.ndim):
        flat = op.apply(ravel(x), axis=-1, keepdims=False)
        return reshape(flat, (1,) * x.ndim) if keepdims else flat
    return op.apply(x, axis=one_axis(x, axis)[1], keepdims=bool(keepdims))


@implements(np.argmax)
def argmax(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the (first) largest element: a constant."""
    return _arg(_ARGMAX, x, axis, keepdims)


@implements(np.argmin)
def argmin(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Return the index of the (first) smallest element: a constant."""
    return _arg(_ARGMIN, x, axis, keepdims)


@implements(np.all, (np.logical_and, "reduce"))
def all(x: Any, /, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Return whether all elements are true: a constant."""
    return _reduced(_ALL, _only(x, where, True), axis, None, keepdims)


@implements(np.any, (np.logical_or, "reduce"))
def any(x: Any, /, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Return whether any element is true: a constant."""
    return _reduced(_ANY, _only(x, where, False), axis, None, keepdims)


@implements(np.count_nonzero)
def count_nonzero(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return how many elements are not zero: a constant."""
    return _reduced(_COUNT, x, axis, None, keepdims)
