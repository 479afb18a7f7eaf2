"""Where in the user's code an op was called, and errors that say so.

The place is the innermost line outside of this package and of NumPy.  Finding it takes as long as recording an op,
so it is noted for the ops whose rules may well raise (a user's own, and those that refuse some inputs), and for
every op under `annotate` and `debug_nans`.
"""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any, NamedTuple

import numpy as np

_INSIDE = tuple(os.path.dirname(os.path.abspath(file)) + os.sep for file in (__file__, np.__file__))


class Place(NamedTuple):
    """A line of the user's code; `str` shows it as a traceback does, with its text."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        return f'File "{self.file}", line {self.line}, in {self.function}' + (f": {text}" if text else "")

    @property
    def short(self) -> str:
        """The line as "file:number"."""
        return f"{self.file if self.file.startswith('<') else os.path.basename(self.file)}:{self.line}"


def user_place() -> Place:
    """Return the line that called this package, however deep: 0.5 microseconds."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def blame(error: Exception, node: Any, argument: int | None) -> None:
    """Add to what a rule raised whose rule it is, and the shapes of its arguments."""
    which = "" if argument is None else f" for argument {argument}"
    shapes = ["constant" if p is None else str(p.shape) for p in node.parents if p is None or p.form is not tuple]
    add_text(error, f" -- raised by the rule of {node.op.name}{which}; shapes of its arguments: {', '.join(shapes)}")


def locate(error: Exception, node: Any) -> None:
    """Add to what a rule raised the line of the user's code that called its op."""
    name = "a leaf's hook" if node.is_end else f"the backward of {node.op.name}"
    place = getattr(node, "where", None)
    called = (
        f", called at {place}" if place else "; to see the line that called it, compute under `with tg.annotate():`"
    )
    add_text(error, f"\n  in {name}{'' if node.is_end else called}")


def add_text(error: Exception, text: str) -> None:
    """Add to an error's message where that is one string, and to its notes where it is not."""
    message = error.args[0] if len(error.args) == 1 else None
    if type(message) is str and str(error) == message:
        if not message.endswith(text):
            error.args = (message + text,)
    else:
        error.add_note(text.strip(" -\n"))
