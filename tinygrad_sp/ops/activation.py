"""Softplus and its family: smooth functions of one number, right to a few ulp on the whole line.

With e = exp(-|x|), which never overflows, every one of them is a sum or product of terms of one sign, so
nothing cancels; the bounds are stated and measured in ``tests/test_exactness.py``.  Two densities close the
family under differentiation: sigmoid is the integral of `logistic`, and no rule below divides, subtracts
nearly equal numbers or multiplies infinity by zero.  (The normal distribution's half is in ``erf.py``, the
functions with a corner in ``rectifier.py``.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import blocked
from ..graph import Op
from ..hotpath import Pointwise
from .arguments import array as _array
from .declare import elementwise

__all__ = ["logsigmoid", "mish", "sigmoid", "silu", "softplus", "softsign", "tanh"]

# Beyond this, exp(-x/2) is 0 in every floating-point format; infinity times 0 would be NaN.
_FAR = 3e4


def _tail(x: Any) -> Any:
    """sigmoid(-|x|) = e/(1 + e).

    The quotient alone is off by up to 2.5 ulp, because 1 + e is rounded to the spacing of 1; written as
    e - e*quotient, its error counts only as far as e is large.
    """
    e = np.exp(-abs(x))
    return e - e * (e / (1.0 + e))


def _weighted_tail(x: Any) -> tuple[Any, Any]:
    """Return |x| * sigmoid(-|x|), and sigmoid(-|x|) itself to 1e-16 of 1.

    exp(-|x|) is taken in two halves, so that the product is rounded to a subnormal number only at its end.
    """
    x = np.minimum(abs(x), _FAR)
    half = np.exp(-0.5 * x)
    e = half * half
    share = e / (1.0 + e)
    return x * half * (half - half * share), share


class Softplus(Pointwise):
    """log(1 + exp(x)): a smooth relu."""

    @staticmethod
    @blocked(complex=lambda z: np.log1p(np.exp(z)))
    def forward(x: Any) -> Any:
        return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))

    @staticmethod
    @blocked(complex=True)
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * sigmoid(x)


class Sigmoid(Pointwise):
    """1 / (1 + exp(-x))."""

    @staticmethod
    @blocked(complex=lambda z: 0.5 + 0.5 * np.tanh(0.5 * z))
    def forward(x: Any) -> Any:
        e = np.exp(-abs(x))
        top = np.maximum(e, x >= 0.0)  # 1 on the right, e on the left
        return top - top * (e / (1.0 + e))  # as in _tail

    @staticmethod
    @blocked(complex=True)
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * logistic(x)


def _logistic_complex(z: Any, *, power: int) -> Any:
    s = 0.5 * np.tanh(0.5 * z)
    return z**power * ((0.5 + s) * (0.5 - s))


class Logistic(Op):
    """x**power * sigmoid(x) * sigmoid(-x): the logistic density, power 0 or 1.

    d/dx = (1 - x*tanh(x/2) if power else -tanh(x/2)) * sigmoid(x) * sigmoid(-x).
    """

    linear = "pointwise"
    cases = (((3, 4), {"power": 0}), ((3, 4), {"power": 1}))

    @staticmethod
    @blocked(complex=_logistic_complex)
    def forward(x: Any, *, power: int) -> Any:
        if not power:
            tail = _tail(x)
            return tail * (1.0 - tail)
        weighted, tail = _weighted_tail(x)
        return np.copysign(weighted * (1.0 - tail), x)

    @staticmethod
    @blocked(complex=True)
    def backward(grad: Any, _out: Any, x: Any, *, power: int) -> Any:
        slope = -logistic(x, power) * np.tanh(0.5 * x)
        return grad * (slope + power * logistic(x, power - 1) if power else slope)


def logistic(x: Any, power: int = 0) -> Any:
    """Return x**power times the logistic density sigmoid(x)*sigmoid(-x); its derivatives are of the same kind."""
    return Logistic.apply(x, power=power)


class Logsigmoid(Pointwise):
    """-softplus(-x)."""

    @staticmethod
    @blocked(complex=lambda z: -np.log1p(np.exp(-z)))
    def forward(x: Any) -> Any:
        return np.minimum(x, 0.0) - np.log1p(np.exp(-abs(x)))

    @staticmethod
    @blocked(complex=True)
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * sigmoid(-x)


class Silu(Pointwise):
    """x * sigmoid(x)."""

    @staticmethod
    @blocked(complex=lambda z: z * (0.5 + 0.5 * np.tanh(0.5 * z)))
    def forward(x: Any) -> Any:
        return np.maximum(x, 0.0) - _weighted_tail(x)[0]

    @staticmethod
    @blocked(complex=True)
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * (sigmoid(x) + logistic(x, 1))


def _tanh_rule(g: Any, _out: Any, x: Any) -> Any:
    with np.errstate(over="ignore"):  # twice the largest numbers: infinity, where the derivative is 0 as it is there
        twice = 2 * x
    return g * (4 * logistic(twice))  # 1 - tanh(x)**2 would cancel


tanh = elementwise(np.tanh, blocked(complex=True)(_tanh_rule), note="d/dx = 1 - tanh(x)**2 = 1/cosh(x)**2.")


class TanhSoftplus(Pointwise):
    """tanh(softplus(x)), what mish multiplies x with.

    exp(-softplus(x)) is q = sigmoid(-x), so it is (1 - q*q)/(1 + q*q) = sigmoid(x)*(1 + q)/(1 + q*q).
    d/dx = sigmoid(x) / cosh(softplus(x))**2.
    """

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        tail = _tail(x)
        q = abs((x < 0.0) - tail)
        return abs((x >= 0.0) - tail) * ((1.0 + q) / (1.0 + q * q))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        q = sigmoid(-x)
        d = 1 + q * q
        return grad * (4 * q * logistic(x) / (d * d))


class Mish(Pointwise):
    """x * tanh(softplus(x))."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        weighted, tail = _weighted_tail(x)
        q = abs((x < 0.0) - tail)
        return (np.maximum(x, 0.0) - weighted) * ((1.0 + q) / (1.0 + q * q))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        q = sigmoid(-x)
        d = 1 + q * q
        return grad * (TanhSoftplus.apply(x) + 4 * q * logistic(x, 1) / (d * d))


class Softsign(Pointwise):
    """x / (1 + |x|)."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        x = np.minimum(np.maximum(x, -1e40), 1e40)  # there it is 1 to the last bit; infinity would give NaN
        return x / (1 + abs(x))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        y = 1 / (1 + abs(x))
        return grad * (y * y)


# ---------------------------------------------------------------------------------------------- public


def softplus(x: Any, beta: Any = 1.0) -> Any:
    """Return softplus(x) = log(1 + exp(beta*x)) / beta, a smooth relu.

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.
    beta : float, optional
        How sharply it bends at 0.  A Tensor is differentiated with respect to, too.

    Returns
    -------
    Tensor or ndarray
        A Tensor if an argument is one.

    Notes
    -----
    The derivative is sigmoid(beta*x).  Evaluated as ``max(x, 0) + log1p(exp(-|x|))``, which neither overflows at
    710 nor loses the digits that ``log(1 + exp(x))`` loses on the left: the value and the derivative are within
    2 ulp everywhere, subnormal results and infinities included.  With another beta, beta*x is rounded first.

    References
    ----------
    Dugas et al., *Incorporating second-order functional knowledge for better option pricing*, NIPS 2000;
    for the evaluation, M. Mächler, *Accurately computing log(1 - exp(-|a|))*, 2012.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([-20.0, 0.5, 1.2])
    >>> y = tg.softplus(x)
    >>> y
    Tensor([2.06115362e-09, 9.74076984e-01, 1.46328247e+00], op=Softplus)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([2.06115362e-09, 6.22459331e-01, 7.68524783e-01])
    """
    if type(beta) in (float, int) and beta == 1:
        return Softplus.apply(x)
    return Softplus.apply(beta * _array(x)) / beta


def sigmoid(x: Any) -> Any:
    """Return the logistic function, 1 / (1 + exp(-x)).

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from 0 to 1.

    Notes
    -----
    The derivative is sigmoid(x)*sigmoid(-x).  Written sigmoid(x)*(1 - sigmoid(x)), as it often is, it has lost
    three digits at x = 30 and is 0 from 37 on.

    References
    ----------
    P.-F. Verhulst, *Recherches mathématiques sur la loi d'accroissement de la population*, 1845.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor(40.0)
    >>> y = tg.sigmoid(x)
    >>> y.backward()
    >>> y.item(), x.grad
    (1.0, Tensor(4.24835426e-18))
    """
    return Sigmoid.apply(x)


def logsigmoid(x: Any) -> Any:
    """Return log(sigmoid(x)), which is -softplus(-x).

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers up to 0.

    Notes
    -----
    The derivative is sigmoid(-x).  It is exact where sigmoid(x) itself is 0 or 1 to the last bit.

    References
    ----------
    The logistic log-likelihood: D. R. Cox, *The regression analysis of binary sequences*, 1958.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.logsigmoid(tg.Tensor([-800.0, 0.0, 40.0])).numpy()
    array([-8.00000000e+02, -6.93147181e-01, -4.24835426e-18])
    """
    return Logsigmoid.apply(x)


def silu(x: Any) -> Any:
    """Return x*sigmoid(x), also called swish.

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from -0.278... up.

    Notes
    -----
    The derivative is sigmoid(x) + x*sigmoid(x)*sigmoid(-x).  At minus infinity both are 0, their limit.

    References
    ----------
    S. Elfwing, E. Uchibe, K. Doya, *Sigmoid-weighted linear units*, 2017; P. Ramachandran et al.,
    *Searching for activation functions*, 2017.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.silu(tg.Tensor([-1.0, 0.0, 1.0]))
    Tensor([-0.26894142,  0.        ,  0.73105858], op=Silu)
    """
    return Silu.apply(x)


def mish(x: Any) -> Any:
    """Return x*tanh(softplus(x)).

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from -0.308... up.

    Notes
    -----
    d/dx = tanh(softplus(x)) + x*sigmoid(x)/cosh(softplus(x))**2.
    With q = sigmoid(-x), tanh(softplus(x)) is t = (1 - q*q)/(1 + q*q), and the derivative of mish is
    t + 4*x*q*q*sigmoid(x)/(1 + q*q)**2.  At minus infinity both are 0, their limit.

    References
    ----------
    D. Misra, *Mish: a self regularized non-monotonic activation function*, 2019.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.mish(tg.Tensor([-1.0, 0.0, 1.0]))
    Tensor([-0.30340146,  0.        ,  0.86509839], op=Mish)
    """
    return Mish.apply(x)


def softsign(x: Any) -> Any:
    """Return ``x / (1 + |x|)``.

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate it; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from -1 to 1.

    Notes
    -----
    The derivative is ``1/(1 + |x|)**2``.

    References
    ----------
    J. Turian, J. Bergstra, Y. Bengio, *Quadratic features and deep architectures for chunking*, 2009.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.softsign(tg.Tensor([-3.0, 0.0, 1.0]))
    Tensor([-0.75,  0.  ,  0.5 ], op=Softsign)
    """
    return Softsign.apply(x)
