"""Activations with a corner: relu and what was made of it.

At a corner the derivative is the left one: relu'(0) = 0, leaky_relu'(0) is the negative slope, elu'(0) = alpha;
hardtanh has derivative 0 at both ends, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blocks import blocked
from ..graph import Op, Traced
from ..hotpath import Pointwise
from .masks import either

__all__ = ["celu", "elu", "hardtanh", "leaky_relu", "relu", "selu"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


def _real(x: Any, name: str) -> Any:
    """Refuse complex numbers: NumPy would compare them by their real parts."""
    if isinstance(x, complex) or getattr(getattr(x, "dtype", None), "kind", "f") == "c":
        raise TypeError(f"{name} is defined for real numbers; it was given complex ones; take x.real or np.abs(x)")
    return x


def _number(value: Any, name: str) -> float:
    """Return a parameter that is no variable as a Python number, which leaves dtypes alone."""
    if isinstance(value, Traced):
        raise TypeError(f"{name} is a parameter, not a variable: no derivative with respect to it; write a number")
    return float(value)


class Only(Op):
    """x where a condition holds and 0 elsewhere, whatever x is there: np.where(condition, x, 0)."""

    linear, masks, holomorphic = "pointwise", True, False
    conditions = 1
    cases = (((3, 4), (3, 4)), ((4,), (3, 1)))

    @staticmethod
    def forward(condition: Any, x: Any) -> Any:
        return either(condition, x, 0.0)[()]

    backward = (
        lambda _g, _o, _condition, _x: None,
        lambda g, _o, condition, _x: only(condition, g),
    )


def only(condition: Any, x: Any) -> Any:
    """Return x where the condition holds, 0 elsewhere."""
    return Only.apply(condition, x)


class Relu(Pointwise):
    """max(x, 0)."""

    masks = True

    @staticmethod
    def forward(x: Any) -> Any:
        return np.maximum(_real(x, "relu"), 0)

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        return only(out > 0, grad)


class LeakyRelu(Op):
    """x where it is positive, slope*x elsewhere."""

    linear = "pointwise"
    cases = (((3, 4), {"slope": 0.01}),)

    @staticmethod
    def forward(x: Any, *, slope: float) -> Any:
        return np.maximum(_real(x, "leaky_relu"), 0) + slope * np.minimum(x, 0)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, slope: float) -> Any:
        return either(x > 0, grad, slope * grad)


class Elu(Op):
    """scale*x where x is positive, height*(exp(x/width) - 1) elsewhere: elu, selu and celu."""

    linear = "pointwise"
    cases = (((3, 4), {"scale": 1.5, "height": 2.0, "width": 0.5}),)

    @staticmethod
    @blocked
    def forward(x: Any, *, scale: float, height: float, width: float) -> Any:
        return scale * np.maximum(x, 0) + height * np.expm1(np.minimum(x, 0) / width)

    @staticmethod
    @blocked
    def backward(grad: Any, _out: Any, x: Any, *, scale: float, height: float, width: float) -> Any:
        left = height / width * np.exp(np.minimum(x, 0) / width)
        return grad * (left + (scale - height / width) * (x > 0))


class Hardtanh(Op):
    """x, clipped."""

    linear, masks = "pointwise", True
    cases = (((3, 4), {"lo": -1.0, "hi": 0.5}),)

    @staticmethod
    def forward(x: Any, *, lo: float, hi: float) -> Any:
        return np.clip(_real(x, "hardtanh"), lo, hi)

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any, *, lo: float, hi: float) -> Any:
        return only((out > lo) & (out < hi), grad)


# ---------------------------------------------------------------------------------------------- public


def relu(x: Any) -> Any:
    """Return max(x, 0).

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from 0 up.

    Notes
    -----
    The derivative is 1 for x > 0 and 0 elsewhere, at 0 too.

    References
    ----------
    V. Nair, G. Hinton, *Rectified linear units improve restricted Boltzmann machines*, 2010.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.relu(tg.Tensor([-1.0, 0.0, 2.0]))
    Tensor([0., 0., 2.], op=Relu)
    """
    return Relu.apply(x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """Return x where it is positive, and negative_slope*x elsewhere.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.
    negative_slope : float, optional
        The slope on the left.

    Returns
    -------
    Tensor or ndarray
        Of the same shape.

    Notes
    -----
    The derivative is 1 for x > 0 and negative_slope elsewhere, at 0 too.

    References
    ----------
    A. Maas, A. Hannun, A. Ng, *Rectifier nonlinearities improve neural network acoustic models*, 2013.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.leaky_relu(tg.Tensor([-1.0, 0.0, 2.0]), negative_slope=0.5)
    Tensor([-0.5,  0. ,  2. ], op=LeakyRelu)
    """
    slope = _number(negative_slope, "leaky_relu: negative_slope")
    return LeakyRelu.apply(x, slope=slope) if slope else Relu.apply(x)  # 0 times infinity would be NaN


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive, and alpha*(exp(x) - 1) elsewhere.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.
    alpha : float, optional
        How far below 0 it reaches.

    Returns
    -------
    Tensor or ndarray
        Numbers from -alpha up.

    Notes
    -----
    The derivative is 1 for x > 0 and alpha*exp(x) elsewhere.

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter, *Fast and accurate deep network learning by exponential linear
    units*, 2015.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.elu(tg.Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.63212056,  0.        ,  2.        ], op=Elu)
    """
    return Elu.apply(x, scale=1.0, height=_number(alpha, "elu: alpha"), width=1.0)


def selu(x: Any) -> Any:
    """Return scale*x where x is positive, and scale*alpha*(exp(x) - 1) elsewhere.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.

    Returns
    -------
    Tensor or ndarray
        Numbers from -1.758... up.

    Notes
    -----
    alpha = 1.67326324..., scale = 1.05070098... (``SELU_ALPHA``, ``SELU_SCALE``) keep mean 0 and variance 1.  The
    derivative is scale for x > 0 and scale*alpha*exp(x) elsewhere.

    References
    ----------
    G. Klambauer et al., *Self-normalizing neural networks*, 2017.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.selu(tg.Tensor([-1.0, 0.0, 1.0]))
    Tensor([-1.11133074,  0.        ,  1.05070099], op=Elu)
    """
    return Elu.apply(x, scale=SELU_SCALE, height=SELU_SCALE * SELU_ALPHA, width=1.0)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive, and alpha*(exp(x/alpha) - 1) elsewhere: smooth at 0 for every alpha.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.
    alpha : float, optional
        How far below 0 it reaches; not 0.

    Returns
    -------
    Tensor or ndarray
        Numbers from -alpha up.

    Raises
    ------
    ValueError
        If alpha is 0.

    Notes
    -----
    The derivative is 1 for x > 0 and exp(x/alpha) elsewhere.

    References
    ----------
    J. Barron, *Continuously differentiable exponential linear units*, 2017.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.celu(tg.Tensor([-1.0, 0.0, 2.0]), alpha=2.0)
    Tensor([-0.78693868,  0.        ,  2.        ], op=Elu)
    """
    alpha = _number(alpha, "celu: alpha")
    if not alpha:
        raise ValueError("celu: alpha must not be 0")
    return Elu.apply(x, scale=1.0, height=alpha, width=alpha)


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return x, clipped to the interval from min_val to max_val.

    Parameters
    ----------
    x : Tensor or array_like
        Real numbers; any shape.
    min_val, max_val : float, optional
        The ends.

    Returns
    -------
    Tensor or ndarray
        Of the same shape.

    Raises
    ------
    ValueError
        If min_val is above max_val.

    Notes
    -----
    The derivative is 1 between the ends and 0 elsewhere, at the ends too.

    References
    ----------
    R. Collobert, *Large scale machine learning*, 2004.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.hardtanh(tg.Tensor([-3.0, 0.25, 2.0]))
    Tensor([-1.  ,  0.25,  1.  ], op=Hardtanh)
    """
    lo, hi = _number(min_val, "hardtanh: min_val"), _number(max_val, "hardtanh: max_val")
    if lo > hi:
        raise ValueError(f"hardtanh: min_val {lo} is above max_val {hi}; it must not be")
    return Hardtanh.apply(x, lo=lo, hi=hi)
