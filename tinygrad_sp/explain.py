"""The chain rule in words and numbers: each step from the result back to the leaves, as on a blackboard.

The formulas are the rules' own (`formulas`), the numbers those of a sweep that changes nothing: what is written
here is what backward does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import numpy as np

from .drawing.facts import constants_of, cotangents_of, given_names, summary, values_of
from .drawing.picture import newest_ops, op_title
from .formulas import application, rule_formula
from .graph import RELEASED, Node

Path = list[tuple[tuple[Node, Node], Any]]  # steps and arguments, with the local derivative

UNKNOWN = "not kept"
HINT = "(what is called constant or not kept, the graph did not need: under tg.annotate() it is noted)"
MOST_PATHS = 6


@dataclass
class Pull:
    """What one argument of a step gets: a local derivative, and the cotangent times it."""

    parent: Node
    local_formula: str
    local: Any
    formula: str
    value: Any


@dataclass
class Step:
    """One operation: what was computed, and what goes back to its arguments."""

    node: Node
    made: str
    cotangent: Any
    pulls: list[Pull] = field(default_factory=list)


def explain(y: Any, cotangent: Any = None, *, names: Mapping[str, Any] | None = None, limit: int = 40) -> Explanation:
    """Explain the gradient of a small expression, step by step.

    Parameters
    ----------
    y : Tensor
        The result.
    cotangent : array_like, optional
        What each element of ``y`` counts for; by default 1.
    names : mapping, optional
        What to call Tensors, ``{"x": x}``.  By default what the calling code calls them.
    limit : int
        The most operations.

    Returns
    -------
    Explanation
        It prints as text, and shows itself as HTML in a notebook.

    Raises
    ------
    RuntimeError
        If nothing was recorded for ``y``, backward has released the graph, or ``y`` lives inside a jvp or vmap.
    ValueError
        If there are more operations than ``limit``.

    Notes
    -----
    ``dy/dx`` is the cotangent of ``x``, and ``∂v/∂x`` the local derivative of one step, element by element; a step
    that is no such product (a matrix product, a sum, an index) says its rule instead.  ``sum(...)`` adds up what
    broadcasting has spread.  Where a result is complex the cotangent is multiplied by ``conj(∂v/∂x)``, as
    ``.grad`` has it.  Nothing changes: no ``grad`` is written, and the graph stays.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x, w = tg.Tensor(0.5), tg.Tensor(2.0)
    >>> y = tg.softplus(x * w)
    >>> y.explain()
    y is computed in 2 steps
      x = 0.5
      w = 2
      v1 = x * w = 1
      y = softplus(v1) = 1.31326
    <BLANKLINE>
    the chain rule, from y back
      dy/dy = 1
      y = softplus(v1)
        ∂y/∂v1 = sigmoid(v1) = 0.731059
        dy/dv1 = dy/dy * ∂y/∂v1 = 1 * 0.731059 = 0.731059
      v1 = x * w
        ∂v1/∂x = w = 2
        dy/dx = dy/dv1 * ∂v1/∂x = 0.731059 * 2 = 1.46212
        ∂v1/∂w = x = 0.5
        dy/dw = dy/dv1 * ∂v1/∂w = 0.731059 * 0.5 = 0.365529
    <BLANKLINE>
    the gradient of each leaf
      dy/dx = ∂y/∂v1 * ∂v1/∂x = 0.731059 * 2 = 1.46212
      dy/dw = ∂y/∂v1 * ∂v1/∂w = 0.731059 * 0.5 = 0.365529
    """
    if y.level:
        raise RuntimeError("explain: inside a jvp or vmap there is no graph of one result: explain f(x) outside of it")
    if y.node is None:
        raise RuntimeError(
            "explain: this Tensor is a constant: there is nothing to differentiate by. Compute it from tg.Tensor(...)"
        )
    ops, beyond = newest_ops(y.node, limit + 1)
    if len(ops) > limit:
        raise ValueError(
            f"explain: {len(ops) + beyond:,} operations or more; this is for small expressions, at most limit={limit}. "
            "y.graph() draws large ones"
        )
    if any(node.op is RELEASED for node in ops):
        raise RuntimeError("explain: backward released this graph: explain before it, or backward(retain_graph=True)")
    seed = np.ones(y.shape, y.dtype)[()] if cotangent is None else y._cotangent(cotangent)
    return Explanation(_Board(y, ops, given_names(names), seed))


class _Board:
    """Names, values and steps of one expression."""

    def __init__(self, y: Any, ops: Sequence[Node], names: Mapping[Node, str], seed: Any) -> None:
        self.root: Node = y.node
        self.ops = [node for node in ops if not node.is_end]
        leaves = {p for node in self.ops for p in node.parents if p is not None and p.is_end}
        self.leaves = sorted(leaves or {self.root}, key=lambda node: node.age)
        nodes = sorted({*self.leaves, *self.ops}, key=lambda node: node.age)
        self.values = values_of(self.root, y._value, nodes)
        self.names = _all_names(self.root, nodes, names)
        self.seed = seed
        self.pulled: dict[tuple[Node, int], Any] = {}
        self.cotangents: dict[Node, Any] = {}
        self.cotangents.update(cotangents_of(self.root, seed, self._watch))
        self.steps = [self._step(node) for node in reversed(self.ops) if node in self.cotangents]

    def _watch(self, node: Node, argument: int, grad: Any, cotangent: Any) -> None:
        self.cotangents[node] = grad
        self.pulled[node, argument] = cotangent

    def d(self, node: Node) -> str:
        """Write the derivative of the result by a node."""
        return f"d{_word(self.names[self.root])}/d{_word(self.names[node])}"

    def partial(self, node: Node, parent: Node) -> str:
        """Write the local derivative of a step by one argument."""
        return f"∂{_word(self.names[node])}/∂{_word(self.names[parent])}"

    def arguments(self, node: Node) -> list[str]:
        """Write what a step reads."""
        return [
            self.names[parent] if parent is not None else _constant(constant)
            for parent, constant in zip(node.parents, constants_of(node), strict=True)
        ]

    def made(self, node: Node) -> str:
        """Write how a node's value was computed."""
        if node.op.name == "_Pick":
            return op_title(node)
        return application(node.op, self.arguments(node), _said_params(node))

    def _step(self, node: Node) -> Step:
        step = Step(node, self.made(node), self.cotangents[node])
        for i, parent in enumerate(node.parents):
            if parent is None or (node, i) not in self.pulled:
                continue
            local = _local(node, i)
            said = self.arguments(node), self.names[node], node.params
            write = partial(rule_formula, node.op, i, *said, shapes=_shapes(node))
            readable = node.op.name != "_Pick" and node.form is not tuple
            factor = write("") if readable and local is not None else ""
            formula = _real(self._formula(node, write), node, parent) if readable else ""
            if formula and local is None and np.shape(_ruled(node, i, self.cotangents[node])) != parent.shape:
                formula = f"sum({formula})"  # the engine adds up what broadcasting has spread
            step.pulls.append(Pull(parent, factor, local, formula, self.pulled[node, i]))
        return step

    def _formula(self, node: Node, write: Callable[[str], str]) -> str:
        """Write the rule; of a complex result the engine conjugates around it."""
        if not _conjugates(node) or not (any(node.op.keeps) or node.op.own):  # a rule that only moves numbers
            return write(self.d(node))
        formula = write(f"conj({self.d(node)})")
        return formula and f"conj({formula})"

    # ------------------------------------------------------------------------------------ lines

    def forward(self) -> Iterator[str]:
        """Say what was computed."""
        for node in (*self.leaves, *self.ops):
            made = "" if node.is_end else f" = {self.made(node)}"
            value = self.values.get(node)
            yield f"{self.names[node]}{made} = {UNKNOWN if value is None else summary(value)}"

    def backward(self) -> Iterator[tuple[str, list[str]]]:
        """Say what each step gives back, and first how its own cotangent adds up."""
        gathered: dict[Node, list[tuple[Node, Any]]] = {}
        for step in self.steps:
            lines = self._gathered(step.node, gathered.get(step.node, []))
            for pull in step.pulls:
                gathered.setdefault(pull.parent, []).append((step.node, pull.value))
                lines += self._pulled(step, pull)
            yield f"{self.names[step.node]} = {step.made}", lines

    def _gathered(self, node: Node, parts: Sequence[tuple[Node, Any]]) -> list[str]:
        if len(parts) < 2:
            return []
        text = _joined([value for _, value in parts], " + ")
        through = _and([self.names[user] for user in dict.fromkeys(user for user, _ in parts)])
        return [f"{self.d(node)} = {text} = {summary(self.cotangents[node])} (through {through})"]

    def _pulled(self, step: Step, pull: Pull) -> list[str]:
        """Write the local derivative and the product, or where there is none, the rule and its result."""
        d, lines = self.d(pull.parent), []
        through = f" (through {self.names[step.node]})" if self._several(pull.parent) else ""
        if isinstance(pull.value, tuple):  # one of several results has nothing to say to the others
            return [f"{d} has {self.d(step.node)} for this result{through}"]
        result = summary(pull.value)
        if pull.local is None:
            formula = f" = {pull.formula}" if pull.formula else f", by the rule of {op_title(step.node)},"
            return [f"{d}{formula} = {result}{through}"]
        partial = self.partial(step.node, pull.parent)
        said = f" = {pull.local_formula}" if pull.local_formula else ""
        number = summary(pull.local)
        if not _is_number(pull.local_formula):
            said += f" = {number}"
        lines.append(f"{partial}{said}")
        turned = _conjugates(step.node)
        product = f"{self.d(step.node)} * {f'conj({partial})' if turned else partial}"
        numbers = _joined([step.cotangent, np.conjugate(pull.local) if turned else pull.local], " * ")
        product, numbers = (_real(text, step.node, pull.parent) for text in (product, numbers))
        if np.shape(pull.value) != np.shape(pull.local):
            product, numbers = f"sum({product})", f"sum({numbers})"
        return [*lines, f"{d} = {product} = {numbers} = {result}{through}"]

    def _several(self, node: Node) -> bool:
        return sum(pull.parent is node for step in self.steps for pull in step.pulls) > 1

    def totals(self) -> Iterator[tuple[str, list[str]]]:
        """Say how each leaf's gradient comes together: over all paths, or over what was gathered."""
        for leaf in self.leaves:
            d = self.d(leaf)
            if leaf not in self.cotangents:
                yield f"{d} = 0: nothing came back here", []
                continue
            total, paths = summary(self.cotangents[leaf]), self._paths(leaf)
            if paths is None:
                parts = [pull.value for step in self.steps for pull in step.pulls if pull.parent is leaf]
                sums = f" = {_joined(parts, ' + ')}" if len(parts) > 1 else ""
                yield f"{d}{sums} = {total}", []
            elif len(paths) == 1:
                yield f"{d} = {self._product(paths[0])}", []
            else:
                sums = _joined([np.prod([self.seed, *(x for _, x in path)]) for path in paths], " + ")
                yield f"{d} = {sums} = {total}, over {len(paths)} paths", [*map(self._product, paths)]

    def _product(self, path: Path) -> str:
        """Write the derivatives along a path, and their product."""
        if not path:
            return summary(self.seed)
        words = " * ".join(self.partial(*edge) for edge, _ in path)
        factors = [x for _, x in path] if self.seed == 1 else [self.seed, *(x for _, x in path)]
        words = words if self.seed == 1 else f"{self.d(self.root)} * {words}"
        several = f" = {summary(np.prod(factors))}" if len(factors) > 1 else ""
        return f"{words} = {_joined(factors, ' * ')}{several}"

    def _paths(self, leaf: Node) -> list[Path] | None:
        """List the ways from the result to a leaf with their local derivatives, if all are single numbers."""
        ways: dict[Node, list[Path]] = {self.root: [[]]}
        for step in self.steps:
            for pull in step.pulls:
                if pull.local is None or np.ndim(pull.local) or np.ndim(pull.value) or step.node.dtype.kind == "c":
                    ways[pull.parent] = []
                    return None
                longer = [[*way, ((step.node, pull.parent), pull.local)] for way in ways.get(step.node, [])]
                ways.setdefault(pull.parent, []).extend(longer)
                if len(ways[pull.parent]) > MOST_PATHS:
                    return None
        return ways.get(leaf)


def _all_names(root: Node, nodes: Sequence[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """Name every node: the caller's names, and v1, v2 ... for what has none."""
    found = {node: names[node] for node in nodes if node in names}
    taken = set(found.values())
    fresh = (f"v{i}" for i in range(1, len(nodes) + len(taken) + 1) if f"v{i}" not in taken)
    for node in nodes:
        if node not in found:
            found[node] = "y" if node is root and "y" not in taken else next(fresh)
    return found


def _word(name: str) -> str:
    return name if name.isidentifier() else f"({name})"


def _constant(value: Any) -> str:
    if value is None:
        return "constant"
    if np.ndim(value) == 0:
        return str(value)
    return summary(value) if np.size(value) <= 4 else f"constant{np.shape(value)}"


def _said_params(node: Node) -> dict[str, Any]:
    """Leave out an axis parameter that names all axes."""
    params = dict(node.params)
    parent = next((p for p in node.parents if p is not None), None)
    if parent is not None and parent.form is not tuple and isinstance(params.get("axis"), tuple):
        if len(params["axis"]) == len(parent.shape):
            del params["axis"]
    return params


def _local(node: Node, i: int) -> Any:
    """Return the local derivative of an elementwise operation, None of any other."""
    op = node.op
    if op.linear != "pointwise" or node.form is tuple or (node.dtype.kind == "c" and not _conjugates(node)):
        return None
    local = _ruled(node, i, np.ones(node.shape, node.dtype)[()])
    return np.conjugate(local) if op.turned else local


def _ruled(node: Node, i: int, grad: Any) -> Any:
    """Return what the rule says of one argument, before the engine fits it to that argument."""
    op = node.op
    out, arrays = node.kept
    if not op.small:
        out = node if out is None else out
        arrays = tuple(p if a is None else a for a, p in zip(arrays, node.parents, strict=True))
    rules = op.backward
    rule = rules[min(i, len(rules) - 1)] if isinstance(rules, tuple) else rules
    with np.errstate(all="ignore"):
        found = rule(*((i,) if op.variadic else ()), grad, out, *arrays, **node.params)
    return found[i] if isinstance(found, tuple) else found


def _shapes(node: Node) -> list[tuple[int, ...] | None]:
    """Give the shapes of the arguments, and of the result; None where there is none."""
    arrays = node.kept[1]
    shapes = [
        getattr(kept, "shape", None) if parent is None else None if parent.form is tuple else parent.shape
        for parent, kept in zip(node.parents, arrays, strict=True)
    ]
    return [*shapes, None if node.form is tuple else node.shape]


def _conjugates(node: Node) -> bool:
    """Whether the engine conjugates around the rule: ``conj(rule(conj(grad)))``."""
    op = node.op
    complex_here = node.form is not tuple and node.dtype.kind == "c"
    return op.turned or (complex_here and not op.small and op.holomorphic)


def _real(text: str, node: Node, parent: Node) -> str:
    """Write that a real argument of a complex result gets the real part."""
    real = parent.form is tuple or parent.dtype.kind != "c"
    complex_only_here, imaginary = real and node.dtype.kind == "c", real and text.endswith("* 1j")
    return f"real({text})" if text and (complex_only_here or imaginary) else text


def _parts(value: Any) -> str:
    """Write a number as a term or a factor."""
    text = summary(value)
    return f"({text})" if text.startswith("-") or "…" in text or (text.endswith("j") and np.ndim(value) == 0) else text


def _joined(values: Sequence[Any], sign: str) -> str:
    """Write a sum or a product; a negative number that comes first needs no parentheses."""
    first, *others = values
    text = summary(first)
    bare = not others or (np.ndim(first) == 0 and not text.endswith("j"))
    return sign.join([text if bare else _parts(first), *map(_parts, others)])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _sections(board: _Board) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Write everything: titles, lines, and lines under these."""
    name, count = board.names[board.root], len(board.ops)
    if not count:
        return [(f"{name} is a leaf: its derivative by itself is 1", [])]
    steps = "1 step" if count == 1 else f"{count} steps"
    start = [(f"{board.d(board.root)} = {summary(board.seed)}", list[str]())]
    what = name if math.prod(np.shape(board.seed)) == 1 else f"sum({name})"
    if np.any(board.seed != 1):
        what = f"sum(cotangent * {name})"
    return [
        (f"{name} is computed in {steps}", [(line, []) for line in board.forward()]),
        (f"the chain rule, from {what} back", start + list(board.backward())),
        ("the gradient of each leaf", list(board.totals())),
    ]


def _has_unknown(board: _Board) -> bool:
    unknown = any(node not in board.values for node in board.ops)
    return unknown or any("constant" in board.arguments(node) for node in board.ops)


class Explanation:
    """The chain rule for one expression; made by ``y.explain()``.

    Attributes
    ----------
    text : str
        All of it.
    steps : list of Step
        From the result back: nodes, formulas and numbers.
    """

    def __init__(self, board: _Board) -> None:
        self.steps = board.steps
        self._sections = _sections(board)  # written now: a later backward releases the graph
        self._hint = _has_unknown(board)

    @property
    def text(self) -> str:
        """As text."""
        sections = []
        for title, entries in self._sections:
            lines = [title]
            for head, more in entries:
                lines += [f"  {head}", *(f"    {line}" for line in more)]
            sections.append("\n".join(lines))
        if self._hint:
            sections.append(HINT)
        return "\n\n".join(sections)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        parts = []
        for title, entries in self._sections:
            items = []
            for head, more in entries:
                inner = "".join(f"<li><code>{escape(line)}</code></li>" for line in more)
                listed = f"<ul>{inner}</ul>" if more else ""
                items.append(f"<li><code><b>{escape(head)}</b></code>{listed}</li>")
            parts.append(f"<p>{escape(title)}</p><ol>{''.join(items)}</ol>")
        hint = f"<p>{HINT}</p>" if self._hint else ""
        return f"<div>{''.join(parts)}{hint}</div>"
