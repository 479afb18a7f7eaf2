"""The normal distribution's half of the activations: erf, erfc, and gelu, which is x times the normal integral.

Two approximations carry it, both fitted with 60 digits (``tests/test_activation.py`` derives them again):
erf(x)/x - 1 as a polynomial of x*x near 0, and (1 + 2z)*exp(z*z)*erfc(z), which varies between 1.0 and 1.26 on the
whole half line, as a polynomial of (z - 3.5)/(z + 3.5).  exp(-x*x) would lose as many digits as x*x has before
the point, so x is split into a part whose square is exact and a small rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import blocked
from ..graph import Op
from ..hotpath import Pointwise
from .activation import logistic, sigmoid

__all__ = ["erf", "erfc", "gelu"]

# fmt: off
ERF_NEAR_0 = (
    0.12837916709551256, -0.3761263890318286, 0.11283791670896198, -0.02686617062999515, 0.0052239774278190895,
    -0.000854831218199197, 0.0001205465287302118, -1.490628284111612e-05, 1.6126100583913738e-06,
    -1.3072731144638257e-07,
)
"""erf(x)/x - 1, coefficients of (x*x)**0, 1 ..., for x*x < 1/2."""

SCALED_ERFC = (
    1.2423492448711544, -0.1400091801376197, -0.010555596332221669, 0.09751909515328706, -0.11508959816003075,
    0.08798315382403678, -0.04882332583088402, 0.019099330953271165, -0.004215019879774186,
    -0.0003022679534333239, 0.0005643842668705102, -0.00012151212091980101, -4.2781739959539994e-05,
    2.4260300984917994e-05, 2.3273309537791425e-06, -3.814012584490695e-06, -4.309237398316666e-08,
    6.014823849950426e-07, -8.611571571113718e-09, -9.64004253144383e-08, 6.651894382376532e-10,
    1.3624442778701048e-08, 6.040390099342991e-11, -1.1656687889203665e-09,
)
"""(1 + 2z)*exp(z*z)*erfc(z), coefficients of t**0, 1 ..., with t = (z - CENTRE)/(z + CENTRE)."""
# fmt: on

CENTRE = 3.5
_FAR = 160.0  # beyond this exp(-x*x/2) is 0 in every floating-point format
_ROOT_HALF = math.sqrt(0.5)
_LINEAR, _CUBIC = math.sqrt(8 / math.pi), 0.044715 * math.sqrt(8 / math.pi)
_NORMAL, _ERF = 1 / math.sqrt(2 * math.pi), 2 / math.sqrt(math.pi)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Evaluate by Horner's rule."""
    last, *rest = reversed(coefficients)
    value = last * x  # a new array, so that what follows may overwrite it
    for c in rest[:-1]:
        value += c
        value *= x
    return value + rest[-1]


def _scaled_erfc(z: Any) -> Any:
    """exp(z*z) * erfc(z), for z from 0."""
    t = (z + z) / (z + CENTRE) - 1  # near z = 0 more exact than (z - CENTRE)/(z + CENTRE)
    return _polynomial(SCALED_ERFC, t) / (1 + 2 * z)


def _split_square(x: Any) -> tuple[Any, Any]:
    """Return x*x as an exact square and a small rest: x is split after 26 bits (Veltkamp)."""
    c = x * 134_217_729.0
    high = c - (c - x)
    return high * high, (x - high) * (x + high)


def _gaussian(x: Any, rate: float) -> Any:
    """exp(-rate*x*x), with a rate of 1 or 1/2."""
    square, rest = _split_square(x)
    return np.exp(-rate * square) * np.exp(-rate * rest)


def _tail(x: Any) -> Any:
    """Integral of the normal density from |x| on."""
    x = np.minimum(abs(x), _FAR)
    return 0.5 * _gaussian(x, 0.5) * _scaled_erfc(_ROOT_HALF * x)


class Erf(Pointwise):
    """The error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        z = np.minimum(abs(x), _FAR)
        near = x * (1 + _polynomial(ERF_NEAR_0, np.minimum(z * z, 0.5)))
        far = np.copysign(1 - _gaussian(z, 1.0) * _scaled_erfc(z), x)
        return np.where(z * z < 0.5, near, far)[()]

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * (_ERF * gaussian(x, 0, 1.0))


class Erfc(Pointwise):
    """1 - erf(x)."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        z = np.minimum(abs(x), _FAR)
        return abs(2 * (x < 0) - _gaussian(z, 1.0) * _scaled_erfc(z))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * (-_ERF * gaussian(x, 0, 1.0))


class Gaussian(Op):
    """x**power * exp(-rate*x*x): a family that is closed under differentiation.

    d/dx = (power*x**(power-1) - 2*rate*x**(power+1)) * exp(-rate*x*x) if power else -2*rate*x * exp(-rate*x*x).
    """

    linear = "pointwise"
    cases = (((3, 4), {"power": 0, "rate": 0.5}), ((3, 4), {"power": 2, "rate": 1.0}))

    @staticmethod
    @blocked
    def forward(x: Any, *, power: int, rate: float) -> Any:
        x = np.minimum(np.maximum(x, -_FAR), _FAR)
        if not power:
            return _gaussian(x, rate)
        square, rest = _split_square(x)
        half = np.exp(-0.5 * rate * square)  # in two halves: rounded to a subnormal number only at the end
        return x**power * np.exp(-rate * rest) * half * half

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any, *, power: int, rate: float) -> Any:
        slope = -2 * rate * gaussian(x, power + 1, rate)
        return grad * (slope + power * gaussian(x, power - 1, rate) if power else slope)


def gaussian(x: Any, power: int, rate: float) -> Any:
    """Return x**power * exp(-rate*x*x), with a rate of 1 or 1/2."""
    return Gaussian.apply(x, power=power, rate=rate)


class NormalCdf(Pointwise):
    """The integral of the normal density from minus infinity to x: d/dx = exp(-x*x/2) / sqrt(2*pi)."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        return abs((x >= 0) - _tail(x))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * (_NORMAL * gaussian(x, 0, 0.5))


class Gelu(Pointwise):
    """x times the normal integral up to x."""

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        a = np.minimum(abs(x), _FAR)
        square, rest = _split_square(a)
        half = np.exp(-0.25 * square)
        return np.maximum(x, 0) - 0.5 * a * _scaled_erfc(_ROOT_HALF * a) * np.exp(-0.5 * rest) * half * half

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * (normal_cdf(x) + _NORMAL * gaussian(x, 1, 0.5))


class GeluTanh(Pointwise):
    """x * (1 + tanh(u))/2 with u = sqrt(2/pi)*(x + 0.044715*x**3), which is x*sigmoid(2u).

    d/dx = sigmoid(sqrt(8/pi)*(x + 0.044715*x**3)) * (
    1 + x*sigmoid(-sqrt(8/pi)*(x + 0.044715*x**3))*sqrt(8/pi)*(1 + 0.134145*x*x)).
    """

    @staticmethod
    @blocked
    def forward(x: Any) -> Any:
        a = np.minimum(abs(x), _FAR)
        half = np.exp(-0.5 * _twice_u(a))
        e = half * half
        return np.maximum(x, 0) - a * half * (half - half * (e / (1 + e)))

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        x = np.clip(x, -_FAR, _FAR)
        v = _twice_u(x)
        return grad * (sigmoid(v) + logistic(v) * (x * (_LINEAR + 3 * _CUBIC * (x * x))))


def _twice_u(x: Any) -> Any:
    return x * (_LINEAR + _CUBIC * (x * x))


# ---------------------------------------------------------------------------------------------- public


def normal_cdf(x: Any) -> Any:
    """Return the integral of the normal density up to x."""
    return NormalCdf.apply(x)


def erf(x: Any) -> Any:
    """Return the error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from -1 to 1.

    Notes
    -----
    The derivative is 2/sqrt(pi) * exp(-x*x), with all its digits far out too.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 7.2.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([0.0, 0.5, 6.0])
    >>> y = tg.erf(x)
    >>> y
    Tensor([0.        , 0.52049988, 1.        ], op=Erf)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([1.12837917e+00, 8.78782579e-01, 2.61730124e-16])
    """
    return Erf.apply(x)


def erfc(x: Any) -> Any:
    """Return 1 - erf(x), with all its digits where that is small.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from 0 to 2.

    Notes
    -----
    The derivative is -2/sqrt(pi) * exp(-x*x).

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 7.2; for the variable of the approximation,
    M. Shepherd and J. Laframboise, *Chebyshev approximation of (1 + 2x)exp(x*x)erfc x*, 1981.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.erfc(tg.Tensor([-1.0, 0.0, 10.0]))
    Tensor([1.84270079e+00, 1.00000000e+00, 2.08848758e-45], op=Erfc)
    """
    return Erfc.apply(x)


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x times the normal integral up to x, a smooth relu.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.
    approximate : {"none", "tanh"}
        "tanh" gives x/2 * (1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3))), which differs by up to 5e-4 and costs
        half as much.

    Returns
    -------
    Tensor or ndarray
        Numbers from -0.17 up.

    Raises
    ------
    ValueError
        If ``approximate`` is another word.

    Notes
    -----
    With P the normal integral and p the normal density, the derivative is P(x) + x*p(x):
    d/dx = erfc(-x/sqrt(2))/2 + x*exp(-x*x/2)/sqrt(2*pi).  At minus infinity both
    the function and the derivative are 0, their limit.

    References
    ----------
    D. Hendrycks, K. Gimpel, *Gaussian error linear units*, 2016.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.gelu(tg.Tensor([-1.0, 0.0, 1.0]))
    Tensor([-0.15865525,  0.        ,  0.84134475], op=Gelu)
    >>> tg.gelu(tg.Tensor([-1.0, 0.0, 1.0]), approximate="tanh")
    Tensor([-0.15880801,  0.        ,  0.84119199], op=GeluTanh)
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate must be "none" or "tanh"; got {approximate!r}')
    return (Gelu if approximate == "none" else GeluTanh).apply(x)
