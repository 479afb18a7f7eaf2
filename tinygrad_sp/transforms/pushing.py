"""How one op pushes tangents: its value and its tangent from those of its arguments.

No op has a second rule for it.  How the first one is linear says what the tangent is:

- "pointwise": the rule, applied to the tangent instead of a cotangent, is its own transpose;
- "each" or "joint": the op itself, applied to the tangents;
- otherwise the rule is transposed: recorded for a stand-in cotangent and swept back with the tangent.

Where the last is dear and the tangent simple, an op may say it itself (`tangent`, or ``forward_rules``); and where
value and tangent come of one decomposition of plain arrays, both together (`push`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cotangent import zero_where
from ..graph import PLAIN, Node, Op, Traced, apply, make_leaf
from ..modes import mode_is
from ..record import explained
from ..sweep import sweep
from .forward_rules import TANGENTS
from .levels import Nested, Variable, deeper, variable
from .pieces import push_in_pieces, worth_cutting


def pushed(op: Op, primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any], masked: bool) -> Any:
    """Return an op's value and its tangent (None for a constant)."""
    if op.backward is None:
        out = apply(op, primals, params)
        return out, (None,) * len(out) if type(out) is tuple else None
    push = getattr(op, "push", None)
    if push is not None and are_plain(primals):
        return push(tangents, *primals, **params)
    if op.linear == "pointwise" and (op.holomorphic or not _complex(primals)):
        return pointwise(op, primals, tangents, params, masked)
    if op.linear == "each":
        return apply(op, primals, params), _each(op, primals, tangents, params)
    if op.linear == "joint":
        moved = [_zero(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]
        return apply(op, primals, params), apply(op, moved, params)
    tangent = TANGENTS.get(op) or getattr(op, "tangent", None)
    if tangent is not None:
        out = apply(op, primals, params)
        moved = tangent(tangents, out, *primals, **params)
        if moved is not NotImplemented:
            return out, _checked(op, out, moved) if op.own else moved
    return transposed(op, primals, tangents, params)


def _checked(op: Op, out: Any, moved: Any) -> Any:
    """Return what a user's `tangent` gave, or say why it can't be."""
    if type(out) is tuple and type(moved) in (tuple, list) and len(out) == len(moved):
        return tuple(_checked(op, y, dot) for y, dot in zip(out, moved, strict=True))
    moved = np.asarray(moved)[()] if isinstance(moved, (bool, int, float, complex)) else moved
    if moved is not None and (type(out) is tuple or not hasattr(moved, "shape")):
        raise TypeError(f"{op.name}.tangent returned {type(moved).__name__}: return an array for each result, or None")
    if moved is not None and moved.shape != out.shape:
        raise ValueError(
            f"{op.name}.tangent returned shape {moved.shape}, the result has shape {out.shape}; return one like it"
        )
    return moved


def are_plain(values: Sequence[Any]) -> bool:
    """Whether all are NumPy's arrays and numbers, or Python's: nobody differentiates or batches them further."""
    return all(type(x) in PLAIN or isinstance(x, np.generic) for x in values)


def _complex(values: Sequence[Any]) -> bool:
    return any(np.result_type(x).kind == "c" for x in values)


def _zero(x: Any) -> Any:
    return np.zeros(x.shape, x.dtype) if hasattr(x, "shape") else 0.0


def fitted(tangent: Any, value: Any) -> Any:
    """Give a tangent its primal's shape and dtype."""
    if tangent.shape != value.shape:
        tangent = np.broadcast_to(tangent, value.shape)
    elif type(tangent) is np.ndarray and not tangent.ndim:
        tangent = tangent[()]
    if tangent.dtype != value.dtype:
        if tangent.dtype.kind == "c" != value.dtype.kind:
            tangent = tangent.real
        tangent = tangent.astype(value.dtype)
    return tangent


# ---------------------------------------------------------------------------------------------- linear ops


def added(total: Any, part: Any, given: Sequence[Any]) -> Any:
    """Add two parts of a tangent, into the second where a rule has just made it: a large new array costs as much."""
    mine = type(part) is type(total) is np.ndarray and part.flags.owndata and part.dtype == total.dtype
    if mine and part.shape == total.shape and not any(part is x for x in given):
        return np.add(total, part, out=part)
    return total + part


def _total(parts: Sequence[Any], given: Sequence[Any]) -> Any:
    """Add what there is."""
    parts = [p for p in parts if p is not None]
    if not parts:
        return None
    if type(parts[0]) is tuple:
        return tuple(_total(column, given) for column in zip(*parts, strict=True))
    total = parts[0]
    for p in parts[1:]:
        total = added(total, p, given)
    return total


def pointwise(op: Op, primals: Any, tangents: Any, params: dict[str, Any], masked: bool) -> Any:
    """Push through an op that works element by element: large arrays in pieces, value and tangent together."""

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        try:
            out = apply(op, primals, params)
        except ValueError as error:
            raise explained(error, op, primals) from None
        tangent = getattr(op, "tangent", None)
        moved = NotImplemented if tangent is None else tangent(tangents, out, *primals, **params)
        if moved is not NotImplemented:
            return out, moved
        return out, by_rules(op, out, primals, tangents, params, masked and (not op.masks or op.own))

    if worth_cutting(primals, tangents):
        return push_in_pieces(push, primals, tangents)
    return push(primals, tangents)


def by_rules(op: Op, out: Any, primals: Any, tangents: Any, params: dict[str, Any], masked: bool) -> Any:
    """Apply the rules to the tangents; ``masked`` says that 0 * inf is 0, as in the sweep.

    Rules that themselves choose (`Op.masks`) make nothing of nothing anyway, and need not be looked at.
    """
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
        parts.append(unleaked(part, t) if masked and part is not None else part)
    return _total(parts, (out, *primals, *tangents))


def unleaked(part: Any, t: Any) -> Any:
    """Return a part of a tangent, with 0 for what is not finite where nothing came in."""
    if isinstance(part, (np.ndarray, np.generic)) and np.isfinite(part).all():
        return part
    return zero_where(t == 0, part)


def _each(op: Op, primals: Any, tangents: Any, params: dict[str, Any]) -> Any:
    parts = []
    for i, t in enumerate(tangents):
        if t is not None:
            parts.append(apply(op, [*primals[:i], t, *primals[i + 1 :]], params))
    return _total(parts, (*primals, *tangents))


# ---------------------------------------------------------------------------------------------- all others


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
