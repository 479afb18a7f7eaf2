"""Functions whose results are constants: indices, counts, sets of places, tests.

A row each: NumPy's function, run on the values.  It is an op without a rule, so its results are constants at
every level of nested derivatives.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from sys import _getframe as caller
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, concrete

__all__ = [
    "argwhere",
    "diag_indices_from",
    "digitize",
    "flatnonzero",
    "isclose",
    "iscomplex",
    "isin",
    "isneginf",
    "isposinf",
    "isreal",
    "ix_",
    "lexsort",
    "packbits",
    "ravel_multi_index",
    "tril_indices_from",
    "triu_indices_from",
    "unpackbits",
    "unravel_index",
]


def by_example(*_args: Any, **_params: Any) -> Any:
    """Tell a batching transform to take one example after the other: its axes are counted from the front."""
    raise NotImplementedError


@functools.cache
def _names(function: Any) -> list[str]:
    """Return the names of the parameters."""
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:  # older NumPy does not know them of its functions in C
        return []


def constant(function: Any, arrays: int = 1, stands_for: bool = True) -> Callable[..., Any]:
    """Declare an op of NumPy's function, the first arguments of which are arrays; return the public function."""
    name = function.__name__

    def forward(*args: Any, rest: tuple[Any, ...] = (), **params: Any) -> Any:
        result = function(*args, *rest, **params)
        return tuple(result) if isinstance(result, (tuple, list)) else result

    about = {"forward": forward, "batch": by_example, "__module__": __name__, "__doc__": f"`numpy.{name}`: a constant."}
    op: Any = type("".join(map(str.capitalize, name.split("_"))), (Op,), about)

    @functools.wraps(function)
    def public(*args: Any, **params: Any) -> Any:
        for key in _names(function)[len(args) : arrays] if params else ():
            if key in params:  # an array given by name
                args = (*args, params.pop(key))
        rest = tuple(map(concrete, args[arrays:]))
        given = [array(x) if isinstance(x, (list, tuple)) else x for x in args[:arrays]]
        return op.apply(*given, rest=rest, **{name: concrete(x) for name, x in params.items()})

    public.__doc__ = f"Return what ``numpy.{name}`` does, a constant."
    public.__module__ = caller(1).f_globals["__name__"]  # where it is declared, and pickle finds it
    public.__dict__.pop("__signature__", None)  # of NumPy's functions in C: `dispatch` would take it for ours
    public.__dict__["op"] = op.op
    return implements(function)(public) if stands_for else public


argwhere = constant(np.argwhere)
digitize = constant(np.digitize, 2)
flatnonzero = constant(np.flatnonzero)
iscomplex = constant(np.iscomplex)
isclose = constant(np.isclose, 2)
isin = constant(np.isin, 2)
isneginf = constant(np.isneginf)
isposinf = constant(np.isposinf)
isreal = constant(np.isreal)
lexsort = constant(np.lexsort)
diag_indices_from = constant(np.diag_indices_from)
tril_indices_from = constant(np.tril_indices_from)
triu_indices_from = constant(np.triu_indices_from)
packbits = constant(np.packbits)
unpackbits = constant(np.unpackbits)
unravel_index = constant(np.unravel_index)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Any:
    """Return the numbers, counted through the flattened array, of elements given by their indices."""
    return np.ravel_multi_index(tuple(map(concrete, multi_index)), dims, mode, order)


@implements(np.ix_)
def ix_(*sequences: Any) -> Any:
    """Return indices that take the rows and columns named: constants."""
    return np.ix_(*map(concrete, sequences))
