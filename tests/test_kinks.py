"""Where functions are not smooth: the conventions, and that nothing leaks from what was not taken."""

import numpy as np
import pytest

import tinygrad_sp as tg


def gradients(function, *values, cotangent=None, order=1):
    """Return the gradients of the sum of a function, or of the sum of its gradients."""
    xs = [tg.Tensor(v) for v in values]
    total = function(*xs)
    total = total.sum() if cotangent is None else (total * cotangent).sum()
    for _ in range(order - 1):
        total.backward(create_graph=True)
        grads = [x.grad for x in xs]
        for x in xs:
            x.zero_grad()
        total = sum(g.sum() for g in grads)
    if total.requires_grad:
        total.backward()
    found = [np.zeros(np.shape(x)) if x.grad is None else x.grad.numpy() for x in xs]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("function", "values", "wanted"),
    [
        (np.abs, ([0.0, -0.0, -2.0],), [0, 0, -1]),
        (np.maximum, ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), [[0.5, 0, 1], [0.5, 1, 0]]),
        (np.minimum, ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), [[0.5, 1, 0], [0.5, 0, 1]]),
        (np.maximum, ([np.nan, 1.0, np.nan], [1.0, np.nan, np.nan]), [[1, 0, 0.5], [0, 1, 0.5]]),
        (np.fmax, ([np.nan, 1.0], [1.0, np.nan]), [[0, 1], [1, 0]]),
        (np.max, ([1.0, 3.0, 3.0],), [0, 0.5, 0.5]),
        (np.min, ([1.0, 1.0, 3.0],), [0.5, 0.5, 0]),
        (np.max, ([1.0, np.nan, 3.0],), [0, 1, 0]),
        (np.hypot, ([0.0, 3.0], [0.0, 4.0]), [[0, 0.6], [0, 0.8]]),
        (np.std, ([2.0, 2.0, 2.0],), [0, 0, 0]),
        (np.prod, ([0.0, 2.0, 3.0],), [6, 0, 0]),
        (np.prod, ([0.0, 0.0, 3.0],), [0, 0, 0]),
        (np.cumprod, ([0.0, 2.0, 3.0],), [9, 0, 0]),
        (lambda x: np.clip(x, -1, 1), ([-2.0, -1.0, 0.0, 1.0, 2.0],), [0, 1, 1, 1, 0]),
        (lambda x: x**0, ([0.0, 2.0],), [0, 0]),
        (lambda x: x**1, ([0.0, 2.0],), [1, 1]),
        (lambda x: x**2, ([0.0, 2.0],), [0, 4]),
        (lambda x, y: x**y, ([0.0, 2.0], [2.0, 1.0]), [[0, 1], [0, 2 * np.log(2)]]),
        (lambda y: 0.0**y, ([0.0, 2.0],), [0, 0]),
        (lambda x: np.heaviside(x, 0.5), ([-1.0, 0.0, 1.0],), [0, 0, 0]),
        (lambda h: np.heaviside([-1.0, 0.0, 1.0], h), (0.5,), 1),
        (lambda x: np.sort(x), ([2.0, 1.0, 2.0],), [1, 1, 1]),
        (np.fmod, ([1.0, -1.0, -7.0], [0.1, 0.1, -2.0]), [[1, 1, 1], [-9, 9, -3]]),  # 1.0 / 0.1 is rounded to 10
        (np.remainder, ([1.0, -1.0, -7.0], [0.1, 0.1, -2.0]), [[1, 1, 1], [-9, 10, -3]]),
    ],
)
def test_first_derivative_at_kinks(function, values, wanted):
    np.testing.assert_allclose(gradients(function, *values), wanted, rtol=1e-15)


@pytest.mark.parametrize(
    ("function", "values", "wanted"),
    [
        (lambda x: x**2, [0.0, 1.0], [2, 2]),
        (lambda x: x**1, [0.0, 1.0], [0, 0]),
        (lambda x: x**3, [0.0, 1.0], [0, 6]),
        (lambda x: np.abs(x), [0.0, 1.0], [0, 0]),
        (lambda x: np.maximum(x, 0.0) ** 2, [-1.0, 1.0], [0, 2]),
        (np.prod, [0.0, 0.0, 3.0], [3, 3, 0]),
        (lambda x: np.cumprod(x)[-1], [0.0, 0.0, 3.0], [3, 3, 0]),
    ],
)
def test_second_derivative_at_kinks(function, values, wanted):
    np.testing.assert_allclose(gradients(function, values, order=2), wanted, rtol=1e-15)


@pytest.mark.parametrize("twice", [tg.hessian, lambda f: tg.jacfwd(tg.jacfwd(f)), lambda f: tg.jacrev(tg.jacfwd(f))])
@pytest.mark.parametrize("f", [np.std, lambda x: np.std(x, where=x == x), lambda x: np.linalg.norm(x - x[0])])
def test_what_has_a_tip_is_flat_there_to_second_order_too(f, twice):
    np.testing.assert_array_equal(twice(f)(np.full(3, 2.0)), np.zeros((3, 3)))


def test_prod_with_zeros_to_second_order_is_the_sum_of_products_of_the_others():
    """Each entry of the Hessian of a product is the product of the other factors."""
    x = np.array([0.0, 2.0, 0.0, 5.0])
    hessian = np.array([[np.prod(np.delete(x, [i, j])) if i != j else 0 for j in range(4)] for i in range(4)])
    np.testing.assert_array_equal(gradients(np.prod, x, order=2), hessian.sum(1))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    ("function", "inside", "wanted"),
    [
        (np.sqrt, 4.0, [0.25, -1 / 32, 3 / 256]),
        (np.log, 2.0, [1 / 2, -1 / 4, 1 / 4]),
        (lambda x: 1 / x, 2.0, [-1 / 4, 1 / 4, -3 / 8]),
        (lambda x: np.exp(-1 / x) * 0 + x**2, 2.0, [4.0, 2.0, 0.0]),
        (lambda x: np.sqrt(x * x + 0.0), 2.0, [1.0, 0.0, 0.0]),
        (lambda x: x**1.5, 4.0, [3.0, 3 / 8, -3 / 64]),
    ],
)
def test_where_does_not_leak(function, inside, wanted, order):
    """The branch not taken is computed at 0, where its derivatives are infinite or NaN."""
    with np.errstate(all="ignore"):
        found = gradients(lambda x: np.where(x > 0, function(x), x * 0), [0.0, inside], order=order)
    np.testing.assert_allclose(found, [0, wanted[order - 1]], rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("reduce", [np.prod, np.sum, np.std, np.var, np.mean, np.max, lambda x: x @ x, lambda x: x[0]])
def test_where_does_not_leak_through_what_mixes_elements(reduce):
    with np.errstate(all="ignore"):
        found = gradients(lambda x: np.where(False, reduce(x / 0), 0.0), [0.0, 1.0])
    np.testing.assert_array_equal(found, [0, 0])


def test_backward_of_a_where_gives_no_warning():
    x = tg.Tensor([0.0, 4.0])
    np.where(x > 0, np.sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_setitem_does_not_leak():
    x = tg.Tensor([0.0, 4.0])
    y = np.sqrt(x)
    y[0] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_equal_elements_share_in_unique():  # the op `Distinct`
    x = tg.Tensor([2.0, 1.0, 2.0, 2.0])
    values = np.unique(x)
    values.backward([1.0, 3.0])
    assert values.tolist() == [1, 2] and x.grad.tolist() == [1, 1, 1, 1]


def test_nan_and_infinity_stay_what_they_are():
    x = tg.Tensor([np.nan, np.inf, 1.0])
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert np.isnan(gradients(np.square, np.nan))
    assert gradients(np.arctan, [np.inf, 1e200]).tolist() == [0, 0]
    assert gradients(np.arcsinh, [1e300])[0] == 1e-300
    assert gradients(np.hypot, [1e300], [1e300])[0] == pytest.approx(0.5**0.5)


@pytest.mark.parametrize(
    ("function", "values", "wanted"),
    [
        (np.hypot, ([np.inf, 1.0, -np.inf], [1.0, np.inf, 0.0]), [[1, 0, -1], [0, 1, 0]]),
        (np.arctan2, ([1.0, 1.0, np.inf, np.inf], [np.inf, -np.inf, 1.0, np.inf]), [[0] * 4, [0] * 4]),
        (np.power, ([np.inf, -np.inf, np.inf], [-1.0, -2.0, 1.0]), [[0, 0, 1], [0, 0, np.inf]]),
        (np.divide, ([0.0, 1e-320, 1.0], [1e-310, 1e-310, np.inf]), [[np.inf, np.inf, 0], [0, -1e300, 0]]),
    ],
)
@np.errstate(all="ignore")
def test_infinite_and_subnormal_arguments(function, values, wanted):
    """The limit, where there is one; each alone, and in an array with ordinary numbers."""
    np.testing.assert_allclose(gradients(function, *values), wanted, rtol=1e-4)
    for i, numbers in enumerate(zip(*values, strict=True)):
        np.testing.assert_allclose(gradients(function, *numbers), [w[i] for w in wanted], rtol=1e-4)


def second(function, *values):
    """Return the second derivatives with respect to the last variable and, first, the first one."""
    xs = [tg.Tensor(v) for v in values]
    function(*xs).sum().backward(create_graph=True)
    first = xs[0].grad
    for x in xs:
        x.zero_grad()
    first.sum().backward()
    return xs[-1].grad.numpy()


def test_the_mixed_derivative_of_a_power_at_exponent_zero():
    """d/dy (y * x**(y - 1)) = 1 / x at y = 0."""
    np.testing.assert_allclose(second(np.power, [2.0, 0.5, 4.0], [0.0, 0.0, 0.0]), [0.5, 2.0, 0.25], rtol=1e-15)


def test_anything_to_the_power_zero_is_constant():
    for zero in (0.0, np.zeros(5)):
        found = gradients(lambda x, zero=zero: x**zero, [0.0, np.inf, -np.inf, np.nan, -2.0])
        np.testing.assert_array_equal(found, np.zeros(5))


@pytest.mark.parametrize("x", [1e-200, 1e-12, 1e-3, -1e-9])
def test_second_derivatives_of_inverse_functions_keep_their_digits_near_zero(x):
    slope = x / (1 - x * x) ** 1.5
    np.testing.assert_allclose(second(np.arcsin, x), slope, rtol=1e-15)
    np.testing.assert_allclose(second(np.arccos, x), -slope, rtol=1e-15)
    np.testing.assert_allclose(second(np.arctanh, x), 2 * x / (1 - x * x) ** 2, rtol=1e-15)


def test_second_derivatives_of_inverse_functions_at_the_ends():
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(second(np.arcsin, [1.0, -1.0]), [np.inf, -np.inf])
        np.testing.assert_array_equal(second(np.arccosh, [1.0]), [-np.inf])
        np.testing.assert_array_equal(second(np.arctan, [np.inf, -np.inf]), [0, 0])


@pytest.mark.parametrize(("x", "y"), [(1.0, 1e-8), (1e-8, 1.0), (2.0, 1e8), (3.0, 4.0), (0.0, 0.0)])
def test_second_derivatives_of_hypot_keep_their_digits(x, y):
    """d2/dx2 = y**2 / hypot**3 and not 1 / hypot - x**2 / hypot**3, which cancels; 0 at the origin by convention."""
    cube = np.hypot(x, y) ** 3 or 1.0
    np.testing.assert_allclose(second(lambda x: np.hypot(x, y), x), y * y / cube, rtol=1e-15)
    np.testing.assert_allclose(second(np.hypot, x, y), -x * y / cube, rtol=1e-15)
