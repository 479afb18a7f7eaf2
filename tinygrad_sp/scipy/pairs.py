"""Differences of psi, of its derivatives, and what beta's derivatives are made of, without cancellation.

All of them are sums over k = 0, 1, ... of ``(x + k)**-m * (y + k)**-n``, a family that is closed under
differentiation.  For positive x and y every term is positive, so the sum keeps all digits where the difference of two
psi, ``psi(y) - psi(x) = (y - x) * sum 1/((x + k)*(y + k))``, has lost those in which both agree.

The first terms are added up; the others are given by Euler's and Maclaurin's formula.  Left of -2 the sum is
reflected where x and y are near each other, and elsewhere split in partial fractions.

Formulas: NIST Digital Library of Mathematical Functions, sections 2.10, 5.5, 5.7 and 5.12.
"""

from __future__ import annotations

import math
from math import comb
from typing import Any

import numpy as np
import scipy.special as sc  # type: ignore[import-untyped, unused-ignore]

from ..blocks import blocked
from ..graph import Op
from ..ops.declare import elementwise

_FIRST = 14  # so many terms are added up
_BERNOULLI = sc.bernoulli(16)[2::2]
_CORRECTIONS = _BERNOULLI / np.arange(2, 17, 2)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


class Pairs(Op):
    """The sum over k from 0 of (x + k)**-m * (y + k)**-n."""

    linear, domain = "pointwise", (0.1, 9.0)
    cases = (((2, 3), (3,), {"m": 1, "n": 1}), ((3,), (3,), {"m": 1, "n": 2}))

    @staticmethod
    def forward(x: Any, y: Any, *, m: int, n: int) -> Any:
        return _narrow(_pairs(*_wide(x, y), m, n), x, y)

    backward = (
        lambda g, _out, x, y, *, m, n: g * (-m * Pairs.apply(x, y, m=m + 1, n=n)),
        lambda g, _out, x, y, *, m, n: g * (-n * Pairs.apply(x, y, m=m, n=n + 1)),
    )


class ZetaGap(Op):
    """zeta(s, x) - zeta(s, x + y); for s = 1, where both are infinite, psi(x + y) - psi(x)."""

    linear, domain = "pointwise", (0.1, 9.0)
    cases = (((2, 3), (3,), {"s": 1}), ((3,), (3,), {"s": 2}))

    @staticmethod
    def forward(x: Any, y: Any, *, s: int) -> Any:
        a, b = _wide(x, y)
        far = b == np.inf
        b = np.where(far, 0.0, b)
        gap = b * sum(_pairs(a, a + b, m, s + 1 - m) for m in range(1, s + 1))
        return _narrow(np.where(far, sc.zeta(s, a), gap), x, y)

    backward = (
        lambda g, _out, x, y, *, s: g * (-s * ZetaGap.apply(x, y, s=s + 1)),
        lambda g, _out, x, y, *, s: g * (s * sc.zeta(s + 1.0, x + y)),
    )


def psi_gap(x: Any, y: Any) -> Any:
    """Return psi(x) - psi(x + y), also where y is tiny beside x."""
    return -ZetaGap.apply(x, y, s=1)


def _bend(g: Any, _out: Any, x: Any, y: Any) -> Any:
    """The second derivative of beta in x."""
    return g * (sc.beta(x, y) * (psi_gap(x, y) ** 2 + ZetaGap.apply(x, y, s=2)))


def _twist(g: Any, _out: Any, x: Any, y: Any) -> Any:
    """The mixed second derivative of beta.

    That is beta*(psi_gap(x, y)*psi_gap(y, x) - psi'(x + y)), whose terms are as large as 1/min(x, y)**2 and cancel.
    Without the terms k = 0 of all sums, which cancel exactly, all that is left is positive.
    """
    over, beside, both = 1 + x, 1 + y, 1 + (x + y)
    means = Pairs.apply(over, both, m=1, n=1) * Pairs.apply(beside, both, m=1, n=1)
    bends = Pairs.apply(over, both, m=1, n=2) + Pairs.apply(beside, both, m=1, n=2)
    return g * (sc.beta(x, y) * x * y * (means + bends / (x + y)))


beta_slope: Any = elementwise(
    lambda x, y: sc.beta(x, y) * psi_gap(x, y),
    _bend,
    _twist,
    name="beta_slope",
    doc="The derivative of beta(x, y) in x: beta(x, y) * (psi(x) - psi(x + y)).",
    domain=(0.1, 9.0),
)


def _wide(x: Any, y: Any) -> tuple[Any, Any]:
    """Return both as double precision, broadcast."""
    a, b = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    return a, b


def _narrow(result: Any, x: Any, y: Any) -> Any:
    """Return a result in the precision that SciPy gives for such arguments."""
    return result.astype(np.result_type(x, y, np.float32))[()]


def _pairs(x: Any, y: Any, m: int, n: int) -> Any:
    """Compute the sum of (x + k)**-m * (y + k)**-n."""
    left = np.minimum(x, y) < -2
    result = np.asarray(_added(np.where(left, 1.0, x), np.where(left, 1.0, y), m=m, n=n))
    if np.any(left):
        result[left] = _on_the_left(x[left], y[left], m, n)
    return result


@np.errstate(all="ignore")  # at poles, and where what is not taken is out of range
@blocked
def _added(x: Any, y: Any, *, m: int, n: int) -> Any:
    """The sum for x and y from -2 on."""
    head = sum(_inverse(x + k, m) * _inverse(y + k, n) for k in range(_FIRST))
    first, last = x + _FIRST, y + _FIRST
    near, far = np.minimum(first, last), np.maximum(first, last)
    integral = _integral(near, far, m, n)
    if m != n:
        integral = np.where(first <= last, integral, _integral(near, far, n, m))
    tail = _inverse(first, m) * _inverse(last, n) * (0.5 + _corrections([1 / first] * m + [1 / last] * n))
    return np.where(np.isinf(x) | np.isinf(y), 0.0, head + integral + tail)


def _inverse(x: Any, m: int) -> Any:
    """x**-m, for which NumPy's power takes ten times as long."""
    inverse = 1 / x
    return math.prod([inverse] * (m - 1), start=inverse) if m else 1.0


def _corrections(factors: list[Any]) -> Any:
    """Sum Euler's and Maclaurin's corrections, over the term itself.

    Its derivative of order d, over d! and (-1)**d, is the term times the sum of all products of d of the factors.
    """
    products = [1.0] + [0.0] * (2 * len(_CORRECTIONS) - 1)
    for factor in factors:
        for d in range(1, len(products)):
            products[d] = products[d] + factor * products[d - 1]
    return sum(c * p for c, p in zip(_CORRECTIONS, products[1::2], strict=True))


@np.errstate(all="ignore")
@blocked
def trigamma(x: Any) -> Any:
    """The derivative of psi for x > 0."""
    head = sum(_inverse(x + k, 2) for k in range(_FIRST))
    inverse = 1 / (x + _FIRST)
    square, tail = inverse * inverse, 0.0
    for number in _BERNOULLI[::-1]:
        tail = (tail + number) * square
    return head + inverse * (1 + 0.5 * inverse + tail)


def _integral(x: Any, y: Any, m: int, n: int) -> Any:
    """The integral of (x + t)**-m * (y + t)**-n over t from 0, for 0 < x <= y.

    With u = y/x - 1 it is x**-(m + n - 1) times that of w**(m + n - 2) * (1 + u*w)**-n from 0 to 1: by Gauss's rule
    up to u = 4, beyond that in closed form, whose terms would cancel for small u.
    """
    u, degree = (y - x) / x, m + n - 2
    if not degree:  # nothing cancels
        return np.where(u == 0, 1.0, _powers(u, 1 - n) / u) * _inverse(x, 1)
    little, much = np.minimum(u, 4.0), np.maximum(u, 4.0)
    near = sum(
        0.5 * weight * w**degree * _inverse(1 + little * w, n)
        for w, weight in zip(0.5 + 0.5 * _NODES, _WEIGHTS, strict=True)
    )
    far = 0.0
    for j in range(degree + 1):
        far = far + (-1) ** (degree - j) * comb(degree, j) * _powers(much, j + 1 - n)
    for _ in range(degree + 1):
        far = far / much
    return np.where(u <= 4, near, far) * _inverse(x, m + n - 1)


def _powers(u: Any, power: int) -> Any:
    """The integral of (1 + t)**(power - 1) over t from 0 to u."""
    log = np.log1p(u)
    return np.expm1(power * log) / power if power else log


def _on_the_left(x: Any, y: Any, m: int, n: int) -> Any:
    """The sum where x or y is below -2."""
    near = np.abs(y - x) <= 2
    result = np.empty_like(x)
    result[near] = _reflected(x[near], y[near], m, n)
    result[~near] = _split(x[~near], y[~near], m, n)
    return result


def _reflected(x: Any, y: Any, m: int, n: int) -> Any:
    """The sum over all whole k, which is the same from x + 1 and y + 1 on, less that over the negative ones."""
    to = -np.floor(np.maximum(x, y))
    p, q, sign = x + to, y + to, (-1) ** (m + n)
    return _added(p, q, m=m, n=n) + sign * (_added(1 - p, 1 - q, m=m, n=n) - _added(1 - x, 1 - y, m=m, n=n))


def _split(x: Any, y: Any, m: int, n: int) -> Any:
    """The sum by partial fractions, for x and y that are not near each other."""
    if not m or not n:
        alone, power = (y, n) if not m else (x, m)
        return _pairs(alone, alone, power - 1, 1)
    if m == n == 1:
        return (sc.psi(y) - sc.psi(x)) / (y - x)
    return (_split(x, y, m, n - 1) - _split(x, y, m - 1, n)) / (y - x)
