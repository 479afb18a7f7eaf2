"""The chapter in ``docs/softplus.md`` says what is so: its code, its table, its picture, its commands.

(Its ``>>>`` examples are run as doctests.)
"""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.cli import main
from tinygrad_sp.ops import activation

DOCS = Path(__file__).resolve().parent.parent / "docs"
CHAPTER = (DOCS / "softplus.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", CHAPTER, re.MULTILINE | re.DOTALL)


def test_the_code_of_the_op_is_the_real_one():
    source = Path(activation.__file__).read_text(encoding="utf-8")
    code = blocks("python")
    assert len(code) == 1 and "class Softplus(Pointwise):" in code[0]
    assert code[0] in source


def test_the_commands_print_what_is_shown(capsys):
    shown = blocks("console")
    assert shown
    for block in shown:
        command, expected = block.split("\n", 1)
        assert main(shlex.split(command.removeprefix("$ python -m tinygrad_sp"))) == 0
        assert capsys.readouterr().out == expected


@pytest.fixture(scope="module")
def measured():
    """The table, measured here and now."""
    spec = importlib.util.spec_from_file_location("softplus_exactness", DOCS / "softplus_exactness.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.table()


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]


def test_the_table_is_what_the_script_measures(measured):
    """To half an ulp for ours: other processors round exp differently."""
    shown = cells(re.search(r"<!-- table: .*? -->\n(.*?)<!-- end", CHAPTER, re.DOTALL)[1])
    again = cells(measured)
    assert [row[0] for row in shown] == [row[0] for row in again] and shown[0] == again[0]
    for row, other in zip(shown[2:], again[2:], strict=True):
        for cell, now in zip(row[3:], other[3:], strict=True):
            assert float(now) <= float(cell) + 0.5
        for cell, now in zip(row[1:3], other[1:3], strict=True):
            numbers = re.match(r"\d", cell)
            assert float(now) == pytest.approx(float(cell), rel=0.5, abs=0.5) if numbers else now == cell


def test_ours_is_within_the_bounds_promised(measured):
    for row in cells(measured)[2:]:
        assert float(row[3]) <= 2 and float(row[4]) <= 2 and float(row[5]) <= 4


def test_the_picture_is_softplus_and_its_derivatives():
    """The curves in the file, brought to one scale, are the functions."""
    svg = (DOCS / "softplus.svg").read_text(encoding="utf-8")
    assert all(f">{label}<" in svg for label in ("softplus(x)", "derivative", "second derivative"))
    paths = [re.findall(r"[ML] (\S+) (\S+)", path) for path in re.findall(r'<path d="([^"]*)"', svg)]
    curves = [np.array(path, dtype=float) for path in paths if len(path) > 20]
    assert len(curves) == 3
    scale = None
    for curve, f in zip(curves, (tg.softplus, tg.sigmoid, lambda x: tg.sigmoid(x) * tg.sigmoid(-x)), strict=True):
        x = -6 + 12 * (curve[:, 0] - curve[0, 0]) / (curve[-1, 0] - curve[0, 0])
        if scale is None:
            scale = np.polyfit(f(x), curve[:, 1], 1)
        np.testing.assert_allclose(np.polyval(scale, f(x)), curve[:, 1], atol=0.3)  # of 288 points


def test_the_picture_is_drawn_by_the_command_shown(tmp_path):
    pytest.importorskip("matplotlib")
    command = re.search(r"^python -m tinygrad_sp (.*--plot) docs/softplus.svg$", CHAPTER, re.MULTILINE)[1]
    assert main([*shlex.split(command), str(tmp_path / "again.svg")]) == 0
    again = (tmp_path / "again.svg").read_text(encoding="utf-8")
    assert again.count("<path") == (DOCS / "softplus.svg").read_text(encoding="utf-8").count("<path")
