"""Where a NaN comes from: in a mode, every op and every rule is looked at, and the first bad one is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..graph import Node, Op, Traced
from ..modes import MODE, Mode, mode_is
from ..places import user_place


@contextmanager
def debug_nans() -> Iterator[None]:
    """Raise at the op that first makes a NaN or an infinity from finite values, forward or backward.

    A context manager, and a decorator.  Outside of it nothing is looked at and nothing costs time.

    Raises
    ------
    FloatingPointError
        With the op, the first bad index, the values that went in there, and the file and line of the call.

    Notes
    -----
    For the line in an error of the backward pass, the forward pass must have been inside too.  NumPy's own
    floating-point warnings are silenced meanwhile.  Functions of plain arrays are not looked at: `numpy.errstate`
    is for them.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 0.0])
    >>> with tg.debug_nans():
    ...     y = tg.sqrt(x).sum()
    ...     y.backward()
    Traceback (most recent call last):
        ...
    FloatingPointError: the backward of Sqrt made inf at [1] of the cotangent of argument 0, from finite values: ...
    """
    now = MODE.get() or Mode()
    mode = Mode(now.recording, _watch, _watch_rule, now.strict)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"), mode_is(mode):
        yield


def _plain(x: Any) -> Any:
    return np.asarray(x._everything() if isinstance(x, Traced) else x)


def _finite(x: Any) -> bool:
    x = _plain(x)
    return x.dtype.kind not in "fc" or bool(np.isfinite(x).all())


def _watch(op: Op, values: Sequence[Any], params: dict[str, Any], out: Any, _node: Node | None) -> None:
    """Look at an op's result."""
    for part in out if type(out) is tuple else (out,):
        if part is None or _finite(part) or not all(map(_finite, values)):
            continue
        index, what = _first_bad(part)
        raise FloatingPointError(
            f"{op.name} made {what} at {index} from finite values: {_inputs(values, part, index)}"
            f"{_shown(params)}\n  {user_place()}"
        )


def _shown(params: dict[str, Any]) -> str:
    """Show the parameters that a user gave, in one form or another; not the engine's own objects."""
    simple = (int, float, str, tuple, slice, type(None))
    shown = {key: value for key, value in params.items() if isinstance(value, simple)}
    return f", {shown}" if shown else ""


def _watch_rule(node: Node, argument: int, grad: Any, cotangent: Any) -> None:
    """Look at a cotangent that a rule gave."""
    if _finite(cotangent):
        return
    out, arrays = node.kept
    parts = grad if isinstance(grad, tuple) else (grad,)
    kept = [
        x
        for x in (*parts, *arrays, *(out if isinstance(out, tuple) else (out,)))
        if isinstance(x, (np.ndarray, np.generic, Traced, float))
    ]
    if not all(map(_finite, kept)):
        return
    index, what = _first_bad(cotangent)
    values = {
        f"argument {i}": x for i, x in enumerate(arrays) if isinstance(x, (np.ndarray, np.generic, Traced, float))
    }
    if isinstance(out, (np.ndarray, np.generic, Traced)):
        values["the result"] = out
    values |= {f"the cotangent{i or ''}": g for i, g in enumerate(parts) if g is not None}
    raise FloatingPointError(
        f"the backward of {node.op.name} made {what} at {index} of the cotangent of argument {argument}, from finite "
        f"values: {_named(values, cotangent, index)}"
    )


def _first_bad(x: Any) -> tuple[list[int], str]:
    x = _plain(x)
    index = tuple(np.argwhere(~np.isfinite(x))[0].tolist())
    return list(index), str(x[index])


def _inputs(values: Sequence[Any], out: Any, index: list[int]) -> str:
    return _named({f"argument {i}": x for i, x in enumerate(values)}, out, index)


def _named(values: dict[str, Any], out: Any, index: list[int]) -> str:
    """Say what went in: the elements at the index, where the shapes broadcast; else the range."""
    return ", ".join(f"{name} is {_element(_plain(x), _plain(out).shape, index)}" for name, x in values.items())


def _element(x: Any, shape: tuple[int, ...], index: list[int]) -> str:
    try:
        return f"{np.broadcast_to(x, shape)[tuple(index)]}"
    except ValueError:
        return f"of shape {x.shape} between {x.min()} and {x.max()}" if x.size else f"empty, of shape {x.shape}"
