"""A first look at many points at once: of most, a few steps say already that the rule is right there.

What they leave open (a kink, an oscillation, noise, a wrong rule) is for the whole ladder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import MANTISSA, Block, Checker
from .compare import RELATIVE, RIGHT, UNSURE, Entries
from .numeric import RATIO, SMOOTH, TINY, Estimate, Samples

Array = NDArray[Any]

FAR = 1  # one step at which a function that is flat nearby may still move
NEAR = {True: 6, False: 4}  # the first of those that are extrapolated from, in long double and in float64
COUNT = 3


def glance(c: Checker, b: Block) -> Entries:
    """Compare every finite lane of an elementwise block roughly: it is right, or not decided."""
    lanes = np.flatnonzero(c.finite)
    coordinate = b.start + c.by_lane(np.arange(b.stop - b.start))[lanes]
    analytic, slack = c.diagonal(b, 0, c.d.at_best)[:, lanes]
    value, right = np.zeros(lanes.size), np.zeros(lanes.size, bool)
    for unit in (c.unit, np.fmax(c.unit, c.unit.dtype.type(MANTISSA))):  # softplus at 1e-9 does not see steps of 1e-15
        left = np.flatnonzero(~right & (unit != c.unit)[coordinate] if right.any() else ~right)
        if left.size:
            u = np.zeros_like(unit)
            u[coordinate[left]] = unit[coordinate[left]]
            s = c.p.ladder(u, few(c), lanes[left], alike=True)
            s.unit = unit[coordinate[left]]
            value[left], right[left] = agree(s, analytic[left])
    return settled(coordinate, lanes, analytic, slack, value, right)


def few(c: Checker) -> Array:
    """Give the few steps of a glance."""
    first = NEAR[c.p.work is np.longdouble]
    return np.asarray(RATIO ** -np.array([FAR, *range(first, first + COUNT)], float))


def settled(coordinate: Array, lane: Array, analytic: Array, slack: Array, value: Array, right: Array) -> Entries:
    """Make entries of what was found: right, or not decided."""
    e = Estimate.empty(lane.size)
    e.value, e.kind = value, np.full(lane.size, SMOOTH)
    return Entries(coordinate, lane, analytic, slack, e, np.where(right, RIGHT, UNSURE))


def agree(s: Samples, analytic: Array, slack: Array | float = 0.0) -> tuple[Array, Array]:
    """Give slopes by a few steps, and say where the rule is no farther from them than from those of a ladder."""
    value = _extrapolated(s, s.plus - s.minus, RATIO**2)[0] / 2
    right = np.abs(analytic - value) <= RELATIVE * np.abs(value) + 4 * TINY + slack
    right &= (value != 0) | (s.change[-1] > 0) | (s.change[0] == 0)  # flat, and not because the steps are too small
    if (left := np.flatnonzero(~right)).size:
        right[left] = _between(s.take(left), analytic[left])
    return value, right


def _between(s: Samples, analytic: Array) -> Array:
    """Say where both sides are known well, and the rule is between them: it is right at a kink."""
    (left, left_off), (right, right_off) = (_extrapolated(s, rise, RATIO) for rise in (-s.minus, s.plus))
    bar = RELATIVE * np.fmax(np.abs(left), np.abs(right))
    known = (np.fmax(left_off, right_off) <= bar) & (bar > 0)
    return np.asarray(known & (np.fmin(left, right) - bar <= analytic) & (analytic <= np.fmax(left, right) + bar))


def _extrapolated(s: Samples, difference: Array, order: float) -> tuple[Array, Array]:
    """Extrapolate slopes at the nearer steps, whose error falls by `order` a step; and say by how much the last did."""
    coarse, middle, fine = (difference[1:] / s.far[1:]).astype(np.float64)
    before, after = middle + (middle - coarse) / (order - 1), fine + (fine - middle) / (order - 1)
    return after + (after - before) / (order**2 - 1), np.abs(after - before)
