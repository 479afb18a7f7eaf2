"""A few of very many elements: where each is a function of its own, they are moved without the others.

Of a million elements a few thousand are looked at one by one, at dozens of steps.  If the function gives them the same
values when it gets no others, to the last bit, those steps cost next to nothing.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numeric import Samples
from .precise import Precise, coordinates, identical, lanes_of

Array = NDArray[Any]


class Shorter:
    """A function of some elements of its arguments: which coordinates and lanes of the whole these are."""

    def __init__(self, whole: Precise, elements: Array) -> None:
        self.coordinate = _places(whole.inputs, elements)
        self.lane = _places(whole.outputs, elements)
        self.p = p = copy.copy(whole)
        p.native, p.inputs, p.out = ([a.reshape(-1)[elements] for a in some] for some in (p.native, p.inputs, p.out))
        p.x, p.f, p.eps, p.floor = p.x[self.coordinate], p.f[self.lane], p.eps[self.lane], p.floor[self.lane]
        p.n, p.m = p.x.size, p.f.size
        p.edges = np.cumsum([0, *map(coordinates, p.inputs)])
        p.outputs = p.subject.call([a.copy() for a in p.inputs])

    def same(self, whole: Precise, unit: Array) -> bool:
        """Whether the values are those of the whole, where it is and where it has been moved."""
        there = whole.at(whole.x + unit)[self.lane]
        moved = self.p.x + unit[self.coordinate]
        return identical(lanes_of(self.p.outputs), self.p.f) and identical(self.p.at(moved), there)

    def ladder(self, u: Array, steps: Array, lanes: Array) -> Samples:
        """Sample some lanes along `u`, both of the whole."""
        return self.p.ladder(u[self.coordinate], steps, np.searchsorted(self.lane, lanes), alike=True)


def shorter(p: Precise, elements: Array, unit: Array) -> Shorter | None:
    """Take some elements (rising), if the function of them is the same function; `unit` is how far to move to see it.

    >>> from tinygrad_sp.testing.subject import PairSubject
    >>> x, rng = np.arange(1.0, 9.0), np.random.default_rng(0)
    >>> some, unit = np.array([1, 6]), np.ones(8)
    >>> [shorter(Precise(PairSubject(f, (x,), None), rng), some, unit) is None for f in (np.sin, lambda x: x / x.size)]
    [False, True]
    """
    shape = p.inputs[0].shape
    if any(a.shape != shape for a in (*p.inputs, *p.outputs)):
        return None
    try:
        found = Shorter(p, elements)
    except Exception:  # something else has to fit
        return None
    return found if found.same(p, unit) else None


def _places(arrays: list[Array], elements: Array) -> Array:
    """Say which numbers, of all arrays in one real vector, belong to some elements."""
    per = [coordinates(a) // a.size for a in arrays]
    starts = np.cumsum([0, *map(coordinates, arrays)])
    each = [start + (elements[:, None] * k + np.arange(k)).reshape(-1) for start, k in zip(starts, per, strict=False)]
    return np.concatenate(each)
