"""Nested tuples, lists and dicts of arrays: taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def flatten(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give every leaf with the way to it.

    >>> list(flatten([1.0, {"w": (2.0, 3.0)}]))
    [('[0]', 1.0), ("[1]['w'][0]", 2.0), ("[1]['w'][1]", 3.0)]
    """
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from flatten(branch, f"{path}[{key!r}]")
    elif isinstance(tree, (tuple, list)):
        for i, branch in enumerate(tree):
            yield from flatten(branch, f"{path}[{i}]")
    else:
        yield path, tree


def rebuild(tree: Any, leaves: Iterator[Any]) -> Any:
    """Put leaves back where `flatten` found them.

    >>> rebuild([1, {"w": (2, 3)}], iter("abc"))
    ['a', {'w': ('b', 'c')}]
    """
    if isinstance(tree, dict):
        return {key: rebuild(branch, leaves) for key, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(branch, leaves) for branch in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)([rebuild(branch, leaves) for branch in tree])
    return next(leaves)
