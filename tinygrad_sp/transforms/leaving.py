"""A warning where a derivative was lost unseen: ``math.exp(x)`` asks x for its number, and goes on with a constant.

Code may take a number out to decide something or to show it; that is no mistake.  It is one where a function's
result depends on an argument in no other way.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..graph import Node, Traced
from ..modes import LEFT, Departure
from .batching import user_level


class watching:
    """Note which values leave the graph inside; a transform outside gets to know of those that are still listed."""

    __slots__ = ("mine", "outer", "token")  # a class, for half the time of a generator

    def __enter__(self) -> list[Departure]:
        self.outer = LEFT.get()
        self.mine: list[Departure] = []
        self.token = LEFT.set(self.mine)
        return self.mine

    def __exit__(self, *_error: Any) -> None:
        LEFT.reset(self.token)
        if self.mine and self.outer is not None:
            self.outer.extend(self.mine)


def at_level(value: Any, level: int) -> Any:
    """Return what of a value lives on a level, None if nothing does."""
    while isinstance(value, Traced) and value.level > level:
        value = value.under  # type: ignore[attr-defined]
    return value if isinstance(value, Traced) and value.level == level else None


def reached(nodes: Sequence[Node | None], ends: Sequence[Node]) -> set[Node]:
    """Return those ends from which any of the nodes was computed."""
    oldest = min((end.age for end in ends), default=0)
    stops = set(ends)
    stack = [node for node in nodes if node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node in stops or node.age < oldest:
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen & stops


def warn(lost: str, departure: Departure) -> None:
    """Say that a derivative is zero because a value became a plain number."""
    warnings.warn(
        f"{lost} became a plain number, by float() or a function that takes only numbers (as those of math), and the "
        "result depends on it in no other way: its derivative is 0. Write tg.exp, not math.exp; where a constant is "
        f"meant, tg.stop_gradient(x)\n  {departure.place}",
        stacklevel=user_level(),
    )
