"""Memory: forward mode keeps nothing, checkpointing keeps the square root; and stays right at every order."""

import tracemalloc

import numpy as np
import pytest

import tinygrad_sp as tg

N = 20_000
X = np.linspace(-1, 1, N)


def peak(f):
    """The most memory in use at once, in arrays of N numbers."""
    f()
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1] / (8 * N)
    finally:
        tracemalloc.stop()


def chain(length, group=1, wrap=lambda f: f):
    def blocks(x):
        for _ in range(group):
            x = x + 0.01 * tg.sin(x)
        return x

    step = wrap(blocks)

    def f(x):
        for _ in range(length // group):
            x = step(x)
        return x

    return f


def test_forward_mode_keeps_nothing():
    short, long = (peak(lambda n=n: tg.jvp(chain(n), (X,), (X,))) for n in (5, 100))
    assert long < short + 0.5 < 8


def test_a_chain_of_n_blocks_is_differentiated_in_root_n_memory():
    def needed(n, wrap):
        f = chain(n, round(n**0.5), wrap)
        return peak(lambda: tg.grad(lambda x: f(x).sum())(X))

    assert needed(256, lambda f: f) > 256
    small, large = needed(64, tg.checkpoint), needed(256, tg.checkpoint)
    assert small < 2 * 8 + 8 and large < 2 * 16 + 8  # inputs of groups, and the inside of one
    nested = chain(256, 16, lambda f: tg.checkpoint(lambda x: tg.checkpoint(f)(x)))
    assert peak(lambda: tg.grad(lambda x: nested(x).sum())(X)) < 2 * 16 + 8


def test_checkpointing_changes_no_derivative():
    x = np.array([0.3, -0.7])
    plain, saved = chain(6), chain(6, 3, tg.checkpoint)
    s = [lambda x: (plain(x) ** 2).sum(), lambda x: (saved(x) ** 2).sum()]
    for transform in (
        lambda f: tg.grad(f)(x),
        lambda f: tg.hessian(f)(x),
        lambda f: tg.jacrev(tg.grad(f))(x),
        lambda f: tg.hvp(f, (x,), (x,)),
        lambda f: tg.vhp(f, (x,), (x,)),
        lambda f: tg.jvp(f, (x,), (x,))[1],
        lambda f: tg.linearize(f, x)[1](x),
        lambda f: tg.vmap(tg.grad(f))(np.stack([x, 2 * x])),
        lambda f: tg.grad(lambda x: tg.vmap(f)(np.stack([x[0], x[1]])[:, None] * x).sum())(x),
        lambda f: tg.grad(lambda x: (tg.grad(lambda x: (tg.grad(f)(x) ** 2).sum())(x) ** 2).sum())(x),
    ):
        one, other = map(transform, s)
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_what_a_function_reads_besides_its_arguments():
    w, b = tg.Tensor([2.0, 3.0]), tg.Tensor(1.0)

    @tg.checkpoint
    def f(x, *, scale):
        return {"a": (w * x * scale).sum(), "b": [x * b, 7.0]}

    x = tg.Tensor([1.0, 2.0])
    out = f(x, scale=10.0)
    assert out["b"][1] == 7.0
    (out["a"] + out["b"][0].sum()).backward()
    assert w.grad.tolist() == [10.0, 20.0] and b.grad.item() == 3.0 and x.grad.tolist() == [21.0, 31.0]
    again = f(x, scale=10.0)["a"]
    (g,) = tg.gradients(again, [w], create_graph=True)
    assert tg.gradients(g.sum(), x).tolist() == [10.0, 10.0]


def test_an_argument_computed_from_another():
    x = tg.Tensor(2.0)
    h = x * x
    tg.checkpoint(lambda a, b: a * b)(x, h).backward()
    assert x.grad.item() == 12.0


def test_where_outside_guards_the_inside():
    x = tg.Tensor([0.0, 4.0])
    root = tg.checkpoint(lambda x: tg.sqrt(x))
    tg.where(x > 0, root(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_where_outside_guards_the_inside_in_every_transform():
    root = tg.checkpoint(lambda x: np.sqrt(x) * 1.0)
    x, hessian = np.array([0.0, 4.0]), [[0.0, 0.0], [0.0, -1 / 32]]

    def f(x):
        return np.where(x > 0, root(x), 0.0).sum()

    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(tg.vmap(tg.grad(f))(np.stack([x, x])), [[0.0, 0.25]] * 2)
        for second in (tg.hessian(f), tg.jacrev(tg.grad(f)), tg.jacrev(tg.jacfwd(f)), tg.jacfwd(tg.jacfwd(f))):
            np.testing.assert_array_equal(second(x), hessian)


def test_another_result_the_second_time_is_refused():
    rng = np.random.default_rng(0)
    noisy = tg.checkpoint(lambda x: x * rng.normal())
    with pytest.raises(RuntimeError, match="seed"):
        tg.grad(noisy)(1.0)
    w = tg.Tensor(2.0)
    y = tg.checkpoint(lambda x: x * w)(tg.Tensor(3.0))
    with tg.no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="changed before the backward"):
        y.backward()


def test_arguments_are_kept_as_they_were():
    x, data = tg.Tensor([1.0, 2.0]), np.array([3.0, 4.0])
    y = tg.checkpoint(lambda x, d: (x * x * d).sum())(x, data)
    data[:] = 0
    with tg.no_grad():
        x += 1.0
    y.backward()
    assert x.grad.tolist() == [6.0, 16.0]


def test_nothing_to_differentiate():
    f = tg.checkpoint(lambda x: x * 2)
    assert type(f(3.0)) is float and f(tg.Tensor(3.0, requires_grad=False)).node is None
    with tg.no_grad():
        assert f(tg.Tensor(3.0)).node is None


def test_a_function_that_writes_into_its_arguments():
    def f(x, p):
        x[0] = x[1] * x[2]
        p["k"] = p["k"] * x[0]
        p["a"][0] += 1.0
        return (p["k"] * x**2 * p["a"]).sum()

    x, p = np.array([0.5, -1.5, 2.0]), {"k": 3.0, "a": np.ones(3)}
    c = tg.checkpoint(f)

    def fresh(g):
        return lambda x: g(x, {"k": p["k"], "a": p["a"].copy()})

    for transform in (tg.grad, tg.hessian, tg.jacfwd, lambda g: tg.jacrev(tg.grad(g))):
        np.testing.assert_allclose(transform(fresh(c))(x), transform(fresh(f))(x), rtol=1e-13)
    xs = np.stack([x, 2 * x])
    np.testing.assert_allclose(tg.vmap(tg.grad(fresh(c)))(xs), tg.vmap(tg.grad(fresh(f)))(xs), rtol=1e-13)
