"""Forward mode: a `Dual` carries a value and its tangent through the same ops, in one pass that keeps nothing.

No op has a second rule for it.  How the first one is linear says what the tangent is:

- "pointwise": the rule, applied to the tangent instead of a cotangent, is its own transpose;
- "each" or "joint": the op itself, applied to the tangents;
- otherwise the rule is transposed: recorded for a stand-in cotangent and swept back with the tangent.

Where the last is dear and the tangent simple, an op may say it itself (`tangent`, or ``forward_rules``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..cotangent import finite, zero_where
from ..graph import PLAIN, Node, Op, Traced, apply, make_leaf
from ..modes import MODE, mode_is
from ..record import explained
from ..sweep import sweep
from .arguments import Arguments, arrays_of, cotangent_like, own, with_aux
from .batching import batch_of
from .forward_rules import TANGENTS
from .levels import DEPTH, Nested, Variable, deeper, lower, variable
from .reverse import pullback
from .trees import Tree, flatten, tree_map, unflatten


class Dual(Nested, internal=True):
    """A value and its tangent: ``under`` and ``tangent``, both of lower levels.

    ``masked`` says that a `where` was passed on the way: from there on 0 * inf is 0, as in the sweep.
    """

    __slots__ = ()
    tangent: Any = vars(Traced)["_grad"]
    masked: Any = Nested.spare

    def _interpret(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        if self.level > DEPTH.get():
            self.alive()
        if op.small and op.holomorphic and op.backward is not None and MODE.get() is None:
            result = _quickly(op, arrays, type(self))
            if result is not None:
                return result
        return self.in_general(op, arrays, params)

    def in_general(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply any op."""
        kind, level, masked = type(self), self.level, op.masks
        primals, tangents = [], []
        for x in arrays:
            if type(x) is kind or (isinstance(x, Dual) and x.level == level):
                primals.append(x.under)
                tangents.append(x.tangent)
                masked = masked or x.masked
            else:
                primals.append(lower(x))
                tangents.append(None)
        out, dots = pushed(op, primals, tangents, params, masked)
        if MODE.get() is not None:
            watched(op, primals, params, out, tangents, dots)
        if type(out) is not tuple:
            return self.with_tangent(out, dots, masked)
        return tuple(self.with_tangent(y, dot, masked) for y, dot in zip(out, dots, strict=True))

    def with_tangent(self, value: Any, tangent: Any, masked: bool) -> Any:
        """Make a value of this level; without a tangent it is a constant and stays below."""
        if tangent is None or value.dtype.kind not in "fc":
            return value
        if type(tangent) is not np.float64 or type(value) is not np.float64:
            tangent = fitted(tangent, value)
        return dual(type(self), value, tangent, masked)

    def finite(self) -> Any:
        """Say where value and tangent are finite."""
        value = finite(self.under)
        return value & _told_apart(value, finite(self.tangent))

    def __repr__(self) -> str:
        return f"Dual({self.under!r}, tangent={self.tangent!r})"


def dual(kind: type[Any], value: Any, tangent: Any, masked: bool) -> Any:
    """Make a Dual."""
    new: Dual = object.__new__(kind)
    new.under, new.tangent, new.masked, new.node = value, tangent, masked, None
    return new


def _told_apart(value: Any, tangent: Any) -> Any:
    """Take what holds for the tangents of all examples that share one value: a value can't depend on the example."""
    if not isinstance(tangent, Nested):
        return tangent
    if isinstance(value, Nested) and value.level > tangent.level:
        return _told_apart(value.under, tangent)
    if isinstance(value, Nested) and value.level == tangent.level:
        return batch_of(type(tangent), _told_apart(value.under, tangent.under))
    return np.all(_told_apart(value, tangent.under), axis=0)


def _quickly(op: Op, arrays: Sequence[Any], kind: type[Any]) -> Any:
    """Apply an elementwise op of one or two arrays in half the time; None where it is not that simple."""
    primals = []
    dot = None
    for x in arrays:
        x = x.under if type(x) is kind else x
        if type(x) not in PLAIN or (type(x) is np.ndarray and not x.ndim):
            return None
        primals.append(x)
    try:
        out = op.forward(*primals)
    except ValueError as error:
        raise explained(error, op, primals) from None
    for x, rule in zip(arrays, op.backward, strict=True):
        if type(x) is kind:
            if x.masked or op.masks:
                return None
            part = rule(x.tangent, out, *primals)
            dot = part if dot is None else _added(dot, part, arrays)
    if type(dot) is not np.float64 or type(out) is not np.float64:
        if out.dtype.kind not in "fc":
            return out
        dot = fitted(dot, out)
    return dual(kind, out, dot, False)


def _added(dot: Any, part: Any, arrays: Sequence[Any]) -> Any:
    """Add two parts of a tangent, into the second where a rule has just made it: a large new array costs as much."""
    mine = type(part) is type(dot) is np.ndarray and part.flags.owndata and part.dtype == dot.dtype
    if mine and part.shape == dot.shape and not any(part is x or part is getattr(x, "tangent", None) for x in arrays):
        return np.add(dot, part, out=part)
    return dot + part


def watched(op: Op, primals: Any, params: Any, out: Any, tangents: Any, dots: Any) -> None:
    """Show the op to whoever watches (`debug_nans`)."""
    mode = MODE.get()
    if mode is not None and mode.watch is not None:
        mode.watch(op, primals, params, out, None)
        mode.watch(op, [*primals, *(t for t in tangents if t is not None)], params, dots, None)


def pushed(op: Op, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any], masked: bool) -> Any:
    """Return an op's value and its tangent (None for a constant)."""
    if op.backward is None:
        out = apply(op, primals, params)
        return out, (None,) * len(out) if type(out) is tuple else None
    tangent = TANGENTS.get(op) or getattr(op, "tangent", None)
    if tangent is not None:
        out = apply(op, primals, params)
        return out, tangent(tangents, out, *primals, **params)
    if op.linear == "pointwise" and (op.holomorphic or not _complex(primals)):
        out = apply(op, primals, params)
        return out, _pointwise(op, out, primals, tangents, params, masked)
    if op.linear == "each":
        return apply(op, primals, params), _each(op, primals, tangents, params)
    if op.linear == "joint":
        moved = [_zero(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]
        return apply(op, primals, params), apply(op, moved, params)
    return transposed(op, primals, tangents, params)


def _complex(values: Sequence[Any]) -> bool:
    return any(np.result_type(x).kind == "c" for x in values)


def _zero(x: Any) -> Any:
    return np.zeros(x.shape, x.dtype) if hasattr(x, "shape") else 0.0


def fitted(tangent: Any, value: Any) -> Any:
    """Give a tangent its primal's shape and dtype."""
    if tangent.shape != value.shape:
        tangent = np.broadcast_to(tangent, value.shape)
    if tangent.dtype != value.dtype:
        if tangent.dtype.kind == "c" != value.dtype.kind:
            tangent = tangent.real
        tangent = tangent.astype(value.dtype)
    return tangent


def _total(parts: Sequence[Any]) -> Any:
    """Add what there is."""
    parts = [p for p in parts if p is not None]
    if not parts:
        return None
    if type(parts[0]) is tuple:
        return tuple(_total(column) for column in zip(*parts, strict=True))
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return total


def _pointwise(op: Op, out: Any, primals: Any, tangents: Any, params: dict[str, Any], masked: bool) -> Any:
    rules = op.backward
    parts = []
    for i, t in enumerate(tangents):
        if t is None:
            continue
        if isinstance(rules, tuple):
            part = rules[min(i, len(rules) - 1)](t, out, *primals, **params)
        elif op.variadic:
            part = rules(i, t, out, *primals, **params)
        else:
            part = rules(t, out, *primals, **params)
            part = part[i] if type(part) in (tuple, list) else part
        if masked and part is not None and not _finite(part):
            part = zero_where(t == 0, part)
        parts.append(part)
    return _total(parts)


def _finite(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and bool(np.isfinite(x).all())


def _each(op: Op, primals: Any, tangents: Any, params: dict[str, Any]) -> Any:
    parts = []
    for i, t in enumerate(tangents):
        if t is not None:
            parts.append(apply(op, [*primals[:i], t, *primals[i + 1 :]], params))
    return _total(parts)


def transposed(op: Op, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return an op's value and tangent from its rule alone: J t is the transpose of v -> J'v, applied to t."""
    with mode_is(None), deeper() as level:
        varied = [p if t is None else _varied(level, p) for p, t in zip(primals, tangents, strict=True)]
        y = apply(op, varied, params)
        ys = y if type(y) is tuple else (y,)
        given = [(v.node, t) for v, t in zip(varied, tangents, strict=True) if t is not None]
        dots = _transpose(op, level, ys, given)
    values = tuple(x.under if _is_at(level, x) else x for x in ys)
    return (values, dots) if type(y) is tuple else (values[0], dots[0])


def _transpose(op: Op, level: int, ys: Sequence[Any], given: Sequence[tuple[Node, Any]]) -> tuple[Any, ...]:
    """Pull stand-ins back to the arguments, recording it; then pull the tangents back to the stand-ins."""
    with deeper() as above:
        stand_ins = [_varied(above, np.ones(y.shape, y.dtype)[()]) if _is_at(level, y) else None for y in ys]
        seeds = [(y.node, s) for y, s in zip(ys, stand_ins, strict=True) if s is not None and y.node is not None]
        found = sweep(seeds, [node for node, _ in given])
        back = []
        for node, t in given:
            cotangent = found.get(node)
            if _is_at(above, cotangent):
                back.append((cotangent.node, t))  # type: ignore[union-attr]
            elif cotangent is not None and _some(cotangent):
                raise NotImplementedError(
                    f"{op.name}, forward mode: its rule left the graph. Write it with NumPy's functions on "
                    "what it is given, or add a function `tangent(tangents, out, *arrays)` to the op"
                )
        moved = sweep([(n, t) for n, t in back if n is not None], [s.node for s in stand_ins if s is not None])
    return tuple(None if s is None else moved.get(s.node) for s in stand_ins)


def _is_at(level: int, x: Any) -> bool:
    return isinstance(x, Nested) and x.level == level


def _varied(level: int, value: Any) -> Any:
    value = value if isinstance(value, Traced) else np.asarray(value)[()]
    return variable(Variable.at(level), value, make_leaf(value))


def _some(x: Any) -> bool:
    """Whether anything in it is not zero."""
    while isinstance(x, Nested):
        x = x.under
    return bool(np.any(np.asarray(x._value if isinstance(x, Traced) else x)))


# ---------------------------------------------------------------------------------------------- public


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
    with deeper() as level:
        kind = Dual.at(level)
        duals = [dual(kind, lower(x), lower(t), False) for x, t in zip(given.leaves, moved, strict=True)]
        out, aux = with_aux(name, given.call(duals), has_aux)
    arrays_of(name, *flatten(out))
    tensors = tensors and not DEPTH.get()
    shared = [*given.leaves, *moved]

    def part(tree: Tree, take: Callable[[Any], Any]) -> Tree:
        leaves, structure = flatten(tree)
        return unflatten(structure, own([take(x) for x in leaves], tensors, shared))

    y, tangent = part(out, partial(_primal, level)), part(out, partial(_tangent, level))
    return (y, tangent, part(aux, partial(_primal, level))) if has_aux else (y, tangent)


def along(
    name: str, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Arguments, list[Any]]:
    """Check the arguments of a transform that goes along a direction."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(f"{name}: primals and tangents are sequences: write {name}(f, (x,), (t,))")
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
        return transposed(given.mirror(tangent_leaves(given, tangents)))[0]

    return y, push
