"""How ops are batched that name their axes or shapes from the front: one small function each.

``rule(size, batched, *arrays, **params)`` applies the op to all examples at once: those arrays for which
``batched`` is true have the batch as their first axis, and so has the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Op
from ..ops import calculus, convolution, indexing, ordering, pooling, products, shape

RULES: dict[Op, Callable[..., Any]] = {}


def batches(*ops: type[Op]) -> Callable[[Any], Any]:
    """Decorate a function: it is how these ops are batched."""

    def note(rule: Any) -> Any:
        for op in ops:
            RULES[op.op] = rule
        return rule

    return note


def spread(size: int, x: Any) -> Any:
    """Repeat what all examples share."""
    return np.broadcast_to(x, (size, *np.shape(x)))


def last(x: Any) -> Any:
    """Bring the first axis to the end."""
    return np.transpose(x, (*range(1, x.ndim), 0))


def first(x: Any) -> Any:
    """Bring the last axis to the front."""
    return np.transpose(x, (x.ndim - 1, *range(x.ndim - 1)))


@batches(shape.Reshape)
def _reshape(size: int, _batched: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    return np.reshape(x, (size, *shape))


@batches(shape.BroadcastTo)
def _broadcast_to(size: int, _batched: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    x = np.reshape(x, (size, *(1,) * (len(shape) + 1 - x.ndim), *x.shape[1:]))
    return np.broadcast_to(x, (size, *shape))


def _full(index: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """Spell an index's ellipsis out."""
    at = [i for i, part in enumerate(index) if part is Ellipsis]
    if not at:
        return index
    used = sum(np.ndim(p) if np.asarray(p).dtype == bool else 1 for p in index if p is not None and p is not Ellipsis)
    return (*index[: at[0]], *(slice(None),) * (ndim - used), *index[at[0] + 1 :])


def _basic(index: tuple[Any, ...]) -> bool:
    """Whether an index is of slices and numbers only: then the batch may stay in front."""
    return all(p is None or isinstance(p, slice) or type(p) is int for p in index)


@batches(indexing.GetItem)
def _getitem(_size: int, _batched: Any, x: Any, *, index: tuple[Any, ...]) -> Any:
    index = _full(index, x.ndim - 1)
    if _basic(index):
        return indexing.GetItem.apply(x, index=(slice(None), *index))
    return first(indexing.GetItem.apply(last(x), index=index))


@batches(indexing.GetMasked)
def _getmasked(_size: int, _batched: Any, x: Any, *, index: tuple[Any, ...]) -> Any:
    return first(indexing.GetMasked.apply(last(x), index=_full(index, x.ndim - 1)))


@batches(indexing.Put)
def _put(size: int, _batched: Any, x: Any, *, shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    index = _full(index, len(shape))
    if _basic(index):
        return indexing.Put.apply(x, shape=(size, *shape), index=(slice(None), *index))
    return first(indexing.Put.apply(last(x), shape=(*shape, size), index=index))


def _own_places(
    size: int, batched: Sequence[bool], at: Sequence[Any], index: tuple[Any, ...], count: bool
) -> tuple[list[Any], tuple[Any, ...]]:
    """Give places that each example has for itself one more axis; with ``count`` name the examples before them.

    Only for an index that begins with all its numbers and arrays: elsewhere NumPy puts the new axes elsewhere.
    """
    kinds = [isinstance(p, (str, np.ndarray)) or type(p) is int for p in index]
    masks = any(p.dtype == bool for p in (*at, *index) if hasattr(p, "dtype"))
    if masks or kinds != sorted(kinds, reverse=True) or any(p is None or p is Ellipsis for p in index):
        raise NotImplementedError
    widths = [a.ndim - b for a, b in zip(at, batched, strict=True)]
    wide = max(widths + [p.ndim for p in index if isinstance(p, np.ndarray)])
    each = zip(at, batched, widths, strict=True)
    at = [np.reshape(a, (size, *(1,) * (wide - w), *a.shape[1:])) if b else a for a, b, w in each]
    return at, (np.arange(size).reshape(size, *(1,) * wide), *index) if count else index


@batches(indexing.Gather)
def _gather(size: int, batched: Sequence[bool], x: Any, *at: Any, index: tuple[Any, ...]) -> Any:
    places, index = _own_places(size, batched[1:], at, index, batched[0])
    return indexing.Gather.apply(x, *places, index=index)


@batches(indexing.Scatter)
def _scatter(
    size: int, batched: Sequence[bool], x: Any, *at: Any, shape: tuple[int, ...], index: tuple[Any, ...]
) -> Any:
    places, index = _own_places(size, batched[1:], at, index, True)
    x = x if batched[0] else spread(size, x)
    return indexing.Scatter.apply(x, *places, shape=(size, *shape), index=index)


@batches(indexing.SetItem)
def _setitem(size: int, batched: Sequence[bool], x: Any, v: Any, *, index: tuple[Any, ...]) -> Any:
    x = x if batched[0] else spread(size, x)
    v = last(v) if batched[1] else np.expand_dims(v, -1)
    return first(indexing.SetItem.apply(last(x), v, index=_full(index, x.ndim - 1)))


@batches(products.MatMul)
def _matmul(size: int, batched: Sequence[bool], x: Any, y: Any) -> Any:
    """One matrix for all examples meets all of them in one product; matrices of their own are a stack."""
    if x.ndim == 3 and y.ndim == 2 and batched[0] and not batched[1]:
        return np.reshape(np.reshape(x, (size * x.shape[1], x.shape[2])) @ y, (size, x.shape[1], y.shape[1]))
    if x.ndim == 2 and y.ndim == 3 and batched[1] and not batched[0]:
        if y.shape[-1] == 1:  # vectors: their rows times the transposed matrix
            return np.expand_dims(np.reshape(y, y.shape[:2]) @ np.swapaxes(x, 0, 1), -1)
        side = np.reshape(np.transpose(y, (1, 0, 2)), (y.shape[1], size * y.shape[2]))
        return np.transpose(np.reshape(x @ side, (x.shape[0], size, y.shape[2])), (1, 0, 2))
    missing = x.ndim - batched[0] - (y.ndim - batched[1])
    if missing < 0 and batched[0]:
        x = np.reshape(x, (size, *(1,) * -missing, *x.shape[1:]))
    if missing > 0 and batched[1]:
        y = np.reshape(y, (size, *(1,) * missing, *y.shape[1:]))
    return products.MatMul.apply(x, y)


@batches(products.Einsum)
def _einsum(_size: int, batched: Sequence[bool], *arrays: Any, terms: tuple[str, ...], result: str) -> Any:
    spare = (c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in "".join((*terms, result)))
    letter = next(spare)
    terms = tuple(letter + term if b else term for term, b in zip(terms, batched, strict=True))
    return products.Einsum.apply(*arrays, terms=terms, result=letter + result)


def _spread_all(op: type[Op]) -> None:
    """Let an op, one array of which says the result's shape, see the batch in all of them."""

    def rule(size: int, batched: Sequence[bool], *arrays: Any, **params: Any) -> Any:
        return op.apply(*(x if b else spread(size, x) for x, b in zip(arrays, batched, strict=True)), **params)

    RULES[op.op] = rule


for _op in (
    indexing.TakeAlong,
    indexing.PutAlong,
    ordering.Shared,
    pooling.ToLargest,
    pooling.OfLargest,
):
    _spread_all(_op)


# ---------------------------------------------------------------------------------------------- convolution


def _merged(x: Any, axis: int) -> Any:
    """Merge the batch with an axis of the examples, into which it is moved as the slower one."""
    x = np.moveaxis(x, 0, axis)
    return np.reshape(x, (*x.shape[:axis], -1, *x.shape[axis + 2 :]))


def _parted(x: Any, size: int, axis: int) -> Any:
    """Undo `_merged`."""
    return np.moveaxis(np.reshape(x, (*x.shape[:axis], size, -1, *x.shape[axis + 1 :])), axis, 0)


def _convolved(op: type[Op]) -> Callable[..., Any]:
    def rule(size: int, batched: Sequence[bool], x: Any, w: Any, *, grid: Any, groups: int) -> Any:
        """Examples with one kernel are a larger batch; examples with a kernel each are groups of channels."""
        if not batched[1]:
            return _parted(op.apply(_merged(x, 0), w, grid=grid, groups=groups), size, 0)
        x = x if batched[0] else spread(size, x)
        return _parted(op.apply(_merged(x, 1), _merged(w, 0), grid=grid, groups=size * groups), size, 1)

    return rule


RULES[convolution.Conv.op] = _convolved(convolution.Conv)
RULES[convolution.ConvTranspose.op] = _convolved(convolution.ConvTranspose)


@batches(convolution.ConvWeight)
def _conv_weight(size: int, batched: Sequence[bool], x: Any, g: Any, *, grid: Any, groups: int) -> Any:
    x, g = (_merged(a if b else spread(size, a), 1) for a, b in zip((x, g), batched, strict=True))
    return _parted(convolution.ConvWeight.apply(x, g, grid=grid, groups=size * groups), size, 0)


@batches(calculus.Convolve)
def _convolve(*_args: Any, **_params: Any) -> Any:
    raise NotImplementedError
