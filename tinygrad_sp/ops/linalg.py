"""Solving and inverting, determinants, pseudoinverses, and products of several matrices.

The rule of `det` is exact at singular matrices, in derivatives of every order: it divides by nothing that is
small.  `solve` keeps its solution and solves once more.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op, Traced
from .axes import array, negative_axis
from .matrices import Diagonal
from .matrix_rules import (
    adjoint,
    concrete,
    conj,
    diag_of,
    eps_of,
    floating,
    mT,
    refuse,
)
from .products import matmul, tensordot
from .shape import expand_dims, matrix_transpose, moveaxis, reshape

__all__ = [
    "LstsqResult",
    "SlogdetResult",
    "cross",
    "det",
    "diagonal",
    "inv",
    "lstsq",
    "matmul",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "pinv",
    "slogdet",
    "solve",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
]

implements(np.linalg.matmul)(matmul)
implements(np.linalg.tensordot)(tensordot)
implements(np.linalg.matrix_transpose)(matrix_transpose)


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    x: Any
    residuals: Any
    rank: Any
    singular_values: Any


# ---------------------------------------------------------------------------------------------- inverses


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

    holomorphic = False
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

    holomorphic = False
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


# ---------------------------------------------------------------------------------------------- determinants


class Det(Op):
    """The determinant of each matrix."""

    cases = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 0),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.det(x)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any) -> Any:
        return grad[..., None, None] * mT(_adjugate(x, out))


def _adjugate(x: Any, det: Any) -> Any:
    """det(x) * inv(x), which is a polynomial in x, without dividing by anything small.

    The small singular values of x are lifted: y = x + u @ d @ v^H, with constants u, d, v.  Then
    det(x) = det(y) det(k) with the small matrix k = v^H inv(y) x v, and inv(x) follows from the Woodbury formula.
    """
    every = x._everything() if isinstance(x, Traced) else x
    if not every.size or not np.any(np.linalg.cond(every, 1) > eps_of(x) ** -0.25):
        return det[..., None, None] * np.linalg.inv(x)
    value = concrete(x)
    u, s, vh = np.linalg.svd(value)
    largest = np.where(s[..., :1] > 0, s[..., :1], 1.0)
    lift = np.where(s <= eps_of(x) ** 0.25 * largest, largest, 0.0)
    r = int(np.max(np.sum(lift > 0, axis=-1)))
    vh = vh[..., value.shape[-1] - r :, :]
    ud = (u * lift[..., None, :])[..., value.shape[-1] - r :]
    y = x + ud @ vh
    inverse = np.linalg.inv(y)
    k_adjugate, k_det = _small_adjugate(vh @ inverse @ x @ adjoint(vh), r)
    within = (inverse @ ud) @ k_adjugate @ (vh @ inverse)
    return np.linalg.det(y)[..., None, None] * (k_det[..., None, None] * inverse + within)


def _small_adjugate(k: Any, r: int) -> tuple[Any, Any]:
    """The adjugate and the determinant of small matrices as polynomials (Faddeev and LeVerrier)."""
    unit = np.eye(r)
    power: Any = unit
    for i in range(1, r + 1):
        product = k @ power
        coefficient = np.sum(diag_of(product), axis=-1) * (-1 / i)
        if i < r:
            power = product + coefficient[..., None, None] * unit
    return power * (-1) ** (r - 1), coefficient * (-1) ** r


class Slogdet(Op):
    """The sign, or phase, of the determinant, and the logarithm of its absolute value."""

    holomorphic = False
    cases = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 0),))

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.slogdet(x))

    @staticmethod
    def backward(grad: Any, out: Any, x: Any) -> Any:
        sign, _ = out
        refuse(sign == 0, "slogdet has no derivative at a singular matrix, where the logarithm is -inf; det has")
        g: Any = 0.0 if grad[1] is None else grad[1]
        if grad[0] is not None and x.dtype.kind == "c":
            g = g - np.imag(np.conjugate(grad[0]) * sign) * 1j
        elif grad[1] is None:
            return x * 0
        return g[..., None, None] * adjoint(np.linalg.inv(x))


@implements(np.linalg.det)
def det(x: Any, /) -> Any:
    """Return the determinant of each square matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).

    Returns
    -------
    Tensor or ndarray
        The determinants.  The cotangent of x is g * adjugate(x).T, exact at singular matrices too, and so are
        the derivatives of higher order.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [2.0, 4.0]])
    >>> tg.linalg.det(x).backward()
    >>> bool(np.allclose(x.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]]))
    True
    """
    return Det.apply(array(x))


@implements(np.linalg.slogdet)
def slogdet(x: Any, /) -> Any:
    """Return the sign (complex: the phase) of the determinant and the logarithm of its absolute value.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).

    Returns
    -------
    SlogdetResult
        ``sign`` and ``logabsdet``.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward at a singular matrix.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, -4.0]])
    >>> tg.linalg.slogdet(x).logabsdet.backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.5, 0.0], [0.0, -0.25]]))
    True
    """
    return SlogdetResult(*Slogdet.apply(array(x)))


# ---------------------------------------------------------------------------------------------- products


@implements(np.linalg.matrix_power)
def matrix_power(x: Any, n: int, /) -> Any:
    """Return the n-th power of each square matrix: 2 log2(n) products; a negative n inverts first.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.matrix_power(tg.Tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    Tensor([[1., 5.],
            [0., 1.]], op=MatMul)
    """
    x, n = array(x), operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power: square matrices are wanted, not shape {tuple(x.shape)}")
    if n == 0:
        return x * 0 + np.eye(x.shape[-1], dtype=x.dtype)
    power, result, rest = inv(x) if n < 0 else x, None, abs(n)
    while True:
        if rest & 1:
            result = power if result is None else matmul(result, power)
        rest >>= 1
        if not rest:
            return result
        power = matmul(power, power)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], /) -> Any:
    """Multiply several matrices in the order that needs the fewest multiplications.

    Parameters
    ----------
    arrays : sequence of Tensor or array_like
        Two at least; matrices, but the first and the last may be vectors.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([[1.0, 2.0]])
    >>> tg.linalg.multi_dot([x, [[1.0], [1.0]], [3.0]])
    Tensor([9.], op=Reshape)
    """
    items = [array(x) for x in arrays]
    if len(items) < 2:
        raise ValueError(f"multi_dot: {len(items)} array; at least two are wanted")
    row, column = items[0].ndim == 1, items[-1].ndim == 1
    if row:
        items[0] = expand_dims(items[0], 0)
    if column:
        items[-1] = expand_dims(items[-1], 1)
    bad = [tuple(x.shape) for x in items if x.ndim != 2]
    if bad:
        raise np.linalg.LinAlgError(f"multi_dot: matrices are wanted, not shape {bad[0]}")
    lengths = [items[0].shape[0], *(x.shape[1] for x in items)]
    product = _in_order(items, _cheapest(lengths), 0, len(items))
    kept = ([] if row else [lengths[0]]) + ([] if column else [lengths[-1]])
    return reshape(product, kept) if row or column else product


def _cheapest(lengths: list[int]) -> Any:
    """Return where best to cut the product of matrices i to j, as a function of i and j."""

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        if j - i == 1:
            return 0, i
        costs = ((best(i, k)[0] + best(k, j)[0] + lengths[i] * lengths[k] * lengths[j], k) for k in range(i + 1, j))
        return min(costs)

    return best


def _in_order(items: list[Any], best: Any, i: int, j: int) -> Any:
    if j - i == 1:
        return items[i]
    k = best(i, j)[1]
    return matmul(_in_order(items, best, i, k), _in_order(items, best, k, j))


class Cross(Op):
    """The cross products of vectors of length 3 along an axis."""

    linear = "each"
    cases = (((3,), (3,), {"axis": -1}), ((2, 3), (3,), {"axis": -1}), ((3, 2), (3, 1), {"axis": -2}))

    @staticmethod
    def forward(x: Any, y: Any, *, axis: int) -> Any:
        return np.linalg.cross(x, y, axis=axis)

    backward = (
        lambda g, _o, _x, y, axis: Cross.apply(y, g, axis=axis),
        lambda g, _o, x, _y, axis: Cross.apply(g, x, axis=axis),
    )


@implements(np.linalg.cross)
def cross(x: Any, y: Any, /, *, axis: int = -1) -> Any:
    """Return the cross products of vectors of length 3 along an axis.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.cross(tg.Tensor([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0])
    Tensor([0., 0., 1.], op=Cross)
    """
    x, y = array(x), array(y)
    at = negative_axis(axis, min(x.ndim, y.ndim)) if axis < 0 else axis - max(x.ndim, y.ndim)
    if not (-at <= x.ndim and -at <= y.ndim) or x.shape[at] != 3 or y.shape[at] != 3:
        raise ValueError(f"cross: axis {axis} of x {tuple(x.shape)} and of y {tuple(y.shape)} must have length 3")
    return Cross.apply(x, y, axis=at)


class Vecdot(Op):
    """Sums of conj(x) * y along the last axis."""

    holomorphic = False
    cases = (((3, 4), (4,)), ((2, 1, 3), (4, 3)), ((2, 0), (0,)))

    @staticmethod
    def forward(x: Any, y: Any) -> Any:
        return np.vecdot(x, y)

    backward = (
        lambda g, _o, _x, y: conj(g)[..., None] * y,
        lambda g, _o, x, _y: g[..., None] * x,
    )


@implements(np.linalg.vecdot)
def vecdot(x: Any, y: Any, /, *, axis: int = -1) -> Any:
    """Return the sums of conj(x) * y along an axis.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.vecdot(tg.Tensor([1.0, 2.0]), [3.0, 4.0])
    Tensor(11., op=Vecdot)
    """
    x, y = moveaxis(array(x), axis, -1), moveaxis(array(y), axis, -1)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"vecdot: axis {axis} is {x.shape[-1]} long in x and {y.shape[-1]} in y")
    return Vecdot.apply(x, y)


@implements(np.linalg.outer)
def outer(x: Any, y: Any, /) -> Any:
    """Return all products of an element of the vector x with one of the vector y.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.outer(tg.Tensor([1.0, 2.0]), [3.0, 4.0]).shape
    (2, 2)
    """
    x, y = array(x), array(y)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"outer: vectors are wanted, not shapes {tuple(x.shape)} and {tuple(y.shape)}")
    return expand_dims(x, 1) * y


@implements(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Return a diagonal of each matrix: the main one, or ``offset`` places to the right of it.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.diagonal(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    Tensor([2.], op=Diagonal)
    """
    x = array(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: a matrix has two axes, this has shape {tuple(x.shape)}")
    return Diagonal.apply(x, k=operator.index(offset))


@implements(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Return the sum of a diagonal of each matrix.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.linalg.trace(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5., op=Sum)
    """
    return np.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


# ---------------------------------------------------------------------------------------------- tensors


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
        raise np.linalg.LinAlgError(f"tensorsolve: a {tuple(a.shape)} is no square matrix for b {tuple(b.shape)}")
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
        raise np.linalg.LinAlgError(f"tensorinv: shape {tuple(x.shape)} cut after {n} axes is no square matrix")
    return reshape(inv(reshape(x, (math.prod(front), math.prod(back)))), back + front)
