"""Typed code as users write it: it runs here, and ``mypy --strict`` and ``pyright`` read it in ``.ci/run``.

What a function of ours gives is ``Any``: a Tensor of Tensors, an array of arrays, and NumPy's own functions of
Tensors are declared by NumPy to give arrays.  ``Tensor`` and ``tg.Tensor(...)`` are typed in full.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tinygrad_sp as tg
from tinygrad_sp import Tensor
from tinygrad_sp.testing import Report, gradcheck


class Softplus(tg.Op):
    """log(1 + exp(x)): typed code says ``@staticmethod`` above an op's functions."""

    @staticmethod
    def forward(x: Any) -> Any:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return grad * tg.sigmoid(x)


class Scale(tg.Op):
    """A rule for each argument, and a parameter."""

    @staticmethod
    def forward(x: Any, y: Any, *, k: float) -> Any:
        return k * x * y

    backward = (
        lambda grad, _out, _x, y, *, k: grad * k * y,
        lambda grad, _out, x, _y, *, k: grad * k * x,
    )


def test_five_lines() -> None:
    x = tg.Tensor([-20.0, 0.5, 1.2])
    y: Tensor = tg.softplus(x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tg.sigmoid(x.numpy()))
    assert_type(x, Tensor)
    assert_type(x.shape, tuple[int, ...])
    assert_type(x.dtype, np.dtype[Any])
    assert_type(x.requires_grad, bool)
    assert_type(x.detach(), Tensor)
    assert_type(x.requires_grad_(), Tensor)
    assert_type(len(x), int)
    assert_type(float(x[0]), float)


def test_gradients_of_gradients() -> None:
    x = tg.Tensor(0.0)
    tg.softplus(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert x.grad.item() == 0.25


def test_numpy_functions_operators_and_indexing() -> None:
    x, w = tg.Tensor(np.ones((3, 2))), tg.Tensor([1.0, 2.0])
    a: NDArray[np.float64] = np.arange(6.0).reshape(2, 3)
    y: Tensor = 2 * x + a.T @ (w[:, None] * w) - x[0] ** 2 / (1 + abs(w))
    y[0, 0] = w[1]
    z: Tensor = np.exp(y) @ w  # type: ignore[assignment] # NumPy says: an array
    loss: Tensor = np.sum(z[z > 0]) + tg.mean(tg.stack([x.T, x.T])) + np.where(a > 1, 0.0, x.T).sum()
    loss.backward()
    assert x.grad.shape == x.shape and w.grad.dtype == np.float64


def test_training() -> None:
    def loss(p: dict[str, Tensor], x: NDArray[np.float64], y: NDArray[np.float64]) -> Tensor:
        residual: Tensor = tg.softplus(x @ p["w"] + p["b"]) - y
        return (residual**2).mean()  # type: ignore[no-any-return]

    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    y = np.log1p(np.exp(x @ [1.0, -2.0] + 0.5))
    p = {"w": tg.Tensor([0.0, 0.0]), "b": tg.Tensor(0.0)}
    before = loss(p, x, y).item()
    for _ in range(100):
        loss(p, x, y).backward()
        with tg.no_grad():
            for t in p.values():
                t -= 0.2 * t.grad
                t.zero_grad()
    assert loss(p, x, y).item() < 0.1 * before


@tg.no_grad()
def predict(x: Tensor) -> Tensor:
    y: Tensor = tg.sigmoid(x)
    return y


def test_a_decorated_function_keeps_its_type() -> None:
    assert_type(predict(tg.Tensor(1.0)), Tensor)
    assert not predict(tg.Tensor(1.0)).requires_grad


def test_own_ops() -> None:
    x = tg.Tensor([1.0, 2.0])
    y: Tensor = Scale.apply(Softplus.apply(x), x, k=3.0)
    y.backward([1.0, 1.0])
    report = gradcheck(lambda x: Scale.apply(Softplus.apply(x), x, k=3.0), np.array([1.0, 2.0]))
    assert_type(report, Report)
    assert report.verdict == "pass"


def test_transforms() -> None:
    def f(x: Any, k: float = 2.0) -> Any:
        return np.sum(np.sin(x) ** k)

    x = np.array([0.5, 1.0])
    value, gradient = tg.value_and_grad(f)(x)
    np.testing.assert_allclose(gradient, tg.grad(f)(x))
    out, pull = tg.vjp(f, x)
    out, tangent = tg.jvp(f, (x,), (np.ones(2),))
    assert np.allclose(pull(1.0)[0].sum(), tangent) and np.allclose(out, value)
    assert tg.jacobian(np.sin)(x).shape == tg.hessian(f)(x).shape == (2, 2)
    assert tg.vmap(tg.grad(f))(np.ones((4, 2))).shape == (4, 2)


def test_looking_at_it() -> None:
    with tg.annotate():
        x = tg.Tensor(2.0)
        y = tg.softplus(x) * 3.0
    text: str = str(y.graph()) + str(y.explain())
    assert "Softplus" in text
