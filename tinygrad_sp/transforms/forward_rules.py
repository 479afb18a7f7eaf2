"""Tangents of reductions, where transposing the rule costs many times the op: the few that are worth it.

``rule(tangents, out, *arrays, **params)`` returns the tangent of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Op, Traced
from ..ops import elementwise, norms, reduction, shape, softmax
from ..ops.axes import spread

TANGENTS: dict[Op, Callable[..., Any]] = {}
_FEW = 1000


def pushes(*ops: Any) -> Callable[[Any], Any]:
    """Decorate a function: it gives the tangents of these ops, or of these functions' ops."""

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
    flat, moved = out == 0, _spread(tangents[0], x, axis, keepdims, correction)
    return np.where(flat, 0.0, moved) / np.where(flat, 1.0, out)


@pushes(reduction.Max, reduction.Min)
def _extreme(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """The mean of the tangents where the extreme is; NaN counts as the extreme it gives."""
    top = out if keepdims else np.expand_dims(out, axis)
    chosen = x == top
    if np.isnan(out._everything() if isinstance(out, Traced) else out).any():
        chosen = chosen | (np.isnan(x) & np.isnan(top))
    if type(chosen) is type(tangents[0]) is np.ndarray and tangents[0].dtype == np.float64 and chosen.size > _FEW:
        places = np.flatnonzero(chosen)
        if places.size * 16 < chosen.size:
            return _mean_of_few(tangents[0], places, top.shape).reshape(np.shape(out))[()]
    moved = np.where(chosen, tangents[0], 0.0)
    return np.sum(moved, axis=axis, keepdims=keepdims) / np.sum(chosen, axis=axis, keepdims=keepdims)


def _mean_of_few(t: Any, places: Any, kept: tuple[int, ...]) -> Any:
    """Average elements of t over the axes that are 1 in ``kept``: only these few, at places in the flattened array."""
    at = np.unravel_index(places, t.shape)
    number = math.prod(kept)
    group = np.zeros(places.size, np.intp)
    for i, n in zip(at, kept, strict=True):
        group = group * n + (i if n > 1 else 0)
    return np.bincount(group, t[at], number) / np.bincount(group, minlength=number)


@pushes(reduction.Prod)
def _prod(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    if _divides(x, tangents[0], out):
        return out * np.sum(tangents[0] / x, axis=axis, keepdims=keepdims)
    before = reduction._before
    others = before(x) * np.flip(before(np.flip(x, -1)), -1)
    return np.sum(tangents[0] * others, axis=axis, keepdims=keepdims)


@pushes(reduction.Cumprod)
def _cumprod(tangents: Any, out: Any, x: Any, *, axis: int) -> Any:
    if _divides(x, tangents[0], out):
        return out * np.cumsum(tangents[0] / x, axis=axis)
    return NotImplemented


def _divides(x: Any, t: Any, out: Any) -> bool:
    """Whether the product may be divided by each factor: nothing is 0 or near the ends of the range."""
    if type(x) is not np.ndarray or type(t) is not np.ndarray or x.dtype != np.float64 or not x.size:
        return False
    sizes = [np.abs(v) for v in (x, out)]
    return all(1e-100 < v.min() and v.max() < 1e100 for v in sizes) and bool(np.abs(t).max() < 1e100)


@pushes(norms.Norm2)
def _norm2(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    t = tangents[0]
    if type(x) is type(t) is np.ndarray and x.dtype == t.dtype == np.float64 and out.size and out.min() > 1e-140:
        dots = _dots(x, t, axis)
        if dots is not None and out.max() < 1e150 and np.isfinite(dots).all():
            return (np.expand_dims(dots, axis) if keepdims else dots) / out
    zero = out == 0
    direction = x / spread(np.where(zero, 1.0, out), axis, keepdims, x.shape)  # before the product: no overflow
    moved = np.real(np.conjugate(direction) * t) if x.dtype.kind == "c" else direction * t
    return np.where(zero, 0.0, np.sum(moved, axis=axis, keepdims=keepdims))


def _dots(x: Any, t: Any, axis: tuple[int, ...]) -> Any:
    """Sum x * t over all axes or the last; None for others."""
    if len(axis) == x.ndim and x.flags.c_contiguous and t.flags.c_contiguous:
        return np.vdot(x, t)
    return np.vecdot(x, t) if tuple(axis) == (-1,) else None


@pushes(shape.Pad)
def _pad(tangents: Any, _out: Any, _x: Any, *, widths: Any, value: Any) -> Any:  # noqa: ARG001
    return shape.Pad.apply(tangents[0], widths=widths, value=0.0)


@pushes(norms.NormP)
def _norm_p(tangents: Any, out: Any, x: Any, *, axis: Any, keepdims: bool, p: float) -> Any:
    gradient = norms.NormP.backward(np.ones_like(out), out, x, axis=axis, keepdims=keepdims, p=p)
    moved = np.real(np.conjugate(gradient) * tangents[0]) if x.dtype.kind == "c" else gradient * tangents[0]
    return np.sum(moved, axis=axis, keepdims=keepdims)


@pushes(elementwise.absolute)
def _modulus(tangents: Any, out: Any, x: Any) -> Any:
    """Of complex numbers: of real ones it is the rule."""
    t = tangents[0]
    if type(x) is type(t) is np.ndarray and out.all() and np.isfinite(out).all():
        return x.real / out * t.real + x.imag / out * t.imag  # np.sign takes five times as long
    return np.real(np.conjugate(np.sign(x)) * t)


@pushes(elementwise.conjugate)
def _conjugate(tangents: Any, _out: Any, _x: Any) -> Any:
    return np.conjugate(tangents[0])


@pushes(softmax.Softmax)
def _softmax(tangents: Any, out: Any, _x: Any, *, axis: Any, limits: bool) -> Any:
    return softmax.Softmax.backward(tangents[0], out, None, axis=axis, limits=limits)  # a symmetric Jacobian


@pushes(softmax.LogSoftmax)
def _log_softmax(tangents: Any, out: Any, _x: Any, *, axis: Any) -> Any:
    """The tangent less its mean, from the most probable element on, whose own share would cancel."""
    t = tangents[0]
    arrays = type(out) is type(t) is np.ndarray and out.size and len(axis) == 1
    if not arrays or np.isnan(out).any() or not np.isfinite(t).all():
        return NotImplemented
    likely = np.argmax(out, axis=axis[0], keepdims=True)
    t = t - np.take_along_axis(t, likely, axis[0])
    return t - np.sum(np.exp(out) * t, axis=axis, keepdims=True)
