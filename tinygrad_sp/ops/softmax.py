"""Softmax, its logarithm, and the logarithm of a sum of exponentials: one family, along axes.

With m the maximum and s the sum of exp(x - m) over all entries but the maximum, whose exponential is exactly 1,
logsumexp is m + log1p(s): no overflow, and no digit is lost where s is tiny.  Infinite rows give what SciPy
gives; a derivative is NaN only where its limit depends on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import blocked
from ..graph import Op
from .arguments import array
from .axes import Axis, negative_axes

__all__ = ["log_softmax", "logsumexp", "softmax"]

Axes = tuple[int, ...]
_CASES = (((3, 4), {"axis": (-1,)}), ((2, 3, 2), {"axis": (-3, -1)}))


def _over_max(x: Any, axis: Axes) -> tuple[Any, Any]:
    """Return the maximum, and log(sum(exp(x - maximum))), which is from 0 up."""
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    is_top = x == top
    if np.isfinite(top).all() and np.count_nonzero(is_top) == top.size:  # nearly always; half the time of what follows
        with np.errstate(over="ignore"):
            others = np.exp(x - top) * ~is_top
        return top, np.log1p(np.sum(others, axis=axis, keepdims=True))
    count = np.maximum(np.sum(is_top, axis=axis, keepdims=True, dtype=x.dtype), 1)  # 0 where a NaN is
    # A row of -inf has only tops; it must not compute inf - inf.
    with np.errstate(over="ignore"):
        others = np.exp(np.where(is_top, -np.inf, x) - np.where(top == -np.inf, 0.0, top))
    # Against `count` equal maxima: log(count + s) = log(count) + log1p(s/count)
    return top, np.log(count) + np.log1p(np.sum(others, axis=axis, keepdims=True) / count)


@blocked
def _logsumexp(x: Any, *, axis: Axes) -> Any:
    top, rest = _over_max(x, axis)
    return top + rest


class Logsumexp(Op):
    """log(sum(exp(x))) over axes, which stay with length 1: x gets g * softmax(x, axis=axis)."""

    cases = _CASES

    @staticmethod
    def forward(x: Any, *, axis: Axes) -> Any:
        return _logsumexp(x, axis=axis)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, axis: Axes) -> Any:
        return grad * Softmax.apply(x, axis=axis, limits=True)


class Softmax(Op):
    """exp(x) / sum(exp(x)) over axes; with ``limits``, equal shares for the maxima of an infinite row."""

    cases = tuple((shape, {**params, "limits": limits}) for limits in (True, False) for shape, params in _CASES)

    @staticmethod
    @blocked
    def forward(x: Any, *, axis: Axes, limits: bool) -> Any:
        top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, or beyond -max
            e = np.exp(x - top)
        if limits and not np.isfinite(top).all():
            e = np.where(x == top, 1.0, e)
        return e / np.sum(e, axis=axis, keepdims=True)

    @staticmethod
    @blocked
    def backward(grad: Any, out: Any, _x: Any, *, axis: Axes, limits: bool) -> Any:  # noqa: ARG004
        return out * (grad - np.sum(grad * out, axis=axis, keepdims=True))


class LogSoftmax(Op):
    """x - logsumexp(x) over axes: x gets g - exp(out) * sum(g, axis=axis, keepdims=True)."""

    cases = _CASES

    @staticmethod
    @blocked
    def forward(x: Any, *, axis: Axes) -> Any:
        top, rest = _over_max(x, axis)
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, or beyond -max
            return x - top - rest

    @staticmethod
    @blocked
    def backward(grad: Any, out: Any, _x: Any, *, axis: Axes) -> Any:
        # grad - softmax*sum(grad), in which 1 - softmax of an element's own share is not left to cancel
        others = np.sum(grad, axis=axis, keepdims=True) - grad
        return -grad * np.expm1(out) - np.exp(out) * others


# ---------------------------------------------------------------------------------------------- public


def softmax(x: Any, axis: Axis = -1) -> Any:
    """Return exp(x) / sum(exp(x)), the sum along an axis.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers.
    axis : int, sequence of int or None
        What is summed over; None means everything.

    Returns
    -------
    Tensor or ndarray
        Numbers from 0 to 1 that sum to 1.

    Notes
    -----
    With p the result, the derivative takes a cotangent g to p*(g - sum(g*p)).  A row whose maximum is infinite
    gives NaN, as in SciPy.

    References
    ----------
    J. Bridle, *Training stochastic model recognition algorithms as networks can lead to maximum mutual
    information estimation of parameters*, 1989.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.softmax(tg.Tensor([1.0, 2.0, 3.0]))
    Tensor([0.09003057, 0.24472847, 0.66524096], op=Softmax)
    """
    x = array(x)
    return Softmax.apply(x, axis=negative_axes(axis, x.ndim), limits=False)


def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """Return log(softmax(x)), which is x - logsumexp(x).

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers.
    axis : int, sequence of int or None
        What is summed over; None means everything.

    Returns
    -------
    Tensor or ndarray
        Numbers up to 0.

    Notes
    -----
    The derivative takes a cotangent g to g - softmax(x)*sum(g).

    References
    ----------
    P. Blanchard, D. Higham, N. Higham, *Accurately computing the log-sum-exp and softmax functions*, 2021.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.log_softmax(tg.Tensor([1000.0, 1001.0]))
    Tensor([-1.31326169, -0.31326169], op=LogSoftmax)
    >>> tg.log_softmax(tg.Tensor([40.0, 0.0]))
    Tensor([-4.24835426e-18, -4.00000000e+01], op=LogSoftmax)
    """
    x = array(x)
    return LogSoftmax.apply(x, axis=negative_axes(axis, x.ndim))


def logsumexp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return log(sum(exp(x))) over axes, by default over all.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers.
    axis : int or sequence of int, optional
        Axes to sum over.
    keepdims : bool
        Keep the summed axes, with length 1.

    Returns
    -------
    Tensor or ndarray
        -inf where nothing, or only -inf, was summed; inf where an inf was.

    Notes
    -----
    The derivative is softmax(x).  Beside a single inf it is 1 there and 0 elsewhere; equal infinite maxima share.

    References
    ----------
    P. Blanchard, D. Higham, N. Higham, *Accurately computing the log-sum-exp and softmax functions*, 2021.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.logsumexp(tg.Tensor([[1000.0, 1000.0], [0.0, -40.0]]), axis=1)
    Tensor([1.00069315e+03, 4.24835426e-18], op=...)
    """
    x = array(x)
    axes = negative_axes(axis, x.ndim)
    result = Logsumexp.apply(x, axis=axes)
    if keepdims or not axes:
        return result
    result = np.squeeze(result, axes)
    return result[()] if type(result) is np.ndarray else result
