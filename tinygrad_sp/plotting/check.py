"""A gradient check drawn: what the rule gives, what differences give, and where they part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .figure import need_matplotlib

if TYPE_CHECKING:
    from ..testing.report import InputReport, Report

Array = NDArray[np.float64]

MOST_INPUTS = 4
MOST_NAMES = 12
"""How many elements are named below the axis; more are numbered."""
RANGE = 1e-20  # of distances from the smallest to the largest
COLOURS = {"right": "tab:blue", "not decided": "tab:orange", "wrong": "tab:red"}


def plot_gradcheck(report: Report) -> Any:
    """Draw what a gradient check found: for each input the derivatives, and below how far rule and differences part.

    Parameters
    ----------
    report : Report
        What `testing.gradcheck` returned, or one of its ``orders``.

    Returns
    -------
    matplotlib.figure.Figure
        A column for each input, at most 4, those with wrong elements first.  Above, for every element that was
        looked at by itself: the rule's derivative of the summed result (a dot), and the range in which it is
        right (a bar: around the numeric derivative, or between both sides of a kink).  Below: the distance of
        the dot from the middle of its bar, and half the bar's length (a dash); a dot above its dash is wrong.
        Wrong elements are red, undecided ones orange.

    Raises
    ------
    ImportError
        Without Matplotlib, the extra ``plot``.
    TypeError
        If ``report`` is something else.

    Notes
    -----
    An element may be wrong though its dot lies in its bar: the bar is that of the summed result, in which the
    errors of several outputs can cancel.  It is red all the same.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.testing import gradcheck
    >>> report = gradcheck(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: g * np.cos(x) * [1, 1.01])
    >>> figure = tg.plot_gradcheck(report)  # doctest: +SKIP
    """
    from ..testing.report import Report

    if not isinstance(report, Report):
        raise TypeError(f"plot_gradcheck: {type(report).__name__}; give what gradcheck(f, x) returned")
    need_matplotlib("plot_gradcheck")
    from matplotlib import pyplot

    shown = sorted(report.inputs, key=lambda entry: "wrong" not in entry.status)[:MOST_INPUTS]
    figure = pyplot.figure(figsize=(6.4 * max(len(shown), 1), 4.8), layout="constrained")
    figure.suptitle(f"{report.verdict.upper()}: {report.reason}".replace("$", r"\$"), fontsize="medium", wrap=True)
    if shown:
        grid = figure.subplots(2, len(shown), sharex="col", squeeze=False)
        for entry, above, below in zip(shown, *grid, strict=True):
            _draw(entry, above, below)
    return figure


def _draw(entry: InputReport, above: Any, below: Any) -> None:
    """Draw one input."""
    at = np.flatnonzero(entry.status != "")
    status = entry.status[at]
    analytic, low, high = (_real(a)[at] for a in (entry.analytic, entry.low, entry.high))
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    distance, half = _above_floor(np.abs(analytic - middle), half)
    above.errorbar(at, middle, half, fmt="none", ecolor="0.4", capsize=4, label="differences")
    below.plot(at, half, "_", color="0.4", markersize=9)
    for word, colour in COLOURS.items():
        some = status == word
        if some.any():
            above.plot(at[some], analytic[some], "o", color=colour, markersize=5, label=f"rule, {word}")
            below.plot(at[some], distance[some], "o", color=colour, markersize=5)
        for place in at[some & ~np.isfinite(analytic)]:  # a dot that can't be drawn
            above.axvline(place, color=colour, linewidth=1)
    below.set_yscale("log")
    below.set_xlabel(f"{entry.name}: {at.size:,} of {entry.status.size:,} elements looked at one by one")
    if at.size <= MOST_NAMES:
        below.set_xticks(at, [_element(entry, int(i)) for i in at], rotation=30)
    above.set_ylabel("derivative")
    below.set_ylabel("distance")
    above.legend()
    for axes in (above, below):
        axes.grid(alpha=0.3)


def _above_floor(distance: Array, half: Array) -> tuple[Array, Array]:
    """Lift what is 0, or next to it, to where a logarithmic axis can show it."""
    both = np.concatenate([distance, half])
    floor = RANGE * np.max(both[np.isfinite(both)], initial=1e-300)
    return np.maximum(distance, floor), np.maximum(half, floor)


def _real(array: Any) -> Array:
    """Give the real numbers of an array, flat: two for each complex element."""
    return np.ascontiguousarray(array).reshape(-1).view(np.float64)


def _element(entry: InputReport, at: int) -> str:
    per = 2 if entry.dtype.kind == "c" else 1
    index = ", ".join(map(str, np.unravel_index(at // per, entry.shape)))
    return entry.name + (f"[{index}]" if index else "") + ("", (".real", ".imag")[at % per])[per - 1]
