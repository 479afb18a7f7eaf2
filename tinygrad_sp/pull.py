"""The engine: a cotangent's way through one node of any kind, which the sweep takes where it has no shorter one.

Here is what may be asked of a rule: one function for all arguments or one for each, recorded or not, of a user's
op, of several results, of complex numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from .cotangent import checked, is_array, strong_zero
from .graph import Node, Op, Rule, Spec, Traced
from .modes import MODE, Mode, mode_is
from .places import blame
from .record import picked, read_only

_ndarray = np.ndarray


class Pull:
    """Take a cotangent through one node of any kind: what the loop does in the general case."""

    def __init__(
        self,
        pending: dict[Node, Any],
        owned: set[Node],
        lift: Rule | None,
        masked: bool,
        watch: Rule | None,
        wanted: set[Node] | None,
    ) -> None:
        self.pending, self.owned, self.lift, self.masked, self.watch = pending, owned, lift, masked, watch
        self.wanted = wanted

    def __call__(self, node: Node, grad: Any) -> None:
        """Take one node's cotangent to its parents."""
        op = node.op
        # Not through the node's properties: half a microsecond less.
        parents, out, kept, params = (node.parents, *node.kept, {}) if op.small else node.rest
        if op.accumulate is not None and self.lift is None and is_array(grad) and self.watch is None:
            # Unless another part of this cotangent is recorded already.
            if not isinstance(self.pending.get(parents[0]), Traced):  # type: ignore[arg-type]
                return self.accumulate(op, parents[0], grad, params)
        if not op.small:  # in place of what no rule reads stands its node, which has a shape and a dtype too
            out = node if out is None else out
            arrays = [p if x is None else x for x, p in zip(kept, parents)]  # noqa: B905
        else:
            arrays = list(kept)
        if self.lift is not None:
            out, arrays = self.lifted(node, parents, out, arrays)
        elif op.own:
            grad, out, arrays = read_only(grad), read_only(out), list(map(read_only, arrays))
        form = node.form  # of several results: tuple; of a float64 scalar: numpy.float64
        turn = type(form) is tuple and form[1].kind == "c" and op.holomorphic and not op.small
        if turn:  # grad * conj(derivative), from a rule that says grad * derivative
            grad = np.conjugate(grad)
        rules, wanted, cotangents = op.backward, self.wanted, None
        if type(rules) is not tuple and not op.variadic:
            cotangents = _all_of(op, _call(rules, node, None, grad, out, arrays, params), len(parents))
        elif op.own and type(rules) is tuple and len(rules) != len(parents):
            raise ValueError(
                f"{op.name}.backward has {len(rules)} rules for {len(parents)} arguments; write one for each"
            )
        for i, parent in enumerate(parents):
            if parent is None or (wanted is not None and parent not in wanted):
                continue
            if cotangents is None:
                rule = partial(rules, i) if op.variadic else rules[i] if i < len(rules) else rules[-1]
                cotangent = _call(rule, node, i, grad, out, arrays, params)
            else:
                cotangent = cotangents[i]
            if cotangent is not None:
                self.add(node, i, grad, parent, np.conjugate(cotangent) if turn else cotangent)
        return None

    def lifted(
        self, node: Node, parents: Sequence[Node | None], out: Any, arrays: Sequence[Any]
    ) -> tuple[Any, list[Any]]:
        """Return the values that the rules read as Tensors on the same graph."""
        lift: Rule = self.lift  # type: ignore[assignment]
        found = [
            x if x is None or type(x) in (Node, Spec) or (p is None and not is_array(x)) else lift(x, p)
            for x, p in zip(arrays, parents, strict=True)
        ]
        if type(out) is tuple:
            return tuple(lift(part, picked(node, i, out)) for i, part in enumerate(out)), found
        return out if out is None or type(out) is Node else lift(out, node), found

    def add(self, node: Node, i: int, grad: Any, parent: Node, cotangent: Any) -> None:
        """Check a cotangent, and add it to what its primal has so far."""
        form = parent.form
        if self.masked and form is not tuple:
            cotangent = strong_zero(node, grad, cotangent)
        if type(cotangent) is not form or node.op.own:
            cotangent = checked(node, i, cotangent, parent)
        if self.watch is not None:
            self.watch(node, i, grad, cotangent)
        add_to(self.pending, self.owned, parent, cotangent)

    def accumulate(self, op: Op, parent: Any, grad: Any, params: dict[str, Any]) -> None:
        """Let an op that reads few elements add their cotangents in place: a loop over elements stays linear."""
        buffer = self.pending.get(parent)
        if parent not in self.owned or buffer is None:
            shape, dtype = parent.shape, parent.dtype
            buffer = np.zeros(shape, dtype) if buffer is None else np.array(buffer)
            self.pending[parent] = buffer
            self.owned.add(parent)
        op.accumulate(buffer, grad, **params)  # type: ignore[misc]


def _all_of(op: Op, cotangents: Any, n: int) -> Sequence[Any]:
    """Return what a rule for all n arguments gave as a sequence of n."""
    if n == 1 and type(cotangents) is not tuple:
        return (cotangents,)
    if type(cotangents) not in (tuple, list) or len(cotangents) != n:
        got = len(cotangents) if type(cotangents) in (tuple, list) else type(cotangents).__name__
        raise ValueError(f"{op.name}.backward returned {got} for {n} arguments; return one cotangent each")
    return cast(Sequence[Any], cotangents)


def _call(rule: Rule, node: Node, i: int | None, grad: Any, out: Any, arrays: list[Any], params: dict[str, Any]) -> Any:
    """Call a rule; if it raises, say whose it is."""
    try:
        if not node.op.own or not any(isinstance(x, (Traced, tuple)) for x in (grad, out, *arrays)):
            return rule(grad, out, *arrays, **params)
        now = MODE.get() or Mode()
        with mode_is(Mode(now.recording, now.watch, now.watch_rule, node.op.name)):
            return rule(grad, out, *arrays, **params)
    except Exception as error:
        blame(error, node, i)
        raise


def add_to(pending: dict[Node, Any], owned: set[Node], node: Node, cotangent: Any) -> None:
    """Add a cotangent to a node's: in place where the array is ours alone, else into a new one."""
    if node not in pending:
        pending[node] = cotangent
        return
    old = pending[node]
    if node in owned and type(old) is _ndarray is type(cotangent):
        old += cotangent
        return
    pending[node] = total = old + cotangent
    if type(total) is _ndarray:
        owned.add(node)
