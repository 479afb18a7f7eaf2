"""The engine, last part: one sweep backward over the recorded nodes, newest first.

A node is younger than every node it read, so when the newest pending node is taken, all its consumers have
been done and its cotangent is complete.  No recursion, linear in the nodes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from copy import copy
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from .cotangent import fit, strong_zero
from .graph import BINARY, CLOSED, GENERAL, LEAF_KIND, RELEASED, UNARY, Node, Rule, Traced, make_tensor
from .modes import MODE
from .places import locate
from .pull import Pull, add_to

_by_age, _action = attrgetter("age"), itemgetter(0)
_ndarray, _float64 = np.ndarray, np.float64


def sweep(
    roots: Sequence[tuple[Node, Any]],
    targets: Iterable[Node] | None = None,
    *,
    lift: Rule | None = None,
    release: bool = True,
    through: bool = False,
    masked: bool = False,
    plan: Plan | None = None,
    hooks_read: bool = False,
) -> dict[Node, Any]:
    """Carry cotangents from the roots to the leaves, or to the given target nodes.

    Parameters
    ----------
    roots : sequence of (Node, cotangent)
        Where to begin.  A node may be named more than once.
    targets : iterable of Node, optional
        Stop at these and return their cotangents; without them, at every leaf.  Nodes older than all of them
        are never looked at.
    lift : callable, optional
        ``lift(value, node)`` makes a Tensor.  Given, the rules get Tensors and record themselves
        (`create_graph`); otherwise they get the plain values.
    release : bool
        Forget what a node kept as soon as it has been passed.
    through : bool
        Don't stop at the targets: a target that was computed from another hands its cotangent on.
    masked : bool
        Treat 0 * inf as 0 in pointwise rules, as in graphs with a `where`.
    plan : Plan, optional
        What `plan_sweep` made of these roots and targets, if that was asked before.
    hooks_read : bool
        Keep recorded what a hook computes from Tensors that are differentiated elsewhere.

    Returns
    -------
    dict
        Cotangent by node, for every leaf or target that was reached.

    Raises
    ------
    RuntimeError
        If a node was released by an earlier sweep.
    """
    ends = None if targets is None else set(targets)
    plan = plan or plan_sweep([node for node, _ in roots], ends, through)
    order, masked, careful = plan.order, plan.masked or masked, plan.careful
    pending: dict[Node, Any] = {}
    owned: set[Node] = set()  # whose pending cotangent is an array that only this sweep can see
    for node, cotangent in roots:
        add_to(pending, owned, node, cotangent)
    found: dict[Node, Any] = {}
    passed: list[Node] = []
    mode = MODE.get()
    pull = Pull(pending, owned, lift, masked, mode.watch_rule if mode else None, set(order) if ends else None)
    fast = lift is None and pull.watch is None
    marked = {*(ends or ()), *hooked()} if ends or HOOKS else None  # nodes at which something happens besides
    # What may raise releases nothing before the end: after an error the graph is as it was.
    careful = release and (careful or bool(HOOKS) or pull.watch is not None or _warnings_raise())
    take = pending.pop
    # What a `where` did not take may divide by zero.
    with np.errstate(divide="ignore", invalid="ignore") if masked else nullcontext():
        try:
            for node in order:
                grad = take(node, None)
                if grad is None:
                    continue
                if marked is not None and node in marked:
                    grad = _hooked(node, grad, lift, hooks_read)
                    if ends is not None and node in ends:
                        found[node] = grad
                        if not through:
                            continue
                # The two commonest kinds of node are spelled out, and so is adding to `pending`: helper calls and
                # argument tuples would double the 0.5 microseconds that this loop needs per node.
                # A form is shared where nothing was broadcast or cast (see `hotpath`): the cotangent fits then.
                op, made = node.op, node.form
                kind = op.kind
                if kind == BINARY and fast:
                    parent: Any = node.px
                    if parent is not None:
                        c = op.rule_x(grad, node.out, node.x, node.y)
                        if masked:
                            c = strong_zero(node, grad, c)
                        form = parent.form
                        if type(c) is not form and (form is not made or form is _float64):
                            c = fit(c, form)
                        if parent not in pending:
                            pending[parent] = c
                        elif form is _float64:
                            pending[parent] = pending[parent] + c
                        else:
                            add_to(pending, owned, parent, c)
                    parent = node.py
                    if parent is not None:
                        c = op.rule_y(grad, node.out, node.x, node.y)
                        if masked:
                            c = strong_zero(node, grad, c)
                        form = parent.form
                        if type(c) is not form and (form is not made or form is _float64):
                            c = fit(c, form)
                        if parent not in pending:
                            pending[parent] = c
                        elif form is _float64:
                            pending[parent] = pending[parent] + c
                        else:
                            add_to(pending, owned, parent, c)
                elif kind == UNARY and fast:
                    parent = node.px
                    c = op.rule_x(grad, node.out, node.x)
                    if masked:
                        c = strong_zero(node, grad, c)
                    form = parent.form
                    if type(c) is not form and (form is not made or form is _float64):
                        c = fit(c, form)
                    if parent not in pending:
                        pending[parent] = c
                    elif form is _float64:
                        pending[parent] = pending[parent] + c
                    else:
                        add_to(pending, owned, parent, c)
                elif kind == LEAF_KIND:
                    if ends is None:
                        found[node] = grad
                    continue
                else:
                    pull(node, grad)
                if not release:
                    continue
                if careful:
                    passed.append(node)
                elif kind == GENERAL:
                    del node.rest
                    node.op = RELEASED
                else:
                    node.px = node.py = node.out = node.x = node.y = None
                    node.op = RELEASED
        except Exception as error:  # a try costs nothing until something is raised
            locate(error, node)
            raise
    for node in passed:
        _release(node)
    return found


def _warnings_raise() -> bool:
    """Whether a division by zero would be an exception here."""
    return "raise" in np.geterr().values() or "error" in map(_action, warnings.filters)


class Plan(NamedTuple):
    """What a sweep will pass: nodes, newest first; what is among them; whether anything else was reached."""

    order: list[Node]
    masked: bool
    careful: bool
    outside: bool


def plan_sweep(roots: list[Node], ends: set[Node] | None, through: bool = False, *, released_too: bool = False) -> Plan:
    """List the nodes that lead from the roots to leaves or ends, newest first; and what kinds are among them."""
    oldest = min((node.age for node in ends), default=0) if ends is not None else 0
    stops = ends if ends and not through else set()
    outside = False
    masked = careful = False
    seen = stops.union(roots)
    stack = list(seen - stops)
    order: list[Node] = list(stops)
    pop, push, see, put = stack.pop, stack.append, seen.add, order.append
    while stack:
        node = pop()
        if node.age < oldest:
            outside = True
            continue
        put(node)
        op = node.op
        if op.unusual:
            masked, careful = masked or op.masks, careful or op.own or op.may_raise
        kind = op.kind
        if kind == BINARY:
            p = node.px
            if p is not None and p not in seen:
                see(p)
                push(p)
            p = node.py
            if p is not None and p not in seen:
                see(p)
                push(p)
        elif kind == UNARY:
            p = node.px
            if p not in seen:
                see(p)  # type: ignore[arg-type]
                push(p)  # type: ignore[arg-type]
        elif kind == GENERAL:
            for p in node.rest[0]:
                if p is not None and p not in seen:
                    see(p)
                    push(p)
        elif kind == LEAF_KIND:
            outside = outside or op is not CLOSED
        elif not released_too:  # RELEASED_KIND
            raise RuntimeError(
                "backward a second time through a graph whose kept values were released by the first: "
                "pass retain_graph=True to the first backward (or, if a parameter was updated in place while "
                "recording, update it under `with tg.no_grad():`)"
                + (f"\n  released: what was called at {node.where}" if node.where else "")
            )
    order.sort(key=_by_age, reverse=True)
    if ends is not None:
        order = _leading_to(ends, order)
    return Plan(order, masked, careful, outside)


def collect(roots: list[Node]) -> list[Node]:
    """List the nodes that the roots were computed from, the roots among them, newest first."""
    return plan_sweep(roots, None, released_too=True).order


def _leading_to(ends: set[Node], order: list[Node]) -> list[Node]:
    """Keep the nodes that depend on an end."""
    leads = set(ends)
    lead = leads.add
    for node in reversed(order):
        kind = node.op.kind
        if kind == BINARY or kind == UNARY:
            if node.px in leads or node.py in leads:
                lead(node)
        elif kind == GENERAL:
            for parent in node.rest[0]:
                if parent in leads:
                    lead(node)
                    break
    return [node for node in order if node in leads]


def _release(node: Node) -> None:
    """Forget what the node kept; it can't be swept again."""
    if node.op.small:
        node.px = node.py = node.out = node.x = node.y = None
    else:
        del node.rest
    node.op = RELEASED


# ---------------------------------------------------------------------------------------------- hooks

HOOKS: WeakKeyDictionary[Node, dict[int, tuple[Rule, int]]] = WeakKeyDictionary()
"""Functions that see, and may replace, the cotangent at a node; and the level of the Tensor they were given to."""


def hooked() -> set[Node | None]:
    """Return the nodes that have hooks; other threads may be adding some."""
    return {reference() for reference in HOOKS.keyrefs()}


def _hooked(node: Node, grad: Any, lift: Rule | None, reads: bool) -> Any:
    """Show a cotangent to the node's hooks, one after the other; return what they make of it."""
    for hook, level in list(HOOKS.get(node, {}).values()):
        given = _by_itself(grad)
        new = hook(given)
        new = given if new is None else new  # into which it may have written
        if not isinstance(new, Traced):
            new = np.array(new)[()]  # the hook keeps its own array
        elif lift is None and not new.level and not (new.node is not None and (level or (reads and _outer(new.node)))):
            new = new._taken()
        grad = _replaced(new, node)
    return grad


def _outer(node: Node) -> bool:
    """Whether it was computed from more than the variables of functional derivatives that have returned."""
    return plan_sweep([node], None, released_too=True).outside


def _by_itself(grad: Any) -> Any:
    """Return a cotangent as a Tensor that is nobody else's: what is written into it stays there."""
    if isinstance(grad, Traced) and grad.level:
        return copy(grad)
    return make_tensor(grad._taken(), grad.node) if isinstance(grad, Traced) else make_tensor(grad, None)


def _replaced(new: Any, node: Node) -> Any:
    """Return what a hook gave as the node's cotangent, or say why it can't be."""
    if new.shape != node.shape:
        raise ValueError(
            f"register_hook: the hook returned shape {new.shape} for a cotangent of shape {node.shape}; return one of "
            "that shape, or None"
        )
    if new.dtype.kind not in "fc" or (new.dtype.kind == "c" and node.dtype.kind == "f"):
        raise TypeError(
            f"register_hook: the hook returned dtype {new.dtype} for a cotangent of dtype {node.dtype}; return one of "
            "that dtype, or None"
        )
    return fit(new, node.form)
