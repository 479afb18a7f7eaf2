"""A function of one number and its derivatives as curves: sampled, and broken where they jump.

A line through samples would draw a jump as a steep slope, and a pole as one from minus infinity to infinity.  So
where the values change more than their neighbours suggest, the interval is halved again and again: if the change
stays, the curve is broken there, and each side is drawn up to the jump.  The same finds where a function ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tensor import Tensor

Array = NDArray[np.float64]
Function = Callable[[Any], Any]

POINTS = 401
HALVINGS = 60  # of an interval, to where nothing is left of it
MOST_JUMPS = 50  # a curve with more suspects is drawn as it is sampled
GROWN = 100.0  # a value that grows so much while an interval is halved goes to infinity


@dataclass(frozen=True)
class Curves:
    """A function and its derivatives as lines.

    Attributes
    ----------
    lines : list of (ndarray, ndarray)
        x and y of the function, of its first derivative and so on; y is NaN where a line is broken.
    endless : bool
        Whether one of them runs to infinity.
    """

    lines: list[tuple[Array, Array]]
    endless: bool


def curves(f: Function, lo: float, hi: float, order: int, points: int = POINTS) -> Curves:
    """Sample a function and its derivatives.

    Parameters
    ----------
    f : callable
        Takes a 0-d Tensor, gives one real number.
    lo, hi : float
        The ends of the interval.
    order : int
        The highest derivative.
    points : int
        How many samples, evenly spaced; points at jumps are added.

    Returns
    -------
    Curves

    Raises
    ------
    ValueError, TypeError
        If ``f`` is not such a function.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> value, slope = curves(tg.relu, -1.0, 1.0, order=1, points=5).lines
    >>> slope
    (array([-1.00000000e+00, -5.00000000e-01, 0.00000000e+00, 0.00000000e+00,
             4.33680869e-19,  5.00000000e-01, 1.00000000e+00]),
     array([ 0.,  0.,  0., nan,  1.,  1.,  1.]))
    """
    x = np.linspace(lo, hi, points)
    rows = np.array([_row(f, t, order) for t in x])
    _check_recorded(f, x[points // 2], rows[:, 0])
    jumps = [
        jump
        for k in range(order + 1)
        for i in _suspects(rows[:, k])
        if (jump := _halve(f, (x[i], rows[i]), (x[i + 1], rows[i + 1]), k))
    ]
    for jump in jumps:
        x, rows = np.append(x, [jump.left[0], jump.right[0]]), np.vstack([rows, jump.left[1], jump.right[1]])
    endless = bool(np.isinf(rows).any()) or any(jump.grown for jump in jumps)
    x, first = np.unique(x, return_index=True)
    lines = [_broken(x, rows[first, k], [jump.right[0] for jump in jumps if jump.k == k]) for k in range(order + 1)]
    return Curves(lines, endless)


def derivatives(f: Function, t: float, order: int) -> list[float]:
    """Return the value and the derivatives of a function at one point.

    >>> derivatives(lambda x: x**3, 2.0, 3)
    [8.0, 12.0, 12.0, 6.0]
    """
    x = Tensor(t)
    try:
        y = _one_number(f(x))
    except Exception as error:
        error.add_note(f"plot: f was called with one number, Tensor({t:.6g}); it must take one and give one")
        raise
    found = []
    for more in reversed(range(order + 1)):
        found.append(float(y.item() if isinstance(y, Tensor) else y))
        if getattr(y, "node", None) is None:
            y = 0.0
        elif more:
            y.backward(create_graph=more > 1)
            y = 0.0 if x.grad is None else x.grad
            x.zero_grad()
    return found


def _row(f: Function, t: float, order: int) -> Array:
    """Return the value and the derivatives; there are none where there is no value: log'(-1) is not -1."""
    row = np.array(derivatives(f, t, order))
    return row + np.nan if np.isnan(row[0]) else row


def _one_number(y: Any) -> Any:
    value = np.asarray(y.numpy() if isinstance(y, Tensor) else y)
    if value.size != 1:
        raise ValueError(
            f"plot: f gives shape {value.shape} for one number; a curve needs one number: choose an element, "
            "lambda x: f(x)[0], or draw each by itself"
        )
    if value.dtype.kind not in "biuf":
        raise TypeError(f"plot: f gives dtype {value.dtype}; a curve needs real numbers: draw np.real(f(x))")
    return y


def _check_recorded(f: Function, t: float, y: Array) -> None:
    """Refuse a function whose values change but are plain numbers: its derivative would be drawn as 0."""
    steps = np.diff(y[np.isfinite(y)])
    if not isinstance(f(Tensor(t)), Tensor) and np.count_nonzero(steps) > steps.size / 2:
        raise TypeError(
            "plot: f gives plain numbers, of which no derivative can be taken: write it with NumPy's functions or "
            "tinygrad_sp's (np.exp(x), not math.exp(x)), without float(x) and x.item()"
        )


# ---------------------------------------------------------------------------------------------- jumps

Point = tuple[float, Array]
"""A number, and the value and the derivatives there."""


@dataclass(frozen=True)
class _Jump:
    """Where curve ``k`` jumps or ends: two points with next to nothing between."""

    k: int
    left: Point
    right: Point
    grown: bool


def _suspects(y: Array) -> list[int]:
    """Find the intervals with one finite end, or in which the values change much more than, or against, neighbours."""
    finite = np.isfinite(y)
    step = np.diff(np.where(finite, y, np.nan))
    before, after = np.append(step[1:2], step[:-1]), np.append(step[1:], step[-2:-1])
    much = np.abs(step) > 3 * np.fmin(np.abs(before), np.abs(after))
    against = (step * before < 0) & (step * after < 0)
    seen = np.abs(step) > 1e-3 * np.max(np.abs(step[np.isfinite(step)]), initial=0.0)
    found = np.flatnonzero(((much | against) & seen) | (finite[1:] != finite[:-1]))
    return found.tolist() if found.size <= MOST_JUMPS else []


def _halve(f: Function, left: Point, right: Point, k: int) -> _Jump | None:
    """Halve an interval, keeping the half in which curve k changes more; None if the change becomes small."""
    change, size = _change(left, right, k), _size(left, right)
    for _ in range(HALVINGS):
        t = left[0] + (right[0] - left[0]) / 2
        if not left[0] < t < right[0]:
            break
        middle = t, _row(f, t, len(left[1]) - 1)
        first, second = _change(left, middle, k), _change(middle, right, k)
        if max(first, second) < change / 10:
            return None
        left, right = (left, middle) if first > second else (middle, right)
    return _Jump(k, left, right, bool(np.any(_size(left, right) > GROWN * size)))


def _change(left: Point, right: Point, k: int) -> float:
    """How much a curve changes: infinitely where only one end is finite."""
    a, b = left[1][k], right[1][k]
    return abs(b - a) if np.isfinite([a, b]).all() else np.inf if np.isfinite([a, b]).any() else 0.0


def _size(left: Point, right: Point) -> Array:
    both = np.abs([left[1], right[1]])
    return np.asarray(np.max(np.where(np.isfinite(both), both, 0.0), axis=0))


def _broken(x: Array, y: Array, breaks: list[float]) -> tuple[Array, Array]:
    """Break a line before some of its points, and where it is not finite."""
    at = np.searchsorted(x, breaks)
    return np.insert(x, at, x[at - 1]), np.insert(np.where(np.isfinite(y), y, np.nan), at, np.nan)
