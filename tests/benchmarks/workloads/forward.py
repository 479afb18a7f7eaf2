"""Forward mode: value and derivative along a direction, in one pass.

By hand: each line of the function is followed by its tangent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload
from .models import mlp_arrays, mlp_loss, softmax
from .small import RATE


@workload("jvp-chain", "value and tangent of 1,000 multiply-adds of a scalar", size=1000, tiny=5, probe=50)
def chain(n: int) -> Case:
    def loss(_m: Any, y: Any) -> Any:
        for _ in range(n):
            y = y * RATE + 0.5
        return y

    def by_hand(y: Array, t: Array) -> tuple[Any, list[Array]]:
        for _ in range(n):
            y, t = y * RATE + 0.5, t * RATE
        return y, [t]

    return Case([np.float64(0.3)], loss, by_hand, vectors=[np.float64(1.5)], derivative="jvp", ops=2 * n)


@workload("jvp-softplus", "value and tangent of a million x*softplus(x), summed, float64", size=10**6, tiny=3)
def softplus(n: int) -> Case:
    def loss(m: Any, x: Any) -> Any:
        return m.sum(x * m.softplus(x))

    def by_hand(x: Array, t: Array) -> tuple[Any, list[Array]]:
        e = np.exp(-np.abs(x))
        y = np.maximum(x, 0) + np.log1p(e)
        moved = t * (y + x * np.where(x >= 0, 1, e) / (1 + e))
        return (x * y).sum(), [moved.sum()]

    draw = random()
    return Case([draw.standard_normal(n)], loss, by_hand, vectors=[draw.standard_normal(n)], derivative="jvp")


@workload("jvp-mlp", "value and tangent of the 784-128-10 network, batch 64, float32", size=64, tiny=3)
def mlp(n: int) -> Case:
    def by_hand(*arrays: Array) -> tuple[Any, list[Array]]:
        w1, b1, w2, b2, x, targets, v1, c1, v2, c2 = arrays
        z = x @ w1 + b1
        h, dh = np.maximum(z, 0), (x @ v1 + c1) * (z > 0)
        logs, p = softmax(h @ w2 + b2)
        dz = dh @ w2 + h @ v2 + c2
        moved = dz - (p * dz).sum(-1, keepdims=True)
        return (logs * targets).sum(), [(moved * targets).sum()]

    weights, constants = mlp_arrays(n)
    draw = random(1)
    vectors = [draw.standard_normal(w.shape, np.float32) for w in weights]
    return Case(weights, mlp_loss, by_hand, constants, vectors, derivative="jvp")


@workload("jvp-solve", "value and tangent of the solution of 200 equations with 200 right sides", size=200, tiny=3)
def solve(n: int) -> Case:
    def loss(m: Any, a: Any, b: Any) -> Any:
        return m.sum(m.solve(a, b))

    def by_hand(a: Array, b: Array, da: Array, db: Array) -> tuple[Any, list[Array]]:
        x = np.linalg.solve(a, b)
        return x.sum(), [np.linalg.solve(a, db - da @ x).sum()]

    draw = random()
    a, b, da, db = draw.standard_normal((4, n, n))
    return Case([a + n * np.eye(n), b], loss, by_hand, vectors=[da, db], derivative="jvp")
