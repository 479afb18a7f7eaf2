"""A picture as an indented tree: each operation above what it read, what is shared written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .picture import Box, Picture

DEEPEST = 40
"""Deeper boxes are not indented further, but say how deep they are."""

COLUMNS = ("shape", "dtype", "value", "cotangent", "params", "where")


def tree(picture: Picture, columns: Sequence[str] = COLUMNS) -> str:
    """Write a picture as a tree.

    Parameters
    ----------
    picture : Picture
        What to write.
    columns : sequence of str
        Which facts to write beside each label.

    Returns
    -------
    str
        A line for each box.  An operation that several others read is written once, with a number; after that
        only the number.
    """
    rows = [(label, *facts) for label, facts in _rows(picture, columns)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    used = [i for i, width in enumerate(widths) if width]
    lines = ["   ".join(f"{row[i]:{widths[i]}}" for i in used).rstrip() for row in rows]
    return "\n".join([*lines, *(f"({note})" for note in picture.notes)])


def _rows(picture: Picture, columns: Sequence[str]) -> list[tuple[str, list[str]]]:
    uses = Counter(read for box in picture.boxes for read in box.reads)
    numbers: dict[Box, int] = {}
    rows: list[tuple[str, list[str]]] = []
    nothing = [""] * len(columns)
    pending = [(0, picture.boxes[-1])]
    while pending:
        depth, box = pending.pop()
        indent = "  " * min(depth, DEEPEST) + (f"({depth}) " if depth > DEEPEST else "")
        if box in numbers:
            rows.append((f"{indent}[{numbers[box]}]", nothing))
            continue
        label = box.label
        if uses[box] > 1 and box.kind in ("op", "fold"):
            numbers[box] = len(numbers) + 1
            label += f" [{numbers[box]}]"
        rows.append((indent + label, nothing if box.kind == "constant" else [_fact(box, name) for name in columns]))
        pending += [(depth + 1, read) for read in reversed(box.reads)]
    return rows


def _fact(box: Box, name: str) -> str:
    text = str(getattr(box, name))
    return f"∂ {text}" if name == "cotangent" and text else text
