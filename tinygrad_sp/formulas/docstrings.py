"""The formulas in docstrings: "x gets ..." of an op, "d/dx = ..." of an elementwise function."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache

from ..graph import Op
from .rules import Body
from .writing import snake


def of_gets(op: Op, i: int) -> Body | None:
    """Read "x gets ..." in the docstring of the op; what is no expression is shown as it stands."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(op.forward).parameters.values() if p.kind in kinds]
    name = names[i] if i < len(names) else "each"
    found = re.search(rf"\b{name} gets (.+?)(?=;|\.\s|\.?$)", " ".join((type(op).__doc__ or "").split()))
    if found is None:
        return None
    text, aside = found.group(1), ""
    if text.endswith(")") and _parsed(text) is None and " (" in text:
        text, _, aside = text.rpartition(" (")
        aside = f" ({aside}"
    expression = _parsed(text)
    if expression is None:
        return Body(ast.Name("g"), "g", "out", names, words=text + aside)
    return Body(expression, "g", "out", names, aside)


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def of_derivative(op: Op, i: int) -> Body | None:
    """Read ``d/dx = ...``, or "The derivative is ...", in the docstring of the function."""
    begins = rf"d/d{'xyz'[min(i, 2)]} = " + ("|The derivative is " if i == 0 else "")
    for found in re.finditer(begins, text := _docstring(op)):
        expression = _parsed(_clause(text[found.end() :]))
        if expression is not None:
            return Body(expression, "", "", "xyz")
    return None


def _clause(text: str) -> str:
    """Return what comes before the first end of a clause that is not within parentheses."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if not depth and (sign in ";,=\n" or (sign == "." and not text[i + 1 : i + 2].isalnum())):
            return text[:i].strip()
    return text.strip()


@cache
def _docstrings() -> dict[Op, str]:
    import tinygrad_sp

    functions = [f for f in vars(tinygrad_sp).values() if hasattr(f, "op") and getattr(f, "__doc__", None)]
    return {f.op: f.__doc__ for f in functions if isinstance(f.op, Op)}


def _docstring(op: Op) -> str:
    import tinygrad_sp

    if op.own:
        return ""
    public = getattr(getattr(tinygrad_sp, snake(op.name), None), "__doc__", None)
    return "\n".join([op.__doc__ or "", _docstrings().get(op) or public or ""])
