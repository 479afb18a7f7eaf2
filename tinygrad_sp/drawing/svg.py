"""A picture as SVG, by our own layout: no program needed, and the same picture gives the same text."""

from __future__ import annotations

from html import escape

from .formats import FILL, LINE
from .layout import Layout, layered
from .picture import Box, Picture

CHARACTER, LINE_HEIGHT, MARGIN = 7.25, 16.0, 16.0
DASHED = ("constant", "more")


def svg(picture: Picture) -> str:
    """Draw a picture.

    Parameters
    ----------
    picture : Picture
        What to draw.

    Returns
    -------
    str
        An SVG document; each box has a tooltip with all that is known.
    """
    boxes = picture.boxes
    number = {box: i for i, box in enumerate(boxes)}
    found = layered([_size(box) for box in boxes], [[number[read] for read in box.reads] for box in boxes])
    width = max([found.width, *(len(note) * CHARACTER for note in picture.notes)]) + 2 * MARGIN
    height = found.height + 2 * MARGIN + LINE_HEIGHT * len(picture.notes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace, Menlo, Consolas, monospace" '
        'font-size="12" role="img">',
        f"<title>the graph of {escape(boxes[-1].label)}</title>",
        '<defs><marker id="tg-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="#777"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#fff"/>',
        f'<g transform="translate({(width - found.width) / 2:.1f} {MARGIN})">',
        *_arrows(found),
        *(_box(box, found, i, i == len(boxes) - 1) for i, box in enumerate(boxes)),
        "</g>",
    ]
    for i, note in enumerate(picture.notes):
        y = height - MARGIN / 2 - LINE_HEIGHT * (len(picture.notes) - 1 - i)
        parts.append(f'<text x="{MARGIN}" y="{y:.0f}" fill="#666">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"])


def _size(box: Box) -> tuple[float, float]:
    longest = max(map(len, [box.label, *box.lines]))
    return longest * CHARACTER + 20, LINE_HEIGHT * (1 + len(box.lines)) + 10


def _arrows(found: Layout) -> list[str]:
    """Draw arrows as curves that leave and arrive vertically."""
    paths = []
    for points in found.arrows:
        (x, y), *rest = points
        d = f"M{x:.1f} {y:.1f}"
        for a, b in rest:
            middle = (y + b) / 2
            d += f" C{x:.1f} {middle:.1f} {a:.1f} {middle:.1f} {a:.1f} {b:.1f}"
            x, y = a, b
        paths.append(f'<path d="{d}" fill="none" stroke="#777" marker-end="url(#tg-arrow)"/>')
    return paths


def _box(box: Box, found: Layout, i: int, last: bool) -> str:
    place = found.places[i]
    x, y = place.x - place.width / 2, place.y - place.height / 2
    dash = ' stroke-dasharray="4 3"' if box.kind in DASHED else ""
    round_ = place.height / 3 if box.kind == "leaf" else 5
    size = f'width="{place.width:.1f}" height="{place.height:.1f}" rx="{round_:.0f}"'
    look = f'fill="{FILL[box.kind]}" stroke="{LINE[box.kind]}" stroke-width="{2 if last else 1}"{dash}'
    parts = [f"<g><title>{escape(chr(10).join([box.label, *box.lines]))}</title>"]
    if box.kind == "fold":  # a stack: there is more behind it
        parts += [f'<rect x="{x + k:.1f}" y="{y + k:.1f}" {size} {look}/>' for k in (6, 3)]
    parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} {look}/>')
    for k, text in enumerate([box.label, *box.lines]):
        colour = "#a02c2c" if text.startswith("∂") else "#444"
        style = 'font-weight="bold" fill="#111"' if k == 0 else f'fill="{colour}"'
        at = y + 17 + LINE_HEIGHT * k
        parts.append(f'<text x="{place.x:.1f}" y="{at:.1f}" text-anchor="middle" {style}>{escape(text)}</text>')
    return "".join(parts) + "</g>"
