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
FINER = 4  # by how many they are nearer, where that is tried
SMALL = MANTISSA / 64  # sizes up to which larger steps are tried
JOINTLY = 1000  # coordinates up to which the blocks are looked at together


def glance(c: Checker, blocks: list[Block]) -> list[Entries]:
    """Compare every finite lane of elementwise blocks roughly: it is right, or not decided."""
    if len(blocks) > 1 and c.p.n > JOINTLY:
        return [e for b in blocks for e in glance(c, [b])]
    lanes = np.flatnonzero(c.finite)
    coordinate = np.stack([b.start + c.by_lane(np.arange(b.stop - b.start))[lanes] for b in blocks])
    analytic, slack = np.stack([c.diagonal(b, 0, c.d.at_best)[:, lanes] for b in blocks], axis=1)
    unit = c.unit[coordinate]
    value, right, hidden, coarse = _look(c, coordinate, unit, lanes, analytic)
    # softplus at 1e-9 does not see steps of 1e-15, and sin(x) at 1e4 turns around within one of 1
    farther = hidden & (unit < SMALL)
    again = ~right & (farther | coarse)
    if again.any():
        some = np.flatnonzero(again.any(axis=0))
        unit = np.where(farther, unit.dtype.type(MANTISSA), unit * RATIO**-FINER)
        more = _look(c, coordinate[:, some], unit[:, some], lanes[some], analytic[:, some])
        for whole, part in zip((value, right), more, strict=False):
            whole[:, some] = np.where(again[:, some], part, whole[:, some])
    return [settled(at, lanes, *rest) for at, *rest in zip(coordinate, analytic, slack, value, right, strict=True)]


def _look(c: Checker, coordinate: Array, unit: Array, lanes: Array, analytic: Array) -> list[Array]:
    """Give the slopes of lanes along every block by a few steps; and say what `agree` does."""
    us = np.zeros((len(coordinate), c.p.n), unit.dtype)
    us[np.arange(len(coordinate))[:, None], coordinate] = unit
    s = c.p.ladder(us, few(c), lanes, alike=True)
    s.unit = unit.reshape(-1)
    return [a.reshape(analytic.shape) for a in agree(s, analytic.reshape(-1))]


def few(c: Checker) -> Array:
    """Give the few steps of a glance."""
    first = NEAR[c.p.work is np.longdouble]
    return np.asarray(RATIO ** -np.array([FAR, *range(first, first + COUNT)], float))


def settled(coordinate: Array, lane: Array, analytic: Array, slack: Array, value: Array, right: Array) -> Entries:
    """Make entries of what was found: right, or not decided."""
    e = Estimate.empty(lane.size)
    e.value, e.kind = value, np.full(lane.size, SMOOTH)
    return Entries(coordinate, lane, analytic, slack, e, np.where(right, RIGHT, UNSURE))


def agree(s: Samples, analytic: Array, slack: Array | float = 0.0) -> tuple[Array, Array, Array, Array]:
    """Give slopes by a few steps; say where the rule is no farther from them than from those of a ladder.

    Where it is not, say if rounding may hide that it is right, and if the steps are too large: they differ by more.
    """
    value, off = (a / 2 for a in _extrapolated(s, s.plus - s.minus, RATIO**2))
    apart, rounding = np.abs(analytic - value), 64 * (s.eps * s.size[-1] / s.far[-1]).astype(np.float64)
    right = apart <= RELATIVE * np.abs(value) + 4 * TINY + slack
    right &= (value != 0) | (s.change[-1] > 0) | (s.change[0] == 0)  # flat, and not because the steps are too small
    if (left := np.flatnonzero(~right)).size:
        right[left] = _between(s.take(left), analytic[left])
    return value, right, apart <= rounding, off > rounding


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
