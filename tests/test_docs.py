"""The site as a whole: every page is reached, every name documented, no code is shown that is not run.

(The cells with ``>>>`` are run as doctests; that Sphinx builds it without a warning, ``.ci/run`` sees.)
"""

import doctest
import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = script("reference_pages")
ACCURACY = script("accuracy")


def blocks(page):
    """The fenced blocks of a page: language and text."""
    return re.findall(r"^```([^\n`]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


# ---------------------------------------------------------------------------------------------- what is shown


def test_every_page_is_in_the_contents():
    listed = re.findall(r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    names = [line for text in listed for line in text.splitlines() if line and not line.startswith(":")]
    assert len(names) == len(set(names))
    assert set(names) == {page.stem for page in DOCS.glob("*.md")} - {"index"} | {"reference/index"}


@each_page
def test_no_python_is_shown_that_is_not_run(page):
    """All of it is cells; the one listing, in the chapter on softplus, is compared with the source by its own test."""
    code = [text for kind, text in blocks(page) if kind in ("python", "py", "pycon")]
    listings = [text for text in code if not text.startswith(">>> ")]
    assert len(listings) == (page.name == "softplus.md")


@each_page
def test_a_block_says_what_it_is(page):
    """So that none of Python slips by under another name."""
    for kind, text in blocks(page):
        assert kind in ("", "python", "pycon", "console", "{toctree}"), kind
        if kind == "":
            assert re.match(r"(pip install|python) ", text), text


@each_page
def test_commands_print_what_is_shown(page, capsys):
    for kind, text in blocks(page):
        if kind == "console":
            command, expected = text.removeprefix("$ ").split("\n", 1)
            if command.startswith("python -m tinygrad_sp"):
                assert main(shlex.split(command.removeprefix("python -m tinygrad_sp"))) == 0
                assert capsys.readouterr().out == expected
            else:
                assert command in (ROOT / ".ci" / "run").read_text(), command


def test_the_map_of_the_engine_names_what_is_there():
    package = Path(tg.__file__).parent
    rows = re.findall(r"^\| \d[^|]* \| (.*) \|$", (DOCS / "how-it-works.md").read_text(), re.MULTILINE)
    assert len(rows) > 8
    for row in rows:
        files = re.findall(r"`([\w/]+\.py)`", row)
        source = "".join((package / file).read_text() for file in files)
        for name in re.findall(r"`(?:\w+\.)?(\w+)(?:\([^`]*)?`", row):
            assert re.search(rf"\b(def|class) {name}\b", source) or name in ("py", "backward"), (name, files)


def test_the_picture_of_a_graph_is_the_one_that_is_described():
    cells = doctest.DocTestParser().get_examples((DOCS / "seeing.md").read_text(encoding="utf-8"))
    names = {}
    for cell in cells[: 1 + next(i for i, cell in enumerate(cells) if "backward" in cell.source)]:
        exec(cell.source, names)
    exec("svg = loss.graph().svg", names)
    texts = [re.findall(r">([^<\n]+)<", svg) for svg in ((DOCS / "graph.svg").read_text(), names["svg"])]
    assert texts[0] == texts[1] and "Softplus" in texts[0]


# ---------------------------------------------------------------------------------------------- the reference


def test_every_public_name_is_in_the_reference():
    grouped = [name for names in REFERENCE.groups().values() for name in names]
    assert len(grouped) == len(set(grouped))
    missing = {name for name in dir(tg) if not name.startswith("_") and callable(getattr(tg, name))} - set(grouped)
    assert {name for name in missing if getattr(tg, name).__module__.startswith("tinygrad_sp")} == set()
    text = "".join(REFERENCE.pages().values())
    for name in ["Tensor", "Op", "softplus", "grad", "vmap", "draw", "plot", "gradcheck", "expm", "einsum"]:
        assert re.search(rf"^\.\. auto(class|function|data):: {name}$", text, re.MULTILINE), name


def test_what_has_a_page_in_the_reference_is_ours():
    for group, names in REFERENCE.groups().items():
        assert "Any" not in names and "import_module" not in names, group


def test_a_second_writing_changes_nothing(tmp_path):
    REFERENCE.write(tmp_path)
    (tmp_path / "gone.rst").write_text("a page of a module that is no more")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.rst") if path.stem != "gone"}
    REFERENCE.write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.rst")} == before


# ---------------------------------------------------------------------------------------------- accuracy


def rows(table):
    return {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in table) if len(cells) > 1}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_accuracy_page_has_every_function_and_its_bounds(dtype):
    text = ACCURACY.PAGE.read_text(encoding="utf-8")
    shown = rows(re.search(rf"^\| {dtype.__name__} .*\n\|--.*\n((?:\|.*\n)+)", text, re.MULTILINE)[1].splitlines())
    assert list(shown) == list(ACCURACY.exact.REFERENCES)
    for name, cells in shown.items():
        numbers, bounds = zip(*(re.fullmatch(r"([\d.]+) \((.+)\)", cell).groups() for cell in cells), strict=True)
        assert list(bounds) == ACCURACY.stated(name, dtype)
        for number, bound in zip(numbers, bounds, strict=True):
            assert "more" in bound or float(number) <= float(bound)


@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_the_accuracy_page_says_what_is_measured_now(name):
    """To half an ulp: other processors round exp differently."""
    text = ACCURACY.PAGE.read_text(encoding="utf-8")
    shown = [
        float(cell.split()[0]) for cell in next(iter(rows(re.findall(rf"^\| {name} .*$", text, re.M)[:1]).values()))
    ]
    assert ACCURACY.measured(name, np.float64) == pytest.approx(shown, abs=0.5)
