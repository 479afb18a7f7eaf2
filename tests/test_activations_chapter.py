"""The chapter in ``docs/activations.md`` is whole and says what is so: its functions, bounds and pictures.

(Its ``>>>`` examples, which compare every derivative derived there with the engine's, are run as doctests.)
"""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_sp.ops import activation, rectifier, softmax
from tinygrad_sp.plotting.curves import derivatives

DOCS = Path(__file__).resolve().parent.parent / "docs"
CHAPTER = (DOCS / "activations.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", CHAPTER, re.MULTILINE | re.DOTALL))


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


SCRIPT = module(DOCS / "plot_activations.py")
BOUNDS = module(Path(__file__).with_name("test_exactness.py")).BOUNDS
BY_PARAMETER = {"celu": "celu(2)"}  # the bounds are those of an alpha that is not 1


def test_every_activation_has_a_section():
    wanted = {*activation.__all__, *rectifier.__all__, *softmax.__all__, "gelu"}
    assert set(SECTIONS) == wanted
    for name, text in SECTIONS.items():
        assert re.search(r"^\$\$", text, re.MULTILINE), f"{name}: no formula"
        assert "**Accuracy.**" in text and "**Pitfalls.**" in text, name
        assert f"tg.{name}" in text, f"{name}: no code"
        assert f"](plots/{name}.svg)" in text, f"{name}: no picture"


def test_the_table_has_every_section():
    assert re.findall(r"^\| \[(\w+)\]\(#([\w-]+)\)", CHAPTER, re.MULTILINE) == [
        (name, name.replace("_", "-")) for name in SECTIONS
    ]


def stated(text):
    found = re.findall(r"within ([\d.]+), ([\d.]+) and\s([\d.]+) ulp", text)
    return [tuple(map(float, numbers)) for numbers in found]


@pytest.mark.parametrize("name", [name for name in SECTIONS if name not in softmax.__all__])
def test_the_bounds_are_those_tested(name):
    wanted = [BOUNDS[BY_PARAMETER.get(name, name)][0]]
    if name == "gelu":
        wanted.append(BOUNDS["gelu(tanh)"][0])
    assert stated(SECTIONS[name]) == wanted


def test_what_is_said_of_float32_is_what_is_tested():
    of_value_and_slope = {name: single[:2] for name, (_, single) in BOUNDS.items() if name != "tanh"}
    assert max(map(max, of_value_and_slope.values())) == 0.51
    assert BOUNDS["tanh"][1][:2] == (2, 0.51)


# ---------------------------------------------------------------------------------------------- pictures


def points(svg, k):
    """The points of a line in a file, and where a stroke begins."""
    path = re.search(rf'<g id="curve-{k}">\s*<path d="([^"]*)"', svg)[1]
    return np.array([(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", path)])


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """All pictures, drawn now."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("plots")
    for name in SCRIPT.PICTURES:
        SCRIPT.draw(name, folder)
    return folder


def check_picture(path):
    """The lines in a file, brought to one scale, are the function and its derivatives."""
    picture = SCRIPT.PICTURES[path.stem]
    svg = path.read_text(encoding="utf-8")
    assert f">{picture.label}<" in svg
    left, right = points(svg, 0)[[0, -1], 0]
    scale = None
    for k in range(3):
        drawn = points(svg, k)
        x = picture.lo + (picture.hi - picture.lo) * (drawn[:, 0] - left) / (right - left)
        beside = [np.array([derivatives(picture.function, at + d, 2)[k] for at in x]) for d in (-1e-4, 0.0, 1e-4)]
        if scale is None:
            scale = np.polyfit(beside[1], drawn[:, 1], 1)
        heights = np.polyval(scale, np.sort(beside, axis=0))  # at a jump, either side
        assert np.all((heights.min(0) - 0.3 <= drawn[:, 1]) & (drawn[:, 1] <= heights.max(0) + 0.3)), (path.stem, k)


@pytest.mark.parametrize("name", SCRIPT.PICTURES)
def test_the_picture_is_the_function_and_its_derivatives(name):
    check_picture(SCRIPT.PLOTS / f"{name}.svg")


@pytest.mark.parametrize("name", SCRIPT.PICTURES)
def test_the_script_draws_them(name, again):
    check_picture(again / f"{name}.svg")
    assert (SCRIPT.PLOTS / f"{name}.svg").stat().st_size < 25_000


def test_there_are_no_other_pictures():
    assert {path.stem for path in SCRIPT.PLOTS.glob("*.svg")} == set(SCRIPT.PICTURES)
    assert set(re.findall(r"\]\(plots/([\w-]+)\.svg\)", CHAPTER)) == set(SCRIPT.PICTURES)
