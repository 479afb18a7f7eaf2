"""The peak memory of one forward and backward pass, beyond what was there before.

By hand is the least possible for one who keeps what the derivative needs and writes into nothing that is still
needed: 50 arrays and a cotangent where every op's output is kept, two arrays where nothing is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload

DEPTH = 50


@workload(
    "memory-tanh",
    "peak memory of 50 tanh at 1,000,000: every output is kept",
    size=10**6,
    tiny=3,
    kind="memory",
    refused={"tinygrad": "compiles for minutes"},
)
def tanhs(n: int) -> Case:
    def loss(m: Any, x: Any) -> Any:
        for _ in range(DEPTH):
            x = m.tanh(x)
        return m.sum(x)

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        outs = []
        for _ in range(DEPTH):
            x = np.tanh(x)
            outs.append(x)
        value, g = x.sum(), None
        del x
        while outs:
            y = outs.pop()
            np.multiply(y, y, out=y)  # nobody else holds it: the slope is written over the value
            np.subtract(1.0, y, out=y)
            g = y if g is None else np.multiply(g, y, out=g)
        return value, [g]

    return Case([random().standard_normal(n)], loss, by_hand)


@workload("memory-add", "peak memory of 50 additions at 1,000,000: nothing is kept", size=10**6, tiny=3, kind="memory")
def adds(n: int) -> Case:
    def loss(m: Any, x: Any) -> Any:
        for _ in range(DEPTH):
            x = x + 1.0
        return m.sum(x)

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        shape = x.shape
        for _ in range(DEPTH):
            x = x + 1.0
        value = x.sum()
        del x
        return value, [np.ones(shape)]

    return Case([random().standard_normal(n)], loss, by_hand)
