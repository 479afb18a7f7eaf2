"""Expressions that people type, such as ``softplus(w*x + b)**2``: parsed once, evaluated on arrays or Tensors.

Python's own ``ast`` parses; then each node is held against what is listed here and becomes a small function of
the variables' values.  Python's compiler and ``eval`` never see the text, so what is not listed cannot run: no
attribute, no call but of our functions, nothing without a bound.  How much a step may compute is known from
the shapes before it is computed (`functions`).  An error says where in the text it is.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

import tinygrad_sp as tg

from .functions import FUNCTIONS, Function, broadcast, indexing, joining, product, subscripts

LONGEST, DEEPEST = 5_000, 100
"""The longest text (characters) and the deepest nesting (operations inside operations) that are read."""

MOST_WORK = 10_000_000
"""How many elements one evaluation may compute, all its steps together."""

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}

Step = Callable[["_Run"], Any]

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

_INSTEAD = {
    ast.Attribute: "attributes (a name after a dot) are not allowed; functions are called by their plain names",
    ast.IfExp: "`if` is not allowed; write where(condition, a, b)",
    ast.BoolOp: "`and` and `or` are not allowed; write & or | between parentheses",
    ast.BitXor: "^ is not allowed; a power is written x**2",
    ast.Not: "`not` is not allowed; write ~ before parentheses",
    ast.Compare: "one comparison at a time; write (a < b) & (b < c)",
    ast.NamedExpr: "`:=` is not allowed; give variables their values after the expression: x=1.5",
    ast.Starred: "`*` in front of an argument is not allowed",
    ast.Lambda: "`lambda` is not allowed",
    ast.JoinedStr: "strings are allowed only as parameters of functions",
}


class InputError(ValueError):
    """What somebody typed cannot be used; the message says why and what to write instead."""


class ExpressionError(InputError):
    """What is wrong with an expression, and where.

    Parameters
    ----------
    message : str
        What is wrong, and what to write instead.
    source : str
        The expression.
    start, end : int
        The characters that the message is about.
    """

    def __init__(self, message: str, source: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.source = message, source
        self.start = max(0, min(start, len(source)))
        self.end = max(self.start + 1, min(end, len(source)))

    def __str__(self) -> str:
        first = max(0, self.start - 60)
        shown = self.source[first : first + 100]
        before, inside = self.source[first : self.start], self.source[self.start : min(self.end, first + 100)]
        head, tail = "…" * (first > 0), "…" * (first + 100 < len(self.source))
        carets = " " * (len(head) + _columns(before)) + "^" * max(1, _columns(inside))
        return f"{self.message}\n  {head}{shown}{tail}\n  {carets}"


class Expression:
    """An expression of named variables, ready to be evaluated.

    Parameters
    ----------
    source : str
        The text.
    variables : collection of str
        The names that stand for values.
    functions : mapping, optional
        What may be called, by name; without it, our functions.

    Attributes
    ----------
    used : set of str
        The names that the text uses.
    spent : int
        How much work the last evaluation was counted as.

    Raises
    ------
    ExpressionError
        If the text is not Python's grammar, or uses what is not allowed.

    Examples
    --------
    >>> f = Expression("softplus(w*x)", ["w", "x"])
    >>> x = tg.Tensor([0.0, 1.0])
    >>> f({"w": 2.0, "x": x}).sum().backward()
    >>> x.grad
    Tensor([1.        , 1.76159416])
    """

    def __init__(
        self, source: str, variables: Collection[str] = (), functions: Mapping[str, Function] = FUNCTIONS
    ) -> None:
        source = source.encode(errors="replace").decode()  # half a surrogate pair becomes a question mark
        self.source = re.sub(r"\s", " ", source).strip()  # one line, so that a place is a column
        self.variables, self.functions = tuple(variables), functions
        self.used: set[str] = set()
        self.spent = 0
        self._step = self._build(self._parse(), 0)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Evaluate the expression on arrays or Tensors.

        Parameters
        ----------
        values : mapping
            The value of each variable.

        Returns
        -------
        Tensor, ndarray, NumPy scalar, Python number, or a tuple where a function gives one

        Raises
        ------
        ExpressionError
            If a step fails, or would compute too much.
        """
        run = _Run(values)
        with np.errstate(all="ignore"):
            result = self._guarded(None, as_array, self._step(run))
        self.spent = MOST_WORK - run.left
        return result

    def error(self, node: ast.AST | None, message: str) -> ExpressionError:
        """Make an error that points at a node."""
        if not isinstance(node, ast.expr | ast.keyword):
            return ExpressionError(message, self.source, 0, len(self.source))
        line = self.source.encode()  # ast counts bytes
        start, end = (len(line[:n].decode(errors="replace")) for n in (node.col_offset, node.end_col_offset or 0))
        return ExpressionError(message, self.source, start, end)

    def _parse(self) -> ast.expr:
        if len(self.source) > LONGEST:
            message = f"the expression has {len(self.source):,} characters; at most {LONGEST:,} are read"
            raise ExpressionError(message, self.source[:60] + "…", 0, 0)
        if not self.source:
            raise ExpressionError("the expression is empty; write one, as 'softplus(x)'", "", 0, 0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "invalid decimal literal" and the like
                return ast.parse(self.source, mode="eval").body
        except SyntaxError as error:
            start = (error.offset or 0) - 1 if error.offset else len(self.source)
            message = re.sub(r" \(<unknown>, line \d+\)", "", error.msg or "invalid syntax")
            message = "too many digits" if "integer string conversion" in message else message
            raise ExpressionError(message, self.source, start, (error.end_offset or 0) - 1) from None
        except (RecursionError, MemoryError):
            raise self.error(None, "the expression is nested too deeply") from None
        except ValueError:  # a null byte, in some versions of Python
            raise self.error(None, "the expression contains a character that is not text") from None

    # ------------------------------------------------------------------------------ a node becomes a step

    def _build(self, node: ast.AST, depth: int) -> Step:
        """Turn an allowed node into a function of the run; refuse every other."""
        if depth > DEEPEST:
            raise self.error(node, f"more than {DEEPEST} operations inside one another; use sum([...]) or stack")
        depth += 1
        match node:
            case ast.Constant(value=value) if type(value) in (int, float, complex):
                self._small(node, value)
                return lambda _run: value
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._operation(node, op, [self._build(left, depth), self._build(right, depth)])
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return self._operation(node, op, [self._build(operand, depth)])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return self._operation(node, op, [self._build(left, depth), self._build(right, depth)])
            case ast.Subscript(value=value, slice=index):
                return self._subscript(node, self._build(value, depth), self._index(index, depth))
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name, depth)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return _sequence(type(node), [self._build(item, depth) for item in items])
            case ast.Call():
                raise self.error(node.func, "only a function's plain name can be called")
            case ast.UnaryOp(op=op) | ast.BinOp(op=op):
                self._refuse(node, op)
            case _:
                self._refuse(node, node)

    def _refuse(self, node: ast.AST, kind: ast.AST) -> NoReturn:
        message = _INSTEAD.get(type(kind), "this is not allowed; an expression has numbers, variables, operators, "
                               "indexing [...] and calls of functions")  # fmt: skip
        if isinstance(node, ast.Constant):
            message = f"{node.value!r:.40} is allowed only as a parameter of a function"
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            message = "comparisons are < <= > >= == !="
        raise self.error(node, message)

    def _name(self, node: ast.AST, name: str) -> Step:
        self.used.add(name)
        if name in self.variables:
            return lambda run: run.values[name]
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return lambda _run: value
        if name in self.functions:
            raise self.error(node, f"{name} is a function: write {name}(...)")
        if self.functions is not FUNCTIONS:
            raise self.error(node, f"{name:.40} is not a number; a value is made of numbers")
        instead = self._similar(name, [*self.variables, *CONSTANTS])
        raise self.error(node, f"{name} has no value; give it one: {name:.40}=1.5{instead}")

    def _operation(self, node: ast.AST, op: ast.AST, steps: Sequence[Step]) -> Step:
        function = _OPERATORS[type(op)]
        work = product if function is operator.matmul else broadcast

        def step(run: _Run) -> Any:
            values = [self._guarded(node, as_array, each(run)) for each in steps]
            self._spend(run, node, work(values, {}))
            if function is operator.pow:
                self._small_power(node, *values)
            return self._small(node, self._guarded(node, function, *values))

        return step

    def _call(self, node: ast.Call, name: str, depth: int) -> Step:
        function = self.functions.get(name)
        if name in self.variables:
            raise self.error(node.func, f"{name} is a variable here, not a function")
        if function is None:
            raise self.error(node.func, f"there is no function {name}{self._similar(name, self.functions)}")
        params = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in function.params or keyword.arg in params:
                takes = " and ".join(sorted(function.params)) or "no parameters"
                raise self.error(keyword, f"{name} takes {takes} by name, each once; not {keyword.arg or '**'}")
            params[keyword.arg] = self._literal(keyword.value, depth)
        steps = [self._argument(argument, depth, function) for argument in node.args]

        def step(run: _Run) -> Any:
            values = [each(run) for each in steps]
            if function.work is not joining:  # sum([x[0], w]) is the sum of one array
                values = [self._guarded(node, as_array, v) if _has_arrays(v) else v for v in values]
            self._spend(run, node, self._guarded(node, function.work, values, params))
            return self._guarded(node, function, *values, **params)

        return step

    def _argument(self, node: ast.AST, depth: int, function: Function) -> Step:
        """Build an argument given by position: a truth value may be one, and for `einsum` a string."""
        if isinstance(node, ast.Constant) and (
            isinstance(node.value, bool | None) or (isinstance(node.value, str) and function.work is subscripts)
        ):
            value = node.value
            return lambda _run: value
        return self._build(node, depth)

    def _literal(self, node: ast.AST, depth: int) -> Any:
        """Return what is written as a parameter: numbers, strings, truth values, and tuples of them."""
        match node:
            case ast.Constant(value=str() | bool() | None | int() | float() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.List(elts=items) | ast.Tuple(elts=items) if depth < DEEPEST:
                return tuple(self._literal(item, depth + 1) for item in items)
        raise self.error(node, "a parameter given by name must be a number, a string, or a tuple of numbers")

    def _subscript(self, node: ast.AST, value: Step, index: Step) -> Step:
        def step(run: _Run) -> Any:
            array, where = value(run), index(run)
            array = array if type(array) is tuple else self._guarded(node, as_array, array)
            self._spend(run, node, indexing(array, where))
            return self._guarded(node, operator.getitem, array, where)

        return step

    def _index(self, node: ast.AST, depth: int) -> Step:
        match node:
            case ast.Slice(lower=lower, upper=upper, step=stride):
                ends = [_nothing if part is None else self._build(part, depth) for part in (lower, upper, stride)]
                return lambda run: slice(*[end(run) for end in ends])
            case ast.Constant(value=value) if value is None or value is Ellipsis:
                return lambda _run: value
            case ast.Tuple(elts=items):
                return _sequence(ast.Tuple, [self._index(item, depth) for item in items])
        return self._build(node, depth)

    # ------------------------------------------------------------------------------ bounds and errors

    def _spend(self, run: _Run, node: ast.AST, work: int) -> None:
        """Take a step's work off what the run may still do, before it is done."""
        run.left -= work
        if run.left < 0:
            raise self.error(
                node, f"too much to compute: about {work:,} elements here, at most {MOST_WORK:,} in an expression"
            )

    def _small(self, node: ast.AST, value: Any) -> Any:
        """Return a value, unless it is an integer that does not fit in 64 bits."""
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise self.error(node, "an integer beyond 64 bits; write it as a decimal number, such as 1e30")
        return value

    def _small_power(self, node: ast.AST, base: Any, exponent: Any) -> None:
        """Refuse 9**9**9 before Python computes its 370 million digits."""
        if type(base) is int and type(exponent) is int and base.bit_length() * exponent > 64 and abs(base) > 1:
            raise self.error(node, "an integer power beyond 64 bits; write the base as a decimal number, such as 9.0")

    def _guarded(self, node: ast.AST | None, function: Callable[..., Any], *args: Any, **params: Any) -> Any:
        """Call a function; what it raises points at the node."""
        try:
            result = function(*args, **params)
        except OverflowError:
            raise self.error(node, "the result is too large for a floating-point number") from None
        except Exception as error:
            message = str(error).strip().split("\n")[0] or type(error).__name__
            raise self.error(node, message) from None
        if getattr(getattr(result, "dtype", None), "kind", "") == "O":  # Python's own numbers have no bound
            raise self.error(node, "this would not be an array of numbers")
        return result

    def _similar(self, name: str, names: Collection[str]) -> str:
        near = difflib.get_close_matches(name[:30], names, n=1)
        return f"; did you mean {near[0]}?" if near else ""


class _Run:
    """One evaluation: the variables' values, and how much work is left."""

    __slots__ = ("left", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values, self.left = values, MOST_WORK


def as_array(value: Any) -> Any:
    """Make an array of a list or tuple written in an expression; anything else is returned as it is."""
    if not isinstance(value, list | tuple):
        return value
    items = [as_array(item) for item in value]
    if any(isinstance(item, tg.Tensor) for item in items):
        return tg.stack(items)
    try:
        return np.array(items, dtype=float)
    except ValueError:
        raise ValueError("the rows of a list must have equal lengths") from None


def _has_arrays(value: Any) -> bool:
    """Whether a value is a list with arrays in it, and not a list of numbers such as a shape."""
    return isinstance(value, list | tuple) and any(hasattr(v, "shape") or _has_arrays(v) for v in value)


def _sequence(kind: type[ast.AST], steps: Sequence[Step]) -> Step:
    make = list if kind is ast.List else tuple
    return lambda run: make([each(run) for each in steps])


def _nothing(_run: _Run) -> None:
    return None


def _columns(text: str) -> int:
    """How many columns a terminal gives to a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
