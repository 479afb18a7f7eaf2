"""SciPy's special functions: a row each, with the rule of each argument.

They are ufuncs, so ``scipy.special.erf(t)`` of a Tensor comes to us by NumPy's protocol; this module is imported when
the first one does.  `softmax`, `log_softmax`, `logsumexp` and `polygamma` are no ufuncs and make arrays of what they
are given: they are to be called from here.  Values are SciPy's.  Rules avoid cancellation where there is a form
without it: the derivative of a Bessel function is half a sum or difference of its neighbours, never a division by x.

A derivative with respect to an order, or to a shape parameter of an incomplete integral, raises
`NotImplementedError`: there is no closed form.

Derivatives: NIST Digital Library of Mathematical Functions, chapters 5 to 10 and 25.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sc  # type: ignore[import-untyped, unused-ignore]

from ..dispatch import implements
from ..graph import Op, Rule
from ..ops.activation import logistic
from ..ops.arguments import array
from ..ops.declare import elementwise
from ..ops.elementwise import LN2, LN10
from ..ops.erf import gaussian
from .pairs import beta_slope, psi_gap, trigamma
from .softmax import log_softmax, logsumexp, softmax

__all__ = [
    "beta",
    "betainc",
    "betaln",
    "cbrt",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp2",
    "exp10",
    "expit",
    "expm1",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "gammasgn",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "iv",
    "ive",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kl_div",
    "kn",
    "kv",
    "kve",
    "lambertw",
    "log1p",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "rgamma",
    "softmax",
    "xlog1py",
    "xlogy",
    "y0",
    "y1",
    "yn",
    "yv",
    "zeta",
]

_DOC = """{name}({args}), as ``scipy.special.{name}`` computes it, with its derivative.

{note}
"""


def special(ufunc: Any, *rules: Rule, note: str, name: str = "", **about: Any) -> Callable[..., Any]:
    """Declare one of SciPy's ufuncs of one or two arguments."""
    name = name or ufunc.__name__
    doc = _DOC.format(name=name, args=", ".join("xy"[: len(rules)]), note=note)
    about["may_raise"] = any(rule.__qualname__.startswith(_no_rule.__name__) for rule in rules)
    if about["may_raise"]:
        about.setdefault("cases", _WHOLE)
    return elementwise(ufunc, *rules, name=name, doc=doc, **about)


def _no_rule(name: str, what: str) -> Rule:
    """Make the rule of an argument with respect to which there is no closed form."""

    def rule(_g: Any, _out: Any, _x: Any, _y: Any) -> Any:
        raise NotImplementedError(f"{name}: no derivative with respect to its {what}: make it a constant, not a Tensor")

    return rule


# For the tests: an order without a derivative is a constant of whole numbers.
_WHOLE = ((np.array([2, 3, 4]), (3,)), (np.array(2), (2, 3)), (np.array([[2], [5]]), (3,)))

_TWO_OVER_ROOT_PI, _ROOT_2_OVER_PI = 2 / math.sqrt(math.pi), math.sqrt(2 / math.pi)
_ROOT_2_PI, _ROOT_HALF = math.sqrt(2 * math.pi), math.sqrt(0.5)


def _erfcx_slope(x: Any) -> Any:
    """2*x*erfcx(x) - 2/sqrt(pi), from x = 10 by its asymptotic series: the difference would cancel."""
    far = np.real(x) > 10
    near, square = np.where(far, 0.0, x), 1 / np.where(far, x, 11.0) ** 2
    total, term = square * 0, square
    for n in range(14):
        total = total - (2 * n + 1) * term
        term = term * square * (-(n + 0.5))
    return np.where(far, total * (_TWO_OVER_ROOT_PI / 2), 2 * near * sc.erfcx(near) - _TWO_OVER_ROOT_PI)


def _bell(x: Any, rate: float) -> Any:
    """exp(-rate*x*x); of real numbers with all digits, and with derivatives that are 0 at infinity."""
    return np.exp(-rate * x * x) if x.dtype.kind == "c" else gaussian(x, 0, rate)


def _log_ratio_value(x: Any, y: Any) -> Any:
    """log(x/y), also where x and y are nearly equal, and where x/y is out of range."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio, excess = x / y, (x - y) / y
        inside = (ratio > np.finfo(ratio.dtype).tiny) & (ratio < np.inf)
        near = (ratio > 0.5) & (ratio < 2)
        far = np.where(inside, np.log(np.where(inside, ratio, 1.0)), np.log(x) - np.log(y))
        return np.where(near, np.log1p(np.where(near, excess, 0.0)), far)[()]


def _log_ndtr_slope_rule(g: Any, out: Any, x: Any) -> Any:
    """-out * (out + x); left of 0, where that cancels, from the slope of erfcx."""
    if x.dtype.kind == "f":  # farther out it is -1 on the left and 0 on the right, to the last bit
        x = np.clip(x.astype(np.promote_types(x.dtype, np.float64)), -1e8, 100.0)
    right = np.real(x) > 0
    z = np.where(right, 0.0, -_ROOT_HALF * x)
    return g * np.where(right, -out * (out + x), _erfcx_slope(z) / sc.erfcx(z) ** 2 / math.sqrt(math.pi))


def _psi_slope(x: Any) -> Any:
    """zeta(2, x): of positive numbers in an array as a sum, in a tenth of the time."""
    if type(x) is np.ndarray and x.dtype.char in "fd" and x.size and x.min() > 0:
        return trigamma(x)
    return sc.zeta(2.0, x)


def _rgamma_slope(out: Any, x: Any) -> Any:
    """-psi(x)/gamma(x); left of 1/2, where psi has poles, by the reflection 1/gamma(x) = gamma(1 - x)*sin(pi*x)/pi."""
    left = np.real(x) < 0.5
    here, there = np.where(left, x, 0.0), np.where(left, 1.0, x)
    bracket = np.cos(np.pi * here) - sc.psi(1 - here) * np.sin(np.pi * here) / np.pi
    there = np.where(out == 0, 1.0, there)  # psi is infinite at infinity
    return np.where(left, sc.gamma(1 - here) * bracket, -out * sc.psi(there))


def _half_sum(f: Any, v: Any, x: Any) -> Any:
    return 0.5 * (f(v - 1, x) + f(v + 1, x))


def _half_difference(f: Any, v: Any, x: Any) -> Any:
    return 0.5 * (f(v - 1, x) - f(v + 1, x))


def _j1_slope(x: Any) -> Any:
    return _half_difference(sc.jv, 1, x)


def _y1_slope(x: Any) -> Any:
    return _half_difference(sc.yv, 1, x)


def _slope_of_order_one(zeroth: Any, general: Any, out: Any, x: Any, sign: float) -> Any:
    """The slope of j1, y1, i1 (sign -1) or -k1 (sign 1): of numbers f0(x) + sign*f1(x)/x, where that is exact.

    SciPy's functions of order 0 and 1 take a tenth of those of any order.  Near 0 f1(x)/x may be out of range, and a
    recorded quotient's own derivative would cancel there: then, half a sum or difference of the neighbours.
    """
    if type(x) is np.ndarray and x.dtype == np.float64 and x.size and np.abs(x).min() > 1e-100:
        return zeroth(x) + sign * (out / x)
    return general(x)


def _scaled_slope(near: Callable[[Any], Any], v: Any, x: Any, sign: float) -> Any:
    """The slope of ive (sign -1) or kve (sign 1) at x > 0, where x is large by its asymptotic series.

    The functions are sqrt(c/x) * sum(a[k] * sign**k / x**k); near x they change by 1/(2*x) of themselves, and the
    difference of neighbours would lose as many digits.
    """
    far = x > 25 + 2 * v * v
    if isinstance(far, (np.ndarray, np.bool)) and not far.any():
        return near(x)
    there = np.where(far, x, 25.0 + 2 * v * v)
    term = (math.sqrt(0.5 / math.pi) if sign < 0 else math.sqrt(0.5 * math.pi)) / np.sqrt(there) / there
    total = -0.5 * term
    for k in range(1, 21):
        term = term * ((4 * v * v - (2 * k - 1) ** 2) * (sign / (8 * k)) / there)
        total = total - (k + 0.5) * term
    return np.where(far, total, near(np.where(far, 1.0, x)))


def _ive_slope(v: Any, x: Any, out: Any) -> Any:
    """The slope of ive, which is even or odd in x, or made for x > 0 only."""
    if x.dtype.kind == "c":
        raise NotImplementedError("ive: the scaled function of a complex number is not holomorphic; use iv")
    slope = _scaled_slope(lambda x: _ive_near(v, x), v, np.abs(x), -1)
    slope = np.sign(x) * np.sign(out) * slope
    zero = x == 0
    if isinstance(zero, (np.ndarray, np.bool)) and not zero.any():
        return slope
    return np.where(zero, _half_sum(sc.ive, v, x), slope)


def _ive_near(v: Any, x: Any) -> Any:
    if type(v) is not int or v not in (0, 1):
        return _half_sum(sc.ive, v, x) - sc.ive(v, x)
    one = sc.i1e(x)
    return (
        one - sc.i0e(x) if v == 0 else _slope_of_order_one(sc.i0e, lambda x: _half_sum(sc.ive, 1, x), one, x, -1) - one
    )


def _kve_slope(v: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return sc.kve(v, x) - _half_sum(sc.kve, v, x)
    return _scaled_slope(lambda x: _kve_near(v, x), v, x, 1)


def _kve_near(v: Any, x: Any) -> Any:
    if type(v) is not int or v not in (0, 1):
        return sc.kve(v, x) - _half_sum(sc.kve, v, x)
    one = sc.k1e(x)
    return (
        sc.k0e(x) - one if v == 0 else one - _slope_of_order_one(sc.k0e, lambda x: _half_sum(sc.kve, 1, x), one, x, 1)
    )


# fmt: off
# Ops for rules: in what they are composed of, derivatives would cancel.
_log_ratio: Any = elementwise(_log_ratio_value, lambda g, _o, x, _y: g / x, lambda g, _o, _x, y: -g / y,
                              name="log_ratio", doc="log(x/y).", domain=(0.05, 9))
_excess: Any = elementwise(lambda x, y: (y - x) / y, lambda g, _o, _x, y: -g / y, lambda g, _o, x, y: g * (x / y / y),
                           name="excess", doc="1 - x/y.", domain=(0.05, 9))
_log_ndtr_slope: Any = elementwise(lambda x: _ROOT_2_OVER_PI / sc.erfcx(-_ROOT_HALF * x), _log_ndtr_slope_rule,
                                   name="log_ndtr_slope", doc="The derivative of log_ndtr.")

# The normal distribution and its relatives.
erf = special(sc.erf, lambda g, _o, x: g * (_TWO_OVER_ROOT_PI * _bell(x, 1.0)), note="d/dx = 2/sqrt(pi)*exp(-x*x).")
erfc = special(sc.erfc, lambda g, _o, x: g * (-_TWO_OVER_ROOT_PI * _bell(x, 1.0)),
               note="d/dx = -2/sqrt(pi)*exp(-x*x).")
erfcx = special(sc.erfcx, lambda g, _o, x: g * _erfcx_slope(x), note="d/dx = 2*x*erfcx(x) - 2/sqrt(pi).")
erfinv = special(sc.erfinv, lambda g, out, _x: g * (np.exp(out * out) / _TWO_OVER_ROOT_PI),
                 note="d/dx = sqrt(pi)/2*exp(erfinv(x)**2).", domain=(-0.95, 0.95))
erfcinv = special(sc.erfcinv, lambda g, out, _x: -g * (np.exp(out * out) / _TWO_OVER_ROOT_PI),
                  note="d/dx = -sqrt(pi)/2*exp(erfcinv(x)**2).", domain=(0.05, 1.95))
ndtr = special(sc.ndtr, lambda g, _o, x: g * (_bell(x, 0.5) / _ROOT_2_PI),
               note="d/dx = exp(-x*x/2)/sqrt(2*pi).")
log_ndtr = special(sc.log_ndtr, lambda g, _o, x: g * _log_ndtr_slope(x),
                   note="d/dx = sqrt(2/pi)/erfcx(-x/sqrt(2)).")
ndtri = special(sc.ndtri, lambda g, out, _x: g * (np.exp(0.5 * out * out) * _ROOT_2_PI),
                note="d/dx = sqrt(2*pi)*exp(ndtri(x)**2/2).", domain=(0.03, 0.97))

# The logistic function.
expit = special(sc.expit, lambda g, _o, x: g * logistic(x), note="d/dx = expit(x)*expit(-x).")
logit = special(sc.logit, lambda g, _o, x: g / x / (1 - x), note="d/dx = 1/(x*(1 - x)).", domain=(0.03, 0.97))
log_expit = special(sc.log_expit, lambda g, _o, x: g * sc.expit(-x), note="d/dx = expit(-x).")

# The gamma function.
gamma = special(sc.gamma, lambda g, out, x: g * (out * sc.psi(x)), note="d/dx = gamma(x)*psi(x).")
gammaln = special(sc.gammaln, lambda g, _o, x: g * sc.psi(x), note="d/dx = psi(x).")
loggamma = special(sc.loggamma, lambda g, _o, x: g * sc.psi(x), note="d/dx = psi(x).")
psi = special(sc.psi, lambda g, _o, x: g * _psi_slope(x), note="d/dx = zeta(2, x), for real x.")
zeta = special(sc._ufuncs._zeta, _no_rule("zeta", "first argument"), lambda g, _o, s, q: g * (-s * sc.zeta(s + 1, q)),
               name="zeta", note="zeta(s, q), Hurwitz's: d/dq = -s*zeta(s + 1, q).")
beta = special(sc.beta, lambda g, _o, a, b: g * beta_slope(a, b), lambda g, _o, a, b: g * beta_slope(b, a),
               note="d/dx = beta(x, y)*(psi(x) - psi(x + y)); NaN where x + y is 0, -1, -2 ....", domain=(0.1, 9))
betaln = special(sc.betaln, lambda g, _o, a, b: g * psi_gap(a, b), lambda g, _o, a, b: g * psi_gap(b, a),
                 note="d/dx = psi(x) - psi(x + y); not finite where x + y is 0, -1, -2 ....", domain=(0.1, 9))
gammainc = special(sc.gammainc, _no_rule("gammainc", "first argument"),
                   lambda g, _o, a, x: g * np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a)),
                   note="gammainc(a, x): d/dx = x**(a - 1)*exp(-x)/gamma(a).")
gammaincc = special(sc.gammaincc, _no_rule("gammaincc", "first argument"),
                    lambda g, _o, a, x: -g * np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a)),
                    note="gammaincc(a, x): d/dx = -x**(a - 1)*exp(-x)/gamma(a).")

rgamma = special(sc.rgamma, lambda g, out, x: g * _rgamma_slope(out, x), note="1/gamma(x): d/dx = -psi(x)/gamma(x).")
gammasgn = elementwise(sc.gammasgn, None, name="gammasgn", doc="The sign of gamma(x), a constant.")

# Bessel functions.
j0 = special(sc.j0, lambda g, _o, x: -g * sc.j1(x), note="d/dx = -j1(x).")
j1 = special(sc.j1, lambda g, out, x: g * _slope_of_order_one(sc.j0, _j1_slope, out, x, -1),
             note="d/dx = (j0(x) - jv(2, x))/2.")
jv = special(sc.jv, _no_rule("jv", "order"), lambda g, _o, v, x: g * _half_difference(sc.jv, v, x),
             note="jv(v, x): d/dx = (jv(v - 1, x) - jv(v + 1, x))/2.")
y0 = special(sc.y0, lambda g, _o, x: -g * sc.y1(x), note="d/dx = -y1(x).")
y1 = special(sc.y1, lambda g, out, x: g * _slope_of_order_one(sc.y0, _y1_slope, out, x, -1),
             note="d/dx = (y0(x) - yv(2, x))/2.")
yn = special(sc.yn, _no_rule("yn", "order"), lambda g, _o, n, x: g * _half_difference(sc.yn, n, x),
             note="yn(n, x): d/dx = (yn(n - 1, x) - yn(n + 1, x))/2.")
yv = special(sc.yv, _no_rule("yv", "order"), lambda g, _o, v, x: g * _half_difference(sc.yv, v, x),
             note="yv(v, x): d/dx = (yv(v - 1, x) - yv(v + 1, x))/2.")
i0 = special(sc.i0, lambda g, _o, x: g * sc.i1(x), note="d/dx = i1(x).")
i1 = special(sc.i1, lambda g, out, x: g * _slope_of_order_one(sc.i0, lambda x: _half_sum(sc.iv, 1, x), out, x, -1),
             note="d/dx = (i0(x) + iv(2, x))/2.")
iv = special(sc.iv, _no_rule("iv", "order"), lambda g, _o, v, x: g * _half_sum(sc.iv, v, x),
             note="iv(v, x): d/dx = (iv(v - 1, x) + iv(v + 1, x))/2.")
i0e = special(sc.i0e, lambda g, out, x: g * _ive_slope(0, x, out), note="d/dx = i1e(x) - sign(x)*i0e(x).")
i1e = special(sc.i1e, lambda g, out, x: g * _ive_slope(1, x, out),
              note="d/dx = (i0e(x) + ive(2, x))/2 - sign(x)*i1e(x).")
ive = special(sc.ive, _no_rule("ive", "order"),
              lambda g, out, v, x: g * _ive_slope(v, x, out),
              note="ive(v, x): d/dx = (ive(v - 1, x) + ive(v + 1, x))/2 - sign(x)*ive(v, x), for real x.")
k0 = special(sc.k0, lambda g, _o, x: -g * sc.k1(x), note="d/dx = -k1(x).")
k1 = special(sc.k1, lambda g, out, x: -g * _slope_of_order_one(sc.k0, lambda x: _half_sum(sc.kv, 1, x), out, x, 1),
             note="d/dx = -(k0(x) + kv(2, x))/2.")
kn = special(sc.kn, _no_rule("kn", "order"), lambda g, _o, n, x: -g * _half_sum(sc.kv, n, x),
             note="kn(n, x): d/dx = -(kv(n - 1, x) + kv(n + 1, x))/2.")
kv = special(sc.kv, _no_rule("kv", "order"), lambda g, _o, v, x: -g * _half_sum(sc.kv, v, x),
             note="kv(v, x): d/dx = -(kv(v - 1, x) + kv(v + 1, x))/2.")
k0e = special(sc.k0e, lambda g, _o, x: g * _kve_slope(0, x), note="d/dx = k0e(x) - k1e(x).")
k1e = special(sc.k1e, lambda g, _o, x: g * _kve_slope(1, x),
              note="d/dx = k1e(x) - (k0e(x) + kve(2, x))/2.")
kve = special(sc.kve, _no_rule("kve", "order"), lambda g, _o, v, x: g * _kve_slope(v, x),
              note="kve(v, x): d/dx = kve(v, x) - (kve(v - 1, x) + kve(v + 1, x))/2.")

# SciPy's own ufuncs of what NumPy has too.
expm1 = special(sc.expm1, lambda g, _o, x: g * np.exp(x), note="d/dx = exp(x).")
log1p = special(sc.log1p, lambda g, _o, x: g / (1 + x), note="d/dx = 1/(1 + x).")
cbrt = special(sc.cbrt, lambda g, out, _x: g / out / out / 3, note="d/dx = 1/(3*cbrt(x)**2).")
exp2 = special(sc.exp2, lambda g, out, _x: g * (out * LN2), note="d/dx = exp2(x)*log(2).")
exp10 = special(sc.exp10, lambda g, out, _x: g * (out * LN10), note="d/dx = exp10(x)*log(10).")

# Entropies.
xlogy = special(sc.xlogy, lambda g, _o, _x, y: g * np.log(y),
                lambda g, _o, x, y: g * (x / np.where((x == 0) & (y == 0), 1.0, y)),
                note="d/dx = log(y), d/dy = x/y, 0 where x = y = 0.")
xlog1py = special(sc.xlog1py, lambda g, _o, _x, y: g * np.log1p(y),
                  lambda g, _o, x, y: g * (x / np.where((x == 0) & (y == -1), 1.0, 1 + y)),
                  note="d/dx = log1p(y), d/dy = x/(1 + y), 0 where x = 0 and y = -1.")
entr = special(sc.entr, lambda g, _o, x: g * (-np.log(x) - 1), note="d/dx = -log(x) - 1.", domain=(0.05, 9))
rel_entr = special(sc.rel_entr, lambda g, _o, x, y: g * (_log_ratio(x, y) + 1), lambda g, _o, x, y: -g * (x / y),
                   note="d/dx = log(x/y) + 1, d/dy = -x/y.", domain=(0.05, 9))
kl_div = special(sc.kl_div, lambda g, _o, x, y: g * _log_ratio(x, y), lambda g, _o, x, y: g * _excess(x, y),
                 note="d/dx = log(x/y), d/dy = 1 - x/y.", domain=(0.05, 9))
# fmt: on

digamma, jn = psi, jv


class BetaInc(Op):
    """The regularised incomplete beta function of a, b and x."""

    linear, domain, may_raise = "pointwise", (0.05, 0.95), True
    cases = ((np.array([1, 2, 3]), np.array([2, 1, 2]), (3,)),)
    forward = staticmethod(sc.betainc)
    backward = (
        lambda _g, _o, _a, _b, _x: _no_rule("betainc", "first argument")(None, None, None, None),
        lambda _g, _o, _a, _b, _x: _no_rule("betainc", "second argument")(None, None, None, None),
        lambda g, _o, a, b, x: g * np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b)),
    )


class LambertW(Op):
    """The k-th branch of Lambert's W function: w * exp(w) = x; complex."""

    linear = "pointwise"
    cases = (((2, 3), np.array(0), np.array(1e-8)), ((3,), np.array([0, 1, -1]), np.array(1e-8)))

    @staticmethod
    def forward(x: Any, k: Any, tol: Any) -> Any:
        return sc.lambertw(x, k, tol)

    backward = (
        lambda g, out, _x, _k, _tol: g * (np.exp(-out) / (1 + out)),
        lambda _g, _o, _x, _k, _tol: None,
        lambda _g, _o, _x, _k, _tol: None,
    )


@implements(sc.betainc)
def betainc(a: Any, b: Any, x: Any, /) -> Any:
    """Return the regularised incomplete beta function; d/dx = x**(a - 1)*(1 - x)**(b - 1)/beta(a, b)."""
    wide = array(x).dtype
    return BetaInc.apply(_widened(a, wide), _widened(b, wide), x)


def _widened(v: Any, wide: Any) -> Any:
    """Return a parameter as wide as the variable: the rule's betaln(a, b) would be computed as narrowly as it is."""
    floating = getattr(getattr(v, "dtype", None), "kind", "") == "f"
    return v.astype(np.result_type(v.dtype, wide)) if floating else v


def lambertw(x: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Return the k-th branch of Lambert's W function, complex; d/dx = exp(-w)/(1 + w)."""
    return LambertW.apply(x, k, tol)


implements(sc._ufuncs._lambertw)(lambertw)  # the ufunc that scipy.special.lambertw calls


def polygamma(n: Any, x: Any) -> Any:
    """Return the n-th derivative of psi; it has the next as its own.

    Parameters
    ----------
    n : int
        From 0.
    x : Tensor or array_like
        Real.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.special import polygamma
    >>> round(polygamma(1, tg.Tensor(1.0)).item(), 9)
    1.644934067
    """
    if np.ndim(n) or int(n) != n or n < 0:
        raise ValueError(f"polygamma: n={n!r}; a whole number from 0 is wanted")
    return psi(x) if n == 0 else (-1.0) ** (n + 1) * math.factorial(int(n)) * zeta(float(n + 1), x)
