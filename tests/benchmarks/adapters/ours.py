"""tinygrad_sp itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import Array, Case
from .base import Runner, Tape

FUNCTIONS = "exp sin tanh sqrt sum softplus relu logsumexp log_softmax conv2d max_pool2d".split()


class TinygradSp(Tape):
    name = "tinygrad_sp"
    imports = "import tinygrad_sp"

    def __init__(self) -> None:
        import tinygrad_sp as tg

        self.tg: Any = tg
        for function in FUNCTIONS:
            if hasattr(tg, function):
                setattr(self, function, getattr(tg, function))

    def solve(self, a: Any, b: Any) -> Any:
        return self.tg.linalg.solve(a, b)

    def variable(self, array: Array) -> Any:
        return self.tg.Tensor(array)

    def constant(self, array: Array) -> Any:
        return self.tg.Tensor(array, requires_grad=False)

    def numpy(self, derivative: Any) -> Array:
        return derivative.numpy() if hasattr(derivative, "numpy") else np.asarray(derivative)

    def hessian(self, case: Case) -> Runner:
        if not hasattr(self.tg, "hessian"):
            return self._hessian_by_rows(case)
        hessian = self.tg.hessian(lambda x: case.loss(self, x))
        (x,) = case.leaves
        return lambda: [hessian(x)]

    def _hessian_by_rows(self, case: Case) -> Runner:
        (x,), _ = self.arguments(case)

        def run() -> list[Any]:
            x.grad = None
            case.loss(self, x).backward(create_graph=True)
            gradient, rows = x.grad, []
            for i in range(len(x)):
                x.grad = None
                gradient[i].backward(retain_graph=True)
                rows.append(x.grad.numpy())
            return [np.stack(rows)]

        return run

    def hvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        vectors = case.vectors

        def run() -> list[Any]:
            for leaf in leaves:
                leaf.grad = None
            case.loss(self, *leaves, *constants).backward(create_graph=True)
            gradients = [leaf.grad for leaf in leaves]
            for leaf in leaves:
                leaf.grad = None
            sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True)).backward()
            return [leaf.grad for leaf in leaves]

        return run

    def jvp(self, case: Case) -> Runner:
        leaves, vectors = case.leaves, case.vectors

        def f(*arrays: Any) -> Any:
            return case.loss(self, *arrays, *case.constants)

        return lambda: [self.tg.jvp(f, leaves, vectors)[1]]
