"""Nested containers of arrays: taken apart into a list of leaves, and put together again.

Tuples, named tuples, lists and dicts are containers, None is an empty one; everything else is a leaf.  A
`Structure` is what is left when the leaves are taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

Tree = Any


class Structure:
    """The containers of a tree, without its leaves.

    ``kind`` is None for a leaf, otherwise the container's class; ``keys`` are its keys or indices.
    """

    __slots__ = ("children", "empty", "keys", "kind")

    def __init__(
        self, kind: type | None, keys: tuple[Any, ...], children: tuple[Structure, ...], empty: Any = None
    ) -> None:
        self.kind, self.keys, self.children, self.empty = kind, keys, children, empty

    def build(self, leaves: Iterator[Any]) -> Tree:
        """Put leaves into these containers."""
        if self.kind is None:
            return next(leaves)
        if self.kind is type(None):
            return None
        parts = [child.build(leaves) for child in self.children]
        if issubclass(self.kind, dict):
            filled = {} if self.empty is None else copy(self.empty)
            for key, part in zip(self.keys, parts, strict=True):
                filled[key] = part
            return filled
        make: Callable[..., Tree] = self.kind
        # A tuple's own class, named or not, may want other arguments than its items.
        return tuple.__new__(self.kind, parts) if issubclass(self.kind, tuple) else make(parts)

    def paths(self, path: str = "") -> Iterator[str]:
        """Say where each leaf is: ``['w'][0]``."""
        if self.kind is None:
            yield path
        for key, child in zip(self.keys, self.children, strict=True):
            yield from child.paths(f"{path}[{key!r}]")

    def like(self, tree: Tree, what: str) -> list[Any]:
        """Take the leaves out of a tree that must have the same containers."""
        if self.kind is None:
            return [tree]
        same = isinstance(tree, dict) if issubclass(self.kind, dict) else isinstance(tree, self.kind)
        if issubclass(self.kind, (list, tuple)):  # (1.0, 2.0) is as good as [1.0, 2.0]
            same = isinstance(tree, (list, tuple))
        if not same:
            raise TypeError(f"{what}: {type(tree).__name__} where {self.kind.__name__} is wanted")
        if self.kind is type(None):
            return []
        if len(tree) != len(self.keys) or (isinstance(tree, dict) and set(tree) != set(self.keys)):
            came, wanted = self._unlike(tree)
            raise ValueError(f"{what}: {came}, where {wanted} are wanted")
        pairs = zip(self.keys, self.children, strict=True)
        return [leaf for key, child in pairs for leaf in child.like(tree[key], f"{what}[{key!r}]")]

    def spread(self, prefix: Tree, what: str) -> list[Any]:
        """Take one item for each leaf from a tree of the same containers, any of which may be one item instead."""
        if self.kind is None or not isinstance(prefix, (list, tuple, dict)):
            return [prefix for _ in self.paths()]
        if isinstance(prefix, dict) != issubclass(self.kind, dict):
            raise TypeError(f"{what}: {type(prefix).__name__} for a {self.kind.__name__}; give it the same containers")
        if len(prefix) != len(self.keys) or (isinstance(prefix, dict) and set(prefix) != set(self.keys)):
            came, wanted = self._unlike(prefix)
            raise ValueError(f"{what}: {came}, where {wanted} are wanted")
        parts = [prefix[key] for key in self.keys] if isinstance(prefix, dict) else list(prefix)
        return [x for part, child in zip(parts, self.children, strict=True) for x in child.spread(part, what)]

    def _unlike(self, tree: Any) -> tuple[Any, Any]:
        """Say what there is in a container, and what should be."""
        return (list(tree), list(self.keys)) if isinstance(tree, dict) else (f"{len(tree)} items", len(self.keys))


LEAF = Structure(None, (), ())


def flatten(tree: Tree) -> tuple[list[Any], Structure]:
    """Take a tree apart.

    Examples
    --------
    >>> leaves, structure = flatten({"w": (1.0, 2.0), "b": 3.0})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> unflatten(structure, [x * 10 for x in leaves])
    {'w': (10.0, 20.0), 'b': 30.0}
    """
    leaves: list[Any] = []
    return leaves, _walk(tree, leaves)


def _walk(tree: Tree, leaves: list[Any]) -> Structure:
    if tree is None:
        return Structure(type(None), (), ())
    if isinstance(tree, (list, tuple)):
        return Structure(type(tree), tuple(range(len(tree))), tuple(_walk(part, leaves) for part in tree))
    if isinstance(tree, dict):
        parts = tuple(_walk(part, leaves) for part in tree.values())
        return Structure(type(tree), tuple(tree), parts, None if type(tree) is dict else _emptied(tree))
    leaves.append(tree)
    return LEAF


def _emptied(tree: dict[Any, Any]) -> dict[Any, Any]:
    """Return a dict of a kind of its own without its items: with a default, or attributes, that the user gave it."""
    empty = copy(tree)
    empty.clear()
    return empty


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Tree:
    """Put leaves back into the containers they came from."""
    return structure.build(iter(leaves))


def tree_map(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Apply a function to every leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [function(x) for x in leaves])
