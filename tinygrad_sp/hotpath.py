"""The hot path: how elementwise ops and matrix products, which most graphs are made of, are recorded at full speed.

One recorder per arity, no ``*args``, no helper call on the way, slots instead of tuples: 0.55 microseconds per
recorded op where the general ``record.record`` needs 2.5.  Whatever is out of the ordinary (a mode, a level, a
list, an array that the user may write into) goes the general way.

A float64 array shares the object that says so with an argument of the same shape: 0.1 microseconds less per op, for
the sweep need not look at shapes and dtypes then, and the garbage collector has one object less to look at.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from sys import _getframe as caller
from typing import Any

import numpy as np

from .graph import PLAIN, Node, Op, Rule, Traced, ages, apply, declare, new, plain, reads
from .modes import MODE
from .places import USERS, user_frame
from .record import explained

Tensor: type[Traced] = Traced  # tensor.py puts its class here
mode = MODE.get
_ndarray, _float64, _f8 = np.ndarray, np.float64, np.dtype(np.float64)


STRAIGHT: dict[type, tuple[Callable[[Op, Any], Any], Callable[[Op, Any, Any], Any]]] = {}
"""What applies elementwise ops, of one and of two arguments, to a kind of values that a transform made.

The transform puts itself here."""


class Elementwise(Op, abstract=True):
    """A NumPy ufunc (or a function like one) with a rule per argument; made by `elementwise`."""

    small = True
    linear = "pointwise"
    kernel: Callable[..., Any]

    @property
    def function(self) -> Callable[..., Any]:
        """What computes it from arrays."""
        return self.kernel


class Pointwise(Op, abstract=True):
    """A function of one number, applied to each element: written as a class, recorded as fast as a ufunc."""

    small = True
    linear = "pointwise"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.op.backward = (cls.backward,)
        _record_fast(cls)


class Binary(Op, abstract=True):
    """A function of two arrays and no params, written as a class with a rule for each: recorded as fast as a ufunc.

    It need not be elementwise.  A cotangent must have its argument's shape wherever that is the result's shape.
    """

    small, arity = True, 2

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _record_fast(cls)


def _record_fast(cls: Any) -> None:
    op = cls.op
    op.rule_x, op.rule_y = op.backward[0], op.backward[-1]
    op.conjugate = _conjugated(op) if op.holomorphic else op
    cls.apply = staticmethod((_unary if op.arity == 1 else _binary)(op, cls.forward))


def make_elementwise(name: str, kernel: Callable[..., Any], rules: tuple[Rule | None, ...], **about: Any) -> Any:
    """Declare an elementwise op; return it and the public function that records it at full speed."""
    op = new(Elementwise)
    op.name, op.kernel, op.forward = name, kernel, kernel
    op.arity = about.pop("arity", len(rules))
    op.backward = None if None in rules else rules
    op.rule_x, op.rule_y = rules[0], rules[-1]
    for key, value in about.items():
        setattr(op, key, value)
    declare(op)
    op.conjugate = op
    if op.backward is not None and op.holomorphic:
        op.conjugate = _conjugated(op)
    if op.backward is None or op.arity > 2 or op.may_raise:
        return op, lambda *arrays: apply(op, arrays, {})
    return op, _unary(op, kernel) if op.arity == 1 else _binary(op, kernel)


def _conjugated(op: Op) -> Op:
    """Make the op that a node with a complex value gets: its cotangent is grad * conj(derivative)."""

    def around(rule: Rule) -> Rule:
        @functools.wraps(rule)  # the same names of parameters: the same arrays are kept
        def conjugated(grad: Any, *kept: Any) -> Any:
            return np.conjugate(rule(np.conjugate(grad), *kept))

        return conjugated

    twin: Op = new(type(op))
    vars(twin).update(vars(op))
    twin.backward = tuple(map(around, op.backward))
    twin.rule_x, twin.rule_y = twin.backward[0], twin.backward[-1]
    twin.keeps, twin.kind, twin.unusual, twin.straight = op.keeps, op.kind, op.unusual, op.straight
    twin.conjugate, twin.turned = twin, True
    return twin


def _unary(op: Op, kernel: Callable[..., Any]) -> Callable[[Any], Any]:
    keep_out, keep_x = op.keeps

    def function(x: Any, /) -> Any:
        if type(x) is not Tensor or mode() is not None:
            if type(x) in PLAIN:
                return kernel(x)
            straight = STRAIGHT.get(type(x))
            return apply(op, (x,), {}) if straight is None else straight[0](op, x)
        value = kernel(x._value)
        result = new(Tensor)
        result._value = value
        px = x.node
        if px is None:
            result.node = None
            return result
        node = Node()
        node.op, node.px, node.py = op, px, None
        node.out = value if keep_out else None
        node.x = x._value if keep_x else None
        if type(value) is _float64:
            node.form = _float64
        else:
            shape, dtype = value.shape, value.dtype
            if dtype is _f8:
                form = px.form
                node.form = form if type(form) is tuple and form[0] == shape and form[1] is _f8 else (shape, _f8)
            else:
                node.form = (shape, dtype)
                if dtype.kind == "c":
                    node.op = op.conjugate
        frame = caller(1)
        code = frame.f_code
        if code.co_filename not in USERS:
            frame = user_frame(frame)
            code = frame.f_code
        node.code, node.at = code, frame.f_lasti
        node.age = next(ages)
        result.node = node
        return result

    return function


def _elsewhere(op: Op, first: Any, x: Any, y: Any) -> Any:
    """Apply an op to what is no user's Tensor; the kind of ``first`` may have a straight way."""
    straight = STRAIGHT.get(type(first))
    return apply(op, (x, y), {}) if straight is None else straight[1](op, x, y)


def _other(op: Op, vx: Any, vy: Any, dtype: Any) -> Op:
    """Return the op of a node that is not real: the conjugated one; refuse what holds no numbers."""
    if dtype.kind == "c":
        return op.conjugate
    plain(vx, op.name), plain(vy, op.name)  # one of them raises
    raise TypeError(f"{op.name}: the result has dtype {dtype}; use numbers")


def _binary(op: Op, kernel: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    # What each rule reads, and so what is kept when only x, only y or both are tracked.
    (out_x, x_x, y_x), (out_y, x_y, y_y) = map(reads, op.backward)
    out_b, x_b, y_b = out_x or out_y, x_x or x_y, y_x or y_y

    def function(x: Any, y: Any, /) -> Any:
        # One recorder per arity, no *args, no helper call: 1.1 microseconds per op, forward and backward,
        # where a single generic recorder needs 2.3.
        if type(x) is Tensor:
            vx, px = x._value, x.node
            if type(y) is Tensor:
                vy, py = y._value, y.node
            elif type(y) in PLAIN:
                vy, py = y, None
            else:
                return _elsewhere(op, y, x, y)
        elif type(y) is Tensor and type(x) in PLAIN:
            vx, px, vy, py = x, None, y._value, y.node
        else:
            return _elsewhere(op, y, x, y) if type(x) in PLAIN else _elsewhere(op, x, x, y)
        if mode() is not None:
            return apply(op, (x, y), {})
        try:
            value = kernel(vx, vy)
        except ValueError as error:
            raise explained(error, op, (vx, vy)) from None
        result = new(Tensor)
        result._value = value
        if px is None:
            if py is None:
                plain(value, op.name)
                result.node = None
                return result
            node = Node()
            node.out = value if out_y else None
            node.x = (vx.copy() if type(vx) is _ndarray and type(x) is not Tensor else vx) if x_y else None
            node.y = vy if y_y else None
        elif py is None:
            node = Node()
            node.out = value if out_x else None
            node.x = vx if x_x else None
            node.y = (vy.copy() if type(vy) is _ndarray and type(y) is not Tensor else vy) if y_x else None
        else:
            node = Node()
            node.out = value if out_b else None
            node.x = vx if x_b else None
            node.y = vy if y_b else None
        node.op, node.px, node.py = op, px, py
        if type(value) is _float64:
            node.form = _float64
        else:
            shape, dtype = value.shape, value.dtype
            if dtype is _f8:
                form = (py if px is None else px).form
                node.form = form if type(form) is tuple and form[0] == shape and form[1] is _f8 else (shape, _f8)
            else:
                node.form = (shape, dtype)
                if dtype.kind != "f":
                    node.op = _other(op, vx, vy, dtype)
        frame = caller(1)
        code = frame.f_code
        if code.co_filename not in USERS:
            frame = user_frame(frame)
            code = frame.f_code
        node.code, node.at = code, frame.f_lasti
        node.age = next(ages)
        result.node = node
        return result

    return function
