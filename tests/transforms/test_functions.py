"""grad, vjp, jvp and their relatives: what goes in, what comes out, and what is refused."""

import math
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import tinygrad_sp as tg

X = np.array([0.5, -1.5, 2.0])
A = np.array([[1.0, 2.0, -1.0], [0.5, -0.3, 0.7]])


def energy(x):
    return (tg.sin(A @ x) ** 2).sum()


# ---------------------------------------------------------------------------------------------- trees


def test_gradients_mirror_nested_arguments():
    Pair = namedtuple("Pair", "a b")
    p = {"w": [X, 2.0], "b": (Pair(1.0, X), None), "deep": {}}

    def f(p, *, scale=1.0):
        (x, k), (pair, _) = p["w"], p["b"]
        return scale * (k * x * pair.b).sum() + pair.a**2

    g = tg.grad(f)(p, scale=2.0)
    assert list(g) == ["w", "b", "deep"] and g["b"][1] is None and g["deep"] == {}
    np.testing.assert_allclose(g["w"][0], 4.0 * X)
    np.testing.assert_allclose(g["w"][1], 2.0 * (X * X).sum())
    assert isinstance(g["b"][0], Pair) and g["b"][0].a == 2.0


def test_dicts_of_a_kind_of_their_own_stay_what_they_are():
    class Params(dict):
        __getattr__ = dict.__getitem__

    given = Params(w=X, inner=defaultdict(lambda: 3.0, b=2.0), last=OrderedDict(z=1.0, a=2.0))

    def f(p):
        assert list(p.last) == ["z", "a"]
        return (p.w * p.inner["b"] * p.inner["nowhere"]).sum() + p.last["z"]

    g = tg.grad(f)(given)
    assert type(g) is Params and type(g.inner) is defaultdict and type(g.last) is OrderedDict
    np.testing.assert_array_equal(g.w, np.full(3, 6.0))
    assert list(g.inner) == ["b"] and g.last == {"z": 1.0, "a": 0.0}


def test_arguments_by_position_by_name_and_several():
    def f(x, y, *, z):
        return x * y * z

    assert tg.grad(f)(2.0, 3.0, z=4.0) == 12.0
    assert tg.grad(f, argnums=-1)(2.0, 3.0, z=4.0) == 8.0
    assert tg.grad(f, argnums="z")(2.0, 3.0, z=4.0) == 6.0
    assert tg.grad(f, argnums="y")(2.0, 3.0, z=4.0) == 8.0
    assert tg.grad(f, argnums=(1, 0, "z"))(2.0, 3.0, z=4.0) == (8.0, 12.0, 6.0)
    for wrong in (2, "q"):
        with pytest.raises(TypeError, match="argnums"):
            tg.grad(f, argnums=wrong)(2.0, 3.0, z=4.0)


def test_results_may_be_trees_too():
    def f(x, k):
        return {"a": x * k, "b": [x.sum(), 7.0]}

    y, pull = tg.vjp(f, X, 3.0)
    assert list(y) == ["a", "b"] and y["b"][1] == 7.0
    gx, gk = pull({"a": np.ones(3), "b": [2.0, 1.0]})
    np.testing.assert_allclose(gx, [5.0, 5.0, 5.0])
    assert gk == X.sum()
    y, t = tg.jvp(f, (X, 3.0), (np.ones(3), 1.0))
    np.testing.assert_allclose(t["a"], 3.0 + X)
    assert t["b"] == [3.0, 0.0]


def test_aux_is_handed_through():
    def f(x):
        return (x**2).sum(), {"norm": x * 2, "text": "hi"}

    g, aux = tg.grad(f, has_aux=True)(X)
    assert aux["text"] == "hi" and type(aux["norm"]) is np.ndarray
    (value, aux), g2 = tg.value_and_grad(f, has_aux=True)(X)
    np.testing.assert_array_equal(g, g2)
    assert value == (X**2).sum()
    for transform in (tg.vjp(f, X, has_aux=True), tg.jvp(f, (X,), (X,), has_aux=True)):
        assert transform[2]["text"] == "hi" and type(transform[2]["norm"]) is np.ndarray
    for jac in (tg.jacrev, tg.jacfwd, tg.jacobian):
        j, aux = jac(f, has_aux=True)(X)
        np.testing.assert_allclose(j, 2 * X)
        assert aux["text"] == "hi" and type(aux["norm"]) is np.ndarray
    with pytest.raises(TypeError, match="pair"):
        tg.grad(lambda x: x.sum(), has_aux=True)(X)


# ---------------------------------------------------------------------------------------------- arrays or Tensors


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_plain_in_plain_out_with_the_dtype(dtype):
    x = X.astype(dtype)
    value, g = tg.value_and_grad(lambda x: (x * x).sum())(x)
    assert type(g) is np.ndarray and g.dtype == dtype and value.dtype == dtype
    y, t = tg.jvp(lambda x: x * x, (x,), (x,))
    assert t.dtype == dtype and type(y) is np.ndarray
    assert tg.jacobian(lambda x: x * x)(x).dtype == dtype
    assert tg.vmap(lambda x: x * x)(x).dtype == dtype


def test_tensors_in_recorded_tensors_out():
    x = tg.Tensor(X)
    g = tg.grad(energy)(x)
    assert isinstance(g, tg.Tensor) and x.grad is None
    (g * X).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tg.hvp(energy, (X,), (X,)), rtol=1e-12)
    for result in (
        tg.jvp(energy, (x,), (X,))[1],
        tg.jacobian(lambda x: A @ tg.sin(x))(x).sum(),
        tg.vmap(lambda v: v**3)(x).sum(),
        tg.vjp(energy, x)[0],
        tg.linearize(energy, x)[1](X),
        tg.laplacian(energy)(x),
    ):
        assert isinstance(result, tg.Tensor) and result.node is not None
        assert np.all(np.isfinite(tg.gradients(result, x).numpy()))
    constant = tg.Tensor(X, requires_grad=False)
    assert isinstance(tg.grad(energy)(constant), tg.Tensor) and tg.grad(energy)(constant).node is None


def test_results_are_the_users_own():
    x = X.copy()
    y, pull = tg.vjp(lambda x: x, x)
    y += 1
    c = np.ones(3)
    (g,) = pull(c)
    g += 1
    assert np.all(c == 1) and np.all(x == X)
    a, b = tg.grad(lambda x, y: (x + y).sum(), argnums=(0, 1))(x, x)
    a += 1
    assert np.all(b == 1)
    x[:] = 0  # what pull will read was copied
    y, pull = tg.vjp(lambda x: x * x, v := X.copy())
    v[:] = 0
    np.testing.assert_allclose(pull(np.ones(3))[0], 2 * X)


def test_pull_can_be_called_again_and_nothing_is_left_in_grad():
    w = tg.Tensor(2.0)
    _, pull = tg.vjp(lambda x: (x * x * x).sum(), X)
    np.testing.assert_array_equal(pull(1.0)[0], pull(1.0)[0])
    tg.grad(lambda x: (w * x).sum())(X)
    assert w.grad is None


def test_what_a_function_reads_besides_is_differentiated_by_who_asks():
    w = tg.Tensor(2.0)
    g = tg.grad(lambda x: w * x * x)(3.0)
    g.backward()
    assert float(g) == 12.0 and float(w.grad) == 6.0
    with tg.no_grad():
        assert type(tg.grad(lambda x: w * x * x)(3.0)) is np.float64
        assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12.0


def test_no_dependence_gives_exact_zeros():
    for g in (
        tg.grad(lambda _: 3.0),
        tg.grad(lambda x: tg.sign(x).sum()),
        tg.grad(lambda x: tg.stop_gradient(x).sum()),
    ):
        result = g(X.astype(np.float32))
        assert result.dtype == np.float32 and np.array_equal(result, np.zeros(3))
    assert np.array_equal(tg.jacobian(lambda _: np.ones(2))(X), np.zeros((2, 3)))
    assert np.array_equal(tg.jacfwd(lambda _: np.ones(2))(X), np.zeros((2, 3)))
    assert np.array_equal(tg.hessian(lambda x: x.sum())(X), np.zeros((3, 3)))
    assert np.array_equal(tg.jvp(lambda _: np.ones(2), (X,), (X,))[1], np.zeros(2))
    assert np.array_equal(tg.linearize(lambda _: np.ones(2), X)[1](X), np.zeros(2))


# ---------------------------------------------------------------------------------------------- refused


def test_integers_are_refused_by_name():
    def f(x, count):
        return x * count

    for call in (
        lambda: tg.grad(f, argnums=1)(2.0, 3),
        lambda: tg.vjp(f, 2.0, 3),
        lambda: tg.jvp(f, (2.0, 3), (1.0, 1.0)),
        lambda: tg.jacobian(f, argnums=(0, 1))(2.0, 3),
    ):
        with pytest.raises(TypeError, match=r"argument 1 \(count\) is int .*3\.0, not 3"):
            call()
    with pytest.raises(TypeError, match=r"\['n'\]\[0\]"):
        tg.grad(lambda p: p["x"])({"x": 1.0, "n": [np.arange(3)]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tg.grad(lambda x: x)(X), r"one number, it returned shape \(3,\)"),
        (lambda: tg.grad(lambda x: (x[0], x[1]))(X), "2 arrays"),
        (lambda: tg.grad(lambda x: x * 1j)(1.0), "complex"),
        (lambda: tg.vjp(lambda x: x, X)[1](np.ones(2)), r"shape \(2,\)"),
        (lambda: tg.vjp(lambda x: x, X)[1](np.ones(3) * 1j), "complex128"),
        (lambda: tg.vjp(lambda x: (x, x), X)[1](np.ones(3)), "tuple is wanted"),
        (lambda: tg.vjp(lambda x: (x, x), X)[1]((X,)), "1 items"),
        (lambda: tg.vjp(lambda x: {"a": x}, X)[1]({"b": X}), "'b'"),
        (lambda: tg.jvp(energy, X, X), "sequences"),
        (lambda: tg.jvp(energy, (X,), (X, X)), "2 tangents for 1"),
        (lambda: tg.jvp(energy, (X,), (1.0,)), r"tangent of argument 0 \(x\) has shape \(\)"),
        (lambda: tg.jacobian(lambda x: np.argsort(x))(X), "int64"),
        (lambda: tg.gradients(tg.Tensor(1.0) * 2, X), "xs is ndarray"),
    ],
)
def test_mistakes_are_explained(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_what_outlives_its_transform_is_refused():
    kept = []
    tg.jvp(lambda x: kept.append(x) or x, (1.0,), (1.0,))
    tg.vmap(lambda x: kept.append(x) or x)(X)
    for leaked in kept:
        with pytest.raises(RuntimeError, match="beyond the call"):
            leaked * 2


def test_a_transform_s_values_do_not_become_plain_arrays():
    for f in (
        lambda x: np.asarray(x),
        lambda x: tg.Tensor(x),
        lambda x: x.backward(),
        lambda x: np.sin(x, out=np.zeros(3)),
    ):
        with pytest.raises(TypeError):
            tg.jvp(f, (X,), (X,))


# ---------------------------------------------------------------------------------------------- the tape by name


def test_gradients_are_total_derivatives():
    x = tg.Tensor(3.0)
    h = x * x
    y = h * x
    unused = tg.Tensor(np.ones(2))
    gx, gh, gu = tg.gradients(y, [x, h, unused], retain_graph=True)
    assert (float(gx), float(gh)) == (27.0, 3.0) and gu.numpy().tolist() == [0.0, 0.0]
    assert x.grad is None
    (g,) = tg.gradients(y, (x,), create_graph=True)
    assert float(tg.gradients(g, x)) == 18.0
    assert float(tg.gradients({"a": x * 2, "b": x * x}, x, {"a": 1.0, "b": 10.0})) == 62.0
    with pytest.raises(RuntimeError, match="shape"):
        tg.gradients(x * np.ones(3), x)


def test_a_recorded_cotangent_is_differentiated_too():
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    g = tg.gradients(x * x, x, w, create_graph=True)
    np.testing.assert_array_equal(g.numpy(), [6.0, 16.0])
    np.testing.assert_array_equal(tg.gradients(g.sum(), w, retain_graph=True).numpy(), [2.0, 4.0])
    np.testing.assert_array_equal(tg.gradients(g.sum(), x).numpy(), [6.0, 8.0])
    assert tg.gradients(x * x, x, w).node is None


def test_elementwise_grad_is_the_derivative_everywhere():
    x = np.linspace(-3, 3, 7)
    f = tg.elementwise_grad(tg.elementwise_grad(np.sin))
    np.testing.assert_allclose(f(x), -np.sin(x), atol=1e-15)


# ---------------------------------------------------------------------------------------------- matrices of derivatives


def test_jacobians_nest_results_and_arguments():
    def f(p, k):
        return {"y": A @ p["x"] * k, "s": p["x"].sum()}

    p = {"x": X}
    for jac in (tg.jacrev, tg.jacfwd, tg.jacobian):
        j = jac(f, argnums=(0, 1))(p, 2.0)
        np.testing.assert_allclose(j["y"][0]["x"], 2 * A)
        np.testing.assert_allclose(j["y"][1], A @ X)
        np.testing.assert_allclose(j["s"][0]["x"], np.ones(3))
        assert j["s"][1] == 0.0
    h = tg.hessian(lambda p: (p["x"] ** 2).sum() * p["k"])({"x": X, "k": 3.0})
    np.testing.assert_allclose(h["x"]["x"], 6 * np.eye(3))
    np.testing.assert_allclose(h["x"]["k"], 2 * X)
    np.testing.assert_allclose(h["k"]["x"], 2 * X)
    assert h["k"]["k"] == 0.0


def test_a_real_argument_may_have_a_complex_result():
    def f(x):
        return np.exp(1j * x) * np.array([1.0, 2.0, 3.0])

    want = np.diag(1j * np.exp(1j * X) * np.array([1.0, 2.0, 3.0]))
    for jac in (tg.jacrev, tg.jacfwd, tg.jacobian):
        np.testing.assert_allclose(jac(f)(X), want, atol=1e-15)


def test_second_derivatives_agree_with_each_other():
    h = tg.hessian(energy)(X)
    np.testing.assert_allclose(h, h.T, atol=1e-14)
    np.testing.assert_allclose(h, tg.jacrev(tg.grad(energy))(X), atol=1e-13)
    np.testing.assert_allclose(h, tg.jacfwd(tg.jacfwd(energy))(X), atol=1e-13)
    np.testing.assert_allclose(h, tg.jacrev(tg.jacfwd(energy))(X), atol=1e-13)
    np.testing.assert_allclose(tg.laplacian(energy)(X), np.trace(h), atol=1e-13)
    np.testing.assert_allclose(tg.hvp(energy, (X,), (X,)), h @ X, atol=1e-13)
    np.testing.assert_allclose(tg.vhp(energy, (X,), (X,)), h @ X, atol=1e-13)
    both = tg.hvp(lambda x, k: k * energy(x), (X, 2.0), (X, 1.0))
    np.testing.assert_allclose(both[0], 2 * h @ X + tg.grad(energy)(X), atol=1e-13)


def test_third_and_fourth_derivatives_in_every_order_of_modes():
    def push(f):
        return lambda x: tg.jvp(f, (x,), (1.0,))[1]

    def fast(f):
        return lambda x: tg.linearize(f, x)[1](1.0)

    want = {3: -np.cos(0.7), 4: np.sin(0.7)}
    modes = (tg.grad, push, fast, tg.jacobian)
    for a in modes:
        for b in modes:
            for c in modes:
                np.testing.assert_allclose(a(b(c(np.sin)))(0.7), want[3], rtol=1e-13)
    np.testing.assert_allclose(push(tg.grad(push(tg.grad(np.sin))))(0.7), want[4], rtol=1e-13)
    np.testing.assert_allclose(tg.grad(push(tg.grad(push(np.sin))))(0.7), want[4], rtol=1e-13)


# ---------------------------------------------------------------------------------------------- complex numbers


def test_complex_gradients_point_uphill():
    z = np.array([1 + 2j, -0.5 + 0.3j])

    def f(z):
        return np.abs(np.exp(z) * z).sum()

    g = tg.grad(f)(z)
    for direction in (1.0, 1j):
        for i in range(2):
            u = np.eye(2)[i] * direction
            change = (f(z + 1e-6 * u) - f(z - 1e-6 * u)) / 2e-6
            np.testing.assert_allclose(np.sum(np.real(np.conj(g) * u)), change, rtol=1e-8)
            np.testing.assert_allclose(tg.jvp(f, (z,), (u.astype(complex),))[1], change, rtol=1e-8)


def test_a_derivative_lost_to_plain_numbers_is_told_of():
    """Functions of `math` ask a value for its number: what they give is a constant, and the derivative zero."""
    x = 0.5
    for name, transform in {
        "grad": lambda f: tg.grad(f)(x),
        "value_and_grad": lambda f: tg.value_and_grad(f)(x)[1],
        "vjp": lambda f: tg.vjp(f, x)[1](1.0)[0],
        "jvp": lambda f: tg.jvp(f, (x,), (1.0,))[1],
        "jacrev": lambda f: tg.jacrev(f)(x),
        "hvp": lambda f: tg.hvp(f, (x,), (1.0,)),
        "linearize": lambda f: tg.linearize(f, x)[1](1.0),
    }.items():
        for f in (math.sin, lambda x: np.float64(x) ** 2, lambda x: float(x * 2)):
            with pytest.warns(UserWarning, match=rf"^{name}: .*became a plain number") as found:
                assert transform(f) == 0.0
            assert found[0].filename == __file__ and len(found) == 1
    with pytest.warns(UserWarning, match=r"argument 1 \(k\) became .*\n.*test_functions"):
        assert tg.grad(lambda x, k: x * math.exp(k), argnums=(0, 1))(2.0, 0.0) == (1.0, 0.0)


def test_numbers_that_are_looked_at_are_no_loss():
    seen = []

    def f(x):
        seen.append(float(x))
        return x * x if float(x) > 0 else 1.0 * int(x) * x

    assert tg.grad(f)(3.0) == 6.0 and tg.jvp(f, (3.0,), (1.0,))[1] == 6.0 and seen == [3.0, 3.0]
    assert tg.grad(lambda x: [1.0, 2.0, 3.0][int(x)])(1.5) == 0.0
    assert tg.grad(lambda x: float(tg.stop_gradient(x)))(1.5) == 0.0
    assert tg.grad(lambda _: 3.0)(1.5) == 0.0


def test_one_number_is_a_scalar_of_numpy_everywhere():
    for matrix in (tg.jacrev, tg.jacfwd, tg.jacobian, tg.hessian):
        assert type(matrix(lambda x: x * x)(3.0)) is np.float64, matrix
    for f in (np.linalg.det, lambda m: m[0] @ m[1] ** 2, lambda m: np.tensordot(m, m, 2)):
        m = np.array([[2.0, 1.0], [0.5, 3.0]])
        y, t = tg.jvp(f, (m,), (m,))
        assert type(y) is type(t) is type(tg.linearize(f, m)[1](m)) is type(tg.vjp(f, m)[0]) is np.float64


def test_a_complex_number_of_python_s_beside_a_number():
    def f(x):
        return (1j * x * np.exp(2j * x)).real  # Python's complex times NumPy's float is Python's

    x, slope = 0.3, -np.sin(0.6) - 0.6 * np.cos(0.6)
    for first in (tg.grad(f)(x), tg.jvp(f, (x,), (1.0,))[1], tg.jacfwd(f)(x), tg.linearize(f, x)[1](1.0)):
        np.testing.assert_allclose(first, slope, rtol=1e-14)
    np.testing.assert_allclose(tg.hessian(f)(x), -4 * np.cos(0.6) + 1.2 * np.sin(0.6), rtol=1e-14)


def test_elementwise_grad_has_the_function_s_arguments():
    def f(x, y):
        return x * y

    assert tg.elementwise_grad(f, argnums="y")(2.0, 3.0) == 2.0
    with pytest.raises(TypeError, match=r"argument 0 \(x\) is int"):
        tg.elementwise_grad(f)(2, 3.0)


def test_an_argument_named_twice_is_refused():
    for argnums in ((0, 0), (0, -2), ("x", 0)):
        with pytest.raises(ValueError, match="argnums names argument 0 twice"):
            tg.grad(lambda x, y: x * y, argnums)(2.0, 3.0)


def test_linearize_with_results_of_integers():
    y, push = tg.linearize(lambda x: (x * x, np.arange(3)), 3.0)
    tangent = push(1.0)
    assert y[0] == 9.0 and tangent[0] == 6.0
    np.testing.assert_array_equal(tangent[1], np.zeros(3), strict=True)


class Counted(Counter):
    pass


class Pair(tuple):
    __slots__ = ()

    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))


@pytest.mark.parametrize(("given", "i", "j"), [(Counted(a=2.0, b=3.0), "a", "b"), (Pair(2.0, 3.0), 0, 1)])
def test_containers_of_a_class_of_its_own(given, i, j):
    found = tg.grad(lambda p: p[i] * p[j] ** 2)(given)
    assert type(found) is type(given) and len(found) == 2
    assert (found[i], found[j]) == (9.0, 12.0)


@pytest.mark.parametrize("f", [lambda _: X * 1, lambda x: x * 2, lambda x: x * x, lambda x: tg.stop_gradient(x)])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_tensors_in_tensors_out_whether_the_result_depends_on_them_or_not(f, requires_grad):
    x = tg.Tensor(X, requires_grad=requires_grad)

    def total(x):
        return f(x).sum()

    for of in (X, x):
        results = [
            tg.grad(total)(of),
            *tg.value_and_grad(total)(of),
            tg.vjp(f, of)[0],
            *tg.vjp(f, of)[1](X),
            *tg.jvp(f, (of,), (X,)),
            tg.linearize(f, of)[0],
            tg.linearize(f, of)[1](X),
            tg.jacfwd(f)(of),
            tg.jacrev(f)(of),
            tg.jacobian(f)(of),
            tg.hessian(total)(of),
            tg.hvp(total, (of,), (X,)),
            tg.vhp(total, (of,), (X,)),
            tg.laplacian(total)(of),
            tg.elementwise_grad(f)(of),
            tg.vmap(f)(of),
        ]
        assert [isinstance(y, tg.Tensor) for y in results] == [of is x] * len(results)


@pytest.mark.parametrize("of", [X, tg.Tensor(X)])
def test_what_is_handed_through_stays_what_it_is(of):
    def f(x):
        return x.sum(), {"name": "a", "n": 3, "none": None, "double": x * 2}

    for aux in (
        tg.grad(f, has_aux=True)(of)[1],
        tg.vjp(f, of, has_aux=True)[2],
        tg.jvp(f, (of,), (X,), has_aux=True)[2],
        tg.jacfwd(f, has_aux=True)(of)[1],
        tg.jacrev(f, has_aux=True)(of)[1],
        tg.hessian(f, has_aux=True)(of)[1],
    ):
        assert aux["name"] == "a" and type(aux["n"]) is int and aux["none"] is None
        assert isinstance(aux["double"], tg.Tensor) == (of is not X)
        np.testing.assert_array_equal(tg.stop_gradient(aux["double"]), 2 * X)


@pytest.mark.parametrize("number", [3.0, 3, True, np.float32(3)])
def test_a_result_that_is_a_number_of_python_s(number):
    for y in (
        tg.value_and_grad(lambda _: number)(1.0)[0],
        tg.vjp(lambda _: number, 1.0)[0],
        tg.jvp(lambda _: number, (1.0,), (1.0,))[0],
        tg.linearize(lambda _: number, 1.0)[0],
    ):
        assert isinstance(y, np.generic) and y == number
    x = tg.Tensor(1.0)
    for y in (tg.vjp(lambda _: number, x)[0], tg.jvp(lambda _: number, (x,), (1.0,))[0]):
        assert isinstance(y, tg.Tensor) and y.dtype == np.asarray(number).dtype
