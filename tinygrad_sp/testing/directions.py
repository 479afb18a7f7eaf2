"""Very many coordinates: a few random directions through all of them, and a bisection to what is wrong.

Each direction moves every element in proportion to its size, with random signs, so a single wrong element
among a million changes the directional derivative by far more than its error bar.  When one disagrees, the
element is found by halving: O(log n) evaluations.  Elements at a kink are set aside and judged by themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import DIRECTIONS, Block, Checker
from .compare import RIGHT, UNSURE, WRONG, Entries, both_wrong, join_entries
from .glance import agree, few, settled
from .numeric import KINK, estimate, ladder
from .precise import AFFORDABLE

Array = NDArray[Any]
Pull = Callable[[Array], tuple[Array, Array]]

NORM = 1e-12  # nothing is claimed below this share of what all elements contribute
SIZES = np.concatenate([np.arange(64, 128), -np.arange(64, 128)]) / 64  # many: two that move alike may be mistaken
VAGUE = 1e-8  # relative: bars of smooth functions are narrower
CLEAR = 100  # tolerances by which it must be off on such bars, where no element is found to be
ROUGHLY = 100  # times the rounding of the rule, where an op is passed over
QUICK = slice(7, 8)  # the step of a quick look
ALL, FEW = slice(None), slice(8, 14)  # steps: of those for a nearer look fewer, where each takes long
SHARES = (1024, 64)  # of the elements: how near the centre of gravity the wrong one is looked for
ASIDE = 6  # elements at kinks, or wrong, that are set aside before giving up


def directions(c: Checker, b: Block, samples: bool = True) -> Entries:
    """Compare directional derivatives through a block of coordinates."""
    found: list[Entries] = []
    zero = c.p.x[b.start : b.stop] == 0
    many = 2 if b.stop - b.start == c.p.n else 1  # of several inputs each has its own
    masks = [~zero] * ((DIRECTIONS if samples else 2) if c.affordable else many)
    if zero.any():
        masks = [zero, *masks] if (~zero).any() else [zero, zero]
    rows, names = some_rows(c)
    for k, mask in enumerate(masks):
        u = _direction(c, b, mask)
        u = np.abs(u) if k == 0 and mask is zero else u  # kinks are mostly at zeros: there no signs that cancel
        if not c.patient and (seen := at_a_glance(c, u, rows, names)):
            found.append(seen)
            continue
        near, e = c, compare(c, u, rows, names)
        if _vague(e):
            near = _nearer(c) or c
            e = compare(near, u, rows, names, ALL if c.affordable else FEW)
        found.append(e)
        if (e.status == WRONG).any():
            found[-1:] = _find(near, u, rows, names, e)
            break
        if near is not c and not c.affordable and mask is not zero:  # one took long enough
            break
    if samples and (b.stop - b.start) <= AFFORDABLE // 10 and not any((e.status == WRONG).any() for e in found):
        found.append(_samples(c, b))
    return join_entries(found)


def power(c: Checker, b: Block, e: Entries) -> Array:
    """Give the relative error in a single element that a direction would have shown, element by element."""
    v = np.ones(c.p.m)
    v[~c.finite] = 0
    g, _ = c.d.pull(v)
    share = np.abs(g[b.start : b.stop] * c.unit[b.start : b.stop].astype(np.float64))
    along = e.coordinate == -1
    seen = float(np.min(e.tolerance[along], initial=np.inf)) / share
    return np.asarray(seen[np.isfinite(seen)])


def _vague(e: Entries) -> bool:
    """Whether something is not right on bars that are wide: among very many elements there are kinks at every step."""
    return bool(((e.status != RIGHT) & _wide(e)).any())


def _wide(e: Entries) -> Array:
    size = np.fmax(np.abs(e.analytic), np.abs(e.estimate.value))
    return np.asarray(e.estimate.bar > VAGUE * size)


def _nearer(c: Checker) -> Checker | None:
    """Look in long double, on steps that are nearer than most kinks."""
    near = copy.copy(c)
    p = c.p.raised()
    if p is None:
        return None
    near.p, near.steps = p, ladder(True) * 2.0**-16
    near.whole = near.steps if c.affordable else near.steps[4:14]
    return near


def some_rows(c: Checker) -> tuple[Array, Array]:
    """Give a few cotangents, and their names."""
    rows, names = c.cotangents()
    return (rows, names) if len(rows) <= 4 else (rows[:4] if c.p.m > 32 else _mixed(c), -1 - np.arange(4))


def _mixed(c: Checker) -> Array:
    rows = np.stack([np.ones(c.p.m), c._signs(c.p.m), c._signs(c.p.m), c._levelled()])
    rows[:, ~c.finite] = 0
    return rows


def _direction(c: Checker, b: Block, mask: Array) -> Array:
    u: Array = np.zeros_like(c.p.x)
    r = c.rng.choice(SIZES, b.stop - b.start)
    u[b.start : b.stop] = np.where(mask, c.unit[b.start : b.stop] * r, 0)
    return u


def compare(c: Checker, u: Array, rows: Array, names: Array, some: slice = ALL, factor: float = 1.0) -> Entries:
    """Compare along one direction, at some steps, for a few sums of outputs; `factor` moves them, not the answer."""
    s = c.p.ladder(u * factor, c.steps[some], weights=rows)
    s.unit = s.unit * factor
    return Entries.of(np.full(len(rows), -1), names, *_pulled(c.d.pull, u, rows), estimate(s))


def at_a_glance(c: Checker, u: Array, rows: Array, names: Array) -> Entries | None:
    """Compare at a few steps: what is right there, if all is."""
    analytic, slack = _pulled(c.d.at_best, u, rows)
    value, right, *_ = agree(c.p.ladder(u, few(c), weights=rows), analytic)
    return settled(np.full(len(rows), -1), names, analytic, slack, value, right) if right.all() else None


def seems_right(c: Checker) -> bool:
    """Compare along one direction through everything, and for one sum of outputs, as finely as a few steps tell."""
    u, v = _direction(c, Block(0, c.p.n, "directions"), np.ones(c.p.n, bool)), c.p.asked[None]
    analytic, slack = _pulled(c.d.at_best, u, v)
    s = c.p.ladder(u, few(c), weights=v)
    rounding = 16 * (s.eps * s.size[-1] / s.far[-1]).astype(np.float64)
    return bool(agree(s, analytic, rounding + ROUGHLY * slack)[1].all())


def _pulled(pull: Pull, u: Array, rows: Array) -> tuple[Array, Array]:
    """Give the rule's derivatives along a direction, and how far rounding may put them off."""
    analytic, slack = np.empty(len(rows)), np.empty(len(rows))
    along = u.astype(np.float64)
    moved = along != 0
    for i, row in enumerate(rows):
        g, rounding = pull(row)
        parts = g[moved] * along[moved]
        analytic[i] = parts.sum()
        slack[i] = 2 * np.linalg.norm(rounding[moved] * along[moved]) + NORM * np.linalg.norm(parts)
    return analytic, slack


def _pursue(c: Checker, u: Array, rows: Array, names: Array, first: Entries) -> list[Entries]:
    """Find the elements more exactly, set aside those at kinks, and confirm what remains."""
    kept: list[Entries] = []
    u = u.copy()
    for _ in range(ASIDE):
        again = compare(c, u, rows, names, factor=0.75)
        wrong = both_wrong(first, again)
        if not (wrong == WRONG).any():
            first.status = wrong
            return [*kept, first]
        row = int(np.argmax(np.where(wrong == WRONG, first.excess, -1)))
        i = _locate(c, u, rows[row : row + 1], _off)
        one = c.column(i)
        kept.append(one)
        if not (one.status == WRONG).any() and not (one.estimate.kind == KINK).any():
            first.status = np.where((wrong == WRONG) & _wide(first) & (first.excess < CLEAR), UNSURE, wrong)
            return [*kept, first]
        u[i] = 0
        first = compare(c, u, rows, names)
        if not (first.status == WRONG).any():
            return [*kept, first]
    if not any((e.status == WRONG).any() for e in kept):  # nothing but kinks so far: who knows
        first.status = np.where(first.status == RIGHT, RIGHT, UNSURE)
    return [*kept, first]


def _find(c: Checker, u: Array, rows: Array, names: Array, first: Entries) -> list[Entries]:
    """A direction disagrees: look for one element by few evaluations; if it is wrong by itself, that is enough."""
    row = int(np.argmax(np.where(first.status == WRONG, first.excess, -1)))
    i = _locate(c, u, rows[row : row + 1], _roughly_off)
    one = c.column(i, sure=not c.affordable)
    if (one.status == WRONG).any():
        return [one, first]
    return _pursue(c, u, rows, names, first)


def _locate(c: Checker, u: Array, row: Array, off: Callable[[Checker, Array, Array], float]) -> int:
    """Find one coordinate that disagrees.

    A ramp of weights over the coordinates says where a single wrong one is, as a centre of gravity; where that
    does not hold (several are wrong), the direction is halved and the half kept that disagrees more.
    """
    active = np.flatnonzero(u)
    total = off(c, u, row)
    while active.size > 1:
        near = _around(c, u, row, active, total, off) if active.size > 8 else None
        if near is not None:
            active, total = near
            continue
        half = active[: active.size // 2]
        part = np.zeros_like(u)
        part[half] = u[half]
        here = off(c, part, row)
        rest = total - here
        if not abs(here) < abs(rest):
            active, total = half, here
        else:
            active, total = active[active.size // 2 :], rest
    return int(active[0])


def _around(c: Checker, u: Array, row: Array, active: Array, total: float, off: Any) -> tuple[Array, float] | None:
    """Cut out the neighbourhood of the centre of gravity of the disagreement, if all of it is there."""
    ramp = np.zeros_like(u)
    ramp[active] = u[active] * np.linspace(0.5, 1, active.size).astype(u.dtype)
    weighed = off(c, ramp, row)
    if not (np.isfinite(total) and np.isfinite(weighed) and total):
        return None
    place = (weighed / total - 0.5) * 2 * (active.size - 1)
    for share in SHARES:
        width = max(active.size // share, 2)
        if not -width < place < active.size + width:
            continue
        some = active[max(int(place) - width, 0) : int(place) + width]
        part = np.zeros_like(u)
        part[some] = u[some]
        inside = off(c, part, row) if some.size else 0.0
        if abs(inside - total) < 0.2 * abs(total):
            return some, inside
    return None


def _off(c: Checker, u: Array, row: Array) -> float:
    """Say by how much the rule is off along a direction."""
    e = compare(c, u, row, np.array([-1]), slice(3, 9))
    off = float(e.analytic[0] - e.estimate.value[0])
    return off if np.isfinite(off) else np.inf


def _roughly_off(c: Checker, u: Array, row: Array) -> float:
    """Say so by one central difference: two evaluations."""
    s = c.p.ladder(u, c.steps[QUICK], weights=row)
    numeric = float((s.plus - s.minus)[0, 0] / (2 * s.steps[0]))
    off = float(c.d.pull(row[0])[0] @ u.astype(np.float64)) - numeric
    return off if np.isfinite(off) else np.inf


def _samples(c: Checker, b: Block) -> Entries:
    """Look at a few single coordinates as well: the extremes, where sums would hide an error."""
    v = np.ones(c.p.m)
    v[~c.finite] = 0
    g = np.abs(c.d.pull(v)[0][b.start : b.stop])
    x = np.abs(c.p.x[b.start : b.stop])
    some = {0, b.stop - b.start - 1, *map(int, (g.argmin(), g.argmax(), x.argmin(), x.argmax()))}
    return join_entries([c.column(b.start + i) for i in sorted(some)])
