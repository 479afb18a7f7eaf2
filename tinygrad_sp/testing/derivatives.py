"""Analytic derivatives and the rounding in them: how far off another precision is, and points next to the given one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numeric import EPS64, finite_part
from .precise import AFFORDABLE, Analytic, Precise, wobble

Array = NDArray[Any]

KEPT = 4  # gradients of very many elements that are remembered
REFUSED = 1e-8  # relative: nothing is claimed below where a function takes float64 only: it may be ill-conditioned
ALIKE = 1e-7  # relative: by so little a derivative in the inputs' own dtype may always be off
DOUBT = 0.01  # relative errors that a rule's rounding near the point may explain
NEAR = (-5, -3, -2, 2, 3, 5)  # units in the last place away, where that is measured


class Derivatives:
    """Analytic derivatives at the best precision, each with what rounding may have done to it."""

    def __init__(self, p: Precise, measured: bool = True) -> None:
        self.p, self.measured = p, measured  # in a lower precision, or only if that is asked for
        self.cache: dict[bytes, tuple[Array, Array]] = {}
        self.more: list[Analytic] = []

    @property
    def best(self) -> Analytic:
        """The analytic side that is compared."""
        return self.p.best

    @property
    def below(self) -> Analytic | None:
        """The analytic side that tells of rounding."""
        return self.p.below if self.measured else None

    def doubt(self) -> None:
        """Take more samples of the rule's rounding: in a lower precision, and a few units in the last place away."""
        if not self.measured and self.p.below:
            self.measured = True
            self.cache.clear()
        side = self.below if self.below and self._eps(self.best) < EPS64 else self.best
        if self.more or side.p.n > AFFORDABLE:
            return
        eps = side.p.x.dtype.type(max(float(np.finfo(a.dtype).eps) for a in side.arrays))
        self.more = [Analytic(side.p, side.dtype, side.p.x * (1 + k * eps)) for k in NEAR]
        self.cache.clear()

    def at_best(self, v: Array) -> tuple[Array, Array]:
        """Gradients for a cotangent vector, and the least rounding there may be in them."""
        a = self.best.pull(v)
        found = a.astype(np.float64)
        least = REFUSED if self.p.refused else 16 * max(EPS64, float(np.finfo(a.dtype).eps))
        return found, finite_part(least * np.abs(found))

    def pull(self, v: Array) -> tuple[Array, Array]:
        """Gradients for a cotangent vector, and their slack."""
        key = np.asarray(v, np.float64).tobytes()
        if key in self.cache:
            return self.cache[key]
        found = self._measured(v)
        if self.more:
            near = np.array([side.pull(v).astype(np.float64) for side in self.more])
            off = calmer(near)
            ratio = min(max(EPS64, float(np.finfo(self.best.arrays[0].dtype).eps)) / self._eps(self.more[0]), 1.0)
            off = np.fmax(8 * ratio * finite_part(off), finite_part(wobble(lambda t: self.best.pull(v * t), EPS64)))
            found = (found[0], np.fmax(found[1], np.fmin(off, DOUBT * np.abs(found[0]))))
        if len(self.cache) >= KEPT and v.size + found[0].size > AFFORDABLE:
            self.cache.pop(next(iter(self.cache)))
        self.cache[key] = found
        return found

    def _eps(self, side: Analytic) -> float:
        return max(float(np.finfo(a.dtype).eps) for a in side.arrays)

    def _measured(self, v: Array) -> tuple[Array, Array]:
        best, slack = self.at_best(v)
        if self.below:
            a, low = self.best.pull(v), self.below.pull(v)
            eps = max(EPS64, float(np.finfo(a.dtype).eps))
            coarse = max(self._eps(self.below), float(np.finfo(low.dtype).eps))  # float32 times a float64 is a float64
            slack = slack + 8 * min(eps / coarse, 1.0) * finite_part(np.abs((a - low).astype(np.float64)))
        return best, finite_part(slack)


def calmer(near: Array) -> Array:
    """Say how far answers at `NEAR` are apart on the calmer side of the point: the other may be past a step."""
    half = len(near) // 2
    return np.asarray(np.fmin(np.ptp(near[:half], axis=0), np.ptp(near[half:], axis=0)))
