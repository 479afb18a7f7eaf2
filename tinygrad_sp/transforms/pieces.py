"""Value and tangent of a pointwise op, of very large arrays in pieces: what rules make on the way stays in the cache.

Measured with multiply at four million elements: 4 times the op instead of 7.  Where all arrays fit in the cache
anyway, pieces only cost, so it begins at two million.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..blocks import Cut, cut_axis, in_pieces

Push = Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any]]
LARGE = 1 << 21
"""From how many elements on."""
_NUMBERS = (np.generic, float, int, complex, type(None))


def is_large(size: int) -> bool:
    """Whether an array of that many elements is taken in pieces."""
    return size > LARGE


def worth_cutting(primals: Sequence[Any], tangents: Sequence[Any]) -> bool:
    """Whether there is a large array, and all are NumPy's own."""
    largest = 0
    for x in (*primals, *tangents):
        if type(x) is np.ndarray:
            largest = max(largest, x.size)
        elif not isinstance(x, _NUMBERS):
            return False
    return is_large(largest)


def push_in_pieces(push: Push, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Do ``push(primals, tangents)`` piece by piece."""
    largest = max((x for x in primals if type(x) is np.ndarray), key=lambda x: x.size)

    def evaluate(cut: Cut) -> tuple[Any, Any]:
        y, dot = push([cut(x) for x in primals], [cut(t) for t in tangents])
        return y, dot if dot is None or dot.shape == y.shape else np.broadcast_to(dot, y.shape)

    value, tangent = in_pieces(largest, cut_axis(largest) or -1, evaluate)
    return value, tangent
