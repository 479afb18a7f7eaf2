"""The recorded graph as an indented tree: operations and shapes only, nothing folded."""

from __future__ import annotations

from collections.abc import Mapping

from ..drawing.picture import picture
from ..drawing.text import tree
from ..graph import Node


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
    return tree(picture(root, None, names, limit=5_000, fold=False), columns=("shape",))
