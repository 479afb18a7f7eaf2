"""Checkpointing: keep a function's inputs instead of its insides, and compute it again when backward gets there.

The call is recorded once, to find what it reads (closures included), and that recording is dropped: one node
stands for it, whose rule records the call again and sweeps it.  A chain of n equal blocks in groups of sqrt(n)
then keeps n / sqrt(n) inputs and, while backward is in one group, sqrt(n) insides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..graph import Node, Op, Traced, make_tensor, new, next_age
from ..modes import recording
from ..places import note_caller
from ..record import picked
from ..sweep import sweep
from .arguments import function
from .batching import Batched, batch_of
from .dual import Dual, dual
from .levels import DEPTH, always_recording, at_depth, variable
from .trees import Tree, flatten, tree_map, unflatten

F = TypeVar("F", bound=Callable[..., Any])
_SAMPLE = 64  # elements of each result that are remembered, to notice if it comes out differently


def checkpoint(f: F) -> F:
    """Make a function that forgets what it computed on the way, and computes it again in the backward pass.

    Parameters
    ----------
    f : callable
        Any function.  What it reads may be arguments or not; all of it is differentiated.

    Returns
    -------
    callable
        The same function, differentiable to every order.  Of each call only the arguments are kept.

    Raises
    ------
    RuntimeError
        In the backward pass, if the second computation gives another result than the first: if ``f`` draws random
        numbers (hand it a seed), or reads something that has been changed in between.

    Examples
    --------
    A chain of 100 blocks that keeps 10 inputs, and in the backward pass 10 blocks at a time:

    >>> import tinygrad_sp as tg
    >>> @tg.checkpoint
    ... def ten_blocks(x):
    ...     for _ in range(10):
    ...         x = x + 0.01 * tg.sin(x)
    ...     return x
    >>> def chain(x):
    ...     for _ in range(10):
    ...         x = ten_blocks(x)
    ...     return x
    >>> tg.grad(chain)(1.0).round(6)
    np.float64(1.106433)
    """
    function("checkpoint", f)

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not recording():
            return f(*args, **kwargs)
        run = partial(_called, f, tree_map(_snapshot, (args, kwargs)))
        start, depth = next_age(), DEPTH.get()
        leaves, structure = flatten(run())
        atoms = _atoms(leaves)
        if not atoms:
            return unflatten(structure, leaves)
        parents = _read_by([a.node for a in atoms], start)
        again = _Again(run, depth, [_sample(a) for a in atoms])
        node = _node(tuple(parents), again)
        kinds, values = [type(a) if a.level else None for a in atoms], [a._taken() for a in atoms]
        made = iter([_made(kind, values[i], picked(node, i, values)) for i, kind in enumerate(kinds)])
        return unflatten(structure, [_rebuilt(x, made) for x in leaves])

    return checkpointed  # type: ignore[return-value]


class _Again:
    """How to compute a call again, and what it gave the first time."""

    def __init__(self, run: Callable[[], Tree], depth: int, samples: list[Any]) -> None:
        self.run, self.depth, self.samples = run, depth, samples

    def __call__(self) -> list[Any]:
        """Record the call; return the Tensors that it gives."""
        with at_depth(self.depth), always_recording():
            atoms = _atoms(flatten(self.run())[0])
        same = len(atoms) == len(self.samples)
        if not same or not all(_alike(_sample(a), s) for a, s in zip(atoms, self.samples, strict=True)):
            raise RuntimeError(
                "checkpoint: computed again, the function gave another result. It must not draw random numbers (pass "
                "it a seed), nor read what is changed before the backward pass (pass that as an argument)"
            )
        return atoms


class _Checkpoint(Op):
    """A call to be computed again."""

    holomorphic, may_raise = False, True

    @staticmethod
    def forward(*arrays: Any) -> Any:
        return arrays

    @staticmethod
    def backward(grad: Any, out: Any, *_arrays: Any, again: _Again, parents: tuple[Node, ...]) -> Any:
        atoms = again()
        lifted = isinstance(out[0], Traced)  # the mark that `_node` left: whether this sweep is being recorded
        roots = [(a.node, g) for a, g in zip(atoms, _padded(grad, len(atoms)), strict=True) if g is not None]
        # A `where` outside may rely on 0 * inf being 0 in here; a sweep that minds it is slower.
        masked = lifted or any(isinstance(x, Traced) for x in (*grad, *(a._taken() for a in atoms)))
        found = sweep(roots, parents, lift=make_tensor if lifted else None, release=False, masked=masked)
        if not masked and not all(_finite(c) for c in found.values()):
            found = sweep(roots, parents, release=False, masked=True)
        return tuple(found.get(p) for p in parents)


def _padded(grad: Any, count: int) -> list[Any]:
    return [*grad, *(None,) * (count - len(grad))]


def _finite(x: Any) -> bool:
    return not isinstance(x, (np.ndarray, np.generic)) or bool(np.isfinite(x).all())


def _node(parents: tuple[Node, ...], again: _Again) -> Node:
    node: Node = new(Node)
    node.op, node.form, node.age = _Checkpoint.op, tuple, next_age()
    node.rest = (parents, (np.float64(0),), (None,) * len(parents), {"again": again, "parents": parents})
    note_caller(node)
    return node


def _called(f: Callable[..., Any], arguments: Any) -> Tree:
    """Call a function with copies of what is kept: what it writes into its arguments must not be there next time."""
    args, kwargs = tree_map(_snapshot, arguments)
    return f(*args, **kwargs)


def _snapshot(x: Any) -> Any:
    """Return an argument as it is now: what is written into it later is not seen."""
    if isinstance(x, Traced):
        return copy(x) if x.level else make_tensor(x._taken(), x.node)
    return x.copy() if isinstance(x, np.ndarray) else x


def _atoms(leaves: Sequence[Any]) -> list[Any]:
    """List the recorded Tensors in results, those of the highest level that records."""
    found = [a for x in leaves for a in _recorded(x)]
    top = max((a.level for a in found), default=0)
    return [a for a in found if a.level == top]


def _recorded(x: Any) -> Iterator[Any]:
    """Look into what wraps recorded Tensors."""
    if isinstance(x, Dual):
        yield from _recorded(x.under)
        yield from _recorded(x.tangent)
    elif isinstance(x, Batched):
        yield from _recorded(x.under)
    elif isinstance(x, Traced) and x.node is not None:
        yield x


def _rebuilt(x: Any, made: Iterator[Any]) -> Any:
    """Put the new Tensors where the recorded ones were."""
    if isinstance(x, Dual):
        under = _rebuilt(x.under, made)
        return dual(type(x), under, _rebuilt(x.tangent, made), x.masked)
    if isinstance(x, Batched):
        return batch_of(type(x), _rebuilt(x.under, made))
    return next(made) if isinstance(x, Traced) and x.node is not None else x


def _made(kind: Any, value: Any, node: Node) -> Any:
    return make_tensor(value, node) if kind is None else variable(kind, value, node)


def _read_by(roots: list[Node], start: int) -> list[Node]:
    """List the nodes older than the call from which its results were computed."""
    seen, stack, found = set(roots), list(roots), []
    while stack:
        node = stack.pop()
        if node.age < start:
            found.append(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(found, key=lambda node: node.age)


def _sample(x: Any) -> Any:
    """Return some elements of a result."""
    flat = np.asarray(x._everything()).reshape(-1)
    return flat[:: max(1, flat.size // _SAMPLE)].copy()


def _alike(a: Any, b: Any) -> bool:
    size = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-3, atol=1e-3 * size + 1e-300, equal_nan=True))
