"""An expression at given values: its value, its gradient, second derivatives, and the check of each.

The gradient is that of the sum, where the value has several elements; for an expression that works element by
element that is each element's own derivative.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinygrad_sp as tg

from ..graph import Node
from ..testing import Report, gradcheck
from ..testing.report import Row
from .expression import Expression, InputError

Array = NDArray[np.float64]

MOST_SECOND = 300
"""How many numbers all variables together may have for second derivatives: each takes a sweep of its own."""

MOST_WORK_SECOND = 50_000_000
"""How many elements all these sweeps together may compute: about half a minute."""


@dataclass(frozen=True)
class Derivative:
    """A derivative by each element of a variable, from the rules and from differences."""

    analytic: Array
    differences: Array  # NaN where an element was not looked at by itself
    error: Array  # how wrong the differences may be
    agree: NDArray[np.str_]  # "yes", "NO", "kink", "jump", "unsure", or "-" where it was not looked at by itself
    sides: dict[int, str] = field(default_factory=dict)  # at kinks: the derivatives from the left and the right


@dataclass
class Study:
    """What is known of an expression at given values.

    Attributes
    ----------
    expression : Expression
        The expression.
    values : dict
        The variables' values, in the order given.
    value : ndarray
        The expression's value.
    node : Node or None
        What was recorded, the leaves' names in ``names``.
    first : dict
        The gradient of the (summed) value, by variable.
    second : dict
        The second derivatives by one and the same element, by variable; empty unless asked for.
    hessian : dict
        All second derivatives, by two variables: shape of the one, then shape of the other.
    reports : list
        What the gradient checks found, order by order.
    """

    expression: Expression
    values: dict[str, Array]
    value: Array
    node: Node | None
    names: dict[Node, str]
    first: dict[str, Derivative]
    second: dict[str, Derivative] = field(default_factory=dict)
    hessian: dict[tuple[str, str], Array] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The worst verdict of the checks: "fail", "inconclusive" or "pass"."""
        found = [report.verdict for report in self.reports]
        return next((verdict for verdict in ("fail", "inconclusive") if verdict in found), "pass")


def study(expression: Expression, values: Mapping[str, Array], order: int = 1) -> Study:
    """Evaluate, differentiate and check an expression.

    Parameters
    ----------
    expression : Expression
        What to study.
    values : mapping
        The value of each of its variables.
    order : int
        2 for second derivatives too.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the expression fails at these values, or its value is not an array of real numbers.

    Examples
    --------
    >>> found = study(Expression("x**3", ["x"]), {"x": np.float64(2.0)}, order=2)
    >>> found.value.item(), found.first["x"].analytic.item(), found.second["x"].analytic.item(), found.verdict
    (8.0, 12.0, 12.0, 'pass')
    """
    leaves = {name: tg.Tensor(value) for name, value in values.items()}
    out = expression(leaves)
    value = np.asarray(out.numpy() if isinstance(out, tg.Tensor) else out)
    if value.dtype.kind not in "iuf":
        kind = {"b": "true or false", "c": "complex"}.get(value.dtype.kind, str(value.dtype))
        raise InputError(f"the value is {kind}; an expression of real numbers is wanted")
    if order == 2:
        _bound(expression, values)
    function = _Function(expression, list(values))
    with _refusals():
        gradient = function.gradient(*leaves.values())
    report = gradcheck(function, *values.values(), domain=None)
    first = {name: _derivative(_plain(g), report, k) for k, (name, g) in enumerate(zip(values, gradient, strict=True))}
    names = {leaf.node: name for name, leaf in leaves.items() if leaf.node is not None}
    found = Study(expression, dict(values), value, getattr(out, "node", None), names, first, reports=[report])
    if order == 2:
        with _refusals():
            _add_second(found, function)
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a rule's refusal into a complaint about the input."""
    try:
        yield
    except (NotImplementedError, np.linalg.LinAlgError) as error:
        message = str(error).split("\n")[0]  # the rest is about lines of Python
        raise InputError(f"there is no derivative: {message}") from None


class _Function:
    """The expression as a function of Tensors by position, and its gradient."""

    def __init__(self, expression: Expression, names: Sequence[str]) -> None:
        self.expression, self.names, self.__name__ = expression, names, "f"
        kind = inspect.Parameter.POSITIONAL_ONLY
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, *tensors: Any) -> Any:
        return self.expression(dict(zip(self.names, tensors, strict=True)))

    def gradient(self, *tensors: Any, record: bool = False) -> tuple[Any, ...]:
        """Return the gradient of the sum by each variable; to be differentiated again if ``record``."""
        leaves = [t if t.node is not None else t.detach().requires_grad_() for t in tensors]
        out = self(*leaves)
        if getattr(out, "node", None) is None:  # a constant, as floor(x) is
            return tuple(np.zeros(t.shape) for t in leaves)
        with np.errstate(all="ignore"):
            tg.sum(out).backward(create_graph=record, retain_graph=True)
        gradient = tuple(np.zeros(t.shape) if t.grad is None else t.grad for t in leaves)
        for t in leaves:
            t.zero_grad()
        return gradient


def _bound(expression: Expression, values: Mapping[str, Array]) -> None:
    """Refuse second derivatives of too many numbers, or that take too long."""
    total = sum(value.size for value in values.values())
    if total > MOST_SECOND:
        raise InputError(
            f"--order 2: the variables have {total:,} numbers together; at most {MOST_SECOND} are possible"
        )
    work = total * expression.spent
    if work > MOST_WORK_SECOND:
        raise InputError(
            f"--order 2: too much to compute: about {work:,} elements for {total} numbers, at most "
            f"{MOST_WORK_SECOND:,}; give the variables fewer numbers"
        )


def _add_second(found: Study, function: _Function) -> None:
    """Add the second derivatives and their check."""
    values = list(found.values.values())

    def gradient(*tensors: Any) -> tuple[Any, ...]:
        return function.gradient(*tensors, record=True)

    gradient.__signature__ = function.__signature__  # type: ignore[attr-defined]
    found.hessian = _hessian(gradient, found.values)
    found.reports.append(gradcheck(gradient, *values, domain=None))
    for k, name in enumerate(found.values):
        report = _own(gradient, values, k, found.hessian[name, name])
        size, shape = found.values[name].size, found.values[name].shape
        own = found.hessian[name, name].reshape(size, size).diagonal().reshape(shape)
        found.second[name] = _derivative(own, report, 0)


def _hessian(gradient: Callable[..., Any], values: Mapping[str, Array]) -> dict[tuple[str, str], Array]:
    """All second derivatives: a sweep backward from each element of the gradient."""
    leaves = [tg.Tensor(value) for value in values.values()]
    hessian = {(a, b): np.zeros(va.shape + vb.shape) for a, va in values.items() for b, vb in values.items()}
    for a, g in zip(values, gradient(*leaves), strict=True):
        if getattr(g, "node", None) is None:
            continue
        for index in np.ndindex(g.shape):
            cotangent = np.zeros(g.shape)
            cotangent[index] = 1.0
            with np.errstate(all="ignore"):
                g.backward(cotangent, retain_graph=True)
            for b, leaf in zip(values, leaves, strict=True):
                if leaf.grad is not None:
                    hessian[a, b][index] = leaf.grad.numpy()
                leaf.zero_grad()
    return hessian


def _own(gradient: Callable[..., Any], values: Sequence[Array], k: int, block: Array) -> Report | None:
    """Check the derivatives of one variable's part of the gradient, element by element."""
    size = values[k].size
    if not is_diagonal(block.reshape(size, size)):  # what is checked is a sum over the gradient's elements
        return None
    fixed = [tg.Tensor(value, requires_grad=False) for value in values]

    def own(x: Any) -> Any:
        return gradient(*fixed[:k], x, *fixed[k + 1 :])[k]

    return gradcheck(own, values[k], domain=None)


def _plain(value: Any) -> Array:
    return np.asarray(value.numpy() if isinstance(value, tg.Tensor) else value, np.float64)


def is_diagonal(matrix: Array) -> bool:
    """Whether nothing but the diagonal counts; beside a pole 0 * inf is NaN, and means nothing."""
    rest = matrix - np.diag(matrix.diagonal()) if np.isfinite(matrix.diagonal()).all() else _without_poles(matrix)
    return not rest.any()


def _without_poles(matrix: Array) -> Array:
    rest = np.where(np.isnan(matrix), 0.0, matrix)
    np.fill_diagonal(rest, 0.0)
    return rest


def _derivative(analytic: Array, report: Report | None, k: int) -> Derivative:
    """Put beside a derivative what the differences say, element by element."""
    if report is None or len(report.inputs) <= k:
        nan = np.full(analytic.shape, np.nan)
        return Derivative(analytic, nan, nan, np.full(analytic.shape, "-", dtype="<U6"))
    entry = report.inputs[k]
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(analytic), np.abs(entry.numeric))
        close = np.abs(analytic - entry.numeric) <= 4 * entry.error + 1e-10 * size
    unknown = np.isnan(entry.numeric) | bool(entry.unsure)
    alone = np.where(unknown, "unsure", "kink")  # the report lists only the first few kinks
    otherwise = "NO" if entry.wrong else "-" if entry.mode == "directions" else alone
    agree = np.asarray(np.where(close, "yes", otherwise), dtype="<U6")
    found = Derivative(analytic, entry.numeric, entry.error, agree)
    places = {row.where: row for row in (*report.kinks, *report.unsure, *report.rows)}
    for flat, index in enumerate(np.ndindex(analytic.shape) if places else ()):
        row = places.get(element(entry.name, index))
        if row is not None:
            agree[index] = _word(row)
            if row.note in ("kink", "jump") and np.isfinite([row.left, row.right]).all():
                found.sides[flat] = f"{row.left + 0.0:.6g}|{row.right + 0.0:.6g}"  # not -0
    return found


def _word(row: Row) -> str:
    """Say in a word what one comparison gave."""
    if row.status == "wrong":
        return "NO"
    if row.note in ("kink", "jump"):
        return row.note
    return "yes" if row.status == "right" else "unsure"


def element(name: str, index: Sequence[int]) -> str:
    """Name an element of a variable.

    >>> element("x", (2, 0)), element("w", ())
    ('x[2, 0]', 'w')
    """
    return f"{name}[{', '.join(map(str, index))}]" if index else name
