"""Break every rule of every op in a dozen ways, one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_sp import graph
from tinygrad_sp.testing.ops import Example, examples, function_of

Mutation = Callable[[Any, Any], Any]  # (cotangent of the argument, cotangent of the result) -> wrong cotangent


def _value(c: Any) -> Any:
    return c._value if isinstance(c, graph.Traced) else c


def _element(c: Any) -> Any:
    weight = np.ones(np.shape(c))
    if weight.size:
        weight.reshape(-1)[-1] = 1.01
    return c * weight.astype(_value(c).dtype if hasattr(_value(c), "dtype") else float)[()]


def _transposed(c: Any) -> Any:
    square = np.ndim(_value(c)) >= 2 and np.shape(c)[-1] == np.shape(c)[-2]
    return np.swapaxes(c, -1, -2) if square else np.flip(c) if np.ndim(_value(c)) else c


def _first_row(c: Any) -> Any:
    shape = np.shape(c)
    if not shape:
        return c
    weight = np.zeros(shape)
    weight[:1] = 1
    return c * weight


def _averaged(c: Any) -> Any:
    shape = np.shape(c)
    return c / shape[0] if shape and shape[0] > 1 else c


def _passed(c: Any, g: Any) -> Any:
    return g if not isinstance(g, tuple) and np.shape(_value(g)) == np.shape(_value(c)) else c


def _detached(c: Any) -> Any:
    return c.detach() if isinstance(c, graph.Traced) else c


def _second(c: Any) -> Any:
    return c + 0.01 * (c - c.detach()) if isinstance(c, graph.Traced) else c


FIRST: dict[str, Mutation] = {
    "times 1 + 1e-6": lambda c, _g: c * (1 + 1e-6),
    "times 1.01": lambda c, _g: c * 1.01,
    "times 2": lambda c, _g: c * 2,
    "negated": lambda c, _g: -c,
    "dropped": lambda c, _g: 0 * c,
    "halved where positive": lambda c, _g: c * np.where(_value(c) > 0, 0.5, 1.0),
    "squared": lambda c, _g: c * c,
    "shifted by 1e-4": lambda c, _g: c + 1e-4,
    "one element": lambda c, _g: _element(c),
    "transposed or reversed": lambda c, _g: _transposed(c),
    "rolled": lambda c, _g: np.roll(c, 1, -1) if np.ndim(_value(c)) else c,
    "first row only (missing sum)": lambda c, _g: _first_row(c),
    "averaged, not summed": lambda c, _g: _averaged(c),
    "cotangent passed through": lambda c, g: _passed(c, g),
    "cotangent clipped": lambda c, _g: np.where(np.abs(_value(c)) > 3, 0.5, 1.0) * c,
}
SECOND: dict[str, Mutation] = {
    "cut from the graph": lambda c, _g: _detached(c),
    "second order times 1.01": lambda c, _g: _second(c),
}


def targets(op: graph.Op) -> list[int]:
    """Which arguments of an op have a rule that can be broken."""
    return list(range(op.arity)) if op.small else list(range(3))


@contextlib.contextmanager
def broken(op: graph.Op, argument: int, mutation: Mutation, touched: list[bool]) -> Iterator[None]:
    """Use a wrong rule for one argument inside a ``with``; note whether it ever changed a number."""

    def spoil(c: Any, g: Any) -> Any:
        if c is None:
            return None
        wrong = mutation(c, g)
        if wrong is not c and not _same(wrong, c):
            touched[0] = True
        return wrong

    names = ("backward", "rule_x", "rule_y") if op.small else ("backward",)
    old = {k: getattr(op, k) for k in names}
    mine = "backward" in vars(op)
    rules = op.backward
    if isinstance(rules, tuple):
        i = min(argument, len(rules) - 1)
        new = tuple(_around(r, spoil) if k == i else r for k, r in enumerate(rules))
        op.backward = new
        if op.small:
            op.rule_x, op.rule_y = (*new, None)[:2]
    elif getattr(op, "variadic", False):
        op.backward = lambda i, g, *rest, **params: (
            spoil(rules(i, g, *rest, **params), g) if i == argument else rules(i, g, *rest, **params)
        )
    else:

        def joint(g: Any, *rest: Any, **params: Any) -> Any:
            found = rules(g, *rest, **params)
            if not isinstance(found, (tuple, list)):
                return spoil(found, g) if argument == 0 else found
            return tuple(spoil(c, g) if k == argument else c for k, c in enumerate(found))

        op.backward = joint
    try:
        yield
    finally:
        for k, value in old.items():
            setattr(op, k, value)
        if not mine:
            del op.backward


def _around(rule: Any, spoil: Any) -> Any:
    return lambda g, *rest, **params: spoil(rule(g, *rest, **params), g)


def _same(a: Any, b: Any) -> bool:
    a, b = np.asarray(_value(a)), np.asarray(_value(b))
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True) and not isinstance(a, graph.Traced)


def subjects(op: graph.Op) -> list[Example]:
    """Pick small arguments for an op, not empty ones."""
    found = [e for e in examples(op, seed=5) if all(a.size for a in e.arrays)]
    found = sorted(found, key=lambda e: (max(a.size for a in e.arrays) == 1, sum(a.size for a in e.arrays)))[:3]
    return found + [_complex(e) for e in found[:1] if op.name in COMPLEX]


COMPLEX = ("Real", "Imag", "Conjugate", "Angle", "Absolute")


def _complex(e: Example) -> Example:
    return Example([a + 1j * np.cos(7 * a) for a in e.arrays], e.params)


def same_gradient(op: graph.Op, e: Example, argument: int, mutation: Mutation) -> bool:
    """Whether the wrong rule gives the right gradient all the same: only elements that are summed were moved."""
    from tinygrad_sp.testing.subject import TensorSubject

    rng = np.random.default_rng(1)
    subject = TensorSubject(function_of(op, e.params), e.arrays)
    arrays = [leaf.array for leaf in subject.varied]
    cotangents = [rng.normal(size=o.shape).astype(o.dtype) for o in subject.call(arrays)]
    right = subject.pull(arrays, cotangents)
    with broken(op, argument, mutation, [False]):
        wrong = subject.pull(arrays, cotangents)
    return all(a is b is None or np.allclose(a, b, rtol=1e-13, atol=0) for a, b in zip(right, wrong, strict=True))


__all__ = ["FIRST", "SECOND", "broken", "function_of", "same_gradient", "subjects", "targets"]
