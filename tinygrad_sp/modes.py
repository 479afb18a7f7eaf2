"""How ops are applied from here on: whether they are recorded, and who watches; and the switches that users have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., Any]


class Mode:
    """How ops are applied from here on, in this thread and async task; ``None`` stands for "just record".

    Parameters
    ----------
    recording : bool
        Whether nodes are made at all.
    watch : callable, optional
        Called as ``watch(op, values, params, out, node)`` after every op.
    watch_rule : callable, optional
        Called as ``watch_rule(node, argument, grad, cotangent)`` after every rule.
    strict : str, optional
        Whose rule is being recorded: there a value may not leave the graph (`numpy`, `detach`, `no_grad` ...),
        because a derivative of the rule would silently be wrong.
    """

    __slots__ = ("recording", "strict", "watch", "watch_rule")

    def __init__(
        self,
        recording: bool = True,
        watch: Rule | None = None,
        watch_rule: Rule | None = None,
        strict: str | None = None,
    ) -> None:
        self.recording, self.watch, self.watch_rule, self.strict = recording, watch, watch_rule, strict


MODE: ContextVar[Mode | None] = ContextVar("tinygrad_sp_mode", default=None)


class Departure(NamedTuple):
    """A value that became a plain number, and the user's line where it did."""

    value: Any
    place: Any


LEFT: ContextVar[list[Departure] | None] = ContextVar("tinygrad_sp_left", default=None)
"""Where a functional derivative notes what leaves the graph, to warn if nothing else depends on it."""


def recording() -> bool:
    """Whether an op applied to a tracked Tensor makes a node right now."""
    mode = MODE.get()
    return mode is None or mode.recording


@contextmanager
def mode_is(mode: Mode | None) -> Iterator[None]:
    """Apply ops in this mode inside a ``with`` block."""
    token = MODE.set(mode)
    try:
        yield
    finally:
        MODE.reset(token)


class _Recording:
    """A context manager, and a decorator, under which ops are recorded or not."""

    _recording: bool

    def __init__(self, *functions: Any) -> None:
        if functions:
            name = type(self).__name__
            raise TypeError(f"{name} takes no arguments: write @tg.{name}() above a function, or `with tg.{name}():`")
        self._entered: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        now = MODE.get()
        if now is None:
            new = None if self._recording else Mode(recording=False)
        else:  # within a user's rule that is being recorded, stopping would make its derivative wrong
            new = Mode(self._recording or now.strict is not None, now.watch, now.watch_rule, now.strict)
        context = mode_is(new)
        self._entered.append(context)
        context.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = type(self).__name__
            raise TypeError(f"@tg.{name}() on a generator would end before it runs: write `with tg.{name}():` inside")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with type(self)():
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_Recording):
    """Don't record: results are constants, and ``p -= lr * p.grad`` updates a leaf in place.

    A context manager and a decorator; it holds in this thread (and async task) only.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> p = tg.Tensor([1.0, 2.0])
    >>> (p * p).sum().backward()
    >>> with tg.no_grad():
    ...     p -= 0.25 * p.grad
    >>> p
    Tensor([0.5, 1. ], requires_grad=True)
    """

    _recording = False


class enable_grad(_Recording):
    """Record, inside a `no_grad` too."""

    _recording = True
