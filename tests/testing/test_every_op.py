"""Every op of the package, wholly: found by itself, checked by the package's own checker."""

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp import graph
from tinygrad_sp.testing.ops import verify_op

OPS = [
    op
    for op in graph.OPS
    if op.backward is not None and type(op).__module__.startswith("tinygrad_sp.") and not op.name.startswith("_")
]

# Each with its reason: what cannot be the derivative of the op's own forward.
EXEMPT = {"Distinct": "shares a cotangent among equal elements, by convention; its forward takes the first of them"}


@pytest.mark.parametrize("op", [op for op in OPS if op.name not in EXEMPT], ids=lambda op: op.name)
def test_op(op: graph.Op) -> None:
    with np.errstate(all="ignore"):
        verify_op(op, modes=("vjp", "jvp"))


def test_there_are_ops() -> None:
    assert len(OPS) > 40 and tg.Tensor is not None
