"""Convolution and correlation of arrays of any dimension, as in ``scipy.signal``.

One op, the full convolution, is linear in each array and its own rule; the modes "same" and "valid" are parts of
it, and a correlation is a convolution with the second array reversed and conjugated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal as ss  # type: ignore[import-untyped, unused-ignore]

from ..graph import Op
from ..ops.arguments import array
from ..ops.matrix_rules import conj

__all__ = ["convolve", "correlate", "fftconvolve"]

_MODES = ("full", "same", "valid")


def _part(x: Any, starts: Any, lengths: Any) -> Any:
    return x[(..., *(slice(a, a + n) for a, n in zip(starts, lengths, strict=True)))]


def _reversed(x: Any, ndim: int) -> Any:
    return x[(..., *(slice(None, None, -1),) * ndim)]


class FullConvolution(Op):
    """All sums of products of overlapping elements, along the last ``ndim`` axes."""

    linear = "each"
    cases = (
        ((4,), (3,), {"ndim": 1, "fft": False}),
        ((2, 3), (3, 2), {"ndim": 2, "fft": True}),
        ((1,), (5,), {"ndim": 1, "fft": True}),
    )

    @staticmethod
    def forward(x: Any, y: Any, *, ndim: int, fft: bool) -> Any:
        compute = ss.fftconvolve if fft else ss.convolve
        if x.ndim == y.ndim == ndim:
            return compute(x, y)
        stack = np.broadcast_shapes(x.shape[:-ndim], y.shape[:-ndim])
        x, y = (np.broadcast_to(z, stack + z.shape[-ndim:]) for z in (x, y))
        found = [compute(x[i], y[i]) for i in np.ndindex(*stack)]
        return np.reshape(np.stack(found), stack + found[0].shape)

    backward = (
        lambda g, _o, _x, y, ndim, fft: _overlap(g, y, _x, ndim, fft),
        lambda g, _o, x, _y, ndim, fft: _overlap(g, x, _y, ndim, fft),
    )


def _overlap(g: Any, y: Any, x: Any, ndim: int, fft: bool) -> Any:
    """Correlate the cotangent with the other array, where they overlap wholly."""
    full = FullConvolution.apply(g, _reversed(y, ndim), ndim=ndim, fft=fft)
    return _part(full, [n - 1 for n in y.shape[-ndim:]], x.shape[-ndim:])


def _convolve(x: Any, y: Any, mode: str, fft: bool, name: str) -> Any:
    x, y = array(x), array(y)
    if mode not in _MODES:
        raise ValueError(f"{name}: mode={mode!r}; 'full', 'same' or 'valid' is wanted")
    if x.ndim != y.ndim or not x.ndim:
        raise ValueError(f"{name}: shapes {tuple(x.shape)} and {tuple(y.shape)} must have as many axes, and some")
    if not x.size or not y.size:
        raise ValueError(
            f"{name}: an array is empty, shapes {tuple(x.shape)} and {tuple(y.shape)}; give each an element"
        )
    full = FullConvolution.apply(x, y, ndim=x.ndim, fft=fft)
    pairs = list(zip(x.shape, y.shape, strict=True))
    if mode == "same":
        return _part(full, [(m - 1) // 2 for _, m in pairs], x.shape)
    if mode == "valid":
        if any(n < m for n, m in pairs) and any(n > m for n, m in pairs):
            raise ValueError(f"{name}: valid: one of {tuple(x.shape)} and {tuple(y.shape)} must contain the other")
        return _part(full, [min(p) - 1 for p in pairs], [max(p) - min(p) + 1 for p in pairs])
    return full


def convolve(x: Any, y: Any, mode: str = "full", method: str = "auto") -> Any:
    """Convolve two arrays of as many axes.

    Parameters
    ----------
    x, y : Tensor or array_like
        As many axes each, none empty.
    mode : {"full", "same", "valid"}
        All overlaps; the middle, as long as x; only whole overlaps.
    method : {"auto", "direct", "fft"}
        As for ``scipy.signal.convolve``; "fft" is `fftconvolve`.

    Returns
    -------
    Tensor or ndarray
        The convolution.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.signal import convolve
    >>> convolve(tg.Tensor([1.0, 2.0, 3.0]), [1.0, 1.0], mode="valid").numpy()
    array([3., 5.])
    """
    return _convolve(x, y, mode, method == "fft", "convolve")


def fftconvolve(x: Any, y: Any, mode: str = "full") -> Any:
    """Convolve two arrays by Fourier transforms; parameters as for `convolve`."""
    return _convolve(x, y, mode, True, "fftconvolve")


def correlate(x: Any, y: Any, mode: str = "full", method: str = "auto") -> Any:
    """Correlate two arrays: convolve x with y reversed and conjugated; parameters as for `convolve`."""
    y = array(y)
    return _convolve(x, conj(_reversed(y, y.ndim)), mode, method == "fft", "correlate")
