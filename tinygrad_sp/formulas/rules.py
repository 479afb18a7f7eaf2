"""The source of a rule: the expression that it returns, with private helpers put in."""

from __future__ import annotations

import ast
import copy
import inspect
import linecache
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from .writing import POSTFIX, atom, put

Definition = ast.Lambda | ast.FunctionDef

HELPERS = {"spread", "put", "abs", "slice", "tuple", *POSTFIX}
"""What a formula may call besides public functions."""

CONSTANTS = {math.log(2): "log(2)", math.log(10): "log(10)", 1 / math.log(2): "1 / log(2)"}
"""Numbers of the rules that have a better name; others are written with all their digits."""

LONGEST = 160
"""A longer formula teaches nobody."""


class Body:
    """A rule's expression and what its names stand for; or words, where it is none."""

    def __init__(
        self,
        expression: ast.expr,
        grad: str,
        out: str,
        arguments: Sequence[str],
        aside: str = "",
        words: str = "",
    ) -> None:
        self.expression, self.grad, self.out, self.arguments = expression, grad, out, arguments
        self.aside, self.words = aside, words

    def names(self, arguments: Sequence[str], out: str, params: Mapping[str, Any]) -> dict[str, ast.expr]:
        """Give what to write for each name."""
        found = {name: atom(text) for name, text in zip(self.arguments, arguments, strict=False)}
        found[self.out] = atom(out)
        for name, value in params.items():
            if isinstance(value, (int, float, bool, tuple, str, type(None))):
                found[name] = ast.parse(repr(value), mode="eval").body if "inf" not in repr(value) else atom("inf")
        return found


def of_rule(rule: Callable[..., Any], i: int | None) -> Body | None:
    """Read what a rule returns, or the i-th of the cotangents that it returns; None where that is no expression."""
    found = definition(rule)
    expression = None if found is None else _returned(found)
    if found is None or expression is None:
        return None
    names = [a.arg for a in (*found.args.posonlyargs, *found.args.args)]
    if isinstance(expression, ast.Tuple):
        if i is None or i >= len(expression.elts):
            return None
        expression = expression.elts[i]
    expression = _Inlined(getattr(inspect.unwrap(rule), "__globals__", {}), names).visit(copy.deepcopy(expression))
    if len(names) < 2 or len(ast.unparse(expression)) > LONGEST:
        return None
    return Body(expression, names[0], names[1], names[2:])


# ---------------------------------------------------------------------------------------------- the source


@lru_cache(maxsize=64)
def _definitions(source: str) -> list[Definition]:
    tree = ast.parse(source)
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.FunctionDef))]


def definition(function: Callable[..., Any]) -> Definition | None:
    """Find the lambda or def that a function comes from, None if its source is not there."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None
    try:
        found = _definitions("".join(linecache.getlines(code.co_filename)))
    except SyntaxError:  # a notebook's magic
        return None
    if code.co_name != "<lambda>":
        lines = range(code.co_firstlineno, code.co_firstlineno + 20)  # decorators come first
        named = [d for d in found if isinstance(d, ast.FunctionDef) and d.name == code.co_name and d.lineno in lines]
        return min(named, key=lambda d: d.lineno, default=None)
    spots = _spots(code)
    around = [d for d in found if isinstance(d, ast.Lambda) and all(_within(d.body, spot) for spot in spots)]
    return min(around, key=lambda d: len(ast.unparse(d)), default=None) if spots else None


def _spots(code: CodeType) -> list[tuple[int, int]]:
    """Where a lambda's instructions are in its file; what only begins it is left out."""
    return [(line, column) for line, _, column, end in code.co_positions() if line and column is not None and end != 0
            and (line, column) != (code.co_firstlineno, 0)]  # fmt: skip


def _within(body: ast.expr, spot: tuple[int, int]) -> bool:
    assert body.end_lineno is not None and body.end_col_offset is not None
    return (body.lineno, body.col_offset) <= spot < (body.end_lineno, body.end_col_offset)


def _returned(found: Definition) -> ast.expr | None:
    """Return what a function returns, if it does nothing else but give names to expressions first."""
    if isinstance(found, ast.Lambda):
        return found.body
    names: dict[str, ast.expr] = {}
    for statement in found.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # the docstring
        if isinstance(statement, ast.Return) and statement.value is not None:
            return put(statement.value, names)
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            return None
        names[statement.targets[0].id] = put(statement.value, names)
    return None


class _Inlined(ast.NodeTransformer):
    """Put the definition of private helpers in the place of calls to them, where it is one expression."""

    def __init__(self, variables: Mapping[str, Any], own: Sequence[str], depth: int = 3) -> None:
        self.variables, self.own, self.depth = variables, own, depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.variables.get(node.id)
        if not isinstance(value, float) or node.id in self.own:
            return node
        return ast.parse(CONSTANTS.get(value, repr(value)), mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if ast.unparse(node.func) == "only":
            return ast.Call(ast.Name("where"), [*node.args, ast.Constant(0)], [])
        if ast.unparse(node.func) == "either":
            return ast.Call(ast.Name("where"), node.args, [])
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        helper = self.variables.get(name)
        if not name.startswith("_") or name in POSTFIX or not inspect.isfunction(helper) or not self.depth:
            return node
        found = definition(helper)
        body = None if found is None else _returned(found)
        if found is None or body is None or node.keywords:
            return node
        names = {a.arg: value for a, value in zip(found.args.args, node.args, strict=False)}
        inner = _Inlined(helper.__globals__, self.own, self.depth - 1).visit(copy.deepcopy(body))
        return put(inner, names)


def is_foreign(body: Body) -> bool:
    """Whether it calls what is not a public function, or decides by what no formula should mind."""
    import tinygrad_sp

    for node in ast.walk(put(body.expression, {})):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id in HELPERS:
            continue
        function = getattr(tinygrad_sp, node.func.id, None)
        if function is None or not {k.arg for k in node.keywords} <= _keywords(function):
            return True
    return _technical(body)


def _keywords(function: Any) -> set[str | None]:
    """Which keywords a public function has; the op behind it may have others."""
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()


def _technical(body: Body) -> bool:
    """Whether it has private names, or looks at dtypes."""
    for node in ast.walk(body.expression):
        if isinstance(node, ast.Attribute) and node.attr in ("dtype", "astype"):
            return True
        known = (body.out, *body.arguments, *POSTFIX)
        if isinstance(node, ast.Name) and node.id.startswith("_") and node.id not in known:
            return True
    return False
