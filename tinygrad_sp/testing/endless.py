"""Whether a function may run forever: it is not called at values nobody gave unless it is seen that it can't.

NumPy's functions end.  A function of Python numbers may loop until something has converged, which elsewhere it may
never do; whether it loops stands in its code.
"""

from __future__ import annotations

import builtins
import contextlib
import dis
import functools
from types import CodeType, ModuleType
from typing import Any

from ..places import INSIDE

BACKWARD = frozenset(code for name, code in dis.opmap.items() if "JUMP_BACKWARD" in name)


def may_not_end(f: Any, within: tuple[Any, ...] = ()) -> bool:
    """Say whether a function, or one that it names, has a loop that is no ``for``, or calls itself.

    >>> import math
    >>> def root(x):
    ...     y = x
    ...     while abs(y * y - x) > 1e-12:
    ...         y = (y + x / y) / 2
    ...     return y
    >>> may_not_end(root), may_not_end(lambda x: math.sqrt(x) if x > 0 else sum(x**k for k in range(9)))
    (True, False)
    """
    while isinstance(f, functools.partial):
        f = f.func
    if isinstance(f, type):  # an op
        return any(may_not_end(vars(f).get(name), within) for name in ("forward", "backward"))
    owner = getattr(f, "__self__", None)
    f = getattr(f, "__func__", f)
    if not hasattr(f, "__code__") and hasattr(type(f).__call__, "__code__"):
        owner, f = f, type(f).__call__
    code = getattr(f, "__code__", None)
    if code is None:
        return False
    if code.co_filename.startswith(INSIDE):  # but not what it is given
        inner = [g for g in (*cells(f), owner) if callable(g)]
    else:
        inner = _named(f, code, owner)
        if f in within or _loops(code):
            return True
    return any(may_not_end(g, (*within, f)) for g in inner)


def _loops(code: CodeType) -> bool:
    if any(_loops(c) for c in code.co_consts if isinstance(c, CodeType)):  # comprehensions, lambdas
        return True
    if BACKWARD.isdisjoint(code.co_code[::2]):  # most functions: a tenth of the time
        return False
    steps = {step.offset: step for step in dis.get_instructions(code)}
    return any(steps[step.argval].opname != "FOR_ITER" for step in steps.values() if step.opcode in BACKWARD)


def _named(f: Any, code: CodeType, owner: Any) -> list[Any]:
    """Give the functions and classes that a function refers to, by themselves or in a module or an object."""
    known = getattr(f, "__globals__", {})
    found = [known.get(name, getattr(builtins, name, None)) for name in code.co_names]
    found += cells(f)
    for o in [o for o in (*found, owner) if o is not None]:
        space = vars(o if isinstance(o, (ModuleType, type)) else type(o))
        found += [getattr(o, name) for name in code.co_names if callable(space.get(name))]
    return [g for g in found if callable(g)]


def cells(f: Any) -> list[Any]:
    """Give what a function closes over."""
    found = []
    for cell in getattr(f, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a name not yet bound
            found.append(cell.cell_contents)
    return found
