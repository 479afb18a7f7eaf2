"""Expressions become text: names are put in, numbers worked out, and what anybody would do at once is done."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..graph import Spec

POSTFIX = {"_mT": "mT", "mT": "mT", "_tH": "mT.conj()", "adjoint": "mT.conj()"}
"""Helpers of the rules that are better known by another sign."""

KNOWN = {"tuple": tuple, "max": max, "min": min, "len": len}
"""What is worked out before a formula is shown, where it is given numbers."""

REDUCTIONS = {"sum", "mean", "flip", "cumsum"}
"""What says the same without ``axis`` if that names all axes."""

FORM = ("shape", "ndim", "size")
"""What of an array is known without its elements."""


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


class _Folded(ast.NodeTransformer):
    """Work out what depends on parameters and shapes only: a choice between formulas, a count, a shift."""

    def __init__(
        self,
        arguments: Sequence[str],
        out: str,
        params: Mapping[str, Any],
        shapes: Sequence[tuple[int, ...] | None],
    ) -> None:
        pairs = [*zip(arguments, shapes[:-1], strict=False), *((out, shape) for shape in shapes[-1:])]
        self.shapes = {name: Spec((shape, None)) for name, shape in pairs if shape is not None}
        self.known = {**KNOWN, **params, **self.shapes}
        self.arrays = {*arguments, out}
        axis, first = params.get("axis", ()), next(iter(shapes), None)
        axes = (axis,) if isinstance(axis, int) else axis or ()
        self.every = first is not None and len(axes) == len(first)  # whether the axes named are all there are

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self._worked_out(node.test)
        if test is None:
            return node
        chosen: ast.expr = self.visit(node.body if test else node.orelse)
        return chosen

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id in KNOWN:
            return self._number(node)
        name = ast.unparse(node.func).removeprefix("np.")
        if name in REDUCTIONS and self.every and any(ast.unparse(k) == "axis=axis" for k in node.keywords):
            node.keywords = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
        self.generic_visit(node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        number = self._number(node) if isinstance(node.op, (ast.Add, ast.Sub, ast.FloorDiv)) else node
        if number is node:
            self.generic_visit(node)
        return number

    def _number(self, node: ast.expr) -> ast.expr:
        value = self._worked_out(node)
        good = isinstance(value, int) or (isinstance(value, tuple) and all(isinstance(v, int) for v in value))
        return ast.parse(repr(value), mode="eval").body if good else node

    def _worked_out(self, node: ast.expr) -> Any:
        """Evaluate what reads of the arrays nothing but their shapes; None for anything else."""
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        bound = {name.id for n in ast.walk(node) if isinstance(n, ast.comprehension) for name in ast.walk(n.target)
                 if isinstance(name, ast.Name)}  # fmt: skip
        asked = [n.value for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr in FORM]
        for name in names:
            free = name.id not in bound
            if free and (name.id not in self.known or (name.id in self.arrays and name not in asked)):
                return None
        code = compile(ast.fix_missing_locations(ast.Expression(node)), "formula", "eval")
        try:
            return eval(code, {**self.known, "__builtins__": {}})
        except (ArithmeticError, TypeError, ValueError, IndexError):
            return None


class _Simpler(ast.NodeTransformer):
    """What anybody would do at once: 2 - 1 is 1, x**1 is x, 1*x is x."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        for k in node.keywords:
            axis = _literal(k.value)
            if k.arg == "axis" and isinstance(axis, tuple) and len(axis) == 1:
                k.value = ast.parse(repr(axis[0]), mode="eval").body
        defaults = _defaults(name) if node.keywords else {}
        node.keywords = [k for k in node.keywords if _literal(k.value) != defaults.get(k.arg, ...)]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        a, b = _number(node.left), _number(node.right)
        if a is not None and b is not None and isinstance(node.op, (ast.Add, ast.Sub)):
            return atom(repr(a + b if isinstance(node.op, ast.Add) else a - b))
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


def atom(text: str) -> ast.expr:
    """Make an expression of a name or a number; what is neither is written as one word."""
    try:
        parsed = ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(text)
    return parsed if isinstance(parsed, (ast.Constant, ast.UnaryOp)) else ast.Name(text)


def _defaults(name: str) -> dict[str | None, Any]:
    """Give the defaults of a public function's parameters."""
    import tinygrad_sp

    try:
        return {name: p.default for name, p in inspect.signature(getattr(tinygrad_sp, name)).parameters.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _literal(e: ast.expr) -> Any:
    """Return the value of a literal, the expression itself if it is none."""
    try:
        return ast.literal_eval(e)
    except ValueError:
        return e


def put(e: ast.expr, names: Mapping[str, ast.expr]) -> ast.expr:
    """Return the expression with others in the place of names."""
    found: ast.expr = _Put(names).visit(copy.deepcopy(e))
    return found


def folded(
    e: ast.expr,
    arguments: Sequence[str],
    out: str,
    params: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...] | None],
) -> ast.expr:
    """Return the expression with what parameters and shapes decide worked out."""
    found: ast.expr = _Folded(arguments, out, params, shapes).visit(copy.deepcopy(e))
    return found


def written(e: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """Write an expression with the user's names."""
    return ast.unparse(ast.fix_missing_locations(_Simpler().visit(put(e, names))))


def factor(e: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """Write an expression as a factor."""
    text = written(e, names)
    return text if re.fullmatch(r"[\w.]+(\([^()]*\))?", text) else f"({text})"


def snake(name: str) -> str:
    """Write an op's name as its function's.

    >>> snake("LogSoftmax")
    'log_softmax'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
