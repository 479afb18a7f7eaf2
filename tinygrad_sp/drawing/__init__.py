"""The recorded graph, drawn: as SVG in a notebook or a browser, as a tree in a terminal, as DOT or Mermaid.

- ``facts``: names, values, cotangents of nodes, and the lines that made them.
- ``folding``, ``picture``: which boxes and arrows there are; repeated blocks fold, large graphs are cut.
- ``layout``, ``svg``, ``text``, ``formats``: how these look.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..graph import Node, Traced
from . import formats
from .facts import annotate as annotate
from .facts import given_names, parents_of
from .picture import Picture, picture
from .svg import svg
from .text import tree

TEXTS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "text"}
PROGRAMS = (".png", ".pdf")


def draw(
    y: Any,
    *,
    names: Mapping[str, Any] | None = None,
    cotangents: bool | Any = None,
    fold: bool | None = None,
    limit: int = 300,
) -> Drawing:
    """Draw how a Tensor was computed.

    Parameters
    ----------
    y : Tensor
        The result.
    names : mapping, optional
        What to call Tensors, ``{"x": x}``.  By default what the calling code calls them.
    cotangents : bool or array_like, optional
        Whether to show the cotangent of each node: how ``y`` (its sum) changes with it.  An array is taken for
        the cotangent of ``y``.  By default they are shown once a leaf has a ``grad``.
    fold : bool, optional
        Whether blocks that repeat are folded into one box; by default in graphs of more than 30 operations.
    limit : int
        About the most boxes; older operations are cut, and counted.

    Returns
    -------
    Drawing
        It shows itself: as SVG in a notebook, as a tree in a terminal; ``.dot``, ``.mermaid``, ``.svg``,
        ``.save(path)``, ``.show()``.

    Raises
    ------
    TypeError
        If ``y`` is no Tensor.
    ValueError
        If nothing was recorded for ``y``, or ``limit`` is less than 2.

    Notes
    -----
    Values are shown where the graph has them for its rules, or where they can be computed from these; under
    `annotate` all are, with the file and line of each operation.  A leaf that no rule reads is shown as its
    Tensor is now.  Cotangents are found by a sweep of its own, which changes no ``grad`` and releases nothing;
    backward releases the graph, so to look at it afterwards write ``y.backward(retain_graph=True)``.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x, w = tg.Tensor([0.5, 1.2]), tg.Tensor(2.0)
    >>> y = tg.softplus(x * w).sum()
    >>> y.backward(retain_graph=True)
    >>> tg.draw(y)
    y = Sum        ()     float64   3.8001           ∂ 1                  axis=(-1,), keepdims=False
      Softplus     (2,)   float64   [1.313, 2.487]   ∂ [1, 1]
        Multiply   (2,)   float64   [1, 2.4]         ∂ [0.7311, 0.9168]
          x        (2,)   float64   [0.5, 1.2]       ∂ [1.462, 1.834]
          w        ()     float64   2                ∂ 1.46572
    (∂: the cotangent, how the result changes with each value)
    """
    if not isinstance(y, Traced):
        raise TypeError(f"draw: {type(y).__name__} {y!r:.60}: give a Tensor, the result of a computation")
    if y.node is None:
        raise ValueError("draw: nothing was recorded for this Tensor: it is a constant. Compute it from tg.Tensor(...)")
    if limit < 2:
        raise ValueError(f"draw: limit={limit}; it must be at least 2")
    named = given_names(names)
    seed, meaning = _seed(y, cotangents)
    asked = cotangents is not None
    return Drawing(picture(y.node, y._value, named, seed=seed, meaning=meaning, asked=asked, limit=limit, fold=fold))


def _seed(y: Any, cotangents: Any) -> tuple[Any, str]:
    """Return the cotangent to begin with, or None; and what it is the derivative of."""
    if cotangents is None:
        cotangents = not y.level and _has_grads(y.node)
    if cotangents is False:
        return None, ""
    if cotangents is True:
        return np.ones(y.shape, y.dtype)[()], "the result" if y.size == 1 else "the sum of the result"
    return y._cotangent(cotangents), "sum(cotangent * result)"


def _has_grads(root: Node) -> bool:
    """Whether backward has left a gradient at one of the leaves; of a large graph, among the first looked at."""
    seen, stack = {root}, [root]
    while stack and len(seen) < 10_000:
        for node in parents_of(stack.pop()):
            if node is None or node in seen:
                continue
            if node.is_end and getattr(node.owner(), "_grad", None) is not None:
                return True  # seen at once: what waits on the stack may never be reached
            seen.add(node)
            stack.append(node)
    return False


class Drawing:
    """A graph that shows itself; made by `draw` and ``y.graph()``.

    Attributes
    ----------
    dot, mermaid, svg, text : str
        The graph in these languages.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    @property
    def dot(self) -> str:
        """In the DOT language of Graphviz."""
        return formats.dot(self._picture)

    @property
    def mermaid(self) -> str:
        """In Mermaid's language."""
        return formats.mermaid(self._picture)

    @property
    def text(self) -> str:
        """As an indented tree."""
        return tree(self._picture)

    @property
    def svg(self) -> str:
        """As SVG: by Graphviz, if its package and its program are installed, else by our own layout."""
        drawn = self._piped("svg")
        if drawn is None:
            return svg(self._picture)
        document = drawn.decode()
        return document[document.index("<svg") :]  # the prolog would name a DTD on the web

    def _piped(self, kind: str) -> bytes | None:
        """Return what Graphviz makes of it, None where it is not installed."""
        import importlib
        import shutil

        if shutil.which("dot") is None:
            return None
        try:
            graphviz = importlib.import_module("graphviz")
        except ImportError:
            return None
        made: bytes = graphviz.Source(self.dot).pipe(format=kind)
        return made

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it into a file.

        Parameters
        ----------
        path : path
            Ending in .svg, .html, .dot, .gv, .mmd, .md or .txt; with Graphviz also in .png or .pdf.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            If the name ends in something else.
        RuntimeError
            For .png and .pdf without Graphviz.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind in TEXTS:
            path.write_text(getattr(self, TEXTS[kind]) + "\n", encoding="utf-8")
        elif kind == ".md":
            path.write_text(f"```mermaid\n{self.mermaid}\n```\n", encoding="utf-8")
        elif kind == ".html":
            path.write_text(self._page(), encoding="utf-8")
        elif kind in PROGRAMS:
            drawn = self._piped(kind[1:])
            if drawn is None:
                raise RuntimeError(
                    f"save: {path}: {kind} needs Graphviz, the program `dot` and `pip install graphviz`; or save .svg"
                )
            path.write_bytes(drawn)
        else:
            known = ", ".join([*TEXTS, ".md", ".html", *PROGRAMS])
            raise ValueError(f"save: {path}: the name must end in one of {known}")
        return path

    def _page(self) -> str:
        title = escape(self._picture.boxes[-1].label)
        return f'<!doctype html><meta charset="utf-8"><title>{title}</title>\n{self._repr_html_()}\n'

    def show(self) -> Path:
        """Open it in a browser; return the file that was written for that."""
        import tempfile
        import webbrowser

        handle, name = tempfile.mkstemp(suffix=".html", prefix="tinygrad_sp-")
        os.close(handle)
        path = self.save(name)
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto">{self.svg}</div>'

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.text
