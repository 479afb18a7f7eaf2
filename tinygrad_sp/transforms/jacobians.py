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
from .batching import batched
from .forward import along, are_sequences, pushforward
from .reverse import gradient_of, pullback
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
        """Call the function: its result, and what it returned besides."""
        return with_aux(self.name, self.given.call(leaves), self.has_aux)

    def pullback(self) -> Any:
        """Return the result, its pullback and what was returned besides."""
        return pullback(Arguments.all(self.name, self.call, self.inputs), has_aux=True)

    def for_all(self, function: Callable[..., Any], values: Sequence[Any], out_axes: Any = 0) -> Any:
        """Apply a function to all unit vectors at once."""
        return batched(self.name, function, 0, out_axes, of=self.given.f)(*_units(values))

    def assembled(self, structure: Structure, rows: Sequence[Sequence[Any]]) -> Tree:
        """Nest blocks [output][input] as the result nests arguments."""
        return unflatten(structure, [self.given.mirror(self.given.dressed(row)) for row in rows])


def _reverse(problem: _Problem, y: Any, pull: Callable[[Any], Any]) -> Tree:
    """Pull all unit cotangents back at once."""
    outputs, structure = flatten(y)
    outputs = [_numeric(problem.name, x) for x in outputs]
    if not outputs:
        return problem.assembled(structure, [])
    turns = [1j if x.dtype.kind == "c" else 0.0 for x in outputs]

    def pulled(*units: Any) -> Any:
        return pull(unflatten(structure, units))

    def turned(*units: Any) -> Any:  # the cotangent i asks for the imaginary part
        return pulled(*(u * turn for u, turn in zip(units, turns, strict=True)))

    def rows(function: Callable[..., Any]) -> list[list[Any]]:
        columns = [_cut(column, outputs, 0) for column in problem.for_all(function, outputs)]
        return [[column[i] for column in columns] for i in range(len(outputs))]

    found = rows(pulled)
    if any(turns):
        parts = zip(found, rows(turned), turns, strict=True)
        found = [[a + turn * b if turn else a for a, b in zip(re, im, strict=True)] for re, im, turn in parts]
    return problem.assembled(structure, found)


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
    return _jacrev("jacrev", f, argnums, has_aux)


def _jacrev(name: str, f: Callable[..., Any], argnums: Argnums, has_aux: bool) -> Callable[..., Any]:
    @describe(name, f, "the Jacobian")
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem(name, f, argnums, has_aux, args, kwargs)
        y, pull, aux = problem.pullback()
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
    return _jacfwd("jacfwd", f, argnums, has_aux)


def _jacfwd(name: str, f: Callable[..., Any], argnums: Argnums, has_aux: bool) -> Callable[..., Any]:
    @describe(name, f, "the Jacobian")
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem(name, f, argnums, has_aux, args, kwargs)
        inputs = problem.inputs

        def push(*units: Any) -> Any:
            y, moved, aux = pushforward(name, problem.call, inputs, units, has_aux=True)
            return moved, (y, aux)

        columns, (y, aux) = problem.for_all(push, inputs, out_axes=(-1, None)) if inputs else push()
        outputs, structure = flatten(y)
        for x in outputs:
            _numeric(name, x)
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
    forward = _jacfwd("jacobian", f, argnums, has_aux)

    @describe("jacobian", f, "the Jacobian")
    def cheaper(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacobian", f, argnums, has_aux, args, kwargs)
        y, pull, aux = problem.pullback()
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
    matrix = _jacfwd("hessian", _jacrev("hessian", f, argnums, has_aux), argnums, has_aux)
    return describe("hessian", f, "the matrix of second derivatives")(matrix)


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
    are_sequences("hvp", primals, tangents)
    gradient = gradient_of("hvp", f, tuple(range(len(primals))))
    found = pushforward("hvp", gradient, primals, tangents)[1]
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
    given, vector = along("vhp", f, primals, cotangents)
    _, pull = pullback(Arguments.all("vhp", gradient_of("vhp", f, tuple(range(len(primals)))), primals))
    found = pull(given.mirror(vector))
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

    @describe("laplacian", f, "the Laplacian")
    def trace(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("laplacian", f, argnums, False, args, kwargs)
        inputs = problem.inputs
        gradient = gradient_of("laplacian", lambda *leaves: problem.call(*leaves)[0], tuple(range(len(inputs))))

        def second(*units: Any) -> Any:
            moved = pushforward("laplacian", gradient, inputs, units)[1]
            return sum((np.sum(a * u) for a, u in zip(moved, units, strict=True)), 0.0)

        found = np.sum(problem.for_all(second, inputs)) if inputs else 0.0 * np.sum(problem.call()[0])
        return problem.given.dressed([found])[0]

    return trace
