"""Who is to blame: every op in the recorded graph is checked by itself, at the values it was recorded with.

The function is recorded once more while the engine's `watch` hands over each op with its arguments and the line
of the user's code that called it.  An op on those values is a function like any other, and is checked like one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import graph, modes
from ..places import INSIDE
from .blocks import Checker
from .derivatives import Derivatives
from .directions import seems_right
from .precise import AFFORDABLE, Precise
from .report import Report, Row, number
from .subject import TensorSubject, theirs

LIMIT = 100  # applications looked at, every op at least once
MANY = 5_000  # elements from which ops that seem right are looked at only if no other is wrong


@dataclass(eq=False)
class Application:
    """One application of an op while the function was recorded."""

    op: graph.Op
    values: list[Any]
    tracked: list[int]
    params: dict[str, Any]
    where: str

    def by(self, i: int) -> TensorSubject:
        """Make a function of one argument, the others as they were."""

        def f(x: Any) -> Any:
            return graph.apply(self.op, [*self.values[:i], x, *self.values[i + 1 :]], self.params)

        f.__name__ = self.op.name
        f.input_names = [f"argument {i}"]  # type: ignore[attr-defined]
        return TensorSubject(f, (self.array(i),))

    def array(self, i: int) -> Any:
        """Get an argument as an array."""
        return np.asarray(self.values[i])


@dataclass
class Culprit:
    """An op whose rule is wrong: which argument, where, by how much, and who called it."""

    op: str
    argument: int
    index: str
    rule: float
    numeric: float
    bar: float
    recorded: str
    message: str = ""
    order: int = 1

    def __str__(self) -> str:
        at = f", at {self.index}" if self.index else ""
        place = f"; recorded at {self.recorded}" if self.recorded else ""
        second = f" (derivative of order {self.order})" if self.order > 1 else ""
        if self.message:
            return f"{self.op}, argument {self.argument}{second}: {self.message}{place}"
        numeric = f"{number(self.numeric, self.bar)} +- {self.bar:.1g}"
        numbers = f"rule gives {number(self.rule, self.bar)}, differences give {numeric}"
        return f"{self.op}, argument {self.argument}{at}{second}: {numbers}{place}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain Python, the sentence too."""
        return {**vars(self), "text": str(self)}


def applications(subject: TensorSubject) -> list[Application]:
    """Record the function and list every op that it applied to something tracked."""
    found: list[Application] = []
    _watched(subject, lambda op, *applied: found.append(_application(op, *applied)))
    return found


def _application(op: graph.Op, values: Sequence[Any], params: dict[str, Any], node: Any) -> Application:
    tracked = [i for i, parent in enumerate(node.parents) if parent is not None and parent.dtype.kind in "fc"]
    copies = [v.copy() if isinstance(v, np.ndarray) else v for v in values]
    return Application(op, copies, tracked, params, _caller())


def _watched(subject: TensorSubject, see: Callable[..., None]) -> None:
    """Record the function and hand over every op that it applied to something tracked."""

    def watch(op: graph.Op, values: Sequence[Any], params: dict[str, Any], _out: Any, node: Any) -> None:
        if node is not None:
            see(op, values, params, node)

    with modes.mode_is(modes.Mode(watch=watch)):
        subject.record([leaf.array for leaf in subject.varied])


def culprits(
    subject: TensorSubject, report: Report, seed: int, order: int = 1, modes: Sequence[str] = ("vjp",)
) -> list[Culprit]:
    """Find the ops whose rules are wrong at their recorded values."""
    try:
        applied = applications(subject)
    except Exception:
        return []
    wrong = [] if order > 1 or report.problems else [r for r in report.rows if r.status == "wrong"]
    if wrong and len(applied) == len(subject.varied) == 1 == len(applied[0].tracked):  # the function is the op
        return [_row(applied[0], applied[0].tracked[0], wrong[0], order, subject.varied[0].name)]
    seen: set[int] = set()
    first = [a for a in applied if not (id(a.op) in seen or seen.add(id(a.op)))]  # type: ignore[func-returns-value]
    rest = [a for a in applied if all(a is not b for b in first)]
    pairs = [(a, i) for a in (first + rest)[: max(LIMIT, len(first))] for i in a.tracked]
    numbers = not report.problems
    passed = [(a, i) for a, i in pairs if numbers and a.array(i).size > MANY and _seems_right(a.by(i), seed)]
    found: list[Culprit] = []
    for some in ([pair for pair in pairs if pair not in passed], passed):  # these if nothing else is wrong
        found = found or [w for a, i in some if (w := _blame(a, i, seed, order, modes, numbers=numbers))]
    return found


def own_culprits(subject: TensorSubject, seed: int, elsewhere: bool) -> list[Culprit]:
    """Find wrong ops among those the user declared, though the whole may be right.

    Errors can cancel (in more than one op), and an op may be wrong at values that it was not given here: those are
    tried once for each.
    """
    found: list[Culprit] = []
    tried: set[int] = set()
    every: list[graph.Op] = []
    mine: list[Application] = []

    def see(op: graph.Op, *applied: Any) -> None:
        every.append(op)
        if op.own:
            mine.append(_application(op, *applied))

    try:
        _watched(subject, see)
    except Exception:
        return []
    for a in mine[:LIMIT] if len(every) > 1 else ():
        domain = "auto" if elsewhere and id(a.op) not in tried else None
        found += [culprit for i in a.tracked if (culprit := _blame(a, i, seed, 1, ("vjp",), domain))]
        tried.add(id(a.op))
    return found


def _seems_right(subject: TensorSubject, seed: int) -> bool:
    """Compare along one direction through all elements at a few steps; False where something raises."""
    try:
        rng = np.random.default_rng(seed)
        p = Precise(subject, rng)
        return bool(p.n and p.m) and seems_right(Checker(p, Derivatives(p, measured=False), rng))
    except Exception:
        return False


def _blame(
    a: Application,
    i: int,
    seed: int,
    order: int,
    modes: Sequence[str],
    domain: str | None = None,
    numbers: bool = False,
) -> Culprit | None:
    """Check one application by one argument; of very many elements just the numbers, if those are in question."""
    from .check import check

    try:
        brief = numbers and a.array(i).size > AFFORDABLE
        report = check(a.by(i), order, tuple(modes), domain, seed=seed, brief=brief)
    except Exception as error:
        return _said(a, i, f"raised {type(error).__name__}: {error}", order) if theirs(error) else None
    return _from(a, i, report, order) if report.verdict == "fail" else None


def _from(a: Application, i: int, report: Any, order: int) -> Culprit:
    for k, part in ((1, report), *report.orders.items()):
        wrong = [r for r in part.rows if r.status == "wrong"]
        if part.problems:
            return _said(a, i, part.problems[0].message, k)
        if wrong:
            return _row(a, i, wrong[0], k, f"argument {i}")
    return _said(a, i, report.reason, order)


def _row(a: Application, i: int, row: Row, order: int, name: str) -> Culprit:
    index = row.where.removeprefix(name) if row.where.startswith(name) else ""
    index = index.removeprefix(" = ")  # a point that was not given
    if order > 1:
        index = f"{row.where[row.where.find('[') :] if '[' in row.where else ''} of {row.where.split('[')[0]}"
    return Culprit(a.op.name, i, index, row.analytic, row.numeric, row.bar, a.where, order=order)


def _said(a: Application, i: int, message: str, order: int) -> Culprit:
    nan = float("nan")
    return Culprit(a.op.name, i, "", nan, nan, nan, a.where, message, order)


def _caller() -> str:
    """Name the file and line outside this package and NumPy that applied the op."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(INSIDE):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
