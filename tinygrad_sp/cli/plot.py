"""An expression's curves as an SVG or PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..plotting.curves import Curves
from ..plotting.figure import draw_curves, need_matplotlib, plain_axes, save
from .expression import InputError


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
        need_matplotlib("--plot")
    except ImportError as error:
        raise InputError(str(error)) from None
    return kind


def draw(path: Path, name: str, labels: Sequence[str], found: Curves) -> None:
    """Draw curves into a file; the same curves give the same bytes.

    Parameters
    ----------
    path : Path
        The file to write.
    name : str
        The label below the x axis.
    labels : sequence of str
        What to call each curve.
    found : Curves
        The curves.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    kind = plot_kind(path)
    axes = plain_axes()
    draw_curves(axes, name, labels, found)
    try:
        save(axes.figure, path, kind)
    except OSError as error:
        raise InputError(f"--plot {path}: cannot be written: {error.strerror or error}; name another file") from None
