"""A rule must not depend on where an element stands, if the function does not.

At points of the checker's own choice an element may be wrong by its place alone: the last, the first of a block.
Elements are moved to other places, where the same values must have the same gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .blocks import Checker
from .contract import Problem
from .precise import lanes_of

Array = NDArray[np.floating]

TURNS = 6  # every place sees small and large values of both signs
SAME = 1e-12  # relative: vectorised and single evaluations round otherwise
APART = 1e-7  # relative


def displaced(c: Checker) -> Problem | None:
    """Ask for the gradient of the same elements in other places; all inputs, and perhaps outputs, have one shape."""
    p, side = c.p, c.d.best
    n = p.native[0].size
    order = np.argsort(p.native[0].reshape(-1), kind="stable")
    before, slack = (a.reshape(-1, n) for a in c.d.pull(p.asked))
    for turn in range(TURNS):
        o = np.roll(order, turn * n // TURNS)
        moved = [a.reshape(-1)[o].reshape(a.shape) for a in side.arrays]
        f, v = (a if a.size < n else a.reshape(-1, n)[:, o].reshape(-1) for a in (lanes_of(side.out), p.asked))
        there = lanes_of(p.subject.call([a.copy() for a in moved]))
        if not np.allclose(there, f, rtol=SAME, atol=0, equal_nan=True):
            return None
        found = p.subject.pull(moved, side.cotangents(v))
        if any(np.shape(g) != a.shape for g, a in zip(found, moved, strict=True)):
            return None
        after = lanes_of([np.asarray(g) for g in found]).astype(np.float64).reshape(-1, n)
        bad = np.abs(after - before[:, o]) > 16 * slack[:, o] + APART * np.abs(before[:, o])
        if bad.any():
            k, i = (int(a[0]) for a in np.nonzero(bad))
            x = float(side.arrays[k].reshape(-1)[o[i]])
            text = f"{p.subject.varied[k].name} = {x:.6g} has the gradient {after[k, i]:.6g} in place {i} of {n}, and "
            return Problem("place", text + f"{before[k, o[i]]:.6g} in place {o[i]}, though the function is the same")
    return None
