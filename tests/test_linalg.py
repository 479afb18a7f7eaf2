"""Linear algebra: values against NumPy, two derivatives against differences, and every refusal.

With phi(t) = Re sum(conj(c) * f(x + t*u)), backward must give phi'(0), and backward of backward the slope of
backward.  Matrices that must be Hermitian or positive definite are made so inside the function, from any matrix.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp.testing import assert_gradients

la = np.linalg
STEP = 2.0**-13


def adjoint(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def hermitian(x):
    return (x + adjoint(x)) / 2


def positive(x):
    return x @ adjoint(x) + np.eye(x.shape[-1])


def projector(v):
    """v v^H: what does not depend on signs, phases and rotations."""
    return v @ adjoint(v)


def draw(rng, shape, complex_):
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if complex_ else x


def dot(a, b):
    """The real inner product in which a gradient is dL/da + i dL/db."""
    return np.sum((np.conjugate(a) * b).real)


def slope(phi):
    """phi'(0), to the fourth order in the step."""
    return (8 * (phi(STEP) - phi(-STEP)) - (phi(2 * STEP) - phi(-2 * STEP))) / (12 * STEP)


def several(y):
    return y if isinstance(y, tuple) else (y,)


def gradients(f, xs, cs, create_graph=False):
    tensors = [tg.Tensor(x) for x in xs]
    total = sum(tg.sum(tg.real(np.conjugate(c) * y)) for c, y in zip(cs, several(f(*tensors)), strict=True))
    total.backward(create_graph=create_graph)
    found = [t.grad if t.grad is not None else tg.Tensor(np.zeros_like(t.numpy())) for t in tensors]
    for t in tensors:
        t.zero_grad()
    return tensors, found


def check(f, *xs, order=2, tolerance=2e-8):
    """Compare value and derivatives of a function that takes arrays and Tensors."""
    rng = np.random.default_rng(1)
    want, got = several(f(*xs)), several(f(*map(tg.Tensor, xs)))
    for a, b in zip(want, got, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(b.numpy(), a, rtol=1e-12, atol=1e-13)
    us, vs = ([draw(rng, x.shape, x.dtype.kind == "c") for x in xs] for _ in range(2))
    cs = [draw(rng, y.shape, y.dtype.kind == "c") for y in want]

    def moved(t):
        return [x + t * u for x, u in zip(xs, us, strict=True)]

    tensors, grads = gradients(f, xs, cs, order > 1)
    for x, g in zip(xs, grads, strict=True):
        assert g.shape == x.shape and g.dtype == x.dtype
    first = sum(dot(g.numpy(), u) for g, u in zip(grads, us, strict=True))
    expected = slope(lambda t: sum(dot(c, y) for c, y in zip(cs, several(f(*moved(t))), strict=True)))
    assert abs(first - expected) <= tolerance * (1 + abs(expected)), f"first: {first} instead of {expected}"
    if order == 1:
        return
    expected = slope(lambda t: sum(dot(g.numpy(), v) for g, v in zip(gradients(f, moved(t), cs)[1], vs, strict=True)))
    along = sum(tg.sum(tg.real(np.conjugate(v) * g)) for g, v in zip(grads, vs, strict=True))
    if along.node is not None:
        along.backward()
    second = sum(0.0 if t.grad is None else dot(t.grad.numpy(), u) for t, u in zip(tensors, us, strict=True))
    assert abs(second - expected) <= 10 * tolerance * (1 + abs(expected)), f"second: {second} instead of {expected}"


def eigen(x, uplo="L"):
    w, v = la.eigh(hermitian(x), uplo)
    return w, np.abs(v) ** 2, projector(v[..., :1]), projector(v[..., 1:])


def eig(x):
    w, v = la.eig(x)
    order = np.argsort(np.asarray((w.numpy() if isinstance(w, tg.Tensor) else w).real), axis=-1)
    k = int(order[0])
    return w, np.abs(v) ** 2, projector(v[:, k : k + 1])


def svd(x):
    u, s, vh = la.svd(x, full_matrices=False)
    return s, np.abs(u) ** 2, np.abs(vh) ** 2, u[..., :1] @ vh[..., :1, :]


def svd_full(x):
    u, s, vh = la.svd(x)
    k = s.shape[-1]
    return s, projector(u[..., k:]), projector(adjoint(vh[..., k:, :])), u[..., :1] @ vh[..., :1, :]


def qr_complete(x):
    q, r = la.qr(x, "complete")
    return q[..., : x.shape[-1]], projector(q[..., x.shape[-1] :]), r


def without_rank(result):
    return result.x if isinstance(result, tuple) and hasattr(result, "x") else result[0], result[1], result[3]


FUNCTIONS = {
    "cholesky": (lambda x: la.cholesky(positive(x)), (2, 3, 3)),
    "cholesky upper": (lambda x: la.cholesky(positive(x), upper=True), (3, 3)),
    "cholesky 1x1": (lambda x: la.cholesky(positive(x)), (1, 1)),
    "qr": (lambda x: tuple(la.qr(x)), (3, 3)),
    "qr tall": (lambda x: tuple(la.qr(x)), (2, 4, 3)),
    "qr wide": (lambda x: tuple(la.qr(x)), (2, 2, 4)),
    "qr r": (lambda x: la.qr(x, "r"), (4, 3)),
    "qr r wide": (lambda x: la.qr(x, "r"), (2, 4)),
    "qr complete": (qr_complete, (2, 4, 2)),
    "qr complete wide": (lambda x: tuple(la.qr(x, "complete")), (2, 3)),
    "qr 1x1": (lambda x: tuple(la.qr(x)), (1, 1)),
    "eigh": (eigen, (2, 3, 3)),
    "eigh upper": (lambda x: eigen(x, "U"), (3, 3)),
    "eigh 1x1": (lambda x: la.eigh(hermitian(x))[0], (1, 1)),
    "eigvalsh": (lambda x: la.eigvalsh(hermitian(x)), (2, 3, 3)),
    "eigvalsh upper": (lambda x: la.eigvalsh(hermitian(x), "U"), (3, 3)),
    "eig": (eig, (3, 3)),
    "eigvals": (la.eigvals, (3, 3)),
    "eigvals 1x1": (la.eigvals, (1, 1)),
    "svd": (svd, (2, 3, 3)),
    "svd tall": (svd, (4, 3)),
    "svd wide": (svd, (2, 2, 4)),
    "svd full": (svd_full, (3, 3)),
    "svd full tall": (svd_full, (2, 4, 2)),
    "svd full wide": (svd_full, (2, 4)),
    "svdvals": (la.svdvals, (2, 3, 4)),
    "svd values": (lambda x: la.svd(x, compute_uv=False), (3, 2)),
    "inv": (la.inv, (2, 3, 3)),
    "inv 1x1": (lambda x: la.inv(x + 3), (1, 1)),
    "solve": (la.solve, (3, 3), (2, 3, 2)),
    "solve vector": (la.solve, (2, 3, 3), (3,)),
    "solve 1x1": (lambda a, b: la.solve(a + 3, b), (1, 1), (1, 1)),
    "det": (la.det, (2, 3, 3)),
    "det 1x1": (la.det, (1, 1)),
    "slogdet": (lambda x: tuple(la.slogdet(x)), (2, 3, 3)),
    "pinv": (la.pinv, (2, 3, 3)),
    "pinv tall": (la.pinv, (4, 2)),
    "pinv wide": (lambda x: la.pinv(x, rtol=1e-12), (2, 2, 3)),
    "pinv of low rank": (lambda x, y: la.pinv(x @ y), (4, 2), (2, 3)),
    "lstsq": (lambda a, b: without_rank(la.lstsq(a, b)), (4, 2), (4, 3)),
    "lstsq wide": (lambda a, b: without_rank(la.lstsq(a, b)), (2, 4), (2,)),
    "lstsq square": (lambda a, b: without_rank(la.lstsq(a, b)), (3, 3), (3, 1)),
    "lstsq of low rank": (lambda a, b, c: la.lstsq(a @ b, c)[0], (4, 2), (2, 3), (4, 2)),
    "lstsq stacks": (lambda a, b: without_rank(tg.linalg.lstsq(a, b)), (2, 4, 2), (2, 4, 1)),
    "multi_dot": (lambda *xs: la.multi_dot(xs), (3,), (3, 2), (2, 4), (4,)),
    "multi_dot matrices": (lambda *xs: la.multi_dot(xs), (2, 5), (5, 1), (1, 4), (4, 2)),
    "multi_dot two": (lambda *xs: la.multi_dot(xs), (2, 3), (3,)),
    "cross": (la.cross, (2, 3), (3,)),
    "cross axis": (lambda x, y: la.cross(x, y, axis=0), (3, 2), (3, 2)),
    "vecdot": (la.vecdot, (2, 1, 3), (4, 3)),
    "vecdot axis": (lambda x, y: la.vecdot(x, y, axis=-2), (3, 2), (3, 1)),
    "outer": (la.outer, (2,), (3,)),
    "matmul": (la.matmul, (2, 3), (3, 2)),
    "tensordot": (lambda x, y: la.tensordot(x, y, axes=1), (2, 3), (3, 2)),
    "diagonal": (lambda x: la.diagonal(x, offset=-1), (2, 3, 3)),
    "trace": (lambda x: la.trace(x, offset=1), (2, 3, 4)),
    "matrix_transpose": (la.matrix_transpose, (2, 3, 4)),
    "tensorsolve": (la.tensorsolve, (2, 3, 6), (2, 3)),
    "tensorsolve axes": (lambda a, b: la.tensorsolve(a, b, axes=(0,)), (6, 2, 3), (2, 3)),
    "tensorinv": (la.tensorinv, (2, 3, 6)),
    "tensorinv ind": (lambda x: la.tensorinv(x, ind=1), (6, 2, 3)),
    "norm": (la.norm, (2, 3, 2)),
    "norm keepdims": (lambda x: la.norm(x, keepdims=True), (2, 3)),
    "norm axes": (lambda x: la.norm(x, axis=(0, 2)), (2, 3, 2)),
}
FUNCTIONS |= {f"matrix_power {n}": (lambda x, n=n: la.matrix_power(x, n), (2, 2, 2)) for n in (-3, -1, 0, 1, 2, 3, 6)}
FUNCTIONS |= {f"cond {p}": (lambda x, p=p: la.cond(x, p), (2, 2, 2)) for p in (None, 2, -2, 1, -1, "fro", "nuc")}
MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
FUNCTIONS |= {
    f"matrix_norm {p}": (lambda x, p=p: tg.linalg.matrix_norm(x, ord=p, keepdims=True), (2, 3, 2))
    for p in MATRIX_ORDERS
}
FUNCTIONS |= {f"norm {p} of axes": (lambda x, p=p: la.norm(x, p, (2, 0)), (3, 2, 2)) for p in MATRIX_ORDERS}
VECTOR_ORDERS = (1, 2, 3, 4, 2.5, 1.5, 0.5, -1, -2, math.inf, -math.inf)
FUNCTIONS |= {f"vector_norm {p}": (lambda x, p=p: la.norm(x, p, axis=0), (3, 2)) for p in VECTOR_ORDERS}
FUNCTIONS |= {
    f"vector_norm {p} keepdims": (lambda x, p=p: la.vector_norm(x, ord=p, axis=(0, 2), keepdims=True), (2, 2, 2))
    for p in (2, 3, math.inf)
}


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name, complex_):
    f, *shapes = FUNCTIONS[name]
    rng = np.random.default_rng(len(name))
    check(f, *(draw(rng, shape, complex_) for shape in shapes))


SQUARE = ("cholesky", "eigh", "eigvalsh", "inv", "det", "slogdet", "svd", "svdvals", "qr", "pinv")


@given(
    name=st.sampled_from(SQUARE),
    stack=st.lists(st.integers(0, 2), max_size=2).map(tuple),
    n=st.integers(0, 3),
    seed=st.integers(0, 99),
    complex_=st.booleans(),
)
def test_any_stack_and_size(name, stack, n, seed, complex_):
    x = draw(np.random.default_rng(seed), (*stack, n, n), complex_)
    if n == 0 and name in ("svd", "svdvals", "pinv", "qr", "eigh", "eigvalsh"):
        y = several(getattr(tg.linalg, name)(tg.Tensor(x)))
        tg.sum(tg.abs(y[0])).backward()
        return
    f = FUNCTIONS[name][0] if n > 1 or name not in ("eigh",) else FUNCTIONS["eigh 1x1"][0]
    check(lambda x: f(x + 3 * np.eye(n)) if name != "cholesky" else f(x), x, order=1, tolerance=1e-5)


@pytest.mark.parametrize("name", sorted({f.split()[0] for f in FUNCTIONS} & set(tg.linalg.__dict__)))
def test_numpys_name_is_ours(name):
    assert getattr(np.linalg, name, None) is not None
    ours = tg.dispatch.TABLE[getattr(np.linalg, name)]
    if name in ("eig", "eigvals"):  # the standard's are complex, NumPy's real where they can be
        assert ours.__name__ == f"_{name}_as_numpy"
    else:
        assert ours is getattr(tg.linalg, name)


# ---------------------------------------------------------------------------------------------- determinants


def leibniz(x):
    """det of 3x3 matrices, as a polynomial."""
    (a, b, c), (d, e, f), (g, h, i) = ([x[..., j, k] for k in range(3)] for j in range(3))
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def of_rank(rank, complex_=False, seed=0):
    rng = np.random.default_rng(seed)
    return draw(rng, (3, rank), complex_) @ draw(rng, (rank, 3), complex_)


def three_derivatives(f, x, directions):
    t, found = tg.Tensor(x), []
    y = tg.sum(tg.real(f(t)))
    for u in directions:
        y.backward(create_graph=True)
        g, t.grad = t.grad, None
        found.append(g.numpy())
        y = tg.sum(tg.real(np.conjugate(u) * g))
    return found


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_det_is_exact_at_every_rank_in_every_order(complex_):
    stack = np.stack([of_rank(r, complex_, seed) for r in range(4) for seed in range(2)])
    stack[1] = 0
    rng = np.random.default_rng(5)
    directions = [draw(rng, stack.shape, complex_) for _ in range(3)]
    for x in (stack, *stack, np.diag([1.0, 1e-7, 0.0]), np.diag([1e-9, 1.0, 3.0])):
        us = [u[: len(x)] if x.ndim == 3 else u[0] for u in directions]
        for got, want in zip(three_derivatives(la.det, x, us), three_derivatives(leibniz, x, us), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_det_of_larger_singular_matrices():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 6))
    x[5] = x[:5].sum(axis=0)
    t = tg.Tensor(x)
    la.det(t).backward()
    minors = [[la.det(np.delete(np.delete(x, i, 0), j, 1)) * (-1) ** (i + j) for j in range(6)] for i in range(6)]
    np.testing.assert_allclose(t.grad.numpy(), minors, rtol=1e-10, atol=1e-12)
    t = tg.Tensor([[math.nan, 1.0], [0.0, 2.0]])
    with np.errstate(invalid="ignore"):
        la.det(t).backward()
    assert np.isnan(t.grad.numpy()).any()


def test_det_of_many_matrices_on_the_way_to_singular():
    x = np.random.default_rng(0).standard_normal((500, 3, 3))
    x[:, 2] = x[:, 1] + x[:, 2] * np.logspace(0, -20, 500)[:, None]
    for some in (x, x[:100], x[40:60], *x[::25]):
        t, u = tg.Tensor(some), tg.Tensor(some)
        tg.sum(la.det(t)).backward()
        tg.sum(leibniz(u)).backward()
        np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=0, atol=1e-10)


def test_slogdet_at_a_singular_matrix():
    with pytest.raises(la.LinAlgError, match=r"singular matrix.*det has"):
        la.slogdet(tg.Tensor(np.zeros((2, 2)))).logabsdet.backward()
    x = tg.Tensor([[2.0, 1.0], [0.0, 3.0]])
    la.slogdet(x).sign.backward()
    assert np.array_equal(x.grad.numpy(), np.zeros((2, 2)))


# ---------------------------------------------------------------------------------------------- conventions


def gradient(f, x):
    t = tg.Tensor(x)
    f(t).backward()
    return t.grad.numpy()


def rotated(values):
    q, _ = la.qr(np.random.default_rng(3).standard_normal((len(values), len(values))))
    return q @ np.diag(values) @ q.T


@pytest.mark.parametrize("values", [la.eigvalsh, la.eigvals, la.svdvals], ids=["eigvalsh", "eigvals", "svdvals"])
def test_equal_values_share(values):
    for x in (np.eye(3), rotated([2.0, 2.0, 2.0])):
        for i in range(3):
            np.testing.assert_allclose(gradient(lambda t, i=i: values(t)[i].real, x), np.eye(3) / 3, atol=1e-12)
    x = rotated([1.0, 1.0, 4.0])
    np.testing.assert_allclose(gradient(lambda t: tg.sum(values(t).real ** 2), x), 2 * x, atol=1e-12)


def test_norms_at_ties_and_zeros():
    np.testing.assert_allclose(gradient(lambda t: la.norm(t, 2), np.eye(2)), np.eye(2) / 2, atol=1e-15)
    for p in (None, 2, 1, 3, 1.5, 0.5, -1, math.inf):
        t = tg.Tensor([[0.0, 0.0], [3.0, 4.0]])
        tg.sum(la.norm(t, p, axis=1)).backward(create_graph=True)
        first, t.grad = t.grad, None
        assert np.array_equal(first.numpy()[0], [0, 0])
        if first.node is not None:
            tg.sum(first).backward()
            assert t.grad is None or np.array_equal(t.grad.numpy()[0], [0, 0])
    for p in MATRIX_ORDERS:
        assert np.array_equal(gradient(lambda t, p=p: la.norm(t, p), np.zeros((2, 3))), np.zeros((2, 3)))
    x = np.outer([1.0, 2.0], [2.0, 0.0, 1.0])  # rank one: the part of the singular value 0 adds nothing
    np.testing.assert_allclose(gradient(lambda t: la.norm(t, "nuc"), x), x / 5, atol=1e-12)
    np.testing.assert_allclose(gradient(lambda t: la.norm(t, -2), x), 0 * x, atol=1e-12)


@pytest.mark.parametrize("p", (2, 3, 1.5))
@pytest.mark.parametrize(("dtype", "sizes"), [(np.float64, (1e-300, 1e-200, 1e200)), (np.float32, (1e-30, 1e25))])
def test_norms_of_very_large_and_very_small_vectors(p, dtype, sizes):
    x = np.array([[3.0, -4.0], [0.0, 0.0], [1.0, 2.0]], dtype)
    for size in sizes:
        t = tg.Tensor(x * np.array([[size], [1], [1]], dtype))
        y = la.norm(t, p, axis=1)
        tg.sum(y).backward()
        one = tg.Tensor(x)
        want = la.norm(one, p, axis=1)
        tg.sum(want).backward()
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(y.numpy() / np.array([size, 1, 1], dtype), want.numpy(), rtol=256 * eps)
        np.testing.assert_allclose(t.grad.numpy(), one.grad.numpy(), rtol=256 * eps)
    assert la.norm(tg.Tensor([math.inf, 1.0])).item() == math.inf


@pytest.mark.parametrize("name", ("solve", "svd tall", "cholesky", "slogdet", "pinv", "matrix_norm nuc"))
def test_by_the_packages_own_checker(name):
    f, *shapes = FUNCTIONS[name]
    rng = np.random.default_rng(4)
    assert_gradients(f, *(draw(rng, shape[-2:], False) for shape in shapes), domain=None)


def test_norms_count_and_empty():
    x = tg.Tensor([[0.0, 2.0], [1.0, 3.0]])
    assert np.array_equal(la.norm(x, 0, axis=1).numpy(), [1.0, 2.0]) and la.norm(x, 0, axis=1).node is None
    assert tg.linalg.vector_norm(tg.Tensor(-2.0)).item() == 2.0 == tg.linalg.vector_norm(tg.Tensor(-2.0), ord=3).item()
    assert la.norm(tg.Tensor(np.zeros((0, 3)))).item() == 0.0
    assert tg.linalg.norm([3, 4]) == 5.0 and tg.linalg.norm(np.array([3, 4])) == 5.0


def test_the_cotangent_of_a_hermitian_argument_is_hermitian():
    for f in (lambda t: la.cholesky(t)[1, 0], lambda t: la.eigh(t)[1][0, 0] ** 2, lambda t: la.eigvalsh(t)[0]):
        g = gradient(f, np.array([[3.0, 1.0], [1.0, 2.0]]))
        np.testing.assert_allclose(g, g.T)


# ---------------------------------------------------------------------------------------------- refusals

TWICE = np.diag([1.0, 1.0, 2.0])
COMPLEX = np.array([[2.0, 1 + 1j], [1 - 1j, 3.0]])
LOW = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])


def twisted(result):
    """What changes when the last vectors of U and V take different phases, and not when they take the same."""
    u, _, vh = result
    return tg.real(u[0, 1] * vh[1, 0] * (1 + 2j))


REFUSED = {
    "eigh of equal values": (lambda t: la.eigh(t)[1][0, 0], TWICE, "equal values"),
    "eigh second order": (lambda t: tg.sum(la.eigh(t)[0] ** 2 @ la.eigh(t)[1]), TWICE, "equal values"),
    "eigh nearly equal": (lambda t: la.eigh(t)[1][0, 0], rotated([1.0, 1.0, 2.0]), "equal values"),
    "eigh phase": (lambda t: la.eigh(t)[1][0, 1].imag, COMPLEX, "phases"),
    "eig of equal values": (lambda t: la.eig(t)[1][0, 0] + la.eig(t)[1][0, 1], TWICE, "equal values"),
    "eig phase": (lambda t: la.eig(t)[1][0, 1].imag, COMPLEX * 1j + np.diag([1.0, 0]), "phases"),
    "eigvals of a defective matrix": (lambda t: la.eigvals(t)[0], np.array([[1.0, 1.0], [0.0, 1.0]]), "defective"),
    "eig of a defective matrix": (lambda t: la.eig(t)[0][0], np.array([[1.0, 1.0], [0.0, 1.0]]), "defective"),
    "svd of equal values": (lambda t: la.svd(t)[0][0, 0], np.eye(2), "equal values"),
    "svd phase": (lambda t: la.svd(t)[0][0, 0].imag, COMPLEX * (1 + 2j), "phases"),
    "svd at zero": (lambda t: la.svd(t, full_matrices=False)[0][1, 1], LOW, "singular value 0"),
    "svd complex at zero": (lambda t: twisted(la.svd(t)), np.array([[1, 1j], [1j, -1]]), "singular value 0"),
    "svd completed": (lambda t: la.svd(t)[0][0, 2], np.random.default_rng(0).standard_normal((4, 2)), "completed"),
    "qr completed": (
        lambda t: la.qr(t, "complete")[0][0, 2],
        np.random.default_rng(0).standard_normal((4, 2)),
        "completed",
    ),
    "qr of dependent columns": (lambda t: la.qr(t)[1][0, 0], LOW, "linearly dependent"),
    "qr wide, dependent": (lambda t: la.qr(t)[1][0, 0], np.array([[1.0, 2, 3], [2.0, 4, 7]]), "linearly dependent"),
    "qr r of dependent columns": (lambda t: la.qr(t, "r")[0, 0], LOW, "linearly dependent"),
    "pinv cut": (lambda t: la.pinv(t, 0.5)[0, 0], np.diag([1.0, 0.1]), "cuts off"),
    "lstsq cut": (lambda t: la.lstsq(t, np.ones(2), 0.5)[0][0], np.diag([1.0, 0.1]), "cuts off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_derivatives(name):
    f, x, message = REFUSED[name]
    t = tg.Tensor(x)
    y = f(t)
    assert np.isfinite(y.numpy()).all()
    with pytest.raises(la.LinAlgError, match=message):
        y.backward()
    assert t.grad is None


def test_second_derivative_of_equal_values_is_refused():
    t = tg.Tensor(np.eye(2))
    tg.sum(la.eigvalsh(t) ** 2).backward(create_graph=True)
    np.testing.assert_allclose(t.grad.numpy(), 2 * np.eye(2))
    with pytest.raises(la.LinAlgError, match="equal values"):
        t.grad[0, 1].backward()


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_second_derivatives_of_complex_eigenvalues(n, power):
    """The op `_EigOfValues`, by the trace of x**k: the vectors' cotangents are rounding errors, and none of phases."""
    rng = np.random.default_rng(n)
    for _ in range(20):
        a, u = (rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)) for _ in range(2))
        found = []
        for function in (la.eigvals, lambda x: x):
            x = tg.Tensor(a)
            y = function(x)
            total = np.sum(y**power) if y.ndim == 1 else np.trace(la.matrix_power(y, power))
            np.real(total * (1 + 2j)).backward(create_graph=True)
            first, x.grad = x.grad, None
            if first.node is not None:
                np.sum(np.real(first * u)).backward()
            found.append((first.numpy(), np.zeros((n, n)) if x.grad is None else x.grad.numpy()))
        for ours, wanted in zip(*found, strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-8, atol=1e-8)


def test_one_vector_among_equal_others_has_a_derivative():
    x = rotated([1.0, 1.0, 3.0])
    check(lambda t: projector(la.eigh(hermitian(t))[1][:, 2:]), x, order=1)
    check(lambda t: la.svd(t)[0][:, :1] @ la.svd(t)[2][:1], x, order=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: la.qr(x, "raw"), NotImplementedError, "raw"),
        (lambda x: la.pinv(x, 0.1, rtol=0.1), ValueError, "one thing"),
        (lambda x: la.norm(x, "fro", axis=0), ValueError, "vectors"),
        (lambda x: la.norm(x[None], 2), ValueError, "3 axes"),
        (lambda x: la.norm(x, 2, axis=(0, 0)), ValueError, "duplicate"),
        (lambda x: la.norm(x, 3), ValueError, "ord=3"),
        (lambda x: tg.linalg.matrix_norm(x[0]), ValueError, "two axes"),
        (lambda x: la.matrix_power(x[:1], 2), la.LinAlgError, "square"),
        (lambda x: la.multi_dot([x]), ValueError, "two"),
        (lambda x: la.multi_dot([x, x[None], x]), la.LinAlgError, "matrices"),
        (lambda x: la.cross(x, x), ValueError, "length 3"),
        (lambda x: la.vecdot(x, x[:, :1]), ValueError, "2 long"),
        (lambda x: la.outer(x, x), ValueError, "vectors"),
        (lambda x: la.diagonal(x[0]), ValueError, "two axes"),
        (lambda x: la.tensorsolve(x, x), la.LinAlgError, "square"),
        (lambda x: la.tensorinv(x, 0), ValueError, "positive"),
        (lambda x: la.tensorinv(x[:1], 1), la.LinAlgError, "square"),
        (lambda x: la.inv(x * 0), la.LinAlgError, "ingular"),
        (lambda x: la.cholesky(-x), la.LinAlgError, "ositive"),
    ],
)
def test_refused_calls(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.Tensor([[2.0, 1.0], [1.0, 3.0]]))


# ---------------------------------------------------------------------------------------------- the rest


def test_results_have_names():
    x = tg.Tensor([[2.0, 1.0], [1.0, 3.0]])
    assert la.eigh(x)._fields == la.eig(x)._fields == ("eigenvalues", "eigenvectors")
    assert la.qr(x)._fields == ("Q", "R") and la.svd(x)._fields == ("U", "S", "Vh")
    assert la.slogdet(x)._fields == ("sign", "logabsdet") and isinstance(tg.linalg.eigh(x), tg.linalg.EighResult)
    assert isinstance(tg.linalg.svd(x.numpy()).U, np.ndarray)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, int])
def test_the_standards_eigenvalues_are_complex_and_numpys_real_where_they_can(dtype):
    for matrix in ([[2, 1], [1, 3]], [[0, 1], [-1, 0]]):
        x = np.array(matrix, dtype)
        wanted = np.result_type(np.linalg.eigvals(x).dtype, np.complex64)
        for made in (x, tg.Tensor(x)):
            values, vectors = tg.linalg.eig(made)
            assert values.dtype == vectors.dtype == tg.linalg.eigvals(made).dtype == wanted
            values, vectors = (v if made is x else v.numpy() for v in (values, vectors))
            np.testing.assert_allclose(x @ vectors, vectors * values, rtol=1e-5, atol=1e-6)
        t = tg.Tensor(x)
        for ours, numpys in ((np.linalg.eigvals(t), np.linalg.eigvals(x)), (np.linalg.eig(t)[1], np.linalg.eig(x)[1])):
            assert ours.dtype == numpys.dtype
            np.testing.assert_allclose(ours.numpy(), numpys)


def test_complex_eigenvalues_of_a_real_matrix_have_real_gradients():
    for x in (np.array([[2.0, 1.0], [0.5, 3.0]]), np.array([[0.3, 1.0], [-2.0, 0.1]])):
        check(tg.linalg.eigvals, x)
        check(lambda t: (tg.linalg.eig(t)[0], np.abs(tg.linalg.eig(t)[1])), x)
        t = tg.Tensor(x)
        tg.sum(tg.linalg.eigvals(t) ** 2).real.backward()
        np.testing.assert_allclose(t.grad.numpy(), 2 * x.T)
        assert t.grad.dtype == np.float64


def test_matrix_rank_is_a_constant():
    x = tg.Tensor(np.stack([np.eye(2), np.ones((2, 2)), np.zeros((2, 2))]))
    for found in (
        la.matrix_rank(x),
        la.matrix_rank(x, 1e-3),
        la.matrix_rank(x, rtol=1e-3),
        la.matrix_rank(x, None, True),
    ):
        assert found.node is None and np.array_equal(found.numpy(), [2, 1, 0])


@pytest.mark.parametrize("name", [*SQUARE, "solve", "eig", "eigvals", "matrix_norm", "vector_norm", "cond", "lstsq"])
def test_single_precision_stays_and_integers_are_constants(name):
    f = getattr(tg.linalg, name)
    x = np.array([[3.0, 1.0], [1.0, 2.0]])
    more = (np.ones((2, 1), np.float32),) if name in ("solve", "lstsq") else ()
    t = tg.Tensor(x.astype(np.float32))
    y = several(f(t, *more))[0]
    assert y.dtype in (np.float32, np.complex64)
    tg.sum(tg.real(y)).backward()
    assert t.grad.dtype == np.float32
    whole = several(f(tg.Tensor(x.astype(int)), *more))[0]
    assert whole.node is None
    np.testing.assert_allclose(whole.numpy(), several(f(x, *more))[0], rtol=1e-6)


FORWARD = {
    name: FUNCTIONS[name][0]
    for name in (
        "inv",
        "det",
        "cholesky",
        "eigvalsh",
        "eigh",
        "eigvals",
        "svd",
        "svdvals",
        "svd full",
        "qr",
        "pinv",
        "slogdet",
        "matrix_power 3",
        "matrix_norm nuc",
        "cond 1",
        "matrix_norm 1",
        "vector_norm 3",
    )
} | {
    "svd full tall": svd_full,
    "svd full wide": lambda x: svd_full(np.swapaxes(x, -1, -2)),
    "svd tall": svd,
    "qr tall": lambda x: tuple(la.qr(x)),
    "qr wide": lambda x: tuple(la.qr(np.swapaxes(x, -1, -2))),
    "qr complete": qr_complete,
    "eig": lambda x: (la.eig(x)[0], np.abs(la.eig(x)[1])),
    "solve": lambda x: la.solve(x, np.ones((3, 1))),
    "lstsq": lambda x: tg.linalg.lstsq(x, np.ones((x.shape[-2], 1)))[0],
}


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("name", FORWARD)
def test_forward_mode_and_batches(name, complex_):
    f, rng = FORWARD[name], np.random.default_rng(2)
    n = 2 if any(word in name for word in ("tall", "wide", "complete", "lstsq")) else 3
    x, u = draw(rng, (2, 3, n), complex_), draw(rng, (2, 3, n), complex_)
    y, dy = map(several, tg.jvp(f, (x[0],), (u[0],)))
    for k, want in enumerate(several(f(x[0]))):
        np.testing.assert_allclose(np.asarray(y[k]), want, rtol=1e-12, atol=1e-12)
        want = slope(lambda t, k=k: several(f(x[0] + t * u[0]))[k])
        np.testing.assert_allclose(np.asarray(dy[k]), want, rtol=1e-7, atol=1e-7 * (1 + np.max(np.abs(want))))
    if name == "lstsq":  # how many residuals there are depends on the rank
        return
    for got, a, b in zip(several(tg.vmap(f)(x)), several(f(x[0])), several(f(x[1])), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.stack([a, b]), rtol=1e-11, atol=1e-12)


def test_forward_mode_refuses_what_backward_refuses():
    for f, x, message in (
        (lambda t: la.eigh(t)[1], TWICE, "equal values"),
        (lambda t: la.eig(t)[1], TWICE, "equal values"),
        (lambda t: la.svd(t)[0], TWICE, "equal values"),
        (lambda t: la.svd(t)[0], np.array([[1.0], [0.0]]) @ np.array([[1.0, 0.0, 0.0]]), "singular values 0"),
        (lambda t: la.qr(t)[0], LOW, "linearly dependent"),
    ):
        with pytest.raises(la.LinAlgError, match=message):
            tg.jvp(f, (x,), (np.ones_like(x),))
