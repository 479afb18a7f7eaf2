"""Values of variables as people give them: ``w=0.3``, ``x=-20,0.5,1.2``, ``x=linspace(-5,5,11)``, ``x=@data.csv``.

A value is an expression of numbers, so ``x=2*pi/3`` and ``m=[[1,2],[3,4]]`` work too; or a file, named after
an ``@``.  Everything becomes float64.
"""

from __future__ import annotations

import keyword
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expression import Expression, ExpressionError, InputError
from .functions import FOR_VALUES

Array = NDArray[np.float64]

MOST_NUMBERS, MOST_CHARACTERS = 1_000_000, 32_000_000
"""How many numbers one variable may hold, and how long a text file may be."""


def read_variables(texts: Sequence[str]) -> dict[str, Array]:
    """Read ``name=value`` arguments.

    Parameters
    ----------
    texts : sequence of str
        What was typed.

    Returns
    -------
    dict
        The values by name, in the order given.

    Raises
    ------
    InputError
        If one is not of the form ``name=value``, is given twice, or cannot be read.

    Examples
    --------
    >>> {name: value.tolist() for name, value in read_variables(["w=0.3", "x=-20,0.5"]).items()}
    {'w': 0.3, 'x': [-20.0, 0.5]}
    """
    values: dict[str, Array] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())  # as Python's parser reads names
        if not equals:
            raise InputError(f"{text!r:.60} is not of the form name=value; a whole expression goes into quotes")
        if not name.isidentifier() or keyword.iskeyword(name):
            raise InputError(f"{name!r:.60} is not a name that a variable can have")
        if name in values:
            raise InputError(f"{name} is given twice; give it one value")
        values[name] = read_value(name, value.strip())
    return values


def read_value(name: str, text: str) -> Array:
    """Read one value: an expression of numbers, or ``@`` and a file's name."""
    if not text:
        raise InputError(
            f"{name}= has no value; write {name}=1.5, {name}=1,2,3, {name}=linspace(-5,5,11) or {name}=@file.csv"
        )
    try:
        value = _file(Path(os.path.expanduser(text[1:]))) if text.startswith("@") else _numbers(text)
    except ExpressionError as error:
        raise ExpressionError(f"in {name}=...: {error.message}", error.source, error.start, error.end) from None
    except InputError as error:
        raise InputError(f"{name}={text:.200}: {error}") from None
    if value.size > MOST_NUMBERS:
        raise InputError(f"{name} has {value.size:,} numbers; at most {MOST_NUMBERS:,} are read")
    return value


def _numbers(text: str) -> Array:
    value: Any = np.asarray(Expression(text, functions=FOR_VALUES)({}))
    if value.dtype.kind not in "iuf":
        raise InputError("real numbers are wanted")
    return np.asarray(value, np.float64)


def _file(path: Path) -> Array:
    readers = {".npy": _npy, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None or "\0" in path.name:
        raise InputError("the file's name must end in .npy or .csv")
    try:
        return reader(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}; name a file that is there") from None


def _npy(path: Path) -> Array:
    """Read an array that `numpy.save` wrote; nothing pickled, whatever the file says."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # mapped: its size is known before it is read
    except OSError:
        raise
    except Exception:  # NumPy reads a damaged header with Python's tokenizer: it may raise anything
        raise InputError("not an array that numpy.save wrote (pickled objects are never read)") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"an array of real numbers is wanted, not of {array.dtype}")
    if array.size > MOST_NUMBERS:
        raise InputError(f"{array.size:,} numbers; at most {MOST_NUMBERS:,} are read")
    return np.array(array, np.float64)


def _csv(path: Path) -> Array:
    """Read rows of numbers; one row or one column makes a vector.  A first row of names is passed over."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8; save it as one") from None
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"more than {MOST_CHARACTERS:,} characters; save the array as .npy instead")
    rows: list[list[float]] = []
    for number, line in enumerate(text.split("\n"), 1):
        cells = line.split(",")
        if not line.strip() or line.startswith("#") or (not rows and not any(map(_is_number, cells))):
            continue
        rows.append([_cell(cell, number) for cell in cells])
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"line {number} has {len(rows[-1])} numbers, the ones before it have {len(rows[0])}: as many are wanted"
            )
    if not rows:
        raise InputError("there are no numbers with commas between them in it, as are wanted")
    table = np.array(rows, np.float64)
    return table.reshape(-1) if 1 in table.shape else table


def _cell(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"line {line}: {text.strip()!r:.40} is not a number; only numbers are wanted") from None


def _is_number(text: str) -> bool:
    try:
        _cell(text, 0)
    except InputError:
        return False
    return True
