"""Curves of a function and its derivatives: their values, and where they are broken.  Needs no Matplotlib."""

import math

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.plotting.curves import MOST_JUMPS, POINTS, curves, derivatives


@pytest.fixture(autouse=True)
def quiet():
    """As `tg.plot` does: poles are no accident."""
    with np.errstate(all="ignore"):
        yield


def gaps(line):
    """Where a line is broken: the finite x before and after each gap."""
    x, y = line
    missing = np.isnan(y)
    edges = np.flatnonzero(missing[1:] != missing[:-1])
    return [(x[a], x[b + 1]) for a, b in zip(edges[::2], edges[1::2], strict=False)]


def continuous(line):
    return bool(np.isfinite(line[1]).all())


def test_values_are_the_engine_s():
    found = curves(tg.softplus, -6, 6, order=3)
    x = np.linspace(-6, 6, POINTS)
    second = tg.elementwise_grad(tg.sigmoid)
    for (at, y), f in zip(found.lines, (tg.softplus, tg.sigmoid, second, tg.elementwise_grad(second)), strict=True):
        np.testing.assert_array_equal(at, x)
        np.testing.assert_allclose(y, f(x), rtol=1e-14, atol=1e-17)
    assert not found.endless


@pytest.mark.parametrize("order", [0, 1, 5])
def test_orders(order):
    lines = curves(lambda x: x**5, -1, 2, order, points=7).lines
    assert len(lines) == order + 1
    for k, (x, y) in enumerate(lines):
        np.testing.assert_allclose(y, math.perm(5, k) * x ** (5 - k), rtol=1e-13)


@pytest.mark.parametrize("hi", [1.0, 1.3])  # the corner on a sample, and between two
def test_a_corner_breaks_the_derivative_and_not_the_function(hi):
    value, first, second = curves(tg.relu, -1, hi, order=2).lines
    assert continuous(value) and continuous(second)
    ((before, after),) = gaps(first)
    assert before <= 0 <= after and after - before < 1e-15
    x, y = first
    np.testing.assert_array_equal(y[np.isfinite(y)], (x > 0)[np.isfinite(y)])


def test_the_value_at_the_corner_itself_stays():
    x, y = curves(abs, -1, 1, order=1).lines[1]
    assert set(y[x == 0]) - {np.nan} >= {0.0}
    assert len(gaps((x, y))) == 2


@pytest.mark.parametrize("at", [0.0, 0.3, 1e-3, -0.77])
def test_steps(at):
    value, first = curves(lambda x: np.where(x < at, x, x + 5), -1, 1, order=1).lines
    ((before, after),) = gaps(value)
    assert before <= at <= after and after - before < 1e-15
    assert continuous(first)
    y = value[1]
    i = int(np.flatnonzero(np.isnan(y))[0])
    np.testing.assert_allclose([y[i - 1], y[i + 1]], [at, at + 5], atol=1e-15)


def test_functions_that_decide_by_the_value():
    (at, y), (_, slope) = curves(lambda x: x * x if x < 0 else -x, -1, 1, order=1, points=21).lines
    np.testing.assert_allclose(y, np.where(at < 0, at * at, -at))
    assert slope[-1] == -1


@pytest.mark.parametrize("pole", [0.0, 0.1234])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_poles(pole, power):
    """No line from minus infinity to infinity, whether a sample meets the pole or not."""
    found = curves(lambda x: 1 / (x - pole) ** power, -1, 1, order=2)
    assert found.endless
    for k, (_, y) in enumerate(found.lines):
        if (power + k) % 2:  # the sign changes there
            finite = np.isfinite(y)
            change = np.flatnonzero(finite[1:] & finite[:-1] & (np.sign(y[1:]) != np.sign(y[:-1])))
            assert change.size == 0


def test_poles_of_tan():
    x, y = curves(np.tan, -5, 5, order=1).lines[0]
    middles = [(a + b) / 2 for a, b in gaps((x, y))]
    np.testing.assert_allclose(middles, np.pi / 2 * np.array([-3, -1, 1, 3]), atol=1e-12)


@pytest.mark.parametrize(("f", "start"), [(np.log, 0.0), (np.sqrt, 0.0), (lambda x: np.sqrt(x - 0.3), 0.3)])
def test_a_function_is_drawn_from_where_it_begins(f, start):
    """And its derivatives too: log has none at -1, though 1/x is -1 there."""
    found = curves(f, -1, 2, order=2)
    assert found.endless
    for x, y in found.lines:
        inside = x[np.isfinite(y)]
        assert 0 <= inside.min() - start < 1e-15
        assert not np.isfinite(y[x < start]).any()


def test_steep_but_smooth_is_no_jump():
    for line in curves(lambda x: np.tanh(3000 * (x - 0.00123)), -1, 1, order=1).lines:
        assert continuous(line)
    for line in curves(np.cbrt, -1, 1, order=0).lines:
        assert continuous(line)


def test_many_jumps_are_drawn_as_sampled():
    calls = []

    def f(x):
        calls.append(1)
        return np.floor(200 * x)

    curves(f, 0, 1, order=0)
    assert len(calls) <= POINTS + 1 and MOST_JUMPS < 200


def test_constants_and_steps_in_plain_numbers():
    assert np.all(curves(lambda _: 3.0, 0, 1, 2, points=5).lines[1][1] == 0)
    value, slope = curves(lambda x: 1.0 if x > 0.5 else 0.0, 0, 1, order=1).lines
    assert len(gaps(value)) == 1 and np.all(slope[1][np.isfinite(slope[1])] == 0)


def test_plain_numbers_that_change_are_refused():
    """Their derivative would be drawn as 0."""
    with pytest.raises(TypeError, match=r"plot: f gives plain numbers.*np\.exp\(x\), not math\.exp\(x\)"):
        curves(lambda x: math.exp(x), 0, 1, order=1)


def test_what_is_no_function_of_one_number_is_refused():
    with pytest.raises(ValueError, match=r"plot: f gives shape \(3,\) for one number"):
        curves(lambda x: x * np.arange(3), 0, 1, order=1)
    with pytest.raises(TypeError, match="plot: f gives dtype complex128"):
        curves(lambda x: x * 1j, 0, 1, order=1)
    with pytest.raises(ValueError) as caught:
        curves(tg.softmax, 0, 1, order=1)
    assert "plot: f was called with one number, Tensor(0)" in caught.value.__notes__[0]


def test_derivatives_where_nothing_is_recorded():
    assert derivatives(np.floor, 1.5, 2) == [1.0, 0.0, 0.0]
    assert derivatives(lambda x: 2 * x, 1.5, 2) == [3.0, 2.0, 0.0]
    assert derivatives(lambda x: np.reshape(x, (1, 1)), 1.5, 1) == [1.5, 1.0]
