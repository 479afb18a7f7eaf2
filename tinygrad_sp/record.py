"""The engine, second part: how an op applied to Tensors is computed, and becomes a node.

The node keeps those arrays that the op's rules read, and never one that somebody else can write into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Array, Form, Node, Op, Spec, Traced, apply, form_of, new, next_age, plain
from .modes import MODE
from .places import note_caller

_ndarray, _float64 = np.ndarray, np.float64


def result_of(op: Op, out: Any) -> Any:
    """Return what a user's forward gave as an array or a NumPy scalar, or say that it is neither."""
    if type(out) is tuple:
        return tuple(result_of(op, part) for part in out)
    if isinstance(out, (bool, int, float, complex)):
        out = np.asarray(out)[()]
    kind = getattr(getattr(out, "dtype", None), "kind", None)
    if kind is None or kind not in "biufc":
        what = type(out).__name__ if kind is None else f"dtype {out.dtype}"
        raise TypeError(f"{op.name}.forward returned {what}: return an array of numbers, or a tuple of arrays")
    return out[()] if type(out) is _ndarray and not out.ndim else out


def explained(error: ValueError, op: Op, values: Sequence[Array]) -> ValueError:
    """Say which op could not broadcast which shapes, if that was the matter."""
    if op.own and "read-only" in str(error):
        return ValueError(f"{op.name}.forward wrote into its argument, which others hold too: x = x * 2, not x *= 2")
    shapes = [np.shape(value) for value in values]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        if "broadcast" in str(error):
            text = " and ".join(map(str, shapes))
            return ValueError(
                f"{op.name}: shapes {text} do not broadcast: counted from the last, axes must be equal or 1. "
                "Insert axes with x[:, None] or reshape"
            )
    return error


def record(owner: Traced, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply an op to the values of Tensors on the owner's level, and make the node.

    Every op but the elementwise ones of `hotpath` comes this way: 2 microseconds beside what NumPy needs, so there
    are no helpers called here for what one line says.
    """
    level = owner.level
    values: list[Any] = []
    parents: list[Node | None] = []
    for array in arrays:
        if isinstance(array, Traced) and array.level == level:
            values.append(array._taken())
            parents.append(array.node)
        else:
            values.append(plain(array, op.name))
            parents.append(None)
    given = list(map(read_only, values)) if op.own else values
    try:
        out = apply(op, given, params) if level else op.forward(*given, **params)
    except ValueError as error:
        raise explained(error, op, values) from None
    if op.own and not level:
        out = result_of(op, out)
    elif type(out) is complex:  # Python's complex * np.float64 is Python's
        out = np.complex128(out)
    mode = MODE.get()
    tracked = (mode is None or mode.recording) and op.backward is not None and any(parents)
    node = make_node(op, tuple(parents), out, values, arrays, params) if tracked else None
    if mode is not None and mode.watch is not None:
        mode.watch(op, values, params, out, node)
    if type(out) is not tuple:
        return owner._lift(out, node)
    return tuple(owner._lift(part, node and picked(node, i, out)) for i, part in enumerate(out))


def make_node(
    op: Op,
    parents: tuple[Node | None, ...],
    out: Array,
    values: Sequence[Array],
    arrays: Sequence[Any],
    params: dict[str, Any],
) -> Node | None:
    """Make the node of an application, keeping what the rules read; None for an integer result."""
    if type(out) is tuple:
        form: Form = tuple
    else:
        form = form_of(out)
        if form is not _float64 and form[1].kind not in "fc":
            return None
    node = Node()
    node.op, node.form, node.age = op, form, next_age()
    note_caller(node)
    keeps = op.keeps
    kept: list[Any] = []
    i, last = 0, len(keeps) - 1
    for value, array, parent in zip(values, arrays, parents):  # noqa: B905  (a fifth of a microsecond)
        i += i < last
        if keeps[i]:  # an array of the user's is copied: nobody can change a value under the graph
            kept.append(value.copy() if value is array and type(value) is _ndarray else value)
        elif parent is not None or op.small:
            kept.append(None)
        else:  # a tracked array's shape is its node's; a constant's must be noted here
            kept.append(Spec((np.shape(value), getattr(value, "dtype", None))))
    if not op.small:
        node.rest = (parents, out if keeps[0] else None, tuple(kept), params)
        return node
    if form is not _float64 and form[1].kind == "c":
        node.op = op.conjugate
    node.out = out if keeps[0] else None
    node.px, node.py = parents if op.arity == 2 else (parents[0], None)
    node.x, node.y = kept if op.arity == 2 else (kept[0], None)
    return node


def read_only(value: Array) -> Array:
    """Return an array for a user's function to read: what it would change in place others hold too."""
    if type(value) is not _ndarray:
        return value
    view = value.view()
    view.flags.writeable = False
    return view


class _Pick(Op):
    """One of the results of an op that has several."""

    holomorphic = False

    @staticmethod
    def forward(bundle: Any, *, i: int, of: int) -> Any:  # noqa: ARG004
        return bundle[i]

    @staticmethod
    def backward(grad: Any, _out: Any, _bundle: Any, *, i: int, of: int) -> Any:
        return Bundle([None] * i + [grad] + [None] * (of - 1 - i))


def picked(node: Node, i: int, values: Sequence[Array]) -> Node:
    """Make the node of one of several results."""
    pick: Node = new(Node)
    pick.op, pick.form, pick.age = _Pick.op, form_of(values[i]), next_age()
    pick.code, pick.at = node.code, node.at
    pick.rest = ((node,), None, (None,), {"i": i, "of": len(values)})
    return pick


class Bundle(tuple[Any, ...]):
    """The cotangents of several results, None where there is none."""

    def __add__(self, other: Any) -> Bundle:
        pairs = zip(self, other, strict=True)
        return Bundle(b if a is None else a if b is None else a + b for a, b in pairs)
