"""What a framework must offer: variables, constants, functions by name, and a runner of a case.

A runner does one forward and one backward pass and returns the derivatives as the framework gives them, finished
(no work left in a queue).  Functions are attributes of the adapter (`m.exp`); one that is missing raises `Lacking`,
and the workload is skipped by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..cases import Array, Case

Runner = Callable[[], list[Any]]


class Lacking(AttributeError):
    """The framework has no such function."""


class Framework:
    """Arrays as they are; functions found by name; no derivative."""

    name: ClassVar[str]
    imports: ClassVar[str]  # what a user's program begins with
    on_numpy: ClassVar[bool] = True  # its memory is NumPy's, which tracemalloc counts
    eager: ClassVar[bool] = True

    def __getattr__(self, function: str) -> Any:
        raise Lacking(f"lacks {function}")

    def variable(self, array: Array) -> Any:
        """A leaf."""
        return array

    def constant(self, array: Array) -> Any:
        """An array that no derivative is asked for."""
        return array

    def numpy(self, derivative: Any) -> Array:
        """A derivative as NumPy has it."""
        return np.asarray(derivative)

    def rows(self, table: Any, index: Any) -> Any:
        """Rows of a table, by the framework's quickest way."""
        return table[index]

    def arguments(self, case: Case) -> tuple[list[Any], list[Any]]:
        """The case's leaves and constants, made once, outside the timing."""
        return [self.variable(x) for x in case.leaves], [self.constant(x) for x in case.constants]

    def runner(self, case: Case) -> Runner:
        """One forward and backward pass of the case."""
        runner: Runner = getattr(self, case.derivative)(case)
        return runner


class Tape(Framework):
    """A framework whose result has `.backward()`, and whose leaves have `.grad`."""

    def gradient(self, case: Case) -> Runner:
        leaves, constants = self.arguments(case)
        loss = case.loss

        def run() -> list[Any]:
            for leaf in leaves:
                leaf.grad = None
            loss(self, *leaves, *constants).backward()
            return [leaf.grad for leaf in leaves]

        return run
