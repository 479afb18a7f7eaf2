"""Small networks: one step's loss and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload


def mlp_loss(m: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, targets: Any) -> Any:
    """Cross entropy of 784-128-10 with relu; the targets carry the -1/batch."""
    return m.sum(m.log_softmax(m.relu(x @ w1 + b1) @ w2 + b2) * targets)


def mlp_arrays(n: int) -> tuple[list[Array], list[Array]]:
    draw = random()
    f = np.float32
    weights = [draw.standard_normal((784, 128), f) / f(28), np.zeros(128, f)]
    weights += [draw.standard_normal((128, 10), f) / f(11), np.zeros(10, f)]
    targets = np.eye(10, dtype=f)[draw.integers(0, 10, n)] / f(-n)
    return weights, [draw.standard_normal((n, 784), f), targets]


def softmax(z: Array) -> tuple[Array, Array]:
    """log_softmax and softmax along the last axis."""
    z = z - z.max(-1, keepdims=True)
    e = np.exp(z)
    total = e.sum(-1, keepdims=True)
    return z - np.log(total), e / total


@workload("mlp", "one step of a 784-128-10 network, batch 64, float32", size=64, tiny=3)
def mlp(n: int) -> Case:
    def by_hand(w1: Array, b1: Array, w2: Array, b2: Array, x: Array, targets: Array) -> tuple[Any, list[Array]]:
        h = np.maximum(x @ w1 + b1, 0)
        logs, p = softmax(h @ w2 + b2)
        gz = targets - p * targets.sum(-1, keepdims=True)
        gh = gz @ w2.T * (h > 0)
        return (logs * targets).sum(), [x.T @ gh, gh.sum(0), h.T @ gz, gz.sum(0)]

    weights, constants = mlp_arrays(n)
    return Case(weights, mlp_loss, by_hand, constants)


@workload("moons", "micrograd's moons model: 2-16-16-1 with relu, hinge loss, 100 points", size=100, tiny=4)
def moons(n: int) -> Case:
    decay = 1e-4

    def loss(m: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any, x: Any, y: Any) -> Any:
        h = m.relu(m.relu(x @ w1 + b1) @ w2 + b2)
        hinge = m.sum(m.relu(1.0 - y * (h @ w3 + b3))) * (1 / n)
        size = m.sum(w1 * w1) + m.sum(b1 * b1) + m.sum(w2 * w2) + m.sum(b2 * b2) + m.sum(w3 * w3) + m.sum(b3 * b3)
        return hinge + size * decay

    def by_hand(*arrays: Array) -> tuple[Any, list[Array]]:
        w1, b1, w2, b2, w3, b3, x, y = arrays
        h1 = np.maximum(x @ w1 + b1, 0)
        h2 = np.maximum(h1 @ w2 + b2, 0)
        margin = np.maximum(1.0 - y * (h2 @ w3 + b3), 0)
        g3 = y * (margin > 0) * (-1 / n)
        g2 = g3 @ w3.T * (h2 > 0)
        g1 = g2 @ w2.T * (h1 > 0)
        gradients = [x.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g3, g3.sum(0)]
        size = sum((p * p).sum() for p in arrays[:6])
        return margin.sum() / n + size * decay, [g + 2 * decay * p for g, p in zip(gradients, arrays[:6], strict=True)]

    draw = random()
    shapes = [(2, 16), (16,), (16, 16), (16,), (16, 1), (1,)]
    angle, label = draw.uniform(0, np.pi, n), np.arange(n) % 2
    x = np.stack([np.cos(angle) + label, np.sin(angle) * (1 - 2 * label) + 0.5 * label], 1)
    y = (2.0 * label - 1.0)[:, None]
    return Case([draw.uniform(-1, 1, s) for s in shapes], loss, by_hand, [x, y], ops=32)
