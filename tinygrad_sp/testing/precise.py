"""A subject seen as a map between real vectors, evaluated as precisely as it allows.

All varied inputs become one real vector (a complex number is two coordinates), all outputs another (their
entries are the *lanes*).  The function is evaluated in long double where that works and is affordable, else
in float64, whatever the dtype of the inputs; its derivatives at any dtype that is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .numeric import EPS64, Samples, finite_part, join
from .subject import Subject

Array = NDArray[Any]

COMPLEX = {"e": np.complex64, "f": np.complex64, "d": np.complex128, "g": np.clongdouble}
WIDE = 4_000  # elements up to which long double is affordable
LITTLE = 200_000  # numbers up to which the values at all steps are kept at once
AFFORDABLE = 20_000  # elements up to which each may be looked at by itself
NUMBERS: Array = np.concatenate([np.arange(16, 64), -np.arange(16, 64)]) / 32
LOWER = 4  # times the error in a lower precision, scaled, is the bound in this one
WIDER = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps


def cast(array: Array, real: DTypeLike) -> Array:
    """Copy an array to a real precision, complex staying complex; None keeps the dtype."""
    if real is None:
        return array.copy()
    dtype = np.dtype(real)
    return np.array(array, COMPLEX[dtype.char] if array.dtype.kind == "c" else dtype)


def copied(array: Array) -> Array:
    """Copy an array, contiguous only if it was."""
    found = array.copy(order="K")
    if array.flags.c_contiguous or found.flags.c_contiguous == array.flags.c_contiguous:
        return found
    wide = np.empty([2 * n for n in array.shape], array.dtype)[(slice(None, None, 2),) * array.ndim]
    wide[...] = array
    return wide


def real_view(array: Array) -> Array:
    """See an array as a vector of its real coordinates."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def like_view(vector: Array, like: Array) -> Array:
    """Undo `real_view`: give a slice of coordinates the shape and dtype of an array."""
    if like.dtype.kind == "c":
        return np.ascontiguousarray(vector, like.real.dtype).view(like.dtype).reshape(like.shape)
    return vector.astype(like.dtype).reshape(like.shape)


def coordinates(array: Array) -> int:
    """Count the real coordinates of an array."""
    return array.size * (2 if array.dtype.kind == "c" else 1)


def lanes_of(outputs: Sequence[Array]) -> Array:
    """Put all outputs in one real vector."""
    if len(outputs) == 1:
        return real_view(outputs[0])
    return np.concatenate([real_view(a) for a in outputs]) if outputs else np.zeros(0)


def split(vector: Array, like: Sequence[Array]) -> list[Array]:
    """Cut a real vector into arrays like the given ones."""
    found, at = [], 0
    if len(like) == 1 and like[0].dtype == vector.dtype:  # the commonest case, at every step of every ladder
        return [vector.reshape(like[0].shape)]
    for array in like:
        n = coordinates(array)
        found.append(like_view(vector[at : at + n], array))
        at += n
    return found


def some_numbers(n: int, rng: np.random.Generator) -> Array:
    """Draw numbers between 1/2 and 2 of either sign that are exact in float16."""
    return NUMBERS[rng.integers(0, NUMBERS.size, n)]


def signs(n: int, rng: np.random.Generator) -> Array:
    """Give a cotangent of numbers between 1/2 and 2 of either sign, as far as possible no two the same."""
    sizes = np.arange(512, 2048) / 1024  # exact in float16
    return np.asarray(rng.choice(sizes, n, replace=n > sizes.size) * (1 - 2 * rng.integers(0, 2, n)))


class Precise:
    """The function as a map from one real vector to another, at the best precision it allows."""

    def __init__(self, subject: Subject, rng: np.random.Generator) -> None:
        self.subject, self.rng = subject, rng
        self.native = [leaf.array for leaf in subject.varied]
        self.out = [a.copy() for a in subject.call([a.copy() for a in self.native])]  # f may use a buffer again
        size = sum(a.size for a in self.native) + sum(a.size for a in self.out)
        tries: list[Any] = [np.longdouble] if WIDER and size <= 2 * WIDE else []
        for self.work in [*tries, np.float64, None]:
            if self._allows(self.work):
                break
        self.inputs = [cast(a, self.work) for a in self.native]
        self.x = lanes_of(self.inputs).copy()
        self.f = lanes_of(self.outputs).copy()
        self.eps = _rounding(self.outputs)
        self.floor = self._floor()
        self.m, self.n = self.f.size, self.x.size
        self.edges = np.cumsum([0, *(coordinates(a) for a in self.native)])
        self.stacks = True  # whether many points may be tried as one longer array
        self.refused = bool(tries) and self.work is not np.longdouble  # whether the function takes float64 only
        self.one_gradient = True  # whether it was seen to be the same at another point, or nobody looked

    @cached_property
    def asked(self) -> Array:
        """The cotangent that most is asked about: one pull answers all those questions."""
        v = np.ones(1) if self.m == 1 else signs(self.m, self.rng)
        return np.where(np.isfinite(self.f), v, 0.0)

    @cached_property
    def best(self) -> Analytic:
        """The analytic side at the best precision it allows."""
        found = _analytic(self, self._precisions)
        assert found is not None  # the inputs' own dtypes raise, if they are the last
        return found

    @cached_property
    def below(self) -> Analytic | None:
        """The analytic side at a precision below the best, to measure its rounding."""
        at = self._precisions.index(self.best.dtype)
        return _analytic(self, [dtype for dtype in self._precisions[at + 1 :] if dtype is not None])

    @property
    def _precisions(self) -> list[Any]:
        """List the dtypes that the analytic side may be evaluated in: None is the inputs' own."""
        return list(dict.fromkeys((self.work, np.float64, *([np.float32] if self.n <= AFFORDABLE else []), None)))

    def lowered(self) -> Precise | None:
        """See the same function in the next lower precision, if it takes that."""
        lower = copy.copy(self)
        lower.work = np.float64 if self.work is np.longdouble else np.float32
        lower.inputs = [cast(a, lower.work) for a in self.native]
        try:
            lower.outputs = self.subject.call([a.copy() for a in lower.inputs])
        except Exception:
            return None
        if [a.shape for a in lower.outputs] != [a.shape for a in self.out]:
            return None
        if all(a.dtype == b.dtype for a, b in zip(lower.outputs, self.outputs, strict=True)):  # it computes as before
            return None
        lower.f, lower.x = lanes_of(lower.outputs).copy(), lanes_of(lower.inputs).copy()
        lower.eps, lower.floor = _rounding(lower.outputs), np.zeros_like(self.floor)
        return lower

    def raised(self) -> Precise | None:
        """See the same function in long double, if it is not yet and allows that: affordable for a few directions."""
        higher = copy.copy(self)
        if not WIDER or self.work is np.longdouble or not higher._allows(np.longdouble):
            return None
        higher.work, higher.inputs = np.longdouble, [cast(a, np.longdouble) for a in self.native]
        higher.f, higher.x = lanes_of(higher.outputs).copy(), lanes_of(higher.inputs).copy()
        higher.eps = _rounding(higher.outputs)
        higher.floor = higher._floor()
        return higher

    def _allows(self, work: Any) -> bool:
        """Whether the function runs in this precision and still is the same function."""
        if work is np.float64 and all(a.dtype == work for a in self.native):  # it has been seen
            self.outputs = self.out
            return True
        try:
            self.outputs = self.subject.call([cast(a, work) for a in self.native])
        except Exception:
            if work is None:
                raise
            return False
        same = [a.shape for a in self.outputs] == [a.shape for a in self.out]
        if work is None:
            return True
        if work is np.longdouble and any(a.real.dtype != np.longdouble for a in self.outputs):
            return False
        return same and self._close()

    def _close(self) -> bool:
        """Whether the wide outputs are the native ones up to rounding (ill-conditioned lanes aside)."""
        for wide, native in zip(self.outputs, self.out, strict=True):
            if wide.dtype.kind != native.dtype.kind:
                return False
            error = np.abs(wide - native)
            slack = 1e3 * np.finfo(native.dtype).eps * (np.abs(native) + 1)
            ok = ~np.isfinite(native) | (error <= slack) | (error <= 0.3 * np.abs(native))
            if np.count_nonzero(ok) < ok.size / 2:
                return False
        return True

    def _floor(self) -> Array:
        """Bound the rounding of each lane in long double by how far off the outputs are in float64."""
        if self.work is not np.longdouble:
            return np.zeros(self.f.size)
        double = all(a.dtype == np.float64 for a in self.native)
        low = self.out if double else self.subject.call([cast(a, np.float64) for a in self.native])
        return finite_part(LOWER * (self.eps / EPS64) * np.abs(self.f - lanes_of(low)))

    def at(self, x: Array) -> Array:
        """Evaluate at a point; NaN where the function refuses."""
        try:
            outputs = self.subject.call(split(x, self.inputs))
        except Exception:
            return np.full(self.m, np.nan)
        lanes = lanes_of(outputs)
        return lanes if lanes.size == self.m else np.full(self.m, np.nan)

    def ladder(
        self, u: Array, steps: Array, lanes: Any = None, weights: Array | None = None, alike: bool = False
    ) -> Samples:
        """Sample along `u` (or several, as rows); keep some lanes, or sums of lanes with the given weights (rows).

        Where the function works element by element (``alike``, or on plain numbers), all steps are one call.
        """
        keep = slice(None) if lanes is None else lanes
        centre, dtype = self.f[keep], self.x.dtype
        if weights is not None:
            dtype = np.dtype(np.float64) if self.m > AFFORDABLE else dtype  # there is no BLAS for long double
            weights = weights.astype(dtype)
            square = weights * weights

        def risen(there: Array) -> tuple[Array, Array]:
            there = there[..., keep]  # indexing with a list copies: outputs may be views of one buffer
            if weights is None:
                return there - centre, np.fmax(np.abs(there), np.abs(centre))
            rise, there = (there - centre).astype(dtype, copy=False), there.astype(dtype, copy=False)
            return rise @ weights.T, np.sqrt((there * there) @ square.T)

        signed, k = np.concatenate([steps, -steps]), len(steps)
        us = u if u.ndim == 2 else u[None]
        if len(us) * 2 * k * max(self.n, self.m) <= LITTLE:
            found = risen(self._everywhere(self._points(us[:, None], signed), alike))
            rise, size = (a.transpose(1, 0, 2).reshape(2 * k, -1) for a in found)
        else:
            assert len(us) == 1
            there = map(self.at, self._walk(us[0], signed))
            rise, size = map(np.stack, zip(*map(risen, there), strict=True))
        eps = self.eps[keep] if weights is None else np.full(len(weights), self.eps.max(initial=0.0))
        floor = self.floor[keep] if weights is None else np.abs(weights) @ self.floor
        eps, floor = (np.tile(a.astype(dtype), len(us)) for a in (eps, floor))
        one = np.ones(rise.shape[1], dtype)
        return Samples(steps, rise[:k], rise[k:], np.fmax(size[:k], size[k:]), one, eps, floor)

    def columns(self, which: Array, unit: Array, steps: Array, lanes: Array | None, weights: Array | None) -> Samples:
        """Sample along some coordinates: all lanes along the first, then along the next, and so on."""
        count = self._at_once(2 * len(steps))
        parts = []
        for i in range(0, which.size, count):
            some = which[i : i + count]
            us = np.zeros((some.size, self.n), self.x.dtype)
            us[np.arange(some.size), some] = unit[some]
            parts.append(self.ladder(us, steps, lanes, weights))
        samples = join(parts)
        samples.unit = np.repeat(unit[which], samples.unit.size // which.size)
        return samples

    def _at_once(self, count: int) -> int:
        """Say along how many directions, of so many points each, to sample at once."""
        most = LITTLE // (count * max(self.n, self.m, 1))
        return max(min(most, WIDE // (count * self.n)) if self._numbers else most, 1)

    def _everywhere(self, points: Array, alike: bool) -> Array:
        """Evaluate at many points (directions, steps): in one call where that works, else one by one."""
        rows = points.reshape(-1, self.n)
        found = self._stacked(rows, len(points), alike) if self._stacks(len(rows), alike) else None
        if found is None:
            found = np.concatenate([self.at(x).copy() for x in rows])
        return found.reshape(*points.shape[:2], self.m)

    def _points(self, u: Array, t: Any) -> Array:
        """Go `t` times `u` from x, for every t a row; what does not move stays as it is, a negative zero too."""
        x: Array = self.x + np.asarray(t, self.x.dtype)[..., None] * u
        moved = u != 0
        return x if moved.all() else np.where(moved, x, self.x)

    def _walk(self, u: Array, t: Array) -> Iterator[Array]:
        """Give those points one after another: for very many elements, of which often few move."""
        moved = np.flatnonzero(u)
        some = moved.size < self.n // 16
        for step in t.astype(self.x.dtype):
            if some:
                x = self.x.copy()
                x[moved] += step * u[moved]
            elif moved.size == self.n:
                x = step * u
                x += self.x
            else:
                x = self._points(u, step)
            yield x

    def _stacks(self, count: int, alike: bool) -> bool:
        """Whether to try that many points in one call."""
        return self.stacks and (alike or self._numbers) and self.n * count <= LITTLE

    @cached_property
    def _numbers(self) -> bool:
        return all(a.ndim == 0 for a in (*self.inputs, *self.outputs))

    def _stacked(self, points: Array, directions: int, alike: bool) -> Array | None:
        """Evaluate at many points in one call, as rows of a longer array; None unless that is the same function.

        It is if it gives the value at x, known already, wherever x stands, and at the farthest points of every
        direction and one near what it gives for each alone, to the last bit; where it has been seen to work element
        by element, one of them will do.
        """
        self.stacks = False  # until it is seen to work
        many = np.concatenate([self.x[None], points, self.x[None]])
        arrays = [_long(many[:, i:j], a) for i, j, a in zip(self.edges[:-1], self.edges[1:], self.inputs, strict=True)]
        try:
            outputs = self.subject.call(arrays)
            rows = np.concatenate([real_view(o).reshape(len(many), -1) for o in outputs], axis=1)
        except Exception:
            return None
        like = [(_long_shape(len(many), a), a.dtype) for a in self.outputs]
        if [(o.shape, o.dtype) for o in outputs] != like:
            return None
        single = {0: self.f, len(many) - 1: self.f}
        each = len(points) // directions
        some = (at + i for at in range(0, len(points), each) for i in ((0,) if alike else (0, 6, each // 2)))
        single.update({i + 1: self.at(points[i]) for i in some})
        if all(identical(rows[i], value) for i, value in single.items()):
            self.stacks = True
            return np.asarray(rows[1:-1])
        return None


def _rounding(outputs: Sequence[Array]) -> Array:
    """Get the rounding unit of each lane, from the dtype the output really has."""
    return np.concatenate([np.full(coordinates(a), np.finfo(a.dtype).eps) for a in outputs] or [np.zeros(0)])


def _long_shape(count: int, like: Array) -> tuple[int, ...]:
    """Give the shape of `count` arrays one after another."""
    return (count * like.shape[0], *like.shape[1:]) if like.ndim else (count,)


def _long(rows: Array, like: Array) -> Array:
    """Put arrays, given as rows of coordinates, one after another."""
    return np.ascontiguousarray(rows).view(like.dtype).reshape(_long_shape(len(rows), like))


def equal(a: Array, b: Array) -> bool:
    """Whether two arrays without NaN are the same.

    Most that are asked about are one number: a list of it is compared in a tenth of the time of an array.
    """
    if a.shape != b.shape:
        return False
    return a.tolist() == b.tolist() if a.size <= 8 else bool((a == b).all())


def identical(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same numbers, NaN where the other has NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return equal(a, b) or (a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all()))


def wobble(ask: Callable[[float], Any], eps: float) -> Any:
    """Bound the rounding in an answer by asking again, for the question times numbers next to one."""
    return 64 * np.ptp(np.array([ask(1 + 8 * k * max(eps, EPS64)) for k in range(-2, 3)], np.float64), axis=0)


class Analytic:
    """The analytic derivatives at one precision: cotangent vectors in, gradient vectors out."""

    def __init__(self, precise: Precise, dtype: Any, x: Array | None = None) -> None:
        self.p, self.dtype = precise, dtype
        source = precise.native if x is None else split(x, precise.inputs)
        self.arrays = [cast(a, dtype) for a in source]
        self.native = x is None and all(a.dtype == b.dtype for a, b in zip(self.arrays, precise.native, strict=True))
        self.out = self._outputs(x is None)
        self.answer: Array | None = None  # to the cotangent that is asked about more than once
        self._pull: Any = None

    def _outputs(self, here: bool) -> list[Array]:
        """Evaluate the function, unless that has been done."""
        if here and self.native:
            return self.p.out
        if here and self.dtype is not None and self.dtype is self.p.work:
            return self.p.outputs
        return self.p.subject.call([a.copy() for a in self.arrays])

    def cotangents(self, v: Array) -> list[Array]:
        """Cut a cotangent vector into arrays of the outputs' shapes and dtypes."""
        return split(v, self.out)

    def pull(self, v: Array) -> Array:
        """Pull a cotangent vector back: one real vector over all inputs."""
        if self.answer is not None and equal(v, self.p.asked):
            return self.answer
        subject = self.p.subject
        subject.pulls += 1
        if self._pull is None or not subject.tensors:
            subject.rewind()
            self._pull = subject.puller([a.copy() for a in self.arrays])
        grads = self._pull(self.cotangents(v))
        parts = []
        for grad, like in zip(grads, self.arrays, strict=True):
            g = np.zeros(like.shape) if grad is None else np.asarray(grad)
            if g.shape != like.shape:
                if g.size != 1:
                    return np.full(self.p.n, np.nan)
                g = np.broadcast_to(g, like.shape)
            if like.dtype.kind == "c":
                g = g.astype(np.result_type(g.dtype, np.complex64))
            parts.append(real_view(g if g.dtype.kind == like.dtype.kind else g.real))
        return np.concatenate(parts) if parts else np.zeros(0)  # copied: a rule may use a buffer again

    def push(self, u: Array) -> Array:
        """Push a tangent vector forward: one real vector over all lanes."""
        found = self.p.subject.push([a.copy() for a in self.arrays], split(u, self.arrays))
        return lanes_of([np.broadcast_to(t, o.shape).astype(o.dtype) for t, o in zip(found, self.out, strict=True)])


def _analytic(p: Precise, precisions: list[Any]) -> Analytic | None:
    """Give the analytic side at the first precision that works."""
    for dtype in precisions:
        try:
            candidate = Analytic(p, dtype)
            candidate.answer = candidate.pull(p.asked)
            return candidate
        except Exception:
            if dtype is None:
                raise
    return None
