"""Whole matrices of derivatives: a jvp or a vjp, batched over the unit vectors.

For y = f(x) the Jacobian is J[i, j] = dy_i / dx_j: its columns are jvps of unit tangents, its rows vjps of unit
cotangents.  `vmap` computes all of them in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Traced
from .arguments import Argnums, Arguments, describe, with_aux
from .batching import vmap
from .forward import jvp
from .reverse import grad, vjp
from .trees import Structure, Tree, flatten, unflatten


def _units(values: Sequence[Any]) -> list[Any]:
    """Return the unit vectors of the space in which these arrays together are one vector, batch first."""
    total = sum(np.size(x) for x in values)
    units, at = [], 0
    for x in values:
        n = np.size(x)
        block = np.zeros((total, n), x.dtype)
        block[range(at, at + n), range(n)] = 1
        units.append(block.reshape(total, *np.shape(x)))
        at += n
    return units


def _cut(x: Any, values: Sequence[Any], axis: int) -> list[Any]:
    """Cut an array along an axis that counts unit vectors, and give each piece the shape of its value there."""
    pieces, at = [], 0
    for v in values:
        n = int(np.size(v))
        piece = x[(slice(None),) * axis + (slice(at, at + n),)]
        piece = np.reshape(piece, (*x.shape[:axis], *np.shape(v), *x.shape[axis + 1 :]))
        pieces.append(piece[()] if type(piece) is np.ndarray else piece)  # one number: a scalar
        at += n
    return pieces


class _Problem:
    """A function of one flat list of leaves, and what its Jacobian shall look like."""

    def __init__(self, name: str, f: Callable[..., Any], argnums: Argnums, has_aux: bool, args: Any, kwargs: Any):
        self.given = Arguments(name, f, argnums, args, kwargs)
        self.name, self.has_aux = name, has_aux
        self.inputs = self.given.leaves
        if any(x.dtype.kind == "c" for x in self.inputs):
            raise TypeError(f"{name}: of complex arguments; split them into real and imaginary parts, or use vjp")

    def call(self, *leaves: Any) -> tuple[Any, Any]:
        return with_aux(self.name, self.given.call(leaves), self.has_aux)

    def assembled(self, structure: Structure, rows: Sequence[Sequence[Any]]) -> Tree:
        """Nest blocks [output][input] as the result nests arguments."""
        return unflatten(structure, [self.given.mirror(row) for row in rows])


def _reverse(problem: _Problem, y: Any, pull: Callable[[Any], Any]) -> Tree:
    """Pull all unit cotangents back at once."""
    outputs, structure = flatten(y)
    outputs = [_numeric(problem.name, x) for x in outputs]
    pulled = vmap(lambda *units: pull(unflatten(structure, units)))
    units = _units(outputs)
    columns = pulled(*units)
    if any(x.dtype.kind == "c" for x in outputs):  # the cotangent i asks for the imaginary part
        columns = [a + 1j * b for a, b in zip(columns, pulled(*(1j * u for u in units)), strict=True)]
    blocks = [_cut(column, outputs, 0) for column in columns]
    return problem.assembled(structure, list(zip(*blocks, strict=True)) if outputs else [])


def _numeric(name: str, x: Any) -> Any:
    x = x if isinstance(x, Traced) else np.asarray(x)
    if x.dtype.kind not in "fc":
        raise TypeError(f"{name}: the function returned {x.dtype}: no derivative; return it besides, with has_aux")
    return x


def jacrev(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the Jacobian of a function, row by row in reverse mode, all rows at once.

    Cheaper than `jacfwd` where there are fewer results than arguments.

    Parameters
    ----------
    f : callable
        A function of arrays, or of nested tuples, lists and dicts of them.
    argnums : int, str or sequence of these
        Which arguments to differentiate.
    has_aux : bool
        Whether ``f`` returns a pair, of which the second is handed through: ``(jacobian, aux)``.

    Returns
    -------
    callable
        Of the same arguments.  For each array of the result, for each array of the arguments, a block of shape
        ``result.shape + argument.shape``, in their containers.

    Raises
    ------
    TypeError
        When called: if an argument is of integers or complex, or a result of integers.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.jacrev(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """

    @describe(f, "the Jacobian")
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacrev", f, argnums, has_aux, args, kwargs)
        y, pull, aux = vjp(problem.call, *problem.inputs, has_aux=True)
        found = _reverse(problem, y, pull)
        return (found, aux) if has_aux else found

    return jacobian


def jacfwd(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the Jacobian of a function, column by column in forward mode, all columns at once.

    Cheaper than `jacrev` where there are fewer arguments than results.

    Parameters
    ----------
    f, argnums, has_aux
        As for `jacrev`.

    Returns
    -------
    callable
        As for `jacrev`.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.jacfwd(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """

    @describe(f, "the Jacobian")
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacfwd", f, argnums, has_aux, args, kwargs)
        inputs = problem.inputs

        def push(*units: Any) -> Any:
            y, moved, aux = jvp(problem.call, inputs, units, has_aux=True)
            return moved, (y, aux)

        columns, (y, aux) = vmap(push, out_axes=(-1, None))(*_units(inputs))
        outputs, structure = flatten(y)
        for x in outputs:
            _numeric("jacfwd", x)
        rows = [_cut(column, inputs, np.ndim(x)) for column, x in zip(flatten(columns)[0], outputs, strict=True)]
        found = problem.assembled(structure, rows)
        return (found, aux) if has_aux else found

    return jacobian


def jacobian(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the Jacobian of a function, in forward or in reverse mode, whichever is cheaper.

    J[i, j] = dy_i / dx_j for y = f(x): reverse mode where y has no more elements than x, else forward mode.

    Parameters
    ----------
    f, argnums, has_aux
        As for `jacrev`.

    Returns
    -------
    callable
        As for `jacrev`.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.jacobian(lambda p: p["a"] * p["b"])({"a": 2.0, "b": np.array([3.0, 4.0])})
    {'a': array([3., 4.]), 'b': array([[2., 0.],
           [0., 2.]])}
    """
    forward = jacfwd(f, argnums, has_aux)

    @describe(f, "the Jacobian")
    def cheaper(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacobian", f, argnums, has_aux, args, kwargs)
        y, pull, aux = vjp(problem.call, *problem.inputs, has_aux=True)
        outputs = flatten(y)[0]
        if sum(np.size(x) for x in outputs) > sum(np.size(x) for x in problem.inputs):
            return forward(*args, **kwargs)
        found = _reverse(problem, y, pull)
        return (found, aux) if has_aux else found

    return cheaper


def hessian(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the matrix of second derivatives: forward mode over reverse mode.

    H[i, j] = d2f / dx_i dx_j.

    Parameters
    ----------
    f : callable
        A function of arrays or trees; it may return arrays too.
    argnums : int, str or sequence of these
        Which arguments to differentiate.
    has_aux : bool
        Whether ``f`` returns a pair, of which the second is handed through.

    Returns
    -------
    callable
        Of the same arguments: blocks ``result.shape + argument.shape + argument.shape``, nested as results, then
        arguments, then arguments again.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacfwd(jacrev(f, argnums, has_aux), argnums, has_aux)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return the Hessian of a scalar function times a vector, without forming it: forward over reverse.

    Parameters
    ----------
    f : callable
        Returns one real number.
    primals : sequence
        The arguments.
    tangents : sequence
        The vector, like ``primals``.

    Returns
    -------
    tree of arrays
        H v, like the primal; for several primals a tuple.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    array([  6., 120.])
    """
    gradient = grad(f, argnums=tuple(range(len(primals))))
    found = jvp(gradient, primals, tangents)[1]
    return found[0] if len(primals) == 1 else found


def vhp(f: Callable[..., Any], primals: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    """Return a vector times the Hessian of a scalar function: reverse over reverse.

    The Hessian is symmetric, so this is what `hvp` gives; memory grows with the number of ops here, and time a
    little more.

    Parameters
    ----------
    f, primals, cotangents
        As for `hvp`.

    Returns
    -------
    tree of arrays
        v' H, like the primal; for several primals a tuple.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.vhp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    array([  6., 120.])
    """
    _, pull = vjp(grad(f, argnums=tuple(range(len(primals)))), *primals)
    found = pull(tuple(cotangents))
    return found[0] if len(primals) == 1 else found


def laplacian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the sum of the second derivatives by each variable, the trace of the Hessian.

    Parameters
    ----------
    f : callable
        Returns one real number.
    argnums : int, str or sequence of these
        Over which arguments' elements to sum.

    Returns
    -------
    callable
        Of the same arguments: one number.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.laplacian(lambda x: x[0] ** 3 + x[1] ** 2)(np.array([2.0, 5.0]))
    np.float64(14.0)
    """

    @describe(f, "the Laplacian")
    def trace(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("laplacian", f, argnums, False, args, kwargs)
        inputs = problem.inputs
        gradient = grad(lambda *leaves: problem.call(*leaves)[0], argnums=tuple(range(len(inputs))))

        def second(*units: Any) -> Any:
            along = jvp(gradient, inputs, units)[1]
            return sum((np.sum(a * u) for a, u in zip(along, units, strict=True)), 0.0)

        return np.sum(vmap(second)(*_units(inputs)))

    return trace
