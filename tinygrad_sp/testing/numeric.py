"""A numeric derivative that knows how wrong it may be.

The function is sampled at `x + t u` and `x - t u` for steps `t` that fall by four, from the size of `x`
itself down to where rounding is all that is left.  Central differences are extrapolated (Richardson); what
the extrapolation changed is the truncation error, and what second differences leave at the smallest steps is
the rounding noise of the function, measured and not assumed; where neighbouring points are rounded alike they don't
show it, but another precision does.  Going from small steps to large ones, estimates
are believed as long as their intervals meet (Lepski's rule); the narrowest believed one is the answer.

Everything is done for many *lanes* at once: a lane is one output along one direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RATIO = 4.0  # between neighbouring steps
NEAREST = 7  # steps at which a kink is to look like one
DEPTH = 5  # estimates in a row of the extrapolation table
CONSTANT = 1e4  # units of rounding by which a constant may move
EPS64 = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)

SMOOTH, KINK, JUMP, INFINITE, UNDEFINED = range(5)
KINDS = ("smooth", "kink", "jump", "infinite slope", "undefined")


@dataclass
class Samples:
    """Values of a function on the ladder of steps, lane by lane.

    `plus` and `minus` have shape (steps, lanes) and hold what the function *added* to its value at x, so
    that a lane may be a weighted sum of outputs without losing digits.  `size` is the magnitude of what was rounded.
    """

    steps: Array  # (K,), falling
    plus: Array  # (K, lanes): f(x + t u) - f(x)
    minus: Array  # (K, lanes): f(x - t u) - f(x)
    size: Array  # (K, lanes): magnitude of the values that were subtracted
    unit: Array  # (lanes,): the derivative is per this much of t
    eps: Array  # (lanes,): rounding unit of the outputs
    floor: Array  # (lanes,): rounding that a lower precision tells of

    @cached_property
    def far(self) -> Array:
        """How far each lane went at each step: to be asked for when `unit` is settled."""
        return self.steps[:, None] * self.unit

    @cached_property
    def change(self) -> Array:
        """By how much the function changed at each step, on whichever side it changed more."""
        return np.asarray(np.fmax(np.abs(self.plus), np.abs(self.minus)))

    def take(self, lanes: Array) -> Samples:
        """Keep some lanes only."""
        return Samples(
            self.steps,
            self.plus[:, lanes],
            self.minus[:, lanes],
            self.size[:, lanes],
            self.unit[lanes],
            self.eps[lanes],
            self.floor[lanes],
        )

    def only(self, rows: Array) -> Samples:
        """Keep some steps only."""
        steps, plus, minus, size = (a[rows] for a in (self.steps, self.plus, self.minus, self.size))
        return Samples(steps, plus, minus, size, self.unit, self.eps, self.floor)


@dataclass
class Estimate:
    """Derivatives with error bars, and what kind of point each lane is at."""

    value: Array
    bar: Array
    kind: Array
    left: Array
    right: Array
    side_bar: Array
    scale: Array  # the slope that would be called ordinary here: |f| / |x|
    span: Array  # the steepest slope to points as far away as zero is
    quantum: Array  # the smallest change of a function that is flat at the smallest steps, else 0
    roughness: Array  # noise over |f|
    reach: Array  # ... divided by the largest step without a change: a slope that could hide there
    eps: Array  # rounding unit of the outputs
    noise: Array  # of the function, measured
    far: Array  # the largest step

    @classmethod
    def empty(cls, lanes: int) -> Estimate:
        """Nothing known yet."""
        nan = [np.full(lanes, np.nan) for _ in range(13)]
        return cls(nan[0], nan[1], np.full(lanes, UNDEFINED), *nan[2:])


def finite_part(x: Any) -> Array:
    """Return the numbers, 0 for those that are not finite."""
    return np.where(np.isfinite(x), x, 0.0)


def median(x: Array) -> float:
    """Give the median; for a few numbers ``np.median`` takes ten times as long."""
    if x.size == 1:
        return float(x[0])
    middle = [(x.size - 1) // 2, x.size // 2]
    return float(np.partition(x, middle)[middle].mean())


def plain(kind: Array) -> Array:
    """Say where a point is neither a kink nor a jump nor has an infinite slope."""
    return np.asarray((kind == SMOOTH) | (kind == UNDEFINED))


def ladder(longdouble: bool) -> Array:
    """Give the steps relative to the size of an element: from 1 down to 4e-12, or 6e-11 in float64.

    >>> ladder(False)[:3].tolist()
    [1.0, 0.25, 0.0625]
    """
    return RATIO ** -np.arange(20 if longdouble else 18)


def power_of_two(x: Array) -> Array:
    """Give the power of two at or below each magnitude, so that `x + t u` is exact.

    >>> power_of_two(np.array([3.0, 0.3])).tolist()
    [2.0, 0.25]
    """
    _, exponent = np.frexp(np.abs(x))
    return np.asarray(np.ldexp(np.ones_like(x), exponent - 1))


def sample(value: Callable[[float], Array], steps: Array, unit: Array, eps: Array) -> Samples:
    """Evaluate a function of the step on the whole ladder; `value` gives one array of lanes per step."""
    centre = value(0.0)
    up = np.stack([value(float(t)) for t in steps])
    down = np.stack([value(-float(t)) for t in steps])
    size = np.fmax(np.fmax(np.abs(up), np.abs(down)), np.abs(centre))
    return Samples(steps, up - centre, down - centre, size, unit, eps, np.zeros_like(eps))


def join(parts: list[Samples]) -> Samples:
    """Put the lanes of several ladders side by side."""
    if len(parts) == 1:
        return parts[0]
    return Samples(
        parts[0].steps,
        *(np.concatenate([getattr(p, name) for p in parts], axis=1) for name in ("plus", "minus", "size")),
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("unit", "eps", "floor")),
    )


def noise_of(s: Samples) -> tuple[Array, Array, Array]:
    """Measure the rounding noise of each lane at each step, the quantum of its leaps, and if it is all noise."""
    plus, minus = s.plus[-5:], s.minus[-5:]
    even, odd = plus + minus, (plus - minus) / 2
    curved = np.abs(even[1:] - even[:-1] / RATIO**2)  # without the curvature: what is left is rounding
    straight = np.abs(odd[1:] - odd[:-1] / RATIO)  # without the slope
    each = finite_part(np.fmax(curved, straight))
    # rounding does not fall with the step; what is left among kinks does
    measured, near = each.max(axis=0), 4 * each[-2:].max(axis=0)
    measured = np.where((near > 0) & (16 * near < measured), near, measured)
    span = finite_part(s.change).max(axis=0)
    rough = (measured > 0.02 * span) & (measured > 1e4 * s.eps * s.size[-1])
    quantum, coarse = _quantum(s)
    rounding = s.eps * s.size + _least(s.plus.dtype)
    return np.maximum(np.maximum(measured, np.where(coarse, quantum, 0.0)), rounding), quantum, rough


def _least(dtype: Any) -> Any:
    """Give what no rounding is below; the subnormal numbers of long double take a processor 40 times as long."""
    info = np.finfo(dtype)
    return info.tiny if dtype == np.longdouble else 4 * info.smallest_subnormal


def _quantum(s: Samples) -> tuple[Array, Array]:
    """Find the smallest change of lanes that are flat at the smallest steps, else 0; and which of them are coarse."""
    change = s.change
    flat = change[-1] == 0
    if not flat.any():
        return np.zeros(flat.size), flat
    quantum = np.where(change > 0, change, np.inf).min(axis=0)
    leaps = flat & np.isfinite(quantum)
    close, wider = s.steps <= 2.0**-20, (s.steps > 2.0**-20) & (s.steps < 2.0**-14)
    least = np.fmin(np.abs(s.plus), np.abs(s.minus))  # leaps are on both sides, unlike a kink nearby
    grain = change[close].max(axis=0, initial=0) > 0  # as close as float32 numbers are, and many of them
    grain &= np.fmax.reduce(least[wider], axis=0, initial=0) > 8 * quantum
    small = (quantum <= 32 * np.finfo(np.float32).eps * s.size[-1]) & (np.fmax.reduce(least, axis=0) > 0)
    return np.where(leaps, quantum, 0.0).astype(np.float64), leaps & (grain | small)


def _table(d: Array, noise: Array, order: float) -> tuple[Array, Array]:
    """Extrapolate differences (steps, lanes) whose error falls by `order` a step: a value and a radius each."""
    best, radius = d.copy(), np.full_like(d, np.inf)
    radius[1:] = np.abs(d[1:] - d[:-1]) + noise[1:]
    row, factor, noise = d, order, 1.3 * noise
    for k in range(2, DEPTH + 1):  # finer estimates there are from the k-th step on, and how far two are apart
        gain = (row[1:] - row[:-1]) / (factor - 1)
        finer = row[1:] + gain
        settled = np.abs(finer[1:] - finer[:-1])
        size = np.maximum(np.abs(gain[1:]), settled / 4) + noise[k:]
        better = size < radius[k:]  # False where NaN
        np.copyto(best[k:], finer[1:], where=better)
        np.copyto(radius[k:], size, where=better)
        row, factor = finer, factor * order
    radius += 8 * EPS64 * np.abs(best)
    radius[~np.isfinite(best)] = np.inf
    return best, radius


def _believe(best: Array, radius: Array) -> tuple[Array, Array]:
    """Lepski's rule: from the smallest step up, while the intervals meet; the narrowest of those."""
    v, r = best[::-1], radius[::-1]
    known = np.isfinite(r)
    v, r = np.where(known, v, 0.0), np.where(known, r, np.inf)
    low, high = v - 3 * r, v + 3 * r
    parted = (low[1:] > np.minimum.accumulate(high)[:-1]) | (high[1:] < np.maximum.accumulate(low)[:-1])
    r[1:][np.logical_or.accumulate(parted)] = np.inf
    narrowest = r.argmin(axis=0), np.arange(r.shape[1])
    bar = r[narrowest]
    return np.where(np.isfinite(bar), v[narrowest], np.nan), bar


def _ratio(difference: Array, s: Samples, first: int | None = None) -> Array:
    """Make slopes of differences, at all steps or the first few."""
    return np.asarray((difference[:first] / s.far[:first]).astype(np.float64))


def _flag_kinks(s: Samples, resolution: Array) -> Array:
    """Lanes where the slope leaps exactly here: (f(x+h) - 2 f(x) + f(x-h)) / h does not fall with h."""
    bend, unsure = np.abs(_ratio(s.plus + s.minus, s)), 20 * resolution
    clear = np.isfinite(bend) & np.isfinite(unsure)
    clear[:3] = False  # the largest steps see curvature
    seen = clear & (bend > unsure)
    found: Array = seen.any(axis=0)
    if not found.any():
        return found
    last = bend[len(bend) - 1 - seen[::-1].argmax(axis=0), np.arange(bend.shape[1])]
    judged = clear & (unsure < last)
    judged &= judged[::-1].cumsum(axis=0)[::-1] <= NEAREST  # farther out there may be other kinks
    same = (bend > 0.6 * last) & (bend < 1.6 * last)
    return np.asarray(found & (judged.sum(axis=0) >= 4) & (same | ~judged).all(axis=0))


def estimate(s: Samples) -> Estimate:
    """Find the derivative of every lane, its error bar and what kind of point it is.

    >>> steps = ladder(False)
    >>> value = lambda t: np.array([np.exp(1 + t), abs(t)])
    >>> e = estimate(sample(value, steps, np.ones(2), np.full(2, EPS64)))
    >>> bool(abs(e.value[0] - np.e) < e.bar[0] < 1e-10), KINDS[e.kind[1]], e.left[1].item(), e.right[1].item()
    (True, 'kink', -1.0, 1.0)
    """
    if not s.plus.shape[1]:
        return Estimate.empty(0)
    with np.errstate(all="ignore"):
        noise, quantum, rough = noise_of(s)
        resolution = np.abs(_ratio(np.maximum(noise, s.floor), s))
        value, bar = _believe(*_table(_ratio(s.plus - s.minus, s) / 2, resolution, RATIO**2))
        secant = finite_part(np.abs(_ratio(s.change, s, 3)))
        size = np.abs((s.size[-1] / s.unit).astype(np.float64))
        kinks, leap = _flag_kinks(s, resolution), _leaps(s)
        left, right, side_bar = np.full((3, value.size), np.nan)
        odd = kinks | leap | (np.isfinite(s.plus[-4:]).all(axis=0) ^ np.isfinite(s.minus[-4:]).all(axis=0))
        rough &= ~odd  # as rough near x as far away: nothing is claimed
        e = Estimate(
            value=value,
            bar=np.where(rough, np.inf, bar),
            kind=np.where(np.isfinite(bar) & ~rough, SMOOTH, UNDEFINED),
            left=left,
            right=right,
            side_bar=side_bar,
            scale=np.fmax(size, secant[2]),
            span=np.fmax(size, secant.max(axis=0)),
            quantum=quantum,
            roughness=(noise[-1] / np.fmax(s.size[-1], TINY)).astype(np.float64),
            reach=_reach(s, quantum),
            eps=s.eps.astype(np.float64),
            noise=noise[-1].astype(np.float64),
            far=np.abs(s.far[0]).astype(np.float64),
        )
        odd &= ~_settle_constants(s, e, odd)
        look = np.flatnonzero(odd)
        if look.size:
            rounding = np.abs(_ratio(s.eps * s.size, s))  # a jump is not noise, though it looks like it
            _one_sided(s.take(look), np.where(leap, rounding, resolution)[:, look], e, look, leap[look])
    return e


def _settle_constants(s: Samples, e: Estimate, odd: Array) -> Array:
    """Say that lanes that only rounding moves have no slope but that of terms that cancel; and which these are.

    A sum of deviations from the mean, say: what its terms are is not known, so their slopes are taken to be about 1.
    """
    still = odd | ~(e.bar < 0.05 * np.abs(e.value))
    if not still.any():
        return np.asarray(still)
    change = s.change.max(axis=0)
    still &= change <= CONSTANT * s.eps * np.minimum(s.far[0], 1)  # False where NaN; sin(1e20) is no constant
    still &= change > 0
    if still.any():
        bar = CONSTANT * e.eps
        for name, value in (("value", 0.0), ("bar", bar), ("kind", SMOOTH), ("span", np.fmax(e.span, 1))):
            setattr(e, name, np.where(still, value, getattr(e, name)))
    return np.asarray(still)


def _reach(s: Samples, quantum: Array) -> Array:
    """Find the slope that a leap of the quantum at the largest step without any change would make."""
    if not quantum.any():
        return np.zeros_like(quantum)
    moves = s.change > 0
    still = np.max(np.where(moves, 0, s.steps[:, None]) * ~np.logical_or.accumulate(moves[::-1])[::-1], axis=0)
    return np.asarray((quantum / (np.fmax(still, TINY) * np.abs(s.unit))).astype(np.float64))


def _leaps(s: Samples) -> Array:
    """Lanes where the function jumps here, or its slope is infinite: f(x+h) - f(x) falls too slowly.

    Rounding noise does not fall either, but it is not the same at every step: a jump is.
    """
    return _leaps_up(s.plus, s) | _leaps_up(s.minus, s)


def _leaps_up(rise: Array, s: Samples) -> Array:
    """Say so of one side."""
    size = np.abs(rise[-5:])  # from one step to the next but three, a smooth change falls by a factor of 256
    found = (size[-1] > size[0] * 256**-0.9) & (size[-1] > 50 * s.eps * s.size[-1])
    if found.any():
        fall = rise[-3:] / rise[-4:-1]
        found &= (np.abs(fall - fall[-1]) < 0.02).all(axis=0)
    return np.asarray(found)


def _one_sided(s: Samples, noise: Array, e: Estimate, lanes: Array, leap: Array) -> None:
    """Fill in the derivatives from the left and the right for lanes that have a kink, a jump or an end."""
    right, right_bar = _side(s, s.plus, noise)
    left, left_bar = _side(s, -s.minus, noise)
    left, right = np.where(np.isnan(left), right, left), np.where(np.isnan(right), left, right)
    finite = [np.where(np.isfinite(b), b, 0.0) for b in (left_bar, right_bar)]
    bar = np.maximum(*finite)
    none = ~np.isfinite(left_bar) & ~np.isfinite(right_bar)
    e.left[lanes], e.right[lanes], e.side_bar[lanes] = left, right, np.where(none, np.inf, bar)
    steep = np.isinf(left) | np.isinf(right)
    settled = np.abs(right - left) <= 4 * bar
    kind = np.where(leap, np.where(_jumps(s), JUMP, INFINITE), np.where(steep, INFINITE, KINK))
    end = np.isfinite(s.plus[-1]) ^ np.isfinite(s.minus[-1])
    smooth = settled & ~end & ~steep & ~leap
    e.kind[lanes] = np.where(none & ~steep, UNDEFINED, np.where(smooth, e.kind[lanes], kind))
    plain = end & ~steep & ~none  # the edge of the domain: the side that exists is the derivative
    e.value[lanes] = np.where(plain, right, e.value[lanes])
    e.bar[lanes] = np.where(plain, 4 * bar, e.bar[lanes])  # where roots of x live
    e.kind[lanes] = np.where(plain, SMOOTH, e.kind[lanes])


def _jumps(s: Samples) -> Array:
    """Say where the change does not fall at all on one side."""
    near, far = np.abs(s.plus[-1]), np.abs(s.plus[-5])
    near_, far_ = np.abs(s.minus[-1]), np.abs(s.minus[-5])
    return np.asarray(((near > 0.5 * far) & (near > 0)) | ((near_ > 0.5 * far_) & (near_ > 0)))


def _side(s: Samples, rise: Array, noise: Array) -> tuple[Array, Array]:
    """Differentiate from one side: infinite where the quotient grows without end; past a jump, the branch."""
    quotient = _ratio(rise, s)
    steps = s.steps[:, None]
    value, bar = _believe(*_table(quotient, 2 * noise, RATIO))
    growth = np.abs(quotient[-1]) > 1.15 * np.abs(quotient[-4])
    monotone = np.all(np.abs(quotient[-4:-1]) < np.abs(quotient[-3:]), axis=0)
    clear = np.abs(quotient[-1]) > 20 * noise[-1]
    steep = growth & monotone & clear
    fixed = np.abs(rise[-1]) > 0.5 * np.abs(rise[-5])  # a jump: drop it and follow the branch
    branch = np.diff(rise, axis=0) / (np.diff(steps, axis=0) * s.unit)
    follow, follow_bar = _believe(*_table(branch.astype(np.float64), 2 * noise[1:], RATIO))
    value = np.where(steep & fixed, follow, np.where(steep, np.sign(quotient[-1]) * np.inf, value))
    return value, np.where(steep & fixed, follow_bar, np.where(steep, 0.0, bar))


def merge(a: Estimate, b: Estimate) -> Estimate:
    """Combine two ladders for the same lanes: the sharper where they agree, else `a`, on smaller steps.

    What looks like a kink or an end, and is smooth on smaller steps, is only near; and what those steps settle is
    settled.  Where nothing changed at all, the slope is only known to be below the noise that was seen farther out.
    """
    still = (a.value == 0) & (a.quantum == 0) & (a.far < b.far)
    a_bar = np.where(still, np.fmax(a.bar, b.noise / a.far), a.bar)
    agree = np.abs(a.value - b.value) <= 4 * (a_bar + b.bar)
    special = ~plain(a.kind)
    size = np.fmax(np.abs(a.left), np.abs(a.right))
    sharp = b.bar <= 1e-3 * np.where(np.isfinite(size), size, np.abs(b.value))
    near = special & (b.kind == SMOOTH) & (b.quantum == 0) & sharp
    near |= ~special & ~agree & (b.far < a.far) & (b.kind == SMOOTH) & (b.quantum == 0) & (b.bar <= 1e-3 * a.bar)
    use_b = near | (~special & (~np.isfinite(a.bar) | (agree & (b.bar < a_bar))))
    names = ("value", "kind", "left", "right", "side_bar", "quantum", "roughness", "reach", "eps", "noise", "far")
    mixed = {n: np.where(use_b, getattr(b, n), getattr(a, n)) for n in names}
    mixed["bar"] = np.where(use_b, b.bar, a_bar)
    scale = np.fmax(np.where(use_b, b.scale, a.scale), 0.0)
    return Estimate(**mixed, scale=scale, span=np.fmax(np.fmax(a.span, b.span), 0.0))
