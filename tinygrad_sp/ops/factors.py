"""Cholesky and QR: triangular factors.

The argument of `cholesky` is a Hermitian matrix, and so is its cotangent, although only one triangle is read.

Formulas: M. Giles, "Collected matrix derivative results" (2008); S. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010), for the rectangular QR.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array
from .matrix_rules import (
    TIE,
    adjoint,
    completed,
    diag_of,
    eps_of,
    half,
    hermitian,
    into_range,
    refuse,
)

__all__ = [
    "QRResult",
    "cholesky",
    "qr",
]


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class Cholesky(Op):
    """The triangular factor of a positive definite matrix."""

    holomorphic = False

    @staticmethod
    def forward(x: Any, *, upper: bool) -> Any:
        return np.linalg.cholesky(x, upper=upper)

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any, *, upper: bool) -> Any:
        left, g = (out, adjoint(grad)) if upper else (adjoint(out), grad)  # x = left^H left
        inner = np.linalg.solve(left, hermitian(half(left @ g)))
        return hermitian(adjoint(np.linalg.solve(left, adjoint(inner))))

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any, *, upper: bool) -> Any:
        moved = _cholesky_tangent(adjoint(out) if upper else out, hermitian(tangents[0]))
        return adjoint(moved) if upper else moved


def _cholesky_tangent(left: Any, x: Any) -> Any:
    """The tangent of the lower factor ``left`` from that of the matrix, one block of columns after the other.

    Of a block on the diagonal it is left @ half(inv(left) @ x @ inv(left)^H), with what the columns before
    contributed taken off x, as in the factorization itself: all work on large matrices is products.
    """
    n, size = left.shape[-1], 64
    done: Any = left[..., :0]
    for i in range(0, n, size):
        block, before, below = left[..., i : i + size, i : i + size], left[..., i:, :i], left[..., i + size :, :]
        moved = x[..., i:, i : i + size]
        if i:
            head, turned = done[..., i:, :], adjoint(before[..., :size, :])
            moved = moved - head @ turned - before @ adjoint(head[..., :size, :])
        inverse = np.linalg.inv(block)
        top = block @ half(inverse @ moved[..., :size, :] @ adjoint(inverse))
        rest = (moved[..., size:, :] - below[..., i : i + size] @ adjoint(top)) @ adjoint(inverse)
        done = np.concatenate([done, np.concatenate([left[..., :i, i : i + size] * 0, top, rest], axis=-2)], axis=-1)
    return done


@implements(np.linalg.cholesky)
def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """Factor a Hermitian positive definite matrix as L @ L.conj().T.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).  Only one triangle is read.
    upper : bool
        Return U = L.conj().T instead, and read the upper triangle.

    Returns
    -------
    Tensor or ndarray
        The factor, with a positive diagonal.  The cotangent of x is Hermitian.

    Raises
    ------
    numpy.linalg.LinAlgError
        If x is not positive definite.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[4.0, 2.0], [2.0, 5.0]])
    >>> tg.linalg.cholesky(x)[1, 1].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0625, -0.125], [-0.125, 0.25]]))
    True
    """
    return Cholesky.apply(array(x), upper=bool(upper))


class QR(Op):
    """An orthonormal and an upper triangular factor."""

    holomorphic, may_raise = False, True
    cases = (((4, 3), {"mode": "reduced"}), ((2, 3, 3), {"mode": "reduced"}), ((2, 4), {"mode": "complete"}))

    @staticmethod
    def forward(x: Any, *, mode: Any) -> Any:
        return tuple(np.linalg.qr(x, mode))

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any, *, mode: str) -> Any:  # noqa: ARG004
        q, r = out
        m, n = _x.shape[-2:]
        k = min(m, n)
        if not k:
            return q @ r
        _refuse_dependent(r[..., :k, :k], max(m, n))
        gq = q * 0 if grad[0] is None else grad[0]
        gr = r * 0 if grad[1] is None else grad[1]
        if q.shape[-1] > k:  # complete
            q, gq = into_range(q, gq, k, "Q")
        r, rest, gr, grest = r[..., :k, :k], r[..., :k, k:], gr[..., :k, :k], gr[..., :k, k:]
        if n > k:  # x = [X, Y]: Q and R come from X, and the rest of R is Q^H Y
            gq = gq + q @ (rest @ adjoint(grest))
        inner = hermitian(half(r @ adjoint(gr) - adjoint(gq) @ q)) * 2
        gx = adjoint(np.linalg.solve(r, adjoint(gq + q @ inner)))
        return np.concatenate([gx, q @ grest], axis=-1) if n > k else gx

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any, *, mode: str) -> Any:  # noqa: ARG004
        (q, r), x = out, tangents[0]
        k = min(x.shape[-2:])
        first, square = q[..., :k], r[..., :k, :k]
        _refuse_dependent(square, max(x.shape[-2:]))
        z = adjoint(np.linalg.solve(adjoint(square), adjoint(x[..., :k])))
        s = adjoint(first) @ z
        turn = half(s) - adjoint(half(s))
        dq = first @ turn + (z - first @ s)
        dr = (s - turn) @ square
        if x.shape[-1] > k:
            dr = np.concatenate([dr, adjoint(first) @ x[..., k:] - turn @ r[..., :k, k:]], axis=-1)
        if r.shape[-2] > k:
            dr = np.concatenate([dr, r[..., k:, :] * 0], axis=-2)
        return completed(q, dq), dr


class RFactor(Op):
    """The triangular factor of QR alone."""

    holomorphic, may_raise = False, True
    cases = (((4, 3),), ((3, 3),), ((2, 4),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.qr(x, "r")

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return QR.backward((None, grad), QR.apply(x, mode="reduced"), x, mode="reduced")

    @staticmethod
    def tangent(tangents: Any, _out: Any, x: Any) -> Any:
        return QR.tangent(tangents, QR.apply(x, mode="reduced"), x, mode="reduced")[1]


def _refuse_dependent(r: Any, n: int) -> None:
    if not r.size:
        return
    pivots = np.abs(diag_of(r))
    refuse(
        np.min(pivots, axis=-1) <= TIE * n * eps_of(r) * np.max(pivots, axis=-1),
        f"qr has no derivative where the first {r.shape[-1]} columns are linearly dependent",
    )


@implements(np.linalg.qr)
def qr(x: Any, /, mode: str = "reduced") -> Any:
    """Factor a matrix into orthonormal columns Q and an upper triangular R.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., m, n): tall, square or wide.
    mode : {"reduced", "complete", "r"}
        Q with min(m, n) or with m columns; "r" returns R alone.

    Returns
    -------
    QRResult
        ``Q`` and ``R``, with x = Q @ R.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if the first min(m, n) columns are linearly dependent, or if the result depends on how
        a complete Q was completed.
    NotImplementedError
        For mode "raw".

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[3.0, 1.0], [4.0, 1.0]])
    >>> tg.linalg.qr(x).R[0, 0].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[-0.6, 0.0], [-0.8, 0.0]]))
    True
    """
    if mode == "r":
        return RFactor.apply(array(x))
    if mode not in ("reduced", "complete"):
        raise NotImplementedError(f"qr: mode={mode!r}; 'reduced', 'complete' or 'r' is wanted")
    return QRResult(*QR.apply(array(x), mode=mode))
