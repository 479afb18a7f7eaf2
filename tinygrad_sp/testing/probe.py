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

from .blocks import Block, Checker
from .compare import UNSURE, WRONG, Entries, join_entries
from .derivatives import Derivatives
from .directions import at_a_glance, directions, some_rows
from .endless import may_not_end
from .findings import row
from .glance import glance
from .numeric import EPS64, SMOOTH, ladder, median
from .places import displaced
from .precise import AFFORDABLE, Precise, cast, lanes_of, split

Array = NDArray[Any]

ORDINARY = 0.3 * 1.11 ** np.arange(31)  # to 7, so near that no knee is missed
MAGNITUDES = (1e-3, 0.03, 0.1, *ORDINARY, 9.0, 12.0, 17.0, 22.0, 27.0, 33.0, 40.0)
TINY = (1e-9, 1e-7, 1e-5, 1e-4)
LARGE = ((70.0, 150.0), (500.0, 2e3, 1e4))
WHOLE = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)  # taken as they are: a rule may be wrong at whole numbers only
POINTS = 64  # at least
CORNERS = (0.95, 0.05, 0.7)  # of the way from end to end, for all elements at once: sums are large there
DRAWN = 12
ROUNDS = 24  # of values that are tried in the place of the given ones
BATCH, BATCHES = 8, 2  # wrong ones that are looked at again at once, and how often
SINGLY = (0.03, 0.4, 1.3, 3.0, 6.0, 13.0, 20.0, 29.0)  # for functions that take numbers only, one by one
STEP = 2.0**-16  # relative
SEEMS = 1e-5  # relative: what differences of such steps tell for sure
CLEAR = 10  # tolerances by which a rule must be off where nobody asked
ROUNDED = 1e-8  # relative errors that are nobody's question
STAIRS = 1e4  # values from which a staircase may look smooth


def elsewhere(c: Checker, report: Any, domain: Any) -> None:
    """Try other points, and report those at which the derivative is wrong."""
    explicit = domain != "auto" if isinstance(domain, str) else True
    if c.p.n > AFFORDABLE and not explicit:
        return
    intervals = _intervals(c, domain) if explicit else None
    if _each(c, report, intervals):
        if intervals is None and _remembered(c):
            _point(c, report, _near(c))
        return
    if explicit:
        assert intervals is not None
        for corner in (*CORNERS, *[None] * DRAWN):
            if not report.wrong:
                _point(c, report, _drawn(c, intervals, corner), asked=True)
    elif c.p.n <= AFFORDABLE // 4:
        _point(c, report, _near(c))
        if c.p.m == 1 and c.p.n > 1 and _separable(c, 0, c.p.n) and _stretched(c, report):
            return
        for k, array in enumerate(c.p.native if any(a.ndim for a in c.p.native) else ()):
            if not report.wrong and array.dtype.kind == "f" and array.size and _separable(c, *c.p.edges[k : k + 2]):
                _within_shape(c, report, k)


def _near(c: Checker) -> Array:
    """Give a point near the given one: with the same order and symmetries, but not all elements of an array equal."""
    x: Array = c.p.x * c.p.x.dtype.type(0.875)
    for start, stop in zip(c.p.edges[:-1], c.p.edges[1:], strict=True):
        if stop - start > 1 and (x[start:stop] == x[start]).all():
            x[start:stop] *= np.linspace(1, 1.125, stop - start)
    return x


def _remembered(c: Checker) -> bool:
    """Whether the gradient is the same at another point, though the function is not straight on the way there.

    The rule may have kept what it found at the first point of this shape.
    """
    if not c.p.one_gradient:
        return False
    if np.array_equal(x := c.p.x, there := _near(c)):
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
    usual = [_values(c, k, intervals[k] if intervals else None) for k in range(len(arrays))]
    points = usual if intervals else [np.concatenate([v, *_extremes(c)]) for v in usual]
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
    some = np.array([*SINGLY, *(-m for m in SINGLY)])
    points = [c.rng.permutation(some) * c.rng.uniform(0.9, 1.1, some.size) for _ in c.p.native]
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
    for i, step in enumerate(STEP * np.abs(x)):
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
    except Exception:
        return False
    _note(c, *_as_given(c, other, entries, asked), report, asked)
    report.problems += [problem] if problem else []
    return True


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
        leaf.value, leaf.tensor = array, False
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
    except Exception:
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
    whole, *others = _extremes(c)
    usual = np.unique(np.concatenate([_values(c, k, None), whole]))
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


def _values(c: Checker, k: int, interval: tuple[float, float] | None) -> Array:
    """Choose points for an input, in random order so that several inputs meet in many ways."""
    if interval is not None:
        return c.rng.permutation(_within(*interval))
    x = np.abs(np.asarray(c.p.native[k], np.float64).reshape(-1))
    x = x[np.isfinite(x) & (x > 0)]
    size = median(x) if x.size else 1.0
    few = 1 if c.p.native[k].ndim else 2  # numbers are checked in a few milliseconds
    mags = np.concatenate([MAGNITUDES[::few], size * np.array([1 / 30, 0.2, 0.5, 2, 5])])
    mags = mags[mags <= max(40.0, 5 * size)]
    if np.finfo(c.p.native[k].dtype).eps > 1e-4:  # float16 cannot hold what exp makes of more
        mags = mags[mags <= 8]
    points = np.concatenate([mags, -mags]) * c.rng.uniform(0.95, 1.05, 2 * mags.size)
    return c.rng.permutation(np.resize(points, max(POINTS, points.size)))


def _extremes(c: Checker) -> list[Array]:
    """Choose points that a rule may have forgotten: whole, tiny and large ones, each size by itself."""
    info = [np.finfo(a.dtype) for a in c.p.native]
    half = max(i.eps for i in info) > 1e-4  # float16 cannot hold what exp makes of more than 8
    tiny = [m for m in TINY if m > max(i.tiny for i in info)]
    whole = [m for m in WHOLE if not half or m <= 8]
    sizes = [g * c.rng.uniform(0.9, 1.1, len(g)) for g in (tiny, *(() if half else LARGE))]
    return [np.concatenate([g, -g[g > 0]]) for g in (np.array(whole), *sizes)]


def _stretched(c: Checker, report: Any) -> bool:
    """Try many points at once where a sum over elements takes vectors of any length."""
    arrays = c.p.native
    if any(a.ndim != 1 or a.dtype.kind == "c" or a.shape != arrays[0].shape for a in arrays):
        return False
    if not all(leaf.varied for leaf in c.p.subject.leaves):  # something else may have to fit
        return False
    whole, *others = _extremes(c)
    usual = [np.concatenate([_values(c, k, None), whole]) for k in range(len(arrays))]
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
    except Exception:
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


def _within(low: float, high: float) -> Array:
    """Points of an interval: its ends, evenly, and closer and closer to zero and to the ends."""
    low, high = max(low, -1e6), min(high, 1e6)
    even = np.linspace(low, high, POINTS // 2)
    mags = np.geomspace(1e-6, max(abs(low), abs(high), 1e-5), POINTS // 4)
    near = np.concatenate([mags, -mags])
    near = near[(near >= low) & (near <= high)]
    ends = (high - low) * np.geomspace(1e-6, 0.1, 8)
    return np.resize(np.concatenate([even, near, low + ends, high - ends])[:POINTS], POINTS)


def _intervals(c: Checker, domain: Any) -> list[tuple[float, float]]:
    """Read ``domain=``: one interval for all inputs, or one for each."""
    pairs = [domain] * len(c.p.native) if np.ndim(domain) == 1 else list(domain)
    if len(pairs) != len(c.p.native) or any(len(p) != 2 or not p[0] < p[1] for p in pairs):
        raise ValueError(
            f"gradcheck: domain={domain!r}; wanted (lo, hi), or one such pair for each of {len(c.p.native)} inputs"
        )
    return [(float(a), float(b)) for a, b in pairs]


def _drawn(c: Checker, intervals: list[tuple[float, float]], corner: float | None) -> Array:
    """Draw every element from its interval, or all of them near one place of it."""
    parts = []
    for array, (low, high) in zip(c.p.native, intervals, strict=True):
        n = array.size * (2 if array.dtype.kind == "c" else 1)
        near = None if corner is None else low + (high - low) * (corner + c.rng.uniform(-0.04, 0.04, n))
        parts.append(c.rng.choice(_within(low, high), n) if near is None else near)
    return np.concatenate(parts).astype(c.p.x.dtype)
