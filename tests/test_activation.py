"""Activations and losses: what they take, their conventions, and rows of infinities.  How exact: test_exactness.py."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_sp as tg
from tinygrad_sp.ops import erf as erf_module
from tinygrad_sp.ops.rectifier import only

SMOOTH = ["softplus", "sigmoid", "logsigmoid", "silu", "mish", "softsign", "gelu", "erf", "erfc", "tanh"]
CORNERED = ["relu", "leaky_relu", "elu", "selu", "celu", "hardtanh"]
ALONG = ["softmax", "log_softmax", "logsumexp"]
every = pytest.mark.parametrize("name", SMOOTH + CORNERED)
inf, nan = np.inf, np.nan


def gradient(function, *values, cotangent=None, **params):
    """Return the gradient with respect to each array."""
    tensors = [tg.Tensor(v) for v in values]
    out = function(*tensors, **params)
    out.backward(np.ones(out.shape, out.dtype) if cotangent is None else cotangent)
    found = [t.grad.numpy() for t in tensors]
    return found[0] if len(found) == 1 else found


# ---------------------------------------------------------------------------------------------- what they take


@every
def test_arrays_give_arrays_and_tensors_tensors(name):
    function, x = getattr(tg, name), np.array([[-1.5, 0.25, 2.0]])
    plain, tensor = function(x), function(tg.Tensor(x))
    assert type(plain) is np.ndarray
    assert isinstance(tensor, tg.Tensor)
    np.testing.assert_array_equal(plain, tensor.numpy())
    np.testing.assert_array_equal(plain, function([[-1.5, 0.25, 2.0]]))
    assert function(0.25) == plain[0, 1]
    np.testing.assert_array_equal(gradient(function, x), gradient(function, x.T).T)


@every
def test_integers_are_constants(name):
    """A float64 result, or for the functions that only choose and scale, an integer one; nothing to differentiate."""
    out = getattr(tg, name)(tg.Tensor([-2, 0, 3]))
    assert not out.requires_grad
    np.testing.assert_array_equal(out.numpy(), getattr(tg, name)(np.array([-2.0, 0, 3])))


@every
def test_large_arrays_are_as_small_ones(name, rng):
    function, x = getattr(tg, name), rng.normal(0, 5, 200_000)
    np.testing.assert_allclose(function(x)[::1000], function(x[::1000].copy()), rtol=1e-14)
    np.testing.assert_allclose(gradient(function, x)[::1000], gradient(function, x[::1000].copy()), rtol=1e-14)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "logsigmoid", "silu", "tanh"])
def test_complex(name):
    """Holomorphic ones are what their formulas say, and nearly real numbers give nearly real results."""
    function = getattr(tg, name)
    x = np.array([-3.0, -0.5, 0.0, 1.0, 4.0])
    np.testing.assert_allclose(function(x + 0j), function(x), rtol=1e-14, atol=1e-16)
    z = tg.Tensor(x + 0.5j)
    tg.real(function(z)).sum().backward()
    h = 1e-6
    along = (function(x + 0.5j + h) - function(x + 0.5j - h)).real / (2 * h)
    across = (function(x + 0.5j + h * 1j) - function(x + 0.5j - h * 1j)).real / (2 * h)
    np.testing.assert_allclose(z.grad.numpy(), along + 1j * across, atol=1e-8)


@pytest.mark.parametrize("name", ["mish", "softsign", "gelu", "erf", "erfc", *CORNERED, *ALONG])
def test_complex_is_refused(name):
    for z in (np.array([1.0 + 1j]), tg.Tensor([1.0 + 1j])):
        with pytest.raises(TypeError, match="is defined for real numbers"):
            getattr(tg, name)(z)


# ---------------------------------------------------------------------------------------------- parameters


def test_softplus_beta():
    x = np.array([-800.0, -2.0, 0.0, 0.5, 900.0])
    np.testing.assert_allclose(tg.softplus(x, beta=2), np.logaddexp(0, 2 * x) / 2)
    np.testing.assert_allclose(tg.softplus(x, beta=-2), np.logaddexp(0, -2 * x) / -2)
    np.testing.assert_allclose(gradient(tg.softplus, x, beta=2), tg.sigmoid(2 * x))
    assert tg.softplus(np.float32(1), beta=0.5).dtype == np.float32
    assert tg.softplus([1, 2], beta=2).shape == (2,)


def test_softplus_beta_has_a_gradient():
    x, beta = tg.Tensor([-1.0, 0.5]), tg.Tensor(1.0)
    tg.softplus(x, beta).sum().backward()
    expected = x.numpy() * tg.sigmoid(x.numpy()) - tg.softplus(x.numpy())  # d/dbeta log(1 + exp(beta*x))/beta at 1
    assert beta.grad.item() == pytest.approx(expected.sum())


def test_parameters_of_the_cornered():
    x = np.array([-2.0, -0.5, 0.0, 3.0])
    np.testing.assert_allclose(tg.leaky_relu(x, 0.1), [-0.2, -0.05, 0, 3])
    np.testing.assert_allclose(tg.elu(x, alpha=3.0), [3 * np.expm1(-2), 3 * np.expm1(-0.5), 0, 3])
    np.testing.assert_allclose(tg.celu(x, alpha=3.0), [3 * np.expm1(-2 / 3), 3 * np.expm1(-0.5 / 3), 0, 3])
    np.testing.assert_allclose(tg.hardtanh(x, -1, 2), [-1, -0.5, 0, 2])
    assert tg.elu(x.astype(np.float32), alpha=np.float64(3)).dtype == np.float32
    assert tg.leaky_relu(np.array([-inf, inf]), 0.0).tolist() == [0, inf]


CORNERS = [
    (tg.relu, {}, [0.0, -0.0], [0, 0]),
    (tg.leaky_relu, {"negative_slope": 0.25}, [0.0, -1.0, 1.0], [0.25, 0.25, 1]),
    (tg.leaky_relu, {"negative_slope": 0.0}, [0.0, -1.0, 1.0], [0, 0, 1]),
    (tg.elu, {"alpha": 0.5}, [0.0, 1e-9], [0.5, 1]),
    (tg.celu, {"alpha": 0.5}, [0.0, 1e-9], [1, 1]),
    (tg.hardtanh, {}, [-1.0, 1.0, 0.999], [0, 0, 1]),
    (tg.softsign, {}, [0.0], [1]),
]


@pytest.mark.parametrize(("function", "params", "x", "expected"), CORNERS)
def test_derivative_at_corners(function, params, x, expected):
    np.testing.assert_array_equal(gradient(function, np.array(x), **params), expected)


@pytest.mark.parametrize("function", [tg.relu, tg.hardtanh])
def test_nothing_leaks_from_where_the_derivative_is_zero(function):
    cotangent = np.array([inf, nan, 1.0])
    np.testing.assert_array_equal(gradient(function, [-2.0, -3.0, 0.5], cotangent=cotangent), [0, 0, 1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ">f8"])
@pytest.mark.parametrize("n", [3, 3000])
def test_masking_bits_is_choosing(dtype, n):
    x = np.resize([-1.0, inf, nan, -0.0, 5.0, -inf], n).astype(dtype)[::-1]
    condition = np.resize([True, False, True, False, False], n)
    np.testing.assert_array_equal(only(condition, x), np.where(condition, x, 0))
    assert only(condition, x).dtype == x.dtype.newbyteorder("=")
    assert only(np.array([True]), x).shape == x.shape


WRONG = [
    (lambda: tg.gelu(1.0, approximate="fast"), ValueError, 'gelu: approximate must be "none" or "tanh"'),
    (lambda: tg.celu(1.0, alpha=0), ValueError, "celu: alpha must not be 0"),
    (lambda: tg.hardtanh(1.0, 2, 1), ValueError, "hardtanh: min_val 2.0 is above max_val 1.0"),
    (lambda: tg.elu(1.0, alpha=tg.Tensor(1.0)), TypeError, "elu: alpha is a parameter, not a variable"),
    (lambda: tg.softmax(np.zeros(3), axis=1), np.exceptions.AxisError, "axis 1 is out of bounds"),
    (lambda: tg.mse_loss([1.0, 2.0], [[1.0], [2.0]]), ValueError, r"mse_loss: input has shape \(2,\), target \(2, 1\)"),
    (lambda: tg.mse_loss([1.0], [1.0], "average"), ValueError, 'reduction must be "mean", "sum" or "none"'),
    (lambda: tg.cross_entropy(np.zeros((2, 3)), [0, 3]), IndexError, r"outside the 3 classes 0 \.\.\. 2"),
    (lambda: tg.cross_entropy(np.zeros((2, 3)), [0, -1]), IndexError, "outside the 3 classes"),
    (
        lambda: tg.cross_entropy(np.zeros((2, 3)), [0]),
        ValueError,
        r"target of shape \(1,\) for an input of shape \(2, 3\)",
    ),
    (lambda: tg.cross_entropy(np.zeros((2, 3)), np.ones(3)), ValueError, r"probabilities of shape \(3,\)"),
    (lambda: tg.cross_entropy(1.0, 0), ValueError, "the input needs an axis of classes"),
    (lambda: tg.nll_loss(np.zeros((2, 3)), [0.0, 1.0]), TypeError, "must be classes, that is integers"),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()


# ---------------------------------------------------------------------------------------------- the family of softmax


def precise_logsumexp(row):
    return mp.log(mp.fsum(mp.exp(mp.mpf(v)) for v in row))


@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(-800, 800)))
def test_softmax_family_in_many_digits(row):
    """Within a few ulp of the larger of result and maximum, and more where rounding x - max counts."""
    with mp.workdps(400):
        total = precise_logsumexp(row)
        eps = np.finfo(float).eps
        assert abs(tg.logsumexp(row) - total) <= 4 * eps * max(abs(total), abs(row.max())) + 1e-300
        away = np.abs(row - row.max())
        second = np.sort(away)[min(1, row.size - 1)]  # 1 - softmax of the largest is what the second has
        for v, p, log_p, far in zip(row, tg.softmax(row), tg.log_softmax(row), away, strict=True):
            true = mp.mpf(float(v)) - total
            assert abs(log_p - true) <= (4 + second) * eps * max(abs(true), far) + 1e-300
            assert abs(p - mp.exp(true)) <= (4 + far) * eps * mp.exp(true) + 5e-324


def test_logsumexp_keeps_what_is_small():
    assert tg.logsumexp(np.array([0.0, -40.0])) == tg.softplus(-40.0)
    assert tg.log_softmax(np.array([40.0, 0.0]))[0] == -tg.softplus(-40.0)
    np.testing.assert_allclose(
        gradient(tg.log_softmax, [40.0, 0.0], cotangent=[1.0, 0.0]), [4.2483542552915889e-18] * 2 * np.array([1, -1])
    )


ROWS = {
    (-inf, -inf): (-inf, [0.5, 0.5]),
    (-inf,): (-inf, [1]),
    (inf, 0.0): (inf, [1, 0]),
    (inf, inf, 3.0): (inf, [0.5, 0.5, 0]),
    (inf, -inf): (inf, [1, 0]),
    (0.0, -inf): (0, [1, 0]),
    (nan, 0.0): (nan, [nan, nan]),
    (nan, inf): (nan, [nan, nan]),
    (1e308, -1e308): (1e308, [1, 0]),
}


@pytest.mark.parametrize("row", ROWS)
def test_infinite_rows(row):
    """logsumexp and its derivative have their limits; softmax and log_softmax give SciPy's NaN for inf - inf."""
    total, shares = ROWS[row]
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(tg.logsumexp(np.array(row)), total)
        np.testing.assert_array_equal(gradient(tg.logsumexp, np.array(row)), shares)
        p, logs = tg.softmax(np.array(row)), tg.log_softmax(np.array(row))
        if np.isfinite(max(row)):
            np.testing.assert_array_equal(p, shares)
            np.testing.assert_array_equal(np.exp(logs), shares)
        else:
            assert np.isnan(p).all()
            np.testing.assert_array_equal(logs, [-inf if max(row) == inf and v < inf else nan for v in row])


def test_like_scipy(rng):
    special = pytest.importorskip("scipy.special")
    x = rng.normal(0, 50, (3, 4, 5))
    for axis in (None, 0, -1, (0, 2)):
        for name in ALONG:
            np.testing.assert_allclose(
                getattr(tg, name)(x, axis=axis), getattr(special, name)(x, axis=axis), rtol=1e-12, atol=1e-15
            )
    for row in ROWS:
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(tg.logsumexp(np.array(row)), special.logsumexp(row))
            np.testing.assert_array_equal(tg.softmax(np.array(row)), special.softmax(row))
            np.testing.assert_array_equal(tg.log_softmax(np.array(row)), special.log_softmax(row))


def test_axes_and_shapes(rng):
    x = rng.normal(size=(2, 3, 4))
    assert tg.logsumexp(x).shape == () and type(tg.logsumexp(x)) is np.float64
    assert tg.logsumexp(x, axis=1).shape == (2, 4)
    assert tg.logsumexp(x, axis=(0, 2), keepdims=True).shape == (1, 3, 1)
    assert tg.logsumexp(1.5) == 1.5
    assert tg.logsumexp(np.zeros(0)) == -inf
    assert tg.logsumexp(np.zeros((2, 0)), axis=1).tolist() == [-inf, -inf]
    assert tg.softmax(np.zeros((0, 3))).shape == tg.softmax(np.zeros((3, 0))).shape[::-1] == (0, 3)
    assert gradient(tg.logsumexp, np.zeros(0)).shape == (0,)
    np.testing.assert_allclose(tg.softmax(x, axis=(0, 1)).sum(axis=(0, 1)), 1)
    assert tg.softmax(x.astype(np.float16)).dtype == np.float16


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("axis", [0, 1])
def test_large_families_are_as_small_ones(name, axis, rng):
    x = rng.normal(0, 5, (300, 500))
    function = getattr(tg, name)
    part = x[:, :7].copy() if axis == 0 else x[:7].copy()
    whole, small = function(x, axis=axis), function(part, axis=axis)
    cut = (Ellipsis, slice(7)) if axis == 0 else slice(7)
    np.testing.assert_allclose(whole[cut], small, rtol=1e-14)
    np.testing.assert_allclose(gradient(function, x, axis=axis)[cut], gradient(function, part, axis=axis), atol=1e-14)


# ---------------------------------------------------------------------------------------------- losses


def test_reductions(rng):
    x, y = rng.normal(size=(4, 3)), rng.uniform(size=(4, 3))
    for loss in (tg.mse_loss, tg.binary_cross_entropy_with_logits):
        each = loss(x, y, reduction="none")
        assert each.shape == (4, 3)
        np.testing.assert_allclose(loss(x, y), each.mean())
        np.testing.assert_allclose(loss(x, y, reduction="sum"), each.sum())
        assert loss(x, 1.0).shape == ()
    each = tg.cross_entropy(x, [0, 1, 2, 2], reduction="none")
    assert each.shape == (4,)
    np.testing.assert_allclose(tg.cross_entropy(x, [0, 1, 2, 2]), each.mean())


def test_binary_cross_entropy(rng):
    x, y = rng.normal(0, 3, 20), rng.uniform(size=20)
    by_hand = -y * np.log(tg.sigmoid(x)) - (1 - y) * np.log(tg.sigmoid(-x))
    np.testing.assert_allclose(tg.binary_cross_entropy_with_logits(x, y, "none"), by_hand)
    dx, dy = gradient(tg.binary_cross_entropy_with_logits, x, y, reduction="sum")
    np.testing.assert_allclose(dx, tg.sigmoid(x) - y)
    np.testing.assert_allclose(dy, -x)


def test_binary_cross_entropy_of_the_sure():
    x, y = np.array([40.0, -40.0, 800.0, -800.0]), np.array([1.0, 0.0, 0.0, 1.0])
    e = float(mp.exp(-40))
    np.testing.assert_allclose(tg.binary_cross_entropy_with_logits(x, y, "none"), [e, e, 800, 800], rtol=1e-15)
    found = gradient(lambda x: tg.binary_cross_entropy_with_logits(x, y, "sum"), x)
    np.testing.assert_allclose(found, [-e, e, 1, -1], rtol=1e-15)


def test_cross_entropy(rng):
    x, classes = rng.normal(0, 3, (5, 4)), np.array([0, 3, 1, 1, 2])
    onehot = np.eye(4)[classes]
    by_hand = -np.log(tg.softmax(x))[np.arange(5), classes]
    np.testing.assert_allclose(tg.cross_entropy(x, classes, "none"), by_hand)
    np.testing.assert_allclose(tg.cross_entropy(x, onehot, "none"), by_hand)
    np.testing.assert_allclose(tg.nll_loss(tg.log_softmax(x), classes, "none"), by_hand)
    expected = (tg.softmax(x) - onehot) / 5
    np.testing.assert_allclose(gradient(lambda x: tg.cross_entropy(x, classes), x), expected)
    np.testing.assert_allclose(gradient(lambda x: tg.cross_entropy(x, tg.Tensor(classes)), x), expected)
    np.testing.assert_allclose(gradient(lambda x: tg.cross_entropy(x, onehot), x), expected, atol=1e-16)
    soft = rng.dirichlet(np.ones(4), 5)
    np.testing.assert_allclose(tg.cross_entropy(x, soft), -(soft * np.log(tg.softmax(x))).sum() / 5)
    _, by_target = gradient(tg.cross_entropy, x, soft)
    np.testing.assert_allclose(by_target, -tg.log_softmax(x) / 5)


def test_cross_entropy_shapes(rng):
    assert tg.cross_entropy(rng.normal(size=4), 2).shape == ()
    pictures = rng.normal(size=(2, 4, 3, 5))
    classes = rng.integers(0, 4, (2, 3, 5))
    each = tg.cross_entropy(pictures, classes, "none")
    assert each.shape == (2, 3, 5)
    np.testing.assert_allclose(each[1, 2, 3], tg.cross_entropy(pictures[1, :, 2, 3], classes[1, 2, 3]))


def test_cross_entropy_of_the_sure():
    """The gradient softmax - onehot keeps its digits where the softmax is 1 to the last bit."""
    x = np.array([[40.0, 0.0], [-1000.0, 0.0]])
    e = float(mp.exp(-40))
    np.testing.assert_allclose(tg.cross_entropy(x, [0, 0], "none"), [e, 1000], rtol=1e-15)
    np.testing.assert_allclose(
        gradient(lambda x: tg.cross_entropy(x, [0, 0], "sum"), x), [[-e, e], [-1, 1]], rtol=1e-15
    )
    impossible = np.array([[0.0, -inf]])
    assert tg.cross_entropy(impossible, np.array([[1.0, 0.0]])) == 0  # a class of probability 0 counts for nothing


def test_like_torch(rng):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x = rng.normal(0, 3, (6, 5))
    for name in SMOOTH + CORNERED:
        theirs = getattr(torch.special, name) if name.startswith("erf") else getattr(functional, name)
        np.testing.assert_allclose(getattr(tg, name)(x), theirs(torch.tensor(x)).numpy(), rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------------------------------- the polynomials of erf


def chebyshev(function, n):
    """Coefficients of the interpolation in n Chebyshev points."""
    points = [mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    values = [function(x) for x in points]
    return [2 * mp.fsum(v * mp.cos(j * mp.acos(x)) for v, x in zip(values, points, strict=True)) / n for j in range(n)]


def as_polynomial(coefficients):
    """Coefficients of 1, t, t*t ... of a Chebyshev series."""
    result = [mp.mpf(0)] * len(coefficients)
    before, now = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    for j, c in enumerate(coefficients):
        t = before if j == 0 else now
        for i, v in enumerate(t):
            result[i] += (c / 2 if j == 0 else c) * v
        if j:
            doubled = [mp.mpf(0)] + [2 * v for v in now]
            before, now = now, [a - b for a, b in zip(doubled, before + [mp.mpf(0)] * 2, strict=True)]
    return result


def test_scaled_erfc_is_what_it_says():
    def scaled(t):
        z = erf_module.CENTRE * (1 + t) / (1 - t)
        if z < 1000:
            return (1 + 2 * z) * mp.exp(z * z) * mp.erfc(z)
        terms, term = [mp.mpf(1)], mp.mpf(1)
        for k in range(1, 20):
            term *= -(2 * k - 1) / (2 * z * z)
            terms.append(term)
        return (1 + 2 * z) / (z * mp.sqrt(mp.pi)) * mp.fsum(terms)

    with mp.workdps(60):
        n = len(erf_module.SCALED_ERFC)
        derived = as_polynomial(chebyshev(scaled, 64)[:n])
    np.testing.assert_array_equal(erf_module.SCALED_ERFC, [float(c) for c in derived])


def test_erf_near_0_is_what_it_says():
    def quotient(t):
        s = (1 + t) / 4  # from 0 to 1/2
        return mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1

    with mp.workdps(60):
        n = len(erf_module.ERF_NEAR_0)
        in_t = as_polynomial(chebyshev(quotient, n + 20)[:n])
        derived = [mp.mpf(0)] * n  # t = 4s - 1
        for j, c in enumerate(in_t):
            for i in range(j + 1):
                derived[i] += c * mp.binomial(j, i) * mp.mpf(4) ** i * (-1) ** (j - i)
    np.testing.assert_array_equal(erf_module.ERF_NEAR_0, [float(c) for c in derived])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_warns_of_nothing_at_the_largest_numbers(dtype):
    most = np.finfo(dtype).max
    x = tg.Tensor(np.array([most, -most, 0.0], dtype))
    with np.errstate(over="raise", invalid="raise"):
        tg.tanh(x).sum().backward(create_graph=True)
        first, x.grad = x.grad, None
        first.sum().backward()
    assert first.tolist() == [0, 0, 1] and x.grad.tolist() == [0, 0, 0]
