"""Convolution and pooling, in PyTorch's names and order of arguments.

A convolution is the trilinear form T(x, w, g) = sum of g * conv(x, w) with one slot left open.  Three ops are
its three openings: `Conv` gives the g-shaped array, `ConvTranspose` the x-shaped one, `ConvWeight` the
w-shaped one, and the rule of each is the other two.  So the derivatives of any order stay among them.

Each is one product of matrices: the windows of x are laid out as columns by strides (every copied run is a
row of the image), and the only Python loops are over the places within the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .axes import array
from .shape import expand_dims, reshape

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "sliding_window_view",
]

Ints = tuple[int, ...]


class Grid(NamedTuple):
    """Where windows lie on the last axes of an array: how long they are, and the steps between and within them."""

    size: Ints  # of x along those axes
    kernel: Ints
    stride: Ints
    dilation: Ints
    padding: tuple[Ints, Ints]  # before and after
    out: Ints  # how many windows

    @property
    def padded(self) -> Ints:
        """The lengths with the border."""
        return tuple(n + a + b for n, a, b in zip(self.size, *self.padding, strict=True))

    def slices(self) -> Any:
        """For every place within the window: where it is in the padded array, over all windows."""
        for at in product(*map(range, self.kernel)):
            yield (
                at,
                tuple(
                    slice(i * d, i * d + (o - 1) * s + 1, s)
                    for i, d, s, o in zip(at, self.dilation, self.stride, self.out, strict=True)
                ),
            )


def _grid(size: Ints, kernel: Ints, stride: Ints, dilation: Ints, padding: tuple[Ints, Ints]) -> Grid:
    """Return the grid with as many windows as there is room for."""
    padded = (n + a + b for n, a, b in zip(size, *padding, strict=True))
    rooms = zip(padded, kernel, stride, dilation, strict=True)
    return Grid(size, kernel, stride, dilation, padding, tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in rooms))


def _inner(grid: Grid) -> Any:
    """Return the index of what lies within the border."""
    return (..., *(slice(a, a + n) for a, n in zip(grid.padding[0], grid.size, strict=True)))


def _padded(x: Any, grid: Grid, value: float = 0.0) -> Any:
    """Return x with its border."""
    before, after = grid.padding
    if not any(before) and not any(after):
        return x
    result = np.full((*x.shape[: -len(before)], *grid.padded), value, x.dtype)
    result[_inner(grid)] = x
    return result


def _windows(x: Any, grid: Grid) -> Any:
    """Return a view of the padded array: (..., *kernel, *out)."""
    steps = x.strides[-len(grid.size) :]
    within = tuple(d * s for d, s in zip(grid.dilation, steps, strict=True))
    between = tuple(n * s for n, s in zip(grid.stride, steps, strict=True))
    lead = x.ndim - len(grid.size)
    shape = (*x.shape[:lead], *grid.kernel, *grid.out)
    return np.lib.stride_tricks.as_strided(x, shape, (*x.strides[:lead], *within, *between), writeable=False)


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
    windows = _windows(_padded(x, grid), grid)
    rows, places = channels // groups * math.prod(grid.kernel), math.prod(grid.out)
    for block, scratch in _blocks(n, channels, grid, x.dtype):
        scratch[...] = windows[block]
        yield block, scratch.reshape(len(scratch), groups, rows, places)


def _overlapped(columns: Any, grid: Grid) -> Any:
    """Add windows (..., *kernel, *out) up where they overlap, and take the border off: the transpose of windows."""
    lead = columns.shape[: columns.ndim - 2 * len(grid.size)]
    result = np.zeros((*lead, *grid.padded), columns.dtype)
    here = (slice(None),) * len(lead)
    for at, places in grid.slices():
        result[(*here, *places)] += columns[(*here, *at)]
    return result[_inner(grid)]


_GRID = _grid((5, 4), (2, 3), (2, 1), (1, 1), ((1, 0), (1, 2)))
_LINE = _grid((6,), (3,), (1,), (2,), ((0,), (1,)))


class Conv(Op):
    """Convolution of x (batch, channels, *size) with w (filters, channels / groups, *kernel)."""

    linear = "each"
    cases = (
        ((2, 2, 5, 4), (4, 1, 2, 3), {"grid": _GRID, "groups": 2}),
        ((1, 2, 6), (3, 2, 3), {"grid": _LINE, "groups": 1}),
    )

    @staticmethod
    def forward(x: Any, w: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = x.shape[0], w.shape[0]
        rows = w.reshape(groups, filters // groups, -1)
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
        ((2, 4, *_GRID.out), (4, 1, 2, 3), {"grid": _GRID, "groups": 2}),
        ((1, 3, *_LINE.out), (3, 2, 3), {"grid": _LINE, "groups": 1}),
    )

    @staticmethod
    def forward(g: Any, w: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = g.shape[:2]
        rows = np.swapaxes(w.reshape(groups, filters // groups, -1), -1, -2)
        g = g.reshape(n, groups, filters // groups, -1)
        channels, dtype = groups * w.shape[1], np.result_type(g, w)
        result = np.empty((n, channels, *grid.size), dtype)
        for block, scratch in _blocks(n, channels, grid, dtype):
            np.matmul(rows, g[block], out=scratch.reshape(len(scratch), groups, rows.shape[1], -1))
            result[block] = _overlapped(scratch, grid)
        return result

    backward = (
        lambda u, _out, _g, w, *, grid, groups: Conv.apply(u, w, grid=grid, groups=groups),
        lambda u, _out, g, _w, *, grid, groups: ConvWeight.apply(u, g, grid=grid, groups=groups),
    )


class ConvWeight(Op):
    """The transpose of `Conv` in w: from x and g to (filters, channels / groups, *kernel)."""

    linear = "each"
    cases = (
        ((2, 2, 5, 4), (2, 4, *_GRID.out), {"grid": _GRID, "groups": 2}),
        ((1, 2, 6), (1, 3, *_LINE.out), {"grid": _LINE, "groups": 1}),
    )

    @staticmethod
    def forward(x: Any, g: Any, *, grid: Grid, groups: int) -> Any:
        n, filters = g.shape[:2]
        g = g.reshape(n, groups, filters // groups, -1)
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


class Windows(Op):
    """All windows over the last axes: (..., *kernel, *out)."""

    linear, holomorphic = "joint", False
    cases = (((2, 5, 4), {"grid": _GRID}), ((6,), {"grid": _LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        return _windows(_padded(x, grid), grid)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, grid: Grid) -> Any:
        return Overlap.apply(grad, grid=grid)


class Overlap(Op):
    """Windows added up where they overlap: the transpose of `Windows`."""

    linear, holomorphic = "joint", False
    cases = (((2, *_GRID.kernel, *_GRID.out), {"grid": _GRID}),)

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        return _overlapped(x, grid)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, grid: Grid) -> Any:
        return Windows.apply(grad, grid=grid)


class MaxPool(Op):
    """The largest element of each window; equal ones share the cotangent equally."""

    cases = (((2, 5, 4), {"grid": _GRID}), ((6,), {"grid": _LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        x, result = _padded(x, grid, -np.inf), None
        for _, places in grid.slices():
            part = x[(..., *places)]
            result = part if result is None else np.maximum(result, part)
        return np.array(result)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, grid: Grid) -> Any:
        return ToLargest.apply(grad, x, out, grid=grid)


def _largest(x: Any, out: Any, grid: Grid) -> tuple[list[tuple[Any, Any]], Any]:
    """For every place within the windows, where that is and whether it holds the largest; and how many do."""
    x, count, chosen = _padded(x, grid, -np.inf), 0, []
    for _, places in grid.slices():
        part = x[(..., *places)]
        chosen.append((places, (part == out) | (part != part)))  # NaN is the largest where there is one
        count = count + chosen[-1][1].astype(np.int32)
    return chosen, np.maximum(count, 1)


_X = np.arange(20.0).reshape(5, 4) % 7
_TOPS = MaxPool.apply(_X, grid=_GRID)


class ToLargest(Op):
    """Cotangents of windows, handed to their largest elements: the transpose of `OfLargest`."""

    holomorphic = False
    cases = ((_GRID.out, _X, _TOPS, {"grid": _GRID}),)

    @staticmethod
    def forward(grad: Any, x: Any, out: Any, *, grid: Grid) -> Any:
        chosen, count = _largest(x, out, grid)
        share = grad / count.astype(grad.dtype)
        result = np.zeros((*x.shape[: x.ndim - len(grid.size)], *grid.padded), grad.dtype)
        for places, taken in chosen:
            result[(..., *places)] += np.where(taken, share, 0)
        return result[_inner(grid)]

    backward = (
        lambda u, _out, _grad, x, out, *, grid: OfLargest.apply(u, x, out, grid=grid),
        lambda _u, _out, _grad, _x, _tops, *, grid: None,  # noqa: ARG005
        lambda _u, _out, _grad, _x, _tops, *, grid: None,  # noqa: ARG005
    )


class OfLargest(Op):
    """The mean, in each window, over the places where ``x`` is largest."""

    holomorphic = False
    cases = (((5, 4), _X, _TOPS, {"grid": _GRID}),)

    @staticmethod
    def forward(u: Any, x: Any, out: Any, *, grid: Grid) -> Any:
        chosen, count = _largest(x, out, grid)
        u, total = _padded(u, grid), np.zeros((), u.dtype)
        for places, taken in chosen:
            total = total + np.where(taken, u[(..., *places)], 0)
        return total / count.astype(u.dtype)

    backward = (
        lambda g, _out, _u, x, out, *, grid: ToLargest.apply(g, x, out, grid=grid),
        lambda _g, _out, _u, _x, _tops, *, grid: None,  # noqa: ARG005
        lambda _g, _out, _u, _x, _tops, *, grid: None,  # noqa: ARG005
    )


class SumPool(Op):
    """The sum of each window."""

    linear, holomorphic = "joint", False
    cases = (((2, 5, 4), {"grid": _GRID}), ((6,), {"grid": _LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        x = _padded(x, grid)
        result = np.zeros((*x.shape[: x.ndim - len(grid.size)], *grid.out), x.dtype)
        for _, places in grid.slices():
            result += x[(..., *places)]
        return result

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, grid: Grid) -> Any:
        d = len(grid.size)
        shape = (*_over(grad, grid).shape[: -2 * d], *grid.kernel, *grid.out)
        return Overlap.apply(np.broadcast_to(_over(grad, grid), shape), grid=grid)


def _kernel_axes(grid: Grid) -> Ints:
    return tuple(range(-2 * len(grid.size), -len(grid.size)))


def _over(x: Any, grid: Grid) -> Any:
    """Give the array of windows axes of length 1 where the windows have their own."""
    return expand_dims(x, _kernel_axes(grid))


# ---------------------------------------------------------------------------------------------- public


def _ints(value: Any, d: int, name: str) -> Ints:
    """Return one number for each of d axes."""
    given = (value,) * d if np.ndim(value) == 0 else tuple(value)
    if len(given) != d or any(int(v) != v for v in given):
        raise ValueError(f"{name}={value!r}: one whole number, or {d} of them, are wanted")
    return tuple(map(int, given))


def _paddings(padding: Any, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[Ints, Ints]:
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ValueError("padding='same' needs stride=1")
        total = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    both = (0,) * len(kernel) if padding == "valid" else _ints(padding, len(kernel), "padding")
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
            f"channels / groups, {d} lengths), and groups divide channels and filters"
        )
    stride, dilation = _ints(stride, d, "stride"), _ints(dilation, d, "dilation")
    kernel = tuple(w.shape[2:])
    grid = _grid(tuple(x.shape[2:]), kernel, stride, dilation, _paddings(padding, kernel, stride, dilation))
    if min(grid.out) < 1:
        raise ValueError(f"{name}: the kernel {kernel} is larger than the input {tuple(x.shape)} with its padding")
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
            f"filters / groups, {d} lengths), and groups divide channels"
        )
    stride, dilation, pad = _ints(stride, d, "stride"), _ints(dilation, d, "dilation"), _ints(padding, d, "padding")
    extra, kernel = _ints(output_padding, d, "output_padding"), tuple(w.shape[2:])
    if any(e >= max(s, k) for e, s, k in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: output_padding={extra} must be smaller than stride or dilation")
    size = tuple(
        (n - 1) * s - 2 * p + r * (k - 1) + e + 1
        for n, s, p, r, k, e in zip(x.shape[2:], stride, pad, dilation, kernel, extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"{name}: nothing is left of input {tuple(x.shape)} with padding {pad}")
    grid = Grid(size, kernel, stride, dilation, (pad, pad), tuple(x.shape[2:]))
    return _finish(ConvTranspose.apply(x, w, grid=grid, groups=groups), bias, single)


def _pool_grid(
    d: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, name: str
) -> Grid:
    """Return the grid of a pooling, with more border behind where ``ceil_mode`` lets windows go beyond the end."""
    x = array(x)
    if x.ndim < d:
        raise ValueError(f"{name}: input of shape {tuple(x.shape)}; {d} lengths at the end are wanted")
    kernel, pad = _ints(kernel_size, d, "kernel_size"), _ints(padding, d, "padding")
    step = kernel if stride is None else _ints(stride, d, "stride")
    grid = _grid(tuple(x.shape[x.ndim - d :]), kernel, step, _ints(dilation, d, "dilation"), (pad, pad))
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise ValueError(f"{name}: padding {pad} is more than half of the kernel {kernel}")
    if ceil_mode:
        after = map(_ceiled, grid.padded, grid.size, pad, kernel, step, grid.dilation)
        grid = _grid(grid.size, kernel, step, grid.dilation, (pad, tuple(after)))
    if min(grid.out) < 1:
        raise ValueError(f"{name}: the kernel {kernel} is larger than the input {tuple(x.shape)} with its padding")
    return grid


def _ceiled(padded: int, size: int, pad: int, kernel: int, step: int, dilation: int) -> int:
    """Return the border behind with which the last window begins inside the input or the border before it."""
    windows = -(-(padded - dilation * (kernel - 1) - 1) // step) + 1
    windows -= (windows - 1) * step >= size + pad
    return max(pad, (windows - 1) * step + dilation * (kernel - 1) + 1 - size - pad)


def _avg_pool(
    d: int, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Any:
    grid = _pool_grid(d, x, kernel_size, stride, padding, 1, ceil_mode, f"avg_pool{d}d")
    total = SumPool.apply(x, grid=grid)
    if count_include_pad:  # the border counts as input, but not what ceil_mode added
        before, after = grid.padding
        size = tuple(n + 2 * p for n, p in zip(grid.size, before, strict=True))
        grid = grid._replace(size=size, padding=((0,) * d, tuple(b - a for a, b in zip(before, after, strict=True))))
    return total / SumPool.forward(np.ones(grid.size), grid=grid).astype(total.dtype)


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
_MAX = """Return the largest element of each window in {d} dimension{s}; equal ones share the derivative equally.

Parameters
----------
input : Tensor or array_like
    (..., {lengths}).
kernel_size : int or sequence of int
    The lengths of a window.
stride : int or sequence of int, optional
    The step from window to window, by default the window's length.
padding : int or sequence of int
    How much of a border, which never is the largest, goes round the input.
dilation : int or sequence of int
    The step within a window.
ceil_mode : bool
    Let the last window go beyond the end.
"""
_AVG = """Return the mean of each window in {d} dimension{s}.

Parameters
----------
input : Tensor or array_like
    (..., {lengths}).
kernel_size : int or sequence of int
    The lengths of a window.
stride : int or sequence of int, optional
    The step from window to window, by default the window's length.
padding : int or sequence of int
    How many zeros go round the input.
ceil_mode : bool
    Let the last window go beyond the end.
count_include_pad : bool
    Whether the zeros of the border count.
"""


def _documented(function: Callable[..., Any], text: str, d: int) -> Callable[..., Any]:
    """Give a function its name and docstring for one number of dimensions."""
    function.__name__ = function.__qualname__ = f"{function.__name__}{d}d"
    function.__doc__ = text.format(
        d=d,
        s="s" * (d > 1),
        lengths=", ".join(["depth", "height", "width"][3 - d :]) if d > 1 else "length",
        kernel=", ".join(["kD", "kH", "kW"][3 - d :]),
        x=(1, 2, *(4,) * d),
        w=(3, 2, *(3,) * d),
        out=(1, 3, *(4,) * d),
    )
    return function


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

    return _documented(conv, _CONV, d)


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

    return _documented(conv_transpose, _TRANSPOSED, d)


def _max_pools(d: int) -> Callable[..., Any]:
    def max_pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> Any:
        grid = _pool_grid(d, input, kernel_size, stride, padding, dilation, ceil_mode, f"max_pool{d}d")
        return MaxPool.apply(input, grid=grid)

    return _documented(max_pool, _MAX, d)


def _avg_pools(d: int) -> Callable[..., Any]:
    def avg_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Any:
        return _avg_pool(d, input, kernel_size, stride, padding, ceil_mode, count_include_pad)

    return _documented(avg_pool, _AVG, d)


conv1d, conv2d, conv3d = map(_convs, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transposes, (1, 2, 3))
max_pool1d, max_pool2d, max_pool3d = map(_max_pools, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pools, (1, 2, 3))


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, /, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Return all windows over some axes; the windows' own axes come last.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    window_shape : int or sequence of int
        The lengths of a window.
    axis : int or sequence of int, optional
        Along which the windows slide, by default along all; an axis may be named twice.
    subok, writeable : bool
        Accepted for NumPy's sake; the result is a value.
    """
    del subok, writeable
    x = array(x)
    lengths = tuple(np.atleast_1d(window_shape).tolist())
    axes = [int(a) % x.ndim for a in np.atleast_1d(range(x.ndim) if axis is None else axis)]
    if len(lengths) != len(axes):
        raise ValueError(f"sliding_window_view: {len(lengths)} lengths for {len(axes)} axes")
    for n, a in zip(lengths, axes, strict=True):
        if n > x.shape[a]:
            raise ValueError(f"sliding_window_view: a window of {n} on axis {a} of shape {tuple(x.shape)}")
        grid = _grid((x.shape[a],), (n,), (1,), (1,), ((0,), (0,)))
        windows = Windows.apply(np.moveaxis(x, a, -1), grid=grid)  # (..., window, place)
        x = np.moveaxis(windows, -1, a)
    return x
