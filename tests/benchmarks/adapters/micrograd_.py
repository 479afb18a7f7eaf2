"""micrograd: scalars only, so an array is a NumPy array of its Values, and a small one."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..cases import Array, Case
from .base import Framework, Lacking, Runner

LARGEST = 256  # elements of a variable: at some 3 microseconds and 1 kB each, more is another program


class Micrograd(Framework):
    name = "micrograd"
    imports = "import micrograd.engine"

    def __init__(self) -> None:
        from micrograd.engine import Value

        sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))  # its backward calls itself once per op in a chain
        self.relu = np.frompyfunc(Value.relu, 1, 1)
        self.sum = np.sum
        self._values = np.frompyfunc(lambda x: Value(float(x)), 1, 1)
        self._grads = np.frompyfunc(lambda v: v.grad, 1, 1)

    def variable(self, array: Array) -> Any:
        if np.size(array) > LARGEST:
            raise Lacking(f"variables above {LARGEST} elements")
        return self._values(array)

    def constant(self, array: Array) -> Any:
        if np.size(array) > 10 * LARGEST:
            raise Lacking(f"constants above {10 * LARGEST} elements")
        return array.astype(object)

    def numpy(self, derivative: Any) -> Array:
        return np.asarray(self._grads(derivative), dtype=np.float64)

    def gradient(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        values = [value for leaf in leaves for value in np.ravel(leaf)]

        def run() -> list[Any]:
            for value in values:
                value.grad = 0
            case.loss(self, *leaves, *constants).backward()
            return leaves

        return run
