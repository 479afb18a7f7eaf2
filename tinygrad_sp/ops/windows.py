"""Windows that slide over the last axes of an array, as views by strides; and their transpose, overlap and add.

Convolution and pooling are made of them, and NumPy's `sliding_window_view`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array

__all__ = ["sliding_window_view"]

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


def grid_of(size: Ints, kernel: Ints, stride: Ints, dilation: Ints, padding: tuple[Ints, Ints]) -> Grid:
    """Return the grid with as many windows as there is room for."""
    padded = (n + a + b for n, a, b in zip(size, *padding, strict=True))
    rooms = zip(padded, kernel, stride, dilation, strict=True)
    return Grid(size, kernel, stride, dilation, padding, tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in rooms))


def inner(grid: Grid) -> Any:
    """Return the index of what lies within the border."""
    return (..., *(slice(a, a + n) for a, n in zip(grid.padding[0], grid.size, strict=True)))


def padded(x: Any, grid: Grid, value: float = 0.0) -> Any:
    """Return x with its border."""
    before, after = grid.padding
    if not any(before) and not any(after):
        return x
    result = np.full((*x.shape[: -len(before)], *grid.padded), value, x.dtype)
    result[inner(grid)] = x
    return result


def windows_of(x: Any, grid: Grid) -> Any:
    """Return a view of the padded array: (..., *kernel, *out)."""
    steps = x.strides[-len(grid.size) :]
    within = tuple(d * s for d, s in zip(grid.dilation, steps, strict=True))
    between = tuple(n * s for n, s in zip(grid.stride, steps, strict=True))
    lead = x.ndim - len(grid.size)
    shape = (*x.shape[:lead], *grid.kernel, *grid.out)
    return np.lib.stride_tricks.as_strided(x, shape, (*x.strides[:lead], *within, *between), writeable=False)


def overlapped(columns: Any, grid: Grid) -> Any:
    """Add windows (..., *kernel, *out) up where they overlap, and take the border off: the transpose of windows."""
    lead = columns.shape[: columns.ndim - 2 * len(grid.size)]
    result = np.zeros((*lead, *grid.padded), columns.dtype)
    here = (slice(None),) * len(lead)
    for at, places in grid.slices():
        result[(*here, *places)] += columns[(*here, *at)]
    return result[inner(grid)]


GRID = grid_of((5, 4), (2, 3), (2, 1), (1, 1), ((1, 0), (1, 2)))
LINE = grid_of((6,), (3,), (1,), (2,), ((0,), (1,)))


class Windows(Op):
    """All windows over the last axes: (..., *kernel, *out)."""

    linear, holomorphic = "joint", False
    cases = (((2, 5, 4), {"grid": GRID}), ((6,), {"grid": LINE}))

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        return windows_of(padded(x, grid), grid)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, grid: Grid) -> Any:
        return Overlap.apply(grad, grid=grid)


class Overlap(Op):
    """Windows added up where they overlap: the transpose of `Windows`."""

    linear, holomorphic = "joint", False
    cases = (((2, *GRID.kernel, *GRID.out), {"grid": GRID}),)

    @staticmethod
    def forward(x: Any, *, grid: Grid) -> Any:
        return overlapped(x, grid)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, grid: Grid) -> Any:
        return Windows.apply(grad, grid=grid)


def whole_numbers(value: Any, d: int, name: str) -> Ints:
    """Return one number for each of d axes."""
    given = (value,) * d if np.ndim(value) == 0 else tuple(value)
    if len(given) != d or any(int(v) != v for v in given):
        raise ValueError(f"{name}={value!r}: one whole number, or {d} of them, are wanted")
    return tuple(map(int, given))


def documented(function: Callable[..., Any], text: str, d: int) -> Callable[..., Any]:
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
        raise ValueError(f"sliding_window_view: {len(lengths)} lengths for {len(axes)} axes; as many are wanted")
    for n, a in zip(lengths, axes, strict=True):
        if n > x.shape[a]:
            raise ValueError(
                f"sliding_window_view: a window of {n} on axis {a} of {tuple(x.shape)}; at most its length is wanted"
            )
        grid = grid_of((x.shape[a],), (n,), (1,), (1,), ((0,), (0,)))
        windows = Windows.apply(np.moveaxis(x, a, -1), grid=grid)  # (..., window, place)
        x = np.moveaxis(windows, -1, a)
    return x
