"""Fixed points, differentiated implicitly, against formulas and against differentiating the iteration."""

import numpy as np
import pytest

import tinygrad_sp as tg

A = np.array([[0.3, -0.2], [0.1, 0.4]])


def solve(theta):
    """x = A x + theta, so x = inv(1 - A) theta."""
    return tg.fixed_point(lambda x, theta: A @ x + theta, np.zeros(2), theta)


def test_a_linear_equation():
    inverse = np.linalg.inv(np.eye(2) - A)
    b = np.array([1.0, 2.0])
    np.testing.assert_allclose(solve(b), inverse @ b, rtol=1e-14)
    np.testing.assert_allclose(tg.jacrev(solve)(b), inverse, rtol=1e-13)
    np.testing.assert_allclose(tg.jacfwd(solve)(b), inverse, rtol=1e-13)
    t = tg.Tensor(b)
    solve(t).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), inverse.sum(axis=0), rtol=1e-13)


def test_second_derivatives_and_trees():
    def f(x, p):
        return {"u": tg.cos(p["k"] * x["u"]) * 0.5}

    def at(k):
        return tg.fixed_point(f, {"u": 1.0}, {"k": k, "n": 3})["u"]

    def unrolled(k):
        x = {"u": 1.0}
        for _ in range(200):
            x = f(x, {"k": k})
        return x["u"]

    np.testing.assert_allclose(at(0.8), unrolled(0.8), rtol=1e-14)
    for order in (tg.grad, lambda f: tg.grad(tg.grad(f)), lambda f: tg.grad(tg.grad(tg.grad(f)))):
        np.testing.assert_allclose(order(at)(0.8), order(unrolled)(0.8), rtol=1e-11)
    np.testing.assert_allclose(tg.hvp(at, (0.8,), (1.0,)), tg.grad(tg.grad(unrolled))(0.8), rtol=1e-11)
    np.testing.assert_allclose(
        tg.vmap(tg.grad(at))(np.array([0.8, 0.9])), [tg.grad(at)(0.8), tg.grad(at)(0.9)], rtol=1e-12
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_runs_away_or_is_no_array_is_refused():
    def grow(x, t):
        return 2 * x + t

    for run in (lambda t: tg.fixed_point(grow, 1.0, t), tg.grad(lambda t: tg.fixed_point(grow, 1.0, t))):
        with pytest.raises(RuntimeError, match=r"inf.* after 1.*iterations; give another x0"):
            run(1.0)
    with pytest.raises(RuntimeError, match=r"nan.* after 1 iterations"):
        tg.fixed_point(lambda x, t: np.sqrt(x - t), 1.0, 2.0)
    for wrong, words in ((None, "NoneType"), ("a", "str 'a'"), ((1.0, 2.0), "tuple")):
        with pytest.raises(TypeError, match=f"fixed_point: .*f returned .*{words}"):
            tg.fixed_point(lambda *_, wrong=wrong: wrong, 1.0, 2.0)
    with pytest.raises(TypeError, match="fixed_point: f uses a Tensor"):
        tg.vmap(lambda w: tg.fixed_point(lambda x, t: 0.5 * x + w * t, 1.0, 1.0))(np.ones(2))


def test_a_function_may_write_into_x_and_read_more_than_numbers():
    def f(x, p):
        x *= p["k"]
        x += 1.0 if p["plus"] == "one" else 2.0
        return x

    def at(k):
        return tg.fixed_point(f, np.full(2, 5.0), {"k": k, "plus": "one"}).sum()

    np.testing.assert_allclose(at(0.5), 4.0, rtol=1e-14)
    np.testing.assert_allclose(tg.grad(at)(0.5), 8.0, rtol=1e-13)
    np.testing.assert_allclose(tg.vmap(tg.grad(at))(np.array([0.5, 0.2])), [8.0, 2 / 0.64], rtol=1e-13)


def test_refused():
    with pytest.raises(RuntimeError, match="no convergence in 50"):
        tg.fixed_point(lambda x, t: -x + t, 1.0, 1.0, max_iter=50)
    for wrong in ({"tol": float("nan")}, {"tol": -1e-9}, {"tol": "a"}, {"max_iter": 0}, {"max_iter": 1.5}):
        with pytest.raises((TypeError, ValueError), match=f"fixed_point: {next(iter(wrong))}="):
            tg.fixed_point(lambda x, t: 0.5 * x + t, 1.0, 1.0, **wrong)
    w = tg.Tensor(0.5)
    with pytest.raises(TypeError, match="put it there"):
        tg.fixed_point(lambda x, t: w * x + t, 1.0, 1.0)
    assert tg.grad(lambda x0: tg.fixed_point(lambda x, t: 0.5 * x + t, x0, 1.0))(3.0) == 0.0
