"""Singular values and vectors.

Conventions.  Equal singular values share their cotangents; at a singular value 0 the derivative is 0, as that of
`abs`.  Vectors are determined as far as those of `eigh`, the two sides together: what depends on more has no
derivative, and asking for one raises `numpy.linalg.LinAlgError`.
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
    gauge,
    into_range,
    over_gaps,
    refuse,
    refuse_equal,
    refuse_vectors,
    share,
    ties,
    top,
)

__all__ = [
    "SVDResult",
    "svd",
    "svdvals",
]


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


class SVD(Op):
    """Singular vectors and values."""

    holomorphic, may_raise = False, True

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
        return completed(u, du), ds, adjoint(completed(v, dv))


def _thin(u: Any, gu: Any, k: int, what: str) -> tuple[Any, Any]:
    """Return the vectors that belong to singular values, and their cotangent."""
    if gu is None:
        return u[..., :k], u[..., :k] * 0
    return (u, gu) if u.shape[-1] == k else into_range(u, gu, k, what)


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
    """The singular values, descending: x gets g[i] times u[i] v[i].T, summed (u, v the singular vectors)."""

    holomorphic = False
    cases = (((3, 4),), ((2, 3, 3),), ((1, 1),))

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.svdvals(x)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return SVD.backward((None, grad, None), SVD.apply(x, full=False), x, full=False)

    @staticmethod
    def push(tangents: Any, x: Any) -> Any:
        """Value and tangent from one decomposition."""
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        size = max(x.shape[-2:])
        moved = np.real(np.sum(np.conj(u) * (tangents[0] @ adjoint(vh)), axis=-2))
        moved = np.where(s <= TIE * size * eps_of(s) * s[..., :1], 0.0, moved)
        return s, share(moved, ties(s, size))


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
