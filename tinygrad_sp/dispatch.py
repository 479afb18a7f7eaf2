"""Which of our functions stands for which of NumPy's: one table, filled where the functions are declared.

``np.exp(t)``, ``np.sum(t, axis=0)`` and ``ndarray @ t`` reach a Tensor through NumPy's own protocols (NEP 13
and NEP 18); the Tensor looks here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

TABLE: dict[Any, Callable[..., Any]] = {}
"""NumPy's function (or ``(ufunc, method)``) to ours."""


def implements(*theirs: Any) -> Callable[[F], F]:
    """Decorate a function: it is what NumPy's named functions do when they meet a Tensor."""

    def register(ours: F) -> F:
        for function in theirs:
            TABLE[function] = ours
        return ours

    return register


def call_function(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Answer ``__array_function__``."""
    ours = TABLE.get(func) or _met(func)
    if ours is None:
        name = f"{func.__module__}.{func.__name__}".replace("numpy", "np", 1)
        raise NotImplementedError(
            f"{name} of a Tensor: tinygrad_sp has no derivative for it. If a constant will do, write "
            f"{name}(t.detach().numpy()); otherwise compose it from functions that have one, or declare an Op"
        )
    args, kwargs = _named(func, ours, args, kwargs)
    if kwargs.pop("out", None) is not None:
        refuse_out(func.__name__)
    return ours(*args, **kwargs)


def _named(func: Any, ours: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Put a call that fits NumPy's signature as one that fits ours: by name, but for what ours takes by place only."""
    names, placed = _signatures(func, ours)
    if not names or len(args) == placed:
        return args, kwargs
    given = dict(zip(names, args, strict=False)) | kwargs
    return [given.pop(name) for name in names[:placed] if name in given], given


@functools.cache
def _signatures(func: Any, ours: Any) -> tuple[list[str], int]:
    """Return NumPy's names of the arguments that have a place, and how many of them ours takes by place only."""
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        theirs = inspect.signature(func).parameters.values()
    except ValueError:  # a few functions written in C have none
        return [], 0
    mine = inspect.signature(ours, follow_wrapped=False).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in (*theirs, *mine)):
        return [], 0
    return [p.name for p in theirs if p.kind in by_place], sum(p.kind is p.POSITIONAL_ONLY for p in mine)


def call_ufunc(ufunc: np.ufunc, method: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Answer ``__array_ufunc__``."""
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    out = kwargs.pop("out", None)
    if out is not None:
        if method != "__call__" or not all(map(_is_constant, args)) or any(hasattr(x, "node") for x in out):
            refuse_out(name)
        return ufunc(*[x.numpy() if hasattr(x, "node") else x for x in args], out=out, **kwargs)
    if kwargs.pop("where", True) is not True:
        raise TypeError(f"np.{name}(..., where=...) of a Tensor: write np.where(condition, np.{name}(t), t)")
    dtype = kwargs.pop("dtype", None) if method == "__call__" else None
    casting = kwargs.pop("casting", "same_kind")
    for option in ("order", "subok"):
        kwargs.pop(option, None)
    if method in ("reduce", "accumulate"):
        kwargs.setdefault("axis", 0)  # the functions np.sum ... begin with all axes, these methods with the first
    if ufunc not in TABLE:
        _met(ufunc)
    ours = TABLE.get(ufunc if method == "__call__" else (ufunc, method))
    if ours is None and method != "__call__" and ufunc in TABLE and ufunc.nout == 1:
        ours = functools.partial(TABLE[method], ufunc)
    if ours is None:
        raise NotImplementedError(
            f"np.{name} of a Tensor: tinygrad_sp has no derivative for it. If a constant will do, write "
            f"np.{name}(t.detach().numpy())"
        )
    if dtype is not None:  # NumPy computes in that dtype
        args = [_cast(name, x, dtype, casting) for x in args]
    return ours(*args, **kwargs)


def _cast(name: str, x: Any, dtype: Any, casting: Any) -> Any:
    if not hasattr(x, "astype"):
        return np.asarray(x, dtype)[()]
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"np.{name}(..., dtype={np.dtype(dtype)}) can't cast {x.dtype} by the rule {casting!r}; write "
            f"np.{name}(t.astype({np.dtype(dtype)}))"
        )
    return x.astype(dtype)


def _is_constant(x: Any) -> bool:
    return not hasattr(x, "node") or (x.node is None and not x.level)


_HOMES = {"numpy.linalg": "linalg", "numpy.fft": "fft"}


def _met(theirs: Any) -> Callable[..., Any] | None:
    """Look again, after importing what declares such functions: most programs need none of it.

    An unknown ufunc may be one of SciPy's special functions, if SciPy is there; it is never imported for that.
    """
    home = _HOMES.get(getattr(theirs, "__module__", ""))
    if home is None and isinstance(theirs, np.ufunc) and "scipy.special" in sys.modules:
        home = "scipy.special"
    if home is not None:
        import_module(f"{__package__}.{home}")
    else:
        dir(import_module(__package__))  # to list its names, the package imports all of its parts
    return TABLE.get(theirs)


def refuse_out(name: str) -> None:
    """Raise: an array can't be made to hold a Tensor's value without losing the graph."""
    raise TypeError(
        f"np.{name}(..., out=...) with a Tensor: a result that is recorded can't be written into an array. "
        f"Write y = np.{name}(...); instead of `array += t` write `array = array + t`"
    )
