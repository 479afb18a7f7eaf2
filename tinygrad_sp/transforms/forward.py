"""Forward mode, the public functions: a `Dual` goes through the function once (``dual.py``, ``pushing.py``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..graph import Traced
from .arguments import Arguments, arrays_of, cotangent_like, number, own, with_aux
from .dual import Dual, dual
from .leaving import at_level, warn, watching
from .levels import DEPTH, always_recording, deeper, lower, recorded
from .reverse import pullback
from .trees import Tree, flatten, tree_map, unflatten


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
    """Evaluate a function and its derivative along a direction, in one pass forward.

    Parameters
    ----------
    f : callable
        A function of arrays, or of nested tuples, lists and dicts of them.
    primals : sequence
        The arguments: where to evaluate.  All floating or complex.
    tangents : sequence
        The direction: like ``primals``.
    has_aux : bool
        Whether ``f`` returns a pair, of which the second is not differentiated.

    Returns
    -------
    y : tree of arrays
        ``f(*primals)``.
    tangent : tree of arrays
        The Jacobian times ``tangents``, like ``y``; zeros where a result does not depend on the primals.
    aux : tree
        Only with ``has_aux``.

    Raises
    ------
    TypeError
        If a primal is of integers, or the tangents have other containers than the primals.
    ValueError
        If a tangent has another shape than its primal.

    Notes
    -----
    Nothing is recorded: memory does not grow with the number of ops.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    return pushforward("jvp", f, primals, tangents, has_aux)


def pushforward(
    name: str, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> Any:
    """Do what `jvp` does, under another name."""
    given, moved = along(name, f, primals, tangents)
    tensors = given.tensors or any(isinstance(t, Traced) and not t.level for t in moved)
    with always_recording(), deeper() as level:
        kind = Dual.at(level)
        duals = [dual(kind, lower(x), lower(t), False) for x, t in zip(given.leaves, moved, strict=True)]
        with watching() as left:
            out, aux = with_aux(name, given.call(duals), has_aux)
            departure = next((d for d in left if isinstance(at_level(d.value, level), Dual)), None)
            if departure is not None and not any(at_level(x, level) is not None for x in flatten(out)[0]):
                warn(f"{name}: something computed from the arguments", departure)
                left.clear()
    arrays_of(name, *flatten(out))
    tensors = tensors and not DEPTH.get()
    # Others may hold what went in, and what in the results is no Dual; all else the ops have made.
    shared = [*given.leaves, *moved, *(x for x in flatten((out, aux))[0] if not isinstance(x, Dual))]
    shared += [x._taken() for x in shared if isinstance(x, Traced) and not x.level]

    def part(tree: Tree, take: Callable[[Any], Any]) -> Tree:
        leaves, structure = flatten(tree)
        mine = own([recorded(take(x)) for x in leaves], tensors, shared, fresh=True)
        shared.extend(mine)
        return unflatten(structure, mine)

    y, tangent = part(out, lambda x: number(_primal(level, x))), part(out, partial(_tangent, level))
    return (y, tangent, part(aux, partial(_primal, level))) if has_aux else (y, tangent)


def are_sequences(name: str, primals: Any, tangents: Any) -> None:
    """Refuse an array, where a tuple of arrays is wanted."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(f"{name}: primals and tangents are sequences: write {name}(f, (x,), (t,))")


def along(
    name: str, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Arguments, list[Any]]:
    """Check the arguments of a transform that goes along a direction."""
    are_sequences(name, primals, tangents)
    given = Arguments.all(name, f, primals)
    return given, tangent_leaves(given, tangents)


def tangent_leaves(given: Arguments, tangents: Sequence[Any]) -> list[Any]:
    """Check tangents against their primals."""
    name = given.name
    if len(tangents) != len(given.structures):
        raise ValueError(
            f"{name}: {len(tangents)} tangents for {len(given.structures)} primals; one for each is wanted"
        )
    pairs = zip(given.structures, tangents, range(len(tangents)), strict=True)
    leaves = [t for structure, tree, i in pairs for t in structure.like(tree, f"{name}: tangent {i}")]
    found = []

    def title(i: int) -> str:
        return given.title(i).replace("argument", "the tangent of argument")

    for i, (t, x) in enumerate(zip(leaves, given.leaves, strict=True)):
        t = cotangent_like(t, x, partial(title, i))
        found.append(np.zeros(x.shape, x.dtype)[()] if t is None else t)
    return found


def _primal(level: int, x: Any) -> Any:
    return x.under if isinstance(x, Dual) and x.level == level else x


def _tangent(level: int, x: Any) -> Any:
    if isinstance(x, Dual) and x.level == level:
        return x.tangent
    return _still(x)


def _still(x: Any) -> Any:
    """Return the tangent of a constant; also that of integers is of floating zeros."""
    dtype = getattr(x, "dtype", np.dtype(float))
    return np.zeros(np.shape(x), dtype if dtype.kind in "fc" else float)[()]


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Tree, Callable[..., Tree]]:
    """Evaluate a function and return its derivative there, as a function of the direction.

    The function is run once; each application then costs about as much as one pass backward.

    Parameters
    ----------
    f : callable
        A function of arrays, or of nested tuples, lists and dicts of them.
    *primals : array_like, Tensor or trees of them
        Where to evaluate.

    Returns
    -------
    y : tree of arrays
        ``f(*primals)``.
    push : callable
        ``push(*tangents)`` gives the Jacobian times the tangents, like ``y``.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> y, push = tg.linearize(lambda x: x**3, 2.0)
    >>> y, push(1.0), push(0.5)
    (np.float64(8.0), np.float64(12.0), np.float64(6.0))
    """
    given = Arguments.all("linearize", f, primals)
    y, pull = pullback(given)
    ones = tree_map(lambda x: np.ones_like(_still(x)), y)
    _, transposed = pullback(Arguments.all("linearize", pull, (ones,)))

    def push(*tangents: Any) -> Tree:
        moved, structure = flatten(transposed(given.mirror(tangent_leaves(given, tangents)))[0])
        return unflatten(structure, given.dressed(moved))

    return y, push
