"""What the rules of linear algebra are written with: adjoints, triangles, ties, and refusals.

A derivative that does not exist is refused with a `numpy.linalg.LinAlgError` that says why.  What is "equal" or
"zero" here is so up to the rounding of the decomposition that computed it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import everything
from .matrices import Diagonal, tril

TIE = 64  # singular or eigenvalues closer than TIE * n * eps * (the largest of them) count as equal


def mT(x: Any) -> Any:
    """The transpose of each matrix."""
    return np.swapaxes(x, -1, -2)


def conj(x: Any) -> Any:
    """The complex conjugate; of real numbers, no copy."""
    return np.conjugate(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return conj(mT(x))


def hermitian(x: Any) -> Any:
    """The Hermitian part of each matrix."""
    return (x + adjoint(x)) * 0.5


def half(x: Any) -> Any:
    """The lower triangle of each matrix with its diagonal halved."""
    return (tril(x) + tril(x, -1)) * 0.5


def diag_of(x: Any) -> Any:
    """The main diagonal of each matrix."""
    return Diagonal.apply(x, k=0)


def refuse(bad: Any, why: str) -> None:
    """Raise if anything is bad."""
    if np.any(everything(bad)):
        raise np.linalg.LinAlgError(why)


def eps_of(x: Any) -> float:
    """The rounding error of an array's dtype."""
    return float(np.finfo(x.dtype).eps)


def top(x: Any) -> Any:
    """The largest absolute value in each matrix, as a matrix of one element."""
    return np.max(np.abs(x), axis=(-2, -1), keepdims=True)


def ties(values: Any, n: int) -> Any:
    """Which pairs of values are equal up to rounding, as a matrix; each is equal to itself."""
    gap = np.abs(values[..., None, :] - values[..., :, None])
    if not values.shape[-1]:
        return gap == 0
    return gap <= TIE * n * eps_of(values) * np.max(np.abs(values), axis=-1)[..., None, None]


def share(grad: Any, same: Any) -> Any:
    """Let equal values share their cotangents equally: what does not depend on how they are numbered."""
    return np.sum(np.where(same, grad[..., None, :], 0.0), axis=-1) / np.sum(same, axis=-1)


def several(same: Any) -> Any:
    """Which values have others equal to them."""
    return np.sum(same, axis=-1) > 1


def refuse_vectors(same: Any, cotangent: Any, scale: Any, name: str) -> None:
    """Refuse a cotangent of vectors whose value is not the only one: they may be turned into each other.

    Whether what was made of them depends on how they are turned is not to be seen from here.
    """
    used = np.any(np.abs(cotangent) > scale * eps_of(cotangent) ** 0.5, axis=-2)
    refuse(several(same) & used, _EQUAL.format(name))


_EQUAL = (
    "{}: the vectors of equal values are not determined, and have no derivative. Differentiate a function of the "
    "values alone, or of the matrix"
)


def over_gaps(s: Any, gap: Any, same: Any) -> Any:
    """Return s / gap, and 0 where values are equal."""
    return np.where(same, 0.0, s / np.where(same, 1.0, gap))


def refuse_equal(same: Any, name: str) -> None:
    """Refuse the tangents of vectors of which some have equal values."""
    refuse(several(same), "forward mode through " + _EQUAL.format(name))


def gaps(w: Any) -> Any:
    """w_j - w_i."""
    return w[..., None, :] - w[..., :, None]


def gauge(phase: Any, scale: Any, name: str) -> None:
    """Refuse a cotangent that changes with the phases of complex vectors."""
    refuse(
        np.abs(phase) > scale[..., 0] * eps_of(phase) ** 0.5,
        f"{name}: the result depends on the phases of the vectors, which are arbitrary: it has no derivative. "
        "Take abs of the vectors, or their products with the conjugate",
    )


def completed(q: Any, first: Any) -> Any:
    """The tangent of a completed basis from that of its first columns; the others turn as little as they can."""
    k = first.shape[-1]
    if q.shape[-1] == k:
        return first
    return np.concatenate([first, -(q[..., :k] @ (adjoint(first) @ q[..., k:]))], axis=-1)


def into_range(q: Any, gq: Any, k: int, what: str) -> tuple[Any, Any]:
    """Bring the cotangent of a completed basis to its first k columns, which determine it up to a rotation."""
    first, rest, grest = q[..., :k], q[..., k:], gq[..., k:]
    turn = adjoint(rest) @ grest
    refuse(
        np.abs(turn - adjoint(turn)) > top(gq) * eps_of(q) ** 0.5,
        f"the result depends on how {what} was completed to a basis, which is arbitrary: it has no derivative",
    )
    return first, gq[..., :k] - rest @ (adjoint(grest) @ first)
