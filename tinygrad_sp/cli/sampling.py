"""The function of one variable that an expression is, point by point: what a plot shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import tinygrad_sp as tg

from .expression import Expression, InputError
from .plot import Curve
from .values import Array

POINTS = 401
AROUND = 5.0
"""How far to both sides a plot goes when the variable has one value."""


def curves(expression: Expression, values: Mapping[str, Array], order: int) -> tuple[str, Array, list[Curve]]:
    """Evaluate an expression and its derivatives over a range of one variable.

    The variable is the one with several values, from the smallest to the largest; if each has one, the first.

    Parameters
    ----------
    expression : Expression
        A function of one number, the other variables being fixed.
    values : mapping
        The variables' values.
    order : int
        The highest derivative, 1 or 2.

    Returns
    -------
    tuple
        The variable's name, where it was evaluated, and the curves.

    Raises
    ------
    InputError
        If the expression is not such a function.
    """
    name = _variable(values)
    x = _range(values[name])
    points = [_derivatives(expression, values, name, t, order) for t in x]
    labels = [expression.source, "derivative", "second derivative"]
    return name, x, [(label, np.array(y)) for label, y in zip(labels, zip(*points, strict=True), strict=False)]


def _variable(values: Mapping[str, Array]) -> str:
    if not values:
        raise InputError("--plot: there is no variable to draw over")
    several = [name for name, value in values.items() if value.size > 1]
    if len(several) > 1:
        raise InputError(f"--plot: {' and '.join(several)} have several values; give only one of them a range")
    return (several or list(values))[0]


def _range(value: Array) -> Array:
    finite = value[np.isfinite(value)]
    if not finite.size:
        raise InputError("--plot: the variable has no finite value")
    low, high = float(finite.min()), float(finite.max())
    return np.linspace(low, high, POINTS) if low < high else np.linspace(low - AROUND, high + AROUND, POINTS)


def _derivatives(expression: Expression, values: Mapping[str, Array], name: str, t: float, order: int) -> list[float]:
    """Return the value and the derivatives at one point."""
    shape = values[name].shape if values[name].size == 1 else ()
    x = tg.Tensor(np.full(shape, t))
    y = expression({**values, name: x})
    if np.size(y.numpy() if isinstance(y, tg.Tensor) else y) != 1:
        raise InputError(f"--plot: for one number {name} the expression gives several; a curve needs one")
    found = []
    for more in reversed(range(order + 1)):
        found.append(float(y.item() if isinstance(y, tg.Tensor) else y))
        if getattr(y, "node", None) is None:
            y = 0.0
            continue
        if more:
            y.backward(create_graph=more > 1)
            y = tg.sum(x.grad) if x.grad is not None else 0.0
            x.zero_grad()
    return found
