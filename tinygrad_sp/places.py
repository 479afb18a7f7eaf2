"""Where in the user's code an op was called, and errors that say so.

The place is the innermost line outside of this package and of NumPy.  Every node keeps it as Python itself does, a
code object and an instruction in it, which costs 0.1 microseconds; what line that is, is worked out when asked.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

INSIDE = tuple(os.path.dirname(os.path.abspath(file)) + os.sep for file in (__file__, np.__file__))

USERS: set[str] = set()
"""Files of users' code, as far as they were met: the hot path asks no more than whether its caller is among them."""
_OURS: set[str] = set()


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


def user_frame(frame: FrameType) -> FrameType:
    """Return the innermost frame of the user's, from a frame outward."""
    while (file := frame.f_code.co_filename) not in USERS:
        if file not in _OURS:
            (_OURS if file.startswith(INSIDE) else USERS).add(file)
        elif frame.f_back is None:
            break
        else:
            frame = frame.f_back
    return frame


def note_caller(node: Any) -> None:
    """Note in a node the user's line that is being executed."""
    frame = user_frame(sys._getframe(1))
    node.code, node.at = frame.f_code, frame.f_lasti


def user_place() -> Place:
    """Return the line that called this package, however deep."""
    frame = user_frame(sys._getframe(1))
    return place_of(frame.f_code, frame.f_lasti)


def place_of(code: CodeType, at: int) -> Place:
    """Return the line of an instruction."""
    lines = (line for start, stop, line in code.co_lines() if start <= at < stop and line is not None)
    return Place(code.co_filename, next(lines, code.co_firstlineno), code.co_name)


def name_op(error: Exception, name: str, arrays: Sequence[Any]) -> None:
    """Add to what was raised where an op was applied which op, and to what, unless the message begins with it."""
    name, text = name.strip("_"), str(error)
    if " -- in " not in text and not re.match(rf"{name}\b", text.replace("_", ""), re.IGNORECASE):
        add_text(error, f" -- in {name} of {', '.join(map(_form, arrays))}")


def _form(array: Any) -> str:
    return f"{tuple(array.shape)} {array.dtype}" if hasattr(array, "shape") else type(array).__name__


def blame(error: Exception, node: Any, argument: int | None) -> None:
    """Add to what a rule raised whose rule it is, and the shapes of its arguments."""
    which = "" if argument is None else f" for argument {argument}"
    shapes = ["constant" if p is None else str(p.shape) for p in node.parents if p is None or p.form is not tuple]
    add_text(error, f" -- raised by the rule of {node.op.name}{which}; shapes of its arguments: {', '.join(shapes)}")


def locate(error: Exception, node: Any) -> None:
    """Add to what a rule raised the line of the user's code that called its op."""
    name = "a leaf's hook" if node.is_end else f"the backward of {node.op.name}"
    add_text(error, f"\n  in {name}{f', called at {node.where}' if node.where else ''}")


def add_text(error: Exception, text: str) -> None:
    """Add to an error's message where that is one string, and to its notes where it is not."""
    message = error.args[0] if len(error.args) == 1 else None
    if type(message) is str and str(error) == message:
        if not message.endswith(text):
            error.args = (message + text,)
    else:
        error.add_note(text.strip(" -\n"))
