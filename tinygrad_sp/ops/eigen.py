"""Eigenvalues and eigenvectors: each rule in the basis that the decomposition found.

Conventions.  The argument of `eigh` and `eigvalsh` is a Hermitian matrix, and so is its cotangent, although only
one triangle is read.  Equal eigenvalues share their cotangents.  Vectors are determined up to a phase (real: a
sign), and those of equal values up to a rotation: a function of them that depends on the choice has no derivative,
and asking for one raises `numpy.linalg.LinAlgError`.

`eig` and `eigvals` are complex, as the array API standard has it; ``np.linalg.eig`` and ``np.linalg.eigvals`` of a
Tensor are real where all eigenvalues are, as NumPy's are.

Formulas: M. Giles, "Collected matrix derivative results" (2008).
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
    conj,
    diag_of,
    eps_of,
    gaps,
    gauge,
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
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
]


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class Eigh(Op):
    """The eigenvalues, ascending, and eigenvectors of a Hermitian matrix."""

    holomorphic, may_raise = False, True

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
            left = left + v @ over_gaps(s, gaps(w), same)
        return hermitian(left @ adjoint(v))

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any, *, uplo: Any) -> Any:  # noqa: ARG004
        (w, v), same = out, ties(out[0], out[0].shape[-1])
        refuse_equal(same, "eigh")
        m = adjoint(v) @ hermitian(tangents[0]) @ v
        return np.real(diag_of(m)), v @ over_gaps(m, gaps(w), same)


class Eigvalsh(Op):
    """The eigenvalues of a Hermitian matrix, ascending."""

    holomorphic = False

    @staticmethod
    def forward(x: Any, *, uplo: Any) -> Any:
        return np.linalg.eigvalsh(x, uplo)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, uplo: Any) -> Any:
        return Eigh.backward((grad, None), Eigh.apply(x, uplo=uplo), x, uplo=uplo)

    @staticmethod
    def push(tangents: Any, x: Any, *, uplo: Any) -> Any:
        """Value and tangent from one decomposition."""
        w, v = np.linalg.eigh(x, uplo)
        moved = np.real(np.sum(conj(v) * (hermitian(tangents[0]) @ v), axis=-2))
        return w, share(moved, ties(w, v.shape[-1]))


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


class Eig(Op):
    """The eigenvalues and eigenvectors of any square matrix."""

    holomorphic, may_raise = False, True

    @staticmethod
    def forward(x: Any) -> Any:
        return tuple(np.linalg.eig(x))

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        return _eig_rule(grad, out, phases_matter=True)

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any) -> Any:
        (w, v), same = out, ties(out[0], out[0].shape[-1])
        refuse_equal(same, "eig")
        m = np.linalg.solve(v, tangents[0] @ v)
        dv = v @ over_gaps(m, gaps(w), same)
        return diag_of(m), dv - v * np.sum(np.real(conj(v) * dv), axis=-2, keepdims=True)


def _eig_rule(grad: Any, out: Any, phases_matter: bool) -> Any:
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
        if phases_matter:
            gauge(np.imag(diag_of(s)), top(gv), "eig")
        s = s - (vh @ v) * np.real(diag_of(s))[..., None, :]  # the columns of v have length 1
        right = right + over_gaps(s, conj(gaps(w)), same) @ vh
    return np.linalg.solve(vh, right)


class _EigOfValues(Eig):
    """`Eig` as the rule of `Eigvals` uses it: what that makes is the same for all phases, up to rounding."""

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        return _eig_rule(grad, out, phases_matter=False)


class Eigvals(Op):
    """The eigenvalues of any square matrix."""

    holomorphic = False

    @staticmethod
    def forward(x: Any) -> Any:
        return np.linalg.eigvals(x)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        return _EigOfValues.backward((grad, None), _EigOfValues.apply(x), x)


def _complex(x: Any) -> Any:
    return x if x.dtype.kind == "c" else x.astype(np.result_type(x.dtype, np.complex64))


@implements(np.linalg.eig)
def _eig_as_numpy(a: Any, /) -> Any:
    """Return what `eig` does, real if all eigenvalues are."""
    return EigResult(*Eig.apply(array(a)))


@implements(np.linalg.eigvals)
def _eigvals_as_numpy(a: Any, /) -> Any:
    """Return what `eigvals` does, real if all eigenvalues are."""
    return Eigvals.apply(array(a))


def eig(x: Any, /) -> Any:
    """Return the eigenvalues and eigenvectors of a square matrix.

    Parameters
    ----------
    x : Tensor or array_like
        Matrices, shape (..., n, n).

    Returns
    -------
    EigResult
        ``eigenvalues``, shape (..., n), in no order, and ``eigenvectors``, columns of length 1.  Complex, also
        where all are real; ``np.linalg.eig(x)`` gives these as real numbers.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward, if the matrix is defective, or the result depends on eigenvectors of equal eigenvalues or
        on the phases of complex ones.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> tg.linalg.eig(x).eigenvalues[0].real.backward()
    >>> bool(np.allclose(x.grad.numpy(), [[1.0, 0.0], [-1.0, 0.0]]))
    True
    """
    return EigResult(*map(_complex, Eig.apply(array(x))))


def eigvals(x: Any, /) -> Any:
    """Return the eigenvalues of a square matrix, complex and in no order; equal ones share their cotangents.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([[0.0, 1.0], [4.0, 0.0]])
    >>> tg.sum(tg.linalg.eigvals(x) ** 2).real.backward()
    >>> bool(np.allclose(x.grad.numpy(), [[0.0, 8.0], [2.0, 0.0]]))
    True
    """
    return _complex(Eigvals.apply(array(x)))
