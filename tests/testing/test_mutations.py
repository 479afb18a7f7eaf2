"""The checker finds every broken rule: each rule of each op, broken in more than a dozen ways.

All of them are tried with MUTATIONS=all in the environment (some minutes); otherwise each rule is broken in a
few ways, others for each op in turn.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_sp import graph
from tinygrad_sp.testing import gradcheck
from tinygrad_sp.testing.ops import Example

sys.path.insert(0, str(Path(__file__).parent))
import mutations as m

OPS = [
    op
    for op in graph.OPS
    if op.backward is not None and type(op).__module__.startswith("tinygrad_sp.") and not op.name.startswith("_")
]
COUNT = {"broken": 0, "found": 0}
ALL = os.environ.get("MUTATIONS") == "all"


def _some(names: list[str], op: graph.Op, count: int) -> list[str]:
    """All names, or a few that differ from op to op."""
    first = OPS.index(op) * count
    return names if ALL else [names[(first + k) % len(names)] for k in range(min(count, len(names)))]


def _verdict(op: graph.Op, e: Example, order: int) -> str:
    try:
        return gradcheck(m.function_of(op, e.params), *e.arrays, order=order, domain=None, blame=False).verdict
    except Exception:  # a broken rule that raises is found
        return "fail"


def _first_order(op: graph.Op, some: list[Example], argument: int, name: str) -> str | None:
    """Break a rule; say the verdict, or None where no example's gradient changes."""
    verdict = None
    for e in some:
        if argument < len(e.arrays) and not m.same_gradient(op, e, argument, m.FIRST[name]):
            with m.broken(op, argument, m.FIRST[name], [False]):
                verdict = _verdict(op, e, 1)
            if verdict == "fail":
                break
    return verdict


def _second_order(op: graph.Op, e: Example, argument: int, name: str) -> str:
    with m.broken(op, argument, m.SECOND[name], [False]):
        return _verdict(op, e, 2)


# They want symmetric matrices, or are fixed up to a phase only: see test_every_op.
UNUSUAL = ("custom_vjp", "Distinct", "Eigh", "Eigvalsh", "Cholesky", "Eig", "Eigvals", "SVD")


@pytest.mark.parametrize("op", [op for op in OPS if op.name not in UNUSUAL], ids=lambda op: op.name)
def test_every_broken_rule_is_found(op: graph.Op) -> None:
    some, missed = m.subjects(op), []
    with np.errstate(all="ignore"):
        for argument in range(max(len(e.arrays) for e in some)):
            names = {"dropped", *_some(list(m.FIRST), op, 2)}
            verdicts = {name: _first_order(op, some, argument, name) for name in names}
            if verdicts["dropped"] is not None:  # the argument has a gradient
                with_gradient = (e for e in some if argument < len(e.arrays))
                dropped = m.FIRST["dropped"]
                e = next(e for e in with_gradient if not m.same_gradient(op, e, argument, dropped))
                verdicts |= {name: _second_order(op, e, argument, name) for name in _some(list(m.SECOND), op, 1)}
            COUNT["broken"] += sum(v is not None for v in verdicts.values())
            COUNT["found"] += sum(v == "fail" for v in verdicts.values())
            missed += [f"argument {argument}: {n}: {v}" for n, v in verdicts.items() if v not in (None, "fail")]
    assert not missed, f"{op.name}: " + "; ".join(missed)


def test_share_found() -> None:
    print(f"\nbroken rules found: {COUNT['found']} of {COUNT['broken']}")
    assert COUNT["found"] == COUNT["broken"]
