"""Every activation against 60-digit arithmetic, in ulp: the value, its derivative and its second derivative.

The table `BOUNDS` states the bounds.  A reference is a tuple of terms whose sum is the true value, and an error is
counted in ulp of the largest term: so where a derivative crosses zero the bound says what it can, and everywhere
else it is a bound in ulp of the result.
"""

import math
import warnings
from functools import lru_cache

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_sp as tg

mp.mp.dps = 60
ZERO, ONE, TWO = mp.mpf(0), mp.mpf(1), mp.mpf(2)
TWO_OVER_ROOT_PI = 2 / mp.sqrt(mp.pi)


# ---------------------------------------------------------------------------------------------- references


def s(x):
    return 1 / (1 + mp.exp(-x)) if x >= 0 else mp.exp(x) / (1 + mp.exp(x))


def log1pexp(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def bump(x):
    return s(x) * s(-x)


def slope(x):
    return -bump(x) * mp.tanh(x / 2)


def erfc(x):
    return mp.erfc(x) if abs(x) < 1000 else ZERO if x > 0 else TWO


def cdf(x):
    return erfc(-x / mp.sqrt(2)) / 2


def pdf(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def mish_parts(x):
    """T = tanh(softplus(x)) and its derivative and the terms of its second, with q = sigmoid(-x)."""
    q, d = s(-x), bump(x)
    m = 1 + q * q
    first = 4 * q * q * s(x) / m**2
    return s(x) * (1 + q) / m, first, (-8 * q * s(x) * d / m**2, 4 * q * q * d / m**2, 4 * first * q * d / m)


def gelu_tanh_parts(x):
    c = mp.sqrt(8 / mp.pi)
    k = mp.mpf("0.044715") * c
    return x * (c + k * x * x), c + 3 * k * x * x, 6 * k * x


def gelu_tanh(x):
    return (x * s(gelu_tanh_parts(x)[0]),)


def gelu_tanh1(x):
    v, v1, _ = gelu_tanh_parts(x)
    return (s(v), x * bump(v) * v1)


def gelu_tanh2(x):
    v, v1, v2 = gelu_tanh_parts(x)
    return (2 * bump(v) * v1, x * bump(v) * v2, x * slope(v) * v1**2)


ALPHA, SCALE = mp.mpf("1.6732632423543772848170429916717"), mp.mpf("1.0507009873554804934193349852946")


def corner(scale, height, width):
    """scale*x on the right, height*(exp(x/width) - 1) on the left."""
    return (
        lambda x: (scale * x if x > 0 else height * mp.expm1(x / width),),
        lambda x: (scale if x > 0 else height / width * mp.exp(x / width),),
        lambda x: (ZERO if x > 0 else height / width**2 * mp.exp(x / width),),
    )


def erf1(x):
    return TWO_OVER_ROOT_PI * mp.exp(-x * x)


# The terms of the value, of the first and of the second derivative.
REFERENCES = {
    "softplus": (lambda x: (log1pexp(x),), lambda x: (s(x),), lambda x: (bump(x),)),
    "sigmoid": (lambda x: (s(x),), lambda x: (bump(x),), lambda x: (slope(x),)),
    "logsigmoid": (lambda x: (-log1pexp(-x),), lambda x: (s(-x),), lambda x: (-bump(x),)),
    "tanh": (lambda x: (mp.tanh(x),), lambda x: (4 * bump(2 * x),), lambda x: (8 * slope(2 * x),)),
    "silu": (lambda x: (x * s(x),), lambda x: (s(x), x * bump(x)), lambda x: (2 * bump(x), x * slope(x))),
    "mish": (
        lambda x: (x * mish_parts(x)[0],),
        lambda x: (mish_parts(x)[0], x * mish_parts(x)[1]),
        lambda x: (2 * mish_parts(x)[1], *(x * t for t in mish_parts(x)[2])),
    ),
    "softsign": (
        lambda x: (x / (1 + abs(x)),),
        lambda x: (1 / (1 + abs(x)) ** 2,),
        lambda x: (-2 * mp.sign(x) / (1 + abs(x)) ** 3,),
    ),
    "relu": (lambda x: (max(x, ZERO),), lambda x: (mp.mpf(x > 0),), lambda _: (ZERO,)),
    "leaky_relu": (lambda x: (x if x > 0 else x / 4,), lambda x: (mp.mpf(1 if x > 0 else 0.25),), lambda _: (ZERO,)),
    "hardtanh": (lambda x: (max(min(x, ONE), -ONE),), lambda x: (mp.mpf(-1 < x < 1),), lambda _: (ZERO,)),
    "elu": corner(ONE, ONE, ONE),
    "elu(2)": corner(ONE, TWO, ONE),
    "selu": corner(SCALE, SCALE * ALPHA, ONE),
    "celu(2)": corner(ONE, TWO, TWO),
    "gelu": (lambda x: (x * cdf(x),), lambda x: (cdf(x), x * pdf(x)), lambda x: (2 * pdf(x), -x * x * pdf(x))),
    "gelu(tanh)": (gelu_tanh, gelu_tanh1, gelu_tanh2),
    "erf": (
        lambda x: (mp.erf(x) if abs(x) < 1000 else mp.sign(x),),
        lambda x: (erf1(x),),
        lambda x: (-2 * x * erf1(x),),
    ),
    "erfc": (lambda x: (erfc(x),), lambda x: (-erf1(x),), lambda x: (2 * x * erf1(x),)),
}

FUNCTIONS = {
    "leaky_relu": lambda x: tg.leaky_relu(x, 0.25),
    "elu(2)": lambda x: tg.elu(x, alpha=2.0),
    "celu(2)": lambda x: tg.celu(x, alpha=2.0),
    "gelu(tanh)": lambda x: tg.gelu(x, approximate="tanh"),
}

# fmt: off
BOUNDS = {  # in ulp; float32 is computed in float64, and rounded once unless a graph of the derivative is made
    #              float64: f, f', f''   float32: f, f', f' with create_graph, f''
    "softplus":   ((2, 2, 4),            (0.51, 0.51, 2, 2)),
    "sigmoid":    ((2, 4, 5),            (0.51, 0.51, 2, 2)),
    "logsigmoid": ((2, 2, 4),            (0.51, 0.51, 2, 2)),
    "tanh":       ((2, 3, 5),            (2, 0.51, 2, 2)),  # the value is NumPy's
    "silu":       ((5, 6, 8),            (0.51, 0.51, 3, 3)),
    "mish":       ((7, 7, 9),            (0.51, 0.51, 5, 4)),
    "softsign":   ((2, 4, 6),            (0.51, 0.51, 4, 5)),
    "relu":       ((0, 0, 0),            (0, 0, 0, 0)),
    "leaky_relu": ((0.5, 0, 0),          (0.5, 0, 0, 0)),
    "hardtanh":   ((0, 0, 0),            (0, 0, 0, 0)),
    "elu":        ((2, 2, 2),            (0.51, 0.51, 3, 3)),
    "elu(2)":     ((2, 2, 2),            (0.51, 0.51, 3, 3)),
    "selu":       ((4, 4, 4),            (0.51, 0.51, 3, 3)),
    "celu(2)":    ((2, 2, 2),            (0.51, 0.51, 3, 3)),
    "gelu":       ((6, 6, 8),            (0.51, 0.51, 3, 3)),
    "gelu(tanh)": ((5, 5, 8),            (0.51, 0.51, 3, 3)),
    "erf":        ((2, 3, 5),            (0.51, 0.51, 3, 2)),
    "erfc":       ((4, 3, 5),            (0.51, 0.51, 3, 2)),
}
# fmt: on


def further(name, order, x):
    """What rounding an inner argument v costs: exp(v) is off by v ulp for each ulp of v."""
    if name != "gelu(tanh)":
        return 0.0
    v, v1, _ = gelu_tanh_parts(x)
    # Where exp(-v) is subnormal, it has few bits to give to what it is multiplied with.
    return 2.5 * float(abs(v)) + (float(abs(x) * v1**2) if order == 2 and abs(x) > 10 else 0.0)


names = pytest.mark.parametrize("name", REFERENCES)
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


# ---------------------------------------------------------------------------------------------- measuring


def ulp(value, dtype):
    """The spacing of a format at a true value, subnormal range included."""
    info = np.finfo(dtype)
    exponent = mp.frexp(value)[1] if value else -(10**6)
    return mp.ldexp(1, max(int(exponent) - info.nmant - 1, int(info.minexp) - info.nmant))


def error(result, terms, dtype):
    """How many ulp of the sum of the terms, or of the largest of them, a result is away from it."""
    true = mp.fsum(terms)
    if abs(true) > np.finfo(dtype).max and np.isinf(result):
        return 0.0  # the nearest, if it is beyond the largest number by half an ulp
    assert np.isfinite(result), f"{result} instead of {mp.nstr(true, 20)}"
    return float(abs(mp.mpf(float(result)) - true) / ulp(max(map(abs, (true, *terms))), dtype))


def neighbours(*points):
    for point in points:
        for p in (point, -point):
            yield from (np.nextafter(p, -np.inf), p, np.nextafter(p, np.inf))


@lru_cache
def grid(dtype):
    """All the places where a formula changes, a result becomes subnormal or a format ends, and points between."""
    tiny, info = float(np.finfo(dtype).smallest_subnormal), np.finfo(dtype)
    places = [0.0, tiny, 2 * tiny, float(info.tiny), 1e-300, 1e-100, 1e-40, 1e-30, 1e-20, 1e-10, 1e-8, 1e-5, 1e-3]
    places += [0.125, 0.5, float(np.sqrt(0.5)), float(np.log(2)), 1.0, 1.278, 2.0, 5.0, 10.0, 16.6, 20.0, 36.04, 36.73]
    places += [37.0, 37.43, 38.0, 40.0, 87.3, 88.7, 103.3, 103.97, 104.0, 700.0, 708.39, 709.78, 740.0, 744.44, 745.13]
    places += [745.2, 800.0, 1e4, 3e4, 6e4, 1e10, 1e30, 1e38, 1e100, 1e154, 1e300, float(info.max)]
    steps = [np.linspace(-1, 1, 81), np.linspace(-8, 8, 161), np.linspace(-40, 40, 161), np.linspace(36, 38.6, 53)]
    steps += [
        -np.linspace(36, 38.6, 53),
        -np.linspace(86, 104.5, 75),
        -np.linspace(700, 746, 93),
        np.linspace(700, 746, 24),
    ]
    rng = np.random.default_rng(1)
    steps += [rng.uniform(-5, 5, 400), rng.uniform(-40, 40, 200), rng.uniform(-746, 746, 100), rng.normal(0, 1e-3, 50)]
    below = rng.uniform(0.96, 1, 600) * 2.0 ** -np.arange(3, 8).repeat(120)  # sigmoid's hardest: just below 2**-k
    steps += [np.log(below / (1 - below)), np.log(1 / below - 1)]
    with np.errstate(over="ignore"):
        points = np.concatenate([list(neighbours(*places)), *steps]).astype(dtype)
    return np.unique(points[np.isfinite(points)])


def derivatives(name, x, order):
    """Value and derivatives through the engine, each by backward of the one before."""
    t = tg.Tensor(x)
    current = FUNCTIONS.get(name, getattr(tg, name, None))(t)
    results = [np.array(current.numpy())]
    for i in range(order):
        t.zero_grad()
        if current.node is None:  # a constant: the derivative is 0
            results.append(np.zeros_like(x))
            continue
        current.backward(np.ones_like(x), create_graph=i + 1 < order)
        current = t.grad
        results.append(np.array(current.numpy()))
    return results


def points(name, dtype):
    """The grid, without what overflows rightly."""
    x = grid(dtype)
    return x[abs(x) < np.finfo(dtype).max / 2] if name == "selu" else x


@lru_cache
def terms(name, order, dtype):
    reference = REFERENCES[name][order]
    return [reference(mp.mpf(float(v))) for v in points(name, dtype)]


# ---------------------------------------------------------------------------------------------- tests


def check(name, order, result, bound, dtype, rounded):
    assert result.dtype == dtype
    for at, got, wanted in zip(points(name, dtype), result, terms(name, order, dtype), strict=True):
        if order == 2 and at == 0 and name in ("elu", "elu(2)", "selu", "celu(2)"):
            continue  # a corner of f'
        allowed = bound + (further(name, order, mp.mpf(float(at))) if rounded else 0)
        found = error(got, wanted, dtype)
        assert found <= allowed, f"{name}, derivative {order} at {at!r}: {found:.2f} ulp, {allowed} stated"


@names
def test_float64(name):
    f, f1, f2 = derivatives(name, points(name, np.float64), 2)
    plain = derivatives(name, points(name, np.float64), 1)[1]
    for order, result in (0, f), (1, f1), (1, plain), (2, f2):
        check(name, order, result, BOUNDS[name][0][order], np.float64, rounded=True)


@names
def test_float32(name):
    f, f1, f2 = derivatives(name, points(name, np.float32), 2)
    plain = derivatives(name, points(name, np.float32), 1)[1]
    results = [(0, f, False), (1, plain, False), (1, f1, True), (2, f2, True)]
    for (order, result, rounded), bound in zip(results, BOUNDS[name][1], strict=True):
        check(name, order, result, bound, np.float32, rounded)


@names
@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_anywhere(name, x):
    assume(name not in ("selu", "tanh") or abs(x) < 8e307)
    for order, result in enumerate(derivatives(name, np.float64(x), 1)):
        terms = REFERENCES[name][order](mp.mpf(x))
        assert error(result, terms, np.float64) <= BOUNDS[name][0][order] + further(name, order, mp.mpf(x))


@names
@dtypes
def test_no_warning_on_finite_input(name, dtype):
    """Not even of underflow, forward and backward; in graphs of derivatives none that NumPy shows by default."""
    x = points(name, dtype)
    if name == "leaky_relu":
        x = x[abs(x) > 4 * np.finfo(dtype).tiny]  # x/4 would be subnormal
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        derivatives(name, x, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derivatives(name, x, 3)


LIMITS = {  # value and derivative at minus infinity and at infinity
    "softplus": (0, 0, np.inf, 1),
    "sigmoid": (0, 0, 1, 0),
    "logsigmoid": (-np.inf, 1, 0, 0),
    "tanh": (-1, 0, 1, 0),
    "silu": (0, 0, np.inf, 1),
    "mish": (0, 0, np.inf, 1),
    "softsign": (-1, 0, 1, 0),
    "relu": (0, 0, np.inf, 1),
    "leaky_relu": (-np.inf, 0.25, np.inf, 1),
    "hardtanh": (-1, 0, 1, 0),
    "elu": (-1, 0, np.inf, 1),
    "elu(2)": (-2, 0, np.inf, 1),
    "selu": (-float(SCALE * ALPHA), 0, np.inf, float(SCALE)),
    "celu(2)": (-2, 0, np.inf, 1),
    "gelu": (0, 0, np.inf, 1),
    "gelu(tanh)": (0, 0, np.inf, 1),
    "erf": (-1, 0, 1, 0),
    "erfc": (2, 0, 0, 0),
}


@names
@dtypes
def test_infinities_and_nan(name, dtype):
    x = np.array([-np.inf, np.inf, np.nan], dtype)
    with np.errstate(all="raise"):
        value, first, second = derivatives(name, x, 2)
    below, slope_below, above, slope_above = (dtype(v) for v in LIMITS[name])
    np.testing.assert_allclose(value, [below, above, np.nan], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(first[:2], [slope_below, slope_above], rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(second[:2], 0)
    if name not in ("relu", "leaky_relu", "hardtanh"):
        assert np.isnan(first[2])


@names
def test_signed_zero(name):
    value, first, _ = derivatives(name, np.array([0.0, -0.0]), 2)
    assert value[0] == value[1]
    assert first[0] == first[1]


def test_third_derivative_of_softplus():
    x = grid(np.float64)
    third = derivatives("softplus", x, 3)[3]
    for at, got in zip(x, third, strict=True):
        true = slope(mp.mpf(float(at)))
        if abs(true) > 1e-300:
            assert abs(mp.mpf(float(got)) / true - 1) < 1e-12, at


HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16)
IN_FLOAT64 = {  # good to 1e-12, which settles all but a few roundings
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: np.exp(-np.logaddexp(0, -x))),
    "sigmoid": (lambda x: np.exp(-np.logaddexp(0, -x)), lambda x: np.exp(-np.logaddexp(0, x) - np.logaddexp(0, -x))),
    "gelu": (
        lambda x: np.array([v * math.erfc(-v * math.sqrt(0.5)) / 2 for v in x.tolist()]),
        lambda x: np.array(
            [float(mp.fsum(REFERENCES["gelu"][1](mp.mpf(v)))) if abs(v) < 9 else v > 0 for v in x.tolist()]
        ),
    ),
}


@pytest.mark.parametrize("name", IN_FLOAT64)
def test_float16_to_the_last_bit(name):
    """All 65,536 numbers, value and derivative: the result is the float16 nearest to the true value."""
    finite = np.isfinite(HALVES)
    with np.errstate(invalid="ignore"):  # some of the NaNs are signalling
        results = derivatives(name, HALVES, 1)
    for order, result in enumerate(results):
        assert result.dtype == np.float16
        assert np.isnan(result[np.isnan(HALVES)]).all()
        np.testing.assert_array_equal(result[np.isinf(HALVES)], np.float16(LIMITS[name][order::2])[::-1])
        x, got = HALVES[finite].astype(np.float64), result[finite]
        with np.errstate(over="ignore", under="ignore"):
            near = IN_FLOAT64[name][order](x)
            below, above = (np.nextafter(got, np.float16(end)).astype(np.float64) for end in (-np.inf, np.inf))
        low, high = (below + got) / 2, (got + above) / 2  # between these, got is the nearest
        doubtful = np.minimum(abs(near - low), abs(near - high)) < 1e-9 * abs(near)
        assert ((low <= near) & (near <= high) | doubtful).all()
        assert doubtful.sum() < 3000
        for v, lo, hi in zip(x[doubtful], low[doubtful], high[doubtful], strict=True):
            assert lo <= mp.fsum(REFERENCES[name][order](mp.mpf(float(v)))) <= hi
