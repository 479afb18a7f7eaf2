"""Fourier transforms: NumPy's and the array API standard's names, each with its derivative."""

from .ops.fft import *  # noqa: F403
