"""Pooling, in PyTorch's names and order of arguments: the largest element, or the mean, of each window.

Elements of a window that are equally large share its cotangent, as in `max` (PyTorch gives all to the first).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Op
from .arguments import array
from .masks import either
from .shape import expand_dims
from .windows import GRID, LINE, Grid, Ints, Overlap, documented, grid_of, inner, padded, whole_numbers

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]


class MaxPool(Op):
    """The largest element of each window: x gets g of each window where its largest is (equal ones share)."""

    cases = (((2, 5, 4), {"grid": GRID}), ((6,), {"grid": LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        x, result = padded(x, grid, -np.inf), None
        for _, places in grid.slices():
            part = x[(..., *places)]
            result = part if result is None else np.maximum(result, part)
        return np.array(result)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, grid: Grid) -> Any:
        return ToLargest.apply(grad, x, out, grid=grid)

    @staticmethod
    def tangent(tangents: Any, out: Any, x: Any, *, grid: Grid) -> Any:
        return OfLargest.apply(tangents[0], x, out, grid=grid)


def _largest(x: Any, out: Any, grid: Grid) -> tuple[list[tuple[Any, Any]], Any]:
    """For every place within the windows, where that is and whether it holds the largest; and how many do."""
    x, count, chosen = padded(x, grid, -np.inf), np.zeros(out.shape, np.int32), []
    nan = np.isnan(out).any()
    for _, places in grid.slices():
        part = x[(..., *places)]
        taken = (part == out) | (part != part) if nan else part == out  # NaN is the largest where there is one
        chosen.append((places, taken))
        count += taken
    return chosen, np.maximum(count, 1)


_X = np.arange(20.0).reshape(5, 4) % 7
_TOPS = MaxPool.apply(_X, grid=GRID)


class ToLargest(Op):
    """Cotangents of windows, handed to their largest elements: the transpose of `OfLargest`."""

    holomorphic = False
    cases = ((GRID.out, _X, _TOPS, {"grid": GRID}),)

    @staticmethod
    def forward(grad: Any, x: Any, out: Any, *, grid: Grid) -> Any:
        chosen, count = _largest(x, out, grid)
        share = grad / count.astype(grad.dtype)
        result = np.zeros((*x.shape[: x.ndim - len(grid.size)], *grid.padded), grad.dtype)
        for places, taken in chosen:
            result[(..., *places)] += either(taken, share, 0.0)
        return result[inner(grid)]

    backward = (
        lambda u, _out, _grad, x, out, *, grid: OfLargest.apply(u, x, out, grid=grid),
        lambda _u, _out, _grad, _x, _tops, *, grid: None,  # noqa: ARG005
        lambda _u, _out, _grad, _x, _tops, *, grid: None,  # noqa: ARG005
    )


class OfLargest(Op):
    """The mean, in each window, over the places where ``x`` is largest."""

    holomorphic = False
    cases = (((5, 4), _X, _TOPS, {"grid": GRID}),)

    @staticmethod
    def forward(u: Any, x: Any, out: Any, *, grid: Grid) -> Any:
        chosen, count = _largest(x, out, grid)
        u, total = padded(u, grid), np.zeros(out.shape, u.dtype)
        for places, taken in chosen:
            total += either(taken, u[(..., *places)], 0.0)
        return total / count.astype(u.dtype)

    backward = (
        lambda g, _out, _u, x, out, *, grid: ToLargest.apply(g, x, out, grid=grid),
        lambda _g, _out, _u, _x, _tops, *, grid: None,  # noqa: ARG005
        lambda _g, _out, _u, _x, _tops, *, grid: None,  # noqa: ARG005
    )


class SumPool(Op):
    """The sum of each window: x gets g of each window that it is in, summed."""

    linear, holomorphic = "joint", False
    cases = (((2, 5, 4), {"grid": GRID}), ((6,), {"grid": LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        x = padded(x, grid)
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


def _pool_grid(
    d: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, name: str
) -> Grid:
    """Return the grid of a pooling, with more border behind where ``ceil_mode`` lets windows go beyond the end."""
    x = array(x)
    if x.ndim < d:
        raise ValueError(f"{name}: input of shape {tuple(x.shape)}; {d} lengths at the end are wanted")
    kernel, pad = whole_numbers(kernel_size, d, f"{name}: kernel_size"), whole_numbers(padding, d, f"{name}: padding")
    step = kernel if stride is None else whole_numbers(stride, d, f"{name}: stride")
    grid = grid_of(
        tuple(x.shape[x.ndim - d :]), kernel, step, whole_numbers(dilation, d, f"{name}: dilation"), (pad, pad)
    )
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise ValueError(f"{name}: padding {pad} is more than half of the kernel {kernel}; give less")
    if ceil_mode:
        after = map(_ceiled, grid.padded, grid.size, pad, kernel, step, grid.dilation)
        grid = grid_of(grid.size, kernel, step, grid.dilation, (pad, tuple(after)))
    if min(grid.out) < 1:
        raise ValueError(
            f"{name}: the kernel {kernel} is larger than the input {tuple(x.shape)} with its padding; give less"
        )
    return grid


def _ceiled(padded: int, size: int, pad: int, kernel: int, step: int, dilation: int) -> int:
    """Return the border behind with which the last window begins inside the input or the border before it."""
    windows = -(-(padded - dilation * (kernel - 1) - 1) // step) + 1
    windows -= (windows - 1) * step >= size + pad
    return max(pad, (windows - 1) * step + dilation * (kernel - 1) + 1 - size - pad)


def _avg_pool(
    d: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Any:
    if divisor == 0:
        raise ValueError(f"avg_pool{d}d: divisor_override=0; write another number, or None for the window's size")
    grid = _pool_grid(d, x, kernel_size, stride, padding, 1, ceil_mode, f"avg_pool{d}d")
    total = SumPool.apply(x, grid=grid)
    if divisor is not None:
        return total / divisor
    if count_include_pad:  # the border counts as input, but not what ceil_mode added
        before, after = grid.padding
        size = tuple(n + 2 * p for n, p in zip(grid.size, before, strict=True))
        grid = grid._replace(size=size, padding=((0,) * d, tuple(b - a for a, b in zip(before, after, strict=True))))
    return total / SumPool.forward(np.ones(grid.size), grid=grid).astype(total.dtype)


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
divisor_override : int, optional
    What the sums are divided by, instead of how many elements count.
"""


def _max_pools(d: int) -> Callable[..., Any]:
    def max_pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ) -> Any:
        grid = _pool_grid(d, input, kernel_size, stride, padding, dilation, ceil_mode, f"max_pool{d}d")
        return MaxPool.apply(input, grid=grid)

    return documented(max_pool, _MAX, d)


def _avg_pools(d: int) -> Callable[..., Any]:
    def avg_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        return _avg_pool(d, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    return documented(avg_pool, _AVG, d)


max_pool1d, max_pool2d, max_pool3d = map(_max_pools, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pools, (1, 2, 3))
