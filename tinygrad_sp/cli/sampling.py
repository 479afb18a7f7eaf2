"""The function of one variable that an expression is, point by point: what a plot shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import tinygrad_sp as tg

from ..plotting.curves import Curves, curves
from ..plotting.function import labels
from .expression import Expression, InputError
from .values import Array

AROUND = 5.0
"""How far to both sides a plot goes when the variable has one value."""


def sample(expression: Expression, values: Mapping[str, Array], order: int) -> tuple[str, list[str], Curves]:
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
        The variable's name, what to call each curve, and the curves.

    Raises
    ------
    InputError
        If the expression is not such a function.
    """
    name = _variable(values)
    shape = values[name].shape if values[name].size == 1 else ()

    def function(t: Any) -> Any:
        y = expression({**values, name: tg.reshape(t, shape)})
        if np.size(y.numpy() if isinstance(y, tg.Tensor) else y) != 1:
            raise InputError(f"--plot: for one number {name} the expression gives several; a curve needs one")
        return y

    return name, labels(expression.source, order), curves(function, *_range(values[name]), order)


def _variable(values: Mapping[str, Array]) -> str:
    if not values:
        raise InputError("--plot: there is no variable to draw over; give one a range, x=linspace(-5,5,11)")
    several = [name for name, value in values.items() if value.size > 1]
    if len(several) > 1:
        raise InputError(f"--plot: {' and '.join(several)} have several values; give only one of them a range")
    return (several or list(values))[0]


def _range(value: Array) -> tuple[float, float]:
    finite = value[np.isfinite(value)]
    if not finite.size:
        raise InputError("--plot: the variable has no finite value to draw around; give it one")
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low - AROUND, high + AROUND)
