"""Measure how exact softplus and its derivatives are, ours and the textbook's: the table in ``softplus.md``.

Run ``python docs/softplus_exactness.py`` to print the table again.  The judge is mpmath with 50 digits; an
error is counted in ulp, the distance between a float64 and the next one at the true value (for results below
2.2e-308 that distance is 4.9e-324).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import mpmath
import numpy as np

import tinygrad_sp as tg

EDGES = [-745.0, -708.0, -37.0, -20.0, -1.0, 1.0, 20.0, 709.0]
REGIONS = [*itertools.pairwise(EDGES), (710.0, 1e300)]
POINTS = 400

mpmath.mp.dps = 50


def true_values(x: float) -> list[mpmath.mpf]:
    """Return softplus, its first and its second derivative with 50 digits."""
    x = mpmath.mpf(x)
    e = mpmath.exp(-abs(x))
    return [max(x, 0) + mpmath.log1p(e), (1 if x >= 0 else e) / (1 + e), e / (1 + e) ** 2]


def ours(x: np.ndarray) -> list[np.ndarray]:
    """Return softplus from `tg.softplus`, and what ``.backward()`` gives, once and twice."""
    t = tg.Tensor(x)
    y = tg.softplus(t)
    y.backward(np.ones_like(x), create_graph=True)
    first = t.grad
    t.zero_grad()
    first.backward(np.ones_like(x))
    return [y.numpy(), first.numpy(), t.grad.numpy()]


def textbook(x: np.ndarray) -> list[np.ndarray]:
    """Return log(1 + exp(x)) and exp(x)/(1 + exp(x)), as they are usually written."""
    with np.errstate(all="ignore"):
        e = np.exp(x)
        return [np.log(1 + e), e / (1 + e)]


def error_in_ulp(computed: float, true: mpmath.mpf) -> float:
    """Return the distance from the true value, in steps between neighbouring float64."""
    if not np.isfinite(computed):
        return np.inf
    return float(abs(mpmath.mpf(float(computed)) - true) / mpmath.mpf(float(np.spacing(float(abs(true))))))


def points(low: float, high: float) -> np.ndarray:
    """Return points all over a region, both ends included."""
    if high / low > 1e3:
        return np.geomspace(low, high, POINTS)
    return np.concatenate([[low, high], np.random.default_rng(0).uniform(low, high, POINTS - 2)])


def largest_errors(function: Callable[[np.ndarray], list[np.ndarray]], x: np.ndarray) -> list[float]:
    """Return the largest error in ulp of each of the results of a function."""
    true = zip(*[true_values(float(v)) for v in x], strict=True)
    return [max(map(error_in_ulp, got, want)) for got, want in zip(function(x), true, strict=False)]


def shown(error: float) -> str:
    """Write an error as the table shows it."""
    if error == np.inf:
        return "overflow"
    return "all digits lost" if error >= 2**52 - 1 else f"{error:.1f}" if error < 1000 else f"{error:.1e}"


def table() -> str:
    """Return the table of `softplus.md`."""
    lines = ["| x | textbook f | textbook f' | our f | our f' | our f'' |", "|---|---|---|---|---|---|"]
    for low, high in REGIONS:
        x = points(low, high)
        errors = [*largest_errors(textbook, x), *largest_errors(ours, x)]
        lines.append(f"| {low:g} to {high:g} | {' | '.join(map(shown, errors))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
