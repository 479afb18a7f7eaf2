"""Statistics: averages, covariances, histograms, and the reductions that pass over NaN.

All are composed of other functions of ours; NumPy's own definitions, written once more for Tensors.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..dispatch import implements
from .arguments import array, everything, value
from .axes import Axis, weights_for
from .constant import constant
from .indexing import Put
from .reduction import all as _all
from .reduction import max as _max
from .reduction import mean, prod, root, sum, var
from .reduction import min as _min

__all__ = [
    "average",
    "bincount",
    "corrcoef",
    "cov",
    "histogram",
    "histogram2d",
    "histogram_bin_edges",
    "histogramdd",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "ptp",
]

nanargmax = constant(np.nanargmax)
nanargmin = constant(np.nanargmin)
histogram_bin_edges = constant(np.histogram_bin_edges)


@implements(np.ptp)
def ptp(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Return the largest element minus the smallest over axes."""
    return _max(x, axis, keepdims=keepdims) - _min(x, axis, keepdims=keepdims)


@implements(np.average)
def average(
    x: Any, /, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """Return the weighted mean over axes.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        Axes to average over, by default all.
    weights : Tensor or array_like, optional
        Of x's shape, or of the lengths of the axes.
    returned : bool
        Return the sum of the weights as well.
    keepdims : bool
        Keep the lost axes, with length 1.
    """
    x = array(x)
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        return (result, np.full_like(result, x.size / max(result.size, 1))) if returned else result
    weights = weights_for("average", array(weights), x, axis)
    weights = weights.astype(np.result_type(x.dtype, weights.dtype, *["f8"] * (x.dtype.kind in "biu")))
    total = sum(weights, axis, keepdims=keepdims)
    if np.any(everything(total) == 0):
        raise ZeroDivisionError("average: the weights sum to zero; another sum is wanted, or sum(x * weights)")
    result = sum(x * weights, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    /,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Return the covariance matrix of variables, one a row (or a column, if not ``rowvar``)."""
    rows = [np.atleast_2d(v) if rowvar or np.ndim(v) < 2 else np.transpose(v) for v in (m, y) if v is not None]
    x = np.concatenate([array(r) for r in rows], axis=0) if len(rows) > 1 else array(rows[0])
    x = x.astype(np.result_type(x.dtype, float) if dtype is None else dtype)
    n = 1 - int(bias) if ddof is None else ddof
    weights = np.ones(x.shape[1]) if fweights is None else array(fweights)
    weights = weights if aweights is None else weights * array(aweights)
    total = sum(weights)
    free = total - n if aweights is None else total - n * sum(weights * array(aweights)) / total
    if fweights is None and aweights is None:
        total, free, weights = x.shape[1], max(x.shape[1] - n, 0), 1.0
    away = x - sum(x * weights, axis=1, keepdims=True) / total
    return np.squeeze((away * weights) @ np.conj(away.T) / free)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, /, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Return the matrix of correlation coefficients of variables, one a row."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    return c / deviation[:, None] / deviation


# ---------------------------------------------------------------------------------------------- counting


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Count how often each number occurs, or add up its weights; differentiable in the weights."""
    numbers = value(x)
    if weights is None:
        return _count(x, minlength=minlength)
    weights = array(weights)
    if numbers.ndim != 1 or np.any(numbers < 0):
        raise ValueError(
            f"bincount: a vector of numbers from 0 on is wanted, not shape {numbers.shape}, or negative ones"
        )
    if weights.shape != numbers.shape:
        raise ValueError(f"bincount: {numbers.size} numbers, weights of shape {weights.shape}; one for each is wanted")
    if weights.dtype.kind == "c":
        raise TypeError("bincount: complex weights; take weights.real and weights.imag")
    n = max(int(np.max(numbers, initial=-1)) + 1, minlength)
    return Put.apply(weights.astype(float), shape=(n,), index=(numbers,))


_count = constant(np.bincount, stands_for=False)


@functools.wraps(np.histogramdd)
def _counts_and_edges(*args: Any, **options: Any) -> tuple[Any, ...]:
    counts, edges = np.histogramdd(*args, **options)
    return counts, *edges  # an op's results are arrays, none a list of them


def _histogram(function: Any) -> Any:
    """Declare a histogram: constant in what it counts; its weights are refused if they vary."""
    counted = constant(_counts_and_edges if function is np.histogramdd else function, stands_for=False)

    def public(x: Any, /, *args: Any, weights: Any = None, **options: Any) -> Any:
        if getattr(weights, "node", None) is not None:
            raise NotImplementedError(f"{function.__name__}: weights being differentiated; see bincount")
        options = options if weights is None else options | {"weights": value(weights)}
        counts, *edges = counted(x, *args, **options)
        return (counts, edges) if function is np.histogramdd else (counts, *edges)

    public.__name__ = public.__qualname__ = function.__name__
    public.__doc__ = f"Return what ``numpy.{function.__name__}`` does, a constant."
    return implements(function)(public)


histogram = _histogram(np.histogram)
histogram2d = _histogram(np.histogram2d)
histogramdd = _histogram(np.histogramdd)


# ---------------------------------------------------------------------------------------------- passing over NaN


def _without(x: Any, substitute: float) -> Any:
    """Put a number in the place of NaN; nothing flows to it."""
    x = array(x)
    if x.dtype.kind not in "fc" or not np.isnan(everything(x)).any():
        return x
    return np.where(np.isnan(x), substitute, x).astype(x.dtype)


@implements(np.nansum)
def nansum(x: Any, /, axis: Axis = None, dtype: Any = None, **options: Any) -> Any:
    """Return the sum over axes of the elements that are not NaN, with the options of `sum`."""
    return sum(_without(x, 0.0), axis, dtype, **options)


@implements(np.nanprod)
def nanprod(x: Any, /, axis: Axis = None, dtype: Any = None, **options: Any) -> Any:
    """Return the product over axes of the elements that are not NaN, with the options of `prod`."""
    return prod(_without(x, 1.0), axis, dtype, **options)


@implements(np.nancumsum)
def nancumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """Return running sums; NaN counts as 0."""
    return np.cumsum(_without(x, 0.0), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def nancumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """Return running products; NaN counts as 1."""
    return np.cumprod(_without(x, 1.0), axis=axis, dtype=dtype)


def _present(x: Any, where: Any) -> Any:
    """Return where the elements count that are not NaN."""
    return np.logical_and(np.logical_not(np.isnan(x)), where)


@implements(np.nanmean)
def nanmean(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Return the mean over axes of the elements that are not NaN."""
    x = array(x)
    return mean(x, axis, dtype, keepdims=keepdims, where=_present(x, where))


@implements(np.nanvar)
def nanvar(
    x: Any, /, axis: Axis = None, dtype: Any = None, ddof: float = 0, *, where: Any = True, **options: Any
) -> Any:
    """Return the variance over axes of the elements that are not NaN; NaN where no more than ``ddof`` are left."""
    x = array(x)
    if x.dtype.kind not in "fc":
        return var(x, axis, dtype, ddof, where=where, **options)
    present = _present(x, where)
    whole = where if np.all(everything(present)) else present
    result = var(x, axis, dtype, ddof, where=whole, **options)
    free = ddof if options.get("correction") is None else options["correction"]
    few = sum(present, axis, keepdims=options.get("keepdims", False)) <= free
    return np.where(few, np.nan, result).astype(result.dtype) if np.any(everything(few)) else result


@implements(np.nanstd)
def nanstd(x: Any, /, axis: Axis = None, dtype: Any = None, ddof: float = 0, **options: Any) -> Any:
    """Return the standard deviation over axes of the elements that are not NaN; where it is 0, so is its derivative."""
    return root(nanvar(x, axis, dtype, ddof, **options))


def _nan_extreme(x: Any, axis: Axis, reduction: Any, substitute: float, options: dict[str, Any]) -> Any:
    x = array(x)
    known = _without(x, substitute)
    result = reduction(known, axis, **options)
    if known is x or options.get("initial") is not None:
        return result
    lost: Any = _all(np.isnan(x), axis, keepdims=options.get("keepdims", False))
    return np.where(lost, np.nan, result) if np.any(everything(lost)) else result


@implements(np.nanmax, (np.fmax, "reduce"))
def nanmax(x: Any, /, axis: Axis = None, **options: Any) -> Any:
    """Return the largest element over axes that is not NaN, with the options of `max`."""
    return _nan_extreme(x, axis, _max, -np.inf, options)


@implements(np.nanmin, (np.fmin, "reduce"))
def nanmin(x: Any, /, axis: Axis = None, **options: Any) -> Any:
    """Return the smallest element over axes that is not NaN, with the options of `min`."""
    return _nan_extreme(x, axis, _min, np.inf, options)
