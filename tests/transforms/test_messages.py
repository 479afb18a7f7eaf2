"""Every error of a call names the transform that was called, whatever it is made of; and says what to write."""

import re

import numpy as np
import pytest

import tinygrad_sp as tg

X = np.array([0.5, -1.5, 2.0])


def made(name):
    """A transform that takes a function and returns one, and is called with that one's arguments."""
    return lambda f, *args, **options: getattr(tg, name)(f, **options)(*args)


def directed(name):
    """A transform that takes a function, where, and along what."""

    def call(f, *primals, along=None):
        return getattr(tg, name)(f, primals, primals if along is None else along)

    return call


def pulled(f, *primals, along=None):
    y, pull = tg.vjp(f, *primals)
    return pull(y if along is None else along[0])


def pushed(f, *primals, along=None):
    return tg.linearize(f, *primals)[1](*(primals if along is None else along))


PICKING = {
    name: made(name) for name in "grad value_and_grad elementwise_grad jacrev jacfwd jacobian hessian laplacian".split()
}
GOING = {name: directed(name) for name in ("jvp", "hvp", "vhp")} | {"linearize": pushed}
DIFFERENTIATING = PICKING | GOING | {"vjp": pulled}
WITH_AUX = {name: made(name) for name in "grad value_and_grad jacrev jacfwd jacobian hessian".split()} | {
    "vjp": lambda f, x, has_aux: tg.vjp(f, x, has_aux=has_aux),
    "jvp": lambda f, x, has_aux: tg.jvp(f, (x,), (x,), has_aux=has_aux),
}
OF_NUMBERS = {name: DIFFERENTIATING[name] for name in ("grad", "value_and_grad", "hvp", "vhp", "laplacian")}
MATRICES = {name: DIFFERENTIATING[name] for name in ("jacrev", "jacfwd", "jacobian", "hessian")}
OTHERS = {
    "vmap": made("vmap"),
    "checkpoint": made("checkpoint"),
    "custom_vjp": made("custom_vjp"),
    "fixed_point": lambda f, x: tg.fixed_point(f, x, x),
}


def square(x, *_):
    return (x * x).sum()


class Thing:
    pass


MISUSES = [
    # (what, transforms, call, words)
    (
        "no function",
        DIFFERENTIATING | OTHERS,
        lambda t: t(square(X), X),
        r"f is float64, not a function: pass f itself",
    ),
    (
        "integers",
        DIFFERENTIATING,
        lambda t: t(square, np.arange(3)),
        r"argument 0 \(x\) is ndarray of dtype int64.*3\.0",
    ),
    ("a boolean", DIFFERENTIATING, lambda t: t(square, True), r"argument 0 \(x\) is bool of dtype bool"),
    (
        "in a tree",
        DIFFERENTIATING,
        lambda t: t(lambda p: p["n"][0].sum(), {"n": [X, 3]}),
        r"argument 0 \(p\)\['n'\]\[1\] is int",
    ),
    ("text", DIFFERENTIATING, lambda t: t(square, "abc"), r"argument 0 \(x\) is str 'abc', no array of numbers"),
    ("an object", DIFFERENTIATING, lambda t: t(square, Thing()), r"argument 0 \(x\) is Thing .*, no array of numbers"),
    ("a generator", DIFFERENTIATING, lambda t: t(square, (v for v in X)), "is generator .*, no array of numbers"),
    ("objects", DIFFERENTIATING, lambda t: t(square, np.array([1.0, None])), "is ndarray .*, no array of numbers"),
    ("a mask", DIFFERENTIATING, lambda t: t(square, np.ma.masked_array(X, [0, 1, 0])), r"mask would be lost.*filled"),
    ("a mask", {"fixed_point": OTHERS["fixed_point"]}, lambda t: t(min, np.ma.masked_array(X, [0, 1, 0])), "filled"),
    ("a mask", {"vmap": OTHERS["vmap"]}, lambda t: t(square, np.ma.masked_array(X, [0, 1, 0])), "argument 0.*filled"),
    (
        "objects",
        {"vmap": OTHERS["vmap"]},
        lambda t: t(square, np.array([1.0, None])),
        "argument 0.*no array of numbers",
    ),
    ("far argnums", PICKING, lambda t: t(square, X, argnums=1), "argnums=1, but the call has 1 positional"),
    ("wrong name", PICKING, lambda t: t(square, X, argnums="y"), "argnums='y', but the call has no argument"),
    ("argnums twice", PICKING, lambda t: t(square, X, argnums=(0, -1)), "argnums names argument 0 twice"),
    ("argnums 0.5", PICKING, lambda t: t(square, X, argnums=0.5), r"argnums=0.5: the positions .* or names"),
    ("argnums None", PICKING, lambda t: t(square, X, argnums=None), r"argnums=None: the positions .* or names"),
    ("argnums True", PICKING, lambda t: t(square, X, argnums=True), r"argnums=True: the positions .* or names"),
    ("argnums list", PICKING, lambda t: t(square, X, argnums=[0.0]), r"argnums=\[0.0\]: the positions .* or names"),
    ("a vector", OF_NUMBERS, lambda t: t(lambda x: x * 2, X), r"must return one number, it returned shape \(3,\)"),
    ("a tuple", OF_NUMBERS, lambda t: t(lambda x: (x[0], x[1]), X), "it returned a tuple of 2 arrays"),
    ("None", OF_NUMBERS, lambda t: t(lambda _: None, X), "must return one number, it returned None"),
    ("a tuple", {"elementwise_grad": made("elementwise_grad")}, lambda t: t(lambda x: (x, x), X), "one array, .*tuple"),
    ("None", {"elementwise_grad": made("elementwise_grad")}, lambda t: t(lambda _: None, X), "one array, .*None"),
    ("complex", OF_NUMBERS, lambda t: t(lambda x: x.sum() * 1j, X), "a complex number; take its real part"),
    (
        "text out",
        DIFFERENTIATING | {"vmap": made("vmap")},
        lambda t: t(lambda _: "hi", X),
        "returned str 'hi', no array",
    ),
    ("an object out", DIFFERENTIATING, lambda t: t(lambda _: Thing(), X), "returned Thing .*, no array of numbers"),
    ("integers out", MATRICES, lambda t: t(lambda x: np.argsort(x), X), "the function returned int64: no derivative"),
    ("of complex", MATRICES, lambda t: t(lambda x: x, X * 1j), "of complex arguments"),
    ("no pair", WITH_AUX, lambda t: t(square, X, has_aux=True), r"must return a pair \(result, aux\)"),
    ("a long tangent", GOING, lambda t: t(square, X, along=(np.ones(4),)), r"argument 0 \(x\) has shape \(4,\)"),
    ("two tangents", GOING, lambda t: t(square, X, along=(X, X)), "2 tangents for 1 primals"),
    ("a complex tangent", GOING, lambda t: t(square, X, along=(X * 1j,)), "dtype complex128.*real part"),
    ("a tangent of text", GOING, lambda t: t(square, X, along=("a",)), "is str 'a', no array of numbers"),
    ("a tangent's tree", GOING, lambda t: t(lambda p: p["a"], {"a": 1.0}, along=(1.0,)), "tangent 0: float where dict"),
    (
        "a tangent's keys",
        GOING,
        lambda t: t(lambda p: p["a"], {"a": 1.0}, along=({"b": 1.0},)),
        r"\['b'\], where \['a'\]",
    ),
    (
        "no sequence",
        {n: directed(n) for n in ("jvp", "hvp", "vhp")},
        lambda t: t(square, X, along=X),
        r"\(f, \(x,\), \(",
    ),
    ("a cotangent", {"vjp": pulled}, lambda t: t(lambda x: x, X, along=(np.ones(4),)), r"cotangent has shape \(4,\)"),
    ("a cotangent's tree", {"vjp": pulled}, lambda t: t(lambda x: (x, x), X, along=(X,)), "ndarray where tuple"),
]
LEAF = tg.Tensor(X)


def swept(y, xs, cotangent=None):
    return tg.gradients(y, xs, cotangent, retain_graph=True)


MISUSES += [
    (what, {"gradients": swept}, call, words)
    for what, call, words in (
        ("several", lambda t: t(LEAF * 2, LEAF), r"y has shape \(3,\); sum it, or"),
        ("among others", lambda t: t({"a": LEAF.sum(), "b": LEAF * 2}, LEAF), r"y\['b'\] has shape \(3,\)"),
        ("a long cotangent", lambda t: t(LEAF * 2, LEAF, np.ones(4)), r"the cotangent has shape \(4,\)"),
        ("a complex one", lambda t: t(LEAF * 2, LEAF, X * 1j), "the cotangent has dtype complex128"),
        ("text", lambda t: t(LEAF.sum(), LEAF, "a"), "the cotangent is str 'a'"),
        ("an array", lambda t: t(X, LEAF, X), "y is ndarray; a Tensor"),
        ("a number", lambda t: t({"a": LEAF.sum(), "b": 3.0}, LEAF), r"y\['b'\] is float"),
        ("a constant", lambda t: t(LEAF.sum(), tg.Tensor(X, requires_grad=False)), "xs is a constant Tensor"),
        ("in a transform", lambda t: tg.jvp(lambda z: t(z * LEAF[0], LEAF), (1.0,), (1.0,)), "another transform"),
    )
]
CASES = [
    pytest.param(name, transform, call, words, id=f"{name}-{what}")
    for what, transforms, call, words in MISUSES
    for name, transform in transforms.items()
]


@pytest.mark.parametrize(("name", "transform", "call", "words"), CASES)
def test_an_error_names_the_transform_that_was_called(name, transform, call, words):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as error:
        call(transform)
    assert str(error.value).startswith(f"{name}: "), error.value
    assert re.search(words, str(error.value)), error.value


@pytest.mark.parametrize("name", sorted(PICKING))
def test_a_transform_s_result_is_named_and_documented(name):
    g = getattr(tg, name)(square)
    assert g.__name__ == f"{name}(square)" and "`square`" in g.__doc__


def test_every_transform_is_covered():
    assert {*DIFFERENTIATING, *OTHERS, "gradients", "stop_gradient", "debug_nans"} == set(tg.transforms.__all__)
