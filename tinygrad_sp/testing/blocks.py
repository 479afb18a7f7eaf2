"""Three ways to differentiate an input numerically, each as exact as its cost allows.

* *elementwise*: every output depends on its own element of the input only (found out by trying), so one
  ladder moves all elements at once and gives every derivative by itself;
* *columns*: few coordinates: a ladder each;
* *directions*: many: a few random directions through all of them, and a bisection when one disagrees.

The number of evaluations never grows with the size beyond `COLUMNS` coordinates.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compare import RIGHT, WRONG, Entries, both_wrong, join_entries, judge
from .derivatives import Derivatives
from .doubt import beside_larger, reconsider
from .numeric import (
    RATIO,
    Estimate,
    Samples,
    estimate,
    join,
    ladder,
    merge,
    plain,
    power_of_two,
)
from .precise import AFFORDABLE, Precise, coordinates, identical, signs
from .shorter import Shorter, shorter
from .ties import untie

Array = NDArray[Any]

COLUMNS = 24  # coordinates up to which each gets a ladder of its own
ALONE = 48  # ... of the only input
ROWS = 32  # outputs up to which each gets a cotangent of its own
DIRECTIONS = 3
CLOSE = 2.0**-10
MANTISSA = 0.8660254037844387


@dataclass
class Block:
    """A stretch of coordinates that is checked together, and how."""

    start: int
    stop: int
    mode: str
    per: int = 1  # coordinates per element
    entries: Any = None
    some: Array | None = None  # the lanes to look at, if not all


@dataclass
class Lanes:
    """What is compared of an elementwise block: lanes, and the coordinate that belongs to each."""

    block: Block
    part: int  # of a complex number
    coordinate: Array
    keep: Array
    shorter: dict[Any, Shorter | None] = field(default_factory=dict)  # the function of these only, by its precision


class Checker:
    """Compare the derivatives of one subject at one point."""

    def __init__(self, p: Precise, derivatives: Derivatives, rng: np.random.Generator) -> None:
        self.p, self.d, self.rng = p, derivatives, rng
        self.affordable = p.n <= 10 * AFFORDABLE  # otherwise fewer steps and directions
        self.whole = self.steps = ladder(p.work is np.longdouble)
        self.steps = self.whole if self.affordable else self.whole[1:12]
        self.finite = np.isfinite(p.f)
        self.noise = 0.0  # of the function, where it is more than the rounding of its results
        self.strict = (
            True  # whether the slope very near the point counts, not one farther out that agrees with the rule
        )
        self.patient = True  # whether to try other steps where the first say too little
        self.numbers = False  # whether the elements are points of a function of numbers
        self.unit = self._units()
        self._sums: tuple[Array, Array] | None = None

    def _units(self) -> Array:
        """Give the size of every coordinate: its own, or for zeros that of its neighbours.

        With a full mantissa: steps of few bits would add up exactly, and rounding would hide.
        """
        unit: Array = power_of_two(self.p.x) * self.p.x.dtype.type(MANTISSA)
        for start, stop in zip(self.p.edges[:-1], self.p.edges[1:], strict=True):
            part, zero = unit[start:stop], self.p.x[start:stop] == 0
            if zero.any():
                some = part[~zero]
                part[zero] = np.sort(some)[len(some) // 2] if some.size else MANTISSA
        return unit

    # -------------------------------------------------------------------------------- structure

    def blocks(self, detail: str = "auto") -> list[Block]:
        """Decide how each input is to be checked."""
        found = [
            Block(int(start), int(stop), "columns", 2 if array.dtype.kind == "c" else 1)
            for array, start, stop in zip(self.p.native, self.p.edges[:-1], self.p.edges[1:], strict=True)
            if start < stop
        ]
        alike = [b for b in found if self.alike(b)] if detail == "auto" else []
        if not self.by_element(alike):
            alike = [b for b in alike if len(alike) > 1 and self.by_element([b])]
        for b in alike:
            b.mode = "elementwise"
        for b in found:
            few = b.stop - b.start <= (ALONE if len(self.p.native) == 1 else COLUMNS)
            if b.mode != "elementwise" and not few and detail != "columns":
                b.mode = "directions"
        return found

    def alike(self, b: Block) -> bool:
        """Whether an input is of more than one element and has the shape of all outputs."""
        array = self.p.native[int(np.searchsorted(self.p.edges, b.start, side="right")) - 1]
        return bool(array.size > 1 and self.p.m and all(o.shape == array.shape for o in self.p.outputs))

    def by_element(self, blocks: list[Block]) -> bool:
        """Whether outputs depend on their own elements only: move half of the elements and look."""
        if not blocks:
            return False
        size = (blocks[0].stop - blocks[0].start) // blocks[0].per
        if size <= AFFORDABLE and not self.numbers:
            halves = _halves(size)
        else:
            halves = self.rng.integers(0, 2, (2, size)) == 1
        for mine in halves:
            there = self.p.x.copy()
            for k, b in enumerate(blocks):  # each by another factor: the difference of two that are equal stays 0
                part, moved = slice(b.start, b.stop), np.repeat(mine, b.per) if b.per > 1 else mine
                there[part] = np.where(moved, there[part] + self.unit[part] / (8 + 3 * k), there[part])
            if not identical(np.where(self.by_lane(mine), self.p.f, self.p.at(there)), self.p.f):
                return False
        return True

    def by_lane(self, each: Array) -> Array:
        """Give every lane what belongs to its element, for outputs of the input's shape."""
        parts = [np.repeat(each, 2) if o.dtype.kind == "c" else each for o in self.p.outputs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    # -------------------------------------------------------------------------------- elementwise

    def elementwise(self, blocks: list[Block], roughly: bool = False) -> None:
        """Compare every element of an elementwise function, from one ladder for each input.

        What then seems wrong is looked at again, unless ``roughly``.
        """
        if not blocks:
            return
        lanes = [a for b in blocks for a in self._lanes(b)]
        samples = _alike([self._element_samples(a, self.unit) for a in lanes])
        estimates = _parts_of(estimate(join(samples)), lanes)
        found = [self._element_entries(*each, roughly) for each in zip(lanes, samples, estimates, strict=True)]
        for b in blocks:
            b.entries = join_entries([e for a, e in zip(lanes, found, strict=True) if a.block is b])

    def _lanes(self, b: Block) -> list[Lanes]:
        """Say what is looked at one by one: all lanes, or of very many the extremes and a random share."""
        owner = self.by_lane(np.arange((b.stop - b.start) // b.per))
        keep = b.some
        if keep is None:
            keep = self._selected(b) if self.p.m > AFFORDABLE else np.arange(self.p.m)
        return [Lanes(b, q, b.start + owner[keep] * b.per + q, keep) for q in range(b.per)]

    def _element_entries(self, a: Lanes, s: Samples, e: Estimate, roughly: bool) -> Entries:
        """Compare what one ladder said, or others where that is too little or seems wrong."""
        e = self._sharp(a, e)
        analytic, slack = self.diagonal(a.block, a.part)[:, a.keep]
        first = Entries.of(a.coordinate, a.keep, analytic, slack, e)
        if not roughly and (first.status == WRONG).any():
            self.d.doubt()
            analytic, slack = self.diagonal(a.block, a.part)[:, a.keep]
            first = Entries.of(a.coordinate, a.keep, analytic, slack, e)
            known = {id(self.unit): s}
            reconsider(self, first, e, lambda c, unit: known.get(id(unit)) or c._element_samples(a, unit))
            second = estimate(self._element_samples(a, self.unit * 0.75))
            again = Entries.of(a.coordinate, a.keep, analytic, slack, second)
            first.status = both_wrong(first, again)
        if not (roughly or self.p.refused or self.p.work is np.longdouble) and (first.status != RIGHT).any():
            self._finer(a, first)
        return first

    def _finer(self, a: Lanes, first: Entries) -> None:
        """Look at what is not right in long double, if the function of these few elements alone is the same."""
        at = np.flatnonzero((first.status != RIGHT) & self.finite[a.keep])
        coordinate, unit = a.coordinate[at], self.unit.astype(np.longdouble)
        few = shorter(self.p, np.unique((coordinate - a.block.start) // a.block.per), self.unit) if at.size else None
        if few is None or (higher := few.p.raised()) is None:
            return
        few.p = higher
        u = np.zeros_like(unit)
        u[coordinate] = unit[coordinate]
        s = few.ladder(u, ladder(True), a.keep[at])
        s.unit = unit[coordinate]
        e = estimate(s)
        right = judge(first.analytic[at], first.slack[at], e) == RIGHT
        first.status[at[right]] = RIGHT
        for name, value in vars(e).items():
            getattr(first.estimate, name)[at[right]] = value[right]

    def _selected(self, b: Block) -> Array:
        """Choose some lanes of very many."""
        size = self.by_lane(np.abs(self.p.x[b.start : b.stop : b.per]))
        ends = np.argpartition(size, [500, size.size - 500])
        parts = [ends[:500], ends[-500:], self.rng.choice(size.size, 1000, replace=False)]
        for q in range(b.per):
            worst = np.nan_to_num(self._suspicion(b, q), nan=np.inf)
            parts.append(np.argpartition(worst, -2000)[-2000:])
        return np.unique(np.concatenate(parts))

    def _suspicion(self, b: Block, q: int) -> Array:
        """Say roughly how far each lane's derivative is from a difference quotient, to choose whom to look at."""
        u, part = np.zeros_like(self.p.x), slice(b.start + q, b.stop, b.per)
        u[part] = self.unit[part]
        unit = self.by_lane(self.unit[part])
        numeric = self.rough(self.p.x, u) / unit
        size = np.abs(numeric) + 1e-13 * np.abs(self.p.f) / np.abs(unit)
        return np.asarray(np.abs(self.diagonal(b, q)[0] - numeric) / (size + 1e-300), np.float64)

    def rough(self, x: Array, u: Array) -> Array:
        """Differentiate every lane along `u` with two steps, the nearer of them `CLOSE`."""
        coarse, fine = ((self.p.at(x + u * t) - self.p.at(x - u * t)) / 2 / t for t in (RATIO * CLOSE, CLOSE))
        return np.asarray(fine + (fine - coarse) / (RATIO**2 - 1))

    def diagonal(self, b: Block, q: int, pull: Any = None) -> Array:
        """Analytic derivatives of all lanes by their own elements, with slack: a cotangent per kind of lane."""
        pull = pull or self.d.pull
        found = np.zeros((2, self.p.m))
        part, at = slice(b.start + q, b.stop, b.per), 0
        for output in self.p.outputs:
            n = coordinates(output)
            for here in (slice(at + k, at + n, n // output.size) for k in range(n // output.size)):
                v = np.zeros(self.p.m)
                v[here] = self.p.asked[here]
                g, slack = pull(v)
                found[0, here] = g[part] / v[here]
                found[1, here] = slack[part] / np.abs(v[here])
            at += n
        found[:, ~self.finite] = 0
        return found

    def _signs(self, n: int) -> Array:
        return signs(n, self.rng)

    def _element_samples(self, a: Lanes, unit: Array) -> Samples:
        u = np.zeros_like(self.p.x)
        part = slice(a.block.start + a.part, a.block.stop, a.block.per)
        u[part] = unit[part]
        few = self._shorter(a)
        steps = self.steps if self.affordable or not few else self.whole  # of so few it costs nothing
        s = few.ladder(u, steps, a.keep) if few else self.p.ladder(u, steps, a.keep, alike=True)
        s.unit = unit[a.coordinate]
        return s

    def _shorter(self, a: Lanes) -> Shorter | None:
        """Get the function of the elements looked at, if they are few and it is the same function."""
        if a.keep.size > self.p.m // 2:
            return None
        if self.p.work not in a.shorter:
            elements = np.unique((a.coordinate - a.block.start) // a.block.per)
            a.shorter[self.p.work] = shorter(self.p, elements, self.unit.astype(self.p.x.dtype))
        return a.shorter[self.p.work]

    def _sharp(self, a: Lanes, e: Estimate) -> Estimate:
        """Climb other ladders where the one at the elements' own sizes said too little."""
        for unit in self._other_units(e, a.coordinate):
            e = merge(e, estimate(self._element_samples(a, unit)))
        return e

    def _other_units(self, e: Estimate, coordinate: Array) -> list[Array]:
        """Steps of size one for small elements, and much smaller ones for zeros and for what is still unsure."""
        poor, special = _poor(e), ~plain(e.kind) & (self.p.x[coordinate] != 0)
        if not (self.patient and (poor | special).any()):
            return []
        mine = coordinate[poor]
        bar, scale = e.bar[poor], np.fmax(e.scale[poor], 0)
        found = []
        dtype = self.p.x.dtype.type
        if (self.unit[mine] < 0.25).any():
            found.append(np.fmax(self.unit, dtype(MANTISSA)))
        unsure = ~(bar <= 1e-13 * np.fmax(scale, np.abs(e.value[poor])))
        if (unsure & (self.p.x[mine] == 0)).any():
            found.append(self.unit * dtype(2.0**-36))
        unsure &= ~(bar <= 1e-4 * np.abs(e.value[poor]))
        if unsure.any() or special.any():
            found.append(self.unit * dtype(2.0**-16 if self.p.work is np.longdouble else 2.0**-8))
        return found

    # -------------------------------------------------------------------------------- columns

    def columns(self, blocks: list[Block]) -> None:
        """Compare blocks coordinate by coordinate, every output (or a few random sums of outputs)."""
        if not blocks:
            return
        found = self.compared(np.concatenate([np.arange(b.start, b.stop) for b in blocks]))
        for b in blocks:
            mine = (found.coordinate >= b.start) & (found.coordinate < b.stop)
            b.entries = found if mine.all() else found.where(mine)

    def column(self, i: int, sure: bool = False) -> Entries:
        """Compare one coordinate; ``sure`` if another ladder said already that it is wrong."""
        return self.compared(np.array([i]), sure)

    def compared(self, which: Array, sure: bool = False) -> Entries:
        """Compare some coordinates, each by itself."""
        cotangents, names = self.cotangents()
        samples = self._column_samples(which, self.unit, cotangents, whole=not self.affordable)
        e = estimate(samples)
        e = self._sharper(which, cotangents, e)
        rows, lanes = np.repeat(which, len(names)), np.tile(names, which.size)
        first = Entries.of(rows, lanes, *self._pulled(which, cotangents), e)
        if (first.status == WRONG).any():
            self.d.doubt()
            first = Entries.of(rows, lanes, *self._pulled(which, cotangents), e)
        bad = np.flatnonzero((first.status == WRONG).reshape(which.size, -1).any(axis=1))
        if bad.size:
            known = {id(self.unit): samples.only(np.isin(samples.steps, self.steps))}
            reconsider(
                self, first, e, lambda c, unit: known.get(id(unit)) or c._column_samples(which, unit, cotangents)
            )
            if hasattr(self.p.subject.f, "gradient_of"):
                beside_larger(self, first, e, self.p.subject.f.gradient_of)
        if bad.size and not sure:
            second = self._columns(which[bad], self.unit * 0.75, cotangents)
            lanes = (bad[:, None] * len(names) + np.arange(len(names))).reshape(-1)
            old = first.where(lanes)
            again = Entries.of(old.coordinate, old.lane, old.analytic, old.slack, second)
            first.status[lanes] = both_wrong(old, again)
            untie(self, cotangents, first)
        return first

    def _pulled(self, which: Array, cotangents: Array) -> tuple[Array, Array]:
        """Analytic derivatives of every cotangent by every coordinate, coordinates first."""
        pulled = [self.d.pull(v) for v in cotangents]
        analytic, slack = (np.array([pair[k][which] for pair in pulled]).T.reshape(-1) for k in (0, 1))
        return analytic, slack

    def cotangents(self) -> tuple[Array, Array]:
        """One cotangent per output if they are few, else a sum, two random ones and a levelled one."""
        p = self.p
        if p.m <= ROWS:
            return np.eye(p.m)[self.finite], np.flatnonzero(self.finite)
        if self._sums is not None:  # a gradient of so many elements is not asked for anew
            return self._sums
        v = np.stack([np.ones(p.m), p.asked, self.rng.integers(-3, 4, p.m) / 2, self._levelled()])
        v[:, ~self.finite] = 0
        found = v, -1 - np.arange(len(v))
        self._sums = None if self.affordable else found
        return found

    def _levelled(self) -> Array:
        """Give a cotangent in which every output has an equal say, however little it moves."""
        there = self.p.at(self.p.x + self.unit / 256)
        change = np.abs((there - self.p.f).astype(np.float64))
        least = 1e7 * (self.p.eps * np.abs(self.p.f)).astype(np.float64)
        change = np.where(np.isfinite(change), np.fmax(change, least), 0)
        some = change[change > 0]
        typical = np.median(some) if some.size else 1.0
        weight = np.clip(typical / np.where(change > 0, change, typical), 1e-12, 1e12)
        return self._signs(self.p.m) * power_of_two(weight)

    def _columns(self, which: Array, unit: Array, cotangents: Array) -> Estimate:
        return estimate(self._column_samples(which, unit, cotangents))

    def _column_samples(self, which: Array, unit: Array, cotangents: Array, whole: bool = False) -> Samples:
        steps = self.whole if whole else self.steps  # a kink may be nearer than the smallest of a few
        each = self.p.m <= ROWS
        weights = None if each else cotangents
        return self.p.columns(which, unit, steps, np.flatnonzero(self.finite) if each else None, weights)

    def _sharper(self, which: Array, cotangents: Array, e: Estimate) -> Estimate:
        """Repeat with other steps those columns that came out poor."""
        if not self.affordable:
            return e
        width = len(cotangents)
        rows = np.repeat(which, width)
        for unit in self._other_units(e, rows):
            poor = _poor(e) | ~plain(e.kind)
            poor &= unit[rows] != self.unit[rows]
            columns = np.flatnonzero(poor.reshape(which.size, width).any(axis=1))
            if not columns.size:
                continue
            lanes = (columns[:, None] * width + np.arange(width)).reshape(-1)
            mixed = merge(_pick(e, lanes), self._columns(which[columns], unit, cotangents))
            for name in vars(mixed):
                getattr(e, name)[lanes] = getattr(mixed, name)
        return e


@cache
def _halves(size: int) -> Array:
    """Choose sets of elements, as few as can be, so that of any two elements some set has the one and not the other.

    >>> _halves(3).astype(int).tolist()
    [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    """
    count = next(k for k in itertools.count(1) if math.comb(k, k // 2) >= size)
    codes = np.arange(2**count, dtype=np.int32)
    bits = codes >> np.arange(count)[:, None] & 1 == 1
    mine: Array = bits[:, bits.sum(axis=0) == (count + 1) // 2]  # of as many bits, none includes another
    return mine[:, :size]


def _poor(e: Estimate) -> Array:
    """Which lanes other steps may tell more about."""
    return ~(e.bar <= 1e-7 * np.abs(e.value)) & (e.bar > 0) & plain(e.kind)


def _pick(e: Estimate, lanes: Array | slice) -> Estimate:
    return Estimate(**{name: value[lanes] for name, value in vars(e).items()})


def _alike(samples: list[Samples]) -> list[Samples]:
    """Keep the steps that all have."""
    least = min((s.steps for s in samples), key=len)
    return [s if len(s.steps) == len(least) else s.only(np.isin(s.steps, least)) for s in samples]


def _parts_of(e: Estimate, lanes: list[Lanes]) -> list[Estimate]:
    """Cut an estimate of the lanes of several blocks apart."""
    if len(lanes) == 1:
        return [e]
    edges = np.cumsum([0, *(a.keep.size for a in lanes)])
    return [_pick(e, slice(i, j)) for i, j in itertools.pairwise(edges.tolist())]
