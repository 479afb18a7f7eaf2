"""What a check found, for reading: a sentence, a table of the worst, the kinks, the numbers, how to repeat it."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compare import STATUS
from .contract import Problem

Array = NDArray[Any]


@dataclass
class Row:
    """One comparison: the derivative of an output by a coordinate of an input."""

    where: str
    output: str
    analytic: float
    numeric: float
    bar: float
    status: str
    left: float = float("nan")
    right: float = float("nan")
    note: str = ""

    def sentence(self) -> str:
        """Say it in words.

        >>> Row("x[2]", "", 0.71, 0.668, 2e-11, "wrong").sentence()
        'x[2]: the rule gives 0.71, differences give 0.668 +- 2e-11'
        """
        to = f" (of {self.output})" if self.output else ""
        if np.isfinite(self.left) and self.left != self.right and self.note in ("kink", "jump"):
            side = f"a {self.note}: from the left {self.left:.6g}, from the right {self.right:.6g}"
            return f"{self.where}{to}: the rule gives {self.analytic:.6g}; {side}"
        more = f"; {self.note}" if self.note and self.note != "smooth" else ""
        numeric = f"{number(self.numeric, self.bar)} +- {self.bar:.1g}"
        return f"{self.where}{to}: the rule gives {number(self.analytic, self.bar)}, differences give {numeric}{more}"


def plural(count: int, name: str) -> str:
    """Count things in words.

    >>> plural(1, "derivative"), plural(2, "derivative")
    ('1 derivative', '2 derivatives')
    """
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def number(x: float, bar: float) -> str:
    """Write a number with as many digits as its error bar is worth.

    >>> number(0.123456789, 1e-4), number(2.0, 0.0)
    ('0.12346', '2')
    """
    if not (np.isfinite(x) and np.isfinite(bar) and x and bar):
        return f"{x:.12g}"
    digits = int(np.clip(np.ceil(np.log10(abs(x) / bar)) + 1, 3, 12))
    return f"{x:.{digits}g}"


@dataclass
class InputReport:
    """What is known of one input: both gradients of the summed result, and the error bar of the numeric one.

    Attributes
    ----------
    analytic, numeric, error : ndarray
        Of the input's shape; the numeric ones are NaN where an element was not looked at by itself.
    low, high : ndarray
        Between which the analytic one is right: the differences' error bar, both roundings, and at a kink what lies
        between the derivatives from the left and from the right.
    codes : ndarray of int
        Places in `compare.STATUS`, or -1: see ``status``.
    status : ndarray of str
        "right", "wrong", "not decided", or "" where an element was not looked at by itself; one for each real
        number, so flat, with two for each complex element.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    mode: str
    analytic: Array
    numeric: Array
    error: Array
    low: Array
    high: Array
    codes: Array
    compared: int = 0
    wrong: int = 0
    unsure: int = 0

    @property
    def status(self) -> NDArray[np.str_]:
        """The codes in words: very many take time, and are seldom read."""
        return np.array([*STATUS, ""])[self.codes]


@dataclass
class Report:
    """The outcome of a gradient check.

    Attributes
    ----------
    verdict : str
        "pass", "fail" or "inconclusive".
    reason : str
        The verdict in a sentence.
    inputs : list of InputReport
        For each input, ``analytic``, ``numeric`` and ``error`` arrays of its shape: the gradient of the sum of
        the results (NaN where an element was not looked at by itself).
    rows, kinks, unsure : list of Row
        The worst comparisons, the kinks, what could not be decided.
    problems : list of Problem
        What is wrong besides numbers: shape, dtype, state, linearity, writing in place, aliasing.
    culprits : list of Culprit
        Ops in the recorded graph whose own rule is wrong, at their recorded values.
    power : tuple of float
        The relative error that would have been seen: median and worst.
    seed, evaluations, pulls, seconds, precision
        How it was done.
    """

    name: str
    verdict: str = "pass"
    reason: str = ""
    inputs: list[InputReport] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    kinks: list[Row] = field(default_factory=list)
    unsure: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    culprits: list[Any] = field(default_factory=list)
    orders: dict[int, Report] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    power: tuple[float, float] = (float("nan"), float("nan"))
    seed: int = 0
    compared: int = 0
    wrong: int = 0
    undecided: int = 0
    probed: int = 0
    evaluations: int = 0
    pulls: int = 0
    seconds: float = 0.0
    precision: str = ""
    modes: tuple[str, ...] = ("vjp",)

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong and everything could be decided."""
        return self.verdict == "pass"

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain Python, ready for JSON."""
        plain = ("name", "verdict", "reason", "notes", "seed", "compared", "wrong", "undecided", "probed")
        counts = ("evaluations", "pulls", "seconds", "precision")
        found: dict[str, Any] = {k: getattr(self, k) for k in (*plain, *counts)}
        found["modes"], found["power"] = list(self.modes), list(self.power)
        for key in ("rows", "kinks", "unsure", "problems"):
            found[key] = [vars(row).copy() for row in getattr(self, key)]
        found["culprits"] = [c.to_dict() for c in self.culprits]
        found["inputs"] = [_plain_input(i) for i in self.inputs]
        found["orders"] = {k: r.to_dict() for k, r in self.orders.items()}
        return found

    def __str__(self) -> str:
        lines = [f"{self.verdict.upper()}: {self.reason}"]
        lines += [f"  {p.kind}: {p.message}{' at ' + p.where if p.where else ''}" for p in self.problems]
        lines += [f"  culprit: {c}" for c in self.culprits]
        if self.rows and self.verdict != "pass":
            lines += ["  " + line for line in table(self.rows)]
        lines += _section("kinks", self.kinks) + _section("not decided", self.unsure)
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  {line}" for line in self._numbers()]
        for order, report in self.orders.items():
            lines += [f"  order {order}:"] + ["  " + line for line in str(report).splitlines()]
        return "\n".join(lines)

    def _numbers(self) -> list[str]:
        checked = ", ".join(f"{i.name} {i.shape} {i.dtype} ({i.mode})" for i in self.inputs[:8])
        if len(self.inputs) > 8:
            checked += f", and {len(self.inputs) - 8} more"
        median, worst = self.power
        lines = [f"checked {self.name} by {checked or 'nothing'}: {plural(self.compared, 'comparison')}"]
        if np.isfinite(median):
            lines.append(f"a relative error of {median:.1g} would have been seen (median), {worst:.1g} (worst)")
        effort = f"{plural(self.evaluations, 'evaluation')} in {self.precision}, {plural(self.pulls, 'gradient')}"
        lines.append(f"{effort}, {self.seconds * 1e3:.3g} ms; repeat with seed={self.seed}")
        return lines

    def _repr_html_(self) -> str:
        colour = {"pass": "#1a7f37", "fail": "#cf222e"}.get(self.verdict, "#9a6700")
        head = f'<b style="color:{colour}">{self.verdict.upper()}</b> {html.escape(self.reason)}'
        items = [f"{p.kind}: {p.message}" for p in self.problems] + [f"culprit: {c}" for c in self.culprits]
        items += [r.sentence() for r in (*self.kinks, *self.unsure)] + self.notes + self._numbers()
        rows = _html_rows(self.rows) if self.verdict != "pass" else ""
        more = "".join(f"<li>order {k}: {r._repr_html_()}</li>" for k, r in self.orders.items())
        listed = "".join(f"<li>{html.escape(item)}</li>" for item in items)
        return f"<div>{head}{rows}<ul>{listed}{more}</ul></div>"

    def __repr__(self) -> str:
        return f"<Report {self.verdict}: {self.reason}>"


def _plain_input(i: InputReport) -> dict[str, Any]:
    found = {k: getattr(i, k) for k in ("name", "mode", "compared", "wrong", "unsure")}
    found["shape"], found["dtype"] = list(i.shape), str(i.dtype)
    for key in ("analytic", "numeric", "error"):
        array = getattr(i, key)
        parts = [array.real, array.imag] if array.dtype.kind == "c" else [array]
        lists = [p.astype(np.float64).tolist() for p in parts]
        found[key] = lists if len(lists) == 2 else lists[0]
    return found


def _section(title: str, rows: list[Row]) -> list[str]:
    return [f"  {title}:"] * bool(rows) + [f"    {row.sentence()}" for row in rows]


HEAD = ("input", "output", "rule", "differences", "+-", "")


def cells(row: Row) -> tuple[str, ...]:
    """Give the cells of a row of the table."""
    note = row.note if row.note != "smooth" else ""
    numeric = number(row.numeric, row.bar)
    if row.note == "kink":
        numeric = f"[{row.left:.6g}, {row.right:.6g}]"
    mark = f"{row.status} {note}".strip()
    return (row.where, row.output, number(row.analytic, row.bar), numeric, f"{row.bar:.1g}", mark)


def table(rows: list[Row]) -> list[str]:
    """Align rows for a terminal."""
    grid = [HEAD, *map(cells, rows)]
    widths = [max(len(line[k]) for line in grid) for k in range(len(HEAD))]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in grid]


def _html_rows(rows: list[Row]) -> str:
    def line(items: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(i)}</{tag}>" for i in items) + "</tr>"

    return "<table>" + line(HEAD, "th") + "".join(line(cells(r), "td") for r in rows) + "</table>"
