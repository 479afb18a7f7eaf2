"""Functions that rearrange: each is linear, and its rule is the rearrangement back.

Few ops do the work (reshape, transpose, broadcast ...); the rest of NumPy's names are ways to call them.
Broadcasting needs no rule of its own: the engine sums a cotangent to its primal's shape.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array
from .axes import Axis, along, negative_axes, negative_axis, one_axis, reduced_axes

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "permute_dims",
    "ravel",
    "repeat",
    "reshape",
    "resize",
    "roll",
    "rollaxis",
    "rot90",
    "squeeze",
    "swapaxes",
    "tile",
    "transpose",
]


class Reshape(Op):
    """The same elements in the same order, in another shape."""

    linear, holomorphic = "joint", False
    cases = (((3, 4), {"shape": (2, 6)}), ((0, 3), {"shape": (3, 0, 1)}), ((), {"shape": (1, 1)}))

    @staticmethod
    def forward(x: Any, *, shape: tuple[int, ...]) -> Any:
        return np.reshape(x, shape)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, shape: tuple[int, ...]) -> Any:  # noqa: ARG004
        return np.reshape(grad, _x.shape)


class Transpose(Op):
    """The axes in another order."""

    linear, holomorphic = "joint", False
    cases = (((2, 3, 4), {"axes": (-1, -3, -2)}), ((2, 3), {"axes": (-1, -2)}), ((0, 3), {"axes": (-1, -2)}))

    @staticmethod
    def forward(x: Any, *, axes: tuple[int, ...]) -> Any:
        return np.transpose(x, (*range(np.ndim(x) - len(axes)), *axes))

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, axes: tuple[int, ...]) -> Any:
        return Transpose.apply(grad, axes=_inverse(axes))


class BroadcastTo(Op):
    """The array repeated to a larger shape; the engine's sum is its whole rule."""

    linear, holomorphic = "joint", False
    cases = (((3, 1), {"shape": (2, 3, 4)}), ((), {"shape": (2,)}), ((1, 3), {"shape": (0, 3)}))

    @staticmethod
    def forward(x: Any, *, shape: tuple[int, ...]) -> Any:
        return np.broadcast_to(x, shape)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, shape: tuple[int, ...]) -> Any:  # noqa: ARG004
        return grad


class Flip(Op):
    """The elements in reverse order along axes."""

    linear, holomorphic = "joint", False
    cases = (((2, 3), {"axis": (-1,)}), ((2, 3, 2), {"axis": (-3, -1)}))

    @staticmethod
    def forward(x: Any, *, axis: tuple[int, ...]) -> Any:
        return np.flip(x, axis)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, axis: tuple[int, ...]) -> Any:
        return Flip.apply(grad, axis=axis)


class Roll(Op):
    """The elements moved round along axes."""

    linear, holomorphic = "joint", False
    cases = (((2, 3), {"shift": (1,), "axis": (-1,)}), ((2, 3), {"shift": (1, -4), "axis": (-2, -1)}))

    @staticmethod
    def forward(x: Any, *, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        return np.roll(x, shift, axis)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        return Roll.apply(grad, shift=tuple(-s for s in shift), axis=axis)


class Pad(Op):
    """The array with a border of one value: x gets g without the border."""

    linear, holomorphic = None, False
    cases = (((2, 3), {"widths": ((1, 0), (2, 3)), "value": 0.5}), ((0,), {"widths": ((1, 1),), "value": 0.0}))

    @staticmethod
    def forward(x: Any, *, widths: tuple[tuple[int, int], ...], value: Any) -> Any:
        return np.pad(x, ((0, 0),) * (np.ndim(x) - len(widths)) + widths, constant_values=value)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, widths: tuple[tuple[int, int], ...], value: Any) -> Any:  # noqa: ARG004
        inner = tuple(slice(a, a + n) for (a, _), n in zip(widths, _x.shape[_x.ndim - len(widths) :], strict=True))
        return grad[(Ellipsis, *inner)]


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes one, both counted from the end."""
    n = len(axes)
    back = [0] * n
    for i, a in enumerate(axes):
        back[a] = i - n
    return tuple(back)


# ---------------------------------------------------------------------------------------------- public


@implements(np.reshape)
def reshape(x: Any, /, shape: int | Sequence[int], order: str = "C", *, copy: bool | None = None) -> Any:
    """Return the same elements in another shape; one length may be -1.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    shape : int or sequence of int
        The new shape.
    order : {"C", "F"}
        Which index runs fastest: the last, or the first.
    copy : bool, optional
        Accepted for the array API standard; results are values, so it makes no difference.

    Returns
    -------
    Tensor or ndarray
        Of shape ``shape``.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1))
    Tensor([[1., 2.],
            [3., 4.]], op=Reshape)
    >>> tg.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1), order="F")
    Tensor([[1., 3.],
            [2., 4.]], op=Transpose)
    """
    x, new = array(x), _lengths(shape)
    if order == "F":
        return transpose(reshape(transpose(x), new[::-1]))
    if order != "C":
        raise ValueError(f"reshape: order={order!r}; a Tensor has no layout in memory: write 'C' or 'F'")
    del copy
    if new.count(-1) == 1:
        rest = -math.prod(new)
        new[new.index(-1)] = x.size // rest if rest else 0
    if math.prod(new) != x.size or min(new, default=0) < 0:
        raise ValueError(
            f"reshape: cannot reshape {tuple(x.shape)}, {x.size} elements, into {shape}; as many are wanted"
        )
    return Reshape.apply(x, shape=tuple(new))


def _lengths(shape: Any) -> list[int]:
    return [operator.index(n) for n in shape] if np.iterable(shape) else [operator.index(shape)]


@implements(np.transpose, np.permute_dims)
def transpose(x: Any, /, axes: Sequence[int] | None = None) -> Any:
    """Return the axes in another order, by default reversed.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.transpose(tg.Tensor([[1.0, 2.0, 3.0]])).shape
    (3, 1)
    """
    x = array(x)
    order = tuple(range(-1, -x.ndim - 1, -1)) if axes is None else tuple(negative_axis(a, x.ndim) for a in axes)
    if sorted(order) != list(range(-x.ndim, 0)):
        raise ValueError(f"transpose: axes {axes} for shape {tuple(x.shape)}; each of its {x.ndim} axes is wanted once")
    return Transpose.apply(x, axes=order)


permute_dims = transpose


@implements(np.moveaxis)
def moveaxis(x: Any, /, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to new places; the others keep their order.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.moveaxis(tg.Tensor([[1.0, 2.0, 3.0]]), 0, -1).shape
    (3, 1)
    """
    x = array(x)
    src = [negative_axis(int(a), x.ndim) for a in np.atleast_1d(source)]
    dst = [negative_axis(int(a), x.ndim) for a in np.atleast_1d(destination)]
    if len(src) != len(dst) or len(set(src)) < len(src) or len(set(dst)) < len(dst):
        raise ValueError(f"moveaxis: source {source} and destination {destination} must name as many different axes")
    order = [a for a in range(-x.ndim, 0) if a not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d + x.ndim, s)
    return Transpose.apply(x, axes=tuple(order))


@implements(np.swapaxes)
def swapaxes(x: Any, /, axis1: int, axis2: int) -> Any:
    """Exchange two axes."""
    x = array(x)
    order = list(range(-x.ndim, 0))
    a, b = negative_axis(axis1, x.ndim), negative_axis(axis2, x.ndim)
    order[a], order[b] = order[b], order[a]
    return Transpose.apply(x, axes=tuple(order))


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Exchange the last two axes."""
    if np.ndim(x) < 2:
        raise ValueError(f"matrix_transpose: shape {np.shape(x)}; at least two axes are wanted")
    return swapaxes(x, -1, -2)


@implements(np.expand_dims)
def expand_dims(x: Any, /, axis: int | Sequence[int] = 0) -> Any:
    """Insert axes of length 1 where the result shall have them."""
    x = array(x)
    count = np.size(axis)
    new = negative_axes(axis, x.ndim + count)
    old = iter(x.shape)
    return Reshape.apply(x, shape=tuple(1 if a in new else next(old) for a in range(-x.ndim - count, 0)))


@implements(np.squeeze)
def squeeze(x: Any, /, axis: Axis = None) -> Any:
    """Remove axes of length 1: all of them, or those named."""
    x = array(x)
    gone = reduced_axes(axis, x.ndim)
    if axis is not None and any(x.shape[a] != 1 for a in gone):
        raise ValueError(
            f"squeeze: axis {axis} of shape {tuple(x.shape)} is longer than 1; index it, x[0], or see reshape"
        )
    shape = tuple(n for a, n in zip(range(-x.ndim, 0), x.shape, strict=True) if not (n == 1 and a in gone))
    return Reshape.apply(x, shape=shape)


@implements(np.ravel)
def ravel(x: Any, /, order: str = "C") -> Any:
    """Return all elements along one axis."""
    x = array(x)
    return reshape(x, (-1,) if x.size else (0,), order)


@implements(np.broadcast_to)
def broadcast_to(x: Any, /, shape: int | Sequence[int]) -> Any:
    """Repeat an array to a larger shape, by NumPy's broadcasting rules."""
    new = tuple(_lengths(shape))
    if np.broadcast_shapes(np.shape(x), new) != new:
        raise ValueError(
            f"broadcast_to: shape {np.shape(x)} does not broadcast to {new}; "
            "counted from the last, its axes must be equal or 1"
        )
    return BroadcastTo.apply(array(x), shape=new)


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]:
    """Repeat arrays to their common shape."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


@implements(np.flip)
def flip(x: Any, /, axis: Axis = None) -> Any:
    """Reverse the elements along axes, by default all."""
    x = array(x)
    return Flip.apply(x, axis=negative_axes(axis, x.ndim))


@implements(np.roll)
def roll(x: Any, /, shift: Any, axis: Axis = None) -> Any:
    """Move elements round along axes; with ``axis=None`` round the flattened array."""
    x = array(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    at = tuple(negative_axis(int(a), x.ndim) for a in np.atleast_1d(axes))
    return Roll.apply(x, shift=tuple(int(s) for s in np.atleast_1d(shifts)), axis=at)


@implements(np.repeat)
def repeat(x: Any, /, repeats: Any, axis: int | None = None) -> Any:
    """Repeat each element, so often or as often as an array says."""
    x = array(x)
    x, at = one_axis(x, axis)
    if np.ndim(repeats) == 0:
        n, before, after = int(repeats), x.shape[: x.ndim + at], x.shape[x.ndim + at + 1 :]
        wide = broadcast_to(reshape(x, (*before, x.shape[at], 1, *after)), (*before, x.shape[at], n, *after))
        return reshape(wide, (*before, x.shape[at] * n, *after))
    counts = np.asarray(repeats)
    if counts.shape not in ((1,), (x.shape[at],)):
        raise ValueError(f"repeat: {counts.size} counts for {x.shape[at]} elements; one for each, or one, is wanted")
    return x[along(at, np.repeat(np.arange(x.shape[at]), counts))]


@implements(np.tile)
def tile(x: Any, /, reps: Any) -> Any:
    """Repeat the whole array along each axis."""
    x = array(x)
    times = [int(r) for r in (reps if np.ndim(reps) else (reps,))]
    ndim = max(len(times), x.ndim)
    times = [1] * (ndim - len(times)) + times
    shape = [1] * (ndim - x.ndim) + list(x.shape)
    pairs = reshape(x, [n for s in shape for n in (1, s)])
    wide = broadcast_to(pairs, [n for r, s in zip(times, shape, strict=True) for n in (r, s)])
    return reshape(wide, [r * s for r, s in zip(times, shape, strict=True)])


# ---------------------------------------------------------------------------------------------- by other names


@implements(np.rollaxis)
def rollaxis(x: Any, /, axis: int, start: int = 0) -> Any:
    """Move an axis back until it stands before axis ``start``."""
    x = array(x)
    at, before = negative_axis(axis, x.ndim) + x.ndim, start + x.ndim if start < 0 else start
    return moveaxis(x, at, before - 1 if at < before else before)


@implements(np.fliplr)
def fliplr(x: Any, /) -> Any:
    """Reverse the second axis."""
    return flip(x, 1)


@implements(np.flipud)
def flipud(x: Any, /) -> Any:
    """Reverse the first axis."""
    return flip(x, 0)


@implements(np.rot90)
def rot90(x: Any, /, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Turn by k right angles in the plane of two axes, from the first towards the second."""
    x = array(x)
    first, second = (negative_axis(a, x.ndim) for a in axes)
    if first == second:
        raise ValueError(f"rot90: axes {tuple(axes)}; two different ones are wanted")
    x = flip(x, (first, second)) if k % 4 == 2 else flip(x, second) if k % 4 == 1 else x
    x = swapaxes(x, first, second) if k % 2 else x
    return flip(x, second) if k % 4 == 3 else x


@implements(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    """Give arrays one axis if they have none."""
    return _each(lambda x: x if x.ndim else reshape(x, (1,)), arrays)


@implements(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    """Give arrays two axes if they have fewer, new ones before the old."""
    return _each(lambda x: x if x.ndim > 1 else reshape(x, (1, x.size)), arrays)


@implements(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    """Give arrays three axes if they have fewer."""
    return _each(lambda x: x if x.ndim > 2 else reshape(x, (*x.shape, 1) if x.ndim == 2 else (1, x.size, 1)), arrays)


def _each(function: Any, arrays: Sequence[Any]) -> Any:
    results = tuple(function(array(x)) for x in arrays)
    return results[0] if len(results) == 1 else results


@implements(np.resize)
def resize(x: Any, /, new_shape: int | Sequence[int]) -> Any:
    """Return the elements in a new shape, from the beginning again when they run out."""
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    x = ravel(array(x))
    if not x.size:
        return np.zeros_like(x, shape=shape)
    return reshape(x[np.arange(math.prod(shape)) % x.size], shape)


@implements(np.meshgrid)
def meshgrid(*arrays: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Return coordinate matrices from coordinate vectors.

    Parameters
    ----------
    *arrays : Tensor or array_like
        One-dimensional, one for each axis of the grid.
    copy : bool
        Accepted for NumPy's sake.
    sparse : bool
        Leave axes that are only repeated at length 1.
    indexing : {"xy", "ij"}
        Whether the first vector runs along the second axis or along the first.
    """
    del copy
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing={indexing!r}; 'xy' or 'ij' is wanted")
    n = len(arrays)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grid = [reshape(x, [-1 if order[i] == a else 1 for a in range(n)]) for i, x in enumerate(map(array, arrays))]
    return tuple(grid) if sparse else broadcast_arrays(*grid)
