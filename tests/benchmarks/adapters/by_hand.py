"""NumPy with the derivative worked out by hand: what every ratio is a ratio to.

Its functions serve the tests, which hold the losses against the hand-written values.
"""

from __future__ import annotations

import numpy as np

from ..cases import Array, Case
from .base import Framework, Runner


class ByHand(Framework):
    name = "numpy"
    imports = "import numpy"

    def __init__(self) -> None:
        self.exp, self.sin, self.tanh, self.sqrt, self.sum = np.exp, np.sin, np.tanh, np.sqrt, np.sum

    def runner(self, case: Case) -> Runner:
        arguments = [*case.leaves, *case.constants, *case.vectors]
        by_hand = case.by_hand
        return lambda: by_hand(*arguments)[1]

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(x, 0)

    def solve(self, a: Array, b: Array) -> Array:
        return np.linalg.solve(a, b)

    def relu(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def logsumexp(self, x: Array, axis: int) -> Array:
        return np.logaddexp.reduce(x, axis)

    def log_softmax(self, x: Array) -> Array:
        return x - np.logaddexp.reduce(x, -1, keepdims=True)

    def conv2d(self, x: Array, w: Array) -> Array:
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, w)

    def max_pool2d(self, x: Array, size: int) -> Array:
        n, c, h, w = x.shape
        return x.reshape(n, c, h // size, size, w // size, size).max((3, 5))
