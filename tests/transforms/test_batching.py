"""vmap: axes, nesting, what is shared, what can't be batched, what it costs."""

import warnings

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.sweep import sweep
from tinygrad_sp.transforms import batching, reverse

RNG = np.random.default_rng(3)
X = RNG.normal(size=(4, 3))


@pytest.fixture(autouse=True)
def _warnings_anew(monkeypatch):
    monkeypatch.setattr(batching, "_SAID", set())


def test_axes_in_and_out():
    f = tg.vmap(lambda a, b: (a + b, a * 2), in_axes=(1, None), out_axes=(0, -1))
    s, d = f(X, np.ones(4))
    np.testing.assert_allclose(s, X.T + 1)
    np.testing.assert_allclose(d, X * 2)
    g = tg.vmap(lambda p, k: p["x"] * p["y"] + k, in_axes=({"x": 0, "y": None}, -1))
    np.testing.assert_allclose(g({"x": X, "y": np.arange(3.0)}, X.T), X * np.arange(3.0) + X)
    np.testing.assert_allclose(tg.vmap(lambda x, *, k: x * k)(X, k=np.arange(4.0)), X * np.arange(4.0)[:, None])


def test_results_that_all_share():
    assert tg.vmap(lambda x: (x, 3.0), out_axes=(0, None))(X)[1] == 3.0
    np.testing.assert_array_equal(tg.vmap(lambda x: (x, np.arange(2.0)))(X)[1], np.tile(np.arange(2.0), (4, 1)))
    with pytest.raises(ValueError, match="out_axes is None"):
        tg.vmap(lambda x: x, out_axes=None)(X)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tg.vmap(lambda x, y: x + y)(X, np.ones(3)), "argument 0.*4.*argument 1.*3"),
        (lambda: tg.vmap(lambda x, y: x + y)(X, 2.0), r"argument 1 has shape \(\), no axis 0; give in_axes=None"),
        (lambda: tg.vmap(lambda x: x, in_axes=None)(X), "nothing is batched"),
        (lambda: tg.vmap(lambda x: x, in_axes=(0, 0))(X), "in_axes: 2 items"),
        (lambda: tg.vmap(lambda x: x, in_axes=2)(X), "no axis 2"),
        (lambda: tg.vmap(lambda x: x, in_axes=1.0)(X), "in_axes: 1.0 for an array; the number of an axis"),
        (lambda: tg.vmap(lambda x: x, in_axes="0")(X), "in_axes: '0' for an array"),
        (lambda: tg.vmap(lambda x: x, in_axes=True)(X), "in_axes: True for an array"),
        (lambda: tg.vmap(lambda x: x, in_axes=((0, 1),))(X), r"in_axes: \(0, 1\) for an array"),
        (lambda: tg.vmap(lambda p: p["a"], in_axes=({"b": 0},))({"a": X}), r"in_axes: \['b'\], where \['a'\]"),
        (lambda: tg.vmap(lambda p: p["a"], in_axes=([0],))({"a": X}), "in_axes: list for a dict"),
        (lambda: tg.vmap(lambda p: p[0], in_axes=({"a": 0},))([X]), "in_axes: dict for a list"),
        (lambda: tg.vmap(lambda x: x, out_axes=5)(X), r"out_axes is 5 for a result of shape \(3,\)"),
        (lambda: tg.vmap(lambda _: 1.0, out_axes=1)(X), r"out_axes is 1 for a result of shape \(\)"),
        (lambda: tg.vmap(lambda x: x, out_axes=0.0)(X), "out_axes: 0.0 for an array"),
        (lambda: tg.vmap(lambda x: x, out_axes=(0, 1))(X), r"out_axes: \(0, 1\) for an array"),
        (lambda: tg.vmap(lambda x: {"a": x}, out_axes={"b": 0})(X), r"out_axes: \['b'\], where"),
    ],
)
def test_mistakes_are_explained(call, words):
    with pytest.raises((ValueError, TypeError), match="vmap: .*" + words):
        call()


def test_batches_nest():
    a, b = RNG.normal(size=(2, 3)), RNG.normal(size=(5, 3))
    inner = tg.vmap(tg.vmap(np.dot, in_axes=(None, 0)), in_axes=(0, None))
    np.testing.assert_allclose(inner(a, b), a @ b.T)
    h = tg.vmap(tg.hessian(lambda x: (x**3).sum()))(a)
    np.testing.assert_allclose(h, [np.diag(6 * row) for row in a])
    j = tg.jacobian(tg.vmap(lambda x: x[0] * x))(a)
    np.testing.assert_allclose(j[1, :, 1], tg.jacobian(lambda x: x[0] * x)(a[1]))
    np.testing.assert_array_equal(j[1, :, 0], np.zeros((3, 3)))


def test_per_example_gradients_in_one_call():
    w, xs, ys = RNG.normal(size=3), RNG.normal(size=(50, 3)), RNG.normal(size=50)
    loss = lambda w, x, y: (tg.tanh(w @ x) - y) ** 2  # noqa: E731
    together = tg.vmap(tg.grad(loss), in_axes=(None, 0, 0))(w, xs, ys)
    np.testing.assert_allclose(together, [tg.grad(loss)(w, x, y) for x, y in zip(xs, ys, strict=True)])
    value = tg.grad(lambda w: tg.vmap(loss, in_axes=(None, 0, 0))(w, xs, ys).sum())(w)
    np.testing.assert_allclose(value, together.sum(axis=0))


def test_functions_that_are_not_differentiable_are_batched_too():
    for f in (
        np.argmax,
        np.argsort,
        np.sign,
        lambda x: x > 0,
        lambda x: np.any(x > 1),
        np.floor,
        np.isnan,
        np.count_nonzero,
    ):
        want = np.stack([np.asarray(f(x)) for x in X])
        got = tg.vmap(f)(X)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_indices_of_every_kind():
    x = RNG.normal(size=(3, 4, 5, 2))
    places = np.array([[0, 2], [1, 1]])
    for index in (
        1,
        (slice(None), 2),
        (..., 0),
        (None, slice(1, 3), ..., None),
        (slice(None, None, -1), [0, 2]),
        ([0, 1], slice(None), [1, 0]),
        (places, places.T, 0),
        (np.arange(4) > 1,),
        (..., RNG.random((5, 2)) > 0.5),
        (slice(None), RNG.random(5) > 0.3),
    ):
        f = lambda x, index=index: x[index]  # noqa: E731
        np.testing.assert_array_equal(tg.vmap(f)(x), np.stack([f(e) for e in x]))
        g = lambda x, index=index: (x[index] ** 2).sum()  # noqa: E731
        np.testing.assert_allclose(tg.vmap(tg.grad(g))(x), np.stack([tg.grad(g)(e) for e in x]))


def test_an_index_of_its_own_for_each_example():
    x, table = RNG.normal(size=(4, 5, 3)), tg.Tensor(RNG.normal(size=(6, 3)), requires_grad=False)
    i, j = np.array([0, 4, 2, 2]), np.array([[0, 1], [2, 2], [1, 0], [0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f, args in (
            (lambda x, i: x[i], (x, i)),
            (lambda x, j: x[j], (x, j)),
            (lambda x, j: x[j, 1], (x, j)),
            (lambda x, j: x[j, j], (x, j)),
            (lambda x, i, j: x[i, j], (x, i, j)),
            (lambda x, j: x[np.array([[0], [2]]), j, 1:], (x[:, :, :, None] * np.ones(2), j)),
        ):
            want = np.stack([f(*one) for one in zip(*args, strict=True)])
            np.testing.assert_array_equal(tg.vmap(f)(*args), want)
            g = lambda *a, f=f: (f(*a) ** 2).sum()  # noqa: E731
            h = lambda *a, g=g: tg.hvp(lambda x: g(x, *a[1:]), a[:1], a[:1])  # noqa: E731
            slopes = np.stack([tg.grad(g)(*one) for one in zip(*args, strict=True)])
            np.testing.assert_allclose(tg.vmap(tg.grad(g))(*args), slopes)
            np.testing.assert_allclose(tg.grad(lambda *a, g=g: tg.vmap(g)(*a).sum())(*args), slopes)
            np.testing.assert_allclose(tg.vmap(h)(*args), slopes)
        np.testing.assert_array_equal(tg.vmap(lambda i: table[i])(j), table.numpy()[j])
        lookups = tg.grad(lambda t: (tg.vmap(lambda i: t[i])(j) ** 2).sum())
        np.testing.assert_allclose(lookups(table.numpy()), tg.grad(lambda t: (t[j] ** 2).sum())(table.numpy()))
    with pytest.warns(UserWarning, match="Gather"):
        got = tg.vmap(lambda x, i: x[:, i])(x, i % 3)
    np.testing.assert_array_equal(got, np.stack([a[:, k % 3] for a, k in zip(x, i, strict=True)]))


def test_writing_in_place_by_example():
    def f(x, v):
        x = x * 1.0
        x[1:] = v
        x[0] += v
        return x

    want = np.stack([[a[0] + v, v, v] for a, v in zip(X, np.arange(4.0), strict=True)])
    np.testing.assert_allclose(tg.vmap(f)(X, np.arange(4.0)), want)
    np.testing.assert_allclose(tg.vmap(f, in_axes=(0, None))(X, 2.0)[1], [X[1, 0] + 2, 2, 2])


# ---------------------------------------------------------------------------------------------- loops


@pytest.mark.filterwarnings("ignore:vmap")
def test_writing_by_a_mask_that_was_computed():
    xs = np.array([[1.0, -2.0, 3.0], [-1.0, 5.0, -6.0]])

    def f(x):
        y = x * x
        y[x > 0] = 7.0
        return y.sum()

    wanted = np.where(xs > 0, 0.0, 2 * xs)
    np.testing.assert_array_equal(tg.vmap(tg.grad(f))(xs), wanted)
    np.testing.assert_array_equal(tg.vmap(lambda x: tg.jvp(tg.grad(f), (x,), (x,))[1])(xs), wanted)


def test_what_decides_by_values_is_looped_and_said_once():
    def f(x):
        return x.sum() if x[0] > 0 else np.prod(x)

    batched = tg.vmap(f)
    with pytest.warns(UserWarning, match=r"f can't be batched.*one example after the other") as found:
        got = batched(X)
    assert found[0].filename == __file__
    np.testing.assert_allclose(got, [f(x) for x in X])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batched(X)
    for leave in (
        lambda x: np.asarray(x).sum(),
        lambda x: float(x.sum()),
        lambda x: np.linalg.matrix_rank(x[None]) * 1.0,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(tg.vmap(leave)(X), [leave(x) for x in X])
    with pytest.raises(ValueError, match="different shapes"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tg.vmap(lambda x: x[x > 0])(X)


def test_storing_into_a_plain_array_is_looped():
    def f(x):
        out = np.zeros(2)
        out[0] = x[0] * 2  # NumPy asks the element for its number, and makes another error of the refusal
        return out

    with pytest.warns(UserWarning, match="f can't be batched"):
        np.testing.assert_array_equal(tg.vmap(f)(X), np.stack([2 * X[:, 0], np.zeros(4)], axis=1))
    with pytest.raises(ValueError, match="could not convert"):
        tg.vmap(lambda x: x * float("no number"))(X)


def test_functions_of_one_name_are_each_told_of():
    def make(k):
        return lambda x: x * k if x[0] > 0 else x

    def other():
        return lambda x: x if x[0] > 0 else -x

    one, two = make(1.0), other()
    one.__qualname__ = two.__qualname__ = "f"
    for f in (one, two):
        with pytest.warns(UserWarning, match="f can't be batched"):
            tg.vmap(f)(X)


def test_an_inner_function_is_looped_alone():
    calls = []

    def decides(x):
        calls.append(1)
        return x * 2 if x > 0 else -x

    with pytest.warns(UserWarning, match="decides"):
        got = tg.vmap(lambda row: tg.vmap(decides)(row))(X)
    np.testing.assert_allclose(got, np.where(X > 0, 2 * X, -X))


def test_a_user_s_op_is_looped_unless_it_says_how():
    class Norm(tg.Op):
        def forward(x):
            return np.sqrt((x * x).sum())

        def backward(grad, out, x):
            return grad * x / out

    class Rows(tg.Op):
        def forward(x):
            return np.sqrt((x * x).sum(axis=-1))

        def backward(grad, out, x):
            return (grad / out)[..., None] * x

        def batch(_size, _batched, x):
            return Rows.apply(x)

    with pytest.warns(UserWarning, match="the op Norm can't be batched"):
        np.testing.assert_allclose(tg.vmap(Norm.apply)(X), np.linalg.norm(X, axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(tg.vmap(Rows.apply)(X), np.linalg.norm(X, axis=1))
        np.testing.assert_allclose(tg.vmap(tg.grad(Rows.apply))(X), X / np.linalg.norm(X, axis=1, keepdims=True))


# ---------------------------------------------------------------------------------------------- cost


def test_a_jacobian_is_not_a_loop_over_rows(monkeypatch):
    a = RNG.normal(size=(300, 20))
    f = lambda x: tg.sin(a @ tg.tanh(x) + (x * x).sum())  # noqa: E731
    x = RNG.normal(size=20)
    pull = tg.vjp(f, x)[1]
    unit = np.eye(300)
    np.testing.assert_allclose(tg.jacrev(f)(x), np.stack([pull(e)[0] for e in unit]), atol=1e-14)
    sweeps = []
    monkeypatch.setattr(reverse, "sweep", lambda *args, **options: sweeps.append(1) or sweep(*args, **options))
    tg.jacrev(f)(x)
    assert len(sweeps) == 1


def test_a_function_is_called_once_for_a_whole_jacobian():
    calls = []

    def f(x):
        calls.append(1)
        return tg.sin(x)

    for jac, count in ((tg.jacrev, 1), (tg.jacfwd, 1), (tg.jacobian, 1)):
        calls.clear()
        jac(f)(np.ones(50))
        assert len(calls) == count


def test_examples_with_results_of_different_structure_are_told_of():
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="the result for an example: 2 items, where 1 are"):
        tg.vmap(lambda x: (x,) if x > 0 else (x, x))(np.array([1.0, -1.0]))


def test_a_keyword_that_is_no_batch_says_how_to_share_it():
    with pytest.raises(ValueError, match=r"argument 'mode' has shape .*functools.partial"):
        tg.vmap(lambda x, *, mode: x if mode else -x)(np.ones(2), mode=True)
