"""What a rule says, as a formula: read from its own source, with the user's names put in.

A rule ``lambda g, _o, x, _y: g * x`` applied to ``w`` and ``h`` reads "∂/∂h = w".  Where a rule is more than an
expression, the formula in the function's docstring (``d/dx = ...``) serves; where there is none, nothing is said.
"""

from __future__ import annotations

import ast
import copy
import inspect
import linecache
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from types import CodeType
from typing import Any

from .graph import Op

Definition = ast.Lambda | ast.FunctionDef

INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "Power": "**", "MatMul": "@", "Remainder": "%",
}  # fmt: skip
POSTFIX = {"_mT": "mT", "_tH": "mT.conj()"}
"""Helpers of the rules that are better known by another sign."""

HELPERS = {"spread", "put", "abs", "slice", *POSTFIX}
"""What a formula may call besides public functions."""

CONSTANTS = {math.log(2): "log(2)", math.log(10): "log(10)", 1 / math.log(2): "1 / log(2)"}
"""Numbers of the rules that have a better name; others are written with all their digits."""

LONGEST = 160
"""A longer formula teaches nobody."""


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


# ---------------------------------------------------------------------------------------------- the formula


def rule_formula(op: Op, i: int, arguments: Sequence[str], out: str, params: Mapping[str, Any], grad: str) -> str:
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
    body = _said(op, i)
    if body is None:
        return ""
    if grad and "index" in params and "put" in ast.unparse(body.expression):
        return f"0, but {grad} at [{_index(params['index'])}]"
    names = body.names(arguments, out, params)
    if not grad:
        factor = without(body.expression, body.grad)
        return "" if factor is None else _text(factor, names)
    if body.grad == "":  # the docstring's: only a factor is known
        return f"{grad} * {_factor_text(body.expression, names)}"
    return _text(body.expression, {**names, body.grad: _atom(grad)})


class _Body:
    """A rule's expression and what its names stand for."""

    def __init__(self, expression: ast.expr, grad: str, out: str, arguments: Sequence[str]) -> None:
        self.expression, self.grad, self.out, self.arguments = expression, grad, out, arguments

    def names(self, arguments: Sequence[str], out: str, params: Mapping[str, Any]) -> dict[str, ast.expr]:
        """Give what to write for each name."""
        found = {name: _atom(text) for name, text in zip(self.arguments, arguments, strict=False)}
        found[self.out] = _atom(out)
        for name, value in params.items():
            if isinstance(value, (int, float, bool, tuple, str, type(None))):
                found[name] = ast.parse(repr(value), mode="eval").body if "inf" not in repr(value) else _atom("inf")
        return found


def _said(op: Op, i: int) -> _Body | None:
    """Find an argument's formula: in the rule, or in the docstring where the rule uses helpers of its own."""
    rules = op.backward if isinstance(op.backward, tuple) else (op.backward,)
    joint = len(rules) == 1
    body = None if op.variadic else _of_rule(rules[min(i, len(rules) - 1)], i if joint else None)
    if body is not None and not _foreign(body):
        return body
    return _of_docstring(op, i)


def _of_rule(rule: Callable[..., Any], i: int | None) -> _Body | None:
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
    return _Body(expression, names[0], names[1], names[2:])


def _returned(found: Definition) -> ast.expr | None:
    """Return what a function returns, if it does nothing else but give names to expressions first."""
    if isinstance(found, ast.Lambda):
        return found.body
    names: dict[str, ast.expr] = {}
    for statement in found.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # the docstring
        if isinstance(statement, ast.Return) and statement.value is not None:
            return _Put(names).visit(copy.deepcopy(statement.value))  # type: ignore[no-any-return]
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            return None
        names[statement.targets[0].id] = _Put(names).visit(copy.deepcopy(statement.value))
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
        put: ast.expr = _Put(names).visit(inner)
        return put


def _foreign(body: _Body) -> bool:
    """Whether it calls what is not a public function, or decides by what no formula should mind."""
    import tinygrad_sp

    for node in ast.walk(_Put({}).visit(copy.deepcopy(body.expression))):
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


def _technical(body: _Body) -> bool:
    """Whether it has private names, or looks at dtypes."""
    for node in ast.walk(body.expression):
        if isinstance(node, ast.Attribute) and node.attr in ("dtype", "astype"):
            return True
        known = (body.out, *body.arguments, *POSTFIX)
        if isinstance(node, ast.Name) and node.id.startswith("_") and node.id not in known:
            return True
    return False


def snake(name: str) -> str:
    """Write an op's name as its function's.

    >>> snake("LogSoftmax")
    'log_softmax'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def _docstrings() -> dict[Op, str]:
    import tinygrad_sp

    functions = [f for f in vars(tinygrad_sp).values() if hasattr(f, "op") and getattr(f, "__doc__", None)]
    return {f.op: f.__doc__ for f in functions if isinstance(f.op, Op)}


def _docstring(op: Op) -> str:
    import tinygrad_sp

    if op.own:
        return ""
    return _docstrings().get(op) or getattr(getattr(tinygrad_sp, snake(op.name), None), "__doc__", None) or ""


def _of_docstring(op: Op, i: int) -> _Body | None:
    """Read ``d/dx = ...``, or "The derivative is ...", in the docstring of the function."""
    text = _docstring(op)
    said = re.search(rf"d/d{'xyz'[min(i, 2)]} = ([^;,=\n]+?)(?=[;,=]|\.?\s*\n|\.\s|$)", text)
    if said is None and i == 0:
        said = re.search(r"The derivative is ([^;,=]+?)[.,]\s", text)
    if said is None:
        return None
    try:
        return _Body(ast.parse(said.group(1).strip(), mode="eval").body, "", "", "xyz")
    except SyntaxError:
        return None


def without(expression: ast.expr, grad: str) -> ast.expr | None:
    """Divide a product by one of its factors; None if it is no product with that factor.

    >>> ast.unparse(without(ast.parse("-g * x / y", mode="eval").body, "g"))
    '-x / y'
    """
    if not grad:
        return expression
    if not any(isinstance(node, ast.Name) and node.id == grad for node in ast.walk(expression)):
        return None
    return _divided(expression, grad)


def _divided(e: ast.expr, grad: str) -> ast.expr | None:
    if isinstance(e, ast.Name) and e.id == grad:
        return ast.Constant(1)
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        inner = _divided(e.operand, grad)
        return None if inner is None else ast.UnaryOp(ast.USub(), inner)
    if isinstance(e, ast.BinOp) and isinstance(e.op, (ast.Mult, ast.Div)):
        if grad in {node.id for node in ast.walk(e.right) if isinstance(node, ast.Name)}:
            swapped = isinstance(e.op, ast.Mult) and isinstance(e.right, ast.Name) and _number(e.left) is None
            alone = grad not in {node.id for node in ast.walk(e.left) if isinstance(node, ast.Name)}
            return e.left if swapped and alone else None
        left = _divided(e.left, grad)
        return None if left is None else _Simpler().visit(ast.BinOp(left, e.op, e.right))
    if isinstance(e, ast.Call) and ast.unparse(e.func) in ("where", "np.where") and len(e.args) == 3:
        branches = [ast.Constant(0) if _number(b) == 0 else _divided(b, grad) for b in e.args[1:]]
        good = [b for b in branches if b is not None]
        return ast.Call(e.func, [e.args[0], *good], []) if len(good) == 2 else None
    return None


# ---------------------------------------------------------------------------------------------- writing


class _Put(ast.NodeTransformer):
    """Put expressions in the place of names."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.names.get(node.id, node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id in ("np", "tg", "numpy", "math"):
            return ast.Name(node.attr)
        if isinstance(node.value, ast.Name) and node.attr == "apply":
            return ast.Name(snake(node.value.id))
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "spread":  # the axes can be seen from the shapes
            return ast.Call(node.func, [node.args[0], node.args[-1]], [])
        node.keywords = [k for k in node.keywords if k.arg != "limits"]  # how infinities are treated
        if name in POSTFIX and len(node.args) == 1:
            return ast.Attribute(node.args[0], POSTFIX[name])
        return node


class _Simpler(ast.NodeTransformer):
    """What anybody would do at once: 2 - 1 is 1, x**1 is x, 1*x is x."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        a, b = _number(node.left), _number(node.right)
        if a is not None and b is not None and isinstance(node.op, (ast.Add, ast.Sub)):
            return _atom(repr(a + b if isinstance(node.op, ast.Add) else a - b))
        if b == 1 and isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)):
            return node.left
        if isinstance(node.op, ast.Mult) and a in (1, -1):
            return node.right if a == 1 else ast.UnaryOp(ast.USub(), node.right)
        return node


def _number(e: ast.expr) -> float | None:
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        inner = _number(e.operand)
        return None if inner is None else -inner
    if isinstance(e, ast.Constant) and isinstance(e.value, (int, float)) and not isinstance(e.value, bool):
        return e.value
    return None


def _atom(text: str) -> ast.expr:
    """Make an expression of a name or a number; what is neither is written as one word."""
    try:
        parsed = ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(text)
    return parsed if isinstance(parsed, (ast.Constant, ast.UnaryOp)) else ast.Name(text)


def _text(e: ast.expr, names: Mapping[str, ast.expr]) -> str:
    return ast.unparse(ast.fix_missing_locations(_Simpler().visit(_Put(names).visit(copy.deepcopy(e)))))


def _factor_text(e: ast.expr, names: Mapping[str, ast.expr]) -> str:
    text = _text(e, names)
    return text if re.fullmatch(r"[\w.]+(\([^()]*\))?", text) else f"({text})"


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
    name = op.name if op.own else snake(op.name)
    shown = [f"{key}={value!r}" for key, value in params.items() if _worth_saying(key, value)]
    return f"{name}({', '.join([*arguments, *shown])})"


def _worth_saying(key: str, value: Any) -> bool:
    return not (key == "keepdims" and value is False) and value is not None and len(repr(value)) <= 40


def _index(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_index, index)) or "()"
    if isinstance(index, slice):
        ends = [index.start, index.stop] + ([index.step] if index.step is not None else [])
        return ":".join("" if end is None else str(end) for end in ends)
    text = "..." if index is Ellipsis else repr(index)
    return text if len(text) <= 30 else "..."
