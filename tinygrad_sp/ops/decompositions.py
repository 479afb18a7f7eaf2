"""Cholesky, QR, eigenvalues, singular values: each rule in the basis that the decomposition found.

Conventions.  The argument of `cholesky`, `eigh` and `eigvalsh` is a Hermitian matrix, and so is its cotangent,
although only one triangle is read.  Equal eigenvalues and equal singular values share their cotangents; at a
singular value 0 the derivative is 0, as that of `abs`.  Vectors are determined up to a phase (real: a sign), and
those of equal values up to a rotation: a function of them that depends on the choice has no derivative, and
asking for one raises `numpy.linalg.LinAlgError`.

Formulas: M. Giles, "Collected matrix derivative results" (2008); S. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010), for the rectangular QR.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .axes import array
from .matrix_rules import (
    TIE,
    adjoint,
    conj,
    diag_of,
    eps_of,
    half,
    hermitian,
    over_gaps,
    refuse,
    refuse_equal,
    refuse_vectors,
    share,
    ties,
    top,
)

__all__ = [
    "EigResult",
    "EighResult",
    "QRResult",
    "SVDResult",
    "cholesky",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "qr",
    "svd",
    "svdvals",
]

_SQUARE = (((3, 3),), ((2, 3, 3),), ((1, 1),))


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


# ---------------------------------------------------------------------------------------------- Cholesky


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


# ---------------------------------------------------------------------------------------------- QR


class QR(Op):
    """An orthonormal and an upper triangular factor."""

    holomorphic = False
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
            q, gq = _into_range(q, gq, k, "Q")
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
        return _completed(q, dq), dr


class RFactor(Op):
    """The triangular factor of QR alone."""

    holomorphic = False
    cases = (((4, 3),), ((3, 3),), ((2, 4),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.qr(x, "r")

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return QR.backward((None, grad), QR.apply(x, mode="reduced"), x, mode="reduced")


def _refuse_dependent(r: Any, n: int) -> None:
    if not r.size:
        return
    pivots = np.abs(diag_of(r))
    refuse(
        np.min(pivots, axis=-1) <= TIE * n * eps_of(r) * np.max(pivots, axis=-1),
        f"qr has no derivative where the first {r.shape[-1]} columns are linearly dependent",
    )


def _into_range(q: Any, gq: Any, k: int, what: str) -> tuple[Any, Any]:
    """Bring the cotangent of a completed basis to its first k columns, which determine it up to a rotation."""
    first, rest, grest = q[..., :k], q[..., k:], gq[..., k:]
    turn = adjoint(rest) @ grest
    refuse(
        np.abs(turn - adjoint(turn)) > top(gq) * eps_of(q) ** 0.5,
        f"the result depends on how {what} was completed to a basis, which is arbitrary: it has no derivative",
    )
    return first, gq[..., :k] - rest @ (adjoint(grest) @ first)


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
        raise NotImplementedError(f"qr: mode={mode!r}; 'reduced', 'complete' or 'r'")
    return QRResult(*QR.apply(array(x), mode=mode))


# ---------------------------------------------------------------------------------------------- Hermitian


class Eigh(Op):
    """The eigenvalues, ascending, and eigenvectors of a Hermitian matrix."""

    holomorphic = False

    @staticmethod
    def forward(x: Any, *, uplo: Any) -> Any:
        return tuple(np.linalg.eigh(x, uplo))

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any, *, uplo: Any) -> Any:  # noqa: ARG004
        w, v = out
        if not v.size:
            return v
        gw, gv = grad[0], grad[1]
        same = ties(w, v.shape[-1])
        left = 0.0 if gw is None else v * share(gw, same)[..., None, :]
        if gv is not None:
            s = adjoint(v) @ gv
            refuse_vectors(same, gv, top(gv), "eigh")
            gauge(np.imag(diag_of(s)), top(gv), "eigh")
            left = left + v @ over_gaps(s, _gaps(w), same)
        return hermitian(left @ adjoint(v))

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any, *, uplo: Any) -> Any:  # noqa: ARG004
        (w, v), same = out, ties(out[0], out[0].shape[-1])
        refuse_equal(same, "eigh")
        m = adjoint(v) @ hermitian(tangents[0]) @ v
        return np.real(diag_of(m)), v @ over_gaps(m, _gaps(w), same)


def _gaps(w: Any) -> Any:
    """w_j - w_i."""
    return w[..., None, :] - w[..., :, None]


class Eigvalsh(Op):
    """The eigenvalues of a Hermitian matrix, ascending."""

    holomorphic = False

    @staticmethod
    def forward(x: Any, *, uplo: Any) -> Any:
        return np.linalg.eigvalsh(x, uplo)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, uplo: Any) -> Any:
        return Eigh.backward((grad, None), Eigh.apply(x, uplo=uplo), x, uplo=uplo)


def gauge(phase: Any, scale: Any, name: str) -> None:
    """Refuse a cotangent that changes with the phases of complex vectors."""
    refuse(
        np.abs(phase) > scale[..., 0] * eps_of(phase) ** 0.5,
        f"{name}: the result depends on the phases of the vectors, which are arbitrary: it has no derivative. "
        "Take abs of the vectors, or their products with the conjugate",
    )


@implements(np.linalg.eigh)
def eigh(x: Any, /, UPLO: str = "L") -> Any:
    """Return the eigenvalues and eigenvectors of a Hermitian matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n), of which one triangle is read.
    UPLO : {"L", "U"}
        Which.

    Returns
    -------
    EighResult
        ``eigenvalues``, ascending, shape (..., n), and ``eigenvectors``, the columns of (..., n, n).  The
        cotangent of x is Hermitian; equal eigenvalues share theirs.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if the result depends on the choice of eigenvectors of equal eigenvalues, or on the phases
        of complex ones.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 3.0]])
    >>> tg.linalg.eigh(x).eigenvalues[1].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0, 0.0], [0.0, 1.0]]))
    True
    """
    return EighResult(*Eigh.apply(array(x), uplo=UPLO))


@implements(np.linalg.eigvalsh)
def eigvalsh(x: Any, /, UPLO: str = "L") -> Any:
    """Return the eigenvalues of a Hermitian matrix, ascending; equal ones share their cotangents.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> tg.linalg.eigvalsh(x)[1].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.5, 0.0], [0.0, 0.5]]))
    True
    """
    return Eigvalsh.apply(array(x), uplo=UPLO)


# ---------------------------------------------------------------------------------------------- general


class Eig(Op):
    """The eigenvalues and eigenvectors of any square matrix."""

    holomorphic = False

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.eig(x))

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        w, v = out
        if not v.size:
            return v
        gw, gv, vh = grad[0], grad[1], adjoint(v)
        same = ties(w, v.shape[-1])
        values = np.linalg.svdvals(v)
        refuse(
            values[..., -1] <= TIE * v.shape[-1] * eps_of(v) * values[..., 0],
            "eig: the matrix is defective (it has too few eigenvectors), and its eigenvalues have no derivative",
        )
        right = 0.0 if gw is None else share(gw, same)[..., :, None] * vh
        if gv is not None:
            s = vh @ gv
            refuse_vectors(same, gv, top(gv), "eig")
            gauge(np.imag(diag_of(s)), top(gv), "eig")
            s = s - (vh @ v) * np.real(diag_of(s))[..., None, :]  # the columns of v have length 1
            right = right + over_gaps(s, conj(_gaps(w)), same) @ vh
        return np.linalg.solve(vh, right)

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any) -> Any:
        (w, v), same = out, ties(out[0], out[0].shape[-1])
        refuse_equal(same, "eig")
        m = np.linalg.solve(v, tangents[0] @ v)
        dv = v @ over_gaps(m, _gaps(w), same)
        return diag_of(m), dv - v * np.sum(np.real(conj(v) * dv), axis=-2, keepdims=True)


class Eigvals(Op):
    """The eigenvalues of any square matrix."""

    holomorphic = False

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.eigvals(x)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return Eig.backward((grad, None), Eig.apply(x), x)


@implements(np.linalg.eig)
def eig(x: Any, /) -> Any:
    """Return the eigenvalues and eigenvectors of a square matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).

    Returns
    -------
    EigResult
        ``eigenvalues``, shape (..., n), in no order, and ``eigenvectors``, columns of length 1.  Complex, unless
        all are real.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if the matrix is defective, or the result depends on eigenvectors of equal eigenvalues or
        on the phases of complex ones.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> tg.linalg.eig(x).eigenvalues[0].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[1.0, 0.0], [-1.0, 0.0]]))
    True
    """
    return EigResult(*Eig.apply(array(x)))


@implements(np.linalg.eigvals)
def eigvals(x: Any, /) -> Any:
    """Return the eigenvalues of a square matrix, in no order; equal ones share their cotangents.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[0.0, 1.0], [4.0, 0.0]])
    >>> tg.sum(tg.linalg.eigvals(x) ** 2).backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0, 8.0], [2.0, 0.0]]))
    True
    """
    return Eigvals.apply(array(x))


# ---------------------------------------------------------------------------------------------- singular values


class SVD(Op):
    """Singular vectors and values."""

    holomorphic = False

    @staticmethod
    def forward(x: Any, *, full: bool) -> Any:
        return tuple(np.linalg.svd(x, full))

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any, *, full: bool) -> Any:  # noqa: ARG004
        u, s, vh = out
        m, n, k = u.shape[-2], vh.shape[-1], s.shape[-1]
        if not k:
            return u[..., :0] @ vh[..., :0, :]
        gu, gs, gv = grad[0], grad[1], None if grad[2] is None else adjoint(grad[2])
        same, zero = ties(s, max(m, n)), s <= TIE * max(m, n) * eps_of(s) * s[..., :1]
        diagonal = s * 0 if gs is None else np.where(zero, 0.0, share(gs, same))
        if gu is None and gv is None:
            return (u[..., :k] * diagonal[..., None, :]) @ vh[..., :k, :]
        u, gu = _thin(u, gu, k, "U")
        v, gv = _thin(adjoint(vh), gv, k, "V")
        return _svd_rule(u, s, v, gu, gv, diagonal, same, zero)

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any, *, full: bool) -> Any:  # noqa: ARG004
        (u, s, vh), x = out, tangents[0]
        m, n, k = u.shape[-2], vh.shape[-1], s.shape[-1]
        same, zero = ties(s, max(m, n)), s <= TIE * max(m, n) * eps_of(s) * s[..., :1]
        refuse_equal(same, "svd")
        refuse(zero & (m != n or u.dtype.kind == "c"), "forward mode through svd: there are singular values 0")
        first, v = u[..., :k], adjoint(vh)
        across = adjoint(first) @ x @ v[..., :k]
        row, column, safe = s[..., None, :], s[..., :, None], np.where(zero, 1.0, s)[..., None, :]
        gap = (row - column) * (row + column)
        du = first @ over_gaps(across * row + column * adjoint(across), gap, same)
        du = du + (x @ v[..., :k] - first @ across) / safe
        dv = v[..., :k] @ over_gaps(column * across + adjoint(across) * row, gap, same)
        dv = dv + (adjoint(x) @ first - v[..., :k] @ adjoint(across)) / safe
        if u.dtype.kind == "c":
            du = du + first * (np.imag(diag_of(across))[..., None, :] / safe * 1j)
        ds = np.where(zero, 0.0, np.real(diag_of(across)))
        return _completed(u, du), ds, adjoint(_completed(v, dv))


def _completed(q: Any, first: Any) -> Any:
    """The tangent of a completed basis from that of its first columns; the others turn as little as they can."""
    k = first.shape[-1]
    if q.shape[-1] == k:
        return first
    return np.concatenate([first, -(q[..., :k] @ (adjoint(first) @ q[..., k:]))], axis=-1)


def _thin(u: Any, gu: Any, k: int, what: str) -> tuple[Any, Any]:
    """Return the vectors that belong to singular values, and their cotangent."""
    if gu is None:
        return u[..., :k], u[..., :k] * 0
    return (u, gu) if u.shape[-1] == k else _into_range(u, gu, k, what)


def _svd_rule(u: Any, s: Any, v: Any, gu: Any, gv: Any, diagonal: Any, same: Any, zero: Any) -> Any:
    """The cotangent of u @ diag(s) @ v^H: a rotation among the vectors, and one out of their span."""
    scale = np.maximum(top(gu), top(gv))
    p, q = adjoint(u) @ gu, adjoint(v) @ gv
    phase = np.imag(diag_of(p))
    gauge(phase + np.imag(diag_of(q)), scale, "svd")
    out_u, out_v = gu - u @ p, gv - v @ q  # zero where u, v are square
    small = scale * eps_of(s) ** 0.5
    away = (np.abs(phase) > small[..., 0]) | np.any(np.abs(out_u) > small, axis=-2)
    refuse(
        zero & (away | np.any(np.abs(out_v) > small, axis=-2)),
        "svd: the result depends on singular vectors of the singular value 0, which have no derivative",
    )
    row, column, safe = s[..., None, :], s[..., :, None], np.where(zero, 1.0, s)
    gap = (row - column) * (row + column)
    refuse_vectors(same, gu, scale, "svd")
    refuse_vectors(same, gv, scale, "svd")
    p, q = over_gaps(p, gap, same), over_gaps(q, gap, same)
    core = (p + adjoint(p)) * row + column * (q + adjoint(q))
    if u.dtype.kind == "c":
        diagonal = diagonal + phase / safe * 1j
    left = u @ core + u * diagonal[..., None, :] + out_u / safe[..., None, :]
    return left @ adjoint(v) + (u / safe[..., None, :]) @ adjoint(out_v)


class SVDVals(Op):
    """The singular values, descending."""

    holomorphic = False
    cases = (((3, 4),), ((2, 3, 3),), ((1, 1),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.svdvals(x)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return SVD.backward((None, grad, None), SVD.apply(x, full=False), x, full=False)


@implements(np.linalg.svd)
def svd(x: Any, /, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Return the singular value decomposition x = U @ diag(S) @ Vh.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., m, n).
    full_matrices : bool
        Complete U and Vh to square matrices.  In backward, what was added may matter only as a subspace.
    compute_uv : bool
        False returns the singular values alone, as `svdvals`.
    hermitian : bool
        Accepted for NumPy's sake: the result is the same, computed the general way.

    Returns
    -------
    SVDResult
        ``U``, ``S``, descending, and ``Vh``.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if the result depends on vectors that are not determined: those of equal singular values,
        those of a singular value 0 (of rectangular or complex matrices), the phases of complex ones.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[0.0, 2.0], [3.0, 0.0]])
    >>> tg.linalg.svd(x).S[0].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0, 0.0], [1.0, 0.0]]))
    True
    """
    del hermitian
    if not compute_uv:
        return svdvals(x)
    return SVDResult(*SVD.apply(array(x), full=bool(full_matrices)))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Return the singular values, descending; equal ones share their cotangents, at 0 the derivative is 0.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[3.0, 0.0], [0.0, -2.0]])
    >>> tg.linalg.svdvals(x)[1].backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0, 0.0], [0.0, -1.0]]))
    True
    """
    return SVDVals.apply(array(x))
