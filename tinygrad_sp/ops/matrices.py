"""Diagonals and triangles: parts of matrices, and matrices made of parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array
from .axes import negative_axis
from .shape import Transpose, expand_dims, ravel, reshape

__all__ = [
    "diag",
    "diagflat",
    "diagonal",
    "fill_diagonal",
    "kron",
    "trace",
    "tril",
    "triu",
    "vander",
]


class Diagonal(Op):
    """The k-th diagonal of the last two axes, as a new last axis: x gets g on that diagonal, 0 elsewhere."""

    linear, holomorphic = "joint", False
    cases = (((3, 4), {"k": 1}), ((2, 3, 3), {"k": 0}), ((2, 3), {"k": -1}), ((2, 2), {"k": 2}))

    @staticmethod
    def forward(x: Any, *, k: int) -> Any:
        return np.diagonal(x, k, -2, -1)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, k: int) -> Any:
        return OnDiagonal.apply(grad, k=k, shape=tuple(_x.shape[-2:]))


class OnDiagonal(Op):
    """Matrices of zeros with ``x`` on their k-th diagonal: the transpose of `Diagonal`.

    x gets diagonal(g, k, -2, -1).
    """

    linear, holomorphic = "joint", False
    cases = (((3,), {"k": 1, "shape": (3, 4)}), ((2, 3), {"k": 0, "shape": (3, 3)}), ((0,), {"k": 2, "shape": (2, 2)}))

    @staticmethod
    def forward(x: Any, *, k: int, shape: tuple[int, int]) -> Any:
        result = np.zeros((*x.shape[:-1], *shape), x.dtype)
        i = np.arange(x.shape[-1])
        result[..., i + max(-k, 0), i + max(k, 0)] = x
        return result

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, k: int, shape: tuple[int, int]) -> Any:  # noqa: ARG004
        return Diagonal.apply(grad, k=k)


class Triangle(Op):
    """The lower or the upper triangle, zeros elsewhere: x gets tril(g, k) if lower else triu(g, k)."""

    linear, holomorphic = "joint", False
    cases = (((3, 4), {"k": 1, "lower": True}), ((2, 3, 3), {"k": -1, "lower": False}))

    @staticmethod
    def forward(x: Any, *, k: int, lower: bool) -> Any:
        return np.tril(x, k) if lower else np.triu(x, k)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, k: int, lower: bool) -> Any:
        return Triangle.apply(grad, k=k, lower=lower)


# ---------------------------------------------------------------------------------------------- public


@implements(np.diagonal)
def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return a diagonal of two axes, as a new last axis."""
    x = array(x)
    first, second = negative_axis(axis1, x.ndim), negative_axis(axis2, x.ndim)
    if first == second:
        raise ValueError(f"diagonal: axis1 and axis2 are both {axis1}; two different ones are wanted")
    rest = tuple(a for a in range(-x.ndim, 0) if a not in (first, second))
    return Diagonal.apply(Transpose.apply(x, axes=(*rest, first, second)), k=int(offset))


@implements(np.trace)
def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """Return the sum of a diagonal."""
    return np.sum(diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.diag)
def diag(x: Any, /, k: int = 0) -> Any:
    """Return the matrix with a vector on its diagonal, or the diagonal of a matrix."""
    x = array(x)
    if x.ndim != 1:
        return diagonal(x, k)
    n = x.shape[0] + abs(k)
    return OnDiagonal.apply(x, k=int(k), shape=(n, n))


@implements(np.diagflat)
def diagflat(x: Any, /, k: int = 0) -> Any:
    """Return the matrix with all elements of an array on its diagonal."""
    return diag(ravel(array(x)), k)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    x = array(x)
    x = x if x.ndim > 1 else np.broadcast_to(x, (x.size, x.size))  # as NumPy does with vectors
    return Triangle.apply(x, k=int(k), lower=lower)


@implements(np.tril)
def tril(x: Any, /, k: int = 0) -> Any:
    """Return the lower triangle of matrices, zeros above the k-th diagonal."""
    return _triangle(x, k, True)


@implements(np.triu)
def triu(x: Any, /, k: int = 0) -> Any:
    """Return the upper triangle of matrices, zeros below the k-th diagonal."""
    return _triangle(x, k, False)


@implements(np.fill_diagonal)
def fill_diagonal(x: Any, /, val: Any, wrap: bool = False) -> None:
    """Write into the diagonal of ``x``."""
    if wrap and x.ndim == 2 and x.shape[0] > x.shape[1]:
        raise NotImplementedError("fill_diagonal: wrap=True of a tall matrix; write x[rows, columns] = values")
    n = min(x.shape)
    x[(np.arange(n),) * x.ndim] = np.resize(val, n) if np.ndim(val) else val


@implements(np.kron)
def kron(x: Any, y: Any, /) -> Any:
    """Return the Kronecker product: each element of x times the whole of y."""
    x, y = array(x), array(y)
    n = max(x.ndim, y.ndim)
    x, y = (reshape(z, (1,) * (n - z.ndim) + tuple(z.shape)) for z in (x, y))
    wide = expand_dims(x, tuple(range(1, 2 * n, 2))) * expand_dims(y, tuple(range(0, 2 * n, 2)))
    return reshape(wide, [a * b for a, b in zip(x.shape, y.shape, strict=True)])


@implements(np.vander)
def vander(x: Any, /, N: int | None = None, increasing: bool = False) -> Any:
    """Return the matrix of powers of a vector, column by column."""
    x = array(x)
    n = len(x) if N is None else N
    powers = np.arange(n) if increasing else np.arange(n)[::-1]
    return np.power(reshape(x, (-1, 1)), powers)
