"""A small picture of the values of an array, for notebooks: bars for one axis, a heat map for two."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from .facts import short, summary

MOST_BARS, MOST_CELLS = 64, 32
CELL, BAR, HEIGHT = 12, 7, 60
BLUE, RED, WHITE, GREY = (59, 91, 140), (176, 74, 58), (255, 255, 255), "#bbb"


def values_html(array: Any, origin: str, text: str) -> str:
    """Write an array as HTML: shape, dtype, what made it, a picture, and its text.

    Parameters
    ----------
    array : ndarray
        Any shape and numeric dtype.
    origin, text : str
        What made it, and how it prints.

    Returns
    -------
    str
        It stands alone: no script, no style sheet, nothing to load.
    """
    head = " ".join(part for part in (str(array.shape), str(array.dtype), origin) if part)
    drawn, note = picture_of(array)
    said = summary(array) if array.size > 4 else ""
    below = " · ".join(part for part in (said, note) if part)
    parts = [f"<code>{escape(head)}</code>", drawn, f"<small>{escape(below)}</small>" if below else ""]
    return f'<div>{"<br>".join(part for part in parts if part)}<pre style="margin:0">{escape(text)}</pre></div>'


def picture_of(array: Any) -> tuple[str, str]:
    """Draw an array as SVG, and say what is not shown; two empty strings for a single number or none.

    >>> picture_of(np.float64(1.0))
    ('', '')
    >>> picture_of(np.zeros((3, 100, 2)))[1]
    'shown: [0, :32, :]'
    """
    if array.ndim == 0 or array.size == 0:
        return "", ""
    most = (MOST_BARS,) if array.ndim == 1 else (MOST_CELLS, MOST_CELLS)
    shown = array[(0,) * (array.ndim - len(most))]
    cut = [f":{m}" if n > m else ":" for n, m in zip(shown.shape, most, strict=True)]
    part = shown[tuple(slice(m) for m in most)]
    note = f"shown: [{', '.join(['0'] * (array.ndim - len(most)) + cut)}]" if part.size < array.size else ""
    if array.dtype.kind == "c":
        note = " · ".join(filter(None, ["absolute values", note]))
    return (_bars if array.ndim == 1 else _heat)(part), note


def _scaled(part: Any) -> Any:
    """Bring the finite values into [-1, 1], zero staying zero."""
    with np.errstate(all="ignore"):
        values = (np.abs(part) if part.dtype.kind == "c" else part).astype(np.float64)
        largest = np.max(np.abs(values), initial=0.0, where=np.isfinite(values))
        return values / largest if largest else values


def _bars(part: Any) -> str:
    scaled = _scaled(part)
    finite = scaled[np.isfinite(scaled)]
    high, low = max(finite.max(initial=0.0), 0.0), min(finite.min(initial=0.0), 0.0)
    unit = HEIGHT / ((high - low) or 1.0)
    zero = high * unit
    rects = []
    for i, (value, x) in enumerate(zip(scaled, part, strict=True)):
        if np.isfinite(value):
            top, tall, fill = zero - max(value, 0.0) * unit, abs(value) * unit, _color(np.sign(value))
        else:
            top, tall, fill = 0.0, float(HEIGHT), GREY
        rects.append(_rect(i * BAR, top, BAR - 1, max(tall, 1.0), fill, f"[{i}] {short(x)}"))
    return _svg(len(part) * BAR, HEIGHT + 1, rects)


def _heat(part: Any) -> str:
    scaled = _scaled(part)
    rects = [
        _rect(j * CELL, i * CELL, CELL, CELL, _color(scaled[i, j]), f"[{i}, {j}] {short(part[i, j])}")
        for i, j in np.ndindex(part.shape)
    ]
    return _svg(part.shape[1] * CELL, part.shape[0] * CELL, rects)


def _color(value: float) -> str:
    """Return blue for 1, white for 0, red for -1, and grey for what is not finite."""
    if not np.isfinite(value):
        return GREY
    end = BLUE if value >= 0 else RED
    return "#" + "".join(f"{round(w + (e - w) * abs(value)):02x}" for w, e in zip(WHITE, end, strict=True))


def _rect(x: float, y: float, width: float, height: float, fill: str, title: str) -> str:
    where = f'x="{x:g}" y="{y:.4g}" width="{width:g}" height="{height:.4g}"'
    return f'<rect {where} fill="{fill}"><title>{escape(title)}</title></rect>'


def _svg(width: float, height: float, rects: list[str]) -> str:
    frame = f'<rect width="{width:g}" height="{height:g}" fill="#fff" stroke="#ddd"/>'
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{frame}{"".join(rects)}</svg>'
