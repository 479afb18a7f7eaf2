"""Which points to try that the user did not give: ordinary ones, extremes, and those of an interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Checker
from .numeric import median

Array = NDArray[Any]

ORDINARY = 0.3 * 1.11 ** np.arange(31)  # to 7, so near that no knee is missed
MAGNITUDES = (1e-3, 0.03, 0.1, *ORDINARY, 9.0, 12.0, 17.0, 22.0, 27.0, 33.0, 40.0)
TINY = (1e-9, 1e-7, 1e-5, 1e-4)
LARGE = ((70.0, 150.0), (500.0, 2e3, 1e4))
WHOLE = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)  # taken as they are: a rule may be wrong at whole numbers only
POINTS = 64  # at least
SINGLY = (1e-5, 3e-3, 0.03, 0.4, 1.3, 3.0, 4.5, 6.0, 13.0, 20.0, 29.0, 37.0)  # for functions that take numbers only


def values(c: Checker, k: int, interval: tuple[float, float] | None) -> Array:
    """Choose points for an input, in random order so that several inputs meet in many ways."""
    if interval is not None:
        return c.rng.permutation(_within(*interval))
    x = np.abs(np.asarray(c.p.native[k], np.float64).reshape(-1))
    x = x[np.isfinite(x) & (x > 0)]
    size = median(x) if x.size else 1.0
    few = 1 if c.p.native[k].ndim else 2  # numbers are checked in a few milliseconds
    mags = np.concatenate([MAGNITUDES[::few], size * np.array([1 / 30, 0.2, 0.5, 2, 5])])
    mags = mags[mags <= max(40.0, 5 * size)]
    if np.finfo(c.p.native[k].dtype).eps > 1e-4:  # float16 cannot hold what exp makes of more
        mags = mags[mags <= 8]
    points = np.concatenate([mags, -mags]) * c.rng.uniform(0.95, 1.05, 2 * mags.size)
    return c.rng.permutation(np.resize(points, max(POINTS, points.size)))


def extremes(c: Checker) -> list[Array]:
    """Choose points that a rule may have forgotten: whole, tiny and large ones, each size by itself."""
    info = [np.finfo(a.dtype) for a in c.p.native]
    half = max(i.eps for i in info) > 1e-4  # float16 cannot hold what exp makes of more than 8
    tiny = [m for m in TINY if m > max(i.tiny for i in info)]
    whole = [m for m in WHOLE if not half or m <= 8]
    sizes = [g * c.rng.uniform(0.9, 1.1, len(g)) for g in (tiny, *(() if half else LARGE))]
    return [np.concatenate([g, -g[g > 0]]) for g in (np.array(whole), *sizes)]


def few(c: Checker) -> Array:
    """Choose numbers to be tried one by one; not so many for Tensors, as ops are tried at others by themselves."""
    sizes = np.array(SINGLY[2::2] if c.p.subject.tensors else SINGLY)
    jittered = np.outer([1, -1], sizes) * c.rng.uniform(0.9, 1.1, (2, sizes.size))
    return c.rng.permutation([*jittered.reshape(-1), 0.0, 1.0, -1.0, 2.0])


def _within(low: float, high: float) -> Array:
    """Points of an interval: its ends, evenly, and closer and closer to zero and to the ends."""
    low, high = max(low, -1e6), min(high, 1e6)
    even = np.linspace(low, high, POINTS // 2)
    mags = np.geomspace(1e-6, max(abs(low), abs(high), 1e-5), POINTS // 4)
    small = np.concatenate([mags, -mags])
    small = small[(small >= low) & (small <= high)]
    ends = (high - low) * np.geomspace(1e-6, 0.1, 8)
    return np.resize(np.concatenate([even, small, low + ends, high - ends])[:POINTS], POINTS)


def intervals(c: Checker, domain: Any) -> list[tuple[float, float]]:
    """Read ``domain=``: one interval for all inputs, or one for each."""
    pairs = [domain] * len(c.p.native) if np.ndim(domain) == 1 else list(domain)
    if len(pairs) != len(c.p.native) or any(len(p) != 2 or not p[0] < p[1] for p in pairs):
        raise ValueError(
            f"gradcheck: domain={domain!r}; wanted (lo, hi), or one such pair for each of {len(c.p.native)} inputs"
        )
    return [(float(a), float(b)) for a, b in pairs]


def drawn(c: Checker, bounds: list[tuple[float, float]], corner: float | None) -> Array:
    """Draw every element from its interval, or all of them near one place of it."""
    parts = []
    for array, (low, high) in zip(c.p.native, bounds, strict=True):
        n = array.size * (2 if array.dtype.kind == "c" else 1)
        there = None if corner is None else low + (high - low) * (corner + c.rng.uniform(-0.04, 0.04, n))
        parts.append(c.rng.choice(_within(low, high), n) if there is None else there)
    return np.concatenate(parts).astype(c.p.x.dtype)


def beside(c: Checker) -> Array:
    """Give a point near the given one at which the ends of every array are the same: a rule may remember by them."""
    x = near(c)
    for start, stop in zip(c.p.edges[:-1], c.p.edges[1:], strict=True):
        if stop - start > 2:
            x[[start, stop - 1]] = c.p.x[[start, stop - 1]]
    return x


def near(c: Checker) -> Array:
    """Give a point near the given one: with the same order and symmetries, but not all elements of an array equal."""
    x: Array = c.p.x * c.p.x.dtype.type(0.875)
    for start, stop in zip(c.p.edges[:-1], c.p.edges[1:], strict=True):
        if stop - start > 1 and (x[start:stop] == x[start]).all():
            x[start:stop] *= np.linspace(1, 1.125, stop - start)
    return x
