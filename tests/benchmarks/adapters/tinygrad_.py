"""tinygrad on the CPU: lazy, so a run ends when the loss and all derivatives are realized."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import numpy as np

from ..cases import Array, Case
from .base import Framework, Lacking, Runner


class Tinygrad(Framework):
    name = "tinygrad"
    imports = "import tinygrad"
    on_numpy = False

    def __init__(self) -> None:
        os.environ.setdefault("DEV", "CPU")
        os.environ["PARALLEL"] = "0"  # it would fork to compile, and a fork of other frameworks' threads hangs
        from tinygrad import Tensor

        try:
            Tensor([1.0]).exp().realize()
        except Exception as error:
            raise RuntimeError("has no device: its CPU backend needs clang") from error
        self.tensor: Any = Tensor
        self.exp, self.sin, self.tanh, self.sqrt, self.sum = (
            Tensor.exp,
            Tensor.sin,
            Tensor.tanh,
            Tensor.sqrt,
            Tensor.sum,
        )
        self.softplus, self.relu, self.logsumexp = Tensor.softplus, Tensor.relu, Tensor.logsumexp
        self.log_softmax, self.conv2d, self.max_pool2d = Tensor.log_softmax, Tensor.conv2d, Tensor.max_pool2d

    def variable(self, array: Array) -> Any:
        return self.tensor(np.asarray(array)).realize()

    constant = variable

    def numpy(self, derivative: Any) -> Array:
        return derivative.numpy()

    def realize(self, *tensors: Any) -> None:
        try:
            self.tensor.realize(*tensors)
        except subprocess.CalledProcessError as error:
            raise Lacking("makes a kernel that clang refuses (too deep)") from error

    def gradient(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)

        def run() -> list[Any]:
            value = case.loss(self, *leaves, *constants)
            gradients = value.gradient(*leaves)
            self.realize(value, *gradients)
            return list(gradients)

        return run

    def hessian(self, case: Case) -> Runner:
        (x,), _ = self.arguments(case)

        def run() -> list[Any]:
            (gradient,) = case.loss(self, x).gradient(x)
            rows = [gradient[i].gradient(x)[0] for i in range(x.shape[0])]
            hessian = self.tensor.stack(*rows)
            self.realize(hessian)
            return [hessian]

        return run

    def hvp(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        vectors = [self.constant(v) for v in case.vectors]

        def run() -> list[Any]:
            gradients = case.loss(self, *leaves, *constants).gradient(*leaves)
            along = sum(((g * v).sum() for g, v in zip(gradients, vectors, strict=True)), start=0)
            products = along.gradient(*leaves)
            self.realize(*products)
            return list(products)

        return run
