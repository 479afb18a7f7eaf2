"""Norms of vectors and matrices.

Conventions: the derivative of a norm is 0 at the zero vector; the largest and smallest elements, row sums and
singular values share ties equally; at a singular value 0 the derivative is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, concrete, floating
from .axes import Axis, negative_axes, spread
from .shape import moveaxis, reshape
from .singular import svdvals
from .systems import inv

__all__ = [
    "cond",
    "matrix_norm",
    "matrix_rank",
    "norm",
    "vector_norm",
]

Axes = tuple[int, ...]


def _norm(x: Any, axis: Axes, keepdims: bool, p: float) -> Any:
    """NumPy's norm, computed again from x over its largest element where a power over- or underflowed."""
    info = np.finfo(x.dtype)
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        out = np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=p)
        power = out**p
        sound = (power > info.tiny / info.eps) & (power < info.max)
    if p < 1 or not x.size or sound.all():
        return out
    largest = np.max(np.abs(x), axis=axis, keepdims=True)
    scale = np.where((largest > 0) & (largest < info.max), largest, 1).astype(largest.dtype)
    again = np.linalg.vector_norm(x / scale, axis=axis, keepdims=True, ord=p) * scale
    return np.where(sound, out, np.reshape(again, out.shape))[()]


class Norm2(Op):
    """The Euclidean norm over axes: x gets spread(g / out, x.shape) * x (0 at the zero vector)."""

    holomorphic = False
    cases = (((3, 4), {"axis": (-1,), "keepdims": False}), ((2, 3, 2), {"axis": (-3, -1), "keepdims": True}))

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        return _norm(x, axis, keepdims, 2)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
        zero = out == 0
        g, length = np.where(zero, 0.0, grad), np.where(zero, 1.0, out)
        return spread(g, axis, keepdims, x.shape) * (x / spread(length, axis, keepdims, x.shape))


class NormP(Op):
    """The p-norm over axes: the p-th root of the sum of p-th powers.

    x gets spread(g, x.shape) * sign(x) * (abs(x) / spread(out, x.shape)) ** (p - 1) (0 where x is 0).
    """

    holomorphic = False
    cases = (
        ((3, 4), {"axis": (-1,), "keepdims": False, "p": 3.0}),
        ((2, 3, 2), {"axis": (-3, -1), "keepdims": True, "p": 1.5}),
        ((2, 3), {"axis": (-2,), "keepdims": False, "p": -1.0}),
    )

    @staticmethod
    def forward(x: Any, *, axis: Axes, keepdims: bool, p: float) -> Any:
        return _norm(x, axis, keepdims, p)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any, *, axis: Axes, keepdims: bool, p: float) -> Any:
        flat = spread(out == 0, axis, keepdims, x.shape) | (x == 0)
        size = np.where(flat, 1.0, modulus(x))
        share = (size / np.where(flat, 1.0, spread(out, axis, keepdims, x.shape))) ** (p - 1)
        return np.where(flat, 0.0, spread(grad, axis, keepdims, x.shape) * share * x / size)


def modulus(x: Any) -> Any:
    """abs(x), in a form whose second derivative is right for complex x as well."""
    return np.hypot(np.real(x), np.imag(x)) if x.dtype.kind == "c" else np.abs(x)


def _largest(sizes: Any, axis: Any, keepdims: bool = False) -> Any:
    """Return the largest of numbers from 0 up: of none, 0."""
    begin: Any = None if sizes.size else 0
    return np.max(sizes, axis=axis, keepdims=keepdims, initial=begin)


def _over_axes(x: Any, axis: Axes, keepdims: bool, p: float) -> Any:
    if not x.ndim:
        x, axis, keepdims = reshape(x, (1,)), (-1,), False
    if p == 2:
        return Norm2.apply(x, axis=axis, keepdims=keepdims)
    if p == math.inf:
        return _largest(modulus(x), axis, keepdims)
    if p == -math.inf:
        return np.min(modulus(x), axis=axis, keepdims=keepdims)
    if p == 1:
        return np.sum(modulus(x), axis=axis, keepdims=keepdims)
    if p == 0:
        return np.sum((x != 0).astype(x.real.dtype), axis=axis, keepdims=keepdims)
    return NormP.apply(x, axis=axis, keepdims=keepdims, p=float(p))


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Any:
    """Return the norm of vectors that lie along one or several axes, by default of all elements.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    axis : int or sequence of int, optional
        Along which axes the vectors lie.
    keepdims : bool
        Keep those axes, with length 1.
    ord : float
        Any p, ``inf`` (the largest absolute value), ``-inf`` (the smallest), 0 (how many are not 0).

    Returns
    -------
    Tensor or ndarray
        The norms: real, with derivative 0 at the zero vector.  At an element 0, where ``abs(x)**p`` has a kink or a
        cusp (p < 2 in the second derivative, p <= 1 in the first), the derivative is 0 too.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[3.0, 4.0], [0.0, 0.0]])
    >>> tg.linalg.vector_norm(x, axis=-1).sum().backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.6, 0.8], [0.0, 0.0]]))
    True
    """
    x = floating(x)
    return _over_axes(x, negative_axes(axis, x.ndim), bool(keepdims), ord)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norm of each matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., m, n).
    keepdims : bool
        Keep the last two axes, with length 1.
    ord : {"fro", "nuc", 1, -1, 2, -2, inf, -inf}
        Root of the sum of squares; sum of the singular values; largest (smallest) column sum of absolute
        values; largest (smallest) singular value; largest (smallest) row sum.

    Returns
    -------
    Tensor or ndarray
        The norms.

    Raises
    ------
    ValueError
        For another ``ord``.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[3.0, 0.0], [0.0, -4.0]])
    >>> tg.linalg.matrix_norm(x, ord="nuc").backward()
    >>> bool(np.allclose(x.grad.numpy(), [[1.0, 0.0], [0.0, -1.0]]))
    True
    """
    x = floating(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_norm: shape {tuple(x.shape)}; at least two axes are wanted")
    if ord in ("fro", "f", None):
        return Norm2.apply(x, axis=(-2, -1), keepdims=bool(keepdims))
    if ord not in _MATRIX_NORMS:
        raise ValueError(f"matrix_norm: ord={ord!r}; 'fro', 'nuc', 1, -1, 2, -2, inf or -inf is wanted")
    values = _MATRIX_NORMS[ord](x)
    return np.expand_dims(values, (-2, -1)) if keepdims else values


def _sums(x: Any, axis: int) -> Any:
    return np.sum(modulus(x), axis=axis)


_MATRIX_NORMS: dict[Any, Any] = {
    "nuc": lambda x: np.sum(svdvals(x), axis=-1),
    1: lambda x: _largest(_sums(x, -2), -1),
    -1: lambda x: np.min(_sums(x, -2), axis=-1),
    2: lambda x: _largest(svdvals(x), -1),
    -2: lambda x: np.min(svdvals(x), axis=-1),
    math.inf: lambda x: _largest(_sums(x, -1), -1),
    -math.inf: lambda x: np.min(_sums(x, -1), axis=-1),
}


@implements(np.linalg.norm)
def norm(x: Any, /, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the norm of vectors or matrices, as ``numpy.linalg.norm`` does.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape with ``ord=None`` and ``axis=None``; else one or two axes, or ``axis`` names one or two.
    ord : number or str, optional
        As for `vector_norm` along one axis, as for `matrix_norm` along two; by default the root of the sum of
        squares.
    axis : int or pair of int, optional
        One axis: vectors; two: matrices.
    keepdims : bool
        Keep those axes, with length 1.

    Returns
    -------
    Tensor or ndarray
        The norms.

    Raises
    ------
    ValueError
        If there are more than two axes, or no such ``ord``.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, -4.0])
    >>> tg.linalg.norm(x).backward()
    >>> bool(np.allclose(x.grad.numpy(), [0.6, -0.8]))
    True
    """
    x = floating(x)
    if axis is None and ord is None:
        return vector_norm(x, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"norm: ord={ord!r} is a norm of matrices; for vectors a number is wanted")
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm: {len(axes)} axes; a norm is one of vectors or matrices: name one or two axes")
    first, second = negative_axes(axes[0], x.ndim)[0], negative_axes(axes[1], x.ndim)[0]
    if first == second:
        raise ValueError(f"norm: duplicate axes {axes}; two different ones are wanted")
    if ord in (None, "fro", "f"):
        return vector_norm(x, axis=axes, keepdims=keepdims)
    values = matrix_norm(moveaxis(x, (first, second), (-2, -1)), ord=ord)
    return np.expand_dims(values, tuple(sorted((first, second)))) if keepdims else values


@implements(np.linalg.cond)
def cond(x: Any, /, p: Any = None) -> Any:
    """Return the condition number of each matrix: the norm of x times the norm of its inverse.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, square unless p is None, 2 or -2.
    p : {None, 2, -2, 1, -1, inf, -inf, "fro", "nuc"}
        Which norm; by default 2: the largest singular value over the smallest.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[4.0, 0.0], [0.0, 2.0]])
    >>> tg.linalg.cond(x).backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.5, 0.0], [0.0, -1.0]]))
    True
    """
    x = floating(x)
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)


class MatrixRank(Op):
    """How many singular values are larger than a tolerance: a whole number, constant."""

    @staticmethod
    def forward(x: Any, **options: Any) -> Any:
        return np.linalg.matrix_rank(x, **options)


@implements(np.linalg.matrix_rank)
def matrix_rank(x: Any, /, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Return the rank of each matrix: a constant.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., m, n).
    tol, rtol : array_like, optional
        Singular values up to ``tol``, or up to ``rtol`` times the largest, count as 0; by default
        ``rtol = max(m, n) * eps``.
    hermitian : bool
        Whether x is Hermitian, which is faster.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> int(tg.linalg.matrix_rank(tg.Tensor([[1.0, 2.0], [2.0, 4.0]])))
    1
    """
    options = {"tol": concrete(tol), "rtol": concrete(rtol)}
    given = {name: value for name, value in options.items() if value is not None}
    return MatrixRank.apply(array(x), hermitian=hermitian, **given)
