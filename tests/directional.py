"""Derivatives along a random direction, against differences: the cheap check that a table of expressions needs.

With phi(t) = Re sum(conj(c) * f(x + t*u)), backward must give phi'(0) and backward of backward phi''(0); for
complex x a gradient is dL/da + i dL/db, so phi'(0) = Re sum(conj(grad) * u).
"""

import warnings

import numpy as np

import tinygrad_sp as tg

STEP = 2e-3
WEIGHTS = ((1, 0.8), (2, -0.2), (3, 4 / 105), (4, -1 / 280))  # central difference of order 8


def plain(x):
    return x.numpy() if isinstance(x, tg.Tensor) else x


def leaves_of(result):
    """The floating and complex arrays of a result, however nested."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in leaves_of(part)]
    kind = getattr(getattr(result, "dtype", None), "kind", None)
    return [result] if kind in ("f", "c") else []


def weighted(results, weights):
    """Re sum(conj(c) * f), over all arrays of the result."""
    total = 0.0
    for y, c in zip(leaves_of(results), weights, strict=True):
        total = total + np.sum(np.real(y) * c.real) + (np.sum(np.imag(y) * c.imag) if y.dtype.kind == "c" else 0.0)
    return total


def inner(grads, directions):
    total = 0.0
    for g, u in zip(grads, directions, strict=True):
        if g is not None:
            total = total + np.sum(np.real(g) * u.real) + (np.sum(np.imag(g) * u.imag) if u.dtype.kind == "c" else 0.0)
    return total


def difference(phi):
    return sum(w * (phi(k * STEP) - phi(-k * STEP)) for k, w in WEIGHTS) / STEP


def check(f, arrays, order=2, tolerance=2e-8, seed=0):
    """Compare f's derivatives of the first and second order at these arrays with differences; raise if they differ."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        directions = [np.where(np.isnan(a), 0, _random(rng, a)) for a in arrays]
        weights = [_random(rng, plain(y)) for y in leaves_of(f(*arrays))]
        weights = [np.where(np.isfinite(plain(y)), c, 0) for y, c in zip(leaves_of(f(*arrays)), weights, strict=True)]

        def phi(t):
            return np.nan_to_num(weighted(f(*(a + t * u for a, u in zip(arrays, directions, strict=True))), weights))

        def slope(t, create_graph=False):
            xs = [tg.Tensor(a + t * u) for a, u in zip(arrays, directions, strict=True)]
            total = weighted(f(*xs), weights)
            if getattr(total, "node", None) is None:
                return 0.0, xs
            total.backward(create_graph=create_graph)
            for x, a in zip(xs, arrays, strict=True):
                assert x.grad is None or (x.grad.shape == a.shape and x.grad.dtype == a.dtype)
                assert x.grad is None or not np.isnan(np.where(np.isnan(a), 0, x.grad.numpy())).any(), "NaN"
            return inner([x.grad for x in xs], directions), xs

        _compare("first", float(plain(slope(0)[0])), difference(phi), tolerance)
        if order == 2:
            first, xs = slope(0, create_graph=True)
            for x in xs:
                x.grad = None
            if getattr(first, "node", None) is not None:
                first.backward()
            found = inner([x.grad for x in xs], directions)
            _compare("second", float(plain(found)), difference(lambda t: float(plain(slope(t)[0]))), tolerance * 10)


def _random(rng, a):
    draw = rng.choice([-1.0, 1.0], np.shape(a)) * rng.uniform(0.5, 1, np.shape(a)) * 0.5
    return draw + 1j * rng.uniform(-0.5, 0.5, np.shape(a)) if a.dtype.kind == "c" else draw


def _compare(which, found, wanted, tolerance):
    if not abs(found - wanted) <= tolerance * (1 + abs(wanted)):
        raise AssertionError(f"the {which} derivative is {found}; differences say {wanted}")
