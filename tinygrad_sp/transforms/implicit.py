"""Solutions of equations, differentiated without differentiating the way to them.

At the solution x = f(x, theta), so dx = (df/dx) dx + (df/dtheta) dtheta.  Pulled back: the cotangent u of f solves
u = g + (df/dx)'u, another fixed point, and that of theta is (df/dtheta)'u.  The backward is made of `fixed_point`
itself, so it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from ..graph import Traced
from ..tensor import constant
from .arguments import as_array, function
from .batching import Batched
from .custom import custom_vjp, is_numeric
from .levels import lower, stop_gradient
from .reverse import vjp
from .trees import Tree, flatten, unflatten


def fixed_point(
    f: Callable[[Tree, Tree], Tree], x0: Tree, theta: Tree, *, tol: float | None = None, max_iter: int = 10_000
) -> Tree:
    """Solve x = f(x, theta) by iteration, and differentiate the solution with respect to theta.

    Parameters
    ----------
    f : callable
        A contraction in its first argument; everything to be differentiated is in its second.
    x0 : array_like or tree
        Where to begin.
    theta : array_like, Tensor or tree
        Parameters.
    tol : float, optional
        Stop when no element changes by more than this, relative to the largest; by default 4 times the dtype's
        rounding error.
    max_iter : int
        How long to try.

    Returns
    -------
    tree of arrays
        The solution, like ``x0``.  Memory does not grow with the number of iterations.

    Raises
    ------
    RuntimeError
        If it does not converge, or runs away to infinity.
    TypeError
        If ``f`` uses a Tensor that is being differentiated and is not in ``theta``.

    Examples
    --------
    The square root of theta, by Newton's iteration:

    >>> import tinygrad_sp as tg
    >>> root = lambda theta: tg.fixed_point(lambda x, theta: (x + theta / x) / 2, 1.0, theta)
    >>> root(4.0), tg.grad(root)(4.0), tg.grad(tg.grad(root))(4.0)
    (np.float64(2.0), np.float64(0.25), np.float64(-0.03125))
    """
    function("fixed_point", f)
    if tol is not None and not (isinstance(tol, (int, float, np.number)) and tol >= 0):
        raise ValueError(f"fixed_point: tol={tol!r}; a relative change from 0 on is wanted, or None")
    if not isinstance(max_iter, (int, np.integer)) or max_iter < 1:
        raise ValueError(f"fixed_point: max_iter={max_iter!r}; a whole number from 1 on is wanted")
    start, structure = flatten(x0)
    start = [x if isinstance(x, Traced) else as_array(x, lambda: "fixed_point: x0") for x in start]
    for x in flatten(theta)[0]:
        if isinstance(x, np.ndarray):
            as_array(x, lambda: "fixed_point: theta")

    def step(x: Sequence[Any], theta: Tree) -> list[Any]:
        # f may write into it; but an array can't be made to hold what varies
        varies = any(isinstance(v, Traced) for v in flatten(theta)[0])
        x = [constant(v) if varies and not isinstance(v, Traced) else copy(v) for v in x]
        found = f(unflatten(structure, x), theta)
        if structure.kind is None and (found is None or isinstance(found, (tuple, list, dict))):
            raise TypeError(f"fixed_point: f returned {type(found).__name__}; an array is wanted, as x0 is")
        return structure.like(found, "fixed_point: the result of f")

    @custom_vjp
    def solve(x0: list[Any], theta: Tree) -> list[Any]:
        x = [_constant(v) for v in x0]
        for i in range(max_iter):
            new = [_constant(v) for v in step(x, theta)]
            if _close(new, x, tol):
                return new
            if not all(np.isfinite(_size(v)) for v in new):
                raise RuntimeError(f"fixed_point: x is {new} after {i + 1} iterations; give another x0 or f")
            x = new
        change = max(_size(a - b) for a, b in zip(step(x, theta), x, strict=True))
        raise RuntimeError(
            f"fixed_point: no convergence in {max_iter} iterations; the last changed x by {change:.3g}; "
            "give max_iter, tol or another x0"
        )

    solve.__name__ = "fixed_point: f"  # type: ignore[attr-defined]

    def forward(x0: list[Any], theta: Tree) -> tuple[list[Any], Any]:
        x = solve(x0, theta)
        return x, (x, theta)

    def backward(residuals: Any, g: list[Any]) -> tuple[None, Tree]:
        x, theta = residuals

        def adjoint(u: list[Any], given: Any) -> list[Any]:
            g, x, theta = given
            _, pull = vjp(lambda x: step(x, theta), x)
            return [a + b for a, b in zip(g, pull(u)[0], strict=True)]

        u = fixed_point(adjoint, stop_gradient(g), (g, x, theta), tol=tol, max_iter=max_iter)
        varied, form = flatten(theta)
        floats = [is_numeric(v) and np.result_type(v).kind in "fc" for v in varied]

        def of_theta(floating: list[Any]) -> list[Any]:
            values = iter(floating)
            return step(x, unflatten(form, [next(values) if yes else v for v, yes in zip(varied, floats, strict=True)]))

        _, pull = vjp(of_theta, [v for v, yes in zip(varied, floats, strict=True) if yes])
        found = iter(pull(u)[0])
        return None, unflatten(form, [next(found) if yes else None for yes in floats])

    solve.defvjp(forward, backward)
    return unflatten(structure, solve(start, theta))


def _constant(x: Any) -> Any:
    inner = x
    while isinstance(inner, Batched):
        inner = inner.under
    if isinstance(inner, Traced) and (inner.node is not None or inner.level):
        raise TypeError("fixed_point: f uses a Tensor that is being differentiated and is not in theta; put it there")
    if isinstance(x, Batched):
        return x
    return as_array(lower(x) if isinstance(x, Traced) else x, lambda: "fixed_point: what f returned")


def _close(new: Sequence[Any], old: Sequence[Any], tol: float | None) -> bool:
    for a, b in zip(new, old, strict=True):
        bound = 4 * np.finfo(a.dtype).eps if tol is None else tol
        size = _size(a)
        if not (np.isfinite(size) and _size(a - b) <= bound * size):
            return False
    return True


def _size(x: Any) -> Any:
    """Return the largest absolute value, of all examples of a batch."""
    return np.max(np.abs(x._everything() if isinstance(x, Traced) else x), initial=0.0)
