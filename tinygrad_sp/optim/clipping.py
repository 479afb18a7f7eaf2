"""Gradient clipping: between backward and step."""

from __future__ import annotations

from typing import Any

import numpy as np

from .parameters import parameters


def clip_grad_norm(params: Any, max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients together, so that the norm of all of them is at most ``max_norm``.

    Parameters
    ----------
    params : Tensor, or nested dict, list or tuple of Tensors
    max_norm : float
    norm_type : float
        The p of the p-norm; ``inf`` for the largest magnitude.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    ValueError
        If ``max_norm`` or ``norm_type`` is negative or NaN.

    Notes
    -----
    The factor is max_norm / (norm + 1e-6), at most 1, as in PyTorch: an infinite gradient becomes NaN.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, 4.0])
    >>> (x**2 / 2).sum().backward()
    >>> tg.optim.clip_grad_norm(x, 1.0)
    5.0
    >>> x.grad
    Tensor([0.59999988, 0.79999984])
    """
    if not (max_norm >= 0 and norm_type > 0):
        raise ValueError(f"clip_grad_norm: max_norm={max_norm}, norm_type={norm_type}; write positive numbers")
    found = [p for p in parameters(params, "clip_grad_norm") if p.grad is not None]
    norm = _norm([_norm(np.abs(p.grad.detach().numpy()), norm_type) for p in found], norm_type)
    factor = min(1.0, max_norm / (norm + 1e-6)) if norm == norm else norm
    with np.errstate(invalid="ignore"):
        for p in found:
            p.grad = p.grad.detach().numpy() * np.float64(factor)  # rounded once: it may be subnormal in float16
    return norm


def _norm(sizes: Any, norm_type: float) -> float:
    """Return the norm of magnitudes, scaled by the largest so that no power overflows."""
    sizes = np.ravel(sizes).astype(float)
    largest = float(sizes.max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(sizes / largest, norm_type))


def clip_grad_value(params: Any, clip_value: float) -> None:
    """Clip each element of every gradient to [-clip_value, clip_value].

    Parameters
    ----------
    params : Tensor, or nested dict, list or tuple of Tensors
    clip_value : float

    Raises
    ------
    ValueError
        If ``clip_value`` is negative or NaN.
    TypeError
        For complex gradients, which have no order.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, 0.5])
    >>> (x**2 / 2).sum().backward()
    >>> tg.optim.clip_grad_value(x, 1.0)
    >>> x.grad
    Tensor([1. , 0.5])
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value: clip_value={clip_value}; write a number that is not negative")
    found = [p for p in parameters(params, "clip_grad_value") if p.grad is not None]
    if any(p.dtype.kind == "c" for p in found):
        raise TypeError("clip_grad_value: complex gradients have no order: write tg.optim.clip_grad_norm")
    for p in found:
        p.grad = np.clip(p.grad.detach().numpy(), -clip_value, clip_value)
