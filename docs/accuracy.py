"""Write ``docs/accuracy.md``: the largest errors of every activation and its derivatives, measured.

Run ``python docs/accuracy.py``.  Functions, references, points and bounds are those of ``tests/test_exactness.py``.
"""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import mpmath as mp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import test_exactness as exact

PAGE = Path(__file__).with_name("accuracy.md")
FORMATS = (np.float64, np.float32)
CORNER = "elu elu(2) selu celu(2)".split()  # no second derivative at 0

HEAD = """# Accuracy, measured

Written by `python docs/accuracy.py`: NumPy {numpy}, {machine}. Each number is the largest error of an activation, of
its derivative by `.backward()` and of the derivative of that, over {points} points: all places where a formula changes,
a result becomes subnormal or a format ends, both neighbours of each, and points between. The judge is mpmath with
{digits} digits.

An error is counted in ulp: the distance from one number of the format to the next, at the true value; where a
derivative is a sum that crosses zero, at its largest term. 0.5 is the best possible. In brackets stands the bound that
the tests hold it to, on these points in both formats, and in float64 at random ones.
"""
FLOAT32 = """
In float32 values and first derivatives are computed in float64 and rounded once. The first derivative of a graph that
is recorded (`create_graph=True`) is not; its errors are in the third column.
"""
END = """
`gelu(tanh)` is gelu with `approximate="tanh"`. There "more" is what rounding its inner argument v costs far on the
left: `exp(v)` is off by |v| ulp for each ulp of v, and v reaches -745, where `exp(v)` is subnormal and has few digits
to give to what it is multiplied with.

The derivatives and these bounds, function by function: [Activation functions](activations.md). Softplus beside its
textbook formula: [the chapter](softplus.md). Repeat with `python docs/accuracy.py`; other processors and other versions
of NumPy round `exp` differently, by less than one ulp.
"""


def largest(name: str, order: int, result: np.ndarray, dtype: type) -> float:
    """Return the largest error of a derivative in ulp."""
    x = exact.points(name, dtype)
    wanted = exact.terms(name, order, dtype)
    return max(
        exact.error(got, terms, dtype)
        for at, got, terms in zip(x, result, wanted, strict=True)
        if not (order == 2 and at == 0 and name in CORNER)
    )


def measured(name: str, dtype: type) -> list[float]:
    """Return the largest errors of f, f' and f''; in float32 of f' twice: plainly, and recorded."""
    x = exact.points(name, dtype)
    value, recorded, second = exact.derivatives(name, x, 2)
    plain = exact.derivatives(name, x, 1)[1]
    first = [(1, plain), (1, recorded)] if dtype is np.float32 else [(1, plain)]
    return [largest(name, order, result, dtype) for order, result in [(0, value), *first, (2, second)]]


def stated(name: str, dtype: type) -> list[str]:
    """Return the bounds as the table shows them."""
    wide, single = exact.BOUNDS[name]
    bounds = wide if dtype is np.float64 else single
    inner = name == "gelu(tanh)"
    more = [inner] * 3 if dtype is np.float64 else [False, False, inner, inner]  # rounded once: nothing more
    return [f"{bound:g}{' and more' * extra}" for bound, extra in zip(bounds, more, strict=True)]


def row(name: str, errors: Iterable[float], bounds: Iterable[str]) -> str:
    """Return a line of a table."""
    cells = [f"{error:.2f} ({bound})" for error, bound in zip(errors, bounds, strict=True)]
    return f"| {name} | {' | '.join(cells)} |\n"


def table(dtype: type) -> str:
    """Return the table of a format."""
    head = "| float64 | f | f' | f'' |\n|---|---|---|---|\n"
    if dtype is np.float32:
        head = "| float32 | f | f' | f' recorded | f'' |\n|---|---|---|---|---|\n"
    return head + "".join(row(name, measured(name, dtype), stated(name, dtype)) for name in exact.REFERENCES)


def page() -> str:
    """Return the page."""
    points = len(exact.grid(np.float64))
    head = HEAD.format(numpy=np.__version__, machine=platform.machine(), points=f"{points:,}", digits=mp.mp.dps)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        wide, single = map(table, FORMATS)
    return f"{head}\n{wide}{FLOAT32}\n{single}{END}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
