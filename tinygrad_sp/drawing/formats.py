"""A picture in the languages of other programs: DOT for Graphviz, and Mermaid."""

from __future__ import annotations

from .picture import Box, Picture

FILL = {"leaf": "#dcefdc", "op": "#e6ecf5", "constant": "#f4f4f4", "fold": "#fdf1d8", "more": "#fbe4e0"}
LINE = {"leaf": "#2f7d32", "op": "#3b5b8c", "constant": "#8a8a8a", "fold": "#a8761a", "more": "#b04a3a"}


def dot(picture: Picture) -> str:
    """Write a picture in the DOT language.

    Parameters
    ----------
    picture : Picture
        What to write.

    Returns
    -------
    str
    """
    number = {box: i for i, box in enumerate(picture.boxes)}
    lines = ["digraph {", "  rankdir=TB", '  node [shape=box, fontname="monospace", fontsize=11]']
    for box, i in number.items():
        style = "filled,dashed" if box.kind in ("constant", "more") else "filled,rounded"
        bold = ", penwidth=2" if box is picture.boxes[-1] else ""
        look = f'style="{style}", fillcolor="{FILL[box.kind]}", color="{LINE[box.kind]}"{bold}'
        lines.append(f'  n{i} [label="{_dot_text(box)}", {look}]')
    lines += [f"  n{number[read]} -> n{i}" for box, i in number.items() for read in box.reads]
    if picture.notes:
        lines.append(f'  label="{_dot_escaped(chr(10).join(picture.notes))}"')
    return "\n".join([*lines, "}"])


def _dot_text(box: Box) -> str:
    return _dot_escaped("\n".join([box.label, *box.lines]))


def _dot_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def mermaid(picture: Picture) -> str:
    """Write a picture in Mermaid's language, which notebooks and code hosts render.

    Parameters
    ----------
    picture : Picture
        What to write.

    Returns
    -------
    str
    """
    number = {box: i for i, box in enumerate(picture.boxes)}
    lines = ["flowchart TB"]
    for box, i in number.items():
        text = "<br/>".join(map(_mermaid_escaped, [box.label, *box.lines]))
        left, right = ("([", "])") if box.kind == "leaf" else ("[", "]")
        lines.append(f'  n{i}{left}"{text}"{right}:::{box.kind}')
    lines += [f"  n{number[read]} --> n{i}" for box, i in number.items() for read in box.reads]
    if picture.notes:
        text = "<br/>".join(map(_mermaid_escaped, picture.notes))
        lines.append(f'  note["{text}"]:::more')
    for kind in dict.fromkeys(box.kind for box in picture.boxes):
        lines.append(f"  classDef {kind} fill:{FILL[kind]},stroke:{LINE[kind]},color:#111")
    return "\n".join(lines)


def _mermaid_escaped(text: str) -> str:
    """Write what Mermaid or HTML would take for its own by number.

    >>> _mermaid_escaped('a "b" <c>')
    'a #34;b#34; #60;c#62;'
    """
    return "".join(f"#{ord(c)};" if c in '"<>#&`;' else c for c in text)
