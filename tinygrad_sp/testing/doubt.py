"""A second look at what seems wrong: maybe it is the function's rounding, and not the derivative.

A feature of the function itself (a step, a kink) is there in every precision.  Rounding is not: in a lower
precision it is coarser.  So a lane that is flat, or has one slope near and another farther out, is evaluated
in the next lower precision; if that moves the feature, the near samples say nothing about the derivative.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compare import SAFETY, UNSURE, WRONG, Entries, judge
from .numeric import RATIO, SMOOTH, Estimate, Samples, estimate, noise_of

Array = NDArray[Any]
Again = Callable[[Any, Array], Samples]  # (checker, unit) -> samples of the same lanes

# Far out, from one power of four to the next; and farther, where even there nothing has moved.
FACTORS = tuple(64 * RATIO ** (-k / 8) for k in range(8)) + tuple(64 * RATIO**k for k in range(1, 10))
MANY = 200  # leaps from which a staircase may be a number format's: float16 has 512 numbers between 1 and 1.5
LADDERS = 16  # ... and how many more there may be
SAME = 0.01  # relative: leaps of two precisions that are of the function itself
FAR = 2.0**-16  # steps at least this large look past the near samples


def reconsider(c: Any, first: Entries, e: Estimate, again: Again) -> None:
    """Judge lanes that seem wrong once more, knowing what rounding does in a lower precision if f takes one."""
    wrong = (first.status == WRONG) & (e.kind == SMOOTH)
    if not wrong.any():
        return
    low = _lower(c)
    flat = wrong & (e.value == 0)
    if flat.any():
        if low:
            _flat(c, low, flat, e, again)
        first.status = judge(first.analytic, first.slack, e)
        stairs = flat & (first.status == WRONG) & _on_stairs(again(c, c.unit), e.quantum, first.analytic)
        first.status = np.where(stairs, UNSURE, first.status)
    wrong = (first.status == WRONG) & (e.kind == SMOOTH)
    if wrong.any():
        _two_slopes(c, low, wrong, first, e, again)
    grain = (e.quantum > 0) & (e.roughness > 16 * e.eps)  # coarser than the outputs' own digits
    grainy = (first.status == WRONG) & grain & (e.value != 0) & (first.analytic == 0)
    first.status = np.where(grainy, UNSURE, first.status)  # a fine staircase, or float32 inside? who knows


def _lower(c: Any) -> Any:
    """Make the same check in the next lower precision, if the function takes that."""
    p = c.p.lowered()
    if p is None:
        return None
    low = copy.copy(c)
    low.p = p
    if not c.affordable:  # in float32 there is nothing to see at the smallest steps
        low.steps = c.steps[:8]
    return low


def _flat(c: Any, low: Any, flat: Array, e: Estimate, again: Again) -> None:
    """Widen the bars of lanes that are flat only because their slope is below their rounding.

    The ladder that saw most doesn't count: it may have met the rounding of a last factor instead of that of terms
    before it.
    """
    reaches: list[Array] = []
    for unit in _farther(c.unit):
        high = estimate(again(c, unit))
        steps = estimate(again(low, unit.astype(low.p.x.dtype))).quantum
        apart = np.abs(steps - high.quantum) > SAME * high.quantum  # leaps of rounding are smaller by powers of ten
        reaches.append(np.where(flat & (high.quantum > 0) & apart, high.reach, np.inf))
    least, second = np.sort(reaches, axis=0)[:2]
    reach = np.where(np.isfinite(second), second, least)
    e.bar = np.where(np.isfinite(reach), np.fmax(e.bar, reach), e.bar)


def _farther(unit: Array) -> Iterator[Array]:
    """Give larger and larger steps, at last as large as the largest element: it may be what hides the small ones."""
    yield from (unit * factor for factor in FACTORS)
    most, factor = unit.max(), FACTORS[-1]
    for _ in range(LADDERS):
        if unit.min() * factor > most:
            return
        factor *= RATIO**12
        yield np.fmin(unit * factor, np.fmax(most, unit))


def _on_stairs(s: Samples, quantum: Array, slope: Array) -> Array:
    """Whether a flat lane is on one of very many stairs that rise as the rule says: float16 inside, or a fine grid."""
    clear = np.fmin(np.abs(s.plus), np.abs(s.minus)) > 16 * quantum
    many = (s.change > MANY * quantum).any(axis=0) & (quantum > 0)
    rise = np.where(clear, ((s.plus - s.minus) / (2 * s.far)).astype(np.float64), np.nan)
    low, high = np.fmin.reduce(rise, axis=0), np.fmax.reduce(rise, axis=0)
    return np.asarray(many & (slope > low - 0.1 * np.abs(low)) & (slope < high + 0.1 * np.abs(high)))


def _two_slopes(c: Any, low: Any, wrong: Array, first: Entries, e: Estimate, again: Again) -> None:
    """Believe the far slope where the near one moves with the precision (`x log(1 + exp(x))` at -30)."""
    near = again(c, c.unit)
    far = estimate(near.only(near.steps >= FAR * min(1.0, RATIO * near.steps[0])))
    tol = SAFETY * far.bar + first.slack + 1e-9 * np.abs(far.value)
    fits = wrong & (np.abs(first.analytic - far.value) <= tol)
    moved = fits & (not c.strict)
    if low:
        moved |= _moves(near, again(low, c.unit.astype(low.p.x.dtype)), far.value)
    for name in ("value", "bar"):
        setattr(e, name, np.where(fits & moved, getattr(far, name), getattr(e, name)))
    e.bar = np.where(fits & moved, np.fmax(e.bar, tol / SAFETY), e.bar)
    status = judge(first.analytic, first.slack, e)
    first.status = np.where(wrong, np.where((status == WRONG) & moved, UNSURE, status), first.status)


def beside_larger(c: Any, first: Entries, e: Estimate, of: float) -> None:
    """Decide nothing about a gradient's element below the rounding of its terms: they may be as large as the others.

    The gradient is that of results up to ``of``.  A softmax of 0 beside 60 gives 1, of whose derivative 1 - 1 is left;
    the rule's derivative of that is exact nevertheless.
    """
    unit = np.abs(c.unit).astype(np.float64)
    inner = np.where(first.lane >= 0, of / unit[first.lane], 0.0)  # a lane is what an input of the same number gets
    terms = np.fmax(np.max(np.abs(c.p.f[c.finite]), initial=0.0), inner)
    hidden = np.abs(first.analytic - e.value) * unit[first.coordinate] <= 4 * e.eps * terms
    first.status = np.where((first.status == WRONG) & hidden, UNSURE, first.status)


def _moves(high: Samples, low: Samples, slope: Array) -> Array:
    """Whether the slopes at some step differ between two precisions by more than noise."""
    noise, *_ = noise_of(low)
    high, both = high.only(np.isin(high.steps, low.steps)), np.isin(low.steps, high.steps)
    low, noise = low.only(both), noise[both]
    slopes, others = ((s.plus - s.minus) / (2 * s.far) for s in (high, low))
    allowed = 20 * np.abs(noise / low.far) + 1e-3 * np.abs(slope) + SAME * np.abs(slopes)
    apart = np.abs((slopes - others).astype(np.float64))
    close = (high.steps < 0.1) & (high.steps > RATIO**-16)
    return np.asarray((apart > allowed.astype(np.float64))[close].any(axis=0))
