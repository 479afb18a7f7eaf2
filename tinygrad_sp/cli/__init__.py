"""The command line: an expression's value, its gradient from ``.backward()``, and the check by differences."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from .example import X, example_text
from .expression import Expression, InputError
from .functions import FUNCTIONS
from .plot import draw, plot_kind
from .sampling import sample
from .study import Study, study
from .text import as_json, as_text
from .tree import graph_text
from .values import Array, read_variables

DESCRIPTION = """\
Evaluate an expression, differentiate it with .backward(), and check every
derivative against differences.  Without an expression: the example of the
Softplus chapter."""

EPILOG = """\
an expression has
  variables      named as you like; each gets its value after the expression
  numbers        2, 1e-3, and pi, e, inf, nan
  operators      + - * / // % ** @, one of < <= > >= == !=, and & | ~
  indexing       x[0], x[1:, None], x[[0, 2]]
  functions      softplus sigmoid relu tanh exp log sum mean where ... (below)
and nothing else: no other name, attribute or call is ever run.  Quote it.

a value is
  w=0.3          a number, or computed from numbers: w=pi/3
  x=-20,0.5,1.2  a vector; a matrix is "m=[[1,2],[3,4]]"
  x=linspace(-5,5,11)
                 evenly spaced, here 11 numbers from -5 to 5
  x=@file.npy    an array of numbers that numpy.save wrote
  x=@file.csv    rows of numbers with commas between; a first row of names is
                 passed over
All are read as float64, at most 1,000,000 numbers each.

examples
  python -m tinygrad_sp
  python -m tinygrad_sp "softplus(w*x + b)**2" x=-20,0.5,1.2 w=0.3 b=-1
  python -m tinygrad_sp "x*sigmoid(x)" "x=linspace(-5,5,11)" --order 2
  python -m tinygrad_sp "mean(softplus(-y*(x @ w)))" x=@x.csv y=@y.csv w=1,-2
  python -m tinygrad_sp "exp(-x**2)" "x=linspace(-3,3,7)" --plot bell.svg

The gradient is that of the value, or of its sum if it has several elements;
the text says which.  "agree" is yes, NO, kink or jump (differences from the
left and from the right differ; they are shown, and ours is one of them or in
between), unsure (differences cannot tell), or - (not looked at by itself).

exit status: 0; 1 if a gradient check fails; 2 if the input cannot be used.
JSON has no NaN and no infinities: they are the strings "NaN", "Infinity" and
"-Infinity"; differences are null where an element was not looked at by itself.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the program's name.

    Returns
    -------
    int
        The exit status: 0, 1 if a gradient check fails, 2 for input that cannot be used.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show a character gets its code, not a crash
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            status, text = answer(sys.argv[1:] if argv is None else argv)
        print(text, flush=True)
        return status
    except InputError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except OSError as error:  # the reader went away, the disk is full
        _silence(sys.stdout)
        return _complain(f"the output could not be written: {error.strerror or error}")
    except MemoryError:
        return _complain("this needs more memory than there is")
    except Exception as error:  # a defect of ours; even so nobody should have to read a traceback
        return _complain(f"a defect in tinygrad_sp, please report it: {type(error).__name__}: {error}")


def answer(argv: Sequence[str]) -> tuple[int, str]:
    """Work out what to print for the arguments.

    Parameters
    ----------
    argv : sequence of str
        The arguments, without the program's name.

    Returns
    -------
    tuple
        The exit status, and the text.

    Raises
    ------
    InputError
        If the arguments cannot be used.
    """
    parser = _parser()
    options = parser.parse_intermixed_args([_positional(argument) for argument in argv])
    if options.help:
        return 0, parser.format_help().rstrip()
    if options.plot:
        plot_kind(options.plot)
    expression, values = _given(options.expression, options.variables)
    found = study(expression, values, options.order)
    text = as_json(found, options.graph) if options.json else _text(options, found)
    if options.plot:
        draw(options.plot, *sample(expression, values, options.order))
    return int(found.verdict == "fail"), text


def _given(source: str | None, texts: Sequence[str]) -> tuple[Expression, dict[str, Array]]:
    """Read the expression and the values, or take the chapter's."""
    if source is None:
        return Expression("softplus(x)", ["x"]), {"x": X}
    if re.match(r"\s*\w+\s*=(?!=)", source):
        raise InputError(f"{source!r:.60} gives a variable its value; write the expression first, then name=value")
    values = read_variables(texts)
    expression = Expression(source, values)
    unused = [name for name in values if name not in expression.used]
    if unused:
        raise InputError(f"{unused[0]} has a value but is not in the expression {expression.source:.200}; leave it out")
    return expression, values


def _text(options: argparse.Namespace, found: Study) -> str:
    plain_example = options.expression is None and options.order == 1
    parts = [example_text(found) if plain_example else as_text(found)]
    if options.graph:
        parts.append(f"the recorded graph\n{graph_text(found.node, found.names)}")
    if options.plot:
        parts.append(f"drawn in {options.plot}")
    return "\n\n".join(parts)


class _Parser(argparse.ArgumentParser):
    """Argument parser whose complaints are ours: one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        raise InputError(f"{message}; see --help")


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m tinygrad_sp",
        description=DESCRIPTION,
        epilog=f"{EPILOG}\n{_functions()}",
        formatter_class=functools.partial(argparse.RawDescriptionHelpFormatter, width=79),
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("expression", nargs="?", help='such as "softplus(w*x + b)**2"')
    add("variables", nargs="*", metavar="name=value", help="the value of each variable in it")
    add("--order", type=int, choices=(1, 2), default=1, help="2: second derivatives too, checked likewise")
    add("--json", action="store_true", help="print everything as JSON, all digits and all elements")
    add("--graph", action="store_true", help="print the recorded graph: each operation above what it read")
    add("--plot", type=Path, metavar="FILE", help="draw the function and its derivatives over a variable's range"
        " into FILE, .svg or .png (needs Matplotlib: pip install 'tinygrad_sp[plot]')")  # fmt: skip
    add("-h", "--help", action="store_true", help="print this and stop")
    return parser


def _functions() -> str:
    names = [f"{name}({','.join(sorted(f.params))})" if f.params else name for name, f in FUNCTIONS.items()]
    return textwrap.fill(f"functions, with what they take by name: {' '.join(sorted(names))}", 79)


def _positional(argument: str) -> str:
    """Keep argparse from taking an expression such as ``-x**2`` for an option: a blank in front says so."""
    return f" {argument}" if re.match(r"-(?!-|h$)", argument) else argument


def _complain(message: str) -> int:
    try:
        print(f"tinygrad_sp: {message}", file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)
    return 2


def _silence(stream: TextIO) -> None:
    """Point a stream that cannot be written to at nothing, so that closing it at exit cannot fail either."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
