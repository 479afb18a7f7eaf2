"""Elements that are equal: what order they are in is the rule's choice.

Of two that are equal each has a kink.  Of three the one in the middle stays where it is, whichever moves by itself: no
slope tells of the rule that moves it.  A rule is right there if it lies between the slopes at points nearby at which no
elements are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compare import RIGHT, WRONG, Entries
from .numeric import KINK
from .precise import Precise

Array = NDArray[Any]

ORDERS = 64  # of equal elements that are tried at most
APART = 2.0**-16  # relative: by how much they are moved for that
CLOSE = 2.0**-32  # ... and then each, to differentiate
NEARBY = 1e-4  # relative: how much slopes may change from here to there


def tied(p: Precise) -> Array:
    """Give coordinates that are equal to others of their input the number of their group; others -1."""
    found, groups = np.full(p.n, -1), 0
    for array, start, stop in zip(p.native, p.edges[:-1], p.edges[1:], strict=True):
        if array.dtype.kind == "f" and array.size > 1:
            _, which, count = np.unique(array, return_inverse=True, return_counts=True)
            which = which.reshape(-1)
            found[start:stop] = np.where(count[which] > 1, groups + which, -1)
            groups += count.size
    return found


def untie(c: Any, cotangents: Array, first: Entries) -> None:
    """Take what seems wrong of equal elements for a kink, between the slopes at points where they are in some order."""
    group = tied(c.p)
    bad = np.flatnonzero((first.status == WRONG) & (group[first.coordinate] >= 0))
    if not bad.size:
        return
    which, at = np.unique(first.coordinate[bad], return_inverse=True)
    slopes = np.array([_slopes(c, which, cotangents, x) for x in _ordered(c, group)])[:, at, bad % len(cotangents)]
    low, high = slopes.min(axis=0), slopes.max(axis=0)
    bar = NEARBY * np.fmax(np.abs(low), np.abs(high))
    between = (first.analytic[bad] >= low - bar) & (first.analytic[bad] <= high + bar)
    some, e = bad[between], first.estimate
    first.status[some], e.kind[some] = RIGHT, KINK
    e.left[some], e.right[some], e.side_bar[some] = low[between], high[between], bar[between]


def _ordered(c: Any, group: Array) -> Iterator[Array]:
    """Give points nearby where no elements are equal; each of them takes every place among its equals."""
    equal = np.flatnonzero(group >= 0)
    shuffled = c.rng.permutation(equal)
    shuffled = shuffled[np.argsort(group[shuffled], kind="stable")]
    _, start, size = np.unique(group[shuffled], return_index=True, return_counts=True)
    rank, among = np.arange(equal.size) - np.repeat(start, size), np.repeat(size, size)
    for turn in range(min(int(size.max()), ORDERS)):
        x = c.p.x.copy()
        x[shuffled] += c.unit[shuffled] * APART * (1 + (rank + turn) % among / among)
        yield x


def _slopes(c: Any, which: Array, cotangents: Array, x: Array) -> Array:
    """Differentiate at a point by some coordinates, for every cotangent."""
    found = np.empty((which.size, len(cotangents)))
    for k, i in enumerate(which):
        u = np.where(np.arange(c.p.n) == i, c.unit * CLOSE, 0)
        found[k] = cotangents @ np.nan_to_num(((c.p.at(x + u) - c.p.at(x - u)) / (2 * u[i])).astype(np.float64))
    return found
