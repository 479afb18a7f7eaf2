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
