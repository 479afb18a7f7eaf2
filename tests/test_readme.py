"""What the README says to type is what the continuous integration types (its code blocks run as doctests)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_two_commands_to_the_letter():
    commands = re.findall(r"^pip install .*$", (ROOT / "README.md").read_text(), re.M)
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    assert all(command in script for command in commands)


def test_every_path_in_the_readme_is_there():
    text = (ROOT / "README.md").read_text()
    paths = re.findall(r"\]\(([\w/.]+)\)", text) + re.findall(r"`((?:tinygrad_sp|docs|tests|\.ci)/[\w/.]*)`", text)
    assert len(paths) > 8
    assert [path for path in paths if not (ROOT / path).exists()] == []
