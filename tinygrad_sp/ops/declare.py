"""How an elementwise function is declared: its op, its public function at full speed, its docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from sys import _getframe as caller
from typing import Any

import numpy as np

from ..blocks import shared
from ..dispatch import implements
from ..graph import Op, Rule
from ..hotpath import make_elementwise

_SLOW = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh "
    "arctanh".split()
)
_DOC = """{name}({args}), element by element, with broadcasting.

Parameters
----------
{args} : Tensor or array_like
    Arrays whose shapes broadcast together.

Returns
-------
Tensor or ndarray
    A Tensor if an argument is one, otherwise what ``numpy.{name}`` gives.

Notes
-----
{note}

Examples
--------
>>> import numpy as np, tinygrad_sp as tg
>>> bool(np.all(tg.{name}({example}).data == np.{name}({plain})))
True
"""


def elementwise(
    ufunc: Any,
    *rules: Rule | None,
    kernel: Callable[..., Any] | None = None,
    name: str | None = None,
    doc: str | None = None,
    note: str | None = None,
    **about: Any,
) -> Callable[..., Any]:
    """Declare an elementwise op and return its public function.

    Parameters
    ----------
    ufunc : callable
        NumPy's function, which will call ours when it meets a Tensor; or any function of arrays.
    *rules : callable or None
        One for each argument, pointwise linear in the cotangent; None for a function without a derivative.
    kernel : callable, optional
        What computes it, where something is faster: ``operator.mul`` takes 45 ns for two scalars where
        ``np.multiply`` takes 500.
    name, doc, note : str, optional
        The op's name; a whole docstring, or the line on the derivative in the usual one.
    **about
        Attributes of the op: ``holomorphic``, ``masks``, ``domain`` ...
    """
    public = name or ufunc.__name__
    camel = "".join(part.capitalize() for part in public.split("_"))
    if isinstance(ufunc, np.ufunc):
        about.setdefault("arity", ufunc.nin)
    op, function = make_elementwise(camel, kernel or (shared(ufunc) if public in _SLOW else ufunc), rules, **about)
    function.__name__ = function.__qualname__ = public
    function.__module__ = op.__module__ = caller(1).f_globals["__name__"]  # where it is declared, and pickle finds it
    function.__doc__ = doc or _doc(public, op, ufunc, note)
    function.op = op
    op.__doc__ = function.__doc__
    if op.backward is None:
        kinds = inspect.Parameter.POSITIONAL_ONLY
        function.__signature__ = inspect.Signature([inspect.Parameter(name, kinds) for name in "xyz"[: op.arity]])
    if isinstance(ufunc, np.ufunc):
        implements(ufunc)(function)
    return function  # type: ignore[no-any-return]


def _doc(name: str, op: Op, ufunc: Any, note: str | None) -> str:
    """Write the docstring of a row."""
    real = "d" * op.arity in "".join(getattr(ufunc, "types", ())).replace("->", "")
    value = ("1.5" if op.domain and op.domain[0] >= 1 else "0.5") if real else "3"
    values = ", ".join([value] * op.arity)
    note = note or ("Piecewise constant, or not a number: the result is a constant." if op.backward is None else "")
    wrapped = f"tg.Tensor({value})" + f", {value}" * (op.arity - 1)
    return _DOC.format(
        name=ufunc.__name__, args=", ".join("xyz"[: op.arity]), note=note, example=wrapped, plain=values
    ).replace(f"tg.{ufunc.__name__}", f"tg.{name}")
