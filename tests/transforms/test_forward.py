"""Forward mode where an op says its tangent itself: the tangents that the small cases of the algebra don't reach."""

from functools import partial
from itertools import product

import numpy as np
import pytest

import tinygrad_sp as tg


def assert_transposes(f, x, u, rng):
    """Sums of v * (J u) and of (J' v) * u agree, and the tangent is no copy of the one that came in."""
    kept = [t.copy() for t in u]
    y, moved = tg.jvp(f, x, u)
    _, pull = tg.vjp(f, *x)
    v = rng.normal(size=y.shape).astype(y.dtype)
    ours = np.sum(np.real(np.conj(v) * moved))
    theirs = sum(np.sum(np.real(np.conj(g) * t)) for g, t in zip(pull(v), u, strict=True))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert all(np.array_equal(a, b) for a, b in zip(kept, u, strict=True))


@pytest.mark.parametrize(("n", "upper", "dtype"), list(product([0, 1, 64, 65, 150], [False, True], [float, complex])))
def test_cholesky_in_blocks(n, upper, dtype):
    rng = np.random.default_rng(n)
    x, u = (rng.normal(size=(2, n, n)) + (1j * rng.normal(size=(2, n, n)) if dtype is complex else 0) for _ in "xu")
    x = x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n) + np.eye(n)
    assert_transposes(partial(np.linalg.cholesky, upper=upper), [x], [u + np.conj(np.swapaxes(u, -1, -2))], rng)


@pytest.mark.parametrize("varied", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("shapes", [((3, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((3, 3), (4, 3, 2)), ((3, 3), (3,))])
def test_solve(shapes, varied):
    rng = np.random.default_rng(1)
    given = [rng.normal(size=s) for s in shapes]

    def f(*some):
        return np.linalg.solve(*(dict(enumerate(given)) | dict(zip(varied, some, strict=True))).values())

    x = [given[i] for i in varied]
    assert_transposes(f, x, [rng.normal(size=a.shape) for a in x], rng)


@pytest.mark.parametrize(("transposed", "lower", "unit"), list(product([0, 1], [False, True], [False, True])))
def test_solve_triangular(transposed, lower, unit):
    pytest.importorskip("scipy")
    from tinygrad_sp.scipy.linalg import solve_triangular

    rng = np.random.default_rng(2)
    f = partial(solve_triangular, trans=transposed, lower=lower, unit_diagonal=unit)
    a, b = rng.uniform(1, 2, (3, 3)), rng.normal(size=(3, 2))
    assert_transposes(f, [a, b], [rng.normal(size=(3, 3)), rng.normal(size=(3, 2))], rng)


@pytest.mark.parametrize("f", [np.add, np.subtract, np.multiply, np.maximum, lambda x, y: (x + x) + (y + x * y)])
def test_tangents_that_came_in_stay_as_they_are(f):
    rng = np.random.default_rng(3)
    x, y, t, u = rng.normal(size=(4, 5))
    assert_transposes(f, [x, y], [t, u], rng)
    _, moved = tg.jvp(f, (x, y), (t, u))
    assert not np.shares_memory(moved, t) and not np.shares_memory(moved, u)


MATRIX = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x[::2],
        lambda x: np.reshape(x, (2, 6)),
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        lambda x: (x * 2).T,
        lambda x: np.broadcast_to(x * 2, (2, 3, 4)),
        lambda x: x + np.zeros((2, 1, 1)),
        lambda x: [y := x * 2, y, y[::-1], y.T],
        lambda x: [x, x.T, (x * 2).real],
        lambda x: (x * 1, MATRIX.T, MATRIX),
        lambda x: np.split(x * 3, 2, axis=1),
    ],
)
def test_results_are_nobody_elses(f):
    x, t = MATRIX + 1, MATRIX - 5
    y, moved = tg.jvp(f, (x,), (t,))
    results = [a for tree in (y, moved) for a in (tree if isinstance(tree, (list, tuple)) else [tree])]
    for i, a in enumerate(results):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in (x, t, MATRIX, *results[:i]))


def test_a_view_of_what_an_op_made_is_not_copied_unless_it_is_small():
    made = []
    y, _ = tg.jvp(lambda x: [made.append(z := x * 2), z.T][1], (MATRIX,), (MATRIX,))
    assert np.shares_memory(y, made[0].numpy())
    y, moved = tg.jvp(lambda x: (x * 2)[0], (MATRIX,), (MATRIX,))
    assert y.base.size == moved.base.size == 4


def test_the_aux_is_not_the_arguments_own_array():
    x = MATRIX + 1
    _, _, aux = tg.jvp(lambda x: (x, {"x": x.T, "two": x * 2}), (x,), (x,), has_aux=True)
    assert not np.shares_memory(aux["x"], x)


EDGES = np.array([0.0, -0.0, 1.0, -1.0, 2.5, 1e-160, -1e-160, 1e160, -1e160, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize(
    "f", [np.maximum, np.minimum, np.fmax, np.fmin, np.arctan2, np.hypot, lambda x, y: np.where(x > y, x, y)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_pass_for_both_arguments_is_the_sum_of_both_rules(f, dtype):
    with np.errstate(all="ignore"):
        x, y = (a.ravel().astype(dtype) for a in np.meshgrid(EDGES, EDGES))
        t, u = np.linspace(1, 2, x.size, dtype=dtype), np.linspace(-3, -1, x.size, dtype=dtype)
        together = tg.jvp(f, (x, y), (t, u))[1]
        one, other = tg.jvp(f, (x, y), (t, 0 * u))[1], tg.jvp(f, (x, y), (0 * t, u))[1]
        pulled = [tg.vjp(f, x, y)[1](np.ones_like(x))[i] * v for i, v in enumerate((t, u))]
        eps = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(together, one + other, rtol=eps, atol=0, strict=True)
        apart = np.abs(together - sum(pulled)) <= eps * sum(map(np.abs, pulled))  # the parts may cancel
        assert np.all(apart | (together == sum(pulled)) | (np.isnan(together) & np.isnan(sum(pulled))))
        for i in range(x.size):  # numbers as arrays
            np.testing.assert_allclose(tg.jvp(f, (x[i], y[i]), (t[i], u[i]))[1], together[i], rtol=eps, strict=True)


def _some(shape, kind, rng):
    """Numbers of a kind: with ties, zeros or NaN among them, or near the ends of the range."""
    x = rng.uniform(0.5, 2, shape)
    if kind == "ties":
        return np.round(x * 4) / 4
    if kind == "zeros":
        return np.where(rng.random(shape) < 0.02, 0.0, x)
    if kind == "wide":
        return x * 10.0 ** rng.choice([-120, -90, 0, 90, 120], shape)
    return x


REDUCTIONS = {
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "cumprod": lambda x, axis: np.cumprod(x, axis=axis if axis is None or type(axis) is int else 0),
    "norm": lambda x, axis: np.sqrt(np.sum(x * x, axis=axis)) if type(axis) is tuple else np.linalg.norm(x, axis=axis),
    "sort": lambda x, axis: np.sort(x, axis=axis if axis is None or type(axis) is int else 0),
    "ptp": np.ptp,
    "pad": lambda x, axis: np.pad(x, 2, constant_values=float(axis is None)),
}


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2)])
@pytest.mark.parametrize("kind", ["plain", "ties", "zeros", "wide"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_tangents_of_reductions_are_those_of_the_rule(name, kind, axis):
    rng = np.random.default_rng(11)
    x = _some((7, 50, 6), kind, rng)
    t = rng.normal(size=x.shape) * np.where(kind == "wide", np.abs(x), 1)

    def f(x):
        return REDUCTIONS[name](x, axis=axis)

    with np.errstate(all="ignore"):
        y, moved = tg.jvp(f, (x,), (t,))
        _, slow = tg.jvp(lambda s: tg.jvp(f, (x + 0 * s,), (t,))[1], (0.0,), (1.0,))  # a Dual: by the general way
        general = tg.jvp(lambda s: f(x + s * t), (tg.Tensor(0.0),), (tg.Tensor(1.0),))[1].numpy()
        v = rng.normal(size=y.shape)
        pulled = tg.vjp(f, x)[1](v)
        # The op's own value: NumPy's norm differs from it by a bit, on some processors.
        np.testing.assert_array_equal(y, f(tg.Tensor(x)).numpy())
    assert y.shape == moved.shape == slow.shape
    finite = np.isfinite(y) & np.isfinite(general)
    np.testing.assert_allclose(moved[finite], general[finite], rtol=1e-10, atol=1e-13)
    if kind != "wide":
        np.testing.assert_allclose(np.sum(v * moved), np.sum(pulled * t), rtol=1e-9)


def test_the_extreme_of_many_is_nan_where_one_is():
    x = np.random.default_rng(0).normal(size=(40, 50))
    x[3, 4] = x[3, 7] = np.nan
    t = np.arange(2000.0).reshape(40, 50)
    y, moved = tg.jvp(lambda x: np.max(x, axis=1), (x,), (t,))
    assert np.isnan(y[3]) and moved[3] == (t[3, 4] + t[3, 7]) / 2
    rest = np.arange(40) != 3
    np.testing.assert_array_equal(moved[rest], t[np.arange(40), np.argmax(x, axis=1)][rest])
    assert tg.jvp(np.max, (x,), (t,))[1] == (t[3, 4] + t[3, 7]) / 2


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(3, 3), (4, 5, 5), (2, 4, 3), (1, 1), (0, 0)])
def test_values_of_a_decomposition_alone(shape, dtype):
    rng = np.random.default_rng(3)
    x, u = (rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype is complex else 0) for _ in "xu")
    assert_transposes(np.linalg.svdvals, [x], [u], rng)
    if shape[-1] != shape[-2]:
        return
    x, u = (a + np.conj(np.swapaxes(a, -1, -2)) for a in (x, u))
    assert_transposes(np.linalg.eigvalsh, [x], [u], rng)
    one = np.eye(shape[-1], dtype=dtype) + 0 * x
    assert_transposes(np.linalg.eigvalsh, [one], [u], rng)  # equal ones share
    assert_transposes(np.linalg.svdvals, [one], [u], rng)
    assert_transposes(np.linalg.svdvals, [0 * x], [u], rng)
    np.testing.assert_allclose(tg.jvp(np.linalg.eigvalsh, (x,), (u,))[0], np.linalg.eigvalsh(x), atol=1e-13)


@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 4, 4), (1, 1), (0, 0)])
def test_expm(shape, dtype):
    pytest.importorskip("scipy")
    from tinygrad_sp.scipy.linalg import expm

    rng = np.random.default_rng(4)
    x, u = ((rng.normal(size=shape) + 0.5j * rng.normal(size=shape)) for _ in "xu")
    x, u = ((a if dtype in "FD" else a.real).astype(dtype) for a in (x, u))
    y, moved = tg.jvp(expm, (x,), (u,))
    np.testing.assert_array_equal(y, expm(x), strict=True)
    assert moved.dtype == x.dtype
    h = 1e-6
    wide = [a.astype("D") for a in (x, u)]
    ahead, back = (expm(wide[0] + s * h * wide[1]) for s in (1, -1))
    np.testing.assert_allclose(
        moved, (ahead - back) / (2 * h), rtol=2e-4 if dtype in "fF" else 1e-7, atol=1e-4 if dtype in "fF" else 1e-8
    )


def test_the_second_derivative_of_expm_is_symmetric():
    pytest.importorskip("scipy")
    from tinygrad_sp.scipy.linalg import expm

    x, u, w = np.random.default_rng(5).normal(size=(3, 3, 3))

    def second(u, w):
        return tg.jvp(lambda x: tg.jvp(expm, (x,), (u,))[1], (x,), (w,))[1]

    h = 1e-5
    differences = (tg.jvp(expm, (x + h * w,), (u,))[1] - tg.jvp(expm, (x - h * w,), (u,))[1]) / (2 * h)
    np.testing.assert_allclose(second(u, w), second(w, u), rtol=1e-10)
    np.testing.assert_allclose(second(u, w), differences, rtol=1e-6, atol=1e-6)


def test_log_softmax_of_the_sure_does_not_cancel():
    x, t = np.array([[40.0, 0.0, 1.0], [0.0, 0.0, 700.0]]), np.array([[3.0, 1.0, 2.0], [1.0, 2.0, -3.0]])
    _, moved = tg.jvp(lambda x: tg.log_softmax(x, -1), (x,), (t,))
    others = np.exp(-40.0) * 2 + np.exp(-39.0)  # of p*(3 - t)
    np.testing.assert_allclose(moved[0], [others, -2 + others, -1 + others], rtol=1e-15)
    np.testing.assert_allclose(moved[1], [4, 5, -9 * np.exp(-700.0)], rtol=1e-13)


@pytest.mark.parametrize("name", ["j1", "y1", "i1", "k1", "i0e", "i1e", "k0e", "k1e", "psi"])
def test_special_functions_of_arrays_as_of_numbers(name):
    special = pytest.importorskip("tinygrad_sp.scipy.special")
    f = getattr(special, name)
    x = np.concatenate([np.logspace(-12, 2.3, 400), np.linspace(0.1, 60, 400)])
    _, many = tg.jvp(f, (x,), (np.ones_like(x),))
    ones = np.array([tg.jvp(f, (v,), (1.0,))[1] for v in x])  # by the neighbours, as is its own derivative
    scale = np.abs(many) + np.abs(f(x))  # near a zero of the slope only this much is there
    assert np.all(
        np.abs(many - ones) <= 1e-14 * np.maximum(scale, np.abs(ones)) + 1e-14 * np.abs(f(x) / np.maximum(x, 1))
    )
