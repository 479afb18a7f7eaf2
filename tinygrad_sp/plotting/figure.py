"""Matplotlib: axes, curves on them, and files; imported when something is drawn and not before."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .curves import Array, Curves

STYLES = ("-", "--", ":", "-.")
STAMPS = {"svg": ("Date", "Creator"), "png": ("Software",)}  # left out, so that the same curves give the same file
REPRODUCIBLE: Any = {"svg.hashsalt": "tinygrad_sp", "svg.fonttype": "none"}


def need_matplotlib(what: str) -> None:
    """Raise ImportError, saying what to install, where Matplotlib is not."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ImportError(f"{what} needs Matplotlib: pip install 'tinygrad_sp[plot]'") from None


def new_axes() -> Any:
    """Make axes in a figure that pyplot shows, in a notebook or by ``plt.show()``."""
    from matplotlib import pyplot

    return pyplot.figure(figsize=(6.4, 4.0), layout="constrained").add_subplot()


def plain_axes() -> Any:
    """Make axes in a figure of its own: for files, without a window system."""
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, 4.0), layout="constrained").add_subplot()


def draw_curves(axes: Any, name: str, labels: Sequence[str], found: Curves) -> None:
    """Draw a function and its derivatives over the variable of a name."""
    for k, (label, (x, y)) in enumerate(zip(labels, found.lines, strict=True)):
        axes.plot(x, y, STYLES[k % len(STYLES)], label=label.replace("$", r"\$"), linewidth=2)
    axes.set_xlabel(name.replace("$", r"\$"))
    axes.grid(alpha=0.3)
    axes.legend()
    if found.endless:
        _look_at(axes, found.lines[0][1])


def _look_at(axes: Any, y: Array) -> None:
    """Where something runs to infinity, show most of the function: of 1/x, not 40,000 above and below."""
    finite = y[np.isfinite(y)]
    if finite.size:
        low, high = np.quantile(finite, [0.05, 0.95])
        margin = (high - low) / 2 or max(abs(high), 1.0)
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, low - margin), min(top, high + margin))


def save(figure: Any, path: str | PathLike[str], kind: str) -> None:
    """Write a figure as "svg" or "png"; the same figure gives the same bytes."""
    import matplotlib

    with matplotlib.rc_context(REPRODUCIBLE):
        figure.savefig(Path(path), format=kind, metadata=dict.fromkeys(STAMPS[kind]), dpi=150)
