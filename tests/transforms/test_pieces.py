"""Forward mode through large arrays, which are pushed in pieces: nothing may show where they were cut."""

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp import blocks
from tinygrad_sp.transforms import pieces

N = 10_007
FUNCTIONS = {
    "multiply": (np.multiply, lambda x, y, t, u: t * y + x * u),
    "divide": (np.divide, lambda x, y, t, u: t / y - u * (x / y / y)),
    "add": (np.add, lambda _x, _y, t, u: t + u),
    "maximum": (np.maximum, lambda x, y, t, u: np.where(x > y, t, u)),
    "softplus": (lambda x, _y: tg.softplus(x), lambda x, _y, t, _u: t / (1 + np.exp(-x))),
    "clip": (lambda x, y: tg.clip(x, y - 3, y), lambda x, y, t, u: np.where(x > y, u, np.where(x < y - 3, u, t))),
}
SHAPES = {
    "equal": ((N,), (N,)),
    "number": ((N,), ()),
    "number first": ((), (N,)),
    "rows": ((5, N), (N,)),
    "columns": ((N, 3), (N, 1)),
    "outer": ((N, 1), (3,)),
    "wide": ((2, 3, N // 2), (3, 1)),
    "short": ((N, 7), (7,)),
}


def of(shape, seed, layout=lambda x: x):
    return layout(np.random.default_rng(seed).uniform(1, 3, shape))[()]


@pytest.fixture(autouse=True)
def _many_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "LARGE", 5000)
    monkeypatch.setattr(blocks, "BLOCK", 1200)


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request):
    before = tg.get_num_threads()
    tg.set_num_threads(request.param)
    yield
    tg.set_num_threads(before)


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.usefixtures("threads")
def test_as_written_by_hand(name, shapes):
    f, tangent = FUNCTIONS[name]
    x, y, t, u = (of(shape, seed) for seed, shape in enumerate((*shapes, *shapes)))
    value, moved = tg.jvp(f, (x, y), (t, u))
    np.testing.assert_array_equal(value, f(x, y), strict=True)
    np.testing.assert_allclose(moved, np.broadcast_to(tangent(x, y, t, u), value.shape), rtol=1e-14, strict=True)
    for some in ({0}, {1}):  # which of the arguments moves
        given = [a for i, a in enumerate((x, y)) if i in some]
        along = [a for i, a in enumerate((t, u)) if i in some]
        value, moved = tg.jvp(lambda a, i=some: f(*(a if j in i else (x, y)[j] for j in (0, 1))), given, along)
        still = [a if i in some else 0 * a for i, a in enumerate((t, u))]
        wanted = np.broadcast_to(tangent(x, y, *still), value.shape)
        np.testing.assert_allclose(moved, wanted, rtol=1e-14, atol=1e-300, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_dtypes_are_those_of_small_arrays(dtype):
    x = of(N, 0).astype(dtype)
    for f in (np.sqrt, lambda x: x * 2.5, lambda x: x * np.float64(2.5), np.real, np.abs):
        value, moved = tg.jvp(f, (x,), (x,))
        few, few_moved = tg.jvp(f, (x[:100],), (x[:100],))
        np.testing.assert_array_equal(value[:100], few, strict=True)
        np.testing.assert_allclose(moved[:100], few_moved, rtol=4 * np.finfo(moved.dtype).eps, strict=True)


@pytest.mark.parametrize("layout", [lambda x: x[::-1], np.asfortranarray, lambda x: x.T, lambda x: x[:, ::2]])
def test_any_layout(layout):
    x, t = of((60, 700), 0, layout), of((60, 700), 1, layout)
    value, moved = tg.jvp(np.exp, (x,), (t,))
    np.testing.assert_array_equal(value, np.exp(x))
    np.testing.assert_allclose(moved, t * np.exp(x), rtol=1e-14)


def test_what_was_not_taken_leaks_nothing_in_any_piece():
    x = np.linspace(-1, 1, N)
    with np.errstate(all="ignore"):
        _, moved = tg.jvp(lambda x: np.where(x > 0, np.sqrt(x), 0.0), (x,), (np.ones(N),))
        _, after = tg.jvp(lambda x: np.log(np.where(x > 0, x, 0.0)), (x,), (np.ones(N),))
    np.testing.assert_allclose(moved[x > 0], 0.5 / np.sqrt(x[x > 0]))
    assert not moved[x <= 0].any() and not after[x <= 0].any()


def test_a_constant_result_and_integers():
    y, moved = tg.jvp(lambda x: np.floor(x) + (x > 1.5), (of(N, 0),), (of(N, 1),))
    assert y.shape == moved.shape and not moved.any()


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match="Multiply: shapes"):
        tg.jvp(lambda x: x * np.ones(3), (of(N, 0),), (of(N, 1),))


def test_errors_in_a_piece_come_through():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        tg.jvp(np.log, (np.linspace(0, 1, N),), (np.ones(N),))


def test_second_derivatives_go_through_pieces_or_around_them():
    x = of(N, 0)
    _, second = tg.jvp(lambda x: tg.jvp(np.sin, (x,), (np.ones(N),))[1], (x,), (np.ones(N),))
    np.testing.assert_allclose(second, -np.sin(x), rtol=1e-14)
    gradient = tg.grad(lambda x: np.sum(tg.jvp(np.sin, (x,), (np.ones(N),))[1]))(x)
    np.testing.assert_allclose(gradient, -np.sin(x), rtol=1e-14)


def test_this_file_goes_through_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "in_pieces", lambda *_: pytest.fail("in pieces"))
    with pytest.raises(pytest.fail.Exception, match="in pieces"):
        tg.jvp(np.exp, (of(N, 0),), (of(N, 1),))
