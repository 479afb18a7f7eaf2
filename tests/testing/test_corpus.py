"""The project's own corpus: every wrong gradient is found, every difficult right one is left in peace."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_sp.testing import gradcheck

sys.path.insert(0, str(Path(__file__).parent))
import corpus
import corpus_alike
import corpus_edges
import corpus_traps


def _verdict(case: corpus.Case) -> tuple[str, str]:
    options = {k: v for k, v in case.options.items() if k != "allow_inconclusive"}
    with np.errstate(all="ignore"):
        report = gradcheck(case.f, *case.inputs, vjp=case.vjp, **options)
    return report.verdict, str(report)


@pytest.mark.parametrize(
    "case", corpus.WRONG + corpus_traps.WRONG + corpus_edges.WRONG + corpus_alike.WRONG, ids=lambda c: c.name
)
def test_wrong_is_found(case: corpus.Case) -> None:
    verdict, text = _verdict(case)
    assert verdict == "fail", text


@pytest.mark.parametrize(
    "case", corpus.RIGHT + corpus_traps.RIGHT + corpus_edges.RIGHT + corpus_alike.RIGHT, ids=lambda c: c.name
)
def test_right_is_left_in_peace(case: corpus.Case) -> None:
    verdict, text = _verdict(case)
    assert verdict == "pass", text


def test_the_corpus_is_large() -> None:
    assert len(corpus.WRONG) >= 60 and len(corpus.RIGHT) >= 60
    names = [c.name for c in corpus.WRONG + corpus.RIGHT]
    assert len(set(names)) == len(names)
