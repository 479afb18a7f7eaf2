"""The commands in ``docs/start.md`` print what is shown there.  (Its ``>>>`` examples are run as doctests.)"""

import re
import shlex
from pathlib import Path

from tinygrad_sp.cli import main

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "start.md").read_text(encoding="utf-8")


def test_the_commands_print_what_is_shown(capsys):
    shown = re.findall(r"^```console\n\$ python -m tinygrad_sp ([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    for command, expected in shown:
        assert main(shlex.split(command)) == 0
        assert capsys.readouterr().out == expected
