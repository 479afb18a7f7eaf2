"""What was not taken has no part: no NaN and no inf from it, at first and second order, through other functions.

Each expression is finite where its condition holds and singular where it does not; the derivatives must be those
of the branch taken, and the other elements' must be exactly what the other branch says.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.directional import check

pytestmark = pytest.mark.filterwarnings("ignore")

X = np.array([0.0, 4.0, -1.0, 0.25, np.inf, np.nan])
GOOD = X > 0
SAFE = np.where(GOOD & np.isfinite(X), X, 1.0)

BRANCHES = {
    "sqrt": lambda x: np.sqrt(x),
    "log": lambda x: np.log(x),
    "sqrt * log": lambda x: np.sqrt(x) * np.log(x),
    "1 / x": lambda x: 1 / x,
    "x / x": lambda x: x / x,
    "x ** -1.5": lambda x: x**-1.5,
    "x ** x": lambda x: x**x,
    "exp(1 / x)": lambda x: np.exp(-1 / x),
    "log(sqrt) / x": lambda x: np.log(np.sqrt(x)) / x,
    "arctan2 at the origin": lambda x: np.arctan2(x, x),
    "atanh, far": lambda x: np.arctanh(1 - x / 10) * np.exp(1 / x),
    "through reshape and sum": lambda x: np.sum(np.reshape(np.sqrt(x), (-1, 1)) * np.log(x)[:, None], axis=1),
    "through stack": lambda x: np.stack([np.sqrt(x), 1 / x])[0] * np.stack([np.sqrt(x), 1 / x])[1],
    "through cumsum of one": lambda x: np.cumsum((1 / x)[:, None], axis=1)[:, 0],
    "through a product": lambda x: np.prod(np.stack([np.sqrt(x), np.log(x), x]), axis=0),
    "through std": lambda x: np.std(np.stack([np.sqrt(x), np.log(x)]), axis=0),
    "through max": lambda x: np.max(np.stack([np.sqrt(x), 1 / x]), axis=0),
    "through matmul": lambda x: (np.stack([np.sqrt(x), 1 / x], 1)[:, None, :] @ np.ones((2, 1)))[:, 0, 0],
    "through norm": lambda x: np.linalg.norm(np.stack([np.sqrt(x), np.log(x)]), axis=0),
    "through sort": lambda x: np.sort(np.stack([np.sqrt(x), 1 / x]), axis=0)[1],
    "through a nested where": lambda x: np.where(x > 1, np.log(x - 1), np.sqrt(x)) * np.sqrt(x),
}
WAYS = {
    "where": lambda f, x: np.where(GOOD & np.isfinite(X), f(x), 7.0),
    "where, other side": lambda f, x: np.where(~GOOD | ~np.isfinite(X), 7.0, f(x)),
    "select": lambda f, x: tg.select([~GOOD, ~np.isfinite(X)], [7.0, 8.0], f(x)),
    "piecewise": lambda f, x: np.piecewise(x, [GOOD & np.isfinite(X)], [f, 7.0]),
    "assignment": lambda f, x: written(f(x)),
    "getitem": lambda f, x: f(x)[GOOD & np.isfinite(X)],
}


def written(y):
    y = y * 1
    y[~GOOD | ~np.isfinite(X)] = 7.0
    return y


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("branch", BRANCHES)
def test_nothing_leaks(branch, way):
    f = BRANCHES[branch]
    taken = GOOD & np.isfinite(X)

    def gradients(values):
        x = tg.Tensor(values)
        y = WAYS[way](f, x)
        y.sum().backward(create_graph=True)
        first, x.grad = x.grad, None
        if first.node is not None:
            (first * np.arange(1.0, 7.0)).sum().backward()
        return y.numpy(), first.numpy(), x.grad.numpy() if x.grad is not None else np.zeros(6)

    found, wanted = gradients(X), gradients(SAFE)
    if way == "getitem":
        np.testing.assert_allclose(found[0], wanted[0])
    else:
        np.testing.assert_allclose(found[0][taken], wanted[0][taken])
    for order in (1, 2):
        np.testing.assert_allclose(found[order][taken], wanted[order][taken], rtol=1e-12, atol=1e-14)
        assert (found[order][~taken] == 0).all(), found[order]


def test_the_norm_of_a_zero_row():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])

    def safe(x):
        squares = np.sum(x * x, axis=1)
        return np.where(squares > 0, np.sqrt(squares), 0.0)

    x = tg.Tensor(rows)
    safe(x).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    np.testing.assert_allclose(first.numpy(), [[0, 0], [0.6, 0.8]])
    (first * np.array([[1.0, 2.0], [3.0, -1.0]])).sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and (x.grad.numpy()[0] == 0).all()
    check(safe, [rows[1:]])


def test_clip_does_not_leak_from_outside():
    x = tg.Tensor([0.0, 2.0, -1.0, np.inf])
    y = np.clip(np.log(x), -1.0, 5.0)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy()[:2], [0.0, 0.5])
    assert x.grad.numpy()[3] == 0


def test_in_many_functions_between():
    """The singular value is made early, and used through reductions that mix it with nothing else of its row."""
    x = tg.Tensor([[0.0, 0.0], [1.0, 4.0]])
    y = np.sqrt(x)
    z = np.exp(-np.sum(y / (1 + y), axis=1))
    w = np.where(np.array([False, True]), z, 0.0)
    w.sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and (x.grad.numpy()[0] == 0).all()
