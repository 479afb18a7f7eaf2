"""Numbers in columns: decimal points below one another, headings above, long tables shortened in the middle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

DIGITS, MOST_ROWS = 9, 24
NO_GAPS: Mapping[int, int] = MappingProxyType({})


def number(value: float) -> str:
    """Write a number with nine significant digits.

    >>> [number(v) for v in (-20.0, 2.061153620314381e-09, float("nan"))]
    ['-20', '2.06115362e-09', 'nan']
    """
    return f"{float(value):.{DIGITS}g}"


def worth(value: float, error: float) -> float:
    """Round a number to the digits that its error leaves.

    >>> worth(4.33680869e-18, 2e-19), worth(0.5, 0.0)
    (4.3e-18, 0.5)
    """
    if not (math.isfinite(value) and math.isfinite(error) and value and error):
        return value
    digits = math.ceil(math.log10(abs(value)) - math.log10(error))
    return float(f"{value:.{min(max(digits, 1), 17)}g}")


def aligned(cells: Sequence[str]) -> list[str]:
    """Pad numbers so that their decimal points are in one column.

    >>> aligned(["-20", "0.5", "1e-09"])
    ['-20    ', '  0.5  ', '  1e-09']
    """
    heads = [re.match(r"[^.e]*", cell)[0] for cell in cells]  # type: ignore[index]
    before = max(map(len, heads), default=0)
    shifted = [" " * (before - len(head)) + cell for head, cell in zip(heads, cells, strict=True)]
    width = max(map(len, shifted), default=0)
    return [cell.ljust(width) for cell in shifted]


def table(columns: Sequence[tuple[str, Sequence[str | float]]], gaps: Mapping[int, int] = NO_GAPS) -> str:
    """Lay columns out below their headings.

    Parameters
    ----------
    columns : sequence of (str, sequence)
        A heading, then the cells: numbers are aligned at their decimal points, text at the left.
    gaps : mapping, optional
        Before which row how many are left out; a line says so.

    Returns
    -------
    str

    Examples
    --------
    >>> print(table([("name", ["x", "w"]), ("value", [-20.0, 0.5]), ("agree", ["yes", "yes"])]))
    name  value  agree
    x     -20    yes
    w       0.5  yes
    """
    laid = [_column(heading, cells) for heading, cells in columns]
    lines = ["  ".join(line).rstrip() for line in zip(*laid, strict=True)]
    for row, count in sorted(gaps.items(), reverse=True):
        lines.insert(1 + row, f"... {count:,} more ...")
    return "\n".join(lines)


def shown(size: int) -> tuple[list[int], dict[int, int]]:
    """Choose which rows of a long table to show, and say where how many are left out.

    >>> shown(3)
    ([0, 1, 2], {})
    >>> rows, gaps = shown(1_000_000)
    >>> rows[11:13], gaps
    ([11, 999988], {12: 999976})
    """
    if size <= MOST_ROWS:
        return list(range(size)), {}
    half = MOST_ROWS // 2
    return [*range(half), *range(size - half, size)], {half: size - MOST_ROWS}


def _column(heading: str, cells: Sequence[str | float]) -> list[str]:
    texts = [cell if isinstance(cell, str) else number(cell) for cell in cells]
    if all(isinstance(cell, str) for cell in cells):
        width = max(map(len, [heading, *texts]))
        return [text.ljust(width) for text in [heading, *texts]]
    texts = aligned(texts)
    width = max(map(len, [heading, *texts]))
    return [text.rjust(width) for text in [heading, *texts]]
