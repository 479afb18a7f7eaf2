"""Where things are equal, or cancel: three elements, two inputs, the terms of a result."""

from __future__ import annotations

from typing import Any

import numpy as np
from corpus import Case, sigmoid

THREE = np.array([2.0, 2.0, 2.0])
GRADES = np.array([3.0, 1.0, 2.0, 2.0, 2.0, 1.0, 5.0])
U = np.array([0.4, -1.2, 0.7, 2.0])
X = np.array([0.3, -1.7, 2.2, 0.9, -0.4])
ROWS = np.array([[0.3, -1.7, 2.2], [1.0, 0.2, 0.5]])
SQUARE = np.array([[2.0, 0.3, -0.5], [0.1, 1.5, 0.4], [-0.3, 0.2, 1.1]])


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max())
    return e / e.sum()


def _of_softmax(g: Any, x: Any) -> Any:
    s = _softmax(x)
    return s * (g - (g * s).sum())


def _centred(x: Any) -> Any:
    return x - x.mean(axis=-1, keepdims=True)


def _unsorted(g: Any, x: Any) -> Any:
    out = np.empty_like(g)
    out[np.argsort(x, kind="stable")] = g
    return out


def _shared(g: Any, x: Any) -> Any:
    """The rule of the median, to all that are equal to it."""
    return g * (x == np.median(x)) / (x == np.median(x)).sum()


def _projected(x: Any, u: Any) -> Any:
    return x - u * (u @ x) / (u @ u)


def _of_projected(g: Any, x: Any, u: Any) -> Any:
    n, a, b = u @ u, u @ x, u @ g
    return g - u * b / n, -(g * a + x * b) / n + 2 * u * a * b / n**2


def _float64_only(x: Any) -> Any:
    if x.dtype != np.float64:
        raise TypeError("wanted float64")
    return np.sin(x)


class Layer:
    """A layer that keeps its input for its pull: the next application overwrites it."""

    def __call__(self, x: Any) -> Any:
        self.x = x
        return np.tanh(x)

    def vjp(self, x: Any) -> Any:
        out = self(x)
        return out, lambda g: g * (1 - np.tanh(self.x) ** 2)


LAYER = Layer()

WRONG = [
    Case("median of three equal, to none", np.median, lambda g, x: g * (x == np.median(x)) * (np.ptp(x) > 0), (THREE,)),
    Case("median of three equal, to each", np.median, lambda g, x: g * (x == np.median(x)), (THREE,)),
    Case("sort of equals, one of them doubled", np.sort, lambda g, x: _unsorted(g, x) * (1 + (GRADES == 5)), (GRADES,)),
    Case("sort of equals, cotangents in the wrong order", np.sort, lambda g, x: g[np.argsort(x)], (GRADES,)),
    Case(
        "softmax beside an equal one, its sum forgotten",
        lambda a, b: _softmax(a) - _softmax(b),
        lambda g, a, b: (_of_softmax(g, a), -_softmax(b) * g),
        (U, U.copy()),
    ),
    Case("sum of deviations, ones", lambda x: _centred(x).sum(), lambda g, x: g * np.ones_like(x), (X,)),
    Case("sum of deviations, 1e-6", lambda x: _centred(x).sum(), lambda g, x: g * np.full_like(x, 1e-6), (X,)),
    Case(
        "deviations of rows, the mean detached",
        lambda x: _centred(x).sum(axis=1),
        lambda g, x: g[:, None] * np.ones_like(x),
        (ROWS,),
    ),
    Case("float64 only, and off", _float64_only, lambda g, x: 1.01 * g * np.cos(x), (X,)),
    Case("the pull reads what was applied last", LAYER, LAYER.vjp, (X,)),
    Case(
        "an input below, by another above 1",
        np.hypot,
        lambda g, x, y: (g * x / np.hypot(x, y) * np.where(y < 1, 1.1, 1), g * y / np.hypot(x, y)),
        (U, np.array([3.0, 1.5, 2.0, 1.7])),
    ),
]

RIGHT = [
    Case("median of three equal, to one", np.median, lambda g, x: g * (np.arange(3) == np.argsort(x)[1]), (THREE,)),
    Case(
        "median of three equal, shared",
        np.median,
        lambda g, x: g * (x == np.median(x)) / (x == np.median(x)).sum(),
        (THREE,),
    ),
    Case("sort of equals", np.sort, _unsorted, (GRADES,)),
    Case(
        "sort of equals, weighted",
        lambda x: np.sort(x) @ np.arange(7.0),
        lambda g, x: g * _unsorted(np.arange(7.0), x),
        (GRADES,),
    ),
    Case(
        "softmax beside an equal one",
        lambda a, b: _softmax(a) - _softmax(b),
        lambda g, a, b: (_of_softmax(g, a), -_of_softmax(g, b)),
        (U, U.copy()),
    ),
    Case("projected out of its own direction", _projected, _of_projected, (2 * U, U)),
    Case("sum of deviations", lambda x: _centred(x).sum(), lambda g, x: g * np.zeros_like(x), (X,)),
    Case("deviations of rows", lambda x: _centred(x).sum(axis=1), lambda g, x: 0 * g[:, None] * x, (ROWS,)),
    Case(
        "solve(a, a)",
        lambda a: np.linalg.solve(a, a),
        lambda g, a: np.linalg.solve(a.T, g) - np.linalg.solve(a.T, g) @ np.linalg.solve(a, a).T,
        (SQUARE,),
    ),
    Case("float64 only", _float64_only, lambda g, x: g * np.cos(x), (X,)),
    Case("log(1 + exp(x)) - x", lambda x: np.logaddexp(0, x) - x, lambda g, x: -g * sigmoid(-x), (X,)),
    Case(
        "cross entropy of two logits",
        lambda a, b: np.logaddexp(a, b) - a,
        lambda g, a, b: (-g * sigmoid(b - a), g * sigmoid(b - a)),
        (X, X[::-1].copy()),
    ),
]
