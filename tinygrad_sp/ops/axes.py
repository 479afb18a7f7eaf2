"""Axes, counted from the end: so a rule needs no ndim, and works under extra leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

Axis = int | Sequence[int] | None


def negative_axis(axis: int, ndim: int) -> int:
    """Return one axis as -ndim ... -1."""
    return int(normalize_axis_index(axis, ndim)) - ndim


def negative_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return axes as a sorted tuple of -ndim ... -1; None means all of them."""
    if axis is None:
        return tuple(range(-ndim, 0))
    if isinstance(axis, int):
        return (int(normalize_axis_index(axis, ndim)) - ndim,)
    return tuple(sorted(int(a) - ndim for a in normalize_axis_tuple(axis, ndim)))


def is_flat(axis: Axis, ndim: int) -> bool:
    """Whether an axis means the flattened array: None does, and NumPy lets 0 and -1 name the axis of a number."""
    return axis is None or (not ndim and isinstance(axis, int) and axis in (0, -1))


def one_axis(x: Any, axis: int | None) -> tuple[Any, int]:
    """Return an array and an axis of it as a negative number: the flattened array where that is meant."""
    return (np.reshape(x, (-1,)), -1) if axis is None or is_flat(axis, x.ndim) else (x, negative_axis(axis, x.ndim))


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction."""
    return negative_axes(None if is_flat(axis, ndim) else axis, ndim)


def weights_for(name: str, weights: Any, x: Any, axis: Axis) -> Any:
    """Return weights of the shape of x, given in that or in the lengths of the axes, in the order of these."""
    if tuple(weights.shape) != tuple(x.shape):
        axes = negative_axes(axis, x.ndim)
        given = [axis] if isinstance(axis, int) else axes if axis is None else axis
        given = [negative_axis(a, x.ndim) for a in given]
        if tuple(weights.shape) != tuple(x.shape[a] for a in given):
            raise ValueError(
                f"{name}: weights of shape {tuple(weights.shape)} for axis {axis} of {tuple(x.shape)}; "
                "the shape of x, or of these axes, is wanted"
            )
        weights = np.transpose(weights, tuple(np.argsort(given)))
        weights = np.expand_dims(weights, tuple(a for a in range(-x.ndim, 0) if a not in axes))
    return np.broadcast_to(weights, x.shape)


def spread(grad: Any, axis: tuple[int, ...], keepdims: bool, shape: tuple[int, ...]) -> Any:
    """Give the cotangent of a reduction back its lost axes, repeated along them."""
    if isinstance(grad, np.generic):  # as np.broadcast_to, which needs 3 microseconds for what this does in 0.4
        return np.ndarray(shape, grad.dtype, grad, 0, (0,) * len(shape))
    if axis and not keepdims:
        grad = np.expand_dims(grad, axis)
    return np.broadcast_to(grad, shape)


def along(axis: int, *parts: Any) -> tuple[Any, ...]:
    """Return the index that takes ``parts`` along a negative axis and everything along the others."""
    return (Ellipsis, *parts) + (slice(None),) * (-axis - 1)
