"""Modes that users switch: whether ops are recorded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from .graph import MODE, Mode, mode_is

F = TypeVar("F", bound=Callable[..., Any])


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
