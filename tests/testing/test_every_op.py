"""Every op of the package, wholly: found by itself, checked by the package's own checker."""

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp import graph
from tinygrad_sp.testing import gradcheck
from tinygrad_sp.testing.ops import verify_op

OPS = [
    op
    for op in graph.OPS
    if op.backward is not None and type(op).__module__.startswith("tinygrad_sp.") and not op.name.startswith("_")
]

SYMMETRIC = "reads one triangle of a matrix that must be symmetric: tested below, through x @ x.T"
GAUGE = "its vectors are free up to a phase: tested below, by what does not depend on it"
# Each with its reason: what cannot be tried on any matrix, or is by convention not its own forward's derivative.
EXEMPT = {
    "Distinct": "shares a cotangent among equal elements, by convention; its forward takes the first of them",
    "custom_vjp": "made anew for each function that it decorates",
    "Eigh": SYMMETRIC,
    "Eigvalsh": SYMMETRIC,
    "Cholesky": SYMMETRIC,
    "Eig": GAUGE,
    "Eigvals": GAUGE,
    "SVD": GAUGE,
}


@pytest.mark.parametrize("op", [op for op in OPS if op.name not in EXEMPT], ids=lambda op: op.name)
def test_op(op: graph.Op) -> None:
    with np.errstate(all="ignore"):
        verify_op(op, modes=("vjp", "jvp"))


def _positive(x):
    return x @ x.T + 2 * np.eye(3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.linalg.cholesky(_positive(x)),
        lambda x: np.linalg.eigvalsh(_positive(x)),
        lambda x: np.linalg.eigh(_positive(x))[1] ** 2,
        lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, full_matrices=False)[0] ** 2,
        lambda x: np.abs(np.linalg.eigvals(x)),
    ],
)
def test_decompositions(f) -> None:
    x = np.array([[0.9, -0.4, 0.3], [0.2, 1.7, 0.8], [-0.6, 0.1, -1.1]])
    report = gradcheck(f, x, order=2, domain=None)
    assert report.verdict == "pass", str(report)


def test_there_are_ops() -> None:
    assert len(OPS) > 40 and tg.Tensor is not None
