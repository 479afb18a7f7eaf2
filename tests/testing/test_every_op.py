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


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_op(op: graph.Op) -> None:
    with np.errstate(all="ignore"):
        verify_op(op)


def test_there_are_ops() -> None:
    assert len(OPS) > 40 and tg.Tensor is not None
