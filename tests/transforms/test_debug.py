"""debug_nans names the op, the place, the values and the line; and costs nothing where it is off."""

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.modes import MODE


def here():
    import inspect

    return inspect.currentframe().f_back.f_lineno


def fails(function):
    with pytest.raises(FloatingPointError) as found, tg.debug_nans():
        function()
    return str(found.value)


def test_forward():
    x = tg.Tensor([[1.0, 2.0], [3.0, 0.0]])

    def f():
        y = x * 2
        return 1.0 / y, here()

    text = fails(f)
    assert "Divide made inf at [1, 1]" in text and "argument 0 is 1.0, argument 1 is 0.0" in text
    assert __file__ in text and "return 1.0 / y, here()" in text and "in f" in text


def test_through_numpy_s_functions_and_an_op_that_is_not_elementwise():
    text = fails(lambda: np.log(tg.Tensor([-1.0])))
    assert "Log made nan at [0]" in text and "np.log(tg.Tensor" in text
    text = fails(lambda: tg.linalg.inv(tg.Tensor([[1e-300, 0.0], [0.0, 1e-300]])) @ np.full((2, 2), 1e300))
    assert "MatMul made inf" in text and "argument 0 is" in text


def test_what_was_not_finite_before_is_not_blamed():
    with tg.debug_nans():
        x = tg.Tensor([np.nan, np.inf, 1.0])
        y = tg.exp(x) + np.array([0.0, 0.0, 2.0])
        y.sum().backward()


def test_backward():
    x = tg.Tensor([4.0, 0.0])

    def f():
        tg.sqrt(x).sum().backward()

    text = fails(f)
    assert "the backward of Sqrt made inf at [1] of the cotangent of argument 0" in text
    assert "the result is 0.0" in text and "the cotangent is 1.0" in text and "tg.sqrt(x).sum().backward()" in text
    y = tg.sqrt(x).sum()  # outside of debug_nans
    assert "# outside of debug_nans" in fails(y.backward)
    assert x.grad is None


def test_in_every_transform():
    for run in (
        lambda: tg.grad(lambda x: tg.sqrt(x))(0.0),
        lambda: tg.jvp(tg.sqrt, (0.0,), (1.0,)),
        lambda: tg.jvp(tg.log, (-1.0,), (1.0,)),
        lambda: tg.grad(tg.grad(lambda x: x**1.5))(0.0),
        lambda: tg.hvp(lambda x: x**1.5, (0.0,), (1.0,)),
        lambda: tg.vmap(tg.grad(tg.sqrt))(np.array([1.0, 0.0])),
    ):
        assert "made" in fails(run)


def test_a_function_of_the_user_s_and_parameters():
    inverse = tg.custom_vjp(lambda x: x / np.float64(0.0))
    inverse.defvjp(lambda x: (inverse(x), None), lambda _, g: (g,))
    text = fails(lambda: inverse(tg.Tensor(2.0)))
    assert "custom_vjp made inf at [] from finite values: argument 0 is 2.0\n" in text
    assert "'keepdims': False}" in fails(lambda: tg.sum(tg.Tensor([1e308, 1e308])))


def test_in_a_batch_of_plain_arrays():
    with tg.debug_nans(), pytest.raises(FloatingPointError, match=r"Log made -inf at \[1, 0\].*\n.*test_debug"):
        tg.vmap(lambda x: tg.log(x).sum())(np.array([[1.0, 2.0], [0.0, 3.0]]))


def test_as_a_decorator_and_within_no_grad():
    @tg.debug_nans()
    def f(x):
        with tg.no_grad():
            return tg.log(x)

    with pytest.raises(FloatingPointError, match="Log"):
        f(tg.Tensor(-1.0))


def test_off_it_leaves_nothing_behind():
    assert MODE.get() is None
    with tg.debug_nans():
        assert MODE.get() is not None
    assert MODE.get() is None
    with np.errstate(invalid="ignore"):
        assert np.isnan(tg.log(tg.Tensor(-1.0)).item())


def test_what_is_computed_under_no_grad_in_forward_mode_is_looked_at():
    def f(x):
        with tg.no_grad():
            y = np.log(x)
        return x * y

    with pytest.raises(FloatingPointError, match="Log made -inf"), tg.debug_nans():
        tg.jvp(f, (0.0,), (1.0,))
