"""The algebra of the transforms, as properties of every op there is.

jvp and vjp are transposes; both modes give one Jacobian; Hessians are symmetric whichever way they are taken; a
batch is a loop, with derivatives inside it and outside.  The ops are discovered: an op whose declaration
(`linear`, `batch`) is wrong fails here by name.
"""

import importlib
import pkgutil
import warnings

import numpy as np
import pytest

import tinygrad_sp as tg
import tinygrad_sp.ops
from tinygrad_sp.graph import OPS, apply
from tinygrad_sp.testing.ops import examples

for _module in pkgutil.iter_modules(tinygrad_sp.ops.__path__):
    importlib.import_module(f"tinygrad_sp.ops.{_module.name}")

# What can't be computed for all examples together, because the work itself depends on the values.
LOOPS = {"Convolve", "Distinct"}
UNCOVERED: list[str] = []
BY_HAND = {"Eig"}  # eigenvectors are determined up to a phase; tests/test_linalg.py takes what does not depend on it

_MATRIX = np.array([[3.0, 0.4, -0.2], [0.4, 2.0, 0.3], [-0.2, 0.3, 1.0]])
PREPARED = {
    "Cholesky": {"upper": False},
    "Eigh": {"uplo": "L"},
    "Eigvalsh": {"uplo": "L"},
    "Eigvals": {},
    "SVD": {"full": False},
}
_SHAPES = [((2, 3),), ((),), ((0, 3),)]

_rng = np.random.default_rng(7)


class Case:
    """An op at a point, as a function of its floating arguments, with directions to try."""

    def __init__(self, op, example):
        self.op, self.params = op, example.params
        self.arrays = [np.asarray(a)[()] for a in example.arrays]
        floats = [i for i, a in enumerate(self.arrays) if a.dtype.kind in "fc"][getattr(op, "conditions", 0) :]
        self.varied = [i for i in floats if self.has_rule(i)]
        if not self.varied:
            pytest.skip("no argument has a derivative")
        self.x = [self.arrays[i] for i in self.varied]
        y = tg.vjp(self.f, *self.x)[0]
        self.u, self.w = ([_like(a) for a in self.x] for _ in range(2))
        self.v = [_like(a) for a in y]

    def has_rule(self, i):
        """Whether the op has a derivative with respect to this argument; some have none with respect to an order."""
        self.varied = [i]
        y, pull = tg.vjp(self.f, self.arrays[i])
        try:
            pull([np.ones_like(a) for a in y])
        except NotImplementedError:
            return False
        return True

    def f(self, *given):
        arrays = list(self.arrays)
        for i, x in zip(self.varied, given, strict=True):
            arrays[i] = x
        out = apply(self.op, arrays, self.params)
        return [y for y in (out if isinstance(out, tuple) else (out,)) if y.dtype.kind in "fc"]

    def s(self, *given):
        """One number, with a different weight for each element."""
        return sum(np.sum(np.real(y * v)) for y, v in zip(self.f(*given), self.v, strict=True))


def _like(a):
    draw = _rng.uniform(0.5, 1.5, a.shape) * _rng.choice([-1, 1], a.shape)
    return (draw + 1j * _rng.normal(size=a.shape) if a.dtype.kind == "c" else draw).astype(a.dtype)[()]


def _examples(op):
    """Draw points for an op; some need matrices of a kind, some don't show how many arrays they take."""
    if op.name in BY_HAND:
        return []
    given = [(_MATRIX, PREPARED[op.name])] if op.name in PREPARED else None
    for cases in (given, _SHAPES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return examples(op, cases=cases)
        except ValueError:
            continue
    UNCOVERED.append(op.name)
    return []


def _cases():
    for op in OPS:
        if op.backward is None or op.name.startswith("_") or op.own:
            continue
        found = _examples(op)
        for i, example in enumerate(e for e in found if all(a.size < 200 for a in e.arrays)):
            if i < 4 or not op.small:
                yield pytest.param(op, example, id=f"{op.name}-{i}")


each = pytest.mark.parametrize(("op", "example"), list(_cases()))


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def test_every_op_is_covered():
    assert not UNCOVERED


def dot(a, b):
    return sum(np.sum(np.real(np.conj(x) * y)) for x, y in zip(a, b, strict=True))


def close(a, b, rtol=1e-9):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    eps = max(np.finfo(a.dtype).eps, np.finfo(b.dtype).eps) / np.finfo(float).eps
    np.testing.assert_allclose(a, b, rtol=rtol * eps, atol=1e-11 * eps * (1 + np.abs(b).max(initial=0)))


@each
def test_jvp_and_vjp_are_transposes(op, example):
    c = Case(op, example)
    y, moved = tg.jvp(c.f, c.x, c.u)
    value, pull = tg.vjp(c.f, *c.x)
    for a, b in zip(y, value, strict=True):
        close(a, b)
    for t, out in zip(moved, y, strict=True):
        assert t.shape == out.shape and t.dtype == out.dtype
    close(dot(c.v, moved).astype(y[0].dtype), dot(pull(c.v), c.u))
    for a, b in zip(tg.linearize(c.f, *c.x)[1](*c.u), moved, strict=True):
        close(a, b)


@each
def test_both_modes_give_one_jacobian(op, example):
    c = Case(op, example)
    if any(a.dtype.kind == "c" for a in c.x):
        pytest.skip("of real arguments")
    every = tuple(range(len(c.x)))
    with warnings.catch_warnings():
        if op.name in LOOPS:
            warnings.simplefilter("ignore")
        for forward, reverse in zip(tg.jacfwd(c.f, every)(*c.x), tg.jacrev(c.f, every)(*c.x), strict=True):
            for a, b in zip(forward, reverse, strict=True):
                close(a, b)


@each
def test_hessians_are_symmetric(op, example):
    c = Case(op, example)
    hu = tg.hvp(c.s, c.x, c.u)
    hw = tg.hvp(c.s, c.x, c.w)
    back = tg.vhp(c.s, c.x, c.u)
    if len(c.x) == 1:
        hu, hw, back = [hu], [hw], [back]
    np.testing.assert_allclose(dot(hu, c.w), dot(hw, c.u), rtol=1e-8, atol=1e-9)
    for a, b in zip(hu, back, strict=True):
        close(a, b, rtol=1e-8)


@each
def test_jvp_of_grad_is_grad_of_jvp(op, example):
    c = Case(op, example)
    every = tuple(range(len(c.x)))
    one = tg.jvp(tg.grad(c.s, every), c.x, c.u)[1]
    other = tg.grad(lambda *x: tg.jvp(c.s, x, c.u)[1], every)(*c.x)
    for a, b in zip(one, other, strict=True):
        close(a, b, rtol=1e-8)


def _batches(c):
    """Which arguments are batched: each alone, then all."""
    n = len(c.x)
    return [tuple(0 if i == k else None for i in range(n)) for k in range(n) if n > 1] + [(0,) * n]


def _batch(c, axes):
    """Three examples near the point."""
    scale = np.array([1.0, 0.98, 1.01])
    return [x if a is None else np.stack([x * k for k in scale]) for x, a in zip(c.x, axes, strict=True)]


@each
def test_a_batch_is_a_loop(op, example):
    c = Case(op, example)
    every = tuple(range(len(c.x)))
    for axes in _batches(c):
        xs = _batch(c, axes)
        with warnings.catch_warnings():
            if op.name in LOOPS:
                warnings.simplefilter("ignore")
            together = tg.vmap(c.f, in_axes=axes)(*xs)
            gradients = tg.vmap(tg.grad(c.s, every), in_axes=axes)(*xs)
            total = tg.grad(lambda *x, axes=axes: np.sum(tg.vmap(c.s, in_axes=axes)(*x)), every)(*xs)
            moved = tg.jvp(tg.vmap(c.f, in_axes=axes), xs, [np.ones_like(x) for x in xs])[1]
        for i in range(3):
            one = [x if a is None else x[i] for x, a in zip(xs, axes, strict=True)]
            for whole, part in zip(together, c.f(*one), strict=True):
                close(whole[i], part)
            for whole, part in zip(gradients, tg.grad(c.s, every)(*one), strict=True):
                close(whole[i], part)
            for whole, part in zip(moved, tg.jvp(c.f, one, [np.ones_like(x) for x in one])[1], strict=True):
                close(whole[i], part)
        for a, whole, g in zip(axes, total, gradients, strict=True):
            close(whole, g if a == 0 else g.sum(axis=0))
