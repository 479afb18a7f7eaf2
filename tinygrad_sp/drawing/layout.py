"""Where to put boxes: layers from what was given at the top to the result at the bottom (Sugiyama's method).

Each box goes one layer above the highest that reads it.  A long arrow gets a place in each layer that it
crosses.  Places in a layer are ordered by the average of their neighbours', a few times to and fro; then each
moves as near to its neighbours as the others let it, which is a least-squares problem with an exact answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP, LAYER_GAP, LANE = 24.0, 44.0, 12.0
MOST_CROSSED = 12
"""A longer arrow is drawn straight: a leaf that many layers read would fill them all with its lanes."""


@dataclass(eq=False)
class Place:
    """A box, or where a long arrow crosses a layer."""

    width: float
    height: float
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)


@dataclass
class Layout:
    """Centres of boxes, the points of arrows, and the size of it all."""

    places: list[Place]
    arrows: list[list[tuple[float, float]]]
    width: float
    height: float


def layered(sizes: Sequence[tuple[float, float]], reads: Sequence[Sequence[int]]) -> Layout:
    """Lay boxes out.

    Parameters
    ----------
    sizes : sequence of (float, float)
        Width and height of each box.
    reads : sequence of sequence of int
        What each box reads: boxes before it.

    Returns
    -------
    Layout
        ``arrows`` in the order of ``reads``, each from the box that is read to the one that reads it.

    Examples
    --------
    >>> found = layered([(50, 20), (50, 20), (50, 20)], [[], [], [0, 1]])
    >>> [(p.x, p.y) for p in found.places]
    [(25.0, 10.0), (99.0, 10.0), (62.0, 74.0)]
    """
    places = [Place(width, height) for width, height in sizes]
    for i in reversed(range(len(places))):
        for j in reads[i]:
            places[j].layer = max(places[j].layer, places[i].layer + 1)
    paths = [_path(places[j], places[i]) for i in range(len(places)) for j in reads[i]]
    layers: list[list[Place]] = [[] for _ in range(1 + max((p.layer for p in places), default=0))]
    for place in dict.fromkeys([*places, *(p for path in paths for p in path)]):
        layers[place.layer].append(place)
    layers.reverse()
    _order(layers)
    _move(layers)
    height = _heights(layers)
    left = min(p.x - p.width / 2 for layer in layers for p in layer)
    for layer in layers:
        for p in layer:
            p.x -= left
    width = max(p.x + p.width / 2 for layer in layers for p in layer)
    return Layout(places, [_points(path) for path in paths], width, height)


def _path(start: Place, end: Place) -> list[Place]:
    """Link two places, through lanes in the layers between."""
    span = start.layer - end.layer
    lanes = [Place(LANE, 0.0, start.layer - k) for k in range(1, span)] if span <= MOST_CROSSED else []
    path = [start, *lanes, end]
    for a, b in pairwise(path):
        if a.layer - b.layer == 1:
            a.below.append(b)
            b.above.append(a)
    return path


def _order(layers: list[list[Place]]) -> None:
    """Order each layer by the average position of its neighbours, downwards and upwards."""
    for layer in layers:
        _number(layer)
    for turn in range(8):
        down = turn % 2 == 0
        for layer in layers if down else reversed(layers):
            near = {p: (p.above if down else p.below) for p in layer}
            layer.sort(key=lambda p: sum(q.x for q in near[p]) / len(near[p]) if near[p] else p.x)
            _number(layer)


def _number(layer: list[Place]) -> None:
    for i, place in enumerate(layer):
        place.x = (i + 0.5) / len(layer)


def _move(layers: list[list[Place]]) -> None:
    """Move each place as near to its neighbours as its layer's order lets it."""
    for layer in layers:
        edge = 0.0
        for p in layer:
            p.x = edge + p.width / 2
            edge += p.width + GAP
        for p in layer:
            p.x -= (edge - GAP) / 2
    for turn in range(12):
        for layer in reversed(layers) if turn % 2 == 0 else layers:
            wanted = [_wanted(p) for p in layer]
            found = spread([p.width for p in layer], wanted, [_weight(p) for p in layer])
            for p, x in zip(layer, found, strict=True):
                p.x = x


def _wanted(p: Place) -> float:
    near = p.above + p.below
    total = sum(map(_weight, near))
    return sum(q.x * _weight(q) for q in near) / total if near else p.x


def _weight(p: Place) -> float:
    """How much a place counts: a leaf makes way for what it hangs on, so that chains stay straight."""
    return 1.0 if p.above and p.below else 0.1


def spread(widths: Sequence[float], wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Place intervals in order and apart, with the least weighted sum of squares of how far they are moved.

    >>> spread([10, 10], [0.0, 0.0], [1.0, 1.0])
    [-17.0, 17.0]
    """
    offsets = [0.0]
    for a, b in pairwise(widths):
        offsets.append(offsets[-1] + (a + b) / 2 + GAP)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many: pool adjacent violators
    for x, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, count = x - offset, 1
        while blocks and blocks[-1][0] > mean:
            m, w, n = blocks.pop()
            mean = (mean * weight + m * w) / (weight + w)
            weight, count = weight + w, count + n
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _heights(layers: list[list[Place]]) -> float:
    edge = 0.0
    for layer in layers:
        tallest = max((p.height for p in layer), default=0.0)
        for p in layer:
            p.y = edge + tallest / 2
        edge += tallest + LAYER_GAP
    return edge - LAYER_GAP


def _points(path: list[Place]) -> list[tuple[float, float]]:
    start, *lanes, end = path
    return [
        (start.x, start.y + start.height / 2),
        *((p.x, p.y) for p in lanes),
        (end.x, end.y - end.height / 2),
    ]
