"""Derivatives of derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload
from .models import mlp_arrays, mlp_loss, softmax


@workload("hessian", "the Hessian of Rosenbrock's function in 50 variables", size=50, tiny=3, probe=5)
def rosenbrock(n: int) -> Case:
    def loss(m: Any, x: Any) -> Any:
        head, tail = x[:-1], x[1:]
        valley, slope = tail - head * head, 1.0 - head
        return m.sum(100.0 * valley * valley + slope * slope)

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        diagonal = np.zeros(n)
        diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        diagonal[1:] += 200
        beside = np.diag(-400 * x[:-1], 1)
        return None, [np.diag(diagonal) + beside + beside.T]

    return Case([random().uniform(-1, 1, n)], loss, by_hand, derivative="hessian")


@workload("hvp", "Hessian times vector of the 784-128-10 network, batch 64, float32", size=64, tiny=3)
def hvp(n: int) -> Case:
    def by_hand(*arrays: Array) -> tuple[Any, list[Array]]:
        w1, b1, w2, b2, x, targets, v1, c1, v2, c2 = arrays
        h = np.maximum(x @ w1 + b1, 0)
        mask = h > 0
        _, p = softmax(h @ w2 + b2)
        weight = -targets.sum(-1, keepdims=True)
        gz = targets + p * weight
        dh = (x @ v1 + c1) * mask
        dz = dh @ w2 + h @ v2 + c2
        dgz = p * (dz - (p * dz).sum(-1, keepdims=True)) * weight
        dgh = (dgz @ w2.T + gz @ v2.T) * mask
        return None, [x.T @ dgh, dgh.sum(0), dh.T @ gz + h.T @ dgz, dgz.sum(0)]

    weights, constants = mlp_arrays(n)
    draw = random(1)
    vectors = [draw.standard_normal(w.shape, np.float32) for w in weights]
    return Case(weights, mlp_loss, by_hand, constants, vectors, derivative="hvp")
