"""A function drawn with its derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .curves import POINTS, curves
from .figure import draw_curves, need_matplotlib, new_axes

ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ")


def plot(
    f: Callable[[Any], Any],
    lo: float,
    hi: float,
    order: int = 2,
    *,
    points: int = POINTS,
    label: str | None = None,
    axes: Any = None,
) -> Any:
    """Draw a function of one number with its derivatives, found by ``.backward()``.

    Parameters
    ----------
    f : callable
        Takes a 0-d float64 Tensor and gives one real number; it may decide by the value (``if x > 0``).
    lo, hi : float
        From where to where.
    order : int
        The highest derivative to draw: 0 for none, up to 6.
    points : int
        How many samples, at least 3.
    label : str, optional
        What to call the function; by default its name.
    axes : matplotlib.axes.Axes, optional
        Where to draw, for instance a second function into the same picture.  By default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        ``.figure.savefig(path)`` writes the picture; in a notebook it shows itself, elsewhere ``plt.show()`` does.

    Raises
    ------
    ImportError
        Without Matplotlib, the extra ``plot``.
    ValueError
        If ``f`` gives several numbers, ``lo`` is not below ``hi``, or ``order`` or ``points`` makes no sense.
    TypeError
        If ``f`` is no function, or gives complex or plain numbers, of which there is no derivative to draw.

    Notes
    -----
    Lines are broken where a curve jumps (the derivative of relu at 0, tan at pi/2) and where it is NaN or
    infinite.  If a curve runs to infinity, the picture shows most of the function, not most of the infinity.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> axes = tg.plot(tg.softplus, -6, 6)  # doctest: +SKIP
    >>> [line.get_label() for line in axes.lines]  # doctest: +SKIP
    ['softplus(x)', 'derivative', 'second derivative']
    """
    need_matplotlib("plot")
    if not callable(f):
        raise TypeError(f"plot: f is {type(f).__name__}; a function of one number is wanted")
    lo, hi = float(lo), float(hi)
    if not (np.isfinite([lo, hi]).all() and lo < hi):
        raise ValueError(f"plot: from {lo} to {hi}; wanted finite numbers, the first below the second")
    if order not in range(len(ORDINALS) + 1) or points < 3:
        raise ValueError(f"plot: order={order}, points={points}; wanted an order from 0 to 6, and at least 3 points")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = curves(f, lo, hi, order, points)
    axes = new_axes() if axes is None else axes
    draw_curves(axes, "x", labels(label or _name(f), order), found)
    return axes


def labels(name: str, order: int) -> list[str]:
    """Say what each curve is.

    >>> labels("softplus(x)", 2)
    ['softplus(x)', 'derivative', 'second derivative']
    """
    return [name, *(f"{ordinal}derivative" for ordinal in ORDINALS[:order])]


def _name(f: Any) -> str:
    name = getattr(f, "__name__", "f")
    return f"{name if name.isidentifier() else 'f'}(x)"
