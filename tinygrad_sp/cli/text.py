"""A study as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .study import Array, Derivative, Study, element, is_diagonal
from .table import number, shown, table, worth
from .tree import graph_text

Column = tuple[str, Sequence[str | float]]

LABEL = 40
"""An expression longer than this is called f in tables."""


def as_text(found: Study) -> str:
    """Write a study as aligned tables, and the outcome of the checks."""
    return "\n\n".join(filter(None, [_value(found), _gradient(found), _mixed(found), _checks(found)]))


def _value(found: Study) -> str:
    source, value = found.expression.source, found.value
    if value.size == 1:
        return f"{source} = {number(value.item())}"
    rows, gaps = shown(value.size)
    columns: list[Column] = []
    if value.ndim > 1:
        columns.append(("", [_index(value, row) for row in rows]))
    columns += [(name, _at(v, rows)) for name, v in found.values.items() if v.shape == value.shape]
    columns.append((source if len(source) <= LABEL else "f", _at(value, rows)))
    head = f"f = {source}\n\n" if len(source) > LABEL else ""
    with np.errstate(all="ignore"):
        total = number(value.sum())
    return f"{head}{table(columns, gaps)}\n\nsum = {total} ({value.size:,} values, shape {value.shape})"


def _gradient(found: Study) -> str:
    if not found.values:
        return "no variables: there is nothing to differentiate by"
    what = "the gradient" if found.value.size == 1 else "the gradient of the sum"
    gaps: dict[int, int] = {}
    columns: dict[int, tuple[str, list[str | float]]] = {}
    for name, value in found.values.items():
        rows, skipped = shown(value.size)
        start = len(columns[0][1]) if columns else 0
        gaps |= {start + row: count for row, count in skipped.items()}
        for k, (heading, cells) in enumerate(_columns(found, name, rows)):
            columns.setdefault(k, (heading, []))[1].extend(cells)
    return f"{what}, from backward, beside differences\n{table(list(columns.values()), gaps)}"


def _columns(found: Study, name: str, rows: Sequence[int]) -> list[Column]:
    """Columns of one variable's part of the table of derivatives."""
    value = found.values[name]
    columns: list[Column] = [("variable", [name + _index(value, row) for row in rows]), ("value", _at(value, rows))]
    columns += _derivative("gradient", found.first[name], rows)
    if found.second:
        columns += _derivative("second derivative", found.second[name], rows)
    return columns


def _derivative(heading: str, d: Derivative, rows: Sequence[int]) -> list[Column]:
    agree = [str(d.agree.ravel()[row]) for row in rows]
    found = map(worth, _at(d.differences, rows), _at(d.error, rows))
    differences = [d.sides.get(row) or ("-" if word == "-" else x)
                   for row, word, x in zip(rows, agree, found, strict=True)]  # fmt: skip
    return [(heading, _at(d.analytic, rows)), ("differences", differences), ("agree", agree)]


def _at(array: Array, rows: Sequence[int]) -> list[float]:
    return [float(x) for x in np.ravel(array)[rows]]


def _index(array: Array, row: int) -> str:
    """Write the index of an element of an array as Python does."""
    return element("", [int(i) for i in np.unravel_index(row, array.shape)]) if array.ndim else ""


def _mixed(found: Study) -> str:
    """The matrix of all second derivatives, where it is small and not just the column above."""
    names = [element(name, index) for name, value in found.values.items() for index in np.ndindex(value.shape)]
    matrix = hessian_matrix(found)
    if not found.hessian or len(names) > 8 or is_diagonal(matrix):
        return ""
    columns = [("", names), *[(name, matrix[:, i].tolist()) for i, name in enumerate(names)]]
    return f"all second derivatives\n{table(columns)}"


def hessian_matrix(found: Study) -> Array:
    """Return all second derivatives as one matrix, the variables' elements one after another."""
    sizes = {name: value.size for name, value in found.values.items()}
    if not found.hessian:
        return np.zeros((0, 0))
    rows = [[found.hessian[a, b].reshape(sizes[a], sizes[b]) for b in sizes] for a in sizes]
    return np.block(rows)


def _checks(found: Study) -> str:
    names = ("gradient", "second derivatives")
    reports = found.reports if found.values else []
    lines = [f"check of the {name}: {r.verdict}, {r.reason}" for name, r in zip(names, reports, strict=False)]
    if any(entry.mode == "directions" for report in reports for entry in report.inputs):
        lines.append("(so many elements are checked together, along random directions)")
    lines += [str(report) for report in found.reports if report.verdict == "fail"]
    return "\n".join(lines)


def as_json(found: Study, graph: bool = False) -> str:
    """Write a study as strict JSON; NaN and infinities are the strings "NaN", "Infinity", "-Infinity"."""
    answer: dict[str, Any] = {
        "expression": found.expression.source,
        "value": plain(found.value),
        "shape": list(found.value.shape),
        "gradient_of": "value" if found.value.size == 1 else "sum",
        "variables": {name: _variable(found, name) for name in found.values},
    }
    if found.hessian:
        blocks: dict[str, dict[str, Any]] = {name: {} for name in found.values}
        for (a, b), block in found.hessian.items():
            blocks[a][b] = plain(block)
        answer["second_derivatives"] = blocks
    answer["checks"] = {i: {"verdict": r.verdict, "reason": r.reason} for i, r in enumerate(found.reports, 1)}
    answer["verdict"] = found.verdict
    if graph:
        answer["graph"] = graph_text(found.node, found.names).split("\n")
    return _laid_out(answer)


def _variable(found: Study, name: str) -> dict[str, Any]:
    first = found.first[name]
    return {
        "value": plain(found.values[name]),
        "gradient": plain(first.analytic),
        "differences": plain(np.where(first.agree == "-", None, first.differences)),  # type: ignore[call-overload]
        "differences_error": plain(np.where(first.agree == "-", None, first.error)),  # type: ignore[call-overload]
        "agree": first.agree.tolist(),
    }


def _laid_out(value: Any, indent: str = "\n") -> str:
    """Write JSON with an entry a line, and each list, however long, in the line of its entry."""
    if not isinstance(value, dict):
        return json.dumps(value, allow_nan=False)
    lines = [f"{indent}  {json.dumps(str(key))}: {_laid_out(item, indent + '  ')}" for key, item in value.items()]
    return "{" + ",".join(lines) + indent + "}"


def plain(value: Any) -> Any:
    """Make nested lists of numbers, with strings for what JSON has no number for.

    >>> plain(np.array([1.0, np.nan, -np.inf]))
    [1.0, 'NaN', '-Infinity']
    """
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
