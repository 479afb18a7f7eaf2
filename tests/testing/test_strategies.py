"""Random expressions: every one of them has right derivatives, in first and second order."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp.testing import gradcheck, strategies

QUIET = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(strategies.expressions())
def test_gradients_of_expressions(e: strategies.Expression) -> None:
    report = gradcheck(e, *e.inputs, domain=None)
    assert report.verdict != "fail", f"{e!r}\n{report}"


@settings(QUIET, max_examples=8)
@given(strategies.expressions(max_statements=4))
def test_second_derivatives_of_expressions(e: strategies.Expression) -> None:
    report = gradcheck(e, *e.inputs, order=2, domain=None)
    assert report.verdict != "fail", f"{e!r}\n{report}"


@QUIET
@given(strategies.expressions())
def test_an_expression_prints_as_python(e: strategies.Expression) -> None:
    space: dict[str, object] = {}
    exec(repr(e).replace("np.array", "np.array"), space)
    f = space["f"]
    assert callable(f)
    np.testing.assert_array_equal(f(*e.inputs), e(*e.inputs))


@QUIET
@given(strategies.tensors(), strategies.shapes(max_dims=2), st.data())
def test_tensors_and_arrays(t: tg.Tensor, shape: tuple[int, ...], data: st.DataObject) -> None:
    assert t.requires_grad and t.dtype == np.float64
    a = data.draw(strategies.arrays_like(shape=shape, dtype=np.complex64))
    assert a.shape == shape and a.dtype == np.complex64
    assert data.draw(strategies.arrays_like(a)).dtype == a.dtype


def test_without_hypothesis_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "tinygrad_sp.testing.strategies")
    with pytest.raises(ImportError, match="pip install hypothesis"):
        importlib.import_module("tinygrad_sp.testing.strategies")
