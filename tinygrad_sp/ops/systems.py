"""Systems of linear equations: inverses, solutions, pseudoinverses and least squares.

`solve` keeps its solution, and its rule solves once more.  Where a matrix lacks full rank, the derivative of `pinv`
and `lstsq` is that among matrices of its rank: beside them they jump.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, concrete, floating
from .matrix_rules import adjoint, eps_of, mT, refuse
from .shape import expand_dims, moveaxis, reshape

__all__ = [
    "LstsqResult",
    "inv",
    "lstsq",
    "pinv",
    "solve",
    "tensorinv",
    "tensorsolve",
]


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    x: Any
    residuals: Any
    rank: Any
    singular_values: Any


class Inv(Op):
    """The inverse of each matrix."""

    cases = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 0),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.inv(x)

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        return -(mT(out) @ grad @ mT(out))


class Solve(Op):
    """The solutions x of a @ x = b, for the columns of b."""

    cases = (((3, 3), (3, 2)), ((2, 2, 2), (2, 1)), ((1, 1), (4, 1, 3)))

    @staticmethod
    def forward(a: Any, b: Any) -> Any:
        return np.linalg.solve(a, b)

    @staticmethod
    def backward(grad: Any, out: Any, a: Any, _b: Any) -> Any:
        gb = np.linalg.solve(mT(a), grad)
        return -(gb @ mT(out)), gb

    @staticmethod
    def tangent(tangents: Any, out: Any, a: Any, _b: Any) -> Any:
        moved, b = tangents
        right = b if moved is None else -(moved @ out) if b is None else b - moved @ out
        return np.linalg.solve(a, right)


@implements(np.linalg.inv)
def inv(x: Any, /) -> Any:
    """Return the inverse of each square matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).

    Returns
    -------
    Tensor or ndarray
        The inverses; the cotangent of x is -inv(x).T @ g @ inv(x).T.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> tg.linalg.inv(x)[0, 0].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[-0.25, 0.0], [0.0, 0.0]]))
    True
    """
    return Inv.apply(array(x))


@implements(np.linalg.solve)
def solve(a: Any, b: Any, /) -> Any:
    """Return x with a @ x = b.

    Parameters
    ----------
    a : Tensor or array_like
        Matrices, shape (..., n, n).
    b : Tensor or array_like
        A vector, shape (n,), or matrices, shape (..., n, k).  Stacks broadcast.

    Returns
    -------
    Tensor or ndarray
        The solutions, shape (..., n) or (..., n, k).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> b = tg.Tensor([2.0, 6.0])
    >>> tg.linalg.solve([[2.0, 0.0], [0.0, 3.0]], b)
    Tensor([1., 2.], op=Reshape)
    """
    a, b = array(a), array(b)
    if b.ndim != 1:
        return Solve.apply(a, b)
    x = Solve.apply(a, expand_dims(b, -1))
    return reshape(x, x.shape[:-1])


class Pinv(Op):
    """The pseudoinverse of each matrix, singular values up to rcond times the largest taken as 0."""

    holomorphic, may_raise = False, True
    cases = (((4, 3), {"rcond": 1e-15}), ((2, 2, 3), {"rcond": 1e-15}))

    @staticmethod
    def forward(x: Any, *, rcond: Any) -> Any:
        return np.linalg.pinv(x, rcond)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, rcond: Any) -> Any:
        _refuse_cut(x, rcond, "pinv")
        g, p = adjoint(grad), adjoint(out)
        beside_rows = (g - x @ (out @ g)) @ (out @ p)  # (1 - x out) g out out^H
        beside_columns = (p @ out) @ (g - (g @ out) @ x)
        return beside_rows + beside_columns - p @ grad @ p


def _refuse_cut(x: Any, rcond: Any, name: str) -> None:
    """A singular value that was cut off without being zero would move the result in ways the rule leaves out."""
    if not x.size or np.max(concrete(rcond)) <= eps_of(x) ** 0.5:
        return
    s = np.linalg.svd(concrete(x), compute_uv=False)
    cut = s <= np.asarray(concrete(rcond))[..., None] * s[..., :1]
    refuse(
        cut & (s > eps_of(x) ** 0.5 * s[..., :1]),
        f"{name}: rcond={rcond} cuts off singular values that are not 0; the derivative is known without truncation",
    )


@implements(np.linalg.pinv)
def pinv(x: Any, /, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Return the pseudoinverse of each matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., m, n), of any rank.
    rcond, rtol : array_like, optional
        Singular values up to this times the largest count as 0; by default ``max(m, n) * eps``.
    hermitian : bool
        Accepted for NumPy's sake: the result is the same, computed the general way.

    Returns
    -------
    Tensor or ndarray
        The pseudoinverses, shape (..., n, m).  Where x lacks full rank the derivative is that among matrices of
        its rank (beside them the pseudoinverse jumps).

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if singular values that are not 0 were cut off.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0], [0.0]])
    >>> tg.linalg.pinv(x)[0, 0].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[-0.25], [0.0]]))
    True
    """
    del hermitian
    if rcond is not None and rtol is not None:
        raise ValueError("pinv: rtol and rcond are two names for one thing; give one")
    x, cut = floating(x), rcond if rtol is None else rtol
    if cut is None:
        cut = max(x.shape[-2:], default=1) * eps_of(x)
    return Pinv.apply(x, rcond=concrete(cut))


class Lstsq(Op):
    """The solutions x of least norm that make each ``a @ x - b`` least, for the columns of b."""

    holomorphic, may_raise = False, True
    cases = (((4, 3), (4, 2), {"rcond": 1e-15}), ((2, 3), (2, 1), {"rcond": 1e-15}))

    @staticmethod
    def forward(a: Any, b: Any, *, rcond: float) -> Any:
        if np.ndim(a) == np.ndim(b) == 2:
            return np.linalg.lstsq(a, b, rcond)[0]
        return np.linalg.pinv(a, rcond) @ b

    @staticmethod
    def backward(grad: Any, out: Any, a: Any, b: Any, *, rcond: float) -> Any:
        _refuse_cut(a, rcond, "lstsq")
        p = np.linalg.pinv(a, rcond)
        gb = adjoint(p) @ grad
        beside = (b - a @ out) @ adjoint(p @ gb) + (adjoint(p) @ out) @ adjoint(grad - adjoint(a) @ gb)
        return beside - gb @ adjoint(out), gb


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, /, rcond: float | None = None) -> Any:
    """Return the x that makes the length of a @ x - b least, and is the shortest such.

    Parameters
    ----------
    a : Tensor or array_like
        Matrices, shape (..., m, n).
    b : Tensor or array_like
        A vector, shape (m,), or matrices, shape (..., m, k).
    rcond : float, optional
        Singular values up to this times the largest count as 0; by default ``max(m, n) * eps``.

    Returns
    -------
    LstsqResult
        ``x``; ``residuals``, the squared lengths of a @ x - b, empty unless m > n and a has full rank; ``rank``,
        a constant; ``singular_values``.  Where a lacks full rank the derivative is that among matrices of its rank.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if singular values that are not 0 were cut off.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> b = tg.Tensor([1.0, 3.0])
    >>> tg.linalg.lstsq([[1.0], [1.0]], b).x[0].backward()
    >>> b.grad
    Tensor([0.5, 0.5])
    """
    a, b = floating(a), floating(b)
    m, n = a.shape[-2:]
    cut = max(m, n) * eps_of(a) if rcond is None or rcond == -1 else float(rcond)
    columns = expand_dims(b, -1) if b.ndim == 1 else b
    x = Lstsq.apply(a, columns, rcond=cut)
    s = np.linalg.svdvals(a)
    rank = np.sum(s > cut * s[..., :1], axis=-1)
    left = columns - a @ x
    lengths = np.sum(np.real(left) ** 2 + np.imag(left) ** 2 if left.dtype.kind == "c" else left * left, axis=-2)
    full = m > n and bool(np.all(concrete(rank) == n))
    residuals = lengths if full else lengths[..., :0]
    return LstsqResult(reshape(x, x.shape[:-1]) if b.ndim == 1 else x, residuals, rank, s)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, /, axes: Sequence[int] | None = None) -> Any:
    """Return x with tensordot(a, x, x.ndim) = b.

    Parameters
    ----------
    a : Tensor or array_like
        Shape b.shape + x.shape, its two parts of equal size.
    b : Tensor or array_like
        Any shape.
    axes : sequence of int, optional
        Axes of a that are moved to the end first.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> b = tg.Tensor([[2.0, 4.0]])
    >>> tg.linalg.tensorsolve([[[2.0, 0.0], [0.0, 4.0]]], b)
    Tensor([1., 1.], op=Reshape)
    """
    a, b = array(a), array(b)
    if axes is not None:
        a = moveaxis(a, tuple(axes), tuple(range(a.ndim - len(axes), a.ndim)))
    shape = tuple(a.shape[b.ndim :])
    if a.size != b.size**2 or math.prod(shape) != b.size:
        raise np.linalg.LinAlgError(
            f"tensorsolve: a {tuple(a.shape)} must make a square matrix for b {tuple(b.shape)}: one equation an unknown"
        )
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(x: Any, /, ind: int = 2) -> Any:
    """Return the inverse of x as a map from its axes after the first ``ind`` to those.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.tensorinv(tg.Tensor([[[2.0, 0.0], [0.0, 4.0]]])).shape
    (2, 1, 2)
    """
    x, n = array(x), operator.index(ind)
    if n <= 0:
        raise ValueError(f"tensorinv: ind={ind}; a positive number is wanted")
    front, back = tuple(x.shape[:n]), tuple(x.shape[n:])
    if math.prod(front) != math.prod(back):
        raise np.linalg.LinAlgError(
            f"tensorinv: shape {tuple(x.shape)} cut after {n} axes must be a square matrix: give ind= that halves it"
        )
    return reshape(inv(reshape(x, (math.prod(front), math.prod(back)))), back + front)
