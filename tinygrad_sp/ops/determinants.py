"""Determinants.

The rule of `det` is exact at singular matrices, in derivatives of every order: it divides by nothing that is small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, concrete, everything
from .matrix_rules import adjoint, diag_of, eps_of, mT, refuse

__all__ = [
    "SlogdetResult",
    "det",
    "slogdet",
]


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class Det(Op):
    """The determinant of each matrix.

    x gets g * out * linalg.inv(x).mT if x.ndim == 2 else
    (g * out)[..., None, None] * linalg.inv(x).mT (its limit where x is singular).
    """

    cases = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 0),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.det(x)

    @staticmethod
    def backward(grad: Any, out: Any, x: Any) -> Any:
        return grad[..., None, None] * mT(_adjugate(x, out))

    @staticmethod
    def tangent(tangents: Any, out: Any, x: Any) -> Any:
        return np.sum(mT(_adjugate(x, out)) * tangents[0], axis=(-2, -1))


def _adjugate(x: Any, det: Any) -> Any:
    """det(x) * inv(x), which is a polynomial in x, without dividing by anything small.

    The small singular values of x are lifted: y = x + u @ d @ v^H, with constants u, d, v.  Then
    det(x) = det(y) det(k) with the small matrix k = v^H inv(y) x v, and inv(x) follows from the Woodbury formula.
    """
    if not x.size:
        return x
    inverse = _safe_inverse(x)
    if inverse is not None:
        return det[..., None, None] * inverse
    value = concrete(x)
    u, s, vh = np.linalg.svd(value)
    largest = np.where(s[..., :1] > 0, s[..., :1], 1.0)
    lift = np.where(s <= eps_of(x) ** 0.25 * largest, largest, 0.0)
    r = max(1, int(np.max(np.sum(lift > 0, axis=-1))))
    vh = vh[..., value.shape[-1] - r :, :]
    ud = (u * lift[..., None, :])[..., value.shape[-1] - r :]
    y = x + ud @ vh
    inverse = np.linalg.inv(y)
    k_adjugate, k_det = _small_adjugate(vh @ inverse @ x @ adjoint(vh), r)
    within = (inverse @ ud) @ k_adjugate @ (vh @ inverse)
    return np.linalg.det(y)[..., None, None] * (k_det[..., None, None] * inverse + within)


def _safe_inverse(x: Any) -> Any:
    """The inverse of each matrix if all are well conditioned, else None."""
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return None
    sizes = [np.sum(np.abs(everything(z)), axis=-2).max(axis=-1) for z in (x, inverse)]
    return None if np.any(sizes[0] * sizes[1] > eps_of(x) ** -0.25) else inverse


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

    holomorphic, may_raise = False, True
    cases = (((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 0),))

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.slogdet(x))

    @staticmethod
    def backward(grad: Any, out: Any, x: Any) -> Any:
        sign, _ = out
        _refuse_singular(sign)
        g: Any = 0.0 if grad[1] is None else grad[1]
        if grad[0] is not None and x.dtype.kind == "c":
            g = g - np.imag(np.conjugate(grad[0]) * sign) * 1j
        elif grad[1] is None:
            return x * 0
        return g[..., None, None] * adjoint(np.linalg.inv(x))

    @staticmethod
    def tangent(tangents: Any, out: Any, x: Any) -> Any:
        sign, _ = out
        _refuse_singular(sign)
        ratio = np.sum(mT(np.linalg.inv(x)) * tangents[0], axis=(-2, -1))
        return sign * np.imag(ratio) * 1j if x.dtype.kind == "c" else None, np.real(ratio)


def _refuse_singular(sign: Any) -> None:
    refuse(sign == 0, "slogdet has no derivative at a singular matrix, where the logarithm is -inf; det has")


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
