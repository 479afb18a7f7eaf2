"""A `Dual` carries a value and its tangent through the same ops, in one pass that keeps nothing.

How an op pushes tangents says ``pushing.py``.  Here is how a Dual meets an op: elementwise ops of numbers and
arrays, which most functions are made of, come straight from the hot path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..cotangent import finite
from ..graph import PLAIN, Op, Traced, apply
from ..hotpath import STRAIGHT
from ..modes import MODE
from ..record import explained
from .batching import batch_of
from .levels import DEPTH, Nested, lower, still
from .pieces import is_large
from .pushing import added, fitted, pushed, unleaked

_float64, _ndarray = np.float64, np.ndarray


class Dual(Nested, internal=True):
    """A value and its tangent: ``under`` and ``tangent``, both of lower levels.

    ``masked`` says that a `where` was passed on the way: from there on 0 * inf is 0, as in the sweep.
    """

    __slots__ = ()
    tangent: Any = vars(Traced)["_grad"]
    masked: Any = Nested.spare

    @classmethod
    @cache
    def at(cls, level: int) -> type[Any]:
        """Return the class of such values on a level, and let the hot path know it."""
        kind = super().at(level)
        STRAIGHT[kind] = _straight(kind, level)
        return kind

    def _interpret(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        if self.level > DEPTH.get():
            self.alive()
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
        mode = MODE.get()
        if mode is not None and not mode.recording:
            out = apply(op, primals, params)
            watched(op, primals, params, out, (), None)
            return tuple(map(self.still, out)) if type(out) is tuple else self.still(out)
        out, dots = pushed(op, primals, tangents, params, masked)
        if mode is not None:
            watched(op, primals, params, out, tangents, dots)
        if type(out) is not tuple:
            return self.with_tangent(out, dots, masked)
        return tuple(self.with_tangent(y, dot, masked) for y, dot in zip(out, dots, strict=True))

    def with_tangent(self, value: Any, tangent: Any, masked: bool) -> Any:
        """Make a value of this level; without a tangent it is a constant and stays below."""
        if tangent is None or value.dtype.kind not in "fc":
            return self.still(value)
        if type(tangent) is not _float64 or type(value) is not _float64:
            tangent = fitted(tangent, value)
        return dual(type(self), value, tangent, masked)

    @classmethod
    def still(cls, value: Any) -> Any:
        """Return a constant: to the user a Tensor, to a level above as it is."""
        return still(value) if DEPTH.get() == cls.level else value

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


def _straight(kind: type[Any], level: int) -> tuple[Any, Any]:
    """Make what applies an elementwise op of one or two arguments, at least one of this kind, in a third of the time.

    Whatever is out of the ordinary (a mode, other levels, large arrays) goes the general way.  Two functions and no
    loops, as in ``hotpath.py``: that is half the time.
    """
    depth, mode, new = DEPTH.get, MODE.get, object.__new__

    def one(op: Op, x: Any) -> Any:
        vx = x.under
        if type(vx) is not _float64 and not _is_simple(vx):
            return apply(op, (x,), {})
        if not op.straight or mode() is not None or depth() < level:
            return apply(op, (x,), {})
        t = x.tangent
        out = op.forward(vx)
        dot = op.rule_x(t, out, vx)
        masked = x.masked or op.masks
        if masked:
            dot = unleaked(dot, t)
        if type(dot) is not _float64 or type(out) is not _float64:
            if out.dtype.kind not in "fc":
                return kind.still(out)
            dot = fitted(dot, out)
        result = new(kind)
        result.under, result.tangent, result.masked, result.node = out, dot, masked, None
        return result

    def two(op: Op, x: Any, y: Any) -> Any:
        masked = op.masks
        if type(x) is kind:
            vx, tx, masked = x.under, x.tangent, masked or x.masked
        else:
            vx, tx = x, None
        if type(y) is kind:
            vy, ty, masked = y.under, y.tangent, masked or y.masked
        else:
            vy, ty = y, None
        if (type(vx) is not _float64 and not _is_simple(vx)) or (type(vy) is not _float64 and not _is_simple(vy)):
            return apply(op, (x, y), {})
        if not op.straight or mode() is not None or depth() < level:
            return apply(op, (x, y), {})
        try:
            out = op.forward(vx, vy)
        except ValueError as error:
            raise explained(error, op, (vx, vy)) from None
        if tx is None:
            dot = op.rule_y(ty, out, vx, vy)
            if masked:
                dot = unleaked(dot, ty)
        else:
            dot = op.rule_x(tx, out, vx, vy)
            if masked:
                dot = unleaked(dot, tx)
            if ty is not None:
                part = op.rule_y(ty, out, vx, vy)
                if masked:
                    part = unleaked(part, ty)
                dot = dot + part if type(part) is _float64 else added(dot, part, (out, vx, vy, tx, ty))
        if type(dot) is not _float64 or type(out) is not _float64:
            if out.dtype.kind not in "fc":
                return kind.still(out)
            dot = fitted(dot, out)
        result = new(kind)
        result.under, result.tangent, result.masked, result.node = out, dot, masked, None
        return result

    return one, two


def _is_simple(x: Any) -> bool:
    """Whether a value is a number, or an array that is not large."""
    return bool(x.ndim) and not is_large(x.size) if type(x) is _ndarray else type(x) in PLAIN


def _told_apart(value: Any, tangent: Any) -> Any:
    """Take what holds for the tangents of all examples that share one value: a value can't depend on the example."""
    if not isinstance(tangent, Nested):
        return tangent
    if isinstance(value, Nested) and value.level > tangent.level:
        return _told_apart(value.under, tangent)
    if isinstance(value, Nested) and value.level == tangent.level:
        return batch_of(type(tangent), _told_apart(value.under, tangent.under))
    return np.all(_told_apart(value, tangent.under), axis=0)


def watched(op: Op, primals: Any, params: Any, out: Any, tangents: Any, dots: Any) -> None:
    """Show the op to whoever watches (`debug_nans`)."""
    mode = MODE.get()
    if mode is not None and mode.watch is not None:
        mode.watch(op, primals, params, out, None)
        mode.watch(op, [*primals, *(t for t in tangents if t is not None)], params, dots, None)
