"""SciPy's functions: values are SciPy's, two derivatives against differences or 30 digits, and what is refused."""

import subprocess
import sys
import warnings

import mpmath
import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.testing import assert_gradients

sc = pytest.importorskip("scipy.special")
sl = pytest.importorskip("scipy.linalg")
ss = pytest.importorskip("scipy.signal")

ANY = np.array([-2.3, -0.7, 0.4, 1.9, 3.1])
POSITIVE = np.array([0.2, 0.9, 1.7, 3.3, 6.1])
UNIT = np.array([0.07, 0.3, 0.5, 0.81, 0.96])
ONE = {
    "erf": ANY, "erfc": ANY, "erfcx": ANY, "erfinv": 2 * UNIT - 1, "erfcinv": 2 * UNIT, "ndtr": ANY, "log_ndtr": ANY,
    "ndtri": UNIT, "expit": ANY, "logit": UNIT, "log_expit": ANY, "gamma": ANY, "gammaln": ANY, "loggamma": POSITIVE,
    "psi": ANY, "digamma": POSITIVE, "j0": ANY, "j1": ANY, "y0": POSITIVE, "y1": POSITIVE, "i0": ANY, "i1": ANY,
    "i0e": ANY, "i1e": ANY, "k0": POSITIVE, "k1": POSITIVE, "k0e": POSITIVE, "k1e": POSITIVE, "entr": POSITIVE,
    "rgamma": ANY, "expm1": ANY, "log1p": POSITIVE, "cbrt": ANY, "exp2": ANY, "exp10": UNIT,
}  # fmt: skip
TWO = {
    "beta": (POSITIVE, UNIT), "betaln": (POSITIVE, UNIT), "xlogy": (ANY, POSITIVE), "xlog1py": (ANY, UNIT),
    "rel_entr": (POSITIVE, UNIT), "kl_div": (POSITIVE, UNIT),
}  # fmt: skip
ORDER = {
    "gammainc": (1.5, POSITIVE), "gammaincc": (2.5, POSITIVE), "jv": (1.3, POSITIVE), "jn": (2, ANY),
    "yn": (2, POSITIVE), "yv": (0.3, POSITIVE), "iv": (1.2, POSITIVE), "ive": (2.0, ANY), "kn": (2, POSITIVE),
    "kv": (0.4, POSITIVE), "kve": (1.4, POSITIVE), "zeta": (2.5, POSITIVE),
}  # fmt: skip
STEP = 2.0**-12


def slope(f):
    return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) / (12 * STEP)


def check(f, *xs, tolerance=1e-7):
    """Compare the value, and two derivatives along a direction."""
    rng = np.random.default_rng(0)
    us, vs = ([rng.standard_normal(x.shape) for x in xs] for _ in range(2))
    ts = [tg.Tensor(x) for x in xs]
    y, want = f(*ts), f(*xs)
    assert y.dtype == want.dtype
    np.testing.assert_allclose(y.numpy(), want, rtol=1e-12, atol=1e-14)
    c = rng.standard_normal(y.shape)

    def moved(t):
        return [x + t * u for x, u in zip(xs, us, strict=True)]

    def pulled(arrays, record=False):
        fresh = [tg.Tensor(x) for x in arrays]
        tg.sum(tg.real(c * f(*fresh))).backward(create_graph=record)
        gradients = [t.grad for t in fresh]
        for t in fresh:
            t.zero_grad()
        return fresh, gradients

    ts, gs = pulled(xs, True)
    expected = slope(lambda t: np.sum((c * f(*moved(t))).real))
    assert np.isclose(sum(np.sum(g.numpy() * u) for g, u in zip(gs, us, strict=True)), expected, tolerance, tolerance)
    expected = slope(lambda t: sum(np.sum(g.numpy() * v) for g, v in zip(pulled(moved(t))[1], vs, strict=True)))
    along = sum(tg.sum(g * v) for g, v in zip(gs, vs, strict=True))
    if along.node is not None:
        along.backward()
    got = sum(0.0 if t.grad is None else np.sum(t.grad.numpy() * u) for t, u in zip(ts, us, strict=True))
    assert np.isclose(got, expected, 10 * tolerance, 10 * tolerance)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_argument(name):
    check(getattr(sc, name), ONE[name])
    from tinygrad_sp.scipy import special

    check(getattr(special, name), ONE[name].reshape(5, 1)[:2])


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_arguments(name):
    x, y = TWO[name]
    check(getattr(sc, name), x, y)
    check(getattr(sc, name), x[:, None], y[:2])


@pytest.mark.parametrize("name", ORDER)
def test_functions_with_an_order(name):
    order, x = ORDER[name]
    check(lambda t: getattr(sc, name)(order, t), x)
    if name not in ("jn", "yn", "kn"):
        with pytest.raises(NotImplementedError, match="make it a constant"):
            getattr(sc, name)(tg.Tensor(float(order)), 1.0).backward()


def test_betainc():
    check(lambda t: sc.betainc(1.5, 2.5, t), UNIT)
    for i in range(2):
        args = [1.5, 2.5, 0.3]
        args[i] = tg.Tensor(args[i])
        with pytest.raises(NotImplementedError, match="make it a constant"):
            sc.betainc(*args).backward()


@pytest.mark.parametrize("k", (0, -1))
def test_lambertw(k):
    check(lambda t: sc.lambertw(t, k), np.array([-0.3, -0.1, -0.2]))
    if k == 0:
        check(lambda t: sc.lambertw(t), np.array([0.0, 0.5, 3.0]))


@pytest.mark.parametrize("n", (0, 1, 2, 5))
def test_polygamma(n):
    from tinygrad_sp.scipy.special import polygamma

    check(lambda t: polygamma(n, t), POSITIVE)
    np.testing.assert_allclose(polygamma(n, POSITIVE), sc.polygamma(n, POSITIVE), rtol=1e-13)
    for bad in (-1, 0.5):
        with pytest.raises(ValueError, match="whole number"):
            polygamma(bad, 1.0)


@pytest.mark.parametrize("name", ("softmax", "log_softmax", "logsumexp"))
def test_softmax_and_its_family(name):
    from tinygrad_sp.scipy import special

    x = np.array([[1.0, 2.0, -1.0], [0.0, 3.0, 1.0]])
    for options in ({}, {"axis": 1}, {"axis": (0, 1)}):
        got = getattr(special, name)(tg.Tensor(x), **options)
        np.testing.assert_allclose(got.numpy(), getattr(sc, name)(x, **options))


@pytest.mark.parametrize("axis", (None, 0, (0, 1)))
@pytest.mark.parametrize("keepdims", (False, True))
def test_logsumexp_with_weights(axis, keepdims):
    from tinygrad_sp.scipy.special import logsumexp

    a, b = np.array([[1.0, 720.0, -1.0], [3.0, 0.0, 800.0]]), np.array([[0.5, 2.0, -0.1], [1.0, 3.0, 0.0]])
    options = {"axis": axis, "keepdims": keepdims}
    for got, want in zip(
        logsumexp(tg.Tensor(a), b=b, return_sign=True, **options),
        sc.logsumexp(a, b=b, return_sign=True, **options),
        strict=True,
    ):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-15)
    near = np.array([[1.0, 2.0, -1.0], [3.0, 0.0, 4.0]])
    assert_gradients(lambda a, b: logsumexp(a, b=b, **options), near, np.abs(b) + 0.1, order=2)
    assert_gradients(lambda a, b: logsumexp(a, b=b, return_sign=True, **options)[0], near, b)


def test_logsumexp_of_what_is_infinite():
    from tinygrad_sp.scipy.special import logsumexp

    for a, b in (([np.inf, 0.0], [1.0, 1.0]), ([-np.inf, -np.inf], [1.0, 2.0]), ([0.0, 1.0], [0.0, 0.0])):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(logsumexp(tg.Tensor(a), b=b).numpy(), sc.logsumexp(a, b=b))
    with np.errstate(invalid="ignore"):
        assert np.isnan(logsumexp([0.0, 0.0], b=[1.0, -2.0]))
    for a in ([0.0, 0.0], [-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]):
        got = [part.numpy() for part in logsumexp(tg.Tensor(a), return_sign=True)]
        np.testing.assert_allclose(got, sc.logsumexp(a, return_sign=True))


def test_far_out():
    """Against 40 digits, where formulas as one first writes them lose theirs."""
    mpmath.mp.dps = 40
    x = np.array([9.9, 10.1, 30.0, 1e3, 1e6])
    t = tg.Tensor(x)
    tg.sum(sc.erfcx(t)).backward()
    slopes = [mpmath.diff(lambda z: mpmath.exp(z * z) * mpmath.erfc(z), v) for v in x[:3]]
    np.testing.assert_allclose(t.grad.numpy()[:3], [float(s) for s in slopes], rtol=1e-12)
    np.testing.assert_allclose(t.grad.numpy()[3:], -1 / np.sqrt(np.pi) / x[3:] ** 2, rtol=3e-6)
    t = tg.Tensor([-40.0, -5.0, 5.0, 50.0])
    tg.sum(sc.log_ndtr(t)).backward()
    want = [float(mpmath.npdf(v) / mpmath.ncdf(v)) for v in t.numpy()]
    np.testing.assert_allclose(t.grad.numpy(), want, rtol=1e-13)
    for name, v, plain in (
        ("i0e", 0, "i"),
        ("i1e", 1, "i"),
        ("ive", 1.7, "i"),
        ("k0e", 0, "k"),
        ("k1e", 1, "k"),
        ("kve", 2.3, "k"),
    ):
        x = np.array([0.3, 5.0, 24.0, 40.0, 700.0, 1e9])
        t = tg.Tensor(x)
        y = getattr(sc, name)(*([v] if name.endswith("ve") else []), t)
        tg.sum(y).backward()
        bessel, sign = (mpmath.besseli, 1) if plain == "i" else (mpmath.besselk, -1)
        want = [
            mpmath.exp(-sign * z) * sign * ((bessel(v - 1, z) + bessel(v + 1, z)) / 2 - bessel(v, z))
            for z in map(mpmath.mpf, x[:-1])
        ]
        np.testing.assert_allclose(t.grad.numpy()[:-1], [float(w) for w in want], rtol=1e-12)
        np.testing.assert_allclose(t.grad.numpy()[-1], -0.5e-9 * y.numpy()[-1], rtol=1e-8)
    t = tg.Tensor([0.0, 1e-9])
    tg.sum(sc.j1(t) + sc.i1(t)).backward()
    np.testing.assert_allclose(t.grad.numpy(), [1.0, 1.0], rtol=1e-15)


def test_entropies_at_zero():
    x, y = tg.Tensor([0.0, 0.0, 2.0]), tg.Tensor([0.0, 3.0, 3.0])
    with np.errstate(divide="ignore"):  # d/dx = log(0) = -inf
        tg.sum(sc.xlogy(x, y)).backward(create_graph=True)
    assert np.array_equal(y.grad.numpy(), [0.0, 0.0, 2 / 3])
    mixed, x.grad = y.grad, None
    mixed[1].backward()
    assert x.grad.numpy()[1] == 1 / 3
    x, y = tg.Tensor([0.0]), tg.Tensor([-1.0])
    sc.xlog1py(x.numpy(), y).backward()
    assert y.grad.item() == 0.0


def test_complex():
    z = np.array([0.3 + 0.4j, 1.1 - 0.2j])
    for f in (sc.erf, sc.gamma, sc.loggamma, lambda z: sc.jv(1.5, z), lambda z: sc.iv(0.5, z), sc.erfcx, sc.log_ndtr):
        t = tg.Tensor(z)
        y = f(t)
        y.backward(np.ones(2))
        want = slope(lambda h, f=f: f(z + h))
        np.testing.assert_allclose(np.conjugate(t.grad.numpy()), want, rtol=1e-8)
    with pytest.raises(NotImplementedError, match="not holomorphic"):
        sc.ive(1.0, tg.Tensor(z)).backward(np.ones(2))


def test_single_precision_stays():
    t = tg.Tensor(np.float32([0.5, 1.5]))
    y = sc.erf(t)
    tg.sum(y).backward()
    assert y.dtype == t.grad.dtype == np.float32


def test_importing_the_package_does_not_import_scipy():
    code = "import sys, tinygrad_sp; assert not any(m.split('.')[0] == 'scipy' for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_function_says_so():
    with pytest.raises(NotImplementedError, match="struve"):
        sc.struve(1.0, tg.Tensor(1.0))


# ---------------------------------------------------------------------------------------------- scipy.linalg

SQUARE = np.array([[2.0, 0.3, -0.2], [0.1, 1.5, 0.4], [0.3, -0.5, 3.0]])


@pytest.mark.parametrize("trans", (0, 1, 2, "N", "T", "C"))
@pytest.mark.parametrize("lower", (False, True))
@pytest.mark.parametrize("unit", (False, True))
def test_solve_triangular(trans, lower, unit):
    from tinygrad_sp.scipy.linalg import solve_triangular

    def f(a, b):
        return solve_triangular(a, b, trans, lower, unit)

    for b in (np.array([1.0, 2.0, -1.0]), np.arange(6.0).reshape(3, 2)):
        check(f, SQUARE, b)
        np.testing.assert_allclose(f(SQUARE, b), sl.solve_triangular(SQUARE, b, trans, lower, unit))
    check(f, np.stack([SQUARE, SQUARE.T]), np.arange(6.0).reshape(3, 2))
    z = SQUARE + 1j * SQUARE.T
    np.testing.assert_allclose(f(z, b), sl.solve_triangular(z, b, trans, lower, unit))


@pytest.mark.parametrize("lower", (False, True))
def test_cho_solve(lower):
    from tinygrad_sp.scipy.linalg import cho_solve

    b = np.array([1.0, 2.0, -1.0])
    check(lambda a, b: cho_solve((a, lower), b), SQUARE, b)
    for c in (SQUARE, SQUARE + 1j * np.tril(SQUARE, -1) + 1j * np.triu(SQUARE, 1)):
        np.testing.assert_allclose(cho_solve((c, lower), b), sl.cho_solve((c, lower), b))


def test_expm_sqrtm_and_sylvester():
    from tinygrad_sp.scipy import linalg

    stack = np.stack([SQUARE, SQUARE.T + 1])
    for x in (SQUARE, stack, np.array([[0.5]])):
        check(linalg.expm, x, tolerance=1e-6)
        check(linalg.sqrtm, x)
    np.testing.assert_allclose(linalg.expm(stack)[1], sl.expm(stack[1]))
    np.testing.assert_allclose(linalg.sqrtm(stack)[1], sl.sqrtm(stack[1]))
    q = np.arange(6.0).reshape(3, 2)
    check(linalg.solve_sylvester, SQUARE, SQUARE[:2, :2], q)
    check(linalg.solve_sylvester, stack, SQUARE[:2, :2], q)
    np.testing.assert_allclose(linalg.solve_sylvester(SQUARE, q[:2], q), sl.solve_sylvester(SQUARE, q[:2], q))
    assert linalg.expm(tg.Tensor(np.zeros((0, 0)))).shape == (0, 0)


def test_complex_matrices():
    from tinygrad_sp.scipy import linalg

    rng = np.random.default_rng(0)
    z, u, c = (rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)) for _ in range(3))
    for f in (
        linalg.expm,
        lambda x: linalg.sqrtm(x + 6 * np.eye(3)),
        lambda x: linalg.solve_sylvester(x + 6 * np.eye(3), x, c),
        lambda x: linalg.solve_triangular(x + 6 * np.eye(3), c, 2),
    ):
        t = tg.Tensor(z)
        f(t).backward(c)
        want = slope(lambda h, f=f: np.sum((np.conjugate(c) * f(z + h * u)).real))
        assert np.isclose(np.sum((np.conjugate(t.grad.numpy()) * u).real), want, 1e-7)


def test_linalg_refusals():
    from tinygrad_sp.scipy import linalg

    with pytest.raises(ValueError, match="trans=3"):
        linalg.solve_triangular(SQUARE, np.ones(3), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's
        root = linalg.sqrtm(tg.Tensor(np.diag([1.0, 0.0, 0.0])))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        tg.sum(root).backward()


# ---------------------------------------------------------------------------------------------- scipy.signal


@pytest.mark.parametrize("mode", ("full", "same", "valid"))
@pytest.mark.parametrize("name", ("convolve", "fftconvolve", "correlate"))
def test_convolutions(name, mode):
    from tinygrad_sp.scipy import signal

    rng = np.random.default_rng(0)
    ours, theirs = getattr(signal, name), getattr(ss, name)
    for nx, ny in (
        ((5,), (3,)),
        ((3,), (5,)),
        ((4,), (4,)),
        ((4, 3), (2, 3)),
        ((1, 2), (3, 4)),
        ((3, 2, 2), (2, 2, 1)),
    ):
        x, y = rng.standard_normal(nx), rng.standard_normal(ny)
        np.testing.assert_allclose(ours(x, y, mode), theirs(x, y, mode), rtol=1e-12, atol=1e-13)
        check(lambda x, y: ours(x, y, mode), x, y)
    z, w = rng.standard_normal(4) + 1j * rng.standard_normal(4), rng.standard_normal(3) * 1j
    np.testing.assert_allclose(ours(z, w, mode), theirs(z, w, mode), rtol=1e-12, atol=1e-13)
    t = tg.Tensor(w)
    y = ours(z, t, mode)
    c, u = y.numpy() ** 2, rng.standard_normal(3) + 1j * rng.standard_normal(3)
    y.backward(c)
    want = slope(lambda h: np.sum((np.conjugate(c) * theirs(z, w + h * u, mode)).real))
    assert np.isclose(np.sum((np.conjugate(t.grad.numpy()) * u).real), want, 1e-8)


@pytest.mark.parametrize(
    ("shapes", "mode", "message"),
    [
        (((3,), (2,)), "other", "mode"),
        (((3,), (2, 2)), "full", "as many axes"),
        (((), ()), "full", "and some"),
        (((0,), (2,)), "full", "empty"),
        (((3, 1), (2, 2)), "valid", "contain"),
    ],
)
def test_convolution_refusals(shapes, mode, message):
    from tinygrad_sp.scipy.signal import convolve

    with pytest.raises(ValueError, match=message):
        convolve(*(np.ones(s) for s in shapes), mode)


def test_convolution_of_batches():
    from tinygrad_sp.scipy.signal import convolve

    x, y = np.arange(8.0).reshape(2, 4), np.array([1.0, -1.0, 2.0])
    found = tg.vmap(lambda row: convolve(row, y, method="fft"))(x)
    np.testing.assert_allclose(np.asarray(found), np.stack([np.convolve(row, y) for row in x]), atol=1e-13)


def test_every_ufunc_that_we_differentiate_is_in_a_table():
    from tinygrad_sp import dispatch

    ours = {u.__name__ for u in dispatch.TABLE if isinstance(u, np.ufunc) and getattr(sc, u.__name__, None) is u}
    assert ours - {"betainc", "gammasgn"} <= {*ONE, *TWO, *ORDER}


def test_betainc_of_narrow_parameters_has_the_derivative_of_wide_ones():
    a, b, x = np.float32([1.3]), np.float32([2.7]), tg.Tensor([0.3])
    sc.betainc(a, b, x).backward()
    p, q = float(a[0]), float(b[0])
    want = np.exp(sc.xlogy(p - 1, 0.3) + sc.xlog1py(q - 1, -0.3) - sc.betaln(p, q))
    np.testing.assert_allclose(x.grad.numpy(), [want], rtol=1e-13)


WIDE = np.array([1e-10, 1e-8, 1e-4, 0.1, 0.9, 1.0, 1.5, 7.3, 20.0, 140.0, 1e5, 1e10])


def partials(f, x, y):
    """Every first and second derivative of an elementwise function, by order in x and y."""
    x, y = tg.Tensor(x), tg.Tensor(y)
    f(x, y).backward(np.ones(x.shape), create_graph=True)
    firsts = (x.grad, y.grad)
    found = {(1, 0): firsts[0].numpy(), (0, 1): firsts[1].numpy()}
    for i, first in enumerate(firsts):
        x.zero_grad(), y.zero_grad()
        first.backward(np.ones(x.shape), retain_graph=True)
        found[(2, 0) if i == 0 else (1, 1)] = x.grad.numpy()
        found[(1, 1) if i == 0 else (0, 2)] = y.grad.numpy()
    return found


def differences(f, point, orders, digits=110):
    """A derivative by central differences of many digits."""
    with mpmath.workdps(digits):
        point = [mpmath.mpf(float(v)) for v in point]
        steps = [abs(v) * mpmath.mpf(10) ** -25 for v in point]

        def differentiated(g, i):
            def moved(v, sign):
                return [a + sign * steps[i] * (i == j) for j, a in enumerate(v)]

            return lambda *v: (g(*moved(v, 1)) - g(*moved(v, -1))) / (2 * steps[i])

        for i, order in enumerate(orders):
            for _ in range(order):
                f = differentiated(f, i)
        return float(f(*point))


def test_beta_where_one_argument_is_tiny_beside_the_other():
    """First and second derivatives to 1e-12, where differences of psi have lost up to all digits."""
    grid = [a.ravel() for a in np.meshgrid(WIDE, WIDE)]
    small = grid[0] + grid[1] < 170  # beyond, SciPy's beta itself has fewer digits
    for f, exact, x, y in (
        (sc.betaln, lambda x, y: mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y), *grid),
        (sc.beta, mpmath.beta, grid[0][small], grid[1][small]),
    ):
        for orders, found in partials(f, x, y).items():
            want = [differences(exact, point, orders) for point in zip(x, y, strict=True)]
            np.testing.assert_allclose(found, want, rtol=1e-12, err_msg=str(orders))


def test_beta_of_negative_numbers():
    """To 1e-12, and as much more as the arguments' own rounding matters: near poles and zeros of the derivative."""
    x, y = (a.ravel() for a in np.meshgrid([-0.3, -2.3, -7.7, -50.2], [-0.6, -3.4, -1e-8, 1e-8, 0.4, 1.1, 30.5]))
    for f, exact in (
        (sc.betaln, lambda x, y: mpmath.log(abs(mpmath.gamma(x) * mpmath.gamma(y) * mpmath.rgamma(x + y)))),
        (sc.beta, mpmath.beta),
    ):
        for (i, j), found in partials(f, x, y).items():
            for got, *point in zip(found, x, y, strict=True):
                want, more = differences(exact, point, (i, j)), ((i + 1, j), (i, j + 1))
                scale = abs(want) + sum(abs(v * differences(exact, point, o)) for v, o in zip(point, more, strict=True))
                assert abs(got - want) <= 1e-12 * scale, (point, (i, j))


def test_beta_of_single_precision_and_of_infinity():
    x, y = tg.Tensor(np.float32([1.0, 2.0])), tg.Tensor(np.float32([1e-6, 3.0]))
    tg.sum(sc.betaln(x, y)).backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1.6449329e-6, -13 / 12], rtol=3e-7)
    assert x.grad.dtype == np.float32
    x = tg.Tensor([2.0, np.nan])
    tg.sum(sc.betaln(x, np.array([np.inf, 1.0]))).backward()
    assert x.grad.numpy()[0] == -np.inf and np.isnan(x.grad.numpy()[1])


def test_relative_entropies_with_arguments_far_apart_or_near_each_other():
    x = np.array([1e-200, 1e-20, 1.0, 3.0, 3.00000003, 1e200, 1e-200, 1e200])
    y = np.array([1e-20, 1.0, 1e20, 3.00000003, 3.0, 1.1e200, 1e200, 1e-200])
    for f, exact in (
        (sc.kl_div, lambda x, y: x * mpmath.log(x / y) - x + y),
        (sc.rel_entr, lambda x, y: x * mpmath.log(x / y)),
    ):
        with np.errstate(over="ignore"):  # what is larger than any number is infinite
            found = partials(f, x, y)
        for orders in ((1, 0), (0, 1), (2, 0), (1, 1)) + (((0, 2),) if f is sc.kl_div else ()):
            with np.errstate(over="ignore"):
                want = [differences(exact, point, orders, 700) for point in zip(x, y, strict=True)]
            np.testing.assert_allclose(found[orders], want, rtol=1e-13, err_msg=str(orders))


def test_second_derivatives_that_cancelled():
    x = np.array([-1e-5, 1e-20, 1e-10, 3.0])
    _, second = twice(sc.expit, x)
    np.testing.assert_allclose(second, -np.tanh(x / 2) / np.cosh(x / 2) ** 2 / 4, rtol=1e-14)
    x = np.array([-30.0, -5.0, 0.0, 5.0, 30.0])
    _, second = twice(sc.log_ndtr, x)
    want = [differences(lambda z: mpmath.log(mpmath.erfc(-z / mpmath.sqrt(2)) / 2), [v], [2]) for v in x[x < 30][:2]]
    np.testing.assert_allclose(second[:2], want, rtol=1e-12)
    assert np.isclose(second[2], -2 / np.pi, 1e-15)
    np.testing.assert_allclose(second[4], -30 * float(mpmath.npdf(30)), rtol=1e-12)
    assert twice(sc.log_ndtr, np.array([50.0]))[1] == 0
    with np.errstate(over="ignore"):
        assert twice(sc.logit, np.array([1e-300]))[1] == -np.inf


def twice(f, x):
    t = tg.Tensor(x)
    tg.sum(f(t)).backward(create_graph=True)
    first = t.grad
    t.zero_grad()
    tg.sum(first).backward()
    return first.numpy(), t.grad.numpy()


def test_the_reciprocal_of_gamma_has_a_derivative_at_its_zeros():
    first, second = twice(sc.rgamma, np.array([0.0, -1.0, -4.0, 0.3, 2.5]))
    np.testing.assert_allclose(first[:3], [1.0, -1.0, 24.0], rtol=1e-13)
    want = [differences(mpmath.rgamma, [v], [2]) for v in (-1.0, -4.0, 0.3, 2.5)]
    np.testing.assert_allclose(second[1:], want, rtol=1e-11)
    assert sc.gammasgn(tg.Tensor([-0.5, 2.0])).node is None


@pytest.mark.parametrize(("f", "height", "rate"), [(sc.erf, 4, 1), (sc.erfc, 4, 1), (sc.ndtr, 0.5, 0.5)])
def test_the_bell_is_flat_at_infinity_and_keeps_its_digits_before(f, height, rate):
    first, second = twice(f, np.array([-np.inf, np.inf]))
    assert not first.any() and not second.any()
    with mpmath.workdps(40):
        want = float(mpmath.sqrt(height / mpmath.pi) * mpmath.exp(-rate * mpmath.mpf(25.7) ** 2))
    np.testing.assert_allclose(abs(twice(f, np.array([25.7]))[0]), want, rtol=4e-16)


def test_the_reciprocal_of_gamma_is_flat_at_infinity():
    first, second = twice(sc.rgamma, np.array([np.inf, 200.0]))
    assert not first.any() and not second.any()


@pytest.mark.parametrize("dtype", (np.float16, np.float32, np.float64))
def test_log_ndtr_far_out_twice(dtype):
    x = tg.Tensor(np.array([-np.inf, -3e4, -1000, 100, np.inf], dtype))
    with np.errstate(all="ignore"):
        sc.log_ndtr(x).sum().backward(create_graph=True)
        first, x.grad = x.grad, None
        first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1, -1, -1, 0, 0], atol=2e-6)
