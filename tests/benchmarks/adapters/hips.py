"""HIPS autograd."""

from __future__ import annotations

from typing import Any

from ..cases import Case
from .base import Framework, Runner


class Autograd(Framework):
    name = "autograd"
    imports = "import autograd.numpy, autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy as np

        self.autograd: Any = autograd
        self.np: Any = np
        self.exp, self.sin, self.tanh, self.sqrt, self.sum = np.exp, np.sin, np.tanh, np.sqrt, np.sum

    def softplus(self, x: Any) -> Any:
        return self.np.logaddexp(x, 0)

    def relu(self, x: Any) -> Any:
        return self.np.maximum(x, 0)

    def logsumexp(self, x: Any, axis: int) -> Any:
        from autograd.scipy.special import logsumexp

        return logsumexp(x, axis)

    def log_softmax(self, x: Any) -> Any:
        from autograd.scipy.special import logsumexp

        return x - logsumexp(x, -1, keepdims=True)

    def conv2d(self, x: Any, w: Any) -> Any:
        from autograd.scipy.signal import convolve

        flipped = w[:, :, ::-1, ::-1]
        return convolve(x, flipped, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")

    def max_pool2d(self, x: Any, size: int) -> Any:
        n, c, h, w = x.shape
        return self.np.max(x.reshape((n, c, h // size, size, w // size, size)), (3, 5))

    def gradient(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        if len(leaves) == 1:
            one = self.autograd.value_and_grad(lambda *arrays: case.loss(self, *arrays))
            return lambda: [one(*leaves, *constants)[1]]
        every = self.autograd.value_and_grad(lambda *arrays: case.loss(self, *arrays), tuple(range(len(leaves))))
        return lambda: list(every(*leaves, *constants)[1])

    def hessian(self, case: Case) -> Runner:
        (x,), _ = self.arguments(case)
        hessian = self.autograd.hessian(lambda x: case.loss(self, x))
        return lambda: [hessian(x)]

    def hvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        every, vectors = tuple(range(len(leaves))), case.vectors
        gradient = self.autograd.grad(lambda *arrays: case.loss(self, *arrays), every)

        def along(*arrays: Any) -> Any:
            gradients = gradient(*arrays)
            return sum(self.np.sum(g * v) for g, v in zip(gradients, vectors, strict=True))

        product = self.autograd.grad(along, every)
        return lambda: list(product(*leaves, *constants))
