"""Products of matrices and of more general arrays: linear in each factor, so each rule is a product too.

`MatMul` works on stacks of matrices and `Einsum` on anything; `dot`, `inner`, `outer` and `tensordot` arrange
their arguments for the first.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from ..hotpath import Binary
from .arguments import array
from .axes import negative_axis
from .shape import Transpose, expand_dims, reshape


def _mT(x: Any) -> Any:
    return x.swapaxes(-1, -2)  # the method: np.swapaxes takes half a microsecond to find it


__all__ = [
    "cross",
    "dot",
    "einsum",
    "einsum_path",
    "inner",
    "matmul",
    "matvec",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]


class MatMul(Binary):
    """A product of stacks of matrices; the function `matmul` first makes vectors into matrices."""

    linear = "each"
    cases = (((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 0), (0, 3)), ((2, 1, 2, 3), (4, 3, 1)))
    forward = staticmethod(operator.matmul)
    backward = (
        lambda g, _o, _x, y: g @ _mT(y),  # stacks may broadcast: fit undoes it
        lambda g, _o, x, _y: _mT(x) @ g,
    )


@implements(np.matmul)
def matmul(x: Any, y: Any, /) -> Any:
    """Multiply matrices, stacks of matrices and vectors, as the ``@`` operator does.

    Parameters
    ----------
    x, y : Tensor or array_like
        At least one axis each; the last of x is as long as the last but one (a vector's only one) of y.

    Returns
    -------
    Tensor or ndarray
        The product; d/dx = g @ y.T, d/dy = x.T @ g.

    Raises
    ------
    ValueError
        If the lengths differ, or an argument is a scalar.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.matmul(tg.Tensor([[1.0, 2.0]]), [3.0, 4.0])
    Tensor([11.], op=Reshape)
    """
    x, y = array(x), array(y)
    row, column = x.ndim < 2, y.ndim < 2
    if not (row or column):
        try:
            return MatMul.apply(x, y)
        except ValueError:
            _check_product(x.shape, y.shape)
            raise
    _check_product(x.shape, y.shape)
    product = MatMul.apply(expand_dims(x, 0) if row else x, expand_dims(y, 1) if column else y)
    shape = list(product.shape)
    if column:
        del shape[-1]
    if row:
        del shape[-1 if column else -2]
    return reshape(product, shape)


def _check_product(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """Say which axes don't fit."""
    if not x or not y:
        raise ValueError(f"matmul: shapes {tuple(x)} and {tuple(y)}: for a scalar write x * y") from None
    inner = y[-2 if len(y) > 1 else 0]
    if x[-1] != inner:
        raise ValueError(
            f"matmul: x {tuple(x)} and y {tuple(y)}: the last axis of x ({x[-1]}) must equal the "
            f"{'last but one' if len(y) > 1 else 'only'} axis of y ({inner})"
        ) from None
    try:
        np.broadcast_shapes(x[:-2], y[:-2])
    except ValueError:
        raise ValueError(
            f"matmul: stacks of x {tuple(x)} and y {tuple(y)} do not broadcast; counted from the last, "
            "their axes must be equal or 1"
        ) from None


@implements(np.dot)
def dot(x: Any, y: Any, /) -> Any:
    """Sum over the last axis of x and the last but one (a vector's only one) of y; scalars multiply."""
    x, y = array(x), array(y)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, ([-1], [-2 if y.ndim > 1 else -1]))


@implements(np.inner)
def inner(x: Any, y: Any, /) -> Any:
    """Sum over the last axes of both; scalars multiply."""
    x, y = array(x), array(y)
    return tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y


@implements(np.outer)
def outer(x: Any, y: Any, /) -> Any:
    """All products of an element of x with one of y, both flattened: shape (x.size, y.size)."""
    return reshape(array(x), (-1, 1)) * reshape(array(y), (1, -1))


@implements(np.tensordot)
def tensordot(x: Any, y: Any, /, axes: int | Sequence[Any] = 2) -> Any:
    """Sum products over pairs of axes.

    Parameters
    ----------
    x, y : Tensor or array_like
        Any shapes.
    axes : int or (axes of x, axes of y)
        How many last axes of x meet as many first axes of y; or which meet which.
    """
    x, y = array(x), array(y)
    if isinstance(axes, Sequence) or np.ndim(axes):
        xs, ys = ([int(a) for a in np.atleast_1d(side)] for side in axes)  # type: ignore[union-attr]
    else:
        n = operator.index(axes)
        xs, ys = list(range(-n, 0)), list(range(n))
    xs, ys = [negative_axis(a, x.ndim) for a in xs], [negative_axis(a, y.ndim) for a in ys]
    if [x.shape[a] for a in xs] != [y.shape[a] for a in ys]:
        raise ValueError(
            f"tensordot: x {tuple(x.shape)} and y {tuple(y.shape)} differ along axes {axes}; equal lengths are wanted"
        )
    x_rest = [a for a in range(-x.ndim, 0) if a not in xs]
    y_rest = [a for a in range(-y.ndim, 0) if a not in ys]
    n = math.prod(x.shape[a] for a in xs)
    left = reshape(Transpose.apply(x, axes=(*x_rest, *xs)), (math.prod(x.shape[a] for a in x_rest), n))
    right = reshape(Transpose.apply(y, axes=(*ys, *y_rest)), (n, math.prod(y.shape[a] for a in y_rest)))
    return reshape(MatMul.apply(left, right), [x.shape[a] for a in x_rest] + [y.shape[a] for a in y_rest])


def _conjugate(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


@implements(np.vecdot)
def vecdot(x: Any, y: Any, /, axis: int = -1) -> Any:
    """Sum conj(x) * y along an axis of both, counted in their common shape."""
    x, y = array(x), array(y)
    x, y = (v if axis == -1 else np.moveaxis(v, axis, -1) for v in (x, y))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"vecdot: x {tuple(x.shape)} and y {tuple(y.shape)} differ along axis {axis}; equal lengths are wanted"
        )
    return reshape(MatMul.apply(expand_dims(_conjugate(x), -2), expand_dims(y, -1)), _stack(x, y))


def _stack(x: Any, y: Any) -> tuple[int, ...]:
    return np.broadcast_shapes(x.shape[:-1], y.shape[:-1])


@implements(np.vdot)
def vdot(x: Any, y: Any, /) -> Any:
    """Sum conj(x) * y over all elements."""
    return vecdot(reshape(array(x), (-1,)), reshape(array(y), (-1,)))


def matvec(x: Any, y: Any, /) -> Any:
    """Multiply stacks of matrices with stacks of vectors."""
    return matmul(x, expand_dims(array(y), -1))[..., 0]


def vecmat(x: Any, y: Any, /) -> Any:
    """Multiply stacks of (conjugated) vectors with stacks of matrices."""
    return matmul(expand_dims(_conjugate(array(x)), -2), y)[..., 0, :]


for _name in ("matvec", "vecmat"):  # ufuncs of NumPy 2.2
    if hasattr(np, _name):
        implements(getattr(np, _name))(globals()[_name])


@implements(np.cross)
def cross(x: Any, y: Any, /, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Return the cross product of vectors in space."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = np.moveaxis(array(x), axisa, -1), np.moveaxis(array(y), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ValueError(f"cross: vectors of 3 elements are wanted, not of {x.shape[-1]} and {y.shape[-1]}")
    return np.moveaxis(_turn(x, 1) * _turn(y, 2) - _turn(x, 2) * _turn(y, 1), -1, axisc)


def _turn(x: Any, k: int) -> Any:
    """Return (x1, x2, x0) or (x2, x0, x1)."""
    return np.concatenate([x[..., k:], x[..., :k]], axis=-1)


def einsum_path(*operands: Any, **options: Any) -> Any:
    """Return the order in which `numpy.einsum` would contract, as it does."""
    arrays: Any = [np.broadcast_to(0.0, x.shape) if hasattr(x, "shape") else x for x in operands]
    return np.einsum_path(*arrays, **options)


implements(np.einsum_path)(einsum_path)


# ---------------------------------------------------------------------------------------------- einsum


class Einsum(Op):
    """A sum of products by subscripts, one term for each array and one for the result, all letters."""

    linear, variadic = "each", True
    cases = (
        ((2, 3), (3, 4), {"terms": ("ij", "jk"), "result": "ik"}),
        ((3, 3), {"terms": ("ii",), "result": "i"}),
        ((3, 3, 2), (2, 3), {"terms": ("iij", "jk"), "result": "ki"}),
        ((2, 3), (4,), {"terms": ("ij", "k"), "result": "i"}),
        ((2, 1), (2, 3), {"terms": ("ij", "ij"), "result": "j"}),
        ((2, 3), (3, 4), (4, 2), {"terms": ("ij", "jk", "ki"), "result": ""}),
    )

    @staticmethod
    def forward(*arrays: Any, terms: tuple[str, ...], result: str) -> Any:
        # With a path np.einsum uses BLAS; finding one costs 20 microseconds, so tiny products go without.
        large = len(arrays) > 1 and sum(np.size(x) for x in arrays) > 500
        return np.einsum(f"{','.join(terms)}->{result}", *arrays, optimize=large)

    @staticmethod
    def backward(i: int, grad: Any, _out: Any, *arrays: Any, terms: tuple[str, ...], result: str) -> Any:
        """The same product with grad in the place of array i: its letters come out, the result's go in.

        A letter that is repeated within the term is a diagonal: a unit matrix ties the copy to it.  A letter that
        stands nowhere else was summed over alone: a vector of ones brings it back.
        """
        x, term = arrays[i], ""
        inputs, subscripts = [grad], [result]
        for k, other in enumerate(arrays):
            if k != i:
                inputs.append(other)
                subscripts.append(terms[k])
        spare = iter(c for c in _LETTERS if c not in "".join((*terms, result)))
        known = {
            c: n for s, y in zip(subscripts, inputs, strict=True) for c, n in zip(s, y.shape, strict=True) if n != 1
        }
        for letter, n in zip(terms[i], x.shape, strict=True):
            if letter in term:
                copy = next(spare)
                inputs.append(np.eye(n))
                subscripts.append(letter + copy)
                term += copy
            else:
                if letter not in known and (n != 1 or letter not in "".join(subscripts)):
                    inputs.append(np.ones(n))
                    subscripts.append(letter)
                term += letter
        return Einsum.apply(*inputs, terms=tuple(subscripts), result=term)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@implements(np.einsum)
def einsum(*operands: Any, optimize: Any = True) -> Any:
    """Sum products of arrays as subscripts say, in every form that ``numpy.einsum`` takes.

    Parameters
    ----------
    *operands : str then arrays, or arrays alternating with lists of ints
        For instance ``einsum("ij,jk->ik", x, y)``, ``einsum("...i,i", x, y)``, ``einsum("ii", x)`` or
        ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    optimize : object
        Accepted for NumPy's sake; a contraction path is always looked for where it pays.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.einsum("ii", x).backward()
    >>> x.grad
    Tensor([[1., 0.],
            [0., 1.]])
    """
    del optimize
    terms, result, arrays = _parse(operands)
    return Einsum.apply(*arrays, terms=terms, result=result)


def _parse(operands: Sequence[Any]) -> tuple[tuple[str, ...], str, list[Any]]:
    """Bring any form of call to letters only: one term an array, and the result's."""
    if isinstance(operands[0], str):
        text, arrays = operands[0].replace(" ", ""), [array(x) for x in operands[1:]]
    else:
        pairs = len(operands) // 2
        arrays = [array(x) for x in operands[0 : 2 * pairs : 2]]
        text = ",".join(map(_sublist, operands[1 : 2 * pairs : 2]))
        text += "->" + _sublist(operands[-1]) if len(operands) % 2 else ""
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"einsum: {text!r} has {len(terms)} terms for {len(arrays)} arrays; one for each is wanted")
    spare = [c for c in _LETTERS if c not in text]
    widest = 0
    for k, (term, x) in enumerate(zip(terms, arrays, strict=True)):
        extra = x.ndim - len(term.replace("...", ""))
        if extra < 0 or ("..." not in term and extra):
            raise ValueError(
                f"einsum: term {term!r} of {text!r} does not fit shape {tuple(x.shape)}; a letter for each axis, "
                "or ..., is wanted"
            )
        widest = max(widest, extra)
        terms[k] = term.replace("...", "".join(spare[:extra][::-1]))
    dots = "".join(spare[:widest][::-1])
    if not arrow:
        joined = "".join(terms)
        right = ("..." if "..." in left else "") + "".join(
            sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots)
        )
    result = right.replace("...", dots)
    bad = [c for c in "".join((*terms, result)) if c not in _LETTERS] or [c for c in result if c not in "".join(terms)]
    if bad or len(set(result)) < len(result):
        raise ValueError(f"einsum: {text!r}: the result's letters must stand once each, and in a term")
    return tuple(terms), result, arrays


def _sublist(labels: Sequence[Any]) -> str:
    letters = _LETTERS[26:] + _LETTERS[:26]  # NumPy's order, which an implicit result shows
    if any(label is not Ellipsis and not 0 <= label < 52 for label in labels):
        raise ValueError(f"einsum: labels {labels}: integers from 0 to 51 and ... are wanted")
    return "".join("..." if label is Ellipsis else letters[label] for label in labels)
