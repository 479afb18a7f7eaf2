"""Functions of ``scipy.linalg`` with their derivatives: triangular systems, exponential, root, Sylvester's equation.

The rule of `expm` is `expm` of a matrix of twice the size, and that of `sqrtm` a Sylvester equation, so derivatives
of every order exist.  Stacks of matrices are taken everywhere.

Formulas: N. Higham, "Functions of Matrices" (2008), chapters 3, 6 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl  # type: ignore[import-untyped, unused-ignore]

from ..graph import Op
from ..ops.arguments import array, floating
from ..ops.matrices import tril
from ..ops.matrix_rules import conj, mT, refuse
from ..ops.shape import expand_dims, reshape

__all__ = ["cho_solve", "expm", "solve_sylvester", "solve_triangular", "sqrtm"]


def _stacked(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function of matrices to every matrix of stacks that broadcast."""
    if all(x.ndim == 2 for x in arrays):
        return function(*arrays)
    stack = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    wide = [np.broadcast_to(x, stack + x.shape[-2:]) for x in arrays]
    found = [function(*(x[i] for x in wide)) for i in np.ndindex(*stack)]
    return np.reshape(np.stack(found), stack + found[0].shape)


class SolveTriangular(Op):
    """The solutions x of a @ x = b, or a.T @ x = b, with a triangle of a."""

    cases = (
        ((3, 3), (3, 2), {"transposed": False, "lower": True, "unit": False}),
        ((3, 3), (2, 3, 1), {"transposed": True, "lower": False, "unit": True}),
    )
    domain = (0.5, 2.0)

    @staticmethod
    def forward(a: Any, b: Any, *, transposed: bool, lower: bool, unit: bool) -> Any:
        def one(a: Any, b: Any) -> Any:
            return sl.solve_triangular(a, b, trans=int(transposed), lower=lower, unit_diagonal=unit)

        return _stacked(one, a, b)

    @staticmethod
    def backward(grad: Any, out: Any, a: Any, _b: Any, *, transposed: bool, lower: bool, unit: bool) -> Any:
        gb = SolveTriangular.apply(a, grad, transposed=not transposed, lower=lower, unit=unit)
        ga = -(out @ mT(gb) if transposed else gb @ mT(out))
        k = -1 if unit else 0
        return tril(ga, k) if lower else mT(tril(mT(ga), k)), gb

    @staticmethod
    def tangent(tangents: Any, out: Any, a: Any, _b: Any, *, transposed: bool, lower: bool, unit: bool) -> Any:
        moved, right = tangents
        if moved is not None:
            k = -1 if unit else 0
            moved = tril(moved, k) if lower else mT(tril(mT(moved), k))
            product = (mT(moved) if transposed else moved) @ out
            right = -product if right is None else right - product
        return SolveTriangular.apply(a, right, transposed=transposed, lower=lower, unit=unit)


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """Return x with a @ x = b, where only one triangle of a is read.

    Parameters
    ----------
    a : Tensor or array_like
        Matrices, shape (..., n, n).
    b : Tensor or array_like
        A vector, shape (n,), or matrices, shape (..., n, k).
    trans : {0, 1, 2, "N", "T", "C"}
        Solve with a, its transpose, or its conjugate transpose.
    lower : bool
        Which triangle of a.
    unit_diagonal : bool
        Take the diagonal of a as ones.

    Returns
    -------
    Tensor or ndarray
        The solutions.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.linalg import solve_triangular
    >>> solve_triangular([[2.0, 0.0], [1.0, 1.0]], tg.Tensor([2.0, 4.0]), lower=True).numpy()
    array([1., 3.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular: trans={trans!r}; 0, 1 or 2 ('N', 'T' or 'C') is wanted")
    a, b = floating(a), floating(b)
    params = {"transposed": trans not in (0, "N"), "lower": bool(lower), "unit": bool(unit_diagonal)}
    a = conj(a) if trans in (2, "C") else a
    if b.ndim > 1:
        return SolveTriangular.apply(a, b, **params)
    x = SolveTriangular.apply(a, expand_dims(b, -1), **params)
    return reshape(x, x.shape[:-1])


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """Return x with a @ x = b from a Cholesky factor of a.

    Parameters
    ----------
    c_and_lower : (Tensor or array_like, bool)
        The factor, and whether it is the lower one.
    b : Tensor or array_like
        A vector or matrices.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.linalg import cho_solve
    >>> factor = tg.linalg.cholesky(tg.Tensor([[4.0, 0.0], [0.0, 9.0]]))
    >>> cho_solve((factor, True), [4.0, 9.0]).numpy()
    array([1., 1.])
    """
    c, lower = c_and_lower
    first, second = (0, 2) if lower else (2, 0)
    return solve_triangular(c, solve_triangular(c, b, first, lower), second, lower)


class Expm(Op):
    """The exponential of each matrix."""

    cases = (((2, 2),), ((2, 3, 3),), ((1, 1),))

    @staticmethod
    def forward(x: Any) -> Any:
        return sl.expm(x)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any) -> Any:
        n, turned = x.shape[-1], mT(x)
        if not n:
            return grad
        block = np.concatenate(
            [
                np.concatenate([turned, grad], axis=-1),
                np.concatenate([np.zeros_like(turned), turned], axis=-1),
            ],
            axis=-2,
        )
        return Expm.apply(block)[..., :n, n:]

    @staticmethod
    def tangent(tangents: Any, _out: Any, x: Any) -> Any:
        """SciPy's own where it is given arrays, otherwise a corner of a larger exponential."""
        t, n = tangents[0], x.shape[-1]
        if not x.size:
            return t
        if type(x) is type(t) is np.ndarray and x.dtype.char in "dD":
            rows = zip(x.reshape(-1, n, n), t.reshape(-1, n, n), strict=True)
            return np.stack([sl.expm_frechet(a, e, compute_expm=False) for a, e in rows]).reshape(x.shape)
        return Expm.backward(t, None, mT(x))


def expm(x: Any) -> Any:
    """Return the exponential of each square matrix.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.linalg import expm
    >>> x = tg.Tensor([[0.0, 2.0], [0.0, 0.0]])
    >>> expm(x).numpy()
    array([[1., 2.],
           [0., 1.]])
    """
    return Expm.apply(floating(x))


class Sylvester(Op):
    """The solutions x of a @ x + x @ b = q."""

    cases = (((3, 3), (2, 2), (3, 2)), ((2, 2, 2), (1, 1), (2, 1)))
    domain = (0.5, 2.0)

    @staticmethod
    def forward(a: Any, b: Any, q: Any) -> Any:
        return _stacked(_sylvester if a is b else sl.solve_sylvester, a, b, q)

    @staticmethod
    def backward(grad: Any, out: Any, a: Any, b: Any, _q: Any) -> Any:
        gq = Sylvester.apply(mT(a), mT(b), grad)
        return -(gq @ mT(out)), -(mT(out) @ gq), gq


def _sylvester(a: Any, _b: Any, q: Any) -> Any:
    """Solve a @ x + x @ a = q: one Schur form, where SciPy makes one for each side."""
    if not q.size:
        return q
    t, u = sl.schur(a, output="real")
    inner = u.conj().T @ q @ u
    trsyl = sl.get_lapack_funcs("trsyl", (t, inner))
    x, scale, _ = trsyl(t, t, inner)
    return u @ (x / scale) @ u.conj().T


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Return x with a @ x + x @ b = q.

    Parameters
    ----------
    a, b, q : Tensor or array_like
        Matrices, shapes (..., m, m), (..., n, n) and (..., m, n).

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.linalg import solve_sylvester
    >>> solve_sylvester(tg.Tensor([[1.0]]), [[2.0]], [[6.0]]).numpy()
    array([[2.]])
    """
    return Sylvester.apply(floating(a), floating(b), floating(q))


class Sqrtm(Op):
    """The principal square root of each matrix."""

    may_raise = True
    cases = ((np.array([[4.0, 0.3, -0.5], [0.2, 2.5, 0.7], [-0.4, 0.6, 3.1]]),),)

    @staticmethod
    def forward(x: Any) -> Any:
        return _stacked(sl.sqrtm, x)

    @staticmethod
    def backward(grad: Any, out: Any, _x: Any) -> Any:
        _refuse_singular(out)
        turned = mT(out)
        return Sylvester.apply(turned, turned, grad)

    @staticmethod
    def tangent(tangents: Any, out: Any, _x: Any) -> Any:
        _refuse_singular(out)
        return Sylvester.apply(out, out, tangents[0])


def _refuse_singular(root: Any) -> None:
    gaps = np.linalg.eigvals(root)
    sums = np.abs(gaps[..., None, :] + gaps[..., :, None])
    refuse(sums <= 1e-14 * np.max(np.abs(gaps)), "sqrtm has no derivative at a singular matrix")


def sqrtm(x: Any) -> Any:
    """Return the principal square root of each square matrix.

    Raises
    ------
    numpy.linalg.LinAlgError
        In backward at a singular matrix.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> from tinygrad_sp.scipy.linalg import sqrtm
    >>> x = tg.Tensor([[4.0, 0.0], [0.0, 9.0]])
    >>> bool(np.allclose(sqrtm(x).numpy(), [[2, 0], [0, 3]]))
    True
    """
    return Sqrtm.apply(array(floating(x)))
