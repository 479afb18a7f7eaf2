"""Borders round an array, in all of NumPy's modes: an axis at a time, each border computed from what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Traced
from .arguments import array
from .axes import along, negative_axis
from .joining import concatenate
from .ordering import median
from .reduction import max as _max
from .reduction import mean
from .reduction import min as _min
from .shape import Pad, broadcast_to, flip

__all__ = ["pad"]

_STATISTICS: dict[str, Any] = {"maximum": _max, "minimum": _min, "mean": mean, "median": median}
_OPTION = {
    "constant": "constant_values",
    "linear_ramp": "end_values",
    "reflect": "reflect_type",
    "symmetric": "reflect_type",
    **dict.fromkeys(_STATISTICS, "stat_length"),
}
_INDICES = ("edge", "empty", "wrap")  # modes without an option


@implements(np.pad)
def pad(x: Any, /, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    """Put a border round an array.

    Parameters
    ----------
    x : Tensor or array_like
        Any shape.
    pad_width : int, (before, after), one such pair per axis, or a dict of axes
        As for ``numpy.pad``.
    mode : str
        What the border holds: "constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect",
        "symmetric", "wrap" or "empty" (zeros).
    **options
        ``constant_values``, ``end_values`` (of "linear_ramp"), ``stat_length`` (how many elements next to the border
        count; by default all) or ``reflect_type`` ("even" or "odd"), as for ``numpy.pad``.

    Returns
    -------
    Tensor or ndarray
        Of x's dtype.

    Raises
    ------
    ValueError
        If an option does not belong to the mode.
    NotImplementedError
        If the mode is a function, which would write into the array.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 2.0, 4.0])
    >>> y = tg.pad(x, 2, mode="reflect", reflect_type="odd")
    >>> y
    Tensor([-2.,  0.,  1.,  2.,  4.,  6.,  7.], op=Concatenate)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([ 4., -1.,  4.])
    """
    x = array(x)
    if callable(mode):
        raise NotImplementedError("pad: a function as mode writes into the array; use concatenate, or one of the modes")
    if mode not in (*_OPTION, *_INDICES):
        raise ValueError(f"pad: mode={mode!r}; one of {', '.join(sorted((*_OPTION, *_INDICES)))} is wanted")
    known = {_OPTION[mode]} if mode in _OPTION else set()
    if set(options) - known:
        raise ValueError(f"pad: mode {mode!r} does not take {sorted(set(options) - known)}; write a mode that does")
    if not x.ndim:
        return x
    option = next(iter(options.values()), None)
    if isinstance(pad_width, dict):
        at = {negative_axis(a, x.ndim): w for a, w in pad_width.items()}
        pad_width = [np.broadcast_to(at.get(a, 0), 2) for a in range(-x.ndim, 0)]
    widths = tuple((int(a), int(b)) for a, b in np.broadcast_to(pad_width, (x.ndim, 2)))
    if mode in ("constant", "empty") and np.ndim(option or 0) == 0 and not isinstance(option, Traced):
        return Pad.apply(x, widths=widths, value=option or 0)
    pairs: Any = [(None, None)] * x.ndim
    if option is not None and _OPTION[mode] != "reflect_type":
        pairs = broadcast_to(array(option), (x.ndim, 2))
    for axis, width in zip(range(-x.ndim, 0), widths, strict=True):
        if width != (0, 0):
            x = _bordered(x, axis, width, mode, pairs[axis], option)
    return x


def _bordered(x: Any, axis: int, width: tuple[int, int], mode: str, pair: Any, option: Any) -> Any:
    """Put borders before and after along one axis."""
    if option == "odd" and mode in ("reflect", "symmetric") and x.shape[axis] > (mode == "reflect"):
        return _turned(x, axis, width, int(mode == "symmetric"))
    if mode in _STATISTICS:
        borders = [_statistic(x, axis, mode, length, side) for side, length in enumerate(pair)]
        blocks = [broadcast_to(b, _long(x, axis, n)) for b, n in zip(borders, width, strict=True)]
    elif mode == "linear_ramp":
        ends = [0 if end is None else end for end in pair]
        blocks = [_ramp(x, axis, width[side], ends[side], side) for side in (0, 1)]
    elif mode == "constant":
        blocks = [broadcast_to(array(v).astype(x.dtype), _long(x, axis, n)) for v, n in zip(pair, width, strict=True)]
    else:  # NumPy says for each place where it comes from
        return x[along(axis, np.pad(np.arange(x.shape[axis]), width, mode=mode))]  # type: ignore[call-overload]
    return concatenate([blocks[0], x, blocks[1]], axis)


def _long(x: Any, axis: int, n: int) -> list[int]:
    """Return the shape of x with n elements along an axis."""
    shape = list(x.shape)
    shape[axis] = n
    return shape


def _whole(x: Any, border: Any) -> Any:
    """Return a border in the dtype of x, rounded where that holds integers."""
    return (np.rint(border) if x.dtype.kind in "iu" and border.dtype.kind == "f" else border).astype(x.dtype)


def _statistic(x: Any, axis: int, mode: str, length: Any, side: int) -> Any:
    """The largest, smallest, mean or median of the elements next to a border."""
    n = x.shape[axis]
    count = n if length is None else min(int(length), n)
    part = x[along(axis, slice(n - count, n) if side else slice(count))]
    return _whole(x, _STATISTICS[mode](part, axis, keepdims=True))


def _ramp(x: Any, axis: int, n: int, end: Any, side: int) -> Any:
    """Numbers from the end of a border to what stands beside it, without that."""
    edge = x[along(axis, -1 if side else 0)]
    ramp = np.linspace(end, edge, n, endpoint=False, dtype=x.dtype, axis=axis)
    return flip(ramp, axis) if side else ramp


def _turned(x: Any, axis: int, width: tuple[int, int], again: int) -> Any:
    """Reflect to 2*edge - x, as often as it takes; ``again`` is 1 if the edge is repeated."""
    (before, after), period = width, x.shape[axis] - 1 + again
    while before or after:
        n = x.shape[axis]
        most = (n - 1 + again) // period * period  # whole periods, as NumPy: it is a matter of rounding
        left, right = min(most, before), min(most, after)
        parts = [x]
        if left:
            near = x[along(axis, slice(1 - again, left + 1 - again))]
            parts.insert(0, (2 * x[along(axis, slice(1))] - flip(near, axis)).astype(x.dtype))
        if right:
            near = x[along(axis, slice(n - 1 + again - right, n - 1 + again))]
            parts.append((2 * x[along(axis, slice(n - 1, n))] - flip(near, axis)).astype(x.dtype))
        x, before, after = concatenate(parts, axis), before - left, after - right
    return x
