"""A user's own ops: right or refused at the second order, never silently wrong; and hooks."""

import math
import warnings

import numpy as np
import pytest

import tinygrad_sp as tg

X = np.array([0.5, -1.0, 2.0])


class Cube(tg.Op):
    cases = (((3,),),)

    def forward(x):
        return x * x * x

    def backward(grad, _out, x):
        return grad * 3 * x**2


def cube(**rules):
    """Make an op like `Cube`, with another backward."""
    body = {"forward": lambda x: x * x * x, "__module__": __name__, **rules}
    return type("MyCube", (tg.Op,), body).apply


SECOND = [
    lambda f: tg.grad(tg.grad(f))(2.0),
    lambda f: tg.jvp(tg.grad(f), (2.0,), (1.0,))[1],
    lambda f: tg.grad(lambda x: tg.jvp(f, (x,), (1.0,))[1])(2.0),
    lambda f: tg.hessian(f)(2.0),
    lambda f: tg.hvp(f, (2.0,), (1.0,)),
    lambda f: tg.vhp(f, (2.0,), (1.0,)),
    lambda f: tg.linearize(tg.grad(f), 2.0)[1](1.0),
]


def quiet(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args)


def taped(f):
    x = tg.Tensor(2.0)
    f(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    return x.grad


def test_an_op_in_a_few_lines_is_differentiated_to_every_order():
    for second in (*SECOND, taped):
        assert quiet(second, Cube.apply) == 12.0
    assert tg.grad(tg.grad(tg.grad(Cube.apply)))(2.0) == 6.0
    assert tg.jvp(Cube.apply, (2.0,), (1.0,)) == (8.0, 12.0)


def _plain(x):
    return x.numpy() if isinstance(x, tg.Tensor) else x


LEAVING = {
    "numpy": lambda g, _o, x: g * 3 * _plain(x) ** 2,
    "data": lambda g, _o, x: g * 3 * (x.data if isinstance(x, tg.Tensor) else x) ** 2,
    "detach": lambda g, _o, x: g * 3 * (x.detach() if isinstance(x, tg.Tensor) else x) ** 2,
    "item": lambda g, _o, x: g * 3 * x.item() ** 2,
    "float": lambda g, _o, x: g * 3 * float(x) ** 2,
    "tolist": lambda g, _o, x: g * 3 * np.asarray(x.tolist()) ** 2,
    "asarray": lambda g, _o, x: g * 3 * np.asarray(x) ** 2,
    "a result": lambda g, _o, x: g * 3 * _plain(x * x),
    "a new variable": lambda g, _o, x: g * 3 * tg.Tensor(_plain(x)) ** 2 if isinstance(x, tg.Tensor) else g * 3 * x**2,
}


@pytest.mark.parametrize("how", LEAVING)
def test_a_backward_that_leaves_the_graph_is_refused_at_the_second_order(how):
    f = cube(backward=LEAVING[how])
    assert tg.grad(f)(2.0) == 12.0
    for second in (*SECOND, taped):
        with pytest.raises(TypeError, match=r"MyCube"):
            quiet(second, f)


def test_no_grad_within_a_backward_does_not_stop_its_derivative():
    def backward(grad, _out, x):
        with tg.no_grad():
            slope = 3 * x**2
        return grad * slope

    f = cube(backward=backward)
    for second in (*SECOND, taped):
        assert quiet(second, f) == 12.0


def test_what_is_constant_on_purpose_says_so():
    f = cube(backward=lambda g, _o, x: g * 3 * tg.stop_gradient(x) ** 2)
    assert tg.grad(f)(2.0) == 12.0 and tg.grad(tg.grad(f))(2.0) == 0.0


def test_forward_mode_through_a_backward_that_leaves_with_its_cotangent_is_refused():
    f = cube(backward=lambda g, _o, x: _plain(g) * 3 * x**2)
    assert tg.grad(f)(2.0) == 12.0
    with pytest.raises(TypeError, match="MyCube"):
        tg.jvp(f, (2.0,), (1.0,))
    with pytest.raises(TypeError, match="MyCube"):
        tg.linearize(f, 2.0)


def test_several_results_and_arguments():
    class Polar(tg.Op):
        def forward(x, y):
            return np.hypot(x, y), np.arctan2(y, x)

        def backward(grad, out, x, y):
            r, _ = out
            gr, ga = (0.0 if g is None else g for g in (*grad, None)[:2])
            return gr * x / r - ga * y / r**2, gr * y / r + ga * x / r**2

    def f(v):
        r, a = Polar.apply(v[0], v[1])
        return r * a

    def same(v):
        return np.hypot(v[0], v[1]) * np.arctan2(v[1], v[0])

    v = np.array([0.6, 1.1])
    np.testing.assert_allclose(tg.grad(f)(v), tg.grad(same)(v))
    np.testing.assert_allclose(quiet(tg.hessian(f), v), tg.hessian(same)(v), rtol=1e-12)
    np.testing.assert_allclose(tg.jvp(f, (v,), (v,))[1], tg.jvp(same, (v,), (v,))[1])
    np.testing.assert_allclose(quiet(tg.vmap(tg.grad(f)), np.stack([v, 2 * v]))[1], tg.grad(same)(2 * v))


# ---------------------------------------------------------------------------------------------- custom_vjp


def make(**options):
    """Make log(1 + exp(x)) with a backward of its own."""

    @tg.custom_vjp
    def softplus(x):
        return np.log1p(np.exp(x))

    def fwd(x):
        e = np.exp(x)
        return np.log1p(e), (e, 1 + e)

    def bwd(saved, g):
        e, one_plus = saved
        return (g * e / one_plus,)

    softplus.defvjp(options.get("fwd", fwd), options.get("bwd", bwd))
    return softplus


def test_custom_vjp_at_every_order_in_every_mode():
    f = make()
    assert type(f(0.5)) is np.float64 and f.__name__ == "softplus"
    x = 0.5
    s = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(tg.grad(f)(x), s)
    for second in SECOND:
        np.testing.assert_allclose(second(f), tg.grad(tg.grad(tg.softplus))(2.0), rtol=1e-14)
    np.testing.assert_allclose(tg.grad(tg.grad(tg.grad(f)))(x), s * (1 - s) * (1 - 2 * s), rtol=1e-13)
    np.testing.assert_allclose(tg.vmap(tg.grad(f))(X), tg.elementwise_grad(tg.softplus)(X))
    np.testing.assert_allclose(tg.vmap(tg.grad(tg.grad(f)))(X), [tg.grad(tg.grad(tg.softplus))(x) for x in X])
    np.testing.assert_allclose(tg.grad(lambda x: tg.vmap(f)(x).sum())(X), tg.elementwise_grad(tg.softplus)(X))
    np.testing.assert_allclose(tg.jacobian(tg.vmap(f))(X), np.diag(tg.elementwise_grad(tg.softplus)(X)))


def test_custom_vjp_is_really_used():
    clipped = tg.custom_vjp(lambda x: x)
    clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    assert tg.grad(lambda x: 10 * clipped(x))(3.0) == 1.0
    x = tg.Tensor(3.0)
    (10 * clipped(x)).backward()
    assert x.grad.item() == 1.0


def test_custom_vjp_with_trees_and_fixed_arguments():
    @tg.custom_vjp
    def affine(p, x, power):
        return {"y": p["w"] * x, "n": power}

    from functools import partial

    assert affine is not None

    def scaled(f, x, k):
        return f(x) * k

    op = tg.custom_vjp(scaled, nondiff_argnums=(0,))
    op.defvjp(lambda f, x, k: (f(x) * k, (x, k)), lambda f, res, g: (g * res[1] * np.cos(res[0]), g * f(res[0])))
    np.testing.assert_allclose(tg.grad(partial(op, np.sin), argnums=(0, 1))(0.3, 2.0), (2 * np.cos(0.3), np.sin(0.3)))
    affine.defvjp(
        lambda p, x, power: (affine(p, x, power), (p, x)),
        lambda res, g: ({"w": g["y"] * res[1]}, g["y"] * res[0]["w"], None),
    )
    g = tg.grad(lambda p, x: affine(p, x, 2)["y"].sum(), argnums=(0, 1))({"w": X}, X)
    np.testing.assert_allclose(g[0]["w"], X)
    np.testing.assert_allclose(tg.grad(lambda x: affine(x=x, p={"w": X}, power=2)["y"].sum())(X), X)


def test_custom_vjp_batches_over_some_arguments():
    @tg.custom_vjp
    def f(w, x):
        return (w * x).sum()

    f.defvjp(lambda w, x: (f(w, x), (w, x)), lambda res, g: (g * res[1], g * res[0]))
    xs = np.stack([X, 2 * X])
    np.testing.assert_allclose(tg.vmap(f, in_axes=(None, 0))(X, xs), xs @ X)
    both = tg.vmap(tg.grad(f, argnums=(0, 1)), in_axes=(None, 0))(X, xs)
    np.testing.assert_allclose(both[0], xs)
    np.testing.assert_allclose(both[1], np.stack([X, X]))
    total = tg.grad(lambda w: tg.vmap(f, in_axes=(None, 0))(w, xs).sum())(X)
    np.testing.assert_allclose(total, xs.sum(axis=0))


def test_custom_vjp_of_foreign_code_is_refused_at_the_second_order():
    gamma = tg.custom_vjp(math.gamma)
    gamma.defvjp(lambda x: (math.gamma(x), x), lambda x, g: (g * math.gamma(x) * (math.log(x) - 0.5 / x),))
    slope = math.gamma(2.5) * (math.log(2.5) - 0.2)
    np.testing.assert_allclose(tg.grad(gamma)(2.5), slope)
    np.testing.assert_allclose(tg.jvp(gamma, (2.5,), (2.0,))[1], 2 * slope)
    for second in SECOND:
        with pytest.raises(TypeError, match="custom_vjp"):
            quiet(second, gamma)


def test_a_saved_number_that_left_the_graph_is_refused():
    f = make(
        fwd=lambda x: (np.log1p(np.exp(x)), float(np.exp(x))),
        bwd=lambda e, g: (g * e / (1 + e),),
    )
    assert tg.grad(f)(0.0) == 0.5
    for second in SECOND:
        with pytest.raises(TypeError, match=r"softplus|custom_vjp"):
            quiet(second, f)


def test_custom_vjp_mistakes():
    w = tg.Tensor(2.0)
    f = tg.custom_vjp(lambda x: x * w)
    with pytest.raises(TypeError, match="defvjp"):
        f(1.0)
    f.defvjp(lambda x: (x * w, None), lambda _, g: (g * 2.0,))
    with pytest.raises(TypeError, match="not an argument"):
        f(tg.Tensor(1.0))
    bad = make(bwd=lambda _, g: g)
    with pytest.raises(ValueError, match="tuple of 1"):
        tg.grad(bad)(1.0)
    bad = make(bwd=lambda _, g: (g * np.ones(3),))
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        tg.grad(bad)(1.0)
    bad = make(fwd=lambda x: x)
    with pytest.raises(TypeError, match="pair"):
        tg.grad(bad)(1.0)


# ---------------------------------------------------------------------------------------------- hooks


def test_a_hook_sees_and_replaces_the_cotangent():
    x, seen = tg.Tensor([1.0, 2.0]), []
    h = x * x
    h.register_hook(lambda g: seen.append(g.tolist()))
    h.register_hook(lambda g: g * 10)
    (3 * h).sum().backward()
    assert seen == [[3.0, 3.0]] and x.grad.tolist() == [60.0, 120.0]


def test_a_hook_on_a_leaf_sees_the_whole_gradient_and_can_be_removed():
    x, seen = tg.Tensor(2.0), []
    remove = x.register_hook(lambda g: seen.append(g.item()))
    (x * x + x).backward()
    assert seen == [5.0]
    remove()
    remove()
    (x * x).backward()
    assert seen == [5.0] and x.grad.item() == 9.0


def test_a_hook_s_result_is_differentiated_and_checked():
    x = tg.Tensor(2.0)
    y = x**2
    y.register_hook(lambda g: g * x)
    y.backward(create_graph=True)  # 2 x * x
    first, x.grad = x.grad, None
    first.backward()
    assert first.item() == 8.0 and x.grad.item() == 8.0
    z = x * np.ones(3)
    z.register_hook(lambda _: np.ones(2))
    x.grad = None
    with pytest.raises(ValueError, match="shape"):
        z.sum().backward()
    assert x.grad is None


def test_hooks_in_functional_derivatives():
    seen = []

    def f(x):
        y = tg.sin(x)
        y.register_hook(lambda g: seen.append(1) or 2 * g)
        return y

    np.testing.assert_allclose(tg.grad(f)(0.3), 2 * np.cos(0.3))
    assert seen == [1]
    x = tg.Tensor(0.3)
    y = tg.sin(x)
    y.register_hook(lambda g: 2 * g)
    np.testing.assert_allclose(tg.gradients(y, x).item(), 2 * np.cos(0.3))
    with pytest.raises(RuntimeError, match="constant"):
        tg.Tensor(1.0, requires_grad=False).register_hook(print)


def swept_twice(hooks):
    """The sixth power, with hooks at its middle: the first derivative, the second, and what the hooks saw of both."""
    seen = []
    x = tg.Tensor(2.0)
    h = x * x
    for name, hook in hooks.items():
        h.register_hook(lambda g, name=name, hook=hook: seen.append((name, g.item())) or hook(g))
    first = tg.gradients(h * h * h, x, create_graph=True)
    seen.append("the second sweep")
    return first.item(), tg.gradients(first, x).item(), seen


def test_hooks_in_the_sweep_of_a_sweep_as_in_pytorch():
    """The numbers are PyTorch's."""
    first, second, seen = swept_twice({"a": lambda _: None})
    assert (first, second) == (192.0, 480.0) and seen == [("a", 48.0), "the second sweep", ("a", 96.0)]
    first, second, seen = swept_twice({"a": lambda _: None, "b": lambda g: 2 * g, "c": lambda _: None})
    assert (first, second) == (384.0, 1728.0)
    assert seen == [("a", 48.0), ("b", 48.0), ("c", 96.0), "the second sweep", ("a", 192.0), ("b", 192.0), ("c", 384.0)]


def test_a_hook_that_is_not_linear_is_differentiated():
    x = tg.Tensor(2.0)
    h = tg.sin(x)
    h.register_hook(lambda g: g * g)
    g = tg.gradients(h * h, x, create_graph=True)
    np.testing.assert_allclose([g.item(), tg.gradients(g, x).item()], [-1.376317123198, -6.820877501349], rtol=1e-11)


def test_the_gradient_asked_for_at_a_hook_is_the_replaced_one():
    x = tg.Tensor(2.0)
    h = x * x
    h.register_hook(lambda g: 10 * g)
    gx, gh = tg.gradients(h * h, [x, h], create_graph=True)
    assert gx.item() == 320.0 and gh.item() == 80.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_hook_writes_into_its_cotangent_counts_and_stays_there(create_graph):
    x, w = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 1.0])
    h, k = x * 1.0, w * 1.0

    def write(g):
        g[0] = 100.0

    h.register_hook(write)
    gx, gw = tg.gradients((h + k).sum(), [x, w], create_graph=create_graph)  # one cotangent for both
    assert gx.tolist() == [100.0, 1.0] and gw.tolist() == [1.0, 1.0]


def test_what_a_hook_returns_is_checked():
    x = tg.Tensor([1.0, 2.0])
    for wrong, error, words in (
        (lambda _: 3.0, ValueError, r"register_hook: .*shape \(\) for a cotangent of shape \(2,\)"),
        (lambda _: np.ones((3, 2)), ValueError, r"shape \(3, 2\)"),
        (lambda g: g * 1j, TypeError, "dtype complex128 for a cotangent of dtype float64"),
        (lambda g: g > 0, TypeError, "dtype bool"),
    ):
        h = x * x
        h.register_hook(wrong)
        with pytest.raises(error, match=words):
            h.sum().backward()
        assert x.grad is None
    with pytest.raises(TypeError, match="register_hook: hook is float"):
        x.register_hook(3.0)


def test_hooks_inside_of_every_transform():
    def f(x):
        h = tg.sin(x)
        h.register_hook(lambda g: 10 * g)
        return h.sum()

    g, hx = 10 * np.cos(X), -10 * np.sin(X) * X  # linear in its cotangent: the second sweep adds nothing
    for first in (
        tg.grad(f)(X),
        tg.grad(tg.checkpoint(f))(X),
        tg.vjp(f, X)[1](1.0)[0],
        tg.jacrev(lambda x: f(x) * np.ones(2))(X)[1],
        tg.vmap(tg.grad(f))(np.stack([X, X]))[1],
        tg.jvp(tg.grad(f), (X,), (X,))[0],
    ):
        assert type(first) is np.ndarray
        np.testing.assert_allclose(first, g, rtol=1e-15)
    for second in (tg.hvp(f, (X,), (X,)), tg.linearize(tg.grad(f), X)[1](X), tg.hessian(f)(X) @ X):
        np.testing.assert_allclose(second, hx, rtol=1e-14)
    with pytest.raises(TypeError, match="register_hook"):
        tg.jvp(f, (X,), (X,))  # there are no cotangents


def test_what_a_hook_alone_reads_is_differentiated_outside():
    def inner(w):
        def f(x):
            h = tg.sin(x)
            h.register_hook(lambda g: g * w)
            return h

        return tg.grad(f)(1.0)

    slope = np.cos(1.0)
    assert tg.grad(inner)(3.0) == slope
    assert tg.jvp(inner, (3.0,), (1.0,))[1] == slope
    w = tg.Tensor(3.0)
    assert tg.gradients(inner(w), w).item() == slope
    with tg.no_grad():
        assert type(inner(w)) is np.float64


def test_threads_register_hooks_while_others_sweep():
    from concurrent.futures import ThreadPoolExecutor
    from sys import getswitchinterval, setswitchinterval

    def work(_):
        for _ in range(2000):
            x = tg.Tensor(2.0)
            h = x * x
            h.register_hook(lambda g: 2 * g)
            (h * h).backward()
            assert x.grad.item() == 64.0

    interval = getswitchinterval()
    setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    finally:
        setswitchinterval(interval)


class Both(tg.Op):
    """A product and a sum."""

    def forward(x, y):
        return x * y, x + y

    def backward(grad, _out, x, y):
        product, total = (0.0 if g is None else g for g in grad)
        return product * y + total, product * x + total


@pytest.mark.parametrize(("i", "slope", "bend"), [(0, 3.0, 0.0), (1, 1.0, 0.0)])
def test_a_rule_gets_a_cotangent_or_none_for_every_result(i, slope, bend):
    def f(x):
        return Both.apply(x, 3.0)[i]

    assert tg.grad(f)(2.0) == tg.jvp(f, (2.0,), (1.0,))[1] == slope
    assert tg.grad(tg.grad(f))(2.0) == tg.hvp(f, (2.0,), (1.0,)) == bend


def _with_tangent(rule):
    class Total(tg.Op):
        def forward(x):
            return x.sum()

        def backward(grad, _out, x):
            return grad * np.ones_like(x)

        def tangent(tangents, _out, _x):
            return rule(tangents[0])

    return lambda: tg.jvp(Total.apply, (np.ones(3),), (np.arange(3.0),))[1]


def test_what_a_tangent_of_the_user_s_gives():
    assert _with_tangent(np.sum)() == _with_tangent(lambda t: float(t.sum()))() == 3.0
    assert _with_tangent(lambda *_: None)() == 0.0
    for wrong, words in (
        (lambda t: t, r"shape \(3,\), the result has shape \(\)"),
        (lambda *_: [1.0], "list"),
        (lambda *_: "a", "str"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"Total.tangent returned {words}"):
            _with_tangent(wrong)()
