"""Batching: a `Batched` stands for one example and holds them all, along the first axis of what is below.

Ops count axes from the end, so most work unchanged under one more leading axis, once the arguments have the
same number of axes.  What needs more says so in a function ``batch`` beside the op or in ``batch_rules``.  What
can't be batched is run example by example, and says so once.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..cotangent import finite
from ..graph import Op, Traced, apply
from ..modes import MODE
from .arguments import arrays_of, as_array, function, own
from .batch_rules import RULES, spread
from .levels import DEPTH, Nested, deeper, lower, stop_gradient
from .trees import Tree, flatten, unflatten

_LAST: ContextVar[NotBatchable | None] = ContextVar("tinygrad_sp_not_batchable", default=None)


class NotBatchable(TypeError):
    """Code asked for the value of an example while all examples are being computed together."""

    def __init__(self, level: int) -> None:
        super().__init__(
            "a function given to vmap decides by values or leaves the Tensors (if, float, np.asarray, numpy()): "
            "use tg.where, and functions of tinygrad_sp or NumPy"
        )
        self.level = level
        _LAST.set(self)


def _unbatchable(error: Exception, level: int) -> Exception | None:
    """Return why a batch of this level can't be computed at once, if that is what an error says.

    NumPy makes another error of it in ``array[0] = value``.
    """
    if isinstance(error, NotImplementedError):
        return error
    said = error if isinstance(error, NotBatchable) else _LAST.get()
    if said is None or said.level != level:
        return None
    _LAST.set(None)
    return said


class Batched(Nested, internal=True):
    """All examples of a batch, seen as one: ``under`` has the batch as its first axis."""

    __slots__ = ()
    what: ClassVar[str] = "being batched"

    @property
    def _value(self) -> NoReturn:
        raise NotBatchable(self.level)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        shape: tuple[int, ...] = self.under.shape[1:]
        return shape

    def finite(self) -> Any:
        """Say where this is finite: for each example."""
        return batch_of(type(self), finite(self.under))

    def stopped(self) -> Any:
        """Return it constant: still one value for each example."""
        return batch_of(type(self), stop_gradient(self.under))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise NotBatchable(self.level)

    def _interpret(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        self.alive()
        level = self.level
        batched = [isinstance(x, Batched) and x.level == level for x in arrays]
        values = [x.under if b else lower(x) for x, b in zip(arrays, batched, strict=True)]
        out = self.all_at_once(op, batched, values, params)
        mode = MODE.get()
        if mode is not None and mode.watch is not None:
            mode.watch(op, values, params, out, None)
        kind = type(self)
        return tuple(batch_of(kind, y) for y in out) if type(out) is tuple else batch_of(kind, out)

    def all_at_once(self, op: Op, batched: list[bool], values: list[Any], params: dict[str, Any]) -> Any:
        """Apply an op to all examples."""
        if op.small and op.linear == "pointwise":
            return apply(op, aligned(batched, values), params)
        size = len(self.under)
        rule = RULES.get(op) or getattr(op, "batch", None)
        try:
            if rule is not None:
                return rule(size, batched, *values, **params)
            if op.linear == "pointwise" or not (op.own or len(values) > 1):
                return apply(op, aligned(batched, values), params)
            if op.own:
                raise NotImplementedError
            if op.linear == "joint":
                values = [x if b else spread(size, x) for x, b in zip(values, batched, strict=True)]
                return apply(op, aligned([True] * len(values), values), params)
            return apply(op, aligned(batched, values, every=True), params)
        except NotImplementedError:
            return self.one_by_one(op, size, batched, values, params)

    def one_by_one(self, op: Op, size: int, batched: list[bool], values: list[Any], params: dict[str, Any]) -> Any:
        """Apply an op to one example after the other."""
        say_once(f"vmap: the op {op.name} can't be batched; it is applied to one example after the other")
        outs = []
        for i in range(size):
            outs.append(apply(op, [x[i] if b else x for x, b in zip(values, batched, strict=True)], params))
        columns = list(zip(*outs, strict=True)) if outs and type(outs[0]) is tuple else [outs]
        if any(len({np.shape(y) for y in column}) != 1 for column in columns):
            raise NotBatchable(self.level)
        stacked = tuple(np.stack(column) for column in columns)
        return stacked if outs and type(outs[0]) is tuple else stacked[0]


def batch_of(kind: type[Any], value: Any) -> Any:
    """Make a Batched."""
    new: Batched = object.__new__(kind)
    new.under, new.node = value, None
    return new


def aligned(batched: Sequence[bool], values: Sequence[Any], every: bool = False) -> Sequence[Any]:
    """Give batched arguments as many axes as the widest has, so that what broadcast still does; or all of them."""
    if len(values) == 1:
        return values
    widths = [getattr(x, "ndim", 0) - b for x, b in zip(values, batched, strict=True)]
    widest = max(widths)
    found = []
    for x, b, width in zip(values, batched, widths, strict=True):
        if b and width < widest:
            x = np.reshape(x, (x.shape[0], *(1,) * (widest - width), *x.shape[1:]))
        elif every and not b:
            x = np.reshape(x, (*(1,) * (widest - width + 1), *np.shape(x)))
        found.append(x)
    return found


_SAID: set[Any] = set()


def say_once(text: str, of: Any = None) -> None:
    """Warn of something slow, the first time; of functions with the same name, of each."""
    key = text, getattr(of, "__code__", None)
    if key not in _SAID:
        _SAID.add(key)
        warnings.warn(text, stacklevel=user_level())


def user_level() -> int:
    """Return how many frames above the caller the user's code is, for a warning."""
    import sys

    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and __package__.split(".")[0] in frame.f_code.co_filename:
        level, frame = level + 1, frame.f_back
    return level


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Make the function that applies f to every example of a batch, all at once.

    Parameters
    ----------
    f : callable
        A function of one example: of arrays, or of nested tuples, lists and dicts of them.
    in_axes : int, None or a sequence or nesting of these
        Which axis of each argument counts the examples; None for an argument that all share.  One item may
        stand for a whole argument or for all.  Keyword arguments are batched along their first axis.
    out_axes : int, None or a nesting of these
        Where in each result the examples shall be counted; None for a result that all share.

    Returns
    -------
    callable
        Of whole batches.

    Raises
    ------
    ValueError
        When called: if arguments have different numbers of examples, or nothing to batch.

    Notes
    -----
    A function that decides by values (``if x > 0``) can't be batched: it is called for one example after the
    other, with a warning the first time.  Otherwise it is called once, and what it draws by ``np.random`` is the
    same for all examples.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.vmap(np.dot)(np.ones((3, 2)), np.arange(6.0).reshape(3, 2))
    array([1., 5., 9.])
    >>> loss = lambda w, x: (w @ x) ** 2
    >>> tg.vmap(tg.grad(loss), in_axes=(None, 0))(np.array([1.0, 2.0]), np.eye(2))  # per example
    array([[2., 0.],
           [0., 4.]])
    """
    return batched("vmap", f, in_axes, out_axes)


def batched(
    name: str, f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, of: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Do what `vmap` does, under another name and, in messages, for another function."""
    function(name, f)

    @functools.wraps(f)
    def for_all(*args: Any, **kwargs: Any) -> Any:
        call = _Call(name, f, of or f, args, kwargs, in_axes)
        with deeper() as level:
            kind = Batched.at(level)
            try:
                out = call.on([x if a is None else batch_of(kind, lower(x)) for x, a in call.arguments()])
                problem = None
            except Exception as error:
                problem = _unbatchable(error, level)
                if problem is None:
                    raise
        if problem is not None:
            out = call.one_by_one(problem, kind)
        leaves, structure = flatten(out)
        axes = structure.spread(out_axes, f"{name}: out_axes")
        counted = [0 if axis is None else x for x, axis in zip(leaves, axes, strict=True)]
        arrays_of(name, counted, structure, "arrays, or give it out_axes=None if all examples share it")
        results = [_placed(name, x, axis, call.size, level) for x, axis in zip(leaves, axes, strict=True)]
        return unflatten(structure, own(results, call.tensors and not DEPTH.get(), call.leaves))

    return for_all


class _Call:
    """A call of a function being batched: its leaves, and the axis of each."""

    def __init__(self, name: str, f: Callable[..., Any], of: Any, args: Any, kwargs: Any, in_axes: Any) -> None:
        self.name, self.f, self.of = name, f, of
        self.leaves, self.structure = flatten((args, kwargs))
        in_axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
        self.axes = self.structure.spread((in_axes, 0), f"{name}: in_axes")
        paths = ["argument " + path[4:].replace("]", "", 1) for path in self.structure.paths()]
        sizes = {}
        for i, (x, axis, path) in enumerate(zip(self.leaves, self.axes, paths, strict=True)):
            if isinstance(x, Nested):
                x.alive()
            if _no_axis(f"{name}: in_axes", axis):
                continue
            shape = np.shape(x)
            if not -len(shape) <= axis < len(shape):
                how = "in_axes=None for an argument that all share"
                if path.startswith("argument '"):
                    how = "a keyword argument that all share before, by functools.partial"
                raise ValueError(f"{name}: {path} has shape {shape}, no axis {axis}; give {how}")
            sizes[path] = shape[axis]
            self.leaves[i] = (
                x if isinstance(x, Traced) else np.asarray(as_array(x, partial("{}: {}".format, name, path)))
            )
        if len(set(sizes.values())) != 1:
            if not sizes:
                raise ValueError(f"{name}: nothing is batched; give in_axes, an axis of at least one argument")
            raise ValueError(f"{name}: not one number of examples, but {sizes}; as many are wanted in each argument")
        self.size = next(iter(sizes.values()))
        self.tensors = any(isinstance(x, Traced) and not x.level for x in self.leaves)

    def arguments(self) -> list[tuple[Any, Any]]:
        """Return each leaf, its batch brought to the front, and its axis."""
        pairs = zip(self.leaves, self.axes, strict=True)
        return [(np.moveaxis(x, axis, 0) if axis else x, axis) for x, axis in pairs]

    def on(self, leaves: Sequence[Any]) -> Tree:
        """Call the function."""
        args, kwargs = unflatten(self.structure, leaves)
        return self.f(*args, **kwargs)

    def one_by_one(self, problem: Exception, kind: type[Any]) -> Tree:
        """Call the function for each example, and stack the results."""
        name = getattr(self.of, "__qualname__", repr(self.of))
        if not self.size:
            raise problem
        arguments = self.arguments()
        outs = [self.on([x if a is None else x[i] for x, a in arguments]) for i in range(self.size)]
        say_once(
            f"{self.name}: {name} can't be batched, it is called for one example after the other: {problem}", self.of
        )
        first, structure = flatten(outs[0])
        rows = [structure.like(out, f"{self.name}: the result for an example") for out in outs]
        if any(np.shape(x) != np.shape(y) for row in rows for x, y in zip(row, first, strict=True)):
            raise ValueError(
                f"{self.name}: the results of {name} have different shapes for different examples; use np.where"
            )
        return unflatten(structure, [batch_of(kind, np.stack(column)) for column in zip(*rows, strict=True)])


def _no_axis(what: str, axis: Any) -> bool:
    """Whether it is None; refuse what is neither that nor an axis."""
    if axis is not None and (not isinstance(axis, (int, np.integer)) or isinstance(axis, bool)):
        raise TypeError(f"{what}: {axis!r} for an array; the number of an axis, or None, is wanted")
    return axis is None


def _placed(name: str, x: Any, axis: Any, size: int, level: int) -> Any:
    """Put the batch where the user wants it."""
    shared = _no_axis(f"{name}: out_axes", axis)
    varies = isinstance(x, Batched) and x.level == level
    if shared and not varies:
        return x
    if not shared and not -np.ndim(x) - 1 <= axis <= np.ndim(x):
        raise ValueError(f"{name}: out_axes is {axis} for a result of shape {np.shape(x)}; write -1 to have them last")
    if not varies:
        return np.moveaxis(spread(size, x), 0, axis)
    if shared:
        raise ValueError(f"{name}: out_axes is None for a result that differs between examples; give it an axis")
    return np.moveaxis(x.under, 0, axis) if axis else x.under
