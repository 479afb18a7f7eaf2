"""Errors that hide from a checker: in calls that it makes for other reasons, in symmetric points, behind other ops."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.testing import gradcheck
from tinygrad_sp.testing.endless import may_not_end
from tinygrad_sp.testing.probe import _failed as failed
from tinygrad_sp.testing.report import Report

Y = np.array([0.7, -1.3, 2.1, 0.4])


def sine_except(wrong: Callable[[int], bool]) -> Callable[[Any, Any], Any]:
    """A right rule, except in the calls that are said."""
    calls = [0]

    def vjp(g: Any, x: Any) -> Any:
        calls[0] += 1
        return g * np.cos(x) * (1.01 if wrong(calls[0]) else 1)

    return vjp


@pytest.mark.parametrize("period", range(2, 9))
def test_wrong_at_every_nth_call(period: int) -> None:
    for phase in range(period):
        report = gradcheck(np.sin, Y, vjp=sine_except(lambda n, phase=phase: n % period == phase))
        assert report.verdict == "fail", f"{period}, {phase}: {report}"


def test_wrong_at_the_first_call_only() -> None:
    assert gradcheck(np.sin, Y, vjp=sine_except(lambda n: n == 1)).verdict == "fail"


def test_remembers_an_answer_by_shape() -> None:
    known: dict[Any, Any] = {}
    report = gradcheck(np.sin, Y, vjp=lambda g, x: g * known.setdefault(x.shape, np.cos(x)))
    assert report.verdict == "fail"
    report = gradcheck(lambda x: 3 * x, Y, vjp=lambda g, x: g * known.setdefault(("linear", x.shape), 3.0))
    assert report.verdict == "pass"  # nothing wrong with that


def test_a_cotangent_rounded_to_half_precision() -> None:
    assert gradcheck(np.sin, Y, vjp=lambda g, x: g.astype(np.float16) * np.cos(x)).verdict == "fail"
    report = gradcheck(lambda x: tg.exp(x.astype(np.float32)).astype(np.float64), Y)
    assert report.verdict == "pass", report  # what the function rounds, its cotangents are rounded to


def test_a_transpose_missing_at_a_matrix_of_ones() -> None:
    ones = np.ones((3, 3))
    assert gradcheck(np.matmul, ones, ones, vjp=lambda g, a, b: (g @ b, a @ g)).verdict == "fail"
    assert gradcheck(np.matmul, ones, ones, vjp=lambda g, a, b: (g @ b.T, a.T @ g)).verdict == "pass"


def test_a_fractal_at_points_not_given() -> None:
    def f(x: Any) -> Any:
        return sum(0.5**k * np.cos(3**k * x) for k in range(12))

    def vjp(g: Any, x: Any) -> Any:
        return -g * sum(1.5**k * np.sin(3**k * x) for k in range(12))

    assert gradcheck(f, np.array([0.3, 1.1]), vjp=vjp).verdict == "pass"
    assert gradcheck(f, np.array([0.3, 1.1]), vjp=lambda g, x: vjp(g, x) * (1 + 1e-6)).verdict == "fail"


def test_zero_by_rounding_in_the_rule_is_not_called_wrong() -> None:
    """For the label one, sigmoid(100) - 1 is 0; the derivative is -4e-44.  Softplus at -20 has no such excuse."""

    def f(z: Any) -> Any:
        return np.maximum(z, 0) - z + np.log1p(np.exp(-np.abs(z)))

    def vjp(g: Any, z: Any) -> Any:
        return g * (1 / (1 + np.exp(-z)) - 1)

    assert gradcheck(f, np.array([100.0, 0.1]), vjp=vjp).verdict == "inconclusive"
    late = gradcheck(
        lambda x: np.logaddexp(x, 0), np.array([-40.0, 1.0]), vjp=lambda g, x: g * (x > -15) / (1 + np.exp(-x))
    )
    assert late.verdict == "fail"


@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (np.arccos, lambda x: -1 / np.sqrt((1 - x) * (1 + x)), 1 - 1e-12),
        (np.arctanh, lambda x: 1 / ((1 - x) * (1 + x)), 1 - 1e-12),
        (np.arccosh, lambda x: 1 / np.sqrt((x - 1) * (x + 1)), 1 + 1e-12),
        (lambda x: np.maximum(x - 0.3, 0), lambda x: x > 0.3, 0.3 + 1e-10),
        (lambda x: np.maximum(x - 0.3, 0), lambda x: x > 0.3, 0.3 - 1e-12),
        (lambda x: x - np.sin(x), lambda x: 2 * np.sin(x / 2) ** 2, 0.0),
    ],
)
def test_nearer_to_an_edge_than_the_usual_steps(f: Any, slope: Any, x: float) -> None:
    at = np.array([x, 0.5 if f is not np.arccosh else 3.0])
    assert gradcheck(f, at, vjp=lambda g, x: g * slope(x)).verdict == "pass"
    assert gradcheck(f, at, vjp=lambda g, x: g * slope(x) * 1.01 + 1e-3 * g).verdict == "fail"


def test_a_jvp_alone() -> None:
    def right(p: Any, t: Any) -> Any:
        return np.cos(p[0]) * t[0]

    def wrong(p: Any, t: Any) -> Any:
        return np.cos(p[0]) * t[0] * 1.001

    assert gradcheck(np.sin, Y, jvp=right, modes=("jvp",)).verdict == "pass"
    report = gradcheck(np.sin, Y, jvp=wrong, modes=("jvp",))
    assert report.verdict == "fail" and "rule gives" in report.reason


class Threshold(tg.Op):
    """Wrong beyond 8."""

    def forward(x):
        return np.tanh(x)

    def backward(grad, _out, x):
        return grad * np.where(np.abs(x) > 8, 0.1, 1 - np.tanh(x) ** 2)


def test_a_threshold_within_a_function() -> None:
    report = gradcheck(lambda x: Threshold.apply(np.full((3, 4), 0.1) @ x).sum(), Y)
    assert report.verdict == "fail" and [c.op for c in report.culprits] == ["Threshold"]
    assert gradcheck(lambda x: Threshold.apply(np.full((3, 4), 0.1) @ x).sum(), Y, domain=None).verdict == "pass"


def test_swapped_elements_are_seen_whatever_is_drawn() -> None:
    """A transposed cotangent shows only if the two elements' cotangents differ."""
    mask = np.array([[True, True], [True, False]])
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for seed in range(30):
        report = gradcheck(lambda x: x * mask, x, vjp=lambda g, _: (g * mask).T, domain=None, seed=seed)
        assert report.verdict == "fail", seed


def test_a_half_precision_inside_is_not_decided_and_its_sign_is() -> None:
    def f(x: Any) -> Any:
        return np.sin(x.astype(np.float16)).astype(np.float64)

    assert gradcheck(f, Y, vjp=lambda g, x: g * np.cos(x)).verdict == "inconclusive"
    assert gradcheck(f, Y, vjp=lambda g, x: -g * np.cos(x)).verdict == "fail"
    assert gradcheck(f, Y, vjp=lambda g, x: g * np.cos(x) * 2).verdict == "fail"


def test_a_grid_of_few_steps_has_no_slope() -> None:
    def f(x: Any) -> Any:
        return np.round(x * 8) / 8

    assert gradcheck(f, Y + 0.01, vjp=lambda g, _x: g).verdict == "fail"
    assert gradcheck(f, Y + 0.01, vjp=lambda g, _x: 0 * g).verdict == "pass"


def test_terms_that_cancel_are_linear_up_to_their_rounding() -> None:
    report = gradcheck(lambda x: np.arctan2(x, x * 1e-8), Y)
    assert report.verdict == "pass", report


def test_the_rounding_of_an_ill_conditioned_jvp() -> None:
    a = np.random.default_rng(99).normal(size=(3, 2))
    report = gradcheck(lambda a: np.linalg.inv(a @ a.T + 1e-6 * np.eye(3)), a, order=2, modes=("vjp", "jvp"))
    assert report.verdict == "pass", report


def test_a_domain_is_looked_at_in_its_corners() -> None:
    """A sum is beyond 15 only where most of its elements are large."""
    for seed in range(10):
        report = gradcheck(
            lambda x: np.sum(x) ** 2,
            Y / 3,
            vjp=lambda g, x: g * 2 * np.sum(x) * (np.sum(x) < 15) * np.ones_like(x),
            domain=(-10, 10),
            seed=seed,
        )
        assert report.verdict == "fail", seed


@pytest.mark.parametrize("slope", [lambda x: x > 0, lambda x: (x > 0) & (x < 6)])
def test_wrong_in_the_last_place_wherever_that_is_flat_here(slope: Any) -> None:
    """The rule of relu, or relu6, is 1 % off in the last element, which is below zero here."""
    x = np.array([1.0, 2.0, -1.0])

    def f(x: Any) -> Any:
        return np.maximum(x, 0) if slope(7.0) else np.clip(x, 0, 6)

    def vjp(g: Any, x: Any) -> Any:
        return g * slope(x) * np.where(np.arange(x.size) == x.size - 1, 1.01, 1).reshape(x.shape)

    for seed in range(12):
        assert gradcheck(f, x, vjp=vjp, seed=seed).verdict == "fail", seed
        assert gradcheck(f, x.reshape(1, 3), vjp=vjp, seed=seed).verdict == "fail", seed
    weighted = gradcheck(
        lambda x: f(x) * np.arange(x.size), x, vjp=lambda g, x: g * slope(x) * np.arange(x.size)
    )  # what does depend on the place
    assert weighted.verdict == "pass"


def test_a_rule_that_cancels_where_nobody_looked() -> None:
    """1 + erf(-5) has four digits, and so has gelu's slope at -7 (which is 1e-11)."""
    erf = np.vectorize(math.erf, otypes=[float])

    def slope(x: Any) -> Any:
        return 0.5 * (1 + erf(x / np.sqrt(2))) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)

    for seed in range(12):
        report = gradcheck(lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))), Y, vjp=lambda g, x: g * slope(x), seed=seed)
        assert report.verdict == "pass", report


def test_one_output_that_reads_a_second_element() -> None:
    def f(x: Any) -> Any:
        y = np.array(x)
        y[3] += 2 * y[70]
        return y

    def rule(g: Any, _x: Any) -> Any:
        found = np.array(g)
        found[70] += 2 * g[3]
        return found

    x = np.linspace(0.5, 3, 100)
    for seed in range(6):  # of many elements no pair may be left to chance
        assert gradcheck(f, x, vjp=lambda g, _x: np.array(g), seed=seed).verdict == "fail"
        report = gradcheck(f, x, vjp=rule, seed=seed)
        assert report.verdict == "pass", report


@pytest.mark.parametrize("seed", range(4))
def test_kinks_many_and_near(seed: int) -> None:
    """Sorting: at every step but the smallest some elements have changed places."""
    n = 10_000
    x, weights = np.random.default_rng(seed).normal(size=n), np.linspace(-1, 1, n)

    def ranks(x: Any) -> Any:
        return np.argsort(np.argsort(x))

    report = gradcheck(np.sort, x, vjp=lambda g, x: g[ranks(x)])
    assert report.verdict == "pass", report
    report = gradcheck(lambda x: np.sum(np.sort(x) * weights), x, vjp=lambda g, x: g * weights[ranks(x)])
    assert report.verdict == "pass", report
    assert gradcheck(np.sort, x, vjp=lambda g, x: g[ranks(x)] * (1 - (np.arange(n) == n // 3))).verdict == "fail"


def test_wrong_beyond_a_threshold_among_inputs_of_other_shapes() -> None:
    """Points that were not given are tried also where nothing else would fit another length."""

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def cut(x: Any) -> Any:
        return np.where(x < -15, 0, sigmoid(x))

    def masked(x: Any, m: Any) -> Any:
        return np.where(m, np.logaddexp(x, 0), x)

    weights, labels, mask = np.array([1.0, -2, 0.5, 3]), np.array([0, 1, 1, 0]), Y > 0
    cases: list[tuple[Any, Any, tuple[Any, ...]]] = [
        (lambda x: np.logaddexp(x, 0) * weights, lambda s: lambda g, x: g * s(x) * weights, (Y,)),
        (lambda x: np.logaddexp(x, 0) @ weights, lambda s: lambda g, x: g * s(x) * weights, (Y,)),
        (lambda x, t: np.logaddexp(x, 0) - t * x, lambda s: lambda g, x, t: g * (s(x) - t), (Y, labels)),
        (
            lambda x, m: np.where(m, np.logaddexp(x, 0), x),
            lambda s: lambda g, x, m: g * np.where(m, s(x), 1),
            (Y, mask),
        ),
        (lambda x: np.logaddexp(x, 0).sum(axis=1), lambda s: lambda g, x: g[:, None] * s(x), (Y.reshape(2, 2),)),
        (
            lambda x, b: np.logaddexp(x, 0) + b,
            lambda s: lambda g, x, b: (g * s(x), g.sum() + 0 * b),
            (Y, np.array(0.3)),
        ),
    ]
    for seed in range(3):
        for i, (f, rule, inputs) in enumerate(cases):
            report = gradcheck(f, *inputs, vjp=rule(sigmoid), seed=seed)
            assert report.verdict == "pass", f"{i}: {report}"
            assert gradcheck(f, *inputs, vjp=rule(cut), seed=seed).verdict == "fail", i


def test_a_rule_that_is_meant_for_one_length() -> None:
    x = np.array([3.0, 1, 2, 5, 4])

    def middle(x: Any) -> Any:
        return np.arange(x.size) == np.argsort(x)[x.size // 2]

    for seed in range(3):
        report = gradcheck(np.median, x, vjp=lambda g, x: g * middle(x), seed=seed)
        assert report.verdict == "pass", report
        report = gradcheck(np.mean, x, vjp=lambda g, x: g * np.ones_like(x) / 5, seed=seed)
        assert report.verdict == "pass", report


def test_the_culprit_of_an_error_at_points_not_given_is_named() -> None:
    class Softplus(tg.Op):
        def forward(x):
            return np.logaddexp(x, 0)

        def backward(grad, _out, x):
            return grad * np.where(x > 20, 0.999, tg.sigmoid(x))

    report = gradcheck(lambda x: np.sum(Softplus.apply(x)), Y)
    assert report.verdict == "fail" and [c.op for c in report.culprits] == ["Softplus"], report


def test_a_cotangent_of_zero() -> None:
    report = gradcheck(np.sin, Y, vjp=lambda g, x: g * g / g * np.cos(x))
    assert report.verdict == "fail" and "nan" in report.reason
    assert gradcheck(np.sqrt, np.array([0.0, 1.0]), vjp=lambda g, x: g / (2 * np.sqrt(x))).verdict == "pass"


def test_conduct_of_a_jvp() -> None:
    def check(jvp: Any, dtype: Any = np.float64) -> Any:
        return gradcheck(lambda x: x * x, Y.astype(dtype), jvp=jvp, modes=("jvp",))

    assert check(lambda p, t: 2 * p[0] * t[0]).verdict == "pass"
    report = check(lambda p, t: 2 * t[0] * np.multiply(p[0], 1, out=p[0]) + np.subtract(p[0], 1, out=p[0]) * 0)
    assert report.verdict == "fail" and "wrote into its input x" in report.reason
    report = check(lambda p, t: np.multiply(t[0], 2 * p[0], out=t[0]))
    assert report.verdict == "fail" and "wrote into its tangent of x" in report.reason
    report = check(lambda p, t: (2 * p[0] * t[0]).astype(np.float64), np.float32)
    assert report.verdict == "fail" and "dtype" in report.reason


def test_a_rule_as_badly_conditioned_as_its_function() -> None:
    """What LAPACK loses of a solution it loses whatever b is, but not alike for every multiple of the cotangent."""
    a = np.vander(np.arange(1.0, 7))
    for seed in range(3):
        b = np.random.default_rng(seed).normal(size=6)
        report = gradcheck(lambda b: np.linalg.solve(a, b), b, vjp=lambda g, _b: np.linalg.solve(a.T, g), seed=seed)
        assert report.verdict == "pass", report


@pytest.mark.parametrize(("slope", "verdict"), [(0, "pass"), (0.5, "pass"), (1, "pass"), (2, "fail"), (-1, "fail")])
def test_the_same_wrong_slope_at_many_kinks(slope: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(5000) < 0.5, 0, rng.normal(size=5000))
    report = gradcheck(lambda x: np.sum(np.maximum(x, 0)), x, vjp=lambda g, x: g * np.where(x, x > 0, slope))
    assert report.verdict == verdict, report


def test_a_rule_that_may_not_be_differentiated() -> None:
    class Square(tg.Op):
        def forward(x):
            return x * x

        def backward(grad, _out, x):
            return grad * 2 * (x.detach() if isinstance(x, tg.Tensor) else x)

    report = gradcheck(lambda x: np.sum(Square.apply(x)), Y, order=2)
    assert report.verdict == "fail" and "stop_gradient" in report.reason
    assert [c.op for c in report.culprits] == ["Square"]
    str(report), report.to_dict(), report._repr_html_()


def test_the_order_that_is_wrong_is_said() -> None:
    class Twelve(tg.Op):  # x**4, differentiated step by step; the last step is wrong
        def forward(x):
            return 12 * x**2

        def backward(grad, _out, x):
            return grad * 23 * x

    class Four(tg.Op):
        def forward(x):
            return 4 * x**3

        def backward(grad, _out, x):
            return grad * Twelve.apply(x)

    class Quartic(tg.Op):
        def forward(x):
            return x**4

        def backward(grad, _out, x):
            return grad * Four.apply(x)

    report = gradcheck(lambda x: Quartic.apply(x), Y, order=3)
    assert report.verdict == "fail" and report.reason.startswith("order 3: 4 of "), report.reason
    assert [r.verdict for r in report.orders.values()] == ["pass", "fail"]
    assert "order 2:\n  PASS: all " in str(report)


def test_a_knee_in_the_wrong_place() -> None:
    """Hard swish has its knees at -3 and 3; the points are farther in."""

    def rule(g: Any, x: Any, knee: float) -> Any:
        return g * np.where(x < -3, 0, np.where(x < knee, (2 * x + 3) / 6, 1))

    for seed in range(8):
        for knee, verdict in ((3, "pass"), (2.5, "fail")):
            report = gradcheck(
                lambda x: x * np.clip(x + 3, 0, 6) / 6,
                Y,
                vjp=lambda g, x, knee=knee: rule(g, x, knee),
                seed=seed,
            )
            assert report.verdict == verdict, report


def _math_softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_rule_for_python_numbers_that_is_wrong_where_nobody_looked(seed: int) -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x)) if x > -700 else 0.0

    assert gradcheck(_math_softplus, 0.7, grad=sigmoid, seed=seed).verdict == "pass"
    assert gradcheck(_math_softplus, 0.7, grad=lambda x: sigmoid(x) if x > -10 else 0.0, seed=seed).verdict == "fail"

    class Branch(tg.Op):
        @staticmethod
        def forward(x):
            return x * x if x > 0 else -3 * x

        @staticmethod
        def backward(grad, _out, x):
            return grad * 2 * x if x > 0 else grad * 3

    assert gradcheck(Branch.apply, 1.3, seed=seed).verdict == "fail"


def test_a_loop_that_may_not_end_is_not_tried_where_nobody_asked() -> None:
    def root(x: float) -> float:
        assert x > 0  # elsewhere it would not end
        y = x
        while abs(y * y - x) > 1e-12 * x:
            y = (y + x / y) / 2
        return y

    def outer(x: float) -> float:
        return 2 * root(x)

    class Solver:
        def step(self, x: float) -> float:
            return self.step(x - 1) if x > 1 else x

        def __call__(self, x: float) -> float:
            return self.step(x)

    def loop(x: float) -> float:
        return sum(x**k for k in range(4) if k != 2)

    assert all(map(may_not_end, (root, outer, lambda x: outer(x), functools.partial(outer), Solver(), Solver().step)))
    assert not any(map(may_not_end, (loop, _math_softplus, math.sin, np.sin, tg.softplus, lambda x: math.sin(loop(x)))))
    assert gradcheck(outer, 2.0, vjp=lambda g, x: g / math.sqrt(x)).probed <= 1


@pytest.mark.parametrize("bound", [-1.0, 0.0, 1.0])
def test_wrong_by_one_input_where_another_is_below(bound: float) -> None:
    """Of one input more than half of the other points are open at a glance, of the other few are."""

    def vjp(g: Any, x: Any, y: Any) -> Any:
        r = np.hypot(x, y)
        return g * x / r * np.where(y < bound, 1.1, 1), g * y / r

    inputs = np.array([1.0, 2.0, 0.5, -1.5]), np.array([3.0, 1.5, 2.0, 1.7])
    assert gradcheck(np.hypot, *inputs, vjp=vjp).verdict == "fail"
    assert gradcheck(np.hypot, *inputs, vjp=vjp, domain=(2, 9)).verdict == "pass"


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("seed", range(3))
def test_what_cancels_to_zero_has_a_derivative_below_its_rounding(seed: int) -> None:
    """Far out log(1 + exp(x)) - x is 0, and so are all differences; the rule is right nevertheless."""
    report = gradcheck(lambda x: np.logaddexp(0, x) - x, Y, vjp=lambda g, x: -g * _logistic(-x), seed=seed)
    assert report.verdict == "pass", report
    report = gradcheck(lambda x: np.maximum(x, 0), Y, vjp=lambda g, x: g * np.where(x > 0, 1, 1e-12), seed=seed)
    assert report.verdict == "fail"


@pytest.mark.parametrize("wrong", [lambda x: x == 0, lambda x: abs(x) < 1e-4, lambda x: x == 1, lambda x: 4 < x < 5])
def test_a_function_of_python_numbers_is_tried_at_other_numbers(wrong: Callable[[float], bool]) -> None:
    report = gradcheck(math.atan, 0.7, vjp=lambda g, x: g * (0 if wrong(x) else 1 / (1 + x * x)))
    assert report.verdict == "fail"


@pytest.mark.parametrize("distance", [0.3, 1e-3, 1e-6])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e6])
def test_the_slope_from_beyond_a_kink(distance: float, offset: float) -> None:
    """The function is flat here, and float64 does not see exactly where that ends."""
    x = np.array([2 - distance, 0.7, 3.3])

    def f(x: Any) -> Any:
        return np.maximum(x, 2) + offset

    assert gradcheck(f, x, vjp=lambda g, x: g * (x > 2)).verdict == "pass"
    assert gradcheck(f, x, vjp=lambda g, x: g * (x > 2 - 2 * distance)).verdict == "fail"


def test_a_rule_that_is_off_in_float64_only() -> None:

    def off(x: Any) -> Any:
        return 1 + 1e-6 * (x.dtype == np.float64)

    def jvp(x: Any, t: Any) -> Any:
        return np.cos(x[0]) * t[0] * off(x[0])

    report = gradcheck(np.sin, Y, vjp=lambda g, x: g * np.cos(x) * off(x))
    assert report.problems[0].kind == "precision"
    assert gradcheck(np.sin, Y, jvp=jvp, modes=("jvp",)).problems[0].kind == "precision"


def test_a_jvp_that_is_wrong_at_other_points() -> None:
    def jvp(x: Any, t: Any) -> Any:
        return t[0] * np.where(x[0] > 6, 1, _logistic(x[0]))

    for domain in ("auto", (-10, 10)):
        report = gradcheck(lambda x: np.logaddexp(0, x), Y, jvp=jvp, modes=("jvp",), domain=domain)
        assert report.verdict == "fail" and "it is the jvp that is wrong there" in report.notes
    assert gradcheck(lambda x: np.logaddexp(0, x), Y, jvp=jvp, modes=("jvp",), domain=(-5, 5)).verdict == "pass"


def test_a_jvp_with_the_value_of_two_results() -> None:
    def jvp(x: Any, t: Any, shift: float = 0.0) -> Any:
        return (np.sin(x[0]) + shift, x[0] ** 2), (np.cos(x[0]) * t[0], 2 * x[0] * t[0])

    def f(x: Any) -> Any:
        return np.sin(x), x**2

    assert gradcheck(f, Y, jvp=jvp, modes=("jvp",)).verdict == "pass"
    report = gradcheck(f, Y, jvp=lambda x, t: jvp(x, t, 0.01), modes=("jvp",))
    assert report.problems[0].kind == "value"


class _Kept(tg.Op):
    """An op that keeps its input on its class."""

    kept: Any = None

    @staticmethod
    def forward(x: Any) -> Any:
        _Kept.kept = x
        return np.sin(x)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any) -> Any:
        return grad * np.cos(_Kept.kept)


def _once(x: Any) -> Any:
    """A pull that uses up what it has kept."""
    slope = np.cos(x)

    def pull(g: Any) -> Any:
        np.multiply(slope, g, out=slope)
        return slope.copy()

    return np.sin(x), pull


def _doubly_buffered() -> Callable[[Any, Any], Any]:
    buffers = [np.empty(4), np.empty(4)]

    def vjp(g: Any, x: Any) -> Any:
        if x.dtype != np.float64 or x.shape != (4,):
            return g * np.cos(x)
        buffers.reverse()
        return np.multiply(g, np.cos(x), out=buffers[0])

    return vjp


def _by_its_first() -> Callable[[Any, Any], Any]:
    known: dict[float, Any] = {}
    return lambda g, x: g * known.setdefault((x.flat[0], x.shape), np.cos(x)) if x.ndim else g * np.cos(x)


def test_what_a_rule_keeps() -> None:
    assert gradcheck(lambda x: _Kept.apply(x) * 2, Y).problems[0].kind == "state"
    assert gradcheck(np.sin, Y, vjp=_once).problems[0].kind == "state"
    assert gradcheck(np.sin, Y, vjp=_doubly_buffered()).problems[0].kind == "state"
    assert gradcheck(np.sin, Y, vjp=_by_its_first()).verdict == "fail"


def test_what_comes_beside_a_rule() -> None:
    def spoils(g: Any, out: Any, _x: Any) -> Any:
        out *= g
        return out

    assert gradcheck(np.exp, Y, vjp=spoils).problems[0].kind == "in place"
    report = gradcheck(np.sin, Y, vjp=lambda x: (np.sin(x) + 1, lambda g: g * np.cos(x)))
    assert report.problems[0].kind == "value"


@pytest.mark.parametrize("power", [3, 6, 8])
def test_the_rounding_of_an_ill_conditioned_solve(power: int) -> None:
    rng = np.random.default_rng(power)
    q, r = (np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2))
    a = q @ np.diag(np.geomspace(1, 10.0**-power, 5)) @ r
    b = rng.normal(size=5)
    assert gradcheck(lambda b: np.linalg.solve(a, b), b, vjp=lambda g, _: np.linalg.solve(a.T, g)).verdict == "pass"
    report = gradcheck(lambda b: np.linalg.solve(a, b), b, vjp=lambda g, _: np.linalg.solve(a.T, g) * (1 + 1e-6))
    assert report.verdict == "fail"


def test_numbers_stay_numbers_at_other_points() -> None:
    """A rule that asks for ``round`` gets no array."""

    def f(x: Any) -> Any:
        return math.sin(x) if int(x) % 2 == 0 else x * x

    right = gradcheck(f, 2.2, vjp=lambda g, x: g * (math.cos(x) if int(x) % 2 == 0 else 2 * x))
    wrong = gradcheck(f, 2.2, vjp=lambda g, x: g * (math.cos(x) if round(x) % 2 == 0 else 2 * x))
    assert (right.verdict, wrong.verdict) == ("pass", "fail")


def test_a_gradient_that_is_no_array() -> None:
    class Tracked(tg.Op):
        @staticmethod
        def forward(x: Any) -> Any:
            return np.sin(x)

        @staticmethod
        def backward(grad: Any, _out: Any, x: Any) -> Any:
            return grad * tg.Tensor(np.cos(x), requires_grad=True)

    assert gradcheck(lambda x: Tracked.apply(x), Y).problems[0].kind == "raised"


def test_an_error_of_the_checker_itself_is_said() -> None:
    report = Report("f")
    failed(report, ValueError("of the checker"))  # as imported: in tests another takes its place, and raises
    assert report.notes == ["not all other points could be tried: ValueError: of the checker"]


def test_a_rule_that_refuses_other_points_is_no_error() -> None:
    def vjp(g: Any, x: Any) -> Any:
        if x.size > Y.size:
            raise ValueError("of the rule")
        return g * np.cos(x)

    assert gradcheck(np.sin, Y, vjp=vjp).notes == []
