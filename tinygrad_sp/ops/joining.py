"""Arrays put together and taken apart: the rule of one is the other.

Two ops (concatenate, stack) do the work; taking apart is indexing.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, value
from .axes import along, negative_axis
from .shape import atleast_1d, atleast_2d, atleast_3d, broadcast_to, expand_dims, moveaxis, ravel, reshape

__all__ = [
    "append",
    "apply_along_axis",
    "apply_over_axes",
    "array_split",
    "block",
    "c_",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "r_",
    "split",
    "stack",
    "trim_zeros",
    "unstack",
    "vsplit",
    "vstack",
]


class Concatenate(Op):
    """Arrays one after the other along an axis: each gets its part of g."""

    linear, holomorphic = "joint", False
    cases = (((2, 3), (2, 1), (2, 0), {"axis": -1}), ((1, 2), (3, 2), {"axis": -2}), ((2,), {"axis": -1}))

    @staticmethod
    def forward(*arrays: Any, axis: int) -> Any:
        return np.concatenate(arrays, axis=axis)

    @staticmethod
    def backward(grad: Any, _out: Any, *_arrays: Any, axis: int) -> Any:
        ends = np.cumsum([0, *(a.shape[axis] for a in _arrays)]).tolist()
        return tuple(grad[along(axis, slice(a, b))] for a, b in pairwise(ends))


class Stack(Op):
    """Arrays of one shape side by side along a new axis: each gets its part of g."""

    linear, holomorphic = "joint", False
    cases = (((2, 3), (2, 3), {"axis": -2}), ((), (), (), {"axis": -1}))

    @staticmethod
    def forward(*arrays: Any, axis: int) -> Any:
        return np.stack(arrays, axis=axis)

    @staticmethod
    def backward(grad: Any, _out: Any, *_arrays: Any, axis: int) -> Any:
        return tuple(grad[along(axis, i)] for i in range(len(_arrays)))


# ---------------------------------------------------------------------------------------------- public


@implements(np.concatenate)
def concatenate(
    arrays: Sequence[Any], /, axis: int | None = 0, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Join arrays along an axis that they have; with ``axis=None`` their elements one after the other.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.concatenate([tg.Tensor([1.0]), [2.0, 3.0]])
    Tensor([1., 2., 3.], op=Concatenate)
    """
    items = _cast("concatenate", _listed(arrays), dtype, casting)
    if axis is None:
        items, axis = [ravel(x) for x in items], 0
    shapes = [tuple(x.shape) for x in items]
    if not items or not shapes[0]:
        raise ValueError(f"concatenate: arrays with at least one axis are wanted, not shapes {shapes}; see stack")
    at = negative_axis(axis, len(shapes[0]))
    if len({(len(s), *s[:at], *s[at:][1:]) for s in shapes}) > 1:
        raise ValueError(
            f"concatenate: shapes {shapes} differ elsewhere than along axis {axis}; on the others they must agree"
        )
    return Concatenate.apply(*items, axis=at)


concat = concatenate


@implements(np.stack)
def stack(arrays: Sequence[Any], /, axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays of one shape along a new axis.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> a = tg.Tensor(1.0)
    >>> tg.stack([a, 2 * a])
    Tensor([1., 2.], op=Stack)
    """
    items = _cast("stack", _listed(arrays), dtype, casting)
    shapes = {tuple(x.shape) for x in items}
    if len(shapes) != 1:
        raise ValueError(f"stack: arrays of one shape are wanted, not {sorted(shapes)}; see concatenate")
    return Stack.apply(*items, axis=negative_axis(axis, items[0].ndim + 1))


@implements(np.array_split)
def array_split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut into nearly equal sections, or at the given places along an axis."""
    x = array(x)
    at = negative_axis(axis, x.ndim)
    n = x.shape[at]
    if np.ndim(indices_or_sections):
        cuts = [0, *(int(i) for i in indices_or_sections), n]
    else:
        sections = operator.index(indices_or_sections)
        if sections < 1:
            raise ValueError(f"split: {sections} sections; at least one is wanted")
        cuts = [0, *np.cumsum([n // sections + (i < n % sections) for i in range(sections)]).tolist()]
    return [x[along(at, slice(a, b))] for a, b in pairwise(cuts)]


@implements(np.split)
def split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut into equal sections, or at the given places along an axis."""
    x = array(x)
    if not np.ndim(indices_or_sections) and x.shape[axis] % indices_or_sections:
        raise ValueError(
            f"split: axis {axis} of shape {tuple(x.shape)} has no {indices_or_sections} equal sections; see array_split"
        )
    return array_split(x, indices_or_sections, axis)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the parts along an axis, which they lose."""
    x = array(x)
    at = negative_axis(axis, x.ndim)
    return tuple(x[along(at, i)] for i in range(x.shape[at]))


def _listed(arrays: Any) -> list[Any]:
    return [array(x) for x in arrays]


def _cast(name: str, items: list[Any], dtype: Any, casting: str) -> list[Any]:
    """Return the arrays in the dtype that the result is to have, if one was asked for."""
    if dtype is None:
        return items
    for x in items:
        if not np.can_cast(x.dtype, dtype, casting):  # type: ignore[arg-type]
            raise TypeError(
                f"{name}: an array of dtype {x.dtype} for dtype={np.dtype(dtype)} under casting={casting!r}; "
                "write x.astype(dtype) where that is meant"
            )
    return [x.astype(dtype) for x in items]


@implements(np.vstack)
def vstack(arrays: Sequence[Any], /, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along the first axis; vectors become rows."""
    return concatenate([atleast_2d(x) for x in _listed(arrays)], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(arrays: Sequence[Any], /, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join along the second axis, vectors along their only one."""
    items = [atleast_1d(x) for x in _listed(arrays)]
    return concatenate(items, 0 if items[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(arrays: Sequence[Any], /) -> Any:
    """Join along the third axis."""
    return concatenate([atleast_3d(x) for x in _listed(arrays)], 2)


@implements(np.column_stack)
def column_stack(arrays: Sequence[Any], /) -> Any:
    """Join along the second axis; vectors become columns."""
    return concatenate([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in _listed(arrays)], 1)


@implements(np.hsplit)
def hsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Cut along the second axis, a vector along its only one."""
    return split(x, indices_or_sections, 1 if np.ndim(x) > 1 else 0)


@implements(np.vsplit)
def vsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Cut along the first axis."""
    return split(x, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Cut along the third axis."""
    return split(x, indices_or_sections, 2)


@implements(np.block)
def block(arrays: Any, /) -> Any:
    """Join nested lists of blocks: the innermost along the last axis, their results along the one before."""

    def depth(item: Any) -> int:
        return 1 + max(map(depth, item)) if isinstance(item, list) else 0

    def ndim(item: Any) -> int:
        return max(map(ndim, item)) if isinstance(item, list) else np.ndim(item)

    levels = depth(arrays)
    axes = max(ndim(arrays), levels)

    def joined(item: Any, level: int) -> Any:
        if not isinstance(item, list):
            item = array(item)
            return reshape(item, (1,) * (axes - item.ndim) + tuple(item.shape))
        return concatenate([joined(part, level + 1) for part in item], level - levels)

    return joined(arrays, 0)


@implements(np.append)
def append(x: Any, values: Any, /, axis: int | None = None) -> Any:
    """Join values to the end; without an axis both are flattened."""
    return concatenate([array(x), array(values)], axis)


@implements(np.delete)
def delete(x: Any, obj: Any, /, axis: int | None = None) -> Any:
    """Leave out the elements with these numbers along an axis."""
    x = array(x)
    x, at = (ravel(x), -1) if axis is None else (x, negative_axis(axis, x.ndim))
    return x[along(at, np.delete(np.arange(x.shape[at]), obj))]


@implements(np.insert)
def insert(x: Any, obj: Any, values: Any, /, axis: int | None = None) -> Any:
    """Put values before the elements with these numbers along an axis."""
    x, values = array(x), array(values)
    x, at = (ravel(x), -1) if axis is None else (x, negative_axis(axis, x.ndim))
    n, position = x.shape[at], x.ndim + at
    if np.ndim(obj) == 0 and not isinstance(obj, slice):  # as NumPy: one number takes the values' first axis
        values = moveaxis(values.reshape((1,) * (x.ndim - values.ndim) + values.shape), 0, position)
    count = len(np.insert(np.arange(n), obj, 0)) - n
    wide = list(x.shape)
    wide[position] = max(count, values.shape[at] if values.ndim >= -at else 1)
    order = np.insert(np.arange(n), obj, n + np.arange(wide[position]))
    joined = concatenate([x, broadcast_to(values, wide).astype(x.dtype)], at)
    return joined[along(at, order)]


@implements(np.trim_zeros)
def trim_zeros(x: Any, /, trim: str = "fb", axis: Any = None) -> Any:
    """Leave out zeros at the ends."""
    x = array(x)
    kept = value(x) != 0
    for a in range(x.ndim) if axis is None else np.atleast_1d(axis):
        used = np.flatnonzero(np.any(kept, axis=tuple(i for i in range(x.ndim) if i != a)))
        start = (used[0] if used.size else x.shape[a]) if "f" in trim.lower() else 0
        stop = (used[-1] + 1 if used.size else start) if "b" in trim.lower() else x.shape[a]
        x = x[(slice(None),) * int(a) + (slice(int(start), int(stop)),)]
    return x


@implements(np.apply_along_axis)
def apply_along_axis(function: Any, axis: int, x: Any, /, *args: Any, **options: Any) -> Any:
    """Apply a function to every row along an axis, and put the results together in the rows' places.

    The function is called once for each row: where it can take an axis, call it once with that.
    """
    x = array(x)
    at = negative_axis(axis, x.ndim)
    rows = moveaxis(x, at, -1)
    shape = rows.shape[:-1]
    results = [array(function(rows[i], *args, **options)) for i in np.ndindex(*shape)]
    if not results:
        raise ValueError(
            f"apply_along_axis: there are no rows along axis {axis} of shape {tuple(x.shape)}; at least one is wanted"
        )
    result = reshape(stack(results), (*shape, *results[0].shape))
    new = range(len(shape), result.ndim)
    start = x.ndim + at
    return moveaxis(result, list(new), list(range(start, start + len(new)))) if results[0].ndim else result


@implements(np.apply_over_axes)
def apply_over_axes(function: Any, x: Any, axes: Any, /) -> Any:
    """Apply ``function(x, axis)`` for one axis after the other; axes that get lost stay, with length 1."""
    x = array(x)
    for axis in np.atleast_1d(axes).tolist():
        result = function(x, axis)
        x = result if result.ndim == x.ndim else expand_dims(result, axis)
    return x


class _Joiner:
    """``r_[...]`` and ``c_[...]``: arrays, numbers and slices (as ranges) one after the other."""

    def __init__(self, name: str, columns: bool) -> None:
        self.name, self.columns = name, columns

    def __getitem__(self, items: Any) -> Any:
        parts = [self._part(item) for item in (items if isinstance(items, tuple) else (items,))]
        return concatenate(parts, -1 if self.columns else 0)

    def _part(self, item: Any) -> Any:
        if isinstance(item, str):
            raise NotImplementedError(f"{self.name}[{item!r}, ...]: directives are refused; use concatenate or stack")
        part = atleast_1d(np.r_[item] if isinstance(item, slice) else array(item))
        return reshape(part, (-1, 1)) if self.columns and part.ndim == 1 else part


r_, c_ = _Joiner("r_", False), _Joiner("c_", True)
