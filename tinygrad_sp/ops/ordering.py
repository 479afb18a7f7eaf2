"""Sorting and what is built on it: medians and quantiles.

The rule of sorting puts each cotangent back where its element came from.  Elements that are equal share their
cotangents equally, as in `max`: which of them came first is no property of the values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, everything, value
from .axes import Axis, negative_axes, one_axis, weights_for
from .constant import by_example
from .indexing import PutAlong, take_along_axis
from .shape import Transpose, reshape

__all__ = [
    "argpartition",
    "argsort",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "partition",
    "percentile",
    "quantile",
    "searchsorted",
    "sort",
    "sort_complex",
]


class Shared(Op):
    """Cotangents ``grad`` averaged over elements of ``x`` that are equal along an axis: symmetric in ``grad``."""

    holomorphic = False
    cases = (((5,), np.array([1.0, 2.0, 1.0, 2.0, 2.0]), {"axis": -1}),)

    @staticmethod
    def forward(grad: Any, x: Any, *, axis: int) -> Any:
        line = np.moveaxis(x, axis, -1)
        if np.all(line[..., 1:] > line[..., :-1]):  # in order already, as `Sort` hands them
            return grad
        ordered = np.sort(line, axis=-1)
        if not np.any(ordered[..., 1:] == ordered[..., :-1]):
            return grad
        rows, grads = (np.moveaxis(v, axis, -1).reshape(-1, x.shape[axis]) for v in (x, np.broadcast_to(grad, x.shape)))
        order = np.argsort(rows, axis=-1, kind="stable")
        ordered = np.take_along_axis(rows, order, -1)
        first = np.ones(rows.shape, bool)  # of each run of equal elements
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        starts = np.flatnonzero(first)
        counts = np.diff(np.append(starts, rows.size))
        sums = np.add.reduceat(np.take_along_axis(grads, order, -1).reshape(-1), starts)
        result = np.empty_like(grads)
        np.put_along_axis(result, order, np.repeat(sums / counts, counts).reshape(rows.shape), -1)
        shape = [n for i, n in enumerate(x.shape) if i != x.ndim + axis] + [x.shape[axis]]
        return np.moveaxis(result.reshape(shape), -1, axis)

    backward = (
        lambda g, _out, _grad, x, *, axis: Shared.apply(g, x, axis=axis),
        lambda _g, _out, _grad, _x, *, axis: None,  # noqa: ARG005
    )


class Sort(Op):
    """The elements in ascending order along an axis: x gets g back where each came from (equal ones share)."""

    cases = (((3, 4), {"axis": -1}), ((3, 4), {"axis": -2}), ((0,), {"axis": -1}))

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        # Zeros of both signs keep their order; elsewhere equal elements are the same, and four times as quick.
        return np.sort(x, axis=axis, kind=None if x.dtype.kind == "f" and np.all(x) else "stable")

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, axis: int) -> Any:
        shared = Shared.apply(grad, out, axis=axis)
        return PutAlong.apply(shared, np.argsort(x, axis=axis), axis=axis, n=x.shape[axis])

    @staticmethod
    def tangent(tangents: Any, out: Any, x: Any, *, axis: int) -> Any:
        """The tangents in the same order; those of equal elements are averaged, as the rule shares."""
        return Shared.apply(take_along_axis(tangents[0], np.argsort(x, axis=axis), axis), out, axis=axis)


class Partition(Op):
    """The elements about some places along an axis: those places are as if sorted.

    x gets g back where each came from (equal ones share).
    """

    cases = (((3, 5), {"kth": (1, 3), "axis": -1}), ((4, 2), {"kth": (2,), "axis": -2}))

    @staticmethod
    def forward(x: Any, *, kth: tuple[int, ...], axis: int) -> Any:
        return np.partition(x, kth, axis=axis)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, kth: tuple[int, ...], axis: int) -> Any:  # noqa: ARG004
        # Not by np.argpartition: it leaves the elements between the places in another order than np.partition does.
        return _moved(Shared.apply(grad, out, axis=axis), out, x, axis)

    @staticmethod
    def tangent(tangents: Any, out: Any, x: Any, *, kth: tuple[int, ...], axis: int) -> Any:  # noqa: ARG004
        return Shared.apply(_moved(tangents[0], x, out, axis), out, axis=axis)


def _moved(v: Any, x: Any, y: Any, axis: int) -> Any:
    """Move what belongs to the elements of x to where these are in y, which has the same ones in another order."""
    came, went = (np.argsort(u, axis=axis) for u in (x, y))
    return PutAlong.apply(take_along_axis(v, came, axis), went, axis=axis, n=y.shape[axis])


class Ranked(Op):
    """The elements at a few places of the sorted last axis: without sorting, forward or back.

    x gets g back where each came from, 0 elsewhere (equal ones share).
    """

    cases = (((3, 5), {"places": (1, 3)}), ((4,), {"places": (0,)}))

    @staticmethod
    def forward(x: Any, *, places: tuple[int, ...]) -> Any:
        return np.partition(x, places, axis=-1)[..., list(places)]

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, places: tuple[int, ...]) -> Any:
        total = 0.0
        for i in range(len(places)):
            one = out[..., i : i + 1]
            equal = (x == one) | (np.isnan(x) & np.isnan(one))
            total = total + np.where(equal, grad[..., i : i + 1], 0.0) / np.sum(equal, axis=-1, keepdims=True)
        return total


def _ordered(rows: Any, places: Any) -> tuple[Any, Any]:
    """Return sorted elements of the last axis, and where among them those at the given places are."""
    few = np.unique(places)
    if len(few) > 8:
        return Sort.apply(rows, axis=-1), places
    return Ranked.apply(rows, places=tuple(few.tolist())), np.searchsorted(few, places)


class Argsort(Op):
    """Where the sorted elements come from: a constant."""

    @staticmethod
    def forward(x: Any, *, axis: int, descending: bool) -> Any:
        if not descending:
            return np.argsort(x, axis=axis, kind="stable")
        # Equal elements keep their order, and NaN comes first, as in the sorted values reversed.
        back = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
        return x.shape[axis] - 1 - back


class Argpartition(Op):
    """Where the partitioned elements come from: a constant."""

    @staticmethod
    def forward(x: Any, *, kth: tuple[int, ...], axis: int) -> Any:
        return np.argpartition(x, kth, axis=axis)


class Searchsorted(Op):
    """Where elements would be inserted: a constant."""

    batch = staticmethod(by_example)

    @staticmethod
    def forward(x: Any, v: Any, *, side: Any, sorter: Any) -> Any:
        return np.searchsorted(x, v, side, sorter)


@implements(np.sort)
def sort(
    x: Any,
    /,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    descending: bool = False,
    stable: Any = True,
) -> Any:
    """Return the elements in order along an axis; with ``axis=None`` all of them.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int, optional
        Along which to sort.
    kind, order
        Accepted for NumPy's sake.
    descending : bool
        Largest first.
    stable : bool
        Accepted; sorting is stable always.

    Notes
    -----
    The cotangents go back where the elements came from; equal elements share theirs equally.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, 1.0, 1.0])
    >>> tg.sort(x).backward([1.0, 2.0, 5.0])
    >>> x.grad
    Tensor([5. , 1.5, 1.5])
    """
    del kind, order, stable
    x = array(x)
    x, axis = one_axis(x, axis)
    result = Sort.apply(x, axis=axis)
    return np.flip(result, axis) if descending else result


@implements(np.argsort)
def argsort(
    x: Any,
    /,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    descending: bool = False,
    stable: Any = True,
) -> Any:
    """Return the numbers of the elements in order along an axis: a constant."""
    del kind, order, stable
    x = array(x)
    x, axis = one_axis(x, axis)
    return Argsort.apply(x, axis=axis, descending=descending)


def _kth(name: str, kth: Any, n: int) -> tuple[int, ...]:
    """Return places counted from 0; where there are no elements, NumPy takes any."""
    places = [int(k) for k in np.atleast_1d(kth)]
    if n and not all(-n <= k < n for k in places):
        raise ValueError(f"{name}: kth={kth} of {n} elements; numbers from {-n} to {n - 1} are wanted")
    return tuple(k % (n or 1) for k in places)


@implements(np.partition)
def partition(x: Any, kth: Any, /, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Return the elements with the k-th in its sorted place, smaller ones before it, larger ones behind."""
    del kind, order
    x = array(x)
    x, axis = one_axis(x, axis)
    return Partition.apply(x, kth=_kth("partition", kth, x.shape[axis]), axis=axis)


@implements(np.argpartition)
def argpartition(x: Any, kth: Any, /, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Return the numbers of the elements as `partition` puts them: a constant."""
    del kind, order
    x = array(x)
    x, axis = one_axis(x, axis)
    return Argpartition.apply(x, kth=_kth("argpartition", kth, x.shape[axis]), axis=axis)


@implements(np.sort_complex)
def sort_complex(x: Any, /) -> Any:
    """Return the elements sorted by real part, then by imaginary part, as complex numbers."""
    x = sort(x)
    if x.dtype.kind == "c":
        return x
    return x.astype(np.complex64 if x.dtype.char in "bhBH" else np.result_type(x.dtype, np.complex128))


@implements(np.searchsorted)
def searchsorted(x: Any, v: Any, /, side: str = "left", sorter: Any = None) -> Any:
    """Return where elements would have to be inserted to keep a vector in order: a constant."""
    return Searchsorted.apply(x, v, side=side, sorter=None if sorter is None else value(sorter))


# ---------------------------------------------------------------------------------------------- quantiles

# Where each of NumPy's methods looks among n sorted elements: n -> (alpha, beta) of Hyndman and Fan's
# "Sample quantiles in statistical packages", The American Statistician 50 (1996).
_HYNDMAN_FAN = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}

_WHOLE = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")  # these take one of the elements


def _place(q: Any, n: Any, method: str) -> Any:
    """Where the quantile lies among n sorted elements, counted from 0; whole where the method takes an element."""
    if method in _HYNDMAN_FAN:
        alpha, beta = _HYNDMAN_FAN[method]
        return n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method == "linear":
        return (n - 1) * q
    if method in ("lower", "higher", "nearest"):
        step = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[method]
        return step((n - 1) * q)
    if method == "midpoint":
        return (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2
    nq = n * q
    if method == "inverted_cdf":
        return np.ceil(nq) - 1
    if method == "averaged_inverted_cdf":
        return np.where(nq == np.floor(nq), nq - 0.5, np.ceil(nq) - 1)
    if method == "closest_observation":
        below = np.floor(nq - 1.5)
        return below + np.where((nq - 1.5 == below) & (below % 2 == 1), 0, 1)
    raise ValueError(f"quantile: method={method!r} is none of NumPy's; use one, as 'linear'")


def _last(x: Any, axis: Axis) -> tuple[Any, list[int]]:
    """Bring the axes together as the last one; return also the shape with ones in their place."""
    over = negative_axes(axis, x.ndim)
    rest = tuple(a for a in range(-x.ndim, 0) if a not in over)
    rows = x if over == (-1,) else Transpose.apply(x, axes=rest + over)
    shape = [1 if a in over else x.shape[a] for a in range(-x.ndim, 0)]
    return reshape(rows, (*(x.shape[a] for a in rest), math.prod(x.shape[a] for a in over))), shape


def _between(rows: Any, place: Any, last: Any, whole: bool) -> Any:
    """Interpolate the sorted rows at a place between two elements, as NumPy does to the last bit."""
    below = np.floor(value(place)).astype(int)
    both = np.stack([below, np.minimum(below + 1, value(last))])
    ordered, both = _ordered(rows, both) if math.prod(below.shape[:-1]) == 1 else (Sort.apply(rows, axis=-1), both)
    a = take_along_axis(ordered, both[0])
    if whole:
        return a
    b, t = take_along_axis(ordered, both[1]), place - below
    return np.where(t >= 0.5, b - (b - a) * (1 - t), a + (b - a) * t)


def _real(x: Any) -> Any:
    if array(x).dtype.kind == "c":
        raise TypeError("quantile: between complex numbers there is no order to interpolate in; take np.abs or np.real")
    return x


def _quantiles(x: Any, q: Any, axis: Axis, method: str, keepdims: bool, weights: Any, skip: bool) -> Any:
    x, flat = array(x), reshape(array(q), (-1,))
    if np.any((everything(flat) < 0) | (everything(flat) > 1)):
        raise ValueError("quantile: q must lie between 0 and 1, percentiles between 0 and 100")
    rows, shape = _last(x, axis)
    if skip and not rows.shape[-1]:
        rows = np.full_like(rows, np.nan, shape=(*rows.shape[:-1], 1), dtype=np.result_type(x.dtype, np.float16))
    nan = np.isnan(rows)
    n = np.sum(np.logical_not(nan), axis=-1, keepdims=True) if skip else rows.shape[-1]
    last, whole = np.maximum(n, 1) - 1, method in _WHOLE
    place = _place(flat, n, method) if weights is None else _weighted(x, rows, flat, axis, method, weights)
    place = np.clip(place, 0, last)
    place = reshape(place, (1,) * (rows.ndim - place.ndim) + tuple(place.shape))
    result = _between(rows, place, last, whole)
    lost = n == 0 if skip else np.any(nan, axis=-1, keepdims=True)
    if np.any(everything(lost)):
        result = np.where(lost, np.nan, result)
    if x.dtype.kind in "fc" and not whole:  # a Python number has no dtype that could widen the result
        result = result.astype(np.result_type(x.dtype, flat.dtype if np.ndim(q) or hasattr(q, "dtype") else x.dtype))
    rest = shape if keepdims else rows.shape[:-1]
    return reshape(np.moveaxis(result, -1, 0), (*np.shape(q), *rest))


def _weighted(x: Any, rows: Any, q: Any, axis: Axis, method: str, weights: Any) -> Any:
    """Where the quantiles lie among sorted elements that have weights: before them is less than q of all weight."""
    if method != "inverted_cdf":
        raise ValueError(
            f"quantile: weights with method={method!r}; write method='inverted_cdf', the only one with any"
        )
    weights = weights_for("quantile", np.asarray(value(array(weights))), x, axis)
    elements, part = value(rows), value(q)
    nan = np.isnan(elements)
    heavy = np.where(nan, 0, _last(weights, axis)[0].reshape(elements.shape))
    total = np.sum(heavy, axis=-1)
    if np.any(heavy < 0) or not np.all(np.all(nan, axis=-1) | ((total > 0) & (total < np.inf))):
        raise ValueError("quantile: the weights must be from 0 on, and their sum finite and not 0; give others")
    below = np.cumsum(np.take_along_axis(heavy, np.argsort(elements, axis=-1), -1), axis=-1, dtype=np.float64)
    below = below / np.where(total == 0, 1, below[..., -1])[..., None]
    below = below.astype(part.dtype) if part.dtype.kind == "f" else below
    return np.sum(np.where(below == 0, -1, below)[..., None, :] < part[:, None], axis=-1)


@implements(np.quantile)
def quantile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
    overwrite_input: bool = False,
) -> Any:
    """Return quantiles over axes.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    q : Tensor or array_like
        Between 0 and 1; its axes come first in the result, which is differentiable in it too.
    axis : int or sequence of int, optional
        Axes to look over, by default all.
    method : str
        Any of NumPy's thirteen.
    keepdims : bool
        Keep the lost axes, with length 1.
    weights : array_like, optional
        Of x's shape, or of the lengths of the axes; with method "inverted_cdf" only, as in NumPy.  Constants: which
        element is taken does not change with them, but in jumps.
    overwrite_input : bool
        Accepted for NumPy's sake.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 4.0, 2.0])
    >>> tg.quantile(x, 0.75).backward()
    >>> x.grad
    Tensor([0. , 0.5, 0.5])
    """
    del overwrite_input
    return _quantiles(_real(x), q, axis, method, keepdims, weights, False)


@implements(np.percentile)
def percentile(x: Any, q: Any, /, axis: Axis = None, **options: Any) -> Any:
    """Return percentiles over axes: `quantile` at q / 100."""
    return quantile(x, _hundredths(q), axis, **options)


def _hundredths(q: Any) -> Any:
    return q / 100 if hasattr(q, "dtype") or np.ndim(q) == 0 else np.asarray(q) / 100


@implements(np.nanquantile)
def nanquantile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: Any = None,
    overwrite_input: bool = False,
) -> Any:
    """Return quantiles over axes of the elements that are not NaN."""
    del overwrite_input
    return _quantiles(_real(x), q, axis, method, keepdims, weights, True)


@implements(np.nanpercentile)
def nanpercentile(x: Any, q: Any, /, axis: Axis = None, **options: Any) -> Any:
    """Return percentiles over axes of the elements that are not NaN."""
    return nanquantile(x, _hundredths(q), axis, **options)


@implements(np.median)
def median(x: Any, /, axis: Axis = None, *, keepdims: bool = False, overwrite_input: bool = False) -> Any:
    """Return the median over axes: the middle element, or the mean of the two in the middle."""
    del overwrite_input
    rows, shape = _last(array(x), axis)
    n = rows.shape[-1]
    if not n:
        return np.mean(x, axis=axis, keepdims=keepdims)
    result = np.mean(Ranked.apply(rows, places=tuple({(n - 1) // 2, n // 2})), axis=-1)
    nan = np.any(np.isnan(rows), axis=-1)
    result = np.where(nan, np.nan, result) if np.any(everything(nan)) else result
    return reshape(result, shape) if keepdims else result


@implements(np.nanmedian)
def nanmedian(x: Any, /, axis: Axis = None, *, keepdims: bool = False, overwrite_input: bool = False) -> Any:
    """Return the median over axes of the elements that are not NaN."""
    x = array(x)
    if x.dtype.kind not in "fc":
        return median(x, axis, keepdims=keepdims, overwrite_input=overwrite_input)
    return _quantiles(x, 0.5, axis, "linear", keepdims, None, True)
