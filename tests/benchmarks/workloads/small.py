"""Workloads of many small ops, where the cost of recording is what is measured.

`ops` is the number of recorded ops; the report gives microseconds per op with the hand-written loop subtracted.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload

RATE = 0.999
TOO_DEEP = "makes one kernel of a chain, and clang refuses it from 200 ops on, after minutes"


def chain(n: int, shape: tuple[int, ...]) -> Case:
    """`y = y * a + b`, n times, with one tracked argument per op."""
    a: Array
    b: Array
    a, b = (RATE, 0.5) if shape == () else (np.full(shape, RATE), np.full(shape, 0.5))

    def loss(m: Any, y: Any, *constants: Any) -> Any:
        p, q = constants or (a, b)
        for _ in range(n):
            y = y * p + q
        return y if shape == () else m.sum(y)

    def by_hand(y: Array, *_constants: Array) -> tuple[Any, list[Array]]:
        for _ in range(n):
            y = y * a + b
        g: Array = np.float64(1.0) if shape == () else np.ones(shape)
        for _ in range(n):
            g = g * a
        return y.sum(), [g]

    leaf = random().uniform(-1, 1, shape)
    return Case([np.float64(leaf) if shape == () else leaf], loss, by_hand, () if shape == () else (a, b), ops=2 * n)


def chain_of_leaves(n: int, shape: tuple[int, ...]) -> Case:
    """The same with a and b leaves too: two tracked arguments per op."""

    def loss(m: Any, y: Any, a: Any, b: Any) -> Any:
        for _ in range(n):
            y = y * a + b
        return y if shape == () else m.sum(y)

    def by_hand(y: Array, a: Array, b: Array) -> tuple[Any, list[Array]]:
        ys = []
        for _ in range(n):
            ys.append(y)
            y = y * a + b
        g = np.float64(1.0) if shape == () else np.ones(shape)
        ga, gb = 0.0 * g, 0.0 * g
        for earlier in reversed(ys):
            gb += g
            ga += g * earlier
            g = g * a
        return y.sum(), [g, ga, gb]

    leaves = [random().uniform(-1, 1, shape), np.full(shape, RATE), np.full(shape, 0.5)]
    return Case([np.float64(x) if shape == () else x for x in leaves], loss, by_hand, ops=2 * n)


for _label, _shape in {"scalar": (), "16": (16,), "16x16": (16, 16), "1000": (1000,)}.items():
    for _kind, _build in {"constants": chain, "leaves": chain_of_leaves}.items():
        workload(
            f"chain-{_label}-{_kind}",
            f"1,000 multiply-adds y = y*a + b of shape {_shape}, a and b {_kind}",
            size=1000,
            tiny=5,
            probe=50,
            refused={} if _shape == () else {"tinygrad": TOO_DEEP},
        )(partial(_build, shape=_shape))


@workload("chain-deep", "a chain 1,000,000 ops deep", size=1_000_000, tiny=10, probe=2000)
def deep(n: int) -> Case:
    return chain(n // 2, ())


def uses(n: int, shape: tuple[int, ...]) -> Case:
    """n different uses of one variable: n cotangents to add up."""
    factors = random().uniform(0, 1, n).tolist()

    def loss(m: Any, x: Any) -> Any:
        s = x * factors[0]
        for c in factors[1:]:
            s = s + x * c
        return s if shape == () else m.sum(s)

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        s = x * factors[0]
        for c in factors[1:]:
            s = s + x * c
        one = np.float64(1.0) if shape == () else np.ones(shape)
        g = one * factors[0]
        for c in factors[1:]:
            g += one * c
        return s.sum(), [g]

    leaf = random(1).uniform(-1, 1, shape)
    return Case([np.float64(leaf) if shape == () else leaf], loss, by_hand, ops=2 * n - 1)


workload("uses-scalar", "1,000 different uses of one scalar", size=1000, tiny=5, probe=50)(partial(uses, shape=()))
workload(
    "uses-1000",
    "1,000 different uses of one array of 1,000",
    size=1000,
    tiny=5,
    probe=50,
    refused={"jax-jit": "compiling it takes 8 GB, which are not given back"},
)(partial(uses, shape=(1000,)))


@workload("index-loop", "s += x[i]**2 over 1,000 elements, one at a time", size=1000, tiny=5, probe=50)
def index_loop(n: int) -> Case:
    def loss(_m: Any, x: Any) -> Any:
        s = x[0] * x[0]
        for i in range(1, n):
            element = x[i]
            s = s + element * element
        return s

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        s, g = x[0] * x[0], np.zeros_like(x)
        for i in range(1, n):
            element = x[i]
            s = s + element * element
        for i in range(n):
            g[i] += 2 * x[i]
        return s, [g]

    return Case([random().standard_normal(n)], loss, by_hand, ops=3 * n)


@workload("matrix-chain", "a chain of 200 products of 32 x 32 matrices, each a leaf", size=200, tiny=3, probe=20)
def matrix_chain(n: int) -> Case:
    def loss(m: Any, h: Any, *weights: Any) -> Any:
        for w in weights:
            h = h @ w
        return m.sum(h)

    def by_hand(h: Array, *weights: Array) -> tuple[Any, list[Array]]:
        hs = []
        for w in weights:
            hs.append(h)
            h = h @ w
        g, gradients = np.ones_like(h), []
        for earlier, w in zip(reversed(hs), reversed(weights), strict=True):
            gradients.append(earlier.T @ g)
            g = g @ w.T
        return h.sum(), [g, *reversed(gradients)]

    draw = random()
    weights = [np.linalg.qr(draw.standard_normal((32, 32)))[0] for _ in range(n)]
    return Case([draw.standard_normal((32, 32)), *weights], loss, by_hand, ops=n)
