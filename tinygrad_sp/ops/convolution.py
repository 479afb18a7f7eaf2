"""Convolution, in PyTorch's names and order of arguments.

A convolution is the trilinear form T(x, w, g) = sum of g * conv(x, w) with one slot left open.  Three ops are
its three openings: `Conv` gives the g-shaped array, `ConvTranspose` the x-shaped one, `ConvWeight` the
w-shaped one, and the rule of each is the other two.  So the derivatives of any order stay among them.

Each is one product of matrices: the windows of x are laid out as columns by strides (every copied run is a
row of the image), and the only Python loops are over the places within the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..graph import Op
from .arguments import array
from .shape import expand_dims, reshape
from .windows import GRID, LINE, Grid, Ints, documented, grid_of, overlapped, padded, whole_numbers, windows_of

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]


def _blocks(n: int, channels: int, grid: Grid, dtype: Any) -> Iterator[tuple[slice, Any]]:
    """Go through a batch in blocks, with scratch for their columns: (images, channels, *kernel, *out).

    About a megabyte at a time: that stays in the cache, and is not asked of the system again for every block,
    which would cost more than the product itself.
    """
    shape = (channels, *grid.kernel, *grid.out)
    step = min(n, max(1, 2**18 // max(math.prod(shape), 1)))
    scratch = np.empty((step, *shape), dtype)
    for start in range(0, n, max(step, 1)):
        block = slice(start, min(start + step, n))
        yield block, scratch[: block.stop - start]


def _columns(x: Any, grid: Grid, groups: int) -> Iterator[tuple[slice, Any]]:
    """Lay the windows out as columns, block by block: (images, groups, channels / groups * kernel, windows)."""
    n, channels = x.shape[:2]
    windows = windows_of(padded(x, grid), grid)
    rows, places = channels // groups * math.prod(grid.kernel), math.prod(grid.out)
    for block, scratch in _blocks(n, channels, grid, x.dtype):
        scratch[...] = windows[block]
        yield block, scratch.reshape(len(scratch), groups, rows, places)


class Conv(Op):
    """Convolution of x (batch, channels, *size) with w (filters, channels / groups, *kernel).

    x gets g times w, laid back over each window and summed; w gets g times each window of x, summed.
    """

    linear = "each"
    cases = (
        ((2, 2, 5, 4), (4, 1, 2, 3), {"grid": GRID, "groups": 2}),
        ((1, 2, 6), (3, 2, 3), {"grid": LINE, "groups": 1}),
    )

    @staticmethod
    def forward(x: Any, w: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = x.shape[0], w.shape[0]
        rows = w.reshape(groups, filters // groups, math.prod(w.shape[1:]))
        result = np.empty((n, groups, filters // groups, math.prod(grid.out)), np.result_type(x, w))
        for block, columns in _columns(x, grid, groups):
            np.matmul(rows, columns, out=result[block])
        return result.reshape(n, filters, *grid.out)

    backward = (
        lambda g, _out, _x, w, *, grid, groups: ConvTranspose.apply(g, w, grid=grid, groups=groups),
        lambda g, _out, x, _w, *, grid, groups: ConvWeight.apply(x, g, grid=grid, groups=groups),
    )


class ConvTranspose(Op):
    """The transpose of `Conv` in x: from g (batch, filters, *out) to (batch, channels, *size)."""

    linear = "each"
    cases = (
        ((2, 4, *GRID.out), (4, 1, 2, 3), {"grid": GRID, "groups": 2}),
        ((1, 3, *LINE.out), (3, 2, 3), {"grid": LINE, "groups": 1}),
    )

    @staticmethod
    def forward(g: Any, w: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = g.shape[:2]
        rows = np.swapaxes(w.reshape(groups, filters // groups, math.prod(w.shape[1:])), -1, -2)
        g = g.reshape(n, groups, filters // groups, math.prod(grid.out))
        channels, dtype = groups * w.shape[1], np.result_type(g, w)
        result = np.empty((n, channels, *grid.size), dtype)
        for block, scratch in _blocks(n, channels, grid, dtype):
            np.matmul(rows, g[block], out=scratch.reshape(len(scratch), groups, rows.shape[1], g.shape[-1]))
            result[block] = overlapped(scratch, grid)
        return result

    backward = (
        lambda u, _out, _g, w, *, grid, groups: Conv.apply(u, w, grid=grid, groups=groups),
        lambda u, _out, g, _w, *, grid, groups: ConvWeight.apply(u, g, grid=grid, groups=groups),
    )


class ConvWeight(Op):
    """The transpose of `Conv` in w: from x and g to (filters, channels / groups, *kernel)."""

    linear = "each"
    cases = (
        ((2, 2, 5, 4), (2, 4, *GRID.out), {"grid": GRID, "groups": 2}),
        ((1, 2, 6), (1, 3, *LINE.out), {"grid": LINE, "groups": 1}),
    )

    @staticmethod
    def forward(x: Any, g: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = g.shape[:2]
        g = g.reshape(n, groups, filters // groups, math.prod(grid.out))
        total = np.zeros(
            (groups, filters // groups, x.shape[1] // groups * math.prod(grid.kernel)), np.result_type(x, g)
        )
        for block, columns in _columns(x, grid, groups):
            total += np.sum(g[block] @ np.swapaxes(columns, -1, -2), axis=0)
        return total.reshape(filters, x.shape[1] // groups, *grid.kernel)

    backward = (
        lambda v, _out, _x, g, *, grid, groups: ConvTranspose.apply(g, v, grid=grid, groups=groups),
        lambda v, _out, x, _g, *, grid, groups: Conv.apply(x, v, grid=grid, groups=groups),
    )


# ---------------------------------------------------------------------------------------------- public


def _paddings(name: str, padding: Any, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[Ints, Ints]:
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ValueError(f"{name}: padding='same' needs stride=1, not {stride}; give the padding as numbers")
        total = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    both = (0,) * len(kernel) if padding == "valid" else whole_numbers(padding, len(kernel), f"{name}: padding")
    return both, both


def _batched(x: Any, d: int, name: str) -> tuple[Any, bool]:
    """Return x with a batch axis, and whether it had none."""
    x = array(x)
    if x.ndim not in (d + 1, d + 2):
        raise ValueError(f"{name}: input of shape {tuple(x.shape)}; (batch, channels, {d} lengths) is wanted")
    return (expand_dims(x, 0), True) if x.ndim == d + 1 else (x, False)


def _conv(d: int, x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    name = f"conv{d}d"
    (x, single), w = _batched(x, d, name), array(w)
    if w.ndim != d + 2 or x.shape[1] != w.shape[1] * groups or w.shape[0] % groups:
        raise ValueError(
            f"{name}: input {tuple(x.shape)}, weight {tuple(w.shape)}, groups={groups}; a weight is (filters, "
            f"channels / groups, {d} lengths), and groups must divide channels and filters"
        )
    stride, dilation = whole_numbers(stride, d, f"{name}: stride"), whole_numbers(dilation, d, f"{name}: dilation")
    kernel = tuple(w.shape[2:])
    grid = grid_of(tuple(x.shape[2:]), kernel, stride, dilation, _paddings(name, padding, kernel, stride, dilation))
    if min(grid.out) < 1:
        raise ValueError(
            f"{name}: the kernel {kernel} is larger than the input {tuple(x.shape)} with its padding; give more padding"
        )
    return _finish(Conv.apply(x, w, grid=grid, groups=groups), bias, single)


def _finish(y: Any, bias: Any, single: bool) -> Any:
    if bias is not None:
        y = y + reshape(array(bias), (-1,) + (1,) * (y.ndim - 2))
    return y[0] if single else y


def _conv_transpose(
    d: int,
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    name = f"conv_transpose{d}d"
    (x, single), w = _batched(x, d, name), array(w)
    if w.ndim != d + 2 or x.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise ValueError(
            f"{name}: input {tuple(x.shape)}, weight {tuple(w.shape)}, groups={groups}; a weight is (channels, "
            f"filters / groups, {d} lengths), and groups must divide channels"
        )
    stride, dilation, pad = (
        whole_numbers(stride, d, f"{name}: stride"),
        whole_numbers(dilation, d, f"{name}: dilation"),
        whole_numbers(padding, d, f"{name}: padding"),
    )
    extra, kernel = whole_numbers(output_padding, d, f"{name}: output_padding"), tuple(w.shape[2:])
    if any(e >= max(s, k) for e, s, k in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: output_padding={extra} must be smaller than stride or dilation")
    size = tuple(
        (n - 1) * s - 2 * p + r * (k - 1) + e + 1
        for n, s, p, r, k, e in zip(x.shape[2:], stride, pad, dilation, kernel, extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"{name}: nothing is left of input {tuple(x.shape)} with padding {pad}; give less")
    grid = Grid(size, kernel, stride, dilation, (pad, pad), tuple(x.shape[2:]))
    return _finish(ConvTranspose.apply(x, w, grid=grid, groups=groups), bias, single)


_CONV = """Convolve in {d} dimension{s} (as everywhere in learning, the kernel is not reversed).

Parameters
----------
input : Tensor or array_like
    (batch, channels, {lengths}); the batch axis may be missing.
weight : Tensor or array_like
    (filters, channels / groups, {kernel}).
bias : Tensor or array_like, optional
    One number for each filter.
stride : int or sequence of int
    The step from window to window.
padding : int, sequence of int, "valid" or "same"
    How many zeros go round the input.
dilation : int or sequence of int
    The step within a window.
groups : int
    The channels and the filters are split in so many groups, each with its own.

Returns
-------
Tensor or ndarray
    (batch, filters, ...).

Raises
------
ValueError
    If the shapes don't fit.

Examples
--------
>>> import numpy as np, tinygrad_sp as tg
>>> x, w = tg.Tensor(np.ones({x})), tg.Tensor(np.ones({w}))
>>> tg.conv{d}d(x, w, padding=1).shape
{out}
"""
_TRANSPOSED = """Convolve, transposed, in {d} dimension{s}: what carries a cotangent back through `conv{d}d`.

Parameters
----------
input : Tensor or array_like
    (batch, channels, {lengths}); the batch axis may be missing.
weight : Tensor or array_like
    (channels, filters / groups, {kernel}).
bias : Tensor or array_like, optional
    One number for each filter.
stride, padding, dilation : int or sequence of int
    Those of the convolution of which this is the transpose.
output_padding : int or sequence of int
    How much longer the result is, as several lengths convolve to the same.
groups : int
    As in `conv{d}d`.
"""


def _convs(d: int) -> Callable[..., Any]:
    def conv(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        return _conv(d, input, weight, bias, stride, padding, dilation, groups)

    return documented(conv, _CONV, d)


def _conv_transposes(d: int) -> Callable[..., Any]:
    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        return _conv_transpose(d, input, weight, bias, stride, padding, output_padding, groups, dilation)

    return documented(conv_transpose, _TRANSPOSED, d)


conv1d, conv2d, conv3d = map(_convs, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transposes, (1, 2, 3))
