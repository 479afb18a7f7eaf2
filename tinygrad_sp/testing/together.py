"""Elements that are equal, or at kinks, moved together.

At a tie each element has a kink, and anything between its two slopes is right for it alone.  But if all tied
elements rise together, the largest of them rises as they do: to give each of them the whole cotangent, or none
of them any, is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Checker
from .compare import RIGHT, UNSURE, WRONG, Entries, both_wrong
from .directions import compare, some_rows
from .numeric import KINK, SMOOTH, estimate, plain
from .ties import tied

Array = NDArray[Any]

TOGETHER = -2  # in place of a coordinate


def together(c: Checker, found: Entries) -> Entries | None:
    """Compare along the sum of all elements that are at kinks, for every output with a kink; keep what is decided."""
    e, single = found.estimate, (found.coordinate >= 0) & (found.lane >= 0)
    kinks = single & (e.kind == KINK) & (found.status == RIGHT)
    if not kinks.any():
        return None
    unclear = (found.status != RIGHT) | ~(plain(e.kind) | (e.kind == KINK))
    which = np.unique(found.coordinate[kinks])
    mine = single & np.isin(found.coordinate, which)
    several = np.bincount(found.lane[kinks], minlength=c.p.m) > 1
    lanes = np.setdiff1d(np.flatnonzero(several), found.lane[mine & unclear])
    if not lanes.size:
        return None
    step = e.far[kinks].min().astype(c.unit.dtype)  # on whatever steps they were seen
    sums = [
        np.bincount(found.lane[mine], terms[mine], c.p.m)[lanes] * float(step)
        for terms in (found.analytic, np.abs(found.slack))
    ]
    u = np.zeros_like(c.unit)
    u[which] = step
    first, second = (_along(c, u, factor, lanes, *sums) for factor in (1.0, 0.75))
    first.status = both_wrong(first, second)
    return first.where(first.status != UNSURE) if (first.status == WRONG).any() else None


def _along(c: Checker, u: Array, factor: float, lanes: Array, analytic: Array, slack: Array) -> Entries:
    """Compare on a ladder along `u` that is moved by a factor, which does not change the answer."""
    s = c.p.ladder(u * factor, c.steps, lanes)
    s.unit = s.unit * factor
    return Entries.of(np.full(lanes.size, TOGETHER), lanes, analytic, slack, estimate(s))


def equals(c: Checker) -> Entries | None:
    """Compare along the sum of all elements that are equal to others; they stay so; keep what is wrong.

    Not at a kink of a sum of outputs: each of them has sides of its own.
    """
    equal = tied(c.p) >= 0 if c.affordable else np.zeros(1, bool)
    if not equal.any():
        return None
    u = np.where(equal, c.unit[equal].min(), 0)
    rows, names = some_rows(c)
    first, second = (compare(c, u, rows, names, factor=factor) for factor in (1.0, 0.75))
    first.status = both_wrong(first, second)
    first.coordinate[:] = TOGETHER
    wrong = (first.status == WRONG) & ((first.estimate.kind == SMOOTH) | (c.p.m == 1))
    return first.where(wrong) if wrong.any() else None
