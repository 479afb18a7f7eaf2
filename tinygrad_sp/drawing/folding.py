"""Blocks that repeat: where the same few ops were applied again and again, as loops and layers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph import Node
from .facts import parents_of

LONGEST = 64
"""The most ops in a block that is recognised."""

FEWEST = 4
"""So many repetitions make it worth folding: the first and the last stay."""


@dataclass(frozen=True, eq=False)
class Run:
    """The repetitions between the first and the last of a block, as a stretch of the list of ops."""

    start: int
    stop: int
    period: int
    titles: str
    shared: frozenset[Node]
    stand: str

    @property
    def hidden(self) -> int:
        """How many ops are folded."""
        return self.stop - self.start

    @property
    def times(self) -> int:
        """How many repetitions are folded."""
        return self.hidden // self.period

    def nodes(self, ops: Sequence[Node]) -> Sequence[Node]:
        """The ops that are folded."""
        return ops[self.start : self.stop]


def repeats(ops: Sequence[Node]) -> list[Run]:
    """Find stretches of ops, oldest first, that repeat a block.

    Two ops are alike if they have the same op, shape and dtype, and read alike: an op as far back, or the same
    op, a leaf, or a constant.
    """
    place = {node: i for i, node in enumerate(ops)}
    kinds = [_kind(node) for node in ops]
    found: list[Run] = []
    start = 0
    while start < len(ops):
        best = (0, 0)
        for period in range(1, min(LONGEST, (len(ops) - start) // FEWEST) + 1):
            length = _alike(ops, kinds, place, start, period)
            if length // period + 1 >= FEWEST and length > best[0]:
                best = (length, period)
        length, period = best
        if not period:
            start += 1
            continue
        times = length // period + 1
        found.append(_run(ops, start, period, times))
        start += times * period
    return found


def _run(ops: Sequence[Node], start: int, period: int, times: int) -> Run:
    inner = range(start + period, start + (times - 1) * period)
    titles = [ops[i].op.name for i in range(start, start + min(period, 4))]
    if period > 4:
        titles.append(f"… {period - 4} more")
    first = {p for i in range(start, start + period) for p in parents_of(ops[i]) if p is not None}
    last = {p for i in range(inner.stop, inner.stop + period) for p in parents_of(ops[i]) if p is not None}
    shared = frozenset(p for p in first & last if p.is_end)
    return Run(inner.start, inner.stop, period, ", ".join(titles), shared, f"fold {start}")


def _kind(node: Node) -> object:
    return (node.op.name, node.form if node.form is tuple else (node.shape, node.dtype), len(parents_of(node)))


def _alike(ops: Sequence[Node], kinds: list[object], place: dict[Node, int], start: int, period: int) -> int:
    """How many ops from here on are like the one a period later."""
    i = start
    while i + period < len(ops) and kinds[i] == kinds[i + period] and _reads_alike(ops, place, i, i + period):
        i += 1
    return i - start


def _reads_alike(ops: Sequence[Node], place: dict[Node, int], i: int, j: int) -> bool:
    for p, q in zip(parents_of(ops[i]), parents_of(ops[j]), strict=True):
        if p is q:
            continue
        if p is None or q is None or (p.is_end) != (q.is_end):
            return False
        if p.is_end:
            if p.form != q.form:
                return False
        elif i - place.get(p, i + 1) != j - place.get(q, j + 2):
            # The first repetition reads what was there before the loop, wherever that is.
            return False
    return True
