"""gradcheck on functions of Tensors, pairs and numbers; the report; the culprit; speed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.testing import Report, assert_gradients, check_op, gradcheck

X = np.array([[0.5, -1.2, 2.0], [0.1, 1.5, -0.7]])


class Cube(tg.Op):
    @staticmethod
    def forward(x):
        return x * x * x

    @staticmethod
    def backward(grad, _out, x):
        return grad * 3.03 * x**2


class Twice(tg.Op):
    @staticmethod
    def forward(x):
        return x * 1.0

    @staticmethod
    def backward(grad, _out, _x):
        return grad * 2


class Half(tg.Op):
    @staticmethod
    def forward(x):
        return x * 1.0

    @staticmethod
    def backward(grad, _out, _x):
        return grad / 2


class Crooked(tg.Op):
    """Right in first order, wrong in second."""

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def backward(grad, _out, x):
        return grad * 2 * Plain.apply(x)


class Plain(tg.Op):
    @staticmethod
    def forward(x):
        return x * 1.0

    @staticmethod
    def backward(grad, _out, _x):
        return grad * 1.01


def test_functions_of_tensors_in_first_and_second_order() -> None:
    def f(x, w):
        return np.sum(np.exp(-((x @ w) ** 2)))

    report = assert_gradients(f, X, X.T[:, :1], order=2)
    assert report.orders[2].ok and report.inputs[0].mode == "columns"
    found = report.inputs[0]
    assert np.all(np.abs(found.numeric - found.analytic) <= 3 * found.error + 1e-11 * np.abs(found.analytic))
    assert np.all(found.error < 1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.complex128, np.complex64])
def test_dtypes(dtype: type) -> None:
    assert gradcheck(lambda x: np.exp(x) * x, X.astype(dtype)).ok


def test_containers_several_outputs_and_side_inputs() -> None:
    def f(p, k, flag):
        return {"a": p["w"] ** k, "b": [p["w"] * p["b"][0], flag]}

    report = gradcheck(f, {"w": X, "b": (2.0, 3)}, 3, True)
    assert report.ok and [i.name for i in report.inputs] == ["p['w']", "p['b'][0]"]


@pytest.mark.parametrize("shape", [(0,), (3, 0), (), (1,), (1, 1, 1)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert gradcheck(lambda x: np.sin(x) * 2, np.ones(shape)).ok
    assert gradcheck(lambda x: np.sum(np.sin(x)), np.ones(shape)).ok


def test_each_input_has_its_own_counts_beside_an_empty_one() -> None:
    report = gradcheck(lambda e, x: x * x + np.sum(e), np.zeros(0), X[0], domain=None)
    assert [(i.mode, i.compared) for i in report.inputs] == [("empty", 0), ("elementwise", 3)]
    wrong = gradcheck(lambda _e, x: x * x, np.zeros(0), X[0], vjp=lambda g, e, x: (0 * e, 3 * g * x), domain=None)
    assert [i.wrong for i in wrong.inputs] == [0, 3]


def test_pairs_in_every_form() -> None:
    cos = np.cos
    assert gradcheck((np.sin, lambda g, x: g * cos(x)), X).ok
    assert gradcheck(np.sin, X, vjp=lambda g, x: g * cos(x)).ok
    assert gradcheck(np.exp, X, vjp=lambda g, out, _x: g * out).ok
    assert gradcheck(np.sin, X, vjp=lambda x: (np.sin(x), lambda g: (g * cos(x),))).ok
    assert gradcheck(lambda x: np.sum(np.sin(x)), X, grad=cos).ok
    assert gradcheck(lambda x: np.sum(np.sin(x)), X, gradients=cos(X)).ok
    assert gradcheck(lambda x: np.sum(np.sin(x)), X, gradients=cos(X) * (1 + 1e-6)).verdict == "fail"
    both = {"vjp": lambda g, x: g * cos(x), "modes": ("vjp", "jvp")}
    assert gradcheck(np.sin, X, jvp=lambda p, t: t[0] * cos(p[0]), **both).ok
    assert gradcheck(np.sin, X, jvp=lambda p, t: t[0] * cos(p[0]) * 1.001, **both).verdict == "fail"
    assert gradcheck(np.sin, X, jvp=lambda p, t: (np.sin(p[0]), t[0] * cos(p[0])), modes=("jvp",)).ok


def test_a_function_that_returns_no_tensor_is_a_constant() -> None:
    assert gradcheck(lambda _x: 3.0, 1.0).ok
    cut = gradcheck(lambda x: np.exp(x.detach().numpy()), 1.0)
    assert cut.verdict == "fail"


def test_derivative_of_two_in_a_billion_replaced_by_zero() -> None:
    x = np.array([-20.0, 0.5])
    report = gradcheck(lambda x: np.logaddexp(x, 0), x, vjp=lambda g, x: g * np.where(x < -15, 0, 1 / (1 + np.exp(-x))))
    assert report.verdict == "fail" and report.rows[0].where == "x[0]"
    assert report.rows[0].numeric == pytest.approx(1 / (1 + np.exp(20)), rel=1e-9)


def test_kinks_are_reported_with_both_sides() -> None:
    report = gradcheck(lambda x: np.maximum(x, 0), np.array([0.0, 1.0]), vjp=lambda g, x: g * (x > 0))
    assert report.ok and (report.kinks[0].left, report.kinks[0].right) == pytest.approx((0, 1))
    assert "from the left" in str(report)


def test_inconclusive_says_why_and_is_an_error_unless_allowed() -> None:
    def f(x):
        return np.sin(1e25 * x)

    def vjp(g, x):
        return 1e25 * g * np.cos(1e25 * x)

    report = gradcheck(f, 1.0, vjp=vjp)
    assert report.verdict == "inconclusive" and not report.ok and "undefined" in report.reason
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_gradients(f, 1.0, vjp=vjp, inconclusive="fail")
    with pytest.warns(UserWarning, match="INCONCLUSIVE"):
        assert assert_gradients(f, 1.0, vjp=vjp).verdict == "inconclusive"
    assert_gradients(f, 1.0, vjp=vjp, inconclusive="pass")
    with pytest.raises(ValueError, match='"warn", "pass" or "fail"'):
        assert_gradients(f, 1.0, vjp=vjp, inconclusive="skip")


def test_random_functions() -> None:
    rng = np.random.default_rng()
    report = gradcheck(lambda x: x * np.random.default_rng().normal(), 2.0, vjp=lambda g, _x: g)
    assert report.verdict == "inconclusive" and "generator" in report.reason
    assert gradcheck(lambda x: x * rng.normal(), 2.0, vjp=lambda g, _x: g * rng.normal()).ok
    holder = {"rng": np.random.default_rng(3)}
    f = {"vjp": lambda g, _x: g * holder["rng"].normal(), "generators": [holder["rng"]]}
    assert gradcheck(lambda x: x * holder["rng"].normal(), 2.0, **f).ok


def test_the_culprit_is_named_with_its_line() -> None:
    def model(x):
        return np.sum(np.exp(-Cube.apply(x)) * 2)

    report = gradcheck(model, X)
    (culprit,) = report.culprits
    assert (culprit.op, culprit.argument) == ("Cube", 0) and culprit.rule / culprit.numeric == pytest.approx(1.01)
    assert culprit.recorded.startswith("test_gradcheck.py:")
    assert "Cube, argument 0, at [" in str(report) and "recorded at test_gradcheck.py" in str(report)


def test_all_culprits_are_named_also_when_their_errors_cancel() -> None:
    report = gradcheck(lambda x: np.exp(Half.apply(Twice.apply(x))), X)
    assert report.verdict == "fail" and {c.op for c in report.culprits} == {"Twice", "Half"}


def test_second_derivatives() -> None:
    assert gradcheck(lambda x: np.exp(Crooked.apply(x)), X).ok
    report = gradcheck(lambda x: np.exp(Crooked.apply(x)), X, order=2)
    assert report.verdict == "fail" and "Plain" in {c.op for c in report.culprits}
    with pytest.raises(TypeError, match="function of Tensors"):
        gradcheck(np.sin, X, vjp=lambda g, x: g * np.cos(x), order=2)


def test_domain() -> None:
    def f(x):
        return np.sum(x**4)

    def wrong(g, x):
        return g * 4 * np.where(np.abs(x) > 1e5, x * x, x**3)

    assert gradcheck(f, X, vjp=wrong).ok
    report = gradcheck(f, X, vjp=wrong, domain=(-5e5, 5e5))
    assert report.verdict == "fail" and "not given" in str(report)
    with pytest.raises(ValueError, match="wanted"):
        gradcheck(f, X, vjp=wrong, domain=(3, 1))


def test_report_reads_well_everywhere() -> None:
    report = gradcheck(lambda x: np.exp(Cube.apply(x)), X)
    text = str(report)
    assert text.startswith("FAIL: 6 of 6 derivatives are wrong") and "seed=0" in text
    assert "<table>" in report._repr_html_() and "FAIL" in report._repr_html_()
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["verdict"] == "fail" and plain["inputs"][0]["shape"] == [2, 3]
    assert isinstance(report, Report) and not report
    good = gradcheck(lambda x: np.exp(x), X)
    assert good.power[0] < 1e-9 and "would have been seen" in str(good) and good


def test_asserting_raises_with_the_report() -> None:
    with pytest.raises(AssertionError, match="derivatives are wrong"):
        assert_gradients(lambda x: np.exp(Cube.apply(x)), X)


def test_wrong_options_say_so() -> None:
    with pytest.raises(ValueError, match="wanted modes"):
        gradcheck(np.sin, 1.0, modes=("forward",))
    with pytest.raises(TypeError, match="wanted vjp"):
        gradcheck(np.sin, 1.0, vjp=lambda: 0)


def test_what_the_function_raises_is_the_users() -> None:
    def f(_x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        gradcheck(f, 1.0)


def test_evaluations_do_not_grow_with_size() -> None:
    counts = [
        gradcheck(
            lambda x: np.sum(np.sin(x)), np.linspace(1, 2, n), vjp=lambda g, x: g * np.cos(x), domain=None
        ).evaluations
        for n in (3_000, 30_000)
    ]
    assert counts[1] <= counts[0] < 200


def test_one_wrong_of_a_million_is_found_and_located() -> None:
    x = np.random.default_rng(0).normal(size=1_000_000)

    def vjp(g, x):
        out = g * np.cos(x)
        out[765_432] *= 1.001
        return out

    report = gradcheck(lambda x: np.sum(np.sin(x)), x, vjp=vjp)
    assert report.verdict == "fail" and "x[765432]" in {r.where for r in report.rows}
    assert report.evaluations < 150


@pytest.mark.parametrize("kind", ["alone", "beside an array that must fit"])
def test_a_few_of_very_many_elements_are_moved_by_themselves_where_that_is_the_same(kind: str) -> None:
    """A rectifier has elements within 1e-7 of its kink; one derivative is wrong."""
    x = np.random.default_rng(0).uniform(0.5, 3, 30_000)
    x[7] = 1 + 1e-7
    sizes, shift = [], np.ones_like(x)

    def f(x):
        sizes.append(x.size)
        return np.maximum(x - (1 if kind == "alone" else shift), 0)

    def vjp(g, x, factor=1.0):
        grad = g * (x > 1)
        grad[765] *= factor
        return grad

    x[765] = 2
    assert gradcheck(f, x, vjp=vjp).verdict == "pass"
    assert (sizes.count(x.size) < 16) == (kind == "alone")
    report = gradcheck(f, x, vjp=lambda g, x: vjp(g, x, 1 + 1e-9))
    assert report.verdict == "fail" and report.rows[0].where.endswith("[765]")


def sine_off_in_one(factor):
    """Declare a sine whose derivative is off by a factor in one of very many elements."""

    class Sine(tg.Op):
        @staticmethod
        def forward(x):
            return np.sin(x)

        @staticmethod
        def backward(grad, _out, x):
            return grad * np.cos(x) * np.where(np.arange(x.size) == 20_003, factor, 1)

    return Sine.apply


def test_an_op_that_is_wrong_in_one_of_very_many_elements_is_named_among_others() -> None:
    """Even if it seems right at a glance: such ops are looked at more closely if no other is wrong."""
    x = np.random.default_rng(0).normal(size=30_000)
    clear, slight = sine_off_in_one(1.001), sine_off_in_one(1 + 1e-9)
    for f in (lambda x: clear(x) * 2 + x, lambda x: (clear(x) * x).sum(), lambda x: slight(x) * 2 + x):
        report = gradcheck(f, x)
        assert [(c.op, c.index) for c in report.culprits] == [("Sine", "[20003]")]


def test_cancellation_in_a_few_of_very_many_elements_is_resolved() -> None:
    """In float64 log(1 + x*x) shows nothing of an x of 2e-7: those few are evaluated in long double."""
    x = np.random.default_rng(0).normal(size=30_000)
    x[777], x[7] = 2e-7, -3e-6
    right = gradcheck(lambda x: np.log(1 + x * x), x, vjp=lambda g, x: g * 2 * x / (1 + x * x))
    assert right.verdict == "pass", right
    wrong = gradcheck(
        lambda x: np.log(1 + x * x), x, vjp=lambda g, x: g * 2 * x / (1 + x * x) * (1 + 0.01 * (x == 2e-7))
    )
    assert wrong.verdict != "pass"


def test_float64_numbers_in_a_rule_hide_nothing() -> None:
    """With them the rule's result for a float32 is a float64, whose digits are not all right."""
    x = np.random.default_rng(0).normal(size=10_000)
    weight = np.where(np.arange(x.size) == 777, 1 + 1e-8, 1.0)
    report = gradcheck(np.sin, x, vjp=lambda g, x: g * np.cos(x) * weight)
    assert report.verdict == "fail" and report.rows[0].where == "x[777]"


def test_a_function_of_one_number_is_evaluated_on_many_steps_at_once() -> None:
    assert gradcheck(tg.softplus, 0.7).evaluations < 30
    assert gradcheck(lambda x: x * tg.exp(-x * x), 0.7).evaluations < 30


def test_one_gradient_answers_what_is_asked_of_several() -> None:
    assert gradcheck(tg.softplus, 0.7).pulls < 25
    assert gradcheck(lambda x, y: x * tg.exp(y), 0.7, 1.3).pulls < 25


def _by_the_array(x):
    """Another function for arrays than for numbers, though each element goes by itself."""
    return x * x if np.ndim(x) == 0 else x * x * np.where(x == 0.7, 1, 1.01)


@pytest.mark.parametrize(
    "f", [_by_the_array, lambda x: x * x * (1 + 0 * np.size(x)) if np.size(x) < 2 else x * x.max()]
)
def test_what_works_otherwise_on_arrays_is_evaluated_number_by_number(f) -> None:
    assert gradcheck(f, 0.7, vjp=lambda g, x: 2 * g * x, domain=None).verdict == "pass"
    assert gradcheck(f, 0.7, vjp=lambda g, x: 2.02 * g * x, domain=None).verdict == "fail"


def test_one_derivative_is_said_in_the_singular() -> None:
    assert str(gradcheck(tg.sin, 0.7)).startswith("PASS: the derivative lies within the error bar of the differences")
    assert "1 comparison\n" in str(gradcheck(tg.sin, 0.7))


def test_importing_the_checker_imports_no_test_framework() -> None:
    code = "import sys; from tinygrad_sp.testing import gradcheck; print({'hypothesis', 'pytest'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@check_op(Half, domain=(-3, 3), order=1)
def _half(x):
    return x * 1


def test_check_op_finds_a_wrong_rule_and_a_wrong_value() -> None:
    with pytest.raises(AssertionError, match="Half"):
        _half()

    class Right(tg.Op):
        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def backward(grad, _out, x, y):
            return grad * y, grad * x

    check_op(Right)(lambda x, y: x * y)()
    with pytest.raises(AssertionError, match="differs from the reference"):
        check_op(Right)(lambda x, y: x * y * 1.1)()
    with pytest.raises(TypeError, match="check_op wants an Op"):
        check_op(np.sin)(None)


@pytest.mark.parametrize("seed", range(13))
def test_a_derivative_far_below_the_rounding_of_the_function_is_not_called_wrong(seed: int) -> None:
    """The softmax of -20 beside 30: to differences its gradient by that cotangent is flat or a stair, and it is not."""
    assert gradcheck(tg.softmax, np.array([-20, -2.3, 0.5, 30.0]), order=2, seed=seed).verdict != "fail"


@pytest.mark.parametrize("x", [[-31.4, -31.6, -23.8, 30.8], [-16.6, -39.5, -33.4, 55.5], [-29.2, 17.7, 2.0, -15.2]])
def test_the_second_derivatives_of_a_saturated_softmax_are_not_called_wrong(x: list[float]) -> None:
    """Of 1 - 1e-24 nothing is left but 1: what its rules give exactly, differences take for 0."""
    assert gradcheck(tg.softmax, np.array(x), order=2).verdict != "fail"
    assert gradcheck(lambda x: tg.softmax(x) * x, np.array(x), order=2).verdict != "fail"


def _weighted(x):
    return tg.softmax(x[:2]) @ (x[2:] * tg.tanh(x[:2]))


@pytest.mark.parametrize(
    "x", [[-24.5, 8.929292256338059, -42.8, -58.4], [-3.4, 44.6, -43.4, -9.1], [33, -31, -28, -23.0]]
)
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_that_are_rounded_alike_are_no_derivative(x: list[float], seed: int) -> None:
    """Of tanh near 1 the rounding is the same at points nearby, so that their differences agree on a wrong slope."""
    assert gradcheck(_weighted, np.array(x), order=2, seed=seed).verdict != "fail"


def test_a_wrong_second_derivative_of_ordinary_size_is_found_beside_a_large_one() -> None:
    class Sum(tg.Op):
        @staticmethod
        def forward(x):
            return (x**3).sum()

        @staticmethod
        def backward(grad, _out, x):
            return grad * 3 * x * _once(x)

    class Once(tg.Op):
        @staticmethod
        def forward(x):
            return x * 1.0

        @staticmethod
        def backward(grad, _out, _x):
            return grad * 0.99

    def _once(x):
        return Once.apply(x) if isinstance(x, tg.Tensor) else x

    assert gradcheck(Sum.apply, np.array([1e-3, 1.0, 1e3])).verdict == "pass"
    assert gradcheck(Sum.apply, np.array([1e-3, 1.0, 1e3]), order=2).verdict == "fail"


@pytest.mark.parametrize("slope", [1e-12, 1e-3, 0.01])
def test_a_slope_where_the_function_is_flat_is_wrong(slope: float) -> None:
    def leaky(g, x):
        return g * np.where(x > 0, 1.0, slope)

    assert gradcheck(lambda x: np.maximum(x, 0), np.array([-3.0, 2.0]), vjp=leaky, domain=None).verdict == "fail"
    flat = gradcheck(lambda x: 0 * x + 1, np.array([1.0, 2.0]), vjp=lambda g, _: g * slope, domain=None)
    assert flat.verdict == "fail"


@pytest.mark.parametrize("modes", [("vjp",), ("jvp",), ("vjp", "jvp")])
def test_a_function_may_write_into_its_argument(modes: tuple[str, ...]) -> None:
    def f(x):
        x[1] = 3.0
        return x * x

    assert gradcheck(f, np.array([0.5, 0.2, 0.3]), domain=None, order=2, modes=modes).verdict == "pass"


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.sum(np.log(x)), np.array([-1.0, -2.0])),
        (lambda x: np.sum(1 / x), np.array([0.0])),
        (np.log, -1.0),
        (lambda x: np.log(x), np.array([-1.0, -2.0])),
        (lambda x: x * np.nan, 3.0),
    ],
)
def test_where_no_result_is_finite_nothing_is_decided(f, x):
    report = gradcheck(f, x)
    assert report.verdict == "inconclusive" and report.reason
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_gradients(f, x, inconclusive="fail")


def test_a_result_that_is_not_finite_is_said_not_to_have_been_compared():
    matrix = np.array([[1.0, 0], [0, 1], [1, 1]])
    report = gradcheck(lambda x: np.log(matrix @ x), np.array([-1.0, 2.0]))
    assert report.ok and "1 of 3 results not finite there" in str(report)
