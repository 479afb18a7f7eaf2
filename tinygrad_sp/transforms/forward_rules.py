"""Tangents of reductions, where transposing the rule costs many times the op: the few that are worth it.

``rule(tangents, out, *arrays, **params)`` returns the tangent of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Op, Traced
from ..ops import norms, reduction, softmax
from ..ops.axes import spread

TANGENTS: dict[Op, Callable[..., Any]] = {}
PUSHES: dict[Op, Callable[..., Any]] = {}


def pushes(*ops: type[Op]) -> Callable[[Any], Any]:
    """Decorate a function: it gives the tangents of these ops."""

    def note(rule: Any) -> Any:
        for op in ops:
            TANGENTS[op.op] = rule
        return rule

    return note


def _spread(t: Any, x: Any, axis: Any, keepdims: bool, correction: float) -> Any:
    """The sum of t times x's distance from its mean, over n - correction: half the tangent of the variance."""
    away = x - np.mean(x, axis=axis, keepdims=True)
    product = np.real(np.conjugate(away) * t) if x.dtype.kind == "c" else away * t
    return np.sum(product, axis=axis, keepdims=keepdims) / reduction._freedom(x.shape, axis, correction)


@pushes(reduction.Var)
def _var(tangents: Any, _out: Any, x: Any, *, axis: Any, keepdims: bool, correction: float) -> Any:
    return 2 * _spread(tangents[0], x, axis, keepdims, correction)


@pushes(reduction.Std)
def _std(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool, correction: float) -> Any:
    return _spread(tangents[0], x, axis, keepdims, correction) / np.where(out == 0, 1.0, out)


@pushes(reduction.Max, reduction.Min)
def _extreme(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """The mean of the tangents where the extreme is; NaN counts as the extreme it gives."""
    top = out if keepdims else np.expand_dims(out, axis)
    chosen = x == top
    if np.isnan(out._everything() if isinstance(out, Traced) else out).any():
        chosen = chosen | (np.isnan(x) & np.isnan(top))
    moved = np.where(chosen, tangents[0], 0.0)
    return np.sum(moved, axis=axis, keepdims=keepdims) / np.sum(chosen, axis=axis, keepdims=keepdims)


@pushes(reduction.Prod)
def _prod(tangents: Any, _out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    before = reduction._before
    others = before(x) * np.flip(before(np.flip(x, -1)), -1)
    return np.sum(tangents[0] * others, axis=axis, keepdims=keepdims)


@pushes(norms.Norm2)
def _norm2(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    zero = out == 0
    direction = x / spread(np.where(zero, 1.0, out), axis, keepdims, x.shape)  # before the product: no overflow
    moved = np.real(np.conjugate(direction) * tangents[0]) if x.dtype.kind == "c" else direction * tangents[0]
    return np.where(zero, 0.0, np.sum(moved, axis=axis, keepdims=keepdims))


@pushes(norms.NormP)
def _norm_p(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool, p: float) -> Any:
    gradient = norms.NormP.backward(np.ones_like(out), out, x, axis=axis, keepdims=keepdims, p=p)
    moved = np.real(np.conjugate(gradient) * tangents[0]) if x.dtype.kind == "c" else gradient * tangents[0]
    return np.sum(moved, axis=axis, keepdims=keepdims)


@pushes(softmax.Softmax)
def _softmax(tangents: Any, out: Any, _x: Any, *, axis: Any, limits: bool) -> Any:
    return softmax.Softmax.backward(tangents[0], out, None, axis=axis, limits=limits)  # a symmetric Jacobian
