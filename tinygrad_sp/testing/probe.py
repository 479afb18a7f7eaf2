"""Points the user did not give: a rule may be wrong only beyond a threshold.

Where the function works element by element (or is a sum of such), other points mean nothing but other values,
so a few dozen are tried: around zero, around the inputs, between.  Elsewhere only a point near the given
one is tried, for inputs may have to fit together (a covariance, a sorted axis).  With ``domain=`` the user says
where to look, and it is looked there whatever the function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import points as choose
from .blocks import Block, Checker
from .compare import UNSURE, WRONG, Entries, join_entries
from .derivatives import Derivatives
from .directions import at_a_glance, directions, some_rows
from .endless import may_not_end
from .findings import row
from .glance import glance
from .numeric import EPS64, SMOOTH, ladder
from .places import displaced
from .precise import AFFORDABLE, Precise, cast, lanes_of, split
from .subject import theirs

Array = NDArray[Any]

CORNERS = (0.95, 0.05, 0.7)  # of the way from end to end, for all elements at once: sums are large there
DRAWN = 12
ROUNDS = 24  # of values that are tried in the place of the given ones
BATCH, BATCHES = 8, 2  # wrong ones that are looked at again at once, and how often
STEP = 2.0**-16  # relative
SEEMS = 1e-5  # relative: what differences of such steps tell for sure
CLEAR = 10  # tolerances by which a rule must be off where nobody asked
ROUNDED = 1e-8  # relative errors that are nobody's question
UNTRIED = "not all other points could be tried"
STAIRS = 1e4  # values from which a staircase may look smooth


def elsewhere(c: Checker, report: Any, domain: Any) -> None:
    """Try other points, and report those at which the derivative is wrong."""
    explicit = domain != "auto" if isinstance(domain, str) else True
    if c.p.n > AFFORDABLE and not explicit:
        return
    intervals = choose.intervals(c, domain) if explicit else None
    if _each(c, report, intervals):
        if intervals is None:
            _nearby(c, report)
        return
    if explicit:
        assert intervals is not None
        for corner in (*CORNERS, *[None] * DRAWN):
            if not report.wrong:
                _point(c, report, choose.drawn(c, intervals, corner), asked=True)
    elif c.p.n <= AFFORDABLE // 4:
        _point(c, report, choose.near(c))
        if c.p.m == 1 and c.p.n > 1 and _separable(c, 0, c.p.n) and _stretched(c, report):
            return
        for k, array in enumerate(c.p.native if any(a.ndim for a in c.p.native) else ()):
            if not report.wrong and array.dtype.kind == "f" and array.size and _separable(c, *c.p.edges[k : k + 2]):
                _within_shape(c, report, k)


def _nearby(c: Checker, report: Any) -> None:
    """Look at a point near the given one, where a rule may answer with what it kept of that."""
    if _remembered(c):
        _point(c, report, choose.near(c))
    elif c.p.n > 2:
        _point(c, report, choose.beside(c))


def _remembered(c: Checker) -> bool:
    """Whether the gradient is the same at another point, though the function is not straight on the way there.

    The rule may have kept what it found at the first point of this shape.
    """
    if not c.p.one_gradient:
        return False
    if np.array_equal(x := c.p.x, there := choose.near(c)):
        return False
    arrays = split(there, c.p.inputs)
    v = np.where(c.finite, 1.0, 0.0)
    here, (other, _) = c.d.best, c.d.pull(v)
    found = c.p.subject.pull([cast(a, here.dtype) for a in arrays], here.cotangents(v))
    if any(g is None for g in found) or not np.array_equal(lanes_of(found).astype(np.float64), other):
        return False
    rise = (c.p.at(there) - c.p.f) @ v
    along = other @ (there - x).astype(np.float64)
    return bool(abs(rise - along) > 1e-9 * (abs(along) + np.abs(c.p.f[c.finite]).max(initial=0.0)))


def _each(c: Checker, report: Any, intervals: list[tuple[float, float]] | None) -> bool:
    """Try many points at once if the function takes any array and works element by element."""
    arrays = c.p.native
    if any(a.shape != arrays[0].shape for a in arrays) or any(o.shape != arrays[0].shape for o in c.p.outputs):
        return False
    if any(a.dtype.kind == "c" for a in arrays) or c.p.subject.given or not arrays[0].size:
        return False
    usual = [choose.values(c, k, intervals[k] if intervals else None) for k in range(len(arrays))]
    points = usual if intervals else [np.concatenate([v, *choose.extremes(c)]) for v in usual]
    if len(points) == 1:  # several inputs meet in other ways when their points come again; one says no more
        points = [np.array(sorted({*points[0].tolist()}))]
    points = [c.rng.permutation(v) for v in points]
    points = [np.resize(v, -(-v.size // 8) * 8) for v in points] if arrays[0].ndim > 1 else points
    shape = (-1,) if arrays[0].ndim < 2 else (8, -1)
    points = [v.reshape(shape).astype(a.dtype) for v, a in zip(points, arrays, strict=True)]
    if _tried(c, report, points, intervals is not None):
        return True
    if intervals or any(a.ndim for a in (*arrays, *c.p.outputs)):
        return False
    if not c.p.stacks and any(map(may_not_end, c.p.subject.functions)):
        return False
    _singly(c, report)
    return True


def _singly(c: Checker, report: Any) -> None:
    """Look roughly at some numbers, one by one, and closely where a derivative seems wrong."""
    points = [choose.few(c) for _ in c.p.native]
    for x in np.stack(points, axis=-1).astype(c.p.x.dtype):
        if not report.wrong and _seems_wrong(c, x):
            _point(c, report, x)


def _seems_wrong(c: Checker, x: Array) -> bool:
    """Compare with a difference of one step, of every coordinate; False where something raises."""
    side, v = c.d.best, np.where(c.finite, 1.0, 0.0)
    arrays = [cast(a, side.dtype) for a in split(x, c.p.inputs)]
    try:
        found = lanes_of([np.asarray(g, float) for g in c.p.subject.pull(arrays, side.cotangents(v))])
    except Exception:
        return False
    for i, step in enumerate(STEP * np.where(x == 0, 1, np.fmax(np.abs(x), 1e-3))):
        u = np.where(np.arange(x.size) == i, step, 0)
        above, below = c.p.at(x + u), c.p.at(x - u)
        slope, rounding = (above - below) @ v / (2 * step), EPS64 * np.abs(above) @ v / step
        if np.abs(found[i] - slope) > SEEMS * np.fmax(np.abs(found[i]), np.abs(slope)) + 64 * rounding:
            return True
    return False


def _tried(c: Checker, report: Any, points: list[Array], asked: bool) -> bool:
    """Compare at many points at once; say whether that was possible."""
    try:
        other = _another(c, points, asked)
        blocks = _every(c, other) if other else []
        if not other or any(b.mode != "elementwise" for b in blocks):
            return False
        entries = _by_element(other, blocks)
        problem = displaced(other) if c.p.native[0].ndim else None
    except Exception as error:
        _failed(report, error)
        return False
    _note(c, *_as_given(c, other, entries, asked), report, asked)
    report.problems += [problem] if problem else []
    return True


def _failed(report: Any, error: Exception) -> None:
    """Say so if it is not what is under test that refuses other points."""
    if not theirs(error):
        report.notes.append(f"{UNTRIED}: {type(error).__name__}: {error}")


def _every(c: Checker, other: Checker) -> list[Block]:
    """Say how each input is to be checked: points of a function of numbers were seen not to meddle with each other."""
    if not (other.numbers and c.p.stacks):
        return other.blocks()
    return [Block(int(i), int(j), "elementwise") for i, j in itertools.pairwise(other.p.edges)]


def _by_element(c: Checker, blocks: list[Block]) -> Entries:
    """Compare every finite element at a glance, what that leaves open on a short ladder, what is wrong there fully."""
    found, open_ = _sorted(list(zip(blocks, glance(c, blocks), strict=True)), UNSURE)
    if open_:
        c.elementwise(open_, roughly=True)
        more, wrong = _sorted([(b, b.entries) for b in open_], WRONG)
        found += more
        if wrong:
            _in_earnest(c)
            c.elementwise(wrong)
            found += [b.entries for b in wrong]
    return join_entries(found)


def _sorted(compared: list[tuple[Block, Entries]], status: int) -> tuple[list[Entries], list[Block]]:
    """Give what is settled; and what has the status, as blocks with these lanes only."""
    again = [replace(b, some=e.lane[e.status == status]) for b, e in compared]
    return [e.where(e.status != status) for _, e in compared], [b for b in again if b.some is not None and b.some.size]


def _another(c: Checker, arrays: list[Array], asked: bool = False) -> Checker | None:
    """Make the same check at other inputs."""
    import copy

    subject = copy.copy(c.p.subject)
    subject.leaves = [copy.copy(leaf) for leaf in subject.leaves]
    subject.varied = [leaf for leaf, old in zip(subject.leaves, c.p.subject.leaves, strict=True) if old.varied]
    for leaf, array in zip(subject.varied, arrays, strict=True):
        number = not (array.ndim or leaf.tensor or isinstance(leaf.value, np.ndarray))
        leaf.value, leaf.tensor = array[()] if number else array, False
    subject.evaluations = subject.pulls = 0
    subject.__dict__.pop("_like", None)
    subject.inputs = subject.arguments(arrays)
    p = Precise(subject, c.rng)
    if not np.isfinite(p.f).any():
        return None
    p.best.pull(p.asked)  # raises now if the rule does not take such arrays
    numbers = not any(a.ndim for a in c.p.native)  # if nothing seems wrong, the rule's rounding need not be known
    other = Checker(p, Derivatives(p, measured=not numbers), c.rng)
    other.patient, other.strict, other.numbers = False, asked, numbers
    other.steps = other.steps[1 : 12 if numbers else 14]  # a shorter ladder: what is rough there need not be resolved
    return other


def _point(c: Checker, report: Any, x: Array, asked: bool = False, among: Block | None = None) -> None:
    """Check along a few directions, or one input in its own way, at another point."""
    try:
        arrays = [a.astype(n.dtype) for a, n in zip(split(x, c.p.inputs), c.p.native, strict=True)]
        other = _another(c, arrays, asked=asked)
        if other is None or other.p.m != c.p.m:
            return
        block = among or Block(0, other.p.n, "directions" if other.p.n > 1 else "columns")
        entries = _block(other, block)
    except Exception as error:
        _failed(report, error)
        return
    _note(c, other, entries, report, asked, among is None)


def _block(c: Checker, block: Block) -> Entries:
    """Compare one input in its own way."""
    if block.mode == "elementwise":
        return _by_element(c, [block])
    if block.mode == "directions":
        return _confirmed(c, lambda: directions(c, block, samples=False))
    along = np.where(np.arange(c.p.n) == block.start, c.unit, 0)
    return at_a_glance(c, along, *some_rows(c)) or _confirmed(c, lambda: c.column(block.start))


def _within_shape(c: Checker, report: Any, k: int) -> None:
    """Try other values of one input, a few at a time: nothing else may fit another length."""
    start, stop = map(int, c.p.edges[k : k + 2])
    n, block = stop - start, Block(start, stop, "elementwise")
    if not (c.alike(block) and c.by_element([block])):
        block.mode = "directions" if n > 1 else "columns"
    whole, *others = choose.extremes(c)
    usual = np.unique(np.concatenate([choose.values(c, k, None), whole]))
    usual = c.rng.permutation(usual[:: -(-usual.size // (ROUNDS * n))])  # of all sizes, however few
    groups = [usual[i : i + n] for i in range(0, usual.size, n)]
    for some in (*groups, *others):  # the others by themselves: a sum of large terms hides small ones
        x = c.p.x.copy()
        x[start:stop] = np.resize(c.rng.permutation(some), n)
        _point(c, report, x, among=block)


def _confirmed(other: Checker, compare: Callable[[], Entries]) -> Entries:
    """Compare on the short ladder; if something seems wrong, on the whole one."""
    entries = compare()
    if (entries.status == WRONG).any():
        _in_earnest(other)
        entries = compare()
    return entries


def _in_earnest(other: Checker) -> None:
    """Use the whole ladder from now on, and others where that says too little."""
    other.patient, other.steps = True, ladder(other.p.work is np.longdouble)


def _as_given(c: Checker, other: Checker, entries: Entries, asked: bool) -> tuple[Checker, Entries]:
    """Look at what is wrong once more, in arrays of the given shapes: a rule may be meant for one length only."""
    if [a.shape for a in other.p.native] == [a.shape for a in c.p.native]:
        return other, entries
    single = np.flatnonzero(_wrong(c, other, entries, asked) & (entries.coordinate >= 0))
    if not single.size:
        return other, entries
    worst = single[np.argsort(-np.nan_to_num(entries.excess[single], nan=np.inf), kind="stable")]
    places = list(dict.fromkeys((entries.coordinate[worst] % other.p.native[0].size).tolist()))
    count = min(c.p.native[0].size, BATCH)
    for some in (places[i : i + count] for i in range(0, len(places), count)[:BATCHES]):
        arrays = [a.copy() for a in c.p.native]
        for array, values in zip(arrays, other.p.native, strict=True):
            array.reshape(-1)[: len(some)] = values.reshape(-1)[some]
        there = _another(c, arrays, asked=asked)
        if there is None:
            continue
        which = (c.p.edges[:-1, None] + np.arange(len(some))).reshape(-1)
        again = _confirmed(there, partial(there.compared, which))
        if (again.status == WRONG).any():
            return there, again
    return other, entries.where(entries.status != WRONG)


def _wrong(c: Checker, other: Checker, entries: Entries, asked: bool, still: bool = True) -> Array:
    bad: Array = entries.status == WRONG
    if bad.any() and not asked:
        bad &= _clear(c, other, entries, still)
    return bad


def _note(c: Checker, other: Checker, entries: Entries, report: Any, asked: bool, still: bool = True) -> None:
    """Add what is wrong elsewhere to the report (also where f stands still); what is undecided is nobody's question."""
    report.probed += entries.status.size
    c.p.subject.evaluations += other.p.subject.evaluations
    c.p.subject.pulls += other.p.subject.pulls
    wrong = np.flatnonzero(_wrong(c, other, entries, asked, still))
    if not wrong.size:
        return
    report.wrong += wrong.size
    report.compared += entries.status.size
    order = wrong[np.argsort(-np.nan_to_num(entries.excess[wrong], nan=np.inf))]
    for i in order[:4]:
        found = row(other, entries, int(i))
        at = int(entries.coordinate[i])
        name = found.where.split("[")[0]
        found.where = f"{name} = {float(other.p.x[at]):.6g}" if at >= 0 else "another point"
        report.rows.append(found)
    report.rows.sort(key=lambda r: r.status != "wrong")
    note = "wrong at points that were not given (domain=None looks at the given point only)"
    report.notes += [] if note in report.notes else [note]


def _clear(c: Checker, other: Checker, entries: Entries, still: bool = True) -> Array:
    """Say what is worth reporting where nobody asked to look.

    A NaN is let pass (the rule may never have been meant for there), kinks are, and so is what happens to functions
    as large as their arithmetic has digits, or as small as their noise at the given point; unless ``still``, where
    the function does not change at all (a table beyond its ends).
    """
    e, single = entries.estimate, entries.coordinate >= 0
    off = np.abs(entries.analytic - e.value)
    size = np.abs(other.p.f.astype(np.float64))
    size = np.where(entries.lane >= 0, size[np.maximum(entries.lane, 0)], np.max(size, initial=0.0))
    good = (e.kind == SMOOTH) & np.isfinite(entries.analytic)
    good &= (entries.excess > CLEAR) & (off > ROUNDED * np.abs(e.value)) & ~(e.roughness > 1e-3)
    good &= ~((entries.analytic == 0) & ((size > STAIRS) | (np.abs(e.value) < 4 * e.eps)))  # zero may be 1 - 1
    good &= np.fmax(np.abs(entries.analytic), np.abs(e.value)) * e.far >= 64 * c.noise
    good &= ~((c.noise > 0) & (e.value == 0) & (e.quantum > 0))
    good &= np.isfinite(lanes_of(other.p.out))[entries.lane] | (entries.lane < 0)  # long double goes farther
    good &= still | (e.value != 0) | ~single
    if single.any():  # a direction is wrong only if the element that was located is
        good &= single | (good & single).any()
    return np.asarray(good)


def _separable(c: Checker, start: int, stop: int) -> bool:
    """Whether the function is a sum over these elements: moving two halves adds up."""
    half, mine = c.rng.permutation(c.p.n) % 2 == 0, np.zeros(c.p.n, bool)
    mine[start:stop] = True
    a, b = np.where(mine & half, c.unit / 8, 0), np.where(mine & ~half, c.unit / 8, 0)
    x, f = c.p.x, c.p.f
    fa, fb, fab = c.p.at(x + a), c.p.at(x + b), c.p.at(x + a + b)
    moved = np.abs(fa - f) + np.abs(fb - f)
    bar = 64 * c.p.eps * (np.abs(f) + np.abs(fa) + np.abs(fb) + np.abs(fab)) * np.sqrt(c.p.n)
    off = np.abs(fab - fa - fb + f)
    return bool(np.all((off <= bar) | ~c.finite) and np.any(moved > 100 * bar))


def _stretched(c: Checker, report: Any) -> bool:
    """Try many points at once where a sum over elements takes vectors of any length."""
    arrays = c.p.native
    if any(a.ndim != 1 or a.dtype.kind == "c" or a.shape != arrays[0].shape for a in arrays):
        return False
    if not all(leaf.varied for leaf in c.p.subject.leaves):  # something else may have to fit
        return False
    whole, *others = choose.extremes(c)
    usual = [np.concatenate([choose.values(c, k, None), whole]) for k in range(len(arrays))]
    usual = [np.unique(v) for v in usual] if len(usual) == 1 else usual  # equals may be ties
    if not _summed(c, report, [c.rng.permutation(v) for v in usual], True):
        return False
    for some in others:  # a sum of large terms hides the small ones
        if not (report.wrong or report.problems):
            _summed(c, report, [c.rng.permutation(some) for _ in arrays])
    return True


def _summed(c: Checker, report: Any, points: list[Array], move: bool = False) -> bool:
    """Compare at a vector of other points (and move them); say whether that was possible."""
    try:
        other = _another(c, [v.astype(a.dtype) for v, a in zip(points, c.p.native, strict=True)])
    except Exception as error:
        _failed(report, error)
        return False
    if other is None or not other.finite.all() or not np.isfinite(other.d.pull(other.p.asked)[0]).all():
        return False
    if not _separable(other, 0, other.p.n):  # a median, say: a sum only nearby
        return False
    block = Block(0, other.p.n, "directions")
    entries = _block(other, block)
    _note(c, *_as_given(c, other, entries, False), report, False)
    problem = displaced(other) if move and not report.wrong else None
    report.problems += [problem] if problem else []
    return True
