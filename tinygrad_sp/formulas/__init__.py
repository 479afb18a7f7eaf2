"""What a rule says, as a formula: read from its own source, with the user's names put in.

A rule ``lambda g, _o, x, _y: g * x`` applied to ``w`` and ``h`` reads "∂/∂h = w".  Where a rule is more than an
expression that one would write on a board, the op's docstring says it: "x gets g * softmax(x)", of the cotangent g
and the result out; or, of an elementwise function, "d/dx = ...".  Where nothing is said, nothing is shown.

``rules.py`` reads the sources, ``docstrings.py`` the docstrings, and ``writing.py`` makes text of what they found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..graph import Op
from ..ops.indexing import repeats
from .docstrings import of_derivative, of_gets
from .rules import Body, is_foreign, of_rule
from .writing import atom, factor, folded, snake, without, written

__all__ = ["application", "rule_formula", "snake"]

INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "Power": "**", "MatMul": "@", "Remainder": "%",
}  # fmt: skip


def rule_formula(
    op: Op,
    i: int,
    arguments: Sequence[str],
    out: str,
    params: Mapping[str, Any],
    grad: str,
    shapes: Sequence[tuple[int, ...] | None] = (),
) -> str:
    """Write the cotangent of an argument as the op's rule does.

    Parameters
    ----------
    op : Op
        The op.
    i : int
        Which argument.
    arguments : sequence of str
        What to call the arguments; a number is written as it is.
    out, grad : str
        What to call the result, and its cotangent; an empty ``grad`` asks for the local derivative, what the
        cotangent is multiplied by.
    params : mapping
        The op's parameters.
    shapes : sequence of tuple, optional
        The shapes of the arguments and, last, of the result: with them, what is a number can be written as one.

    Returns
    -------
    str
        The formula; empty where there is none that could be read, or no local derivative.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> rule_formula(tg.multiply.op, 0, ["x", "w"], "y", {}, "")
    'w'
    >>> rule_formula(tg.power.op, 0, ["x", "2"], "y", {}, "")
    '2 * x'
    >>> rule_formula(tg.sqrt.op, 0, ["x"], "y", {}, "")
    '0.5 / y'
    """
    if op.name in BY_PARAMS:
        return BY_PARAMS[op.name](i, grad, arguments, params) if grad else ""
    for body in _said(op, i):
        names = body.names(arguments, out, params)
        if body.words and grad:
            return _in_words(body.words, dict(zip(body.arguments, arguments, strict=False)) | {body.grad: grad})
        expression = folded(body.expression, body.arguments, body.out, params, shapes)
        if not grad:
            local = None if body.words else without(expression, body.grad)
            if local is not None:
                return written(local, names)
        elif body.grad == "":  # the docstring's d/dx: only a factor is known
            return f"{grad} * {factor(expression, names)}"
        else:
            return written(expression, {**names, body.grad: atom(grad)}) + body.aside
    return ""


def _in_words(text: str, called: Mapping[str, str]) -> str:
    return re.sub(r"\b[a-z]\b", lambda letter: called.get(letter[0], letter[0]), text)


def _said(op: Op, i: int) -> Iterator[Body]:
    """Give an argument's formulas, the best first: what the docstring says it gets, its rule, its d/dx."""
    gets = None if op.own else of_gets(op, i)
    if gets is not None:
        yield gets
    rules = op.backward if isinstance(op.backward, tuple) else (op.backward,)
    joint = len(rules) == 1
    body = None if op.variadic else of_rule(rules[min(i, len(rules) - 1)], i if joint else None)
    if body is not None and not is_foreign(body):
        yield body
    derivative = of_derivative(op, i)
    if derivative is not None:
        yield derivative


def application(op: Op, arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    """Write how an op was applied, as the user would.

    >>> import tinygrad_sp as tg
    >>> application(tg.multiply.op, ["x", "w"], {}), application(tg.exp.op, ["x"], {})
    ('x * w', 'exp(x)')
    """
    if op.name in INFIX and len(arguments) == 2:
        return f"{arguments[0]} {INFIX[op.name]} {arguments[1]}"
    if op.name == "Negative":
        return f"-{arguments[0]}"
    if op.name == "GetItem" and "index" in params:
        return f"{arguments[0]}[{_index(params['index'])}]"
    if op.name == "Transpose" and params["axes"] == (-1, -2):
        return f"{arguments[0]}.mT"
    if op.name == "Einsum":
        return f"einsum({', '.join([repr(','.join(params['terms']) + '->' + params['result']), *arguments])})"
    name = op.name if op.own else snake(op.name)
    shown = [f"{key}={_said_value(value)}" for key, value in params.items() if _worth_saying(key, value)]
    return f"{name}({', '.join([*arguments, *shown])})"


UNSAID = {"keepdims": False, "limits": False, "correction": 0}
"""Parameters that nobody writes when they have these values."""


def _worth_saying(key: str, value: Any) -> bool:
    return value is not None and (key not in UNSAID or value != UNSAID[key]) and len(repr(value)) <= 40


def _said_value(value: Any) -> str:
    return repr(value[0] if isinstance(value, tuple) and len(value) == 1 else value)


def _index(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_index, index)) or "()"
    if isinstance(index, slice):
        ends = [index.start, index.stop] + ([index.step] if index.step is not None else [])
        return ":".join("" if end is None else str(end) for end in ends)
    text = "..." if index is Ellipsis else repr(index)
    return text if len(text) <= 30 else "..."


# ---------------------------------------------------------------------------------------------- by parameters


def _put_at(_i: int, grad: str, _arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    return f"0, but {grad} at [{_index(params['index'])}]"


def _read_at(_i: int, grad: str, _arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    return f"{grad}[{_index(params['index'])}]"


def _set_at(i: int, grad: str, arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    if not i:
        return f"{grad}, but 0 at [{_index(params['index'])}]"
    last = " (0 where another was written later)" if repeats(params["index"]) else ""
    return _read_at(i, grad, arguments, params) + last


def _transpose(_i: int, grad: str, _arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    axes = params["axes"]
    back = tuple(sorted(range(len(axes)), key=lambda k: axes[k] % len(axes)))
    return f"{grad}.mT" if axes == (-1, -2) else f"transpose({grad}, {back})"


def _einsum(i: int, grad: str, arguments: Sequence[str], params: Mapping[str, Any]) -> str:
    """Exchange the term of an argument with the result's; nothing where a letter of it stands nowhere else."""
    terms, result = params["terms"], params["result"]
    others = [k for k in range(len(terms)) if k != i]
    given = [result, *(terms[k] for k in others)]
    if len(set(terms[i])) < len(terms[i]) or not set(terms[i]) <= set("".join(given)):
        return ""
    subscripts = f"{','.join(given)}->{terms[i]}"
    return f"einsum({', '.join([repr(subscripts), grad, *(arguments[k] for k in others)])})"


BY_PARAMS: dict[str, Callable[[int, str, Sequence[str], Mapping[str, Any]], str]] = {
    "GetItem": _put_at, "GetMasked": _put_at, "Put": _read_at, "SetItem": _set_at, "Einsum": _einsum,
    "Transpose": _transpose,
}  # fmt: skip
"""Ops whose formulas depend on an index or on subscripts."""
