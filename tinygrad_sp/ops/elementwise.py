"""Elementwise functions: a row each, with the rule of each argument.

A rule reads ``lambda g, out, x, y: ...``: the cotangent of the result, the result, the arguments.  What it
does not read is named with a leading underscore and is not kept.  Rules avoid cancellation and overflow on
the way to a finite result: `hypot` where x*x might overflow, ``(1 - x) * (1 + x)`` where 1 - x*x cancels.
Conventions at kinks: abs'(0) = 0, maximum and minimum share a tie equally, hypot'(0, 0) = 0.

Derivatives: NIST Digital Library of Mathematical Functions, chapter 4.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import factorial as _factorial
from math import log as _log
from typing import Any

import numpy as np

from ..blocks import shared
from ..dispatch import implements
from .declare import elementwise
from .masks import either

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "conj",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fix",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "gcd",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "modf",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "reciprocal",
    "remainder",
    "right_shift",
    "rint",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "spacing",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "trunc",
]

LN2, LN10 = _log(2.0), _log(10.0)


def _power_x(g: Any, _out: Any, x: Any, y: Any) -> Any:
    """Y * x**(y - 1); at y = 0 that is 0, whatever x is."""
    if type(y) in (int, float) and y != 0:
        if y == 0.5 and type(x) is np.ndarray:
            return g * (0.5 / np.sqrt(x))  # a tenth of the time, as of x**0.5 itself
        return g * (y * x ** (y - 1))
    flat = (y == 0) & ((x == 0) | (x != x))  # elsewhere 0 / x is 0, and its derivative in y is 1 / x
    return g * (y * x ** np.where(flat, 0, y - 1))


def _power_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """x**y * log(x); 0 where x = 0 and y >= 0, and where x is infinite and y < 0."""
    flat = ((x == 0) & (np.real(y) >= 0)) | (np.isinf(x) & (np.real(y) < 0))
    return g * np.where(flat, 0.0, out * np.log(np.where(flat, 1.0, x)))


def _taken(g: Any, more: Any, tie: Any) -> Any:
    """What an argument of maximum or minimum gets: all where it is more, half where they tie."""
    all_or_nothing = either(more, g, 0.0)
    if isinstance(tie, (np.ndarray, np.bool)) and not tie.any():
        return all_or_nothing
    return np.where(tie, g * 0.5, all_or_nothing)


def _tangent_of_the(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Make the tangent of maximum or minimum: that of the better argument, both rules at once; not of ties or NaN."""

    def tangent(tangents: Any, _out: Any, x: Any, y: Any) -> Any:
        t, u = (0.0 if t is None else t for t in tangents)
        first, second = better(x, y), better(y, x)
        if isinstance(first, (np.ndarray, np.bool)) and (first ^ second).all():
            return either(first, t, u)
        return NotImplemented

    return tangent


def _tie(x: Any, y: Any) -> Any:
    """Where both are equal, or both NaN."""
    return (x == y) | ((x != x) & (y != y))


def _whole_part(x: Any, y: Any) -> Any:
    """trunc(x/y) of the exact quotient: x/y itself may be rounded up to the next whole number."""
    return np.sign(x) * np.sign(y) * np.floor_divide(np.abs(x), np.abs(y))


def _squares_fit(*arrays: Any) -> bool:
    """Whether these are NumPy's numbers whose squares are neither infinite nor NaN, nor is the sum of two."""
    for x in arrays:
        if type(x) is np.float64 or type(x) is float:
            if not -1e150 < x < 1e150:
                return False
        elif type(x) is not np.ndarray or x.dtype.char not in "fd" or not x.size:
            return False
        else:
            most = 1e150 if x.dtype.char == "d" else 1e18
            if not (-most < x.min() and x.max() < most):
                return False
    return True


def _length(x: Any, y: Any) -> Any:
    """hypot(x, y), 1 at the origin."""
    return np.hypot(x, y) + ((x == 0) & (y == 0))


def _cosine_value(x: Any, y: Any) -> Any:
    """The quotient x / hypot(x, y), 0 at the origin; its limit where x alone is infinite."""
    return np.where(np.isinf(x) & np.isfinite(y), np.sign(x), x / _length(x, y))[()]


def _cosine_x(g: Any, _out: Any, x: Any, y: Any) -> Any:
    """y**2 / hypot(x, y)**3."""
    return g * _cosine(y, x) ** 2 / _length(x, y)


def _cosine_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """-x*y / hypot(x, y)**3."""
    return -g * out * _cosine(y, x) / _length(x, y)


def _root_one_plus_square(x: Any) -> Any:
    """sqrt(1 + x*x) without overflow."""
    return np.sqrt(1 + x * x) if x.dtype.kind == "c" or _squares_fit(x) else np.hypot(1.0, x)


def _over_one_plus_square(g: Any, x: Any) -> Any:
    """G / (1 + x*x) without overflow."""
    if _squares_fit(x):
        return g / (1 + x * x)
    root = _root_one_plus_square(x)
    return g / root / root


def _square(x: Any, y: Any) -> Any:
    """x*x + y*y of numbers where that neither overflows nor underflows; otherwise None."""
    if not _squares_fit(x, y):
        return None
    square = np.float64(x * x + y * y) if type(x) is type(y) is float else x * x + y * y
    return square if square.min() > (1e-290 if square.dtype.char == "d" else 1e-28) else None


def _over_square(g: Any, x: Any, y: Any) -> Any:
    """G * x / (x*x + y*y) without overflow or underflow on the way; 0 at infinity."""
    square = _square(x, y)
    if square is not None:
        return g * (x / square)
    length = np.hypot(x, y)
    return g * np.where(length == np.inf, 0.0, x / length) / length


def _turn(tangents: Any, _out: Any, y: Any, x: Any) -> Any:
    """The tangent of arctan2: one sum of squares for both arguments."""
    t, u = tangents
    square = _square(x, y)
    if square is not None and t is not None and u is not None:
        return t * (x / square) - u * (y / square)
    parts = (0.0 if t is None else _over_square(t, x, y), 0.0 if u is None else _over_square(u, y, x))
    return parts[0] - parts[1]


def _share_of_length(g: Any, out: Any, a: Any, b: Any) -> Any:
    """G * a / hypot(a, b), 0 at the origin."""
    if type(out) is np.ndarray and type(a) is np.ndarray and out.size and out.min() > 0 and out.max() < np.inf:
        return g * (a / out)
    return g * _cosine(a, b)


def _sinc_slope(x: Any) -> Any:
    """(cos(pi*x) - sinc(x)) / x, by its series near 0, where that cancels."""
    small = np.abs(x) < 0.15
    z, far = (np.pi * np.where(small, x, 0.0)) ** 2, np.where(small, 1.0, x)
    series = 0.0
    for k in range(8, 0, -1):  # the terms (-1)**k * 2k / (2k + 1)! * z**(k - 1)
        series = series * z + (-1) ** k * 2 * k / _factorial(2 * k + 1)
    near = np.pi**2 * np.where(small, x, 0.0) * series
    return np.where(small, near, (np.cos(np.pi * far) - np.sinc(far)) / far)


def _phase_rule(g: Any, out: Any, x: Any) -> Any:
    """Only what stands across moves the phase."""
    size = np.abs(x)
    return (g - out * np.real(np.conj(out) * g)) / np.where(size == 0, 1.0, size) * (size != 0)


def _none(g: Any, _out: Any, _x: Any, _y: Any) -> Any:
    """Return zeros: the derivative is 0 wherever there is one."""
    return np.zeros_like(g)


# fmt: off
# Ops for rules: in what they are composed of, derivatives would cancel (of 1 - x and 1 + x, of x and hypot(x, y)).
_one_minus_square: Any = elementwise(lambda x: (1 - x) * (1 + x), lambda g, _o, x: g * (-2 * x),
                                     name="one_minus_square", doc="1 - x*x, also where that cancels.")
_cosine: Any = elementwise(_cosine_value, _cosine_x, _cosine_y, name="cosine",
                           doc="x / hypot(x, y), 0 at the origin: "
                               "d/dx = y**2/hypot(x, y)**3, d/dy = -x*y/hypot(x, y)**3.")

add = elementwise(np.add, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: g, kernel=operator.add,
                  note="d/dx = d/dy = 1.")
subtract = elementwise(np.subtract, lambda g, _o, _x, _y: g, lambda g, _o, _x, _y: -g, kernel=operator.sub,
                       note="d/dx = 1, d/dy = -1.")
multiply = elementwise(np.multiply, lambda g, _o, _x, y: g * y, lambda g, _o, x, _y: g * x, kernel=operator.mul,
                       note="d/dx = y, d/dy = x.")
divide = elementwise(np.divide, lambda g, _o, _x, y: g / y, lambda g, out, _x, y: -g * (out / y),
                     kernel=operator.truediv, note="d/dx = 1/y, d/dy = -x/y**2.")
power = elementwise(np.power, _power_x, _power_y, kernel=shared(operator.pow),
                    note="d/dx = y*x**(y-1), 0 at y = 0; d/dy = x**y*log(x), 0 at x = 0, y >= 0.")
float_power = elementwise(np.float_power, _power_x, _power_y,
                         note="As power, in float64 at least: d/dx = y*x**(y-1), d/dy = x**y*log(x).")
remainder = elementwise(np.remainder, lambda g, _o, _x, _y: g, lambda g, _o, x, y: -g * np.floor_divide(x, y),
                        kernel=operator.mod, note="d/dx = 1, d/dy = -floor(x/y), where x/y is no integer.")
fmod = elementwise(np.fmod, lambda g, _o, _x, _y: g, lambda g, _o, x, y: -g * _whole_part(x, y),
                   note="d/dx = 1, d/dy = -trunc(x/y), where x/y is no integer.")
negative = elementwise(np.negative, lambda g, _o, _x: -g, kernel=operator.neg, note="d/dx = -1.")
positive = elementwise(np.positive, lambda g, _o, _x: g, kernel=operator.pos, note="d/dx = 1.")
absolute = elementwise(np.absolute, lambda g, _o, x: g * np.sign(x), kernel=operator.abs, holomorphic=False,
                       note="d/dx = sign(x), 0 at 0; for complex x the direction x/abs(x).")
fabs = elementwise(np.fabs, lambda g, _o, x: g * np.sign(x), note="d/dx = sign(x), 0 at 0.")
square = elementwise(np.square, lambda g, _o, x: g * (2 * x), note="d/dx = 2*x.")
sqrt = elementwise(np.sqrt, lambda g, out, _x: g * 0.5 / out, note="d/dx = 1/(2*sqrt(x)).")
cbrt = elementwise(np.cbrt, lambda g, out, _x: g / out / out / 3, note="d/dx = 1/(3*cbrt(x)**2).")
reciprocal = elementwise(np.reciprocal, lambda g, out, _x: -g * out * out, note="d/dx = -1/x**2.")

exp = elementwise(np.exp, lambda g, out, _x: g * out, note="d/dx = exp(x).")
exp2 = elementwise(np.exp2, lambda g, out, _x: g * (out * LN2), note="d/dx = exp2(x)*log(2).")
expm1 = elementwise(np.expm1, lambda g, _o, x: g * exp(x), note="d/dx = exp(x).")
log = elementwise(np.log, lambda g, _o, x: g / x, note="d/dx = 1/x.")
log2 = elementwise(np.log2, lambda g, _o, x: g / x / LN2, note="d/dx = 1/(x*log(2)).")
log10 = elementwise(np.log10, lambda g, _o, x: g / x / LN10, note="d/dx = 1/(x*log(10)).")
log1p = elementwise(np.log1p, lambda g, _o, x: g / (1 + x), note="d/dx = 1/(1 + x).")

sin = elementwise(np.sin, lambda g, _o, x: g * cos(x), note="d/dx = cos(x).")
cos: Callable[..., Any] = elementwise(np.cos, lambda g, _o, x: -g * sin(x), note="d/dx = -sin(x).")
tan = elementwise(np.tan, lambda g, out, _x: g * (1 + out * out), note="d/dx = 1 + tan(x)**2.")
arcsin = elementwise(np.arcsin, lambda g, _o, x: g / np.sqrt(_one_minus_square(x)), note="d/dx = 1/sqrt(1 - x*x).")
arccos = elementwise(np.arccos, lambda g, _o, x: -g / np.sqrt(_one_minus_square(x)), note="d/dx = -1/sqrt(1 - x*x).")
arctan = elementwise(np.arctan, lambda g, _o, x: _over_one_plus_square(g, x), note="d/dx = 1/(1 + x*x).")
arctan2 = elementwise(np.arctan2,
                      lambda g, _o, y, x: _over_square(g, x, y), lambda g, _o, y, x: -_over_square(g, y, x),
                      tangent=_turn,
                      note="The angle of (y, x): d/dx = y/(x*x + y*y), d/dy = -x/(x*x + y*y); NaN at the origin.")
sinh = elementwise(np.sinh, lambda g, _o, x: g * cosh(x), note="d/dx = cosh(x).")
cosh: Callable[..., Any] = elementwise(np.cosh, lambda g, _o, x: g * sinh(x), note="d/dx = sinh(x).")
arcsinh = elementwise(np.arcsinh, lambda g, _o, x: g / _root_one_plus_square(x), note="d/dx = 1/sqrt(1 + x*x).")
arccosh = elementwise(np.arccosh, lambda g, _o, x: g / np.sqrt(x - 1) / np.sqrt(x + 1), domain=(1, 1e3),
                      note="d/dx = 1/sqrt(x*x - 1).")
arctanh = elementwise(np.arctanh, lambda g, _o, x: g / _one_minus_square(x), note="d/dx = 1/(1 - x*x).")
hypot = elementwise(np.hypot, lambda g, out, x, y: _share_of_length(g, out, x, y),
                    lambda g, out, x, y: _share_of_length(g, out, y, x),
                    note="d/dx = x/hypot(x, y), d/dy = y/hypot(x, y); 0 at the origin.")
deg2rad = elementwise(np.deg2rad, lambda g, _o, _x: g * (np.pi / 180), note="d/dx = pi/180.")
rad2deg = elementwise(np.rad2deg, lambda g, _o, _x: g * (180 / np.pi), note="d/dx = 180/pi.")
radians = elementwise(np.radians, lambda g, _o, _x: g * (np.pi / 180), note="d/dx = pi/180.")
degrees = elementwise(np.degrees, lambda g, _o, _x: g * (180 / np.pi), note="d/dx = 180/pi.")

maximum = elementwise(np.maximum, lambda g, _o, x, y: _taken(g, (x > y) | (x != x), _tie(x, y)),
                      lambda g, _o, x, y: _taken(g, (y > x) | (y != y), _tie(x, y)),
                      tangent=_tangent_of_the(np.greater), masks=True,
                      note="d/dx = (x > y) + (x == y)/2, d/dy = (y > x) + (x == y)/2; 1 for a NaN.")
minimum = elementwise(np.minimum, lambda g, _o, x, y: _taken(g, (x < y) | (x != x), _tie(x, y)),
                      lambda g, _o, x, y: _taken(g, (y < x) | (y != y), _tie(x, y)),
                      tangent=_tangent_of_the(np.less), masks=True,
                      note="d/dx = (x < y) + (x == y)/2, d/dy = (y < x) + (x == y)/2; 1 for a NaN.")
fmax = elementwise(np.fmax, lambda g, _o, x, y: _taken(g, (x > y) | np.isnan(y), x == y),
                   lambda g, _o, x, y: _taken(g, (y > x) | np.isnan(x), x == y),
                   tangent=_tangent_of_the(np.greater), masks=True,
                   note="d/dx = (x > y) + (x == y)/2, d/dy = (y > x) + (x == y)/2; 1 beside a NaN.")
fmin = elementwise(np.fmin, lambda g, _o, x, y: _taken(g, (x < y) | np.isnan(y), x == y),
                   lambda g, _o, x, y: _taken(g, (y < x) | np.isnan(x), x == y),
                   tangent=_tangent_of_the(np.less), masks=True,
                   note="d/dx = (x < y) + (x == y)/2, d/dy = (y < x) + (x == y)/2; 1 beside a NaN.")
copysign = elementwise(np.copysign, lambda g, _o, x, y: g * (np.copysign(1.0, x) * np.copysign(1.0, y)), _none,
                       note="d/dx = sign(x)*sign(y), by the sign bits; d/dy = 0.")
nextafter = elementwise(np.nextafter, lambda g, _o, _x, _y: g, _none, note="d/dx = 1, d/dy = 0.")
heaviside = elementwise(np.heaviside, _none, lambda g, _o, x, _y: np.where(x == 0, g, 0.0), masks=True,
                        note="heaviside(x, h): d/dx = 0, d/dh = 1 where x = 0.")
sinc = elementwise(np.sinc, lambda g, _o, x: g * _sinc_slope(x), name="sinc",
                   note="d/dx = (cos(pi*x) - sinc(x))/x, 0 at 0.")
_fraction = elementwise(lambda x: np.modf(x)[0], lambda g, _o, _x: g, name="fraction", doc="The fractional part.")
_whole = elementwise(lambda x: np.modf(x)[1], None, name="whole", doc="The whole part.")
_mantissa = elementwise(lambda x: np.frexp(x)[0], lambda g, _o, x: np.ldexp(g, -np.frexp(x)[1]), name="mantissa",
                        doc="The mantissa, from 1/2 to 1: d/dx = exp2(-frexp(x)[1]).")
_exponent = elementwise(lambda x: np.frexp(x)[1], None, name="exponent", doc="The binary exponent.")
_scaled = elementwise(np.ldexp, lambda g, _o, _x, n: np.ldexp(g, n), _none, name="ldexp",
                      doc="x * 2**y for integers y: d/dx = exp2(y), d/dy = 0.")
_phase = elementwise(lambda x: np.sign(x), _phase_rule, name="phase", holomorphic=False,
                     doc="x / abs(x), 0 at 0.  For real x, d/dx = 0.")
conjugate = elementwise(np.conjugate, lambda g, _o, _x: np.conjugate(g), holomorphic=False,
                        note="The cotangent is conjugated.  For real x, d/dx = 1.")

# Functions whose results are constants: numbers that don't move, truth values, bits.
floor_divide = elementwise(np.floor_divide, None, kernel=operator.floordiv)
floor = elementwise(np.floor, None)
ceil = elementwise(np.ceil, None)
trunc = elementwise(np.trunc, None)
rint = elementwise(np.rint, None)
_sign = elementwise(np.sign, None)
signbit = elementwise(np.signbit, None)
isnan = elementwise(np.isnan, None)
isinf = elementwise(np.isinf, None)
isfinite = elementwise(np.isfinite, None)
equal = elementwise(np.equal, None)
not_equal = elementwise(np.not_equal, None)
less = elementwise(np.less, None)
less_equal = elementwise(np.less_equal, None)
greater = elementwise(np.greater, None)
greater_equal = elementwise(np.greater_equal, None)
logical_and = elementwise(np.logical_and, None)
logical_or = elementwise(np.logical_or, None)
logical_xor = elementwise(np.logical_xor, None)
logical_not = elementwise(np.logical_not, None)
bitwise_and = elementwise(np.bitwise_and, None)
bitwise_or = elementwise(np.bitwise_or, None)
bitwise_xor = elementwise(np.bitwise_xor, None)
invert = elementwise(np.invert, None)
left_shift = elementwise(np.left_shift, None)
right_shift = elementwise(np.right_shift, None)
bitwise_count = elementwise(np.bitwise_count, None)
spacing = elementwise(np.spacing, None)
gcd = elementwise(np.gcd, None)
lcm = elementwise(np.lcm, None)
# fmt: on


def sign(x: Any, /) -> Any:
    """Return -1, 0 or 1, a constant; of complex numbers x/abs(x), which has a derivative."""
    return _phase(x) if _is_complex(x) else _sign(x)


def ldexp(x: Any, n: Any, /) -> Any:
    """Return x * 2**n for integers n; d/dx = exp2(n)."""
    return _scaled(x, n)


def modf(x: Any, /) -> tuple[Any, Any]:
    """Return the fractional part, with derivative 1, and the whole part, a constant."""
    return _fraction(x), _whole(x)


def frexp(x: Any, /) -> tuple[Any, Any]:
    """Return mantissa and binary exponent, a constant: x = mantissa * 2**exponent."""
    return _mantissa(x), _exponent(x)


def divmod(x: Any, y: Any, /) -> tuple[Any, Any]:
    """Return the quotient rounded down, a constant, and the remainder."""
    return floor_divide(x, y), remainder(x, y)


def _is_complex(x: Any) -> bool:
    return (x.dtype.kind if hasattr(x, "dtype") else np.asarray(x).dtype.kind) == "c"


implements(np.sign)(sign)
implements(np.sinc)(sinc)
implements(np.ldexp)(ldexp)
implements(np.modf)(modf)
implements(np.frexp)(frexp)
implements(np.divmod)(divmod)
implements(np.fix)(trunc)
fix = trunc
abs = absolute  # the standard's names
acos, acosh, asin, asinh = arccos, arccosh, arcsin, arcsinh
atan, atan2, atanh = arctan, arctan2, arctanh
conj, pow = conjugate, power
bitwise_invert, bitwise_left_shift, bitwise_right_shift = invert, left_shift, right_shift
