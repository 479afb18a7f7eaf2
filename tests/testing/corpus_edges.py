"""Gradients at the edges: wrong for sizes not given or at ties; right beside ties, poles and large neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from corpus import Case, sigmoid, softplus

V = np.array([-1.3, -0.2, 0.4, 1.1, 2.7])
TIED = np.array([1.0, 3.0, 3.0, 2.0])


def _places(g: Any, x: Any) -> Any:
    """The rule of sort."""
    return g[np.argsort(np.argsort(x, kind="stable"), kind="stable")]


def _quantile(g: Any, x: Any) -> Any:
    """For six elements the quantile of 0.3 lies halfway between the second and the third."""
    out = np.zeros(6)
    out[np.argsort(x)[1:3]] = 0.5
    return g * out


def _inverse(g: Any, x: Any) -> Any:
    return g * np.linalg.inv(x).T


WRONG = [
    Case("cube, 0 if tiny", lambda x: x**3, lambda g, x: g * np.where(np.abs(x) < 1e-6, 0, 3 * x * x), (V,)),
    Case("expm1, 0 if tiny", np.expm1, lambda g, x: g * np.where(np.abs(x) < 1e-8, 0, np.exp(x)), (V,)),
    Case("root, clipped at 1e-4", np.sqrt, lambda g, x: g * 0.5 / np.sqrt(np.maximum(x, 1e-4)), (np.abs(V),)),
    Case("0 at whole numbers", np.sin, lambda g, x: g * np.where(x == np.round(x), 0, np.cos(x)), (V,)),
    Case("0 at zero", lambda x: x * np.cos(x), lambda g, x: g * np.where(x == 0, 0, np.cos(x) - x * np.sin(x)), (V,)),
    Case("softplus, beyond 100", softplus, lambda g, x: g * np.where(x > 100, 0.999, sigmoid(x)), (V,)),
    Case(
        "square, beyond 1000, in a sum",
        lambda x: (x * x).sum(),
        lambda g, x: g * np.where(np.abs(x) > 1000, x, 2 * x),
        (V,),
    ),
    Case("cube, tiny, in a sum", lambda x: (x**3).sum(), lambda g, x: g * 3 * x * np.fmax(x, 1e-6), (np.abs(V),)),
    Case("max, the whole to each of equals", np.max, lambda g, x: g * (x == x.max()), (TIED,)),
    Case("max, nothing to equals", np.max, lambda g, x: g * (x == x.max()) * ((x == x.max()).sum() == 1), (TIED,)),
    Case(
        "maximum, the whole to both",
        np.maximum,
        lambda g, x, y: (g * (x >= y), g * (y >= x)),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    ),
]

RIGHT = [
    Case("max, near ties", np.max, lambda g, x: g * (x == x.max()), (np.array([3.0, 3 - 1e-9, 1.0, 2.9999999]),)),
    Case("sort, near ties", np.sort, _places, (np.array([1.0, 1 + 1e-12, 1 - 1e-10, 0.5]),)),
    Case("max, to the first of equals", np.max, lambda g, x: g * (np.arange(4) == x.argmax()), (TIED,)),
    Case(
        "maximum, shared",
        np.maximum,
        lambda g, x, y: (g * ((x > y) + 0.5 * (x == y)), g * ((y > x) + 0.5 * (x == y))),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    ),
    Case("sum of all sizes", np.sum, lambda g, x: g * np.ones_like(x), (np.array([1e20, 1.0, 1e-20, -1e20]),)),
    Case(
        "log of a determinant near zero",
        lambda x: np.linalg.slogdet(x)[1],
        _inverse,
        (np.array([[1.0, 2.0], [2.0, 4 + 1e-7]]),),
    ),
    Case("quantile", lambda x: np.quantile(x, 0.3), _quantile, (np.array([0.7, -1.3, 2.1, 0.4, -0.2, 1.1]),)),
    Case("power 3/2 at its end", lambda x: x**1.5, lambda g, x: 1.5 * g * np.sqrt(x), (np.array([0.0, 1e-9, 1.0]),)),
    Case("rounded to 10 decimals", lambda x: np.round(np.sin(x), 10), lambda g, x: g * np.cos(x), (V,)),
    Case("sin(x^2)", lambda x: np.sin(x * x), lambda g, x: 2 * g * x * np.cos(x * x), (V,)),
    Case("log(1 + exp(x)), as taught", lambda x: np.log(1 + np.exp(x)), lambda g, x: g * sigmoid(x), (V,)),
]
