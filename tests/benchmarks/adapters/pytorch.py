"""PyTorch on the CPU, with all the threads that it takes by itself."""

from __future__ import annotations

from typing import Any

from ..cases import Array, Case
from .base import Runner, Tape


class PyTorch(Tape):
    name = "torch"
    imports = "import torch"
    on_numpy = False

    def __init__(self) -> None:
        import torch

        nn = torch.nn.functional
        self.torch: Any = torch
        self.exp, self.sin, self.tanh, self.sqrt, self.sum = torch.exp, torch.sin, torch.tanh, torch.sqrt, torch.sum
        self.softplus, self.relu, self.logsumexp = nn.softplus, torch.relu, torch.logsumexp
        self.conv2d, self.max_pool2d, self.solve = nn.conv2d, nn.max_pool2d, torch.linalg.solve

    def log_softmax(self, x: Any) -> Any:
        return self.torch.log_softmax(x, -1)

    def rows(self, table: Any, index: Any) -> Any:
        return self.torch.index_select(table, 0, index)  # a third less than table[index]

    def variable(self, array: Array) -> Any:
        return self.torch.tensor(array, requires_grad=True)

    def constant(self, array: Array) -> Any:
        return self.torch.tensor(array)

    def numpy(self, derivative: Any) -> Array:
        return derivative.detach().numpy()

    def hessian(self, case: Case) -> Runner:
        (x,), _ = self.arguments(case)
        hessian = self.torch.func.hessian(lambda x: case.loss(self, x))
        return lambda: [hessian(x)]

    def hvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        vectors, grad = [self.constant(v) for v in case.vectors], self.torch.autograd.grad

        def run() -> list[Any]:
            gradients = grad(case.loss(self, *leaves, *constants), leaves, create_graph=True)
            return list(grad(gradients, leaves, vectors))

        return run

    def jvp(self, case: Case) -> Runner:
        leaves, constants, vectors = (tuple(map(self.constant, x)) for x in (case.leaves, case.constants, case.vectors))

        def f(*arrays: Any) -> Any:
            return case.loss(self, *arrays, *constants)

        return lambda: [self.torch.func.jvp(f, leaves, vectors)[1]]
