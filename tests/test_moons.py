"""The two-moons classifier of docs/moons.md: its code, run as it stands there, learns the points."""

import doctest
from pathlib import Path

import numpy as np

import tinygrad_sp as tg

PAGE = Path(__file__).parents[1] / "docs" / "moons.md"


def test_the_page_s_code_learns_the_two_moons():
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(PAGE.read_text()):
        exec(example.source, names)  # what it prints is compared where the page is run as a doctest
    sign, score, points = names["sign"], names["score"], names["points"]
    assert np.shape(points) == (200, 2)
    assert np.mean(np.sign(score(points).numpy()) == sign) >= 0.98
    assert all(isinstance(p, tg.Tensor) and p.is_leaf and p.requires_grad for p in names["parameters"])
