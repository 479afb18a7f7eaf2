"""Products of matrices and vectors as ``linalg`` has them: of stacks, along the last axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array
from .axes import negative_axis
from .matrices import Diagonal
from .matrix_rules import (
    conj,
)
from .products import matmul, tensordot
from .shape import expand_dims, matrix_transpose, moveaxis, reshape
from .systems import inv

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
]

implements(np.linalg.matmul)(matmul)
implements(np.linalg.tensordot)(tensordot)
implements(np.linalg.matrix_transpose)(matrix_transpose)


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

    linear, holomorphic = "each", False
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
        raise ValueError(
            f"vecdot: axis {axis} is {x.shape[-1]} long in x and {y.shape[-1]} in y; equal lengths are wanted"
        )
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
        raise ValueError(f"diagonal: shape {tuple(x.shape)}; at least two axes are wanted")
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
