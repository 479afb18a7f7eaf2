"""Reading by index, writing by index, choosing by condition: every kind of index that NumPy has.

Transposes come in pairs: the rule of reading is `Put` (add into zeros), the rule of `Put` is reading.
Writing (``t[i] = v``) makes a new value: the rule of the old one is the cotangent with zeros where it was
overwritten, the rule of ``v`` reads what survived; where an index is repeated only the last write does.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op, Traced
from .axes import along, array, negative_axis

__all__ = [
    "clip",
    "nonzero",
    "take",
    "where",
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
        if repeats(index):
            np.add.at(buffer, index, grad)
        else:
            buffer[index] += grad


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
        ((3,), (1,), {"index": (-1,)}),
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
        part = part._value
    if not isinstance(part, (list, np.ndarray)) and hasattr(part, "__index__"):
        return part if isinstance(part, np.bool_) else operator.index(part)
    found = np.array(part, dtype=None if np.size(part) else getattr(part, "dtype", int))
    if found.dtype.kind not in "biu":
        raise IndexError(f"an index of dtype {found.dtype}: integers, booleans, slices, None or ... can index a Tensor")
    return found


def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``."""
    return GetItem.apply(x, index=normal_index(index))


def setitem(x: Any, index: Any, v: Any) -> Any:
    """Return x with v written at the index, as ``x[index] = v`` would."""
    if not isinstance(v, Traced) and np.result_type(v).kind == "c" != x.dtype.kind:
        raise TypeError(f"setitem: a complex value can't be written into a Tensor of dtype {x.dtype}")
    if isinstance(v, Traced) and v.node is not None and x.dtype.kind not in "fc":
        raise TypeError(f"setitem: a Tensor of dtype {x.dtype} can't hold a value that is being differentiated")
    return SetItem.apply(x, v, index=normal_index(index))


class Where(Op):
    """Elements of x where the condition holds, of y elsewhere; nothing flows to what was not taken."""

    linear, masks, holomorphic = "pointwise", True, False
    cases = (((3, 4), (3, 4), (4,)), ((), (3,), ()), ((0, 2), (2,), (1, 2)))
    conditions = 1  # how many leading arrays are conditions and not values

    @staticmethod
    def forward(condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)[()]

    backward = (
        lambda _g, _o, _c, _x, _y: None,
        lambda g, _o, c, _x, _y: np.where(c, g, 0.0),
        lambda g, _o, c, _x, _y: np.where(c, 0.0, g),
    )


@implements(np.where)
def where(condition: Any, /, *values: Any) -> Any:
    """Choose elements of x where the condition holds and of y elsewhere.

    Parameters
    ----------
    condition : Tensor or array_like of bool
        Not differentiated.
    *values : Tensor or array_like
        ``x`` and ``y``; the three shapes broadcast together.  Without them, the indices where the condition
        holds, as ``numpy.where`` gives them.

    Returns
    -------
    Tensor or ndarray
        The chosen elements.  No NaN or infinity leaks from an element that was not chosen, neither into the
        value nor into a derivative of any order.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([0.0, 4.0])
    >>> tg.where(x > 0, tg.sqrt(tg.where(x > 0, x, 1.0)), 0.0).backward([1.0, 1.0])
    >>> x.grad
    Tensor([0.  , 0.25])
    """
    condition = condition._value if isinstance(condition, Traced) and not condition.level else condition
    if not values:
        return np.nonzero(condition)
    x, y = values
    return Where.apply(condition, x, y)


class Clip(Op):
    """x limited to an interval: the cotangent goes to x inside (ends included), outside to the limit it met."""

    linear, masks, holomorphic = "pointwise", True, False
    cases = (((3, 4), (), ()), ((3,), (1,), (2, 1)))

    @staticmethod
    def forward(x: Any, lo: Any, hi: Any) -> Any:
        return np.minimum(np.maximum(x, lo), hi)

    backward = (
        lambda g, _o, x, lo, hi: np.where((x >= lo) & (x <= hi), g, 0.0),
        lambda g, _o, x, lo, hi: np.where((x < lo) & (lo <= hi), g, 0.0),
        lambda g, _o, x, lo, hi: np.where((x > hi) | (lo > hi), g, 0.0),
    )


@implements(np.clip)
def clip(x: Any, /, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Any:
    """Limit x to the interval from min to max; either may be None.

    At x = min and x = max the derivative with respect to x is 1 (PyTorch's convention), and to the limit 0.
    """
    lo, hi = (a_min if min is None else min), (a_max if max is None else max)
    x = array(x)
    if x.dtype.kind in "biu":  # integers have no infinity to stand for "no limit"
        x = x if lo is None else np.maximum(x, lo)
        return x if hi is None else np.minimum(x, hi)
    return Clip.apply(x, -np.inf if lo is None else lo, np.inf if hi is None else hi)


@implements(np.take)
def take(x: Any, indices: Any, /, axis: int | None = None, *, mode: str = "raise") -> Any:
    """Take elements by number along an axis, by default of the flattened array."""
    x = array(x)
    if mode != "raise":
        raise NotImplementedError(f"take: mode={mode!r}; bring the indices into range first")
    found = _index_part(indices if np.ndim(indices) else [indices])
    if axis is None:
        x, axis = np.reshape(x, (-1,)), 0
    result = x[along(negative_axis(axis, x.ndim), found)]
    return result if np.ndim(indices) else np.squeeze(result, axis)


@implements(np.nonzero)
def nonzero(x: Any, /) -> Any:
    """Return the indices of the elements that are not zero: a tuple of arrays."""
    return np.nonzero(x._value if isinstance(x, Traced) else x)
