"""Strategies for hypothesis: shapes, arrays, Tensors, and whole expressions that print as Python.

An expression is drawn one statement at a time, each using any of the values before it, so diamonds, unused
values, broadcasting, indexing and assignment come by themselves, and a failing one shrinks to few statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError:
    raise ImportError("strategies: they need hypothesis: pip install hypothesis") from None

Array = NDArray[Any]


def shapes(
    min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[int, ...]]:
    """Draw shapes, zeros and ones among their sides.

    >>> from tinygrad_sp.testing import strategies
    >>> strategies.shapes(max_dims=0).example()  # doctest: +SKIP
    ()
    """
    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


def arrays_like(
    like: Any = None,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: DTypeLike | None = None,
    domain: tuple[float, float] = (-3.0, 3.0),
) -> SearchStrategy[Array]:
    """Draw arrays of the shape and dtype of one that is given (or of those named), with values in a domain."""
    shape = np.shape(like) if shape is None else shape
    kind = np.dtype(dtype or (like.dtype if hasattr(like, "dtype") else np.float64))
    size = int(np.prod(shape))
    grid = st.integers(0, 4096).map(lambda k: domain[0] + (domain[1] - domain[0]) * k / 4096)
    parts = 2 if kind.kind == "c" else 1

    def build(values: list[float]) -> Array:
        flat = np.array(values, np.float64)
        flat = flat[:size] + 1j * flat[size:] if parts == 2 else flat
        return np.asarray(flat.astype(kind).reshape(shape))

    return st.lists(grid, min_size=size * parts, max_size=size * parts).map(build)


@st.composite
def tensors(
    draw: DrawFn,
    shape: tuple[int, ...] | SearchStrategy[tuple[int, ...]] | None = None,
    dtype: DTypeLike = np.float64,
    domain: tuple[float, float] = (-3.0, 3.0),
    requires_grad: bool = True,
) -> Any:
    """Draw Tensors, leaves by default."""
    from ..tensor import Tensor

    chosen = draw(shapes() if shape is None else shape if isinstance(shape, SearchStrategy) else st.just(shape))
    return Tensor(draw(arrays_like(shape=chosen, dtype=dtype, domain=domain)), requires_grad=requires_grad)


# Templates of statements.  Values stay of moderate size whatever is composed: nothing overflows.
UNARY = (
    "np.sin({0})",
    "np.tanh({0})",
    "np.exp(-{0} * {0})",
    "np.arctan({0})",
    "np.log1p({0} * {0})",
    "np.sqrt(1 + {0} * {0})",
    "-{0}",
    "{0} / (1 + {0} * {0})",
    "0.5 * {0}",
    "np.maximum({0}, 0.3)",
    "np.where({0} > 0.1, {0}, 0.2 * {0})",
)
REDUCING = ("np.sum({0})", "np.mean({0}, axis=0)", "np.sum({0}, axis=-1, keepdims=True)", "np.max({0}, axis=0)")
SHAPING = (
    "{0}.T",
    "np.reshape({0}, (-1,))",
    "{0}[..., ::-1]",
    "{0}[0]",
    "{0}[[0, 0]]",
    "{0}[None]",
    "np.cumsum({0}, axis=0)",
)
BINARY = (
    "{0} + {1}",
    "{0} - {1}",
    "np.sin({0}) * {1}",
    "{0} / (1.5 + np.cos({1}))",
    "np.maximum({0}, {1})",
    "np.where({0} > {1}, {0} * 2, {1})",
    "np.arctan2({0}, 1.5 + {1} * {1})",
)
JOINING = ("np.stack([{0}, {1}])", "np.concatenate([np.reshape({0}, (-1,)), np.reshape({1}, (-1,))])", "{0} @ {1}")
ASSIGNING = ("{0}[0] = {1}", "{0}[..., -1] = {1}", "{0}[[0]] = np.sin({1})", "{0}[{0} > 0.5] = {1}")


@dataclass(frozen=True)
class Expression:
    """A function of arrays or Tensors, made of statements, and values to call it with."""

    statements: tuple[str, ...]
    inputs: tuple[Array, ...]
    result: str

    @property
    def source(self) -> str:
        """The function as Python."""
        names = ", ".join(f"x{i}" for i in range(len(self.inputs)))
        lines = [f"def f({names}):", *(f"    {s}" for s in self.statements), f"    return {self.result}"]
        return "\n".join(lines)

    def __call__(self, *values: Any) -> Any:
        """Evaluate it."""
        space: dict[str, Any] = {"np": np}
        exec(compile(self.source, "<expression>", "exec"), space)
        return space["f"](*values)

    def __repr__(self) -> str:
        values = "\n".join(f"x{i} = np.{a!r}" for i, a in enumerate(self.inputs))
        return f"\nimport numpy as np\n\n{self.source}\n\n{values}\n"


@st.composite
def expressions(
    draw: DrawFn,
    max_inputs: int = 3,
    max_statements: int = 8,
    dtype: DTypeLike = np.float64,
    assignments: bool = True,
) -> Expression:
    """Draw random expressions over NumPy's functions, with inputs at which to evaluate them.

    Each can be called with arrays or with Tensors; printed, it is Python source that runs.
    """
    count = draw(st.integers(1, max_inputs))
    base = draw(st.sampled_from([(), (3,), (2, 3), (1, 3), (2, 1)]))
    inputs = []
    for _ in range(count):
        shape = draw(st.sampled_from([base, base[1:], (1,) * len(base)]))
        inputs.append(draw(arrays_like(shape=shape, dtype=dtype, domain=(-2.0, 2.0))))
    values: dict[str, Any] = {f"x{i}": a for i, a in enumerate(inputs)}
    statements: list[str] = []
    for k in range(draw(st.integers(1, max_statements))):
        statement = draw(_statement(tuple(values), assignments))
        new = f"v{k}"
        text = _text(statement, values, new)
        space = {"np": np, **{n: np.array(v) for n, v in values.items()}}
        if _runs(text, space):
            statements += text.split("\n")
            values[new] = space[new]
    result = draw(st.sampled_from(list(values)[::-1]))
    return Expression(tuple(statements), tuple(inputs), result)


@st.composite
def _statement(draw: DrawFn, names: tuple[str, ...], assignments: bool) -> tuple[str, str, str]:
    """Draw a template and two names; later names first, so that shrinking prefers a chain."""
    kinds = (*UNARY, *BINARY, *SHAPING, *REDUCING, *JOINING, *(ASSIGNING if assignments else ()))
    pick = st.sampled_from(names[::-1])
    return draw(st.sampled_from(kinds)), draw(pick), draw(pick)


def _text(statement: tuple[str, str, str], values: dict[str, Any], new: str) -> str:
    template, a, b = statement
    del values
    if template in ASSIGNING:  # on a value of its own, so that inputs stay what they were
        return f"{new} = {a} * 1.0\n{template.format(new, b)}"
    return f"{new} = {template.format(a, b)}"


def _runs(text: str, space: dict[str, Any]) -> bool:
    """Try a statement on arrays: shapes that don't fit are not drawn."""
    with np.errstate(all="ignore"):
        try:
            exec(text, space)
        except (ValueError, IndexError, TypeError):
            return False
    new = text.split(" ", 1)[0]
    value = np.asarray(space[new])
    space[new] = value
    return bool(
        value.size <= 60 and value.dtype.kind == "f" and np.isfinite(value).all() and np.all(np.abs(value) < 1e3)
    )
