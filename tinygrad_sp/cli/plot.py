"""Curves as an SVG or PNG file, drawn by Matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expression import InputError

Curve = tuple[str, NDArray[np.float64]]

STYLES = ("-", "--", ":")
STAMPS = {"svg": ("Date", "Creator"), "png": ("Software",)}  # left out, so that the same curves give the same file
REPRODUCIBLE: Any = {"svg.hashsalt": "tinygrad_sp", "svg.fonttype": "none"}


def plot_kind(path: Path) -> str:
    """Return "svg" or "png", what the file's name says.

    Raises
    ------
    InputError
        If it says neither, or Matplotlib is not installed.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise InputError(f"--plot {path}: the file's name must end in .svg or .png")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise InputError("--plot needs Matplotlib: pip install 'tinygrad_sp[plot]'") from None
    return kind


def draw(path: Path, name: str, x: NDArray[np.float64], curves: Sequence[Curve]) -> None:
    """Draw curves over x; the same curves give the same bytes.

    Parameters
    ----------
    path : Path
        The file to write.
    name : str
        The label below the x axis.
    x : ndarray
        Where the curves were evaluated.
    curves : sequence of (str, ndarray)
        What to call each curve, and its values; what is not finite is left out.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    kind = plot_kind(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(REPRODUCIBLE):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for (label, y), style in zip(curves, STYLES, strict=False):
            axes.plot(x, np.where(np.isfinite(y), y, np.nan), style, label=label.replace("$", r"\$"), linewidth=2)
        axes.set_xlabel(name)
        axes.grid(alpha=0.3)
        axes.legend()
        try:
            figure.savefig(path, format=kind, metadata=dict.fromkeys(STAMPS[kind]), dpi=150)
        except OSError as error:
            raise InputError(f"--plot {path}: cannot be written: {error.strerror or error}") from None
