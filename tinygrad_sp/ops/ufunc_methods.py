"""The methods of ufuncs (``np.add.reduce(t)``, ``np.multiply.outer(t, u)`` ...), for every function of two arrays.

Those that have a name of their own (`sum`, `cumsum`, `max` ...) are declared where that is; the others are
composed here of NumPy's function itself, which comes back to ours when it meets a Tensor.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from ..dispatch import implements
from .arguments import array, value
from .axes import negative_axis, reduced_axes
from .indexing import Put, normal_index
from .joining import stack, unstack
from .shape import reshape

__all__: list[str] = []  # reached through NumPy's ufuncs only


@implements("reduce")
def reduce(
    f: np.ufunc, x: Any, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False, initial: Any = None
) -> Any:
    """Apply f between all elements along axes, beginning with the number that f begins with."""
    x = array(x) if dtype is None else array(x).astype(dtype)
    over = reduced_axes(axis, x.ndim)
    rest = [n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True) if a not in over]
    rows = reshape(np.moveaxis(x, over, range(len(over))), (math.prod(x.shape[a] for a in over), *rest))
    if initial is None and f.identity is not None and (np.isfinite(f.identity) or x.dtype.kind not in "biu"):
        initial = np.array(f.identity).astype(x.dtype)[()]
    if len(rows):
        result = functools.reduce(f, unstack(rows) if initial is None else (initial, *unstack(rows)))
    elif initial is not None:
        result = np.full_like(x, initial, shape=rest)
    else:
        raise ValueError(f"{f.__name__}.reduce: nothing along axis {axis} of shape {tuple(x.shape)}; give initial=")
    return reshape(result, [1 if a in over else x.shape[a] for a in range(-x.ndim, 0)]) if keepdims else result


@implements("accumulate")
def accumulate(f: np.ufunc, x: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Apply f between all elements up to each along an axis."""
    x = array(x) if dtype is None else array(x).astype(dtype)
    parts = list(itertools.accumulate(unstack(x, axis=axis), f))
    return stack(parts, axis) if parts else x


@implements("reduceat")
def reduceat(f: np.ufunc, x: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Reduce from each index to the next; where the next is not larger, take the element itself."""
    x = array(x)
    if dtype is None and x.dtype.kind in "biu" and f in (np.add, np.multiply):
        dtype = np.sum(np.empty(0, x.dtype)).dtype  # NumPy sums and multiplies small integers in large ones
    x = x if dtype is None else x.astype(dtype)
    parts, n = unstack(x, axis=axis), x.shape[negative_axis(axis, x.ndim)]
    starts = [int(i) for i in value(indices)]
    pairs = zip(starts, [*starts[1:], n], strict=True)
    return stack([functools.reduce(f, parts[i:j] if i < j else (parts[i],)) for i, j in pairs], axis)


@implements("outer")
def outer(f: np.ufunc, x: Any, y: Any) -> Any:
    """Apply f to every element of x with every element of y."""
    x, y = array(x), array(y)
    return f(reshape(x, (*x.shape, *(1,) * y.ndim)), y)


@implements("at")
def at(f: np.ufunc, x: Any, indices: Any, y: Any = None) -> None:
    """Apply f in place at an index, as often as an element is named."""
    if not hasattr(x, "node"):
        raise TypeError("at: ufunc.at can't write a Tensor into an array: make the array a Tensor first")
    index = normal_index(value(indices) if hasattr(indices, "node") else indices)
    places = np.arange(x.size).reshape(x.shape)[index]
    if f is np.add:
        wide = np.broadcast_to(array(y), places.shape)
        x[...] = x + Put.apply(wide.astype(x.dtype), shape=tuple(x.shape), index=index)
        return
    values = () if y is None else (reshape(np.broadcast_to(array(y), places.shape), (-1,)),)
    flat = places.reshape(-1)
    order = np.argsort(flat, kind="stable")
    _, first, counts = np.unique(flat[order], return_index=True, return_counts=True)
    turn = np.empty(flat.size, int)  # an element that is named k times is written in turns 0 ... k - 1
    turn[order] = np.arange(flat.size) - np.repeat(first, counts)
    for k in range(int(np.max(counts, initial=0))):
        now = np.flatnonzero(turn == k)
        spot = np.unravel_index(flat[now], x.shape)
        x[spot] = f(x[spot], *(v[now] for v in values))
