"""Reading by index and writing by index: every kind of index that NumPy has.

Transposes come in pairs: the rule of reading is `Put` (add into zeros), the rule of `Put` is reading.
Writing (``t[i] = v``) makes a new value: the rule of the old one is the cotangent with zeros where it was
overwritten, the rule of ``v`` reads what survived; where an index is repeated only the last write does.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op, Traced
from .arguments import array, concrete, value
from .axes import along, negative_axis, one_axis

__all__ = [
    "compress",
    "extract",
    "nonzero",
    "put",
    "put_along_axis",
    "take",
    "take_along_axis",
]


class GetItem(Op):
    """``x[index]``."""

    linear, holomorphic = "joint", False
    cases = (
        ((4, 3), {"index": (slice(None, None, 2), 1)}),
        ((4,), {"index": ([0, 0, 2],)}),
        ((3, 4), {"index": (Ellipsis, None, slice(3, None, -2))}),
        ((3, 2), {"index": (np.array([[True, False], [False, True], [True, True]]),)}),
        ((3, 4, 2), {"index": ([2, 0, 2], slice(1, 3), [0, 1, 0])}),
        ((0, 3), {"index": (slice(None), 1)}),
    )

    @staticmethod
    def forward(x: Any, *, index: tuple[Any, ...]) -> Any:
        return x[index]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, index: tuple[Any, ...]) -> Any:
        return Put.apply(grad, shape=_x.shape, index=index)

    @staticmethod
    def accumulate(buffer: Any, grad: Any, *, index: tuple[Any, ...]) -> None:
        """Add ``grad`` into a buffer of x's shape: no dense zeros per index, so a loop over elements is linear."""
        if not repeats(index):
            buffer[index] += grad
            return
        axis = _one_axis(index, buffer.ndim)
        if axis is None or not buffer.flags.c_contiguous or np.size(grad) < 1000:
            np.add.at(buffer, index, grad)
        else:
            _add_slices(buffer, axis, np.asarray(next(p for p in index if not _whole(p))).reshape(-1), grad)


class GetMasked(Op):
    """``x[index]`` with a mask in the index: nothing flows to, or leaks from, what the mask leaves out."""

    linear, masks, holomorphic = "joint", True, False
    cases = (((3, 2), {"index": (np.array([[True, False], [False, True], [True, True]]),)}),)
    forward, backward, accumulate = GetItem.forward, GetItem.backward, GetItem.accumulate

    @staticmethod
    def batch(_size: int, _batched: Any, x: Any, *, index: tuple[Any, ...]) -> Any:
        return np.moveaxis(GetItem.apply(np.moveaxis(x, 0, -1), index=index), -1, 0)


class Put(Op):
    """Zeros of a shape, with ``x`` added at an index: the transpose of reading."""

    linear, holomorphic = "joint", False
    cases = (
        ((2,), {"shape": (4, 3), "index": (slice(None, None, 2), 1)}),
        ((3,), {"shape": (4,), "index": ([0, 0, 2],)}),
    )

    @staticmethod
    def forward(x: Any, *, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
        result = np.zeros(shape, x.dtype)
        GetItem.accumulate(result, x, index=index)
        return result[()]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:  # noqa: ARG004
        return GetItem.apply(grad, index=index)


class SetItem(Op):
    """``x`` with ``v`` written at an index."""

    masks, holomorphic = True, False
    linear = "joint"
    cases = (
        ((4, 3), (3,), {"index": (slice(1, 3),)}),
        ((4,), (3,), {"index": ([0, 0, 2],)}),
        ((2, 2), (), {"index": (np.array([[True, False], [False, True]]),)}),
        ((3,), (1, 1), {"index": (slice(2, None),)}),
    )

    @staticmethod
    def forward(x: Any, v: Any, *, index: tuple[Any, ...]) -> Any:
        result = np.array(x)
        result[index] = v
        return result[()]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, _v: Any, *, index: tuple[Any, ...]) -> Any:
        read = GetItem.apply(grad, index=index)
        if repeats(index):
            read = np.where(_last_writes(_x.shape, index), read, 0.0)
        # An assignment may drop leading axes of length 1 from v; broadcasting can't put them back.
        extra = len(_v.shape) - len(read.shape)
        if extra > 0:
            read = np.reshape(read, (1,) * extra + tuple(read.shape))
        return SetItem.apply(grad, 0.0, index=index), read


def _whole(part: Any) -> bool:
    return part is Ellipsis or (isinstance(part, slice) and part == slice(None))


def _one_axis(index: tuple[Any, ...], ndim: int) -> int | None:
    """Return the axis along which an index of one array takes slices, None for any other index."""
    at = [i for i, part in enumerate(index) if not _whole(part)]
    if len(at) != 1 or not isinstance(index[at[0]], (list, np.ndarray)):
        return None
    return at[0] + (ndim - len(index) if any(part is Ellipsis for part in index[: at[0]]) else 0)


def _add_slices(buffer: Any, axis: int, places: Any, grad: Any) -> None:
    """Add slices of ``grad`` to slices of the buffer: one flat index is added at faster than slices are."""
    shape = buffer.shape
    before, n, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    flat = (np.arange(before)[:, None] * n + places % n)[:, :, None] * after + np.arange(after)
    np.add.at(buffer.reshape(-1), flat.reshape(-1), grad.reshape(-1))


AT = "at"  # in an index: here comes the next of the arrays


def filled(index: tuple[Any, ...], at: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put arrays of integers into an index."""
    given = iter(at)
    return tuple(next(given) if isinstance(part, str) else part for part in index)


class Gather(Op):
    """``x[index]`` where parts of the index are arguments, because every example of a batch has its own."""

    linear, holomorphic = "each", False
    cases = (((4, 3), np.array([2, 0, 2]), {"index": (AT, slice(1, None))}),)

    @staticmethod
    def forward(x: Any, *at: Any, index: tuple[Any, ...]) -> Any:
        return x[filled(index, at)]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *at: Any, index: tuple[Any, ...]) -> Any:
        return Scatter.apply(grad, *at, shape=_x.shape, index=index), *(None for _ in at)


class Scatter(Op):
    """Zeros of a shape, with ``x`` added at such an index: the transpose of `Gather`."""

    linear, holomorphic = "each", False
    cases = (((3, 2), np.array([2, 0, 2]), {"shape": (4, 3), "index": (AT, slice(1, None))}),)

    @staticmethod
    def forward(x: Any, *at: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
        return Put.forward(x, shape=shape, index=filled(index, at))

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *at: Any, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:  # noqa: ARG004
        return Gather.apply(grad, *at, index=index), *(None for _ in at)


def repeats(index: tuple[Any, ...]) -> bool:
    """Whether an index may name an element twice: it does so only with arrays of integers."""
    return any(isinstance(part, (list, np.ndarray)) and np.asarray(part).dtype != bool for part in index)


def _last_writes(shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    """Return where, in ``x[index]``, the element written is the one that stayed."""
    spot = np.zeros(shape, int)
    ids = np.arange(spot[index].size).reshape(spot[index].shape)
    spot[index] = ids
    return spot[index] == ids


def normal_index(index: Any) -> tuple[Any, ...]:
    """Return an index as a tuple, its lists and Tensors as arrays that nobody else can change."""
    return tuple(map(_index_part, index if isinstance(index, tuple) else (index,)))


def _index_part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice) or type(part) in (int, bool):
        return part
    if isinstance(part, Traced):
        if part.level:
            return part  # an index for each example of a batch
        part = part._value
    if not isinstance(part, (list, np.ndarray)) and hasattr(part, "__index__"):
        return part if isinstance(part, np.bool_) else operator.index(part)
    found = np.array(part, dtype=None if np.size(part) else getattr(part, "dtype", int))
    if found.dtype.kind not in "biu":
        raise IndexError(f"index: dtype {found.dtype}; use integers, booleans, slices, None or ...")
    return found


def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``."""
    parts = normal_index(index)
    at = [part for part in parts if isinstance(part, Traced)]
    if at:
        return Gather.apply(x, *at, index=tuple(AT if isinstance(part, Traced) else part for part in parts))
    masked = any(type(part) is np.ndarray and part.dtype == bool for part in parts)
    return (GetMasked if masked else GetItem).apply(x, index=parts)


def setitem(x: Any, index: Any, v: Any) -> Any:
    """Return x with v written at the index, as ``x[index] = v`` would."""
    if (v.dtype if hasattr(v, "dtype") else np.result_type(v)).kind == "c" != x.dtype.kind:
        raise TypeError(
            f"setitem: a complex value for a Tensor of dtype {x.dtype}; write t.astype(complex) first, or value.real"
        )
    if isinstance(v, Traced) and v.node is not None and x.dtype.kind not in "fc":
        raise TypeError(
            f"setitem: a Tensor of dtype {x.dtype} can't hold a value that is being differentiated; "
            "write t.astype(float) first"
        )
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(map(concrete, parts))
    return SetItem.apply(x, v, index=normal_index(parts))


_PLACES = np.array([[3, 0], [1, 1], [2, -4]])


class TakeAlong(Op):
    """Elements at given places along an axis, each row by its own places: x gets g added at its places, 0 elsewhere."""

    linear, holomorphic = "each", False
    cases = (((3, 4), _PLACES, {"axis": -1}), ((4, 2), np.array([[2, 0]]), {"axis": -2}))

    @staticmethod
    def forward(x: Any, places: Any, *, axis: int) -> Any:
        return np.take_along_axis(x, places, axis)

    backward = (
        lambda g, _out, _x, places, *, axis: PutAlong.apply(g, places, axis=axis, n=_x.shape[axis]),
        lambda _g, _out, _x, _places, *, axis: None,  # noqa: ARG005
    )


class PutAlong(Op):
    """Zeros of length ``n`` along an axis, with ``x`` added at given places: the transpose of `TakeAlong`.

    x gets take_along_axis(g, places, axis).
    """

    linear, holomorphic = "each", False
    cases = (((3, 2), _PLACES, {"axis": -1, "n": 4}),)

    @staticmethod
    def forward(x: Any, places: Any, *, axis: int, n: int) -> Any:
        shape = list(places.shape)
        shape[axis] = n
        result = np.zeros(shape, x.dtype)
        rows = np.ogrid[tuple(map(slice, places.shape))]
        flat = np.ravel_multi_index((*rows[: len(shape) + axis], places % n, *rows[len(shape) + axis + 1 :]), shape)
        np.add.at(result.reshape(-1), flat.reshape(-1), np.broadcast_to(x, places.shape).reshape(-1))
        return result

    backward = (
        lambda g, _out, _x, places, *, axis, n: TakeAlong.apply(g, places, axis=axis),  # noqa: ARG005
        lambda _g, _out, _x, _places, *, axis, n: None,  # noqa: ARG005
    )


# ---------------------------------------------------------------------------------------------- public


@implements(np.take)
def take(x: Any, indices: Any, /, axis: int | None = None, *, mode: str = "raise") -> Any:
    """Take elements by number along an axis, by default of the flattened array.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    indices : array_like of int
        Of any shape; that shape stands in the result in the place of the axis.
    axis : int, optional
        Where to count.
    mode : {"raise", "wrap", "clip"}
        What becomes of numbers outside the axis.
    """
    x = array(x)
    x, at = one_axis(x, axis)
    found, n = _index_part(indices if np.ndim(indices) else [indices]), x.shape[at]
    found = found % n if mode == "wrap" else np.clip(found, 0, n - 1) if mode == "clip" else found
    result = x[along(at, found)]
    return result if np.ndim(indices) else np.squeeze(result, at)


@implements(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, /, axis: int | None = -1) -> Any:
    """Take elements by number along an axis, each row by its own numbers, as `argsort` gives them."""
    x, places = array(x), array(indices)
    if axis is None:
        x, axis = np.reshape(x, (-1,)), -1
    if x.ndim != places.ndim:
        raise ValueError(f"take_along_axis: x has {x.ndim} axes, the indices {places.ndim}; as many are wanted")
    at = negative_axis(axis, x.ndim)
    shapes = [list(x.shape), list(places.shape)]
    common = list(np.broadcast_shapes(*([*s[:at], 1, *s[at:][1:]] for s in shapes)))
    wide = [(*common[:at], s[at], *common[at:][1:]) for s in shapes]
    x, places = (v if tuple(v.shape) == w else np.broadcast_to(v, w) for v, w in zip((x, places), wide, strict=True))
    return TakeAlong.apply(x, places, axis=at)


@implements(np.put_along_axis)
def put_along_axis(x: Any, /, indices: Any, values: Any, axis: int | None, mode: str = "raise") -> None:
    """Write into ``x`` at places along an axis, each row at its own."""
    del mode
    places = value(indices)
    if axis is None:
        return put(x, places, values)
    at = negative_axis(axis, x.ndim)
    rows = [np.arange(n).reshape(n, *(1,) * (x.ndim - i - 1)) for i, n in enumerate(x.shape)]
    rows[at] = places
    x[tuple(rows)] = values
    return None


@implements(np.put)
def put(x: Any, indices: Any, values: Any, /, mode: str = "raise") -> None:
    """Write into ``x`` at places counted through the flattened array; values are repeated if too few."""
    places, values = value(indices).reshape(-1), np.reshape(array(values), (-1,))
    places = places % x.size if mode != "clip" else np.clip(places, 0, x.size - 1)
    if places.size:
        x[np.unravel_index(places, x.shape)] = values[np.arange(places.size) % values.size]


@implements(np.compress)
def compress(condition: Any, x: Any, /, axis: int | None = None) -> Any:
    """Take along an axis the elements where a one-dimensional condition holds."""
    return take(x, np.flatnonzero(value(condition)), axis)


@implements(np.extract)
def extract(condition: Any, x: Any, /) -> Any:
    """Take the elements where the condition holds, one after the other."""
    return take(x, np.flatnonzero(value(condition)))


@implements(np.nonzero)
def nonzero(x: Any, /) -> Any:
    """Return the indices of the elements that are not zero: a tuple of constants."""
    return _Nonzero.apply(x)


class _Nonzero(Op):
    """Where the elements are not zero."""

    forward = staticmethod(np.nonzero)
