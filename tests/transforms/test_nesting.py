"""Nested derivatives see only their own variable: the classics of perturbation confusion, in every mode."""

import itertools

import numpy as np
import pytest

import tinygrad_sp as tg


def reverse(f):
    return tg.grad(f)


def forward(f):
    return lambda x: tg.jvp(f, (x,), (1.0,))[1]


def linearized(f):
    return lambda x: tg.linearize(f, x)[1](1.0)


def taped(f):
    def derivative(x):
        leaf = tg.Tensor(0.0) + x if isinstance(x, tg.Tensor) else tg.Tensor(x)
        return tg.gradients(f(leaf), leaf, create_graph=True)

    return derivative


def batched(f):
    return lambda x: tg.vmap(tg.grad(f))(np.stack([x, x]))[0]


MODES = [reverse, forward, linearized, batched]
pairs = pytest.mark.parametrize(("outer", "inner"), list(itertools.product(MODES, MODES)))


@pairs
def test_siskind_and_pearlmutter(outer, inner):
    """d/dx (x * d/dy (x + y)) is 1, not 2."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0


@pairs
def test_the_inner_variable_hides_the_outer(outer, inner):
    assert outer(lambda x: inner(lambda x: x * x)(3.0) * x)(5.0) == 6.0
    assert outer(lambda x: inner(lambda x: x * x)(x) * x)(5.0) == 20.0


@pairs
def test_what_the_inner_one_reads_is_differentiated_outside(outer, inner):
    assert outer(lambda w: inner(lambda x: w * x * x)(3.0))(2.0) == 6.0
    assert outer(lambda w: inner(lambda x: w * w * x + w * x * x)(w))(2.0) == 2 * 2.0 + 4 * 2.0


@pairs
def test_a_closure_made_by_a_derivative(outer, inner):
    """Amazing bug (Manzyuk et al.): d/dx of a function-valued function, applied twice."""

    def shifted(x):
        return lambda f: lambda y: f(x + y)

    def derivative_of_shift(f):
        return lambda y: outer(lambda x: shifted(x)(f)(y))(0.0)

    twice = derivative_of_shift(derivative_of_shift(np.exp))
    np.testing.assert_allclose(twice(1.0), np.e, rtol=1e-14)
    np.testing.assert_allclose(inner(derivative_of_shift(np.exp))(1.0), np.e, rtol=1e-14)


def guarded_square(x):
    return tg.where(x > -1, x * x, 0.0)


def test_a_zero_cotangent_varies_too():
    """What `where` guards is not cut off from a factor that happens to be zero: d2/dadb of b a^2 is 2a at b = 0."""

    def f(x):
        return x[1] * guarded_square(x[0])

    x, wanted = np.array([3.0, 0.0]), [[0.0, 6.0], [6.0, 0.0]]
    gradient = tg.grad(f)
    for second in (tg.hessian(f), tg.jacrev(gradient), tg.jacfwd(gradient), tg.jacrev(tg.jacfwd(f))):
        np.testing.assert_array_equal(second(x), wanted)
    np.testing.assert_array_equal(tg.vmap(tg.hessian(f))(np.stack([x, x])), [wanted, wanted])
    _, push = tg.linearize(gradient, x)
    np.testing.assert_array_equal(push(np.array([1.0, 2.0])), [12.0, 6.0])
    leaf = tg.Tensor(x)
    first = tg.gradients(f(leaf), leaf, create_graph=True)
    np.testing.assert_array_equal(tg.gradients(first[0], leaf).numpy(), wanted[0])
    checkpointed = tg.checkpoint(guarded_square)
    np.testing.assert_array_equal(tg.hessian(lambda x: x[1] * checkpointed(x[0]))(x), wanted)


def test_a_map_of_cotangents_or_tangents_is_linear_at_zero():
    x = np.array([1.0, 3.0])
    _, pull = tg.vjp(guarded_square, x)
    maps = [lambda c: pull(c)[0], lambda t: tg.jvp(guarded_square, (x,), (t,))[1]]
    for linear, jacobian in itertools.product(maps, (tg.jacrev, tg.jacfwd)):
        np.testing.assert_array_equal(jacobian(linear)(np.zeros(2)), np.diag(2 * x))


def test_the_deviation_is_linearized_twice():
    x = np.array([1.0, 2.0, 4.0])  # the gradient does not change where all elements grow alike
    _, push = tg.linearize(tg.grad(np.std), x)
    np.testing.assert_allclose(push(x), np.zeros(3), atol=1e-15)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_was_not_taken_leaks_at_no_order():
    def f(x):
        return (tg.where(x > 0, np.sqrt(x) * x, 1.0) * tg.where(x == 0, 2.0, 1 / x)).sum()

    x = np.array([0.0, 4.0])
    for second in (tg.hessian(f), tg.jacrev(tg.grad(f)), tg.jacfwd(tg.jacfwd(f)), tg.jacrev(tg.jacfwd(f))):
        np.testing.assert_allclose(second(x), [[0.0, 0.0], [0.0, -1 / 32]], rtol=1e-14)
    third = tg.elementwise_grad(tg.elementwise_grad(tg.grad(f)))
    np.testing.assert_allclose(third(x), [0.0, 3 / 256], rtol=1e-14)


def test_three_deep():
    def nested(a, b, c):
        return a(lambda x: x * b(lambda y: x * y * c(lambda z: x * y * z)(2.0))(3.0))(2.0)

    for modes in itertools.product(MODES, MODES, MODES):
        assert nested(*modes) == 72.0, modes  # x * d/dy (x*y * x*y) = 2 * x**3 * y, and d/dx of it 6 * x**2 * y


def test_tensors_of_a_user_inside():
    w = tg.Tensor(3.0)
    for mode in MODES:
        g = mode(lambda x: w * x * x)(2.0)
        assert float(tg.gradients(g, w)) == 4.0
    x = tg.Tensor(2.0)
    y = taped(lambda u: u * taped(lambda v: u * v)(3.0))(x)
    assert float(y) == 4.0


def test_the_modes_of_no_grad_and_backward_inside():
    x = tg.Tensor(2.0)

    def f(x):
        with tg.no_grad():
            g = tg.grad(lambda y: y**3)(x)
        return g * x

    f(x).backward()
    assert float(x.grad) == 12.0  # what was computed under no_grad is a constant
    assert tg.jvp(f, (2.0,), (1.0,))[1] == 12.0


def _held(make):
    """A function of which one factor is computed under no_grad."""

    def f(x):
        with tg.no_grad():
            y = make(x)
        return (x * y).sum()

    return f


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x * 2,
        lambda x: tg.vmap(np.sin)(x),
        lambda x: tg.grad(lambda u: (u**3).sum())(x),
        lambda x: tg.value_and_grad(lambda u: (u**3).sum())(x)[0],
        lambda x: tg.jvp(np.sin, (x,), (x,))[1],
        lambda x: tg.jacobian(lambda u: u[:2] * x[:2])(x).sum(),
        lambda x: tg.vjp(np.sin, x)[1](x)[0],
        lambda x: tg.linearize(np.sin, x)[1](x),
    ],
)
def test_what_is_computed_under_no_grad_is_constant_in_both_modes(make):
    f, x, v = _held(make), np.array([0.5, -1.2, 2.0]), np.array([1.0, 2.0, -0.5])
    np.testing.assert_array_equal(tg.jacfwd(f)(x), tg.jacrev(f)(x))
    np.testing.assert_allclose(tg.jvp(f, (x,), (v,))[1], tg.linearize(f, x)[1](v), rtol=1e-14)
    np.testing.assert_array_equal(tg.hvp(f, (x,), (v,)), 0 * x)
    np.testing.assert_array_equal(tg.vhp(f, (x,), (v,)), 0 * x)
    np.testing.assert_array_equal(tg.hessian(f)(x), np.zeros((3, 3)))
    with tg.no_grad():  # outside, it stops nothing
        np.testing.assert_array_equal(tg.jacfwd(np.sin)(x), np.diag(np.cos(x)))
        np.testing.assert_array_equal(tg.jacfwd(f)(x), tg.jacrev(f)(x))


def test_writing_under_no_grad_makes_a_constant_in_both_modes():
    def f(x):
        with tg.no_grad():
            x[0] = x[0] * 3
        return (x * x).sum()

    def g(x):
        with tg.no_grad():
            x -= 0.1 * x
        return (x * x).sum()

    x = np.array([0.5, -1.2, 2.0])
    for h in (f, g):
        np.testing.assert_array_equal(tg.jacfwd(h)(x), tg.jacrev(h)(x))


def test_a_hook_reads_the_argument_of_the_function_it_is_in():
    def f(x):
        x.register_hook(lambda g: g * x)
        return (x * x).sum()

    x, v = np.array([0.5, -1.2, 2.0]), np.array([1.0, 2.0, -0.5])
    np.testing.assert_allclose(tg.grad(f)(x), 2 * x * x)
    np.testing.assert_allclose(tg.jvp(tg.grad(f), (x,), (v,))[1], 4 * x * v)
    np.testing.assert_allclose(tg.hvp(f, (x,), (v,)), 4 * x * v)
    with pytest.raises(RuntimeError, match=r"register_hook: .*write tg.stop_gradient"):
        tg.hessian(f)(x)
    np.testing.assert_allclose(
        tg.vmap(tg.grad(lambda x: f(x * 1.0)))(np.stack([x, v])), np.stack([2 * x * x, 2 * v * v])
    )


@pytest.mark.parametrize(
    "inner",
    [
        lambda x: tg.grad(lambda y: y * y)(x),
        lambda x: tg.value_and_grad(lambda y: y * y)(x)[0],
        lambda x: tg.jvp(lambda y: y * y, (x,), (1.0,))[1],
        lambda x: tg.jvp(lambda y: y * y, (1.0,), (x,))[1],
        lambda x: tg.vjp(lambda y: y * y, 3.0)[1](x)[0],
        lambda x: tg.linearize(lambda y: y * y, 3.0)[1](x),
        lambda x: tg.vmap(lambda y, z: y * z, in_axes=(0, None))(np.ones(2), x),
        lambda x: tg.hessian(lambda y: y**3)(x),
    ],
)
@pytest.mark.parametrize("mode", [forward, batched])
def test_a_value_in_a_thread_of_its_own_is_refused(inner, mode):
    from concurrent.futures import ThreadPoolExecutor

    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(inner, x).result().sum()

    with pytest.raises(RuntimeError, match="in a thread, start that in"):
        mode(f)(2.0)


def test_threads_do_not_meet():
    from concurrent.futures import ThreadPoolExecutor

    def work(k):
        f = lambda x: tg.jvp(lambda y: tg.grad(lambda z: z * y * k)(x), (x,), (1.0,))[1]  # noqa: E731
        return [float(tg.vmap(tg.grad(lambda x: f(x) * x))(np.ones(2))[0]) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == [[float(k)] * 20 for k in range(8)]


@pytest.mark.parametrize("mode", [reverse, forward, linearized, batched])
def test_writing_in_place(mode):
    def f(x):
        acc = tg.zeros(3)
        acc[0] = x
        acc[1:] = acc[0] * x
        acc += 1.0
        acc *= x
        return acc.sum()

    np.testing.assert_allclose(mode(f)(2.0), 3 + 2 * 2.0 + 2 * 3 * 4.0)


def test_a_variable_outside_can_not_hold_what_belongs_inside():
    w = tg.Tensor([1.0, 2.0])

    def f(x):
        w[0] = x
        return x

    with pytest.raises(TypeError, match="variable outside"):
        tg.jvp(f, (1.0,), (1.0,))


def test_parts_of_which_some_vary_are_added():
    """The cotangent of one element is a constant array, that of another a value of the transform outside."""
    x, v = np.array([0.6, -0.35, 0.9]), np.array([0.7, -0.4, 1.1])
    for join in (np.stack, np.concatenate, tg.stack, tg.concatenate):
        f = lambda x, join=join: (join([x, np.sin(x)]) ** 2).sum()  # noqa: E731
        moved = tg.jvp(lambda x, f=f: tg.linearize(f, x)[1](v), (x,), (v,))[1]
        np.testing.assert_allclose(moved, (2 + 2 * np.cos(2 * x)) @ (v * v), rtol=1e-14)
        third = tg.jvp(lambda x, f=f: tg.vhp(f, (x,), (v,)), (x,), (v,))[1]
        np.testing.assert_allclose(third, -4 * np.sin(2 * x) * v * v, rtol=1e-14)


@pytest.mark.filterwarnings("error")
def test_a_number_is_not_stored_into_a_plain_array_unseen():
    def f(x):
        out = np.zeros(2)
        out[0] = x[0]
        return out

    for run in (lambda: tg.jvp(f, (np.ones(2),), (np.ones(2),)), lambda: tg.jacfwd(f)(np.ones(2))):
        with pytest.raises((TypeError, ValueError), match=r"sequence|plain array"):
            run()


def test_a_thread_in_a_transform_takes_its_context_along():
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(copy_context().run, lambda: x * x).result()

    assert tg.jvp(f, (3.0,), (1.0,)) == (9.0, 6.0) and tg.grad(f)(3.0) == 6.0
    with pytest.raises(RuntimeError, match="copy_context"), ThreadPoolExecutor(1) as pool:
        tg.jvp(lambda x: pool.submit(lambda: x * x).result(), (3.0,), (1.0,))


def test_what_was_read_is_not_changed_by_writing_afterwards():
    """The inner derivative keeps a value of the outer transform, into which the function then writes."""

    def after_an_op(x):
        def f(w):
            z = x * 1.0
            y = z * w
            z *= 2
            return y

        return tg.grad(f)(3.0)

    def into_the_argument(x):
        def f(w):
            nonlocal x
            x *= 2
            return w * w

        return tg.grad(f)(x)

    for f, value, slope in ((after_an_op, 5.0, 1.0), (into_the_argument, 10.0, 2.0)):
        assert tg.jvp(f, (5.0,), (1.0,)) == (value, slope)
        assert tg.grad(f)(5.0) == slope
        np.testing.assert_array_equal(tg.vmap(f)(np.array([5.0, 6.0])), [value, value + slope])
        assert tg.grad(lambda x, f=f: tg.jvp(lambda y: f(x) * y, (1.0,), (1.0,))[1])(5.0) == slope
        assert tg.jvp(lambda x, f=f: tg.jvp(lambda y: f(y), (x,), (1.0,))[0], (5.0,), (1.0,))[1] == slope


def test_a_transform_of_what_is_written_into_inside():
    def f(x):
        def g(y):
            nonlocal x
            x += 1.0
            return y * y * x

        return tg.jvp(g, (x,), (1.0,))[1] + tg.vmap(g)(tg.stack([x, x]))[0]

    # 2 x (x + 1), and then with x + 1 for x: x^2 (x + 1)
    want = lambda x: 2 * x * (x + 1) + (x + 1) ** 2 * (x + 2)  # noqa: E731
    assert f(tg.Tensor(3.0)).item() == want(3.0)
    for first in (tg.grad(f)(3.0), tg.jvp(f, (3.0,), (1.0,))[1], tg.vmap(tg.grad(f))(np.array([3.0]))[0]):
        assert first == tg.grad(want)(3.0)


CONSTANTS = {
    "detach": lambda x: x.detach().numpy(),
    "twice": lambda x: x.detach().detach(),
    "stop_gradient": lambda x: tg.stop_gradient(x).numpy(),
    "floor": lambda x: np.floor(x).numpy(),
    "round": lambda x: np.round(x).detach(),
    "sign": lambda x: np.sign(x * x.sum()).numpy(),
    "compared": lambda x: (x > 0).numpy(),
    "cast": lambda x: x.astype(int).numpy(),
    "argmax": lambda x: np.argmax(x).item(),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_is_a_tensor_in_both_modes(name):
    def f(x):
        return (x * CONSTANTS[name](x)).sum()

    x = np.array([0.5, -1.2, 2.0])
    np.testing.assert_array_equal(tg.jacfwd(f)(x), tg.jacrev(f)(x))
    np.testing.assert_array_equal(tg.hvp(f, (x,), (x,)), 0 * x)
    np.testing.assert_array_equal(tg.vhp(f, (x,), (x,)), 0 * x)
    kept = []
    y, _ = tg.jvp(lambda x: [kept.append(c := np.floor(x)), c][1], (x,), (x,))
    y += 1
    np.testing.assert_array_equal(kept[0], np.floor(x))
