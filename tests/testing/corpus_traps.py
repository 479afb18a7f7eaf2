# ruff: noqa: ARG005  (a vjp is called with everything, also what its formula does not read)
"""More gradients to judge a checker by: wrong for one dtype, layout, sign or region only; right, and hard to see.

They join those of `corpus`, on which the peers' checkers are compared.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from corpus import Case, at, sigmoid, softplus

G = np.random.default_rng(31)
V = np.array([0.31, -1.7, 2.2, 0.9])
M = G.normal(size=(5, 4))
Z = np.array([1 + 2j, -0.5 + 0.3j, 2 - 1j])
LONG = G.normal(size=300_000)


def cosine_except(dtype: type, factor: float) -> Any:
    """The derivative of sin, off by a factor in one dtype."""
    return lambda g, x: g * np.cos(x) * x.dtype.type(factor if x.dtype == dtype else 1)


def _by_layout(g: Any, x: Any) -> Any:
    """Right for rows one after another only."""
    return (g * np.arange(20.0)).reshape(x.shape, order="C" if x.flags.c_contiguous else "F")


def _drifting() -> Any:
    calls = [0]

    def vjp(g: Any, x: Any) -> Any:
        calls[0] += 1
        return g * np.cos(x) * (1 + 1e-4 * calls[0])

    return vjp


def _newton(a: Any) -> Any:
    """A square root, by steps until they are below 1e-10."""
    x = np.maximum(a, 1.0)
    for _ in range(100):
        step = (x * x - a) / (2 * x)
        x = x - step
        if np.max(np.abs(step)) < 1e-10:
            break
    return x


def _warns(x: Any) -> Any:
    warnings.warn("careful", RuntimeWarning, stacklevel=2)
    return np.log(np.abs(x))


NODES, HEIGHTS = np.linspace(-6, 6, 1201), np.sin(np.linspace(-6, 6, 1201))


def _cell(g: Any, x: Any) -> Any:
    i = np.clip(np.searchsorted(NODES, x) - 1, 0, NODES.size - 2)
    slope = np.diff(HEIGHTS)[i] / np.diff(NODES)[i]
    return g * np.where((x < NODES[0]) | (x > NODES[-1]), 0, slope)


def _weighted(x: Any) -> Any:
    return (x * np.arange(20.0).reshape(5, 4)).sum()


FORTRAN = np.asfortranarray(M)
STRIDED = np.repeat(M, 2, axis=1)[:, ::2]

WRONG = [
    Case("in float32 only", np.sin, cosine_except(np.float32, 1.01), (V.astype(np.float32),)),
    Case("in float16 only", np.sin, cosine_except(np.float16, 2), (V.astype(np.float16),)),
    Case("in float64 only, not in long double", np.sin, cosine_except(np.float64, 1.001), (V,)),
    Case("at a negative zero", np.abs, lambda g, x: g * np.where(x == 0, 1 + np.signbit(x), np.sign(x)), (-0 * V,)),
    Case("columns one after another", _weighted, _by_layout, (FORTRAN,)),
    Case("every other column", _weighted, _by_layout, (STRIDED,)),
    Case(
        "an axis of one, first row",
        lambda x, b: x + b,
        lambda g, x, b: (g, g[:1] * len(x)),
        (M, G.normal(size=(1, 4))),
    ),
    Case("drifts from call to call", np.sin, _drifting(), (V,)),
    Case("1e-6 in one of 10,000", np.sin, lambda g, x: at(g * np.cos(x), 4242, 1 + 1e-6), (LONG[:10_000],)),
    Case("imaginary part, 1e-5", np.exp, lambda g, z: (h := g * np.conj(np.exp(z))) + 1e-5j * h.imag, (Z,)),
    Case("a number, beyond 3", np.tanh, lambda g, x: g * (1 - math.tanh(x) ** 2) * (1 if x < 3 else 1.1), (0.4,)),
    Case("a number, negative", lambda x: x**3, lambda g, x: 3 * g * x * x * (1 if x > 0 else -1), (0.4,)),
    Case("below -20", softplus, lambda g, x: g * np.where(x < -20, 0, sigmoid(x)), (V,)),
    Case(
        "one of 300,000 among kinks",
        lambda x: np.maximum(x - 1, 0).sum(),
        lambda g, x: at(g * (x > 1), 11, 2.0),
        (np.where(np.arange(300_000) == 11, 3, LONG),),
    ),
]

RIGHT = [
    Case("a root by iteration", _newton, lambda g, a: g / 2 / np.sqrt(a), (np.array([2.0, 3.0, 10.0]),)),
    Case("a table, on its nodes", lambda x: np.interp(x, NODES, HEIGHTS), _cell, (V,)),
    Case("warns", _warns, lambda g, x: g / x, (V,)),
    Case(
        "sign chosen by if",
        lambda x: x * x if x > 0 else -x,
        lambda g, x: g * (2 * x if x > 0 else -1.0),
        (0.7,),
    ),
    Case("max of numbers", lambda x: max(x, 0.0) ** 2, lambda g, x: 2 * g * max(x, 0.0), (0.7,)),
    Case("sum of a number", lambda x: np.sum(x * x), lambda g, x: 2 * g * x, (0.7,)),
    Case("root of a positive number", math.sqrt, lambda g, x: g / 2 / math.sqrt(x), (0.7,)),
    Case(
        "two kinks together",
        lambda x: np.abs(x - 1) + np.abs(x - 1 - 1e-6),
        lambda g, x: g * (np.sign(x - 1) + np.sign(x - 1 - 1e-6)),
        (np.array([1.0, 1 + 5e-7, 1 + 1e-6]),),
    ),
    Case("kinks of 300,000", lambda x: np.maximum(x - 1, 0).sum(), lambda g, x: g * (x > 1), (LONG,)),
    Case(
        "300,000 of all sizes",
        lambda x: (x * x).sum(),
        lambda g, x: 2 * g * x,
        (LONG * 10.0 ** G.integers(-5, 5, LONG.size),),
    ),
    Case("x |x|", lambda x: x * np.abs(x), lambda g, x: 2 * g * np.abs(x), (np.array([0.0, -1.0, 1e-8, 2.0]),)),
    Case("columns one after another, right", _weighted, lambda g, x: g * np.arange(20.0).reshape(5, 4), (FORTRAN,)),
]
