"""What is known of a recorded graph besides its shape: names, values, cotangents, and who made what.

A node keeps what its rules read and nothing else.  So a value is looked for in what was kept, at the leaves,
and in what can be computed from these; under `annotate` everything is noted.  Cotangents come from a sweep of
our own that releases nothing and writes no ``grad``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..graph import LEAF_KIND, RELEASED, Node, Op, Traced
from ..modes import MODE, Mode, mode_is
from ..sweep import sweep

NOTED: WeakKeyDictionary[Node, tuple[Any, tuple[Any, ...]]] = WeakKeyDictionary()
"""Under `annotate`: the value of a node, and of each of its arguments."""

MOST_NOTED = 100_000
"""Larger arrays are not noted: they would be kept as long as the graph."""

_OWN = str(Path(__file__).parent.parent)


@contextmanager
def annotate() -> Iterator[None]:
    """Note of every op inside its value and its constants, and have `draw` show the file and line that called it.

    A context manager, and a decorator.  `draw` and ``y.explain()`` show what was noted; outside of it they show
    those values that the graph keeps for its rules.  Recording takes several times longer inside.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> with tg.annotate():
    ...     x = tg.Tensor(2.0)
    ...     y = x + 1.0
    >>> print(y.graph())
    y = Add   ()   float64   3    <doctest ...>:3
      x       ()   float64   2
      1.0
    """
    now = MODE.get() or Mode()

    def watch(op: Op, values: Sequence[Any], params: dict[str, Any], out: Any, node: Node | None) -> None:
        if node is not None:
            note(node, values, out)
        if now.watch is not None:
            now.watch(op, values, params, out, node)

    with mode_is(Mode(now.recording, watch, now.watch_rule, now.strict)):
        yield


def note(node: Node, values: Sequence[Any], out: Any) -> None:
    """Note what went into a node and what came out."""
    constants = []
    for value, parent in zip(values, node.parents, strict=True):
        small = is_plain(value) and np.size(value) <= MOST_NOTED
        constants.append(np.array(value)[()] if small and parent is None else None)
        if small and parent is not None and parent.is_end:
            NOTED[parent] = (np.array(value)[()], ())
    small = type(out) is tuple or (is_plain(out) and out.size <= MOST_NOTED)
    NOTED[node] = (out if small else None, tuple(constants))


def is_plain(value: Any) -> bool:
    """Whether a value is a number or an array of NumPy's."""
    return isinstance(value, (np.ndarray, np.generic, int, float, complex))


def place(node: Node) -> str:
    """Return "file:line" of the call that made a node, if that was asked for."""
    return node.where.short if node in NOTED and node.where else ""


# ---------------------------------------------------------------------------------------------- names


def callers_names() -> dict[Node, str]:
    """Find what the calling code calls its Tensors: its variables, and entries of its lists and dicts."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    names: dict[Node, str] = {}
    room = 10_000
    for variables in (frame.f_locals, frame.f_globals):
        for name, value in list(variables.items()):
            if room > 0 and not name.startswith("_"):
                room -= _add_names(names, name, value, 3)
    return names


def _add_names(names: dict[Node, str], name: str, value: Any, depth: int) -> int:
    """Name a Tensor, or those in a list or dict; return how many things were looked at."""
    if isinstance(value, Traced):
        if value.node is not None:
            names.setdefault(value.node, name)
        return 1
    if depth == 0 or type(value) not in (list, tuple, dict) or len(value) > 1000:
        return 1
    items: Iterable[tuple[Any, Any]] = value.items() if type(value) is dict else enumerate(value)
    return 1 + sum(_add_names(names, f"{name}[{key!r}]", item, depth - 1) for key, item in items)


def given_names(names: Mapping[Any, Any] | None) -> dict[Node, str]:
    """Turn ``{"x": x}`` or ``{node: "x"}`` into names by node; without any, look at the caller's variables."""
    if names is None:
        return callers_names()
    found: dict[Node, str] = {}
    for key, value in names.items():
        if isinstance(key, Node):
            found[key] = str(value)
        elif isinstance(value, Traced):
            if value.node is not None:
                found[value.node] = str(key)
        else:
            raise TypeError(f'names: {key!r}: {value!r:.60}; give the Tensors by name, {{"x": x, "w": w}}')
    return found


# ---------------------------------------------------------------------------------------------- values


def parents_of(node: Node) -> tuple[Node | None, ...]:
    """Return what a node read; nothing if it was released."""
    return () if node.op is RELEASED else node.parents


def constants_of(node: Node) -> tuple[Any, ...]:
    """Return the arguments that a node kept or that were noted, None where neither; parents' among them."""
    if node.is_end or node.op is RELEASED:
        return ()
    kept = node.kept[1]
    noted = NOTED.get(node, (None, ()))[1] or (None,) * len(kept)
    return tuple(a if is_plain(a) else b if is_plain(b) else None for a, b in zip(kept, noted, strict=True))


def values_of(root: Node, value: Any, nodes: Sequence[Node]) -> dict[Node, Any]:
    """Find the values of nodes, given oldest first, as far as they are known.

    Parameters
    ----------
    root : Node
        The result.
    value : ndarray
        Its value.
    nodes : sequence of Node
        All nodes to look at, oldest first, leaves too.

    Returns
    -------
    dict
        A value for each node of which it is known.
    """
    sure = _kept_values(nodes)
    if is_plain(value):
        sure[root] = value
    now = {}
    for node in nodes:
        if node.is_end and node not in sure:
            tensor = node.owner()
            if tensor is not None and not tensor.level and is_plain(tensor._value):
                now[node] = tensor._value
    found = _computed({**sure, **now}, nodes)
    if now and root in sure:
        again = _computed_one(root, found)
        if again is not None and not np.array_equal(again, sure[root], equal_nan=sure[root].dtype.kind in "fc"):
            return _computed(dict(sure), nodes)  # a leaf was updated in place since
    return found


def _kept_values(nodes: Sequence[Node]) -> dict[Node, Any]:
    found: dict[Node, Any] = {}
    for node in nodes:
        out = NOTED[node][0] if node in NOTED else None
        if not node.is_end and node.op is not RELEASED:
            out = node.kept[0] if out is None else out
            for parent, kept in zip(node.parents, constants_of(node), strict=True):
                if parent is not None and kept is not None:
                    found[parent] = kept
        if type(out) is tuple or is_plain(out):
            found[node] = out
    return found


def _computed(found: dict[Node, Any], nodes: Sequence[Node]) -> dict[Node, Any]:
    """Compute further values from those found."""
    room = 2_000_000  # elements: a picture should not take long
    for node in nodes:
        if node in found or (node.form is not tuple and (room := room - _size(node)) < 0):
            continue
        value = _computed_one(node, found)
        if value is not None:
            found[node] = value
    return found


def _size(node: Node) -> int:
    return int(np.prod(node.shape, dtype=object))


def _computed_one(node: Node, found: dict[Node, Any]) -> Any:
    """Apply a node's op again, if all arguments are known and the op is one of ours and pure."""
    op = node.op
    if op.own or op.kind in (RELEASED.kind, LEAF_KIND) or not _is_pure(op):
        return None
    arguments = []
    for parent, constant in zip(node.parents, constants_of(node), strict=True):
        argument = constant if parent is None or parent not in found else found[parent]
        if argument is None:
            return None
        arguments.append(argument)
    try:
        with np.errstate(all="ignore"):
            return op.forward(*arguments, **node.params)
    except Exception:  # it can't be that important: the value is just not shown
        return None


def _is_pure(op: Op) -> bool:
    return type(op).__module__.startswith(("tinygrad_sp.ops.", "tinygrad_sp.hotpath", "tinygrad_sp.record"))


# ---------------------------------------------------------------------------------------------- cotangents


def cotangents_of(root: Node, seed: Any, watch: Any) -> dict[Node, Any]:
    """Run a sweep that changes nothing.

    Parameters
    ----------
    root : Node
        Where to begin.
    seed : ndarray
        The root's cotangent.
    watch : callable
        Called as ``watch(node, argument, grad, cotangent)`` after every rule.

    Returns
    -------
    dict
        The cotangent of each leaf.

    Raises
    ------
    RuntimeError
        If the graph was released.
    """
    with mode_is(Mode(watch_rule=watch)):
        return sweep([(root, seed)], release=False)


# ---------------------------------------------------------------------------------------------- text of values


def summary(value: Any) -> str:
    """Say what is in an array, in a few characters.

    >>> summary(np.float64(0.97407698)), summary(np.array([1.0, 2.5])), summary(np.arange(10.0))
    ('0.974077', '[1, 2.5]', '0 … 9, mean 4.5')
    """
    if type(value) is tuple:
        return f"{len(value)} results"
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        return ""
    if array.ndim == 0:
        return short(array[()], 6)
    if array.size == 0:
        return "empty"
    if array.size <= 4:
        return np.array2string(array, separator=", ", formatter={"all": short}, max_line_width=200).replace("\n", "")
    return _range(array)


def _range(array: Any) -> str:
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(array)} of {array.size} True"
    finite = np.isfinite(array)
    bad = array.size - np.count_nonzero(finite)
    more = f", {bad} not finite" if bad else ""
    good = array if not bad else array[finite]
    if not good.size:
        return f"{bad} not finite"
    if not bad and np.all(good == good.flat[0]):
        return f"all {short(good.flat[0])}"
    size = np.abs(good) if array.dtype.kind == "c" else good
    with np.errstate(all="ignore"):
        middle = short(good.mean(dtype=np.complex128 if array.dtype.kind == "c" else np.float64))
    low, high = ("|min| ", "|max| ") if array.dtype.kind == "c" else ("", "")
    return f"{low}{short(size.min())} … {high}{short(size.max())}, mean {middle}{more}"


def short(x: Any, digits: int = 4) -> str:
    """Write a number with few digits.

    >>> short(1.5), short(3), short(True), short(1 - 2j), short(-0.0)
    ('1.5', '3', 'True', '1-2j', '-0')
    """
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return str(x)
    return f"{x:.{digits}g}"
