"""Where an analytic derivative meets a numeric one: right, wrong, or not to be decided.

A number is wrong only if it lies outside the numeric error bar and its own rounding.  At a kink everything
between the one-sided derivatives is right; at a jump the slope of either branch is; where the slope is
infinite only an infinity is, and a finite value is left undecided.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numeric import CONSTANT, EPS64, INFINITE, JUMP, KINK, SMOOTH, TINY, UNDEFINED, Estimate, finite_part

Array = NDArray[Any]

RIGHT, UNSURE, WRONG = range(3)
STATUS = ("right", "not decided", "wrong")
RELATIVE = 1e-11  # nothing is claimed below this: constants in rules are float64
SAFETY = 3.0


@dataclass
class Entries:
    """Comparisons, one per row: which coordinate, which lane, both numbers and their errors."""

    coordinate: Array  # -1 for a direction through many
    lane: Array  # -1 - r for the r-th random cotangent
    analytic: Array
    slack: Array  # rounding of the analytic side
    estimate: Estimate
    status: Array

    @classmethod
    def of(cls, coordinate: Array, lane: Array, analytic: Array, slack: Array, e: Estimate) -> Entries:
        """Compare and keep the result."""
        return cls(coordinate, lane, analytic, slack, e, judge(analytic, slack, e))

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many there are, how many are wrong, how many undecided."""
        return self.status.size, int((self.status == WRONG).sum()), int((self.status == UNSURE).sum())

    @cached_property
    def tolerance(self) -> Array:
        """How far apart the two may be."""
        return tolerance(self.analytic, self.slack, self.estimate)

    def where(self, keep: Array) -> Entries:
        """Select rows."""
        estimate = Estimate(**{f.name: getattr(self.estimate, f.name)[keep] for f in fields(Estimate)})
        coordinate, lane, analytic, slack = self.coordinate, self.lane, self.analytic, self.slack
        return Entries(coordinate[keep], lane[keep], analytic[keep], slack[keep], estimate, self.status[keep])

    @property
    def allowed(self) -> tuple[Array, Array]:
        """The least and the greatest number that would be right, at a kink anything between its sides."""
        low, high = self._sides
        return low - self.tolerance, high + self.tolerance

    @cached_property
    def _sides(self) -> tuple[Array, Array]:
        e = self.estimate
        kink = e.kind == KINK
        low = np.where(kink, np.fmin(e.left, e.right), e.value)
        return low, np.where(kink, np.fmax(e.left, e.right), e.value)

    @cached_property
    def excess(self) -> Array:
        """How many tolerances apart: what to sort the worst by."""
        low, high = self._sides
        off = np.fmax(np.fmax(low - self.analytic, self.analytic - high), 0)
        return np.where(np.isfinite(off), off / self.tolerance, np.inf)


def tolerance(analytic: Array, slack: Array, e: Estimate) -> Array:
    """Add up what rounding and truncation allow."""
    bar = np.where(e.kind == SMOOTH, e.bar, e.side_bar)
    size = np.fmax(np.abs(analytic), np.abs(e.value))
    floor = RELATIVE * finite_part(size) + EPS64 * finite_part(e.scale)
    return np.asarray(SAFETY * bar + finite_part(slack) + floor + 4 * TINY)


def judge(analytic: Array, slack: Array, e: Estimate) -> Array:
    """Give each comparison its status.

    >>> from tinygrad_sp.testing.numeric import Estimate
    >>> e = Estimate.empty(2)
    >>> e.value[:], e.bar[:], e.kind[:], e.scale[:], e.span[:] = 2.0, 1e-9, SMOOTH, 1.0, 1.0
    >>> judge(np.array([2.0, 2.001]), np.zeros(2), e).tolist() == [RIGHT, WRONG]
    True
    """
    tol = tolerance(analytic, slack, e)
    good = np.abs(analytic - e.value) <= tol
    size = np.fmax(np.abs(analytic), np.abs(e.value))
    vague = (e.bar > 0.05 * size) & (e.bar > 1e-6 * e.span) & (e.span > 0)
    vague &= ~((e.value == 0) & (e.bar <= CONSTANT * e.eps))  # that is what a constant may do
    status = np.where(good, np.where(vague, UNSURE, RIGHT), WRONG)
    if not good.all():
        # Zero may be 1 - 1: rounding in the rule, in whose arithmetic the others of its terms are no smaller.
        lost = (analytic == 0) & (np.abs(e.value) <= 4 * e.eps * e.span)
        huge = np.isinf(analytic) & (np.abs(e.value) > 1e300)
        near = (e.bar > 0.05 * size) & (np.abs(analytic - e.value) <= 4 * tol)
        status = np.where((status == WRONG) & (lost | huge | near), UNSURE, status)
        # A function that never changes may be 1 - 1 too: log(exp(x) + 1) - x, whose terms have slopes of about 1.
        still = (e.value == 0) & (np.abs(analytic) <= 4 * e.eps * np.fmax(e.span, 1))
        status = np.where((status == WRONG) & still, RIGHT, status)
    if (e.kind == SMOOTH).all():
        return status
    low, high = np.fmin(e.left, e.right), np.fmax(e.left, e.right)
    between = (analytic >= low - tol) & (analytic <= high + tol)
    status = np.where(e.kind == KINK, np.where(between, RIGHT, WRONG), status)
    branch = (np.abs(analytic - e.left) <= tol) | (np.abs(analytic - e.right) <= tol)
    status = np.where(e.kind == JUMP, np.where(branch, RIGHT, UNSURE), status)
    same = np.isinf(analytic) & ((analytic == e.left) | (analytic == e.right))
    cusp = (e.left != e.right) & between
    status = np.where(e.kind == INFINITE, np.where(same | cusp, RIGHT, UNSURE), status)
    return np.where(e.kind == UNDEFINED, UNSURE, status)


def both_wrong(first: Entries, second: Entries) -> Array:
    """Confirm: wrong on two independent ladders that agree with each other; else undecided."""
    a, b = first.estimate, second.estimate
    agree = (np.abs(a.value - b.value) <= 4 * SAFETY * (a.bar + b.bar)) | (a.kind != SMOOTH)
    wrong = (first.status == WRONG) & (second.status == WRONG) & agree
    return np.where(first.status == WRONG, np.where(wrong, WRONG, UNSURE), first.status)


def join_entries(parts: list[Entries]) -> Entries:
    """Put comparisons one under another."""
    if len(parts) == 1:
        return parts[0]
    names = ("coordinate", "lane", "analytic", "slack", "status")
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    estimate = {f.name: np.concatenate([getattr(p.estimate, f.name) for p in parts]) for f in fields(Estimate)}
    return Entries(estimate=Estimate(**estimate), **joined)
