"""Choosing by condition: a value that was not taken has no part in any derivative.

The ops here have ``masks = True``: in a graph with one of them the engine lets zero times infinity be zero
where no cotangent came in, so that no NaN leaks from the branch not taken, at any order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op, Traced
from .arguments import array, value
from .indexing import nonzero, setitem
from .joining import stack
from .masks import either
from .shape import broadcast_to, reshape

__all__ = [
    "choose",
    "clip",
    "copyto",
    "nan_to_num",
    "piecewise",
    "place",
    "putmask",
    "select",
    "where",
]


class Where(Op):
    """Elements of x where the condition holds, of y elsewhere; nothing flows to what was not taken."""

    linear, masks, holomorphic = "pointwise", True, False
    cases = (((3, 4), (3, 4), (4,)), ((), (3,), ()), ((0, 2), (2,), (1, 2)))
    conditions = 1  # how many leading arrays are conditions and not values

    @staticmethod
    def forward(condition: Any, x: Any, y: Any) -> Any:
        return either(condition, x, y)[()]

    backward = (
        lambda _g, _o, _c, _x, _y: None,
        lambda g, _o, c, _x, _y: either(c, g, 0.0),
        lambda g, _o, c, _x, _y: either(c, 0.0, g),
    )

    @staticmethod
    def tangent(tangents: Any, _out: Any, c: Any, _x: Any, _y: Any) -> Any:
        """Choose among the tangents."""
        _, t, u = tangents
        return either(c, 0.0 if t is None else t, 0.0 if u is None else u)


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Choose elements of x where the condition holds and of y elsewhere.

    Parameters
    ----------
    condition : Tensor or array_like of bool
        Not differentiated.
    x, y : Tensor or array_like
        The three shapes broadcast together.  Without them, the indices where the condition holds, as
        ``numpy.where`` gives them.

    Returns
    -------
    Tensor or ndarray
        The chosen elements.  No NaN or infinity leaks from an element that was not chosen, neither into the
        value nor into a derivative of any order.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([0.0, 4.0])
    >>> tg.where(x > 0, tg.sqrt(tg.where(x > 0, x, 1.0)), 0.0).backward([1.0, 1.0])
    >>> x.grad
    Tensor([0.  , 0.25])
    """
    condition = condition._value if isinstance(condition, Traced) and not condition.level else condition
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise TypeError("where: x and y are wanted, or neither; write where(condition, x, 0.0)")
    return Where.apply(condition, x, y)


class Clip(Op):
    """x limited to an interval: the cotangent goes to x inside (ends included), outside to the limit it met."""

    linear, masks, holomorphic = "pointwise", True, False
    cases = (((3, 4), (), ()), ((3,), (1,), (2, 1)))

    @staticmethod
    def forward(x: Any, lo: Any, hi: Any) -> Any:
        return np.clip(x, lo, hi)

    backward = (
        lambda g, _o, x, lo, hi: either((x >= lo) & (x <= hi), g, 0.0),
        lambda g, _o, x, lo, hi: either((x < lo) & (lo <= hi), g, 0.0),
        lambda g, _o, x, lo, hi: either((x > hi) | (lo > hi), g, 0.0),
    )


@implements(np.clip)
def clip(x: Any, /, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Any:
    """Limit x to the interval from min to max; either may be None.

    At x = min and x = max the derivative with respect to x is 1 (PyTorch's convention), and to the limit 0.
    """
    lo, hi = (a_min if min is None else min), (a_max if max is None else max)
    x = array(x)
    least, most = _ends(x.dtype)
    return Clip.apply(x, least if lo is None else lo, most if hi is None else hi)


def _ends(dtype: Any) -> tuple[Any, Any]:
    """Return numbers that limit nothing, and do not change the dtype."""
    if dtype.kind in "fc":
        return -np.inf, np.inf
    return (False, True) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


class NanToNum(Op):
    """Numbers in the place of NaN and infinities; only finite elements have a derivative."""

    linear, masks, holomorphic = "pointwise", True, False
    cases = (((3,), {"nan": 0.0, "posinf": None, "neginf": None}),)

    @staticmethod
    def forward(x: Any, *, nan: float, posinf: float | None, neginf: float | None) -> Any:
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, *, nan: float, posinf: float | None, neginf: float | None) -> Any:  # noqa: ARG004
        return either(np.isfinite(x), grad, 0.0)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, /, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """Put numbers in the place of NaN and infinities, by default 0 and the largest there are."""
    del copy
    x = array(x)
    if x.dtype.kind != "c":
        return NanToNum.apply(x, nan=nan, posinf=posinf, neginf=neginf)
    real, imag = (NanToNum.apply(part, nan=nan, posinf=posinf, neginf=neginf) for part in (np.real(x), np.imag(x)))
    return real + 1j * imag


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Take each element from the first choice whose condition holds there.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([-1.0, 4.0])
    >>> tg.select([x > 0, x < 0], [x / 2, 2 * x])
    Tensor([-2.,  2.], op=Where)
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(f"select: {len(condlist)} conditions for {len(choicelist)} choices; as many are wanted")
    pairs = list(zip(condlist, choicelist, strict=True))
    return functools.reduce(lambda rest, pair: where(pair[0], pair[1], rest), reversed(pairs), default)


@implements(np.choose)
def choose(x: Any, /, choices: Any, *, mode: str = "raise") -> Any:
    """Take each element from the choice whose number stands there."""
    options = stack(np.broadcast_arrays(*choices)) if isinstance(choices, (list, tuple)) else choices
    number, n = value(x), len(options)
    number = number % n if mode == "wrap" else np.clip(number, 0, n - 1) if mode == "clip" else number
    if np.size(number) and not (0 <= np.min(number) and np.max(number) < n):
        raise ValueError(f"choose: there are {n} choices, numbered from 0; the numbers go to {np.max(number)}")
    shape = np.broadcast_shapes(np.shape(number), options.shape[1:])
    if options.shape[1:] != shape:
        options = reshape(options, (n, *(1,) * (len(shape) + 1 - options.ndim), *options.shape[1:]))
        options = broadcast_to(options, (n, *shape))
    return options[(number, *np.ogrid[tuple(map(slice, shape))])]


@implements(np.piecewise)
def piecewise(x: Any, /, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Apply to the elements where a condition holds that condition's function; the last that holds wins.

    Each function sees only its own elements, so nothing leaks from those it was not meant for.

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate.
    condlist : sequence of bool arrays
        One for each function; a function more is for where none holds.
    funclist : sequence of callables and numbers
        What to apply; a number stands for the function that returns it.
    *args, **kw
        Given to every function.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([-1.0, 4.0])
    >>> tg.piecewise(x, [x < 0, x >= 0], [lambda v: -v, tg.sqrt]).backward([1.0, 1.0])
    >>> x.grad
    Tensor([-1.  ,  0.25])
    """
    x = array(x)
    single = not isinstance(condlist, (list, tuple)) or (not np.ndim(condlist[0]) and x.ndim != 0)
    conditions = [np.asarray(value(c), bool) for c in ([condlist] if single else condlist)]
    if len(conditions) == len(funclist) - 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(conditions) != len(funclist):
        raise ValueError(
            f"piecewise: {len(funclist)} functions for {len(conditions)} conditions; as many are wanted, or one more"
        )
    result = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if np.any(condition):  # as NumPy, no function is called for nothing
            piece = function(x[condition], *args, **kw) if callable(function) else function
            result = setitem(result, condition, piece)
    return result


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write into ``dst`` where the condition holds."""
    del casting
    dst[...] = src if where is True else _where(where, src, dst)


@implements(np.putmask)
def putmask(x: Any, /, mask: Any, values: Any) -> None:
    """Write into ``x`` where the mask holds the value at the same place; values are repeated if too few."""
    places = np.flatnonzero(value(mask))
    values = array(values).reshape(-1)
    _write(x, places, values[places % values.size])


@implements(np.place)
def place(x: Any, /, mask: Any, vals: Any) -> None:
    """Write into ``x``, where the mask holds, one value after the other; values are repeated if too few."""
    places = np.flatnonzero(value(mask))
    values = array(vals).reshape(-1)
    _write(x, places, values[np.arange(places.size) % values.size])


def _write(x: Any, places: Any, values: Any) -> None:
    if places.size:
        x[np.unravel_index(places, x.shape)] = values


_where = where
