"""The boxes and arrows of a recorded graph: what is drawn, before anybody asks how.

Nodes are taken newest first.  Blocks that repeat are folded into one box between their first and their last
repetition, and what is still too much is cut and counted: any graph gives a picture of bounded size.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import RELEASED, Node
from .facts import constants_of, cotangents_of, parents_of, place, short, summary, values_of
from .folding import Run, repeats

MOST_OPS = 5_000
"""So many ops, the newest, are looked at; the rest is counted."""

MOST_COUNTED = 1_000_000

FOLD_FROM = 30
"""A smaller graph is shown as it is, unless folding is asked for."""


@dataclass(eq=False)
class Box:
    """One box: a leaf, an op, a constant, a fold of several nodes, or what was cut."""

    kind: str  # "leaf", "op", "constant", "fold", "more"
    label: str
    shape: str = ""
    dtype: str = ""
    value: str = ""
    cotangent: str = ""
    where: str = ""
    params: str = ""
    reads: list[Box] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """What is written below the label."""
        form = f"{self.shape} {self.dtype}".strip()
        texts = (form, self.params, self.value and f"= {self.value}", self.cotangent and f"∂ {self.cotangent}")
        return [text for text in (*texts, self.where) if text]


@dataclass
class Picture:
    """All boxes, each after what it reads; the last is the result."""

    boxes: list[Box]
    notes: list[str]


def picture(
    root: Node,
    value: Any,
    names: Mapping[Node, str],
    *,
    seed: Any = None,
    meaning: str = "",
    asked: bool = False,
    limit: int = 300,
    fold: bool | None = None,
) -> Picture:
    """Work out what to draw of a graph.

    Parameters
    ----------
    root : Node
        The node of the result.
    value : ndarray or None
        Its value.
    names : mapping
        What to call nodes.
    seed : ndarray, optional
        The root's cotangent: then all cotangents are shown.
    meaning : str
        What they are, for a note.
    asked : bool
        Whether the user asked for cotangents: otherwise a very large graph is not swept for them.
    limit : int
        About the most boxes.
    fold : bool, optional
        Whether to fold what repeats; by default in graphs of more than 30 ops.

    Returns
    -------
    Picture
    """
    ops, beyond = newest_ops(root, MOST_OPS)
    runs = repeats(ops) if fold or (fold is None and len(ops) > FOLD_FROM) else []
    drawn = _Drawn(root, names, runs, ops)
    shown = drawn.cut(ops, max(limit, 2))
    drawn.facts(value)
    if seed is not None and not drawn.released:
        if beyond and not asked:
            drawn.notes.append("cotangents=True shows cotangents; in so large a graph only when asked")
        else:
            drawn.sweep(seed, meaning)
    boxes = drawn.build(shown)
    hidden = len(ops) - len(shown) - sum(run.hidden for run in runs if run.stand in drawn.boxes) + beyond
    return Picture(boxes, drawn.notes + _cut_note(hidden, beyond))


def _cut_note(hidden: int, beyond: int) -> list[str]:
    if hidden <= 0:
        return []
    least = "at least " if beyond >= MOST_COUNTED else ""
    return [f"cut: {least}{hidden:,} older operations are not shown (limit=... shows more)"]


def newest_ops(root: Node, most: int) -> tuple[list[Node], int]:
    """List the newest ops that the root depends on, oldest first, and count the others."""
    heap, seen = [(-root.age, root)], {root}
    ops: list[Node] = []
    while heap and len(ops) < most:
        node = heapq.heappop(heap)[1]
        ops.append(node)
        for parent in parents_of(node):
            if parent is not None and not parent.is_end and parent not in seen:
                seen.add(parent)
                heapq.heappush(heap, (-parent.age, parent))
    rest = [node for _, node in heap]
    beyond = len(rest)
    while rest and beyond < MOST_COUNTED:
        for parent in parents_of(rest.pop()):
            if parent is not None and not parent.is_end and parent not in seen:
                seen.add(parent)
                rest.append(parent)
                beyond += 1
    return ops[::-1], beyond


class _Drawn:
    """Boxes in the making."""

    def __init__(self, root: Node, names: Mapping[Node, str], runs: Sequence[Run], ops: Sequence[Node]) -> None:
        self.root, self.names, self.notes = root, names, list[str]()
        self.within: dict[Node, Run] = {node: run for run in runs for node in run.nodes(ops)}
        self.values: dict[Node, Any] = {}
        self.cotangents: dict[Node, str] = {}
        self.boxes: dict[Any, Box] = {}
        self.shown: set[Node] = set()
        self.room = 0
        self.released = False

    def cut(self, ops: Sequence[Node], limit: int) -> list[Node]:
        """Choose what is shown by itself: the newest ops that are not folded."""
        chosen: list[Node] = []
        folds: set[Run] = set()
        for node in reversed(ops):
            run = self.within.get(node)
            if run is None:
                chosen.append(node)
            else:
                folds.add(run)
            if len(chosen) + len(folds) >= limit:
                break
        self.shown = {*chosen, *(node for node, run in self.within.items() if run in folds)}
        self.room = max(limit - len(chosen) - len(folds), limit // 2)
        return chosen[::-1]

    def facts(self, value: Any) -> None:
        """Find the values of what is shown."""
        leaves = {p for node in self.shown for p in parents_of(node) if p is not None and p not in self.shown}
        nodes = sorted(self.shown | leaves, key=lambda node: node.age)
        self.values = values_of(self.root, value, nodes)
        self.released = any(node.op is RELEASED for node in nodes)
        if self.released:
            self.notes.append("released: backward has forgotten this graph; draw before it, or backward("
                              "retain_graph=True)")  # fmt: skip

    def sweep(self, seed: Any, meaning: str) -> None:
        """Find the cotangents of what is shown."""

        def watch(node: Node, _argument: int, grad: Any, _cotangent: Any) -> None:
            if node in self.shown and node not in self.cotangents and type(grad) not in (tuple, _bundle()):
                self.cotangents[node] = summary(grad)

        try:
            leaves = cotangents_of(self.root, seed, watch)
        except Exception as error:
            self.notes.append(f"no cotangents: {type(error).__name__}: {error}")
            return
        self.cotangents.update((leaf, summary(grad)) for leaf, grad in leaves.items())
        self.notes.append(f"∂: the cotangent, how {meaning} changes with each value")

    def build(self, shown: Sequence[Node]) -> list[Box]:
        """Make the boxes, each after what it reads."""
        chosen = set(shown)
        for node in sorted(self.shown, key=lambda node: node.age):
            run = self.within.get(node)
            if node in chosen:
                self._op(node)
            elif run is not None:
                self._fold(run, node)
        return list(self.boxes.values())

    def _op(self, node: Node) -> None:
        if node.is_end:  # the result is one
            self.boxes[node] = self._box("leaf", node)
            return
        constants = constants_of(node)
        reads = [
            self._constant(node, i, constant) if parent is None else self._read(parent)
            for i, (parent, constant) in enumerate(zip(parents_of(node), constants, strict=True))
        ]
        box = self._box("op", node)
        box.reads = reads if len(reads) <= 50 else list(dict.fromkeys(reads))
        if not node.op.small and node.op is not RELEASED:
            box.params = ", ".join(f"{k}={_brief(v)}" for k, v in node.params.items())
        self.boxes[node] = box

    def _box(self, kind: str, node: Node) -> Box:
        value = self.values.get(node)
        box = Box(kind, self._label(node), value="" if value is None else summary(value), where=place(node))
        if node.form is not tuple:
            box.shape, box.dtype = str(node.shape), str(node.dtype)
        else:
            box.shape = "several"
        box.cotangent = self.cotangents.get(node, "")
        return box

    def _label(self, node: Node) -> str:
        name = self.names.get(node)
        if node.is_end:
            return name or "leaf"
        op = "released" if node.op is RELEASED else op_title(node)
        return f"{name} = {op}" if name else op

    def _read(self, parent: Node) -> Box:
        """Return the box of what is read, making it if it is a leaf or was cut."""
        run = self.within.get(parent)
        if run is not None and run.stand in self.boxes:
            return self.boxes[run.stand]
        if parent in self.boxes:
            return self.boxes[parent]
        if parent.is_end and self.room > 0:
            self.room -= 1
            self.boxes[parent] = self._box("leaf", parent)
            return self.boxes[parent]
        kind = "leaves" if parent.is_end else "operations"
        return self.boxes.setdefault(kind, Box("more", f"… more {kind}"))

    def _constant(self, node: Node, i: int, value: Any) -> Box:
        box = Box("constant", "constant")
        if value is not None and np.ndim(value) == 0:
            box.label = str(value)
        elif value is not None:
            box.label, box.dtype = f"constant {np.shape(value)}", str(value.dtype)
            box.value = summary(value)
        elif not node.op.small and node.op is not RELEASED and hasattr(node.kept[1][i], "shape"):
            shape = node.kept[1][i].shape
            box.label = f"constant {shape}" if shape else "constant"
        if self.room <= 0 and len(parents_of(node)) > 2:
            return self.boxes.setdefault("constants", Box("more", "… more constants"))
        if len(parents_of(node)) > 2:
            self.room -= 1
        self.boxes[node, i] = box
        return box

    def _fold(self, run: Run, node: Node) -> None:
        """Make the box that stands for the middle of a run, or add to what it reads."""
        box = self.boxes.pop(run.stand, None)  # and in again: after all that it reads
        if box is None:
            box = Box("fold", f"{run.times} × ({run.titles})", shape=f"{run.hidden:,} operations")
        for parent in parents_of(node):
            outside = parent is not None and self.within.get(parent) is not run
            if parent is not None and outside and (not parent.is_end or self._seen_elsewhere(parent, run)):
                read = self._read(parent)
                if read not in box.reads:
                    box.reads.append(read)
        self.boxes[run.stand] = box

    def _seen_elsewhere(self, leaf: Node, run: Run) -> bool:
        """Whether a leaf is shared with what is shown, rather than one of many of the block's own."""
        return leaf in self.boxes or leaf in run.shared


def _bundle() -> type:
    from ..record import Bundle

    return Bundle


def op_title(node: Node) -> str:
    """Name an op for people: one of several results is called by its number."""
    if node.op.name == "_Pick":
        parent = parents_of(node)[0]
        return f"result {node.params['i']} of {parent.op.name if parent else '?'}"
    return node.op.name


def _brief(value: Any) -> str:
    if isinstance(value, (np.ndarray, np.generic)):
        return summary(value) if np.ndim(value) else short(value, 6)
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
