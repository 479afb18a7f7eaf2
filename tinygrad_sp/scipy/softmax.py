"""Softmax and its family with SciPy's arguments, among them weights; the rules are those of ``ops/softmax.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..ops.arguments import array
from ..ops.axes import Axis
from ..transforms import stop_gradient

__all__ = ["log_softmax", "logsumexp", "softmax"]

_LARGEST = 709.0  # exp of more overflows


def softmax(x: Any, axis: Axis = None) -> Any:
    """Return exp(x) / sum(exp(x)) over axes: over all by default, where `tinygrad_sp.softmax` takes the last.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers.
    axis : int or sequence of int, optional
        Axes to sum over.

    Returns
    -------
    Tensor or ndarray
        Numbers from 0 to 1.

    Examples
    --------
    >>> from tinygrad_sp.scipy import special
    >>> special.softmax([[0.0, 0.0], [0.0, 0.0]])
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    return ops.softmax.softmax(x, axis)


def log_softmax(x: Any, axis: Axis = None) -> Any:
    """Return log(softmax(x)) over axes, by default over all.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers.
    axis : int or sequence of int, optional
        Axes to sum over.

    Returns
    -------
    Tensor or ndarray
        Numbers up to 0.

    Examples
    --------
    >>> from tinygrad_sp.scipy import special
    >>> special.log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    return ops.softmax.log_softmax(x, axis)


def logsumexp(a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Return log(sum(b * exp(a))) over axes, by default over all.

    Parameters
    ----------
    a : Tensor or array_like
        Real numbers.
    axis : int or sequence of int, optional
        Axes to sum over.
    b : Tensor or array_like, optional
        Weights, which broadcast against a; they may be zero or negative.
    keepdims : bool
        Keep the summed axes, with length 1.
    return_sign : bool
        Return the logarithm of the sum's absolute value, and its sign.

    Returns
    -------
    Tensor or ndarray
        NaN where the sum is negative, unless its sign is asked for; with it a tuple.

    Notes
    -----
    The derivatives are b * exp(a - out) and exp(a - out), times the sign.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy import special
    >>> special.logsumexp(tg.Tensor([1000.0, 1000.0]), b=[3.0, -1.0])
    Tensor(1000.69314718, op=Add)
    """
    if b is None:
        result = ops.softmax.logsumexp(a, axis, keepdims=keepdims)
        if not return_sign:
            return result
        return result, np.where(np.isnan(result), result, 1.0 - (result == -np.inf))
    a, b = array(a), array(b)
    top = stop_gradient(np.max(np.where(b != 0, a, -np.inf), axis=axis, keepdims=True, initial=-np.inf))
    top = np.where(np.isfinite(top), top, 0.0)
    over = a - top
    # An element of no weight may be far above those that have one: its 0 times infinity would be NaN.
    total = np.sum(b * np.exp(np.where(b == 0, np.minimum(over, _LARGEST), over)), axis=axis, keepdims=keepdims)
    top = top if keepdims else np.reshape(top, total.shape)
    if return_sign:
        return np.log(np.abs(total)) + top, np.sign(total)
    return np.log(total) + top
