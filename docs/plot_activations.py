"""Draw the pictures of the chapter on activation functions: ``python docs/plot_activations.py``.

The derivatives in them are the engine's.  Each line has the id ``curve-0``, ``curve-1`` ..., the function first, so
that a test can compare what was drawn with the functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_sp as tg
from tinygrad_sp.plotting.figure import plain_axes, save

PLOTS = Path(__file__).resolve().parent / "plots"
POINTS = 161


class Picture(NamedTuple):
    """What to draw: a function of one number, what it is called, and from where to where."""

    function: Callable[[Any], Any]
    label: str
    lo: float = -5.0
    hi: float = 5.0


def beside(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a function of several numbers one of the first of them, beside 0 and 1."""
    return lambda x: f(tg.stack([x, 0.0, 1.0]))


PICTURES = {
    "softplus": Picture(tg.softplus, "softplus(x)"),
    "softplus-beta": Picture(lambda x: tg.softplus(x, beta=4.0), "softplus(x, beta=4)", -2.5, 2.5),
    "sigmoid": Picture(tg.sigmoid, "sigmoid(x)"),
    "logsigmoid": Picture(tg.logsigmoid, "logsigmoid(x)"),
    "tanh": Picture(tg.tanh, "tanh(x)", -4.0, 4.0),
    "relu": Picture(tg.relu, "relu(x)", -2.0, 2.0),
    "leaky_relu": Picture(lambda x: tg.leaky_relu(x, 0.1), "leaky_relu(x, 0.1)", -2.0, 2.0),
    "elu": Picture(tg.elu, "elu(x)", -4.0, 2.0),
    "selu": Picture(tg.selu, "selu(x)", -4.0, 2.0),
    "celu": Picture(lambda x: tg.celu(x, alpha=2.0), "celu(x, alpha=2)", -6.0, 2.0),
    "gelu": Picture(tg.gelu, "gelu(x)", -4.0, 3.0),
    "silu": Picture(tg.silu, "silu(x)", -7.0, 5.0),
    "mish": Picture(tg.mish, "mish(x)", -7.0, 4.0),
    "hardtanh": Picture(tg.hardtanh, "hardtanh(x)", -2.0, 2.0),
    "softsign": Picture(tg.softsign, "softsign(x)"),
    "softmax": Picture(beside(lambda v: tg.softmax(v)[0]), "softmax([x, 0, 1])[0]"),
    "log_softmax": Picture(beside(lambda v: tg.log_softmax(v)[0]), "log_softmax([x, 0, 1])[0]"),
    "logsumexp": Picture(beside(tg.logsumexp), "logsumexp([x, 0, 1])"),
}


def draw(name: str, folder: Path) -> Path:
    """Draw one picture into a folder."""
    function, label, lo, hi = PICTURES[name]
    axes = tg.plot(function, lo, hi, points=POINTS, label=label, axes=plain_axes())
    for k, line in enumerate(axes.lines):
        line.set_gid(f"curve-{k}")
    axes.figure.set_size_inches(5.0, 3.0)
    path = folder / f"{name}.svg"
    save(axes.figure, path, "svg")
    return path


if __name__ == "__main__":
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else PLOTS
    into.mkdir(parents=True, exist_ok=True)
    for each in PICTURES:
        print(draw(each, into))
