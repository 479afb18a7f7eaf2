# ruff: noqa: ARG001, ARG005  (a vjp is called with everything, also what its formula does not read)
"""Gradients to judge a checker by: wrong ones to be found, difficult right ones to be left in peace.

Every case is a plain pair ``f, vjp`` and inputs, so that any checker can be tried on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

G = np.random.default_rng(20)


@dataclass
class Case:
    """A function, its vjp (cotangent first), inputs, and options that a user would give."""

    name: str
    f: Callable[..., Any]
    vjp: Callable[..., Any]
    inputs: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)


WRONG: list[Case] = []
RIGHT: list[Case] = []


def wrong(name: str, f: Any, vjp: Any, *inputs: Any, **options: Any) -> None:
    WRONG.append(Case(name, f, vjp, inputs, options))


def right(name: str, f: Any, vjp: Any, *inputs: Any, **options: Any) -> None:
    RIGHT.append(Case(name, f, vjp, inputs, options))


def sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def at(g: Any, i: Any, factor: float) -> Any:
    g = np.array(g)
    g[i] *= factor
    return g


X = np.array([-20.0, 0.5, 1.2, -2.3, 0.0])
Y = np.array([0.7, -1.3, 2.1, 0.4])
M = G.normal(size=(4, 3))
N = G.normal(size=(3, 5))
BIG = G.normal(size=10_000)
HUGE = G.normal(size=300_000)

# ------------------------------------------------------------------------------------------------ wrong numbers

wrong("softplus, 0 at -20", softplus, lambda g, x: g * np.where(x < -15, 0, sigmoid(x)), X)
wrong(
    "softplus, 0 at -20, float32",
    softplus,
    lambda g, x: (g * np.where(x < -15, 0, sigmoid(x))).astype(x.dtype),
    X.astype(np.float32),
)
wrong("softplus summed, 0 at -20", lambda x: softplus(x).sum(), lambda g, x: g * np.where(x < -15, 0, sigmoid(x)), X)
wrong("softplus scalar, 0 at -20", softplus, lambda g, x: g * 0.0, -20.0)
wrong("sign", np.sin, lambda g, x: -g * np.cos(x), Y)
wrong("factor 2", lambda x: x * x, lambda g, x: g * x, Y)
wrong("1 %", np.exp, lambda g, x: g * np.exp(x) * 1.01, Y)
wrong("1e-3", np.exp, lambda g, x: g * np.exp(x) * 1.001, Y)
wrong("1e-4 off", np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2) * (1 + 1e-4), Y)
wrong("1e-6 off", np.cos, lambda g, x: -g * np.sin(x) * (1 + 1e-6), Y)
wrong("1e-6 off, scalar", np.cos, lambda g, x: -g * np.sin(x) * (1 + 1e-6), 0.3)
wrong("1e-6 added", np.log, lambda g, x: g / x + 1e-6 * g, np.array([0.5, 2.0, 9.0]))
wrong("1e-5 off in float32", np.exp, lambda g, x: (g * np.exp(x) * 1.00001).astype(x.dtype), Y.astype(np.float32))
wrong("1 % in float16", np.exp, lambda g, x: (g * np.exp(x) * 1.01).astype(x.dtype), Y.astype(np.float16))
wrong("1 % at 1e-200", lambda x: x * x, lambda g, x: g * 2.02 * x, np.array([1e-120, 3e-130]))
wrong("1 % at 1e200", lambda x: x * x * 1e-300, lambda g, x: g * 2.02e-300 * x, np.array([1e200, 3e210]))
wrong("1 % at 1e300", np.sqrt, lambda g, x: g * 0.505 / np.sqrt(x), np.array([1e300, 1e-300]))
wrong("dropped term", lambda x: x * np.exp(x), lambda g, x: g * np.exp(x), Y)
wrong("missing chain factor", lambda x: np.sin(3 * x), lambda g, x: g * np.cos(3 * x), Y)
wrong("missing inner square", lambda x: np.exp(-x * x), lambda g, x: g * np.exp(-x * x) * -2, Y)
wrong("power, exponent not lowered", lambda x: x**3, lambda g, x: g * 3 * x**3, Y)
wrong(
    "power, its exponent's derivative",
    lambda x, y: x**y,
    lambda g, x, y: (g * y * x ** (y - 1), g * x**y * np.log(y)),
    np.array([0.5, 2.0]),
    np.array([1.5, 2.5]),
)
wrong("arguments exchanged", lambda x, y: x / y, lambda g, x, y: (g * x / y**2, g / y), Y, Y + 3)
wrong("divide, sign of the second", lambda x, y: x / y, lambda g, x, y: (g / y, g * x / y**2), Y, Y + 3)
wrong("second argument zero", lambda x, y: x * y, lambda g, x, y: (g * y, 0 * g), Y, Y + 3)
wrong("arctan2 halves", np.arctan2, lambda g, y, x: (g * x / (x * x + y * y), g * y / (x * x + y * y)), Y, Y + 3)
wrong("sigmoid as s", sigmoid, lambda g, x: g * sigmoid(x), Y)
wrong("tanh as 1 - y", np.tanh, lambda g, x: g * (1 - np.tanh(x)), Y)
wrong(
    "erf-like constant",
    lambda x: np.exp(-x * x) * 1.1283791670955126,
    lambda g, x: -2 * x * g * np.exp(-x * x) * 1.128379,
    Y,
)
wrong(
    "gelu, constant off",
    lambda x: 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3))),
    lambda g, x: (
        g
        * (
            0.5 * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3)))
            + 0.5 * x * (1 - np.tanh(0.79788456 * (x + 0.044715 * x**3)) ** 2) * 0.79788456 * (1 + 0.134 * x * x)
        )
    ),
    Y,
)
wrong("gradient nan", np.sqrt, lambda g, x: g * np.where(x > 1, 0.5 / np.sqrt(x), np.nan), np.array([0.5, 2.0]))
wrong("gradient inf", np.sqrt, lambda g, x: g * np.where(x > 1, 0.5 / np.sqrt(x), np.inf), np.array([0.5, 2.0]))
wrong("overflow in the rule", softplus, lambda g, x: g * np.exp(x) / (1 + np.exp(x)), np.array([1.0, 800.0]))
wrong("straight through round", np.round, lambda g, x: g, np.array([0.3, 1.4, -2.2]))
wrong("straight through sign", np.sign, lambda g, x: g, np.array([0.3, 1.4, -2.2]))
wrong("constant function, gradient one", lambda x: 0 * x + 3, lambda g, x: g, Y)
wrong("zero gradient", np.sin, lambda g, x: 0 * g, Y)
wrong("relu leaks", lambda x: np.maximum(x, 0), lambda g, x: g * np.where(x > 0, 1, 0.01), Y)
wrong("relu leaks a little", lambda x: np.maximum(x, 0), lambda g, x: g * np.where(x > 0, 1, 1e-6), Y)
wrong("abs, always one", np.abs, lambda g, x: g, Y)
wrong(
    "kink, outside both sides",
    lambda x: np.maximum(x, 0),
    lambda g, x: g * np.where(x == 0, 1.5, x > 0),
    np.array([0.0, 1.0]),
)
wrong("clip, gradient outside", lambda x: np.clip(x, -1, 1), lambda g, x: g, Y)
wrong("max, to all", np.max, lambda g, x: g * np.ones_like(x), Y)
wrong("max, to the first", np.max, lambda g, x: g * (np.arange(x.size) == 0), Y)

# ------------------------------------------------------------------------------------------------ shapes, sums, axes

wrong("sum, gradient averaged", np.sum, lambda g, x: g * np.ones_like(x) / x.size, Y)
wrong("mean, not divided", np.mean, lambda g, x: g * np.ones_like(x), Y)
wrong("broadcast, not reduced", lambda x, b: x + b, lambda g, x, b: (g, g), M, np.ones(3))
wrong("broadcast, mean for sum", lambda x, b: x + b, lambda g, x, b: (g, g.mean(0)), M, np.ones(3))
wrong("broadcast, other axis", lambda x, b: x + b, lambda g, x, b: (g, g.sum(1)), G.normal(size=(3, 3)), np.ones(3))
wrong("broadcast, first row", lambda x, b: x * b, lambda g, x, b: (g * b, (g * x)[0]), M, np.ones(3))
wrong(
    "matmul, transposed",
    lambda x, y: x @ y,
    lambda g, x, y: (g @ y, x @ g),
    G.normal(size=(3, 3)),
    G.normal(size=(3, 3)),
)
wrong("matmul, one element", lambda x, y: x @ y, lambda g, x, y: (g @ y.T, at(x.T @ g, (1, 2), 1 + 1e-5)), M, N)
wrong("transpose, reshaped", lambda x: x.T, lambda g, x: g.reshape(x.shape), M)
wrong("cumsum, not reversed", np.cumsum, lambda g, x: np.cumsum(g), Y)
wrong(
    "softmax, diagonal only",
    lambda x: np.exp(x) / np.exp(x).sum(),
    lambda g, x: g * (s := np.exp(x) / np.exp(x).sum()) * (1 - s),
    Y,
)
wrong("logsumexp, unnormalised", lambda x: np.log(np.exp(x).sum()), lambda g, x: g * np.exp(x), Y)
wrong("norm, not divided", lambda x: np.sqrt((x * x).sum()), lambda g, x: g * x, Y)
wrong("var, mean's part missing in one", np.var, lambda g, x: g * 2 * x / x.size, Y)
wrong("prod, product of all", np.prod, lambda g, x: g * np.prod(x) * np.ones_like(x), Y)
wrong("indexing, repeated index lost", lambda x: x[[0, 0, 2]], lambda g, x: np.array([g[1], 0, g[2], 0]), Y)
wrong("sort, not permuted back", np.sort, lambda g, x: g, Y)
wrong(
    "inverse, not transposed",
    np.linalg.inv,
    lambda g, x: -np.linalg.inv(x) @ g @ np.linalg.inv(x),
    G.normal(size=(3, 3)) + 3 * np.eye(3),
)
wrong(
    "determinant, not transposed",
    np.linalg.det,
    lambda g, x: g * np.linalg.det(x) * np.linalg.inv(x),
    G.normal(size=(3, 3)) + 3 * np.eye(3),
)
wrong("two outputs, one ignored", lambda x: (np.sin(x), np.cos(x)), lambda g, x: g[0] * np.cos(x), Y)
wrong("two outputs, exchanged", lambda x: (np.sin(x), np.cos(x)), lambda g, x: g[1] * np.cos(x) - g[0] * np.sin(x), Y)
wrong(
    "nested, one leaf",
    lambda p: p["w"] * p["b"][0],
    lambda g, p: {"w": g * p["b"][0], "b": [g * p["b"][0]]},
    {"w": Y, "b": [Y + 2]},
)
wrong("shape of the gradient", np.sum, lambda g, x: g * np.ones((x.size, 1)), Y)
wrong("row for a column", lambda x: 2 * x, lambda g, x: 2 * g.T, np.ones((3, 1)))
wrong("float64 for float32", np.sin, lambda g, x: (g * np.cos(x)).astype(np.float64), Y.astype(np.float32))
wrong("float32 for float64", np.sin, lambda g, x: (g * np.cos(x)).astype(np.float32), Y)
wrong("integers", lambda x: x * x, lambda g, x: (2 * g * x).astype(int), np.array([1.0, 2.0]))
wrong("complex for real", np.sin, lambda g, x: g * np.cos(x) + 0j, Y)

# ------------------------------------------------------------------------------------------------ one element, a region

wrong("one of 10,000, 1 %", np.sin, lambda g, x: at(g * np.cos(x), 7_777, 1.01), BIG)
wrong("one of 10,000 in a sum, 1e-4", lambda x: np.sin(x).sum(), lambda g, x: at(g * np.cos(x), 7_777, 1 + 1e-4), BIG)
wrong(
    "one of 10,000 in a sum, small",
    lambda x: softplus(x).sum(),
    lambda g, x: at(g * sigmoid(x), 5, 0),
    np.where(np.arange(10_000) == 5, -18.0, BIG),
)
wrong("one of 300,000 in a sum", lambda x: (x * x).sum(), lambda g, x: at(2 * g * x, 123_456, 1.001), HUGE)
wrong("one of 300,000", lambda x: x * x, lambda g, x: at(2 * g * x, 123_456, 1.001), HUGE)
wrong("last of 300,000", lambda x: np.exp(-x * x), lambda g, x: at(-2 * g * x * np.exp(-x * x), -1, -1), HUGE)
wrong(
    "one of a matmul's 10,000",
    lambda x, y: x @ y,
    lambda g, x, y: (at(g @ y.T, (3, 70), 1.01), x.T @ g),
    G.normal(size=(100, 100)),
    G.normal(size=(100, 5)),
)
wrong("beyond a threshold not given", softplus, lambda g, x: g * np.where(x > 15, 0.99, sigmoid(x)), Y)
wrong(
    "below a threshold not given",
    np.tanh,
    lambda g, x: g * np.where(x < -3, 0, 1 - np.tanh(x) ** 2),
    np.array([0.1, 0.5]),
)
wrong("beyond a threshold, scalar", softplus, lambda g, x: g * np.where(x > 10, 1, sigmoid(x)), 0.5)
wrong("beyond a threshold, in a sum", lambda x: softplus(x).sum(), lambda g, x: g * np.where(x > 10, 1, sigmoid(x)), Y)
wrong(
    "in a region named",
    lambda x: (x**4).sum(),
    lambda g, x: g * 4 * np.where(np.abs(x) > 100, x * x, x**3),
    Y,
    domain=(-500, 500),
)
wrong(
    "negative side",
    lambda x: np.where(x > 0, x, np.expm1(x)),
    lambda g, x: g * np.ones_like(x),
    np.array([0.3, 2.0, 1.1]),
)

# ------------------------------------------------------------------------------------------------ conduct


def _calls(scale: float) -> Any:
    count = [0]

    def vjp(g: Any, x: Any) -> Any:
        count[0] += 1
        return g * np.cos(x) * (1 + scale * (count[0] % 2))

    return vjp


def _first_value() -> Any:
    cache: dict[str, Any] = {}

    def vjp(g: Any, x: Any) -> Any:
        return g * cache.setdefault("cos", np.cos(x))

    return vjp


def _last_value() -> tuple[Any, Any]:
    saved: dict[str, Any] = {}

    def f(x: Any) -> Any:
        saved["x"] = x
        return np.sin(x)

    return f, lambda g, x: g * np.cos(saved["x"]) + 0 * x


def _accumulates() -> Any:
    total = np.zeros_like(Y)

    def vjp(g: Any, x: Any) -> Any:
        total[...] += g * np.cos(x)
        return total

    return vjp


def _buffer() -> Any:
    out = np.zeros_like(Y)

    def vjp(g: Any, x: Any) -> Any:
        np.multiply(g, np.cos(x), out=out)
        return out

    return vjp


def _doubles(g: Any, x: Any) -> Any:
    g *= np.cos(x)
    return g


def _overwrites(g: Any, x: Any) -> Any:
    result = g * np.cos(x)
    x[...] = 0
    return result


def _shared(g: Any, x: Any, y: Any) -> Any:
    out = g * 2.0
    return out, out


def _random(g: Any, x: Any) -> Any:
    return g * np.cos(x) * (1 + 1e-3 * np.random.default_rng().normal(size=np.shape(x)))


wrong("alternates", np.sin, _calls(1e-3), Y)
wrong("keeps the first point", np.sin, _first_value(), Y)
wrong("uses the last point", *_last_value(), Y)
wrong("accumulates", np.sin, _accumulates(), Y)
wrong("one buffer for all answers", np.sin, _buffer(), Y)
wrong("writes into its cotangent", np.sin, _doubles, Y)
wrong("writes into its input", np.sin, _overwrites, Y.copy())
wrong("two gradients in one memory", lambda x, y: 2 * (x + y), _shared, Y, Y + 1)
wrong("random", np.sin, _random, Y)
wrong("cotangent clipped", np.sin, lambda g, x: np.clip(g, -1, 1) * np.cos(x), Y)
wrong("cotangent's sign", np.sin, lambda g, x: np.sign(g) * np.cos(x), Y)
wrong("cotangent ignored", np.sin, lambda g, x: np.cos(x), Y)
wrong("cotangent squared", np.sin, lambda g, x: g * np.abs(g) * np.cos(x), Y)
wrong("cotangent averaged", np.sin, lambda g, x: g.mean() * np.cos(x), Y)
wrong("cotangent, constant added", np.sin, lambda g, x: g * np.cos(x) + 1e-3, Y)
wrong("large cotangents clipped", np.sin, lambda g, x: np.clip(g, -100, 100) * np.cos(x), Y)
wrong("none returned", np.sin, lambda g, x: None, Y)
wrong("too few", lambda x, y: x * y, lambda g, x, y: (g * y,), Y, Y)
wrong("raises", np.sin, lambda g, x: g @ np.ones((7, 7)), Y)
wrong("leaks to a neighbour", np.sin, lambda g, x: g * np.cos(x) + 1e-4 * np.roll(g, 1), Y)

# ------------------------------------------------------------------------------------------------ complex

Z = np.array([1 + 2j, -0.5 + 0.3j, 2 - 1j])
wrong("complex exp, no conjugate", np.exp, lambda g, z: g * np.exp(z), Z)
wrong("complex abs, conjugated", np.abs, lambda g, z: g * np.conj(z) / np.abs(z), Z)
wrong("complex real part twice", lambda z: z.real, lambda g, z: 2 * g + 0j, Z)
wrong("complex square, half", lambda z: z * z, lambda g, z: g * np.conj(z), Z)
wrong("complex imaginary part", lambda z: z.imag, lambda g, z: -1j * g, Z)

# ================================================================================================ right, but difficult

for _dtype in (np.float64, np.float32, np.float16):
    _n = np.dtype(_dtype).name
    right(f"softplus, {_n}", softplus, lambda g, x: (g * sigmoid(x)).astype(x.dtype), X.astype(_dtype))
    right(f"exp, {_n}", np.exp, lambda g, x: g * np.exp(x), Y.astype(_dtype))
    right(f"tanh, {_n}", np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), np.linspace(-6, 6, 13).astype(_dtype))
    right(
        f"softmax, {_n}",
        lambda x: (e := np.exp(x - x.max())) / e.sum(),
        lambda g, x: (s := (e := np.exp(x - x.max())) / e.sum()) * (g - (g * s).sum()),
        Y.astype(_dtype),
    )
    right(f"sum of squares, {_n}", lambda x: (x * x).sum(), lambda g, x: 2 * g * x, G.normal(size=200).astype(_dtype))
    right(
        f"relu exactly at zero, {_n}",
        lambda x: np.maximum(x, 0),
        lambda g, x: g * (x > 0),
        np.array([0, 1, -1, 0], _dtype),
    )
    right(f"matmul, {_n}", lambda x, y: x @ y, lambda g, x, y: (g @ y.T, x.T @ g), M.astype(_dtype), N.astype(_dtype))

right("relu near zero", lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0), np.array([1e-7, -1e-7, 1e-12, 3.0]))
right(
    "relu shifted, near its kink",
    lambda x: np.maximum(x - 1, 0),
    lambda g, x: g * (x > 1),
    np.array([1 + 1e-7, 1 - 1e-7, 1 + 1e-5]),
)
right("relu at zero, right derivative", lambda x: np.maximum(x, 0), lambda g, x: g * (x >= 0), np.array([0.0, 1.0]))
right("relu at zero, half", lambda x: np.maximum(x, 0), lambda g, x: g * np.heaviside(x, 0.5), np.array([0.0, 1.0]))
right(
    "relu of a sum with zeros",
    lambda x: np.maximum(x, 0).sum(),
    lambda g, x: g * (x > 0),
    np.where(np.arange(500) % 3, 0, G.normal(size=500)),
)
right("abs at zero", np.abs, lambda g, x: g * np.sign(x), np.array([0.0, -2.0, 1e-9]))
right(
    "kinks of both kinds",
    lambda x: np.abs(x[::2]).sum() - np.maximum(x[1::2], 0).sum(),
    lambda g, x: g * np.where(np.arange(x.size) % 2, -1.0 * (x > 0), np.sign(x)),
    np.where(np.arange(60) % 4 < 2, 0, G.normal(size=60)),
)
right("max with ties", np.max, lambda g, x: g * (x == x.max()) / (x == x.max()).sum(), np.array([1.0, 3.0, 3.0]))
right(
    "maximum at a tie",
    np.maximum,
    lambda g, x, y: (g * ((x > y) + 0.5 * (x == y)), g * ((y > x) + 0.5 * (x == y))),
    np.array([1.0, 2.0]),
    np.array([1.0, 3.0]),
)
right("sort with near ties", np.sort, lambda g, x: g[np.argsort(np.argsort(x))], np.array([1.0, 1 + 1e-8, -3.0]))
right(
    "clip at its ends", lambda x: np.clip(x, -1, 1), lambda g, x: g * (np.abs(x) <= 1), np.array([-1.0, 0.3, 1.0, 5.0])
)
right(
    "leaky relu, exactly",
    lambda x: np.where(x > 0, x, 0.01 * x),
    lambda g, x: g * np.where(x > 0, 1, 0.01),
    np.array([0.0, 1e-300, -1e-300]),
)
right("hinge", lambda x: np.maximum(0, 1 - x).sum(), lambda g, x: -g * (x < 1), np.array([1.0, 0.99999999, 2.0]))
right(
    "huber at its joint",
    lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5),
    lambda g, x: g * np.clip(x, -1, 1),
    np.array([1.0, -1.0, 0.2]),
)
right(
    "norm at zero",
    lambda x: np.sqrt((x * x).sum()),
    lambda g, x: g * x / n if (n := np.sqrt((x * x).sum())) else 0 * x,
    np.zeros(3),
)
right("floor, between", np.floor, lambda g, x: 0 * g, np.array([0.3, 2.5, -1.1]))
right("floor, on a step", np.floor, lambda g, x: 0 * g, np.array([2.0, 0.5]))
right("sign at zero", np.sign, lambda g, x: 0 * g, np.array([0.0, 1.0]))
right("round", np.round, lambda g, x: 0 * g, np.array([0.3, 1.4999999]))
right("exp(50 x)", lambda x: np.exp(50 * x), lambda g, x: g * 50 * np.exp(50 * x), np.array([-1.0, 0.1, 1.0, 3.0]))
right("sin(1000 x)", lambda x: np.sin(1000 * x), lambda g, x: g * 1000 * np.cos(1000 * x), Y)
right("sin(1e6 x)", lambda x: np.sin(1e6 * x), lambda g, x: g * 1e6 * np.cos(1e6 * x), Y)
right("sin(1/x)", lambda x: np.sin(1 / x), lambda g, x: -g * np.cos(1 / x) / x**2, np.array([1e-3, 0.02, 0.5]))
right("log near zero", np.log, lambda g, x: g / x, np.array([1e-300, 1e-30, 1e-5, 1.0]))
right("log summed near zero", lambda x: np.log(x).sum(), lambda g, x: g / x, np.array([1e-300, 1e-30, 1e-5, 1.0]))
right("1/x near zero", lambda x: 1 / x, lambda g, x: -g / x / x, np.array([1e-100, 1e-9, -1e-9]))
right("sqrt near zero", np.sqrt, lambda g, x: g * 0.5 / np.sqrt(x), np.array([1e-300, 1e-20, 1e-8]))
right("sqrt at zero", np.sqrt, lambda g, x: g * 0.5 / np.sqrt(x), np.array([0.0, 1.0]), allow_inconclusive=True)
right("cbrt near zero", np.cbrt, lambda g, x: g / 3 / np.cbrt(x) ** 2, np.array([1e-30, -1e-9]))
right(
    "arcsin near one", np.arcsin, lambda g, x: g / np.sqrt((1 - x) * (1 + x)), np.array([0.999999, -0.9999999999, 0.5])
)
right("arccosh near one", np.arccosh, lambda g, x: g / np.sqrt((x - 1) * (x + 1)), np.array([1 + 1e-10, 1.001, 1e10]))
right("tan near its pole", np.tan, lambda g, x: g / np.cos(x) ** 2, np.array([1.5707, 1.570796, 0.1]))
right("x log x", lambda x: x * np.log(x), lambda g, x: g * (np.log(x) + 1), np.array([1e-200, 1e-10, 1 / math.e, 2.0]))
right("x^2 at zero", lambda x: x * x, lambda g, x: 2 * g * x, np.zeros(3))
right(
    "x^1.5 at zero",
    lambda x: np.abs(x) ** 1.5,
    lambda g, x: 1.5 * g * np.abs(x) ** 0.5 * np.sign(x),
    np.array([0.0, 1.0]),
)
right("cube at zero and tiny", lambda x: x**3, lambda g, x: 3 * g * x * x, np.array([0.0, 1e-300, 1e-100, 1e90]))
right("square from 1e-300 to 1e150", lambda x: x * x, lambda g, x: 2 * g * x, np.array([1e-300, 1e-150, 1.0, 1e150]))
right("linear from 1e-300 to 1e300", lambda x: 3 * x, lambda g, x: 3 * g, np.array([1e-300, 1e-10, 1e10, 1e300]))
right(
    "sum over magnitudes",
    lambda x: (3 * x).sum(),
    lambda g, x: 3 * g * np.ones_like(x),
    np.array([1e-300, 1e-10, 1e10, 1e300]),
)
right("product of extremes", np.prod, lambda g, x: g * np.array([x[1], x[0]]), np.array([1e-200, 1e200]))
right("softplus of tiny", softplus, lambda g, x: g * sigmoid(x), np.array([1e-300, -1e-30, 1e-9]))
right(
    "sigmoid, saturated, s (1 - s)",
    sigmoid,
    lambda g, x: g * (s := sigmoid(x)) * (1 - s),
    np.array([-40.0, 40.0, 30.0, 17.0, 800.0]),
)
right("tanh, saturated, 1 - y y", np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), np.array([20.0, -19.0, 400.0, 9.0]))
right("softplus, far out", softplus, lambda g, x: g * sigmoid(x), np.array([-800.0, -700.0, -40.0, 40.0, 800.0]))
right(
    "softplus, as taught",
    lambda x: np.log(1 + np.exp(x)),
    lambda g, x: g * sigmoid(x),
    np.array([-50.0, -40.0, -30.0, -20.0, 5.0, 30.0]),
)
right(
    "softplus, as taught, float32",
    lambda x: np.log(1 + np.exp(x)),
    lambda g, x: (g * sigmoid(x)).astype(x.dtype),
    np.array([-50, -30.0, -17, -9, 5.0, 30.0], np.float32),
)
right("cancellation, 1e10 + x", lambda x: (1e10 + x) - 1e10, lambda g, x: g, Y)
right("cancellation, 1 - cos", lambda x: 1 - np.cos(x), lambda g, x: g * np.sin(x), np.array([1e-3, 1e-6, 1.0]))
right(
    "cancellation, (exp(x) - 1) / x",
    lambda x: (np.exp(x) - 1) / x,
    lambda g, x: g * (np.exp(x) * (x - 1) + 1) / x**2,
    np.array([0.01, 1.0, 3.0]),
)
right("cancellation in a variance", np.var, lambda g, x: g * 2 * (x - x.mean()) / x.size, 1e6 + Y)
right("large offset", lambda x: 1e8 + np.sin(x), lambda g, x: g * np.cos(x), Y)
right("tiny function", lambda x: 1e-200 * np.sin(x), lambda g, x: g * 1e-200 * np.cos(x), Y)
right(
    "logsumexp, shifted",
    lambda x: (m := x.max()) + np.log(np.exp(x - m).sum()),
    lambda g, x: g * (e := np.exp(x - x.max())) / e.sum(),
    np.array([1000.0, 999.0, -1000.0]),
)
right("constant", lambda x: np.full_like(x, 3.0), lambda g, x: 0 * g, Y)
right("constant zero", lambda x: 0 * x, lambda g, x: 0 * g, Y)
right("scalar constant, 0-d", lambda x: np.float64(7.0), lambda g, x: np.zeros_like(x), Y)
right("empty", np.sin, lambda g, x: g * np.cos(x), np.zeros((0, 3)))
right("empty, summed", lambda x: x.sum(), lambda g, x: g * np.ones_like(x), np.zeros((3, 0)))
right(
    "integer beside",
    lambda x, k: x**k,
    lambda g, x, k: (g * k * x ** (k - 1), None),
    np.array([0.5, 2.0]),
    np.array([2, 3]),
)
right(
    "boolean mask beside",
    lambda x, m: np.where(m, x, 0).sum(),
    lambda g, x, m: g * m,
    Y,
    np.array([True, False, True, True]),
)
right("index beside", lambda x, i: x[i], lambda g, x, i: np.bincount(i, g, x.size), Y, np.array([0, 0, 3]))
right("float32 internally", lambda x: np.exp(x.astype(np.float32)).astype(x.dtype), lambda g, x: g * np.exp(x), Y)
right("scalar function of math", lambda x: math.exp(x), lambda g, x: g * math.exp(x), 0.7)
right("math.log, raises below zero", lambda x: math.log(x), lambda g, x: g / x, 1e-5)
right(
    "cholesky's diagonal product",
    lambda x: np.linalg.slogdet(x @ x.T + np.eye(3))[1],
    lambda g, x: g * 2 * np.linalg.inv(x @ x.T + np.eye(3)) @ x,
    N,
)
right(
    "inverse",
    np.linalg.inv,
    lambda g, x: -np.linalg.inv(x).T @ g @ np.linalg.inv(x).T,
    G.normal(size=(3, 3)) + 3 * np.eye(3),
)
right(
    "inverse, ill-conditioned",
    np.linalg.inv,
    lambda g, x: -np.linalg.inv(x).T @ g @ np.linalg.inv(x).T,
    np.array([[1.0, 1.0], [1.0, 1.0 + 1e-6]]),
)
right(
    "determinant",
    np.linalg.det,
    lambda g, x: g * np.linalg.det(x) * np.linalg.inv(x).T,
    G.normal(size=(3, 3)) + 3 * np.eye(3),
)
right("two outputs", lambda x: (np.sin(x), np.cos(x)), lambda g, x: g[0] * np.cos(x) - g[1] * np.sin(x), Y)
right(
    "nested", lambda p: p["w"] * p["b"][0], lambda g, p: {"w": g * p["b"][0], "b": [g * p["w"]]}, {"w": Y, "b": [Y + 2]}
)
right("broadcast", lambda x, b: x * b, lambda g, x, b: (g * b, (g * x).sum(0)), M, np.array([1.0, 2.0, 1e-9]))
right("add, the same cotangent twice", lambda x, y: x + y, lambda g, x, y: (g, g), Y, Y + 1)
right("10,000 elements", np.sin, lambda g, x: g * np.cos(x), BIG)
right("10,000 elements, summed", lambda x: np.sin(x).sum(), lambda g, x: g * np.cos(x), BIG)
right("300,000 elements, relu", lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0), HUGE)
right("300,000 elements, relu summed", lambda x: np.maximum(x, 0).sum(), lambda g, x: g * (x > 0), HUGE)
right(
    "relu network",
    lambda x, w: np.maximum(x @ w, 0).sum(),
    lambda g, x, w: ((g * (x @ w > 0)) @ w.T, x.T @ (g * (x @ w > 0))),
    G.normal(size=(50, 30)),
    G.normal(size=(30, 40)),
)
right("complex exp", np.exp, lambda g, z: g * np.conj(np.exp(z)), Z)
right("complex abs", np.abs, lambda g, z: g * z / np.abs(z), Z)
right("complex square, complex64", lambda z: z * z, lambda g, z: g * np.conj(2 * z), Z.astype(np.complex64))
right("complex conjugate", np.conj, lambda g, z: np.conj(g), Z)
right("complex, real part", lambda z: z.real, lambda g, z: g + 0j, Z)
right("real to complex", lambda x: np.exp(1j * x), lambda g, x: (g * np.conj(1j * np.exp(1j * x))).real, Y)
right(
    "dropout with its generator",
    lambda x, rng: x * (rng.random(x.shape) < 0.5),
    lambda g, x, rng: (g * (rng.random(x.shape) < 0.5), None),
    Y,
    np.random.default_rng(3),
)
right(
    "threshold of its own",
    lambda x: np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20)))),
    lambda g, x: g * np.where(x > 20, 1, sigmoid(x)),
    np.array([-5.0, 19.9999, 25.0]),
)
right(
    "Runge near its poles",
    lambda x: 1 / (1e-6 + x * x),
    lambda g, x: -2 * g * x / (1e-6 + x * x) ** 2,
    np.array([0.0, 1e-4, 1e-2, 1.0]),
)
right(
    "narrow bump",
    lambda x: np.exp(-((x - 0.3) ** 2) * 1e8),
    lambda g, x: -2e8 * g * (x - 0.3) * np.exp(-((x - 0.3) ** 2) * 1e8),
    np.array([0.3, 0.30001, 0.5]),
)
right(
    "steep step",
    lambda x: np.tanh(1e6 * (x - 0.7)),
    lambda g, x: g * 1e6 * (1 - np.tanh(1e6 * (x - 0.7)) ** 2),
    np.array([0.7, 0.7000001, 0.1]),
)
right("polynomial of degree 40", lambda x: x**40, lambda g, x: 40 * g * x**39, np.array([0.1, 1.0, 2.0, -1.5]))
right("erf by its series' integral", np.arctan, lambda g, x: g / (1 + x * x), np.array([1e-8, 1.0, 1e8, 1e200]))
right(
    "hypot of extremes",
    np.hypot,
    lambda g, x, y: (g * x / np.hypot(x, y), g * y / np.hypot(x, y)),
    np.array([1e200, 1e-200]),
    np.array([1e199, 2e-200]),
)
right(
    "x**y",
    lambda x, y: x**y,
    lambda g, x, y: (g * y * x ** (y - 1), g * x**y * np.log(x)),
    np.array([0.5, 2.0, 1e-5]),
    np.array([1.5, -2.5, 0.5]),
)
