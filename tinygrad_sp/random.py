"""Random numbers whose distribution can be differentiated: a fixed draw, moved and scaled by Tensors.

``rng.normal(loc, scale)`` of NumPy's `Generator` gives numbers in which ``loc`` and ``scale`` are forgotten.  Here
they are not (reparametrisation): ``normal(loc, scale) = loc + scale * z`` with a constant z, so that the
derivative of a mean over samples is an estimate of the derivative of the mean.  For all else NumPy's generators
are the way: ``tg.asarray(rng.random(3))``.

Every function takes NumPy's ``rng`` (a `Generator`, a seed or None for a fresh one), as NumPy and SciPy do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Op
from .ops.arguments import floating

__all__ = ["dropout", "exponential", "gumbel", "laplace", "logistic", "normal", "uniform"]

Generator = np.random.Generator | int | None


def _moved(draw: Callable[[np.random.Generator, Any], Any], rng: Generator, size: Any, loc: Any, scale: Any) -> Any:
    """Draw constants of the size, or of the parameters' common shape, in their dtype; move and scale them."""
    shape = np.broadcast_shapes(np.shape(loc), np.shape(scale)) if size is None else size
    dtype = np.result_type(*(x.dtype if hasattr(x, "dtype") else x for x in (loc, scale)))
    drawn = np.asarray(draw(np.random.default_rng(rng), shape))
    return loc + scale * (drawn.astype(dtype) if dtype.kind == "f" else drawn)


def normal(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw normally distributed numbers, differentiable in mean and standard deviation.

    Parameters
    ----------
    loc, scale : Tensor or array_like
        Mean and standard deviation.
    size : int or sequence of int, optional
        The shape of the result, by default that of the parameters together.
    rng : numpy.random.Generator or int, optional
        Where the numbers come from.

    Returns
    -------
    Tensor or ndarray
        A Tensor if a parameter is one.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> scale = tg.Tensor(2.0)
    >>> sample = tg.random.normal(1.0, scale, 3, rng=0)
    >>> sample.sum().backward()
    >>> bool(abs(scale.grad - (sample - 1.0).sum() / 2.0) < 1e-12)
    True
    """
    return _moved(lambda g, n: g.standard_normal(n), rng, size, loc, scale)


def uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw numbers uniformly between low and high, differentiable in both."""
    return _moved(lambda g, n: g.random(n), rng, size, low, high - low)


def exponential(scale: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw exponentially distributed numbers, differentiable in their mean."""
    return _moved(lambda g, n: g.standard_exponential(n), rng, size, 0.0, scale)


def gumbel(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw Gumbel-distributed numbers, differentiable in location and scale."""
    return _moved(lambda g, n: g.gumbel(size=n), rng, size, loc, scale)


def laplace(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw Laplace-distributed numbers, differentiable in location and scale."""
    return _moved(lambda g, n: g.laplace(size=n), rng, size, loc, scale)


def logistic(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, rng: Generator = None) -> Any:
    """Draw logistically distributed numbers, differentiable in location and scale."""
    return _moved(lambda g, n: g.logistic(size=n), rng, size, loc, scale)


class Masked(Op):
    """Elements kept and scaled up, or dropped: x gets where(kept, g * scale, 0)."""

    linear, masks, holomorphic = "joint", True, False
    cases = (((4,), {"kept": np.array([True, False, True, True]), "scale": 1.25}),)

    @staticmethod
    def forward(x: Any, *, kept: Any, scale: float) -> Any:
        return np.where(kept, x, 0.0) * scale

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, kept: Any, scale: float) -> Any:
        return Masked.apply(grad, kept=kept, scale=scale)


def dropout(x: Any, p: float = 0.5, *, rng: Generator = None) -> Any:
    """Set each element to zero with probability p, and divide the others by 1 - p.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    p : float
        From 0 to 1.
    rng : numpy.random.Generator or int, optional
        Where the decisions come from.

    Raises
    ------
    ValueError
        If p is no probability.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.random.dropout(tg.Tensor([1.0, 2.0, 3.0, 4.0]), 0.5, rng=1)
    Tensor([2., 4., 0., 8.], op=Masked)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} is no probability; a number from 0 to 1 is wanted")
    x = floating(x)
    kept = np.random.default_rng(rng).random(x.shape) >= p
    return Masked.apply(x, kept=kept, scale=1 / (1 - p) if p < 1 else 0.0)
