"""The recorded graph as an indented tree: each operation above what it read, what is shared shown once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..graph import LEAF, Node


def graph_text(root: Node | None, names: Mapping[Node, str]) -> str:
    """Write a recorded graph as a tree.

    Parameters
    ----------
    root : Node or None
        The node of the result; None if nothing was recorded.
    names : mapping
        What to call the leaves.

    Returns
    -------
    str
        A line for each node: its operation and shape.  An operation that several others read is written once,
        with a number; after that only the number.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 2.0])
    >>> y = tg.exp(x)
    >>> print(graph_text((y * y * 3.0).node, {x.node: "x"}))
    Multiply      (2,)
      Multiply    (2,)
        Exp [1]   (2,)
          x       (2,)
        [1]
      3.0
    """
    if root is None:
        return "nothing was recorded: the value does not depend on a variable in a differentiable way"
    uses = _uses(root)
    numbers: dict[Node, int] = {}
    lines: list[tuple[str, str]] = []
    pending: list[tuple[int, Any]] = [(0, root)]
    while pending:
        depth, item = pending.pop()
        indent = "  " * depth
        if not isinstance(item, Node):
            lines.append((indent + item, ""))
        elif item in numbers:
            lines.append((f"{indent}[{numbers[item]}]", ""))
        else:
            label = names.get(item, item.op.name)
            if uses[item] > 1 and item.op is not LEAF:
                numbers[item] = len(numbers) + 1
                label += f" [{numbers[item]}]"
            lines.append((indent + label, "several" if item.form is tuple else str(item.shape)))
            pending += [(depth + 1, child) for child in reversed(_children(item))]
    width = max(len(label) for label, _ in lines)
    return "\n".join(f"{label:{width}}   {shape}".rstrip() for label, shape in lines)


def _uses(root: Node) -> Counter[Node]:
    """How often each node is read."""
    uses: Counter[Node] = Counter([root])
    pending = [root]
    while pending:
        for parent in pending.pop().parents:
            if parent is not None:
                uses[parent] += 1
                if uses[parent] == 1:
                    pending.append(parent)
    return uses


def _children(node: Node) -> list[Node | str]:
    """What an operation read: nodes, and the text of constants."""
    return [
        _constant(kept) if parent is None else parent
        for parent, kept in zip(node.parents, node.kept[1], strict=False)  # a leaf has no parents
    ]


def _constant(kept: Any) -> str:
    """Name a constant by its value where the graph has kept it, and it is one number."""
    if kept is None:
        return "constant"
    if np.shape(kept) == () and isinstance(kept, int | float | complex | np.generic):
        return str(kept)
    return f"constant {tuple(kept.shape)}"
