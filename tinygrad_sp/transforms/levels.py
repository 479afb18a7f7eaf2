"""Levels: how derivatives and batches nest without one taking another's variable for its own.

Users' Tensors live on level 0.  A jvp, a vmap, and a gradient taken inside one of these, each work on a level
of their own, one higher than what is around them.  A value of a level wraps values of lower ones; an op goes
to the highest level among its arguments, which takes its wrappers off and applies the op to what is below.
So whatever the nesting, each transform sees only its own variables; all else is constant to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, ClassVar, NoReturn, cast

import numpy as np

from ..cotangent import finite
from ..graph import Node, Op, Traced, make_tensor, plain
from ..modes import MODE, Mode, mode_is, recording
from ..record import record
from ..tensor import Tensor, constant
from .trees import tree_map

DEPTH: ContextVar[int] = ContextVar("tinygrad_sp_depth", default=0)
"""The level of the innermost transform that is running in this thread and async task."""


@contextmanager
def deeper() -> Iterator[int]:
    """Open a level above all that are in use."""
    level = DEPTH.get() + 1
    token = DEPTH.set(level)
    try:
        yield level
    finally:
        DEPTH.reset(token)


@contextmanager
def at_depth(level: int) -> Iterator[None]:
    """Work where values of a level are alive: for a function of the user's that reads them, when it is called late."""
    token = DEPTH.set(max(level, DEPTH.get()))
    try:
        yield
    finally:
        DEPTH.reset(token)


@contextmanager
def always_recording() -> Iterator[None]:
    """Record, inside a `no_grad` too: a derivative taken there is still a derivative."""
    mode = MODE.get()
    if mode is None or mode.recording:
        yield
    else:
        with mode_is(Mode(True, mode.watch, mode.watch_rule, mode.strict)):
            yield


class Nested(Tensor, internal=True):
    """A value of a level above 0.

    The slots that hold a user's Tensor's value, gradient and home are free here and serve under other names;
    the layout stays a Tensor's, so that a Tensor may become one when it is written into (``t[i] = dual``).
    """

    __slots__ = ()
    level: int = 0
    under: Any = vars(Traced)["_home"]
    spare: Any = vars(Traced)["_value"]
    what: ClassVar[str] = "being differentiated"

    @classmethod
    def at(cls, level: int) -> type[Any]:
        """Return the class of such values on a level: the level is the class's, not each value's."""
        return cast(type[Any], _class_at(cast(Any, cls), level))

    @property
    def _value(self) -> Any:
        """The plain array: what code that decides by values looks at."""
        under = self.under
        return under._value if isinstance(under, Traced) else under

    def _taken(self) -> Any:
        return self.under

    def _everything(self) -> Any:
        under = self.under
        return under._everything() if isinstance(under, Traced) else under

    def _become(self, other: Any, what: str) -> None:
        other = self._fitting(other, what)
        if other.level:
            other._replace(self, what)
        else:
            remade(other, self)

    def _replace(self, other: Any, what: str) -> None:
        if other.node is not None and not other.level:
            raise TypeError(
                f"{what}: a Tensor that is a variable outside can't hold a value {self.what} by a transform; return it"
            )
        remade(self, other)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return cast(tuple[int, ...], np.shape(self.under))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return cast("np.dtype[Any]", self.under.dtype)

    def finite(self) -> Any:
        """Say where this is finite, on every level."""
        return finite(self.under)

    def alive(self) -> None:
        """Refuse to go on with a value that outlived its transform."""
        if self.level > DEPTH.get():
            raise RuntimeError(
                f"a value {self.what} was kept beyond the call of the function that it belongs to; return it instead "
                "(to use it in a thread, start that in contextvars.copy_context())"
            )

    def detach(self) -> Any:
        """Return the same value, constant on every level."""
        self._leave("detach()")
        return stop_gradient(self)

    @property
    def requires_grad(self) -> bool:
        """Whether something depends on how this varies."""
        return True

    @property
    def is_leaf(self) -> bool:
        """Always False: it was made by a transform."""
        return False

    @property  # type: ignore[misc]
    def data(self) -> Any:
        """The array, to read."""
        return self.numpy()

    @property  # type: ignore[misc]
    def grad(self) -> None:
        """Always None."""
        return None

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "t.backward, t.register_hook, t.requires_grad_, t.zero_grad, pickle.dump: not possible with a value "
            f"{self.what} by a transform: use tg.grad, tg.jvp, tg.vmap inside"
        )

    backward = register_hook = requires_grad_ = zero_grad = __reduce__ = _refuse

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(
            f"a value {self.what} would silently become a plain array: write tg.stop_gradient(t) for a constant; "
            "to put values together write tg.stack([...]) or t[i] = ..."
        )

    def __copy__(self) -> Any:
        return remade(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.under!r}, level={self.level})"


@cache
def _class_at(kind: Any, level: int) -> Any:
    about = {"__slots__": (), "level": level, "__doc__": kind.__doc__, "__module__": kind.__module__}
    return type(kind)(kind.__name__, (kind,), about, internal=True)


_SLOTS = [vars(Traced)[name] for name in ("_grad", "_home", "_value", "node")]
_MISSING = object()


def remade(value: Any, into: Any = None) -> Any:
    """Copy a Tensor of any level, slot by slot; or make an existing one stand for it."""
    if into is None:
        into = object.__new__(type(value))
    into.__class__ = type(value)
    for slot in _SLOTS:
        found = _read(slot, value)
        if found is not _MISSING:
            slot.__set__(into, found)
        elif _read(slot, into) is not _MISSING:
            slot.__delete__(into)
    return into


def _read(slot: Any, value: Any) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return _MISSING


class Variable(Nested, internal=True):
    """What a gradient taken inside a jvp or a vmap is taken of: recorded like a user's Tensor, on its own level."""

    __slots__ = ()

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:  # type: ignore[override]
        """Call a hook with the cotangent, which is of the level below; it may read values of this level."""
        kind, level = type(self), self.level

        @wraps(hook)
        def below(grad: Any) -> Any:
            with at_depth(level):
                new = hook(grad)
            if DEPTH.get() < level:
                return strip(level)(new)
            part = new  # in a batch of pulls, which has opened a level with this number
            while isinstance(part, Nested):
                if type(part) is kind:
                    raise RuntimeError(
                        "register_hook: the hook reads a value of the function that is being differentiated, while "
                        "many cotangents are pulled at once (jacobian, hessian): write tg.stop_gradient(x) there, or "
                        "take tg.grad, tg.hvp or tg.jacfwd"
                    )
                part = part.under
            return new

        return Tensor.register_hook(self, below if callable(hook) else hook)

    @property
    def requires_grad(self) -> bool:
        """Whether ops on it are recorded."""
        return self.node is not None

    def _interpret(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        self.alive()
        level = self.level
        mine = [x if isinstance(x, Traced) and x.level == level else lower(x) for x in arrays]
        return record(self, op, mine, params)

    def _lift(self, value: Any, node: Node | None) -> Any:
        return variable(type(self), value, node)


def variable(kind: type[Any], value: Any, node: Node | None) -> Any:
    """Make a recorded value, on level 0 or above."""
    if kind is Tensor:
        return make_tensor(value, node)
    new: Variable = object.__new__(kind)
    new.under, new.node = value, node
    return new


def lower(x: Any) -> Any:
    """Return an argument as the level above sees it: Tensors that nobody differentiates are just arrays.

    A Tensor is taken as it is now: the user may write into it, and make it stand for another value.
    """
    if type(x) is float or type(x) is int:
        return x
    if not isinstance(x, Traced):
        return plain(x)
    if x.level:
        return remade(x)
    return x._taken() if x.node is None else make_tensor(x._taken(), x.node)


def stop_gradient(x: Any) -> Any:
    """Return the same values, constant to every derivative.

    Parameters
    ----------
    x : Tensor, array_like or nested tuples, lists and dicts of them
        What to hold constant.

    Returns
    -------
    Tensor, array or the same nesting of them
        A Tensor gives a constant Tensor.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.grad(lambda x: x * tg.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree_map(_stopped, x)


def still(value: Any) -> Any:
    """Return a constant as a Tensor, as at level 0: what is written for Tensors (`numpy`, `detach`) goes on."""
    return value if isinstance(value, Traced) else constant(value)


def recorded(x: Any) -> Any:
    """Return a result of a transform; under `no_grad` constant, as what any op gives there."""
    return x if recording() or not isinstance(x, Traced) else stop_gradient(x)


def _stopped(x: Any) -> Any:
    if isinstance(x, Nested):
        return x.stopped() if hasattr(x, "stopped") else still(_stopped(x.under))
    return constant(x._taken()) if isinstance(x, Traced) else x


def strip(level: int) -> Callable[[Any], Any]:
    """Make a function that takes the wrapper of this level off."""
    return lambda x: x.under if isinstance(x, Nested) and x.level == level else x
