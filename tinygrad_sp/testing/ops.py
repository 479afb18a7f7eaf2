"""A whole test from an op: values, dtypes, broadcasting, first and second order, special values.

Elementwise ops need nothing but themselves: shapes are chosen, and the interval to draw from is found by
trying where values are finite.  Other ops carry ``cases`` (shapes of the arrays, then params).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import graph
from .check import gradcheck
from .report import Report

Array = NDArray[Any]

INTERVALS = ((-2.5, 2.5), (0.1, 3.0), (-0.9, 0.9), (1.1, 4.0))
SHAPES: dict[int, tuple[Any, ...]] = {
    1: (((2, 3),), ((),), ((0, 3),)),
    2: (((2, 3), (3,)), ((2, 1), (1, 2)), ((), (2,)), ((0, 1), (3,)), ((2, 2), (2, 2))),
    3: (((2, 3), (3,), ()), ((2, 1), (1, 2), (2, 2)), ((0, 1), (3,), ())),
}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-8, -1e-8, 20.0, -20.0, 40.0, -40.0, 710.0, -745.0, 1e-300, 1e300, -1e300)


@dataclass
class Example:
    """Arguments for an op."""

    arrays: list[Array]
    params: dict[str, Any]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{a.dtype}{list(a.shape)}" for a in self.arrays)
        return f"({shapes}{', ' + repr(self.params) if self.params else ''})"


def operation(op: Any) -> graph.Op:
    """Give the op of an Op class, an op, or a bound ``apply``."""
    found = getattr(getattr(op, "__self__", op), "op", None) if not isinstance(op, graph.Op) else op
    if not isinstance(found, graph.Op):
        raise TypeError(f"check_op wants an Op, not {op!r}; write class MyOp(tg.Op)")
    return found


def examples(
    op: Any, *, domain: tuple[float, float] | None = None, cases: Sequence[Any] | None = None, seed: int = 0
) -> list[Example]:
    """Draw arguments for an op, from its cases or, for an elementwise one, from its arity.

    Raises
    ------
    ValueError
        If the op has no cases and is not elementwise, or no interval gives finite values.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> class Cube(tg.Op):
    ...     cases = [((2, 3),), ((),)]
    ...
    ...     def forward(x):
    ...         return x**3
    ...
    ...     def backward(grad, _out, x):
    ...         return grad * 3 * x**2
    >>> examples(Cube)
    [(float64[2, 3]), (float64[])]
    """
    one = operation(op)
    given = list(cases if cases is not None else one.cases)
    if not given:
        given = list(SHAPES.get(_arity(one), ()))  # and if it is not elementwise after all, its forward will say so
    if not given:
        raise ValueError(f"{one.name} has no cases: say cases = [((3, 4), {{'axis': -1}})], shapes and then params")
    rng = np.random.default_rng(seed)
    return [_example(one, case, domain or one.domain, rng) for case in given]


def _arity(op: graph.Op) -> int:
    """Count the arrays that the forward takes."""
    if op.small:
        return op.arity
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(op.forward).parameters.values())


def _example(op: graph.Op, case: Any, domain: tuple[float, float] | None, rng: np.random.Generator) -> Example:
    shapes = [part for part in case if not isinstance(part, dict)]
    params = next((part for part in case if isinstance(part, dict)), {})
    for whole in (False, True):  # `ldexp` wants integers last
        for interval in [domain] if domain else INTERVALS:
            arrays = [_draw(part, interval, rng) for part in shapes]
            if whole and len(arrays) > 1:
                arrays[-1] = rng.integers(1, 4, arrays[-1].shape)
            if (domain and not whole) or _finite(op, arrays, params):
                return Example(arrays, params)
    raise ValueError(
        f"{op.name}: no interval of {INTERVALS} gives finite values; say cases = [((3, 3),)] or domain = (lo, hi)"
    )


def _draw(part: Any, interval: tuple[float, float], rng: np.random.Generator) -> Array:
    if isinstance(part, np.ndarray):
        return part
    return np.asarray(rng.uniform(*interval, part))


def _finite(op: graph.Op, arrays: list[Array], params: dict[str, Any]) -> bool:
    with np.errstate(all="ignore"):
        try:
            out = op.forward(*[a[()] for a in arrays], **params)
        except Exception:
            return False
        parts = out if isinstance(out, tuple) else (out,)
        return all(bool(np.isfinite(p).all()) for p in parts)


def function_of(op: graph.Op, params: dict[str, Any]) -> Callable[..., Any]:
    """Make a plain function of Tensors of an op and its params."""

    def f(*tensors: Any) -> Any:
        return graph.apply(op, tensors, params)

    f.__name__ = op.name
    return f


def verify_op(
    op: Any,
    reference: Callable[..., Any] | None = None,
    *,
    domain: tuple[float, float] | None = None,
    cases: Sequence[Any] | None = None,
    order: int = 2,
    dtypes: Iterable[str] = ("float64", "float32", "float16"),
    modes: Sequence[str] = ("vjp",),
    special: bool = True,
    seed: int = 0,
) -> list[Report]:
    """Run the whole test of an op now; see `check_op`.

    Raises
    ------
    AssertionError
        With everything that was found wrong.
    """
    one = operation(op)
    reports: list[Report] = []
    found: list[str] = []
    for k, example in enumerate(examples(one, domain=domain, cases=cases, seed=seed)):
        found += _values(one, example, reference, tuple(dtypes))
        options: dict[str, Any] = {
            "order": order if k == 0 else 1,
            "modes": modes if k == 0 else ("vjp",),
            "domain": None,
            "seed": seed,
        }
        reports.append(gradcheck(function_of(one, example.params), *example.arrays, **options))
        found += [f"{one.name}{example}: {reports[-1]}"] if reports[-1].verdict == "fail" else []
    lengths = len(reports)
    if special and _arity(one) == 1 and (one.linear == "pointwise" or one.own):
        found += list(_special(one, domain or one.domain, reports, seed))
    found += _small_dtypes(one, examples(one, domain=domain, cases=cases, seed=seed)[:1], tuple(dtypes), seed)
    if not lengths or found:
        raise AssertionError(f"{one.name}:\n" + "\n".join(found))
    return reports


def check_op(op: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Turn an op into a whole test: decorate a reference implementation (or a function that returns None).

    Values are compared with the reference; dtypes, broadcasting, zero sizes, first and second derivatives and
    special values (zeros, infinities, very large and very small numbers) are checked.

    Parameters
    ----------
    op : Op
        The op under test.
    **options
        ``domain=(lo, hi)`` from which to draw, ``cases=[((3, 4), {"axis": -1})]`` shapes and params,
        ``order``, ``dtypes``, ``modes``, ``special``, ``seed``.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.testing import check_op
    >>> class Cube(tg.Op):
    ...     def forward(x):
    ...         return x * x * x
    ...
    ...     def backward(grad, _out, x):
    ...         return grad * 3 * x**2
    >>> @check_op(Cube, domain=(-3, 3))
    ... def test_cube(x):
    ...     return x**3
    >>> test_cube()
    """
    name = operation(op).name

    def decorate(reference: Callable[..., Any]) -> Callable[[], None]:
        def test() -> None:
            verify_op(op, reference, **options)

        test.__name__, test.__doc__ = reference.__name__, reference.__doc__ or f"{name}, wholly."
        test.__module__, test.__qualname__ = reference.__module__, reference.__qualname__
        return test

    return decorate


def _values(op: graph.Op, example: Example, reference: Callable[..., Any] | None, dtypes: tuple[str, ...]) -> list[str]:
    """Compare values of Tensors with those of arrays and of the reference, in every dtype."""
    found = []
    for name in dtypes:
        dtype = np.dtype(name)
        arrays = [a.astype(dtype)[()] if a.dtype.kind == "f" else a for a in example.arrays]
        with np.errstate(all="ignore"):
            try:
                plain = op.forward(*arrays, **example.params)
            except Exception:  # NumPy has it not in this dtype (linear algebra in float16)
                continue
            tensors = [graph.Tensor(a) if a.dtype.kind == "f" else a for a in arrays]  # type: ignore[call-arg]
            traced = graph.apply(op, tensors, example.params)
            wanted = reference(*arrays, **example.params) if reference is not None else None
        for got, want in _parts(traced, plain):
            if got.dtype != np.asarray(want).dtype or not np.array_equal(got, want, equal_nan=True):
                found.append(f"{op.name}{example} in {name}: a Tensor gives {got!r:.200}, an array {want!r:.200}")
        if wanted is not None:
            found += [text for got, want in _parts(traced, wanted) for text in _differ(op, example, name, got, want)]
    return found


def _differ(op: graph.Op, example: Example, name: str, got: Array, want: Any) -> list[str]:
    close = 64 * max(float(np.finfo(name).eps), float(np.finfo(got.dtype).eps) if got.dtype.kind in "fc" else 0.0)
    if np.shape(got) != np.shape(want):
        return [f"{op.name}{example} in {name}: shape {np.shape(got)}, the reference has {np.shape(want)}"]
    if not np.allclose(got, want, rtol=close, atol=close, equal_nan=True):
        worst = np.nanmax(np.abs(got - want))
        return [f"{op.name}{example} in {name}: differs from the reference by {worst:.3g}"]
    return []


def _parts(one: Any, other: Any) -> Iterator[tuple[Array, Any]]:
    ones = one if isinstance(one, tuple) else (one,)
    others = other if isinstance(other, tuple) else (other,)
    for a, b in zip(ones, others, strict=True):
        yield np.asarray(a._value if isinstance(a, graph.Traced) else a), b


def _small_dtypes(op: graph.Op, some: list[Example], dtypes: tuple[str, ...], seed: int) -> list[str]:
    """Check gradients in narrow dtypes, at one example."""
    found = []
    for example in some:
        for name in dtypes:
            arrays = [a.astype(name) if a.dtype.kind == "f" else a for a in example.arrays]
            if name == "float64" or not _finite(op, arrays, example.params):
                continue
            report = gradcheck(function_of(op, example.params), *arrays, domain=None, seed=seed)
            found += [f"{op.name}{example} in {name}: {report}"] if report.verdict == "fail" else []
    return found


def _special(op: graph.Op, domain: tuple[float, float] | None, reports: list[Report], seed: int) -> Iterator[str]:
    """Check at zeros, at very small and very large numbers, and that infinities and NaN raise nothing."""
    low, high = domain or (-np.inf, np.inf)
    params = next((part for case in op.cases for part in case if isinstance(part, dict)), {})
    x = np.array([v for v in SPECIAL if low <= v <= high])
    with np.errstate(all="ignore"):
        try:
            f_x = op.forward(x, **params)
            x = x[np.isfinite(f_x) & ((np.abs(x) < 1e15) | (f_x != 0))]  # what is left of a remainder there?
        except Exception:
            return
    f = function_of(op, params)
    if x.size:
        reports.append(gradcheck(f, x, domain=None, seed=seed))
        if reports[-1].verdict == "fail":
            yield f"{op.name} at special values: {reports[-1]}"
    with np.errstate(all="ignore"):
        for value in (np.inf, -np.inf, np.nan):
            t = graph.Tensor(np.array(value))  # type: ignore[call-arg]
            out = f(t)
            if isinstance(out, graph.Traced) and out.node is not None:
                out.backward(np.ones((), np.asarray(out._value).dtype))  # type: ignore[attr-defined]
