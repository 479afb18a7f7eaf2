"""The picture: for every workload a row, for every framework a mark at its ratio to hand-written NumPy."""

from __future__ import annotations

from pathlib import Path

from .adapters import BY_HAND, FRAMEWORKS, OURS
from .measure import Result
from .report import ratio

STYLE = {
    OURS: ("o", "#d62728"),
    "torch": ("s", "#ee854a"),
    "jax": ("v", "#4878cf"),
    "jax-jit": ("^", "#4878cf"),
    "autograd": ("D", "#6acc65"),
    "mygrad": ("P", "#956cb4"),
    "micrograd": ("X", "#8c613c"),
    "tinygrad": ("d", "#777777"),
}


def draw(results: list[Result], path: Path) -> None:
    """Draw the ratios with their quartiles on a logarithmic axis."""
    try:
        import matplotlib
    except ImportError:
        print(f"{path} not drawn: Matplotlib is not installed")
        return
    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same numbers draw the same file
    from matplotlib import pyplot

    rows = [result for result in results if BY_HAND in result.samples]
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.24 * len(rows)), layout="constrained")
    for name in [n for n in FRAMEWORKS if n not in (BY_HAND, OURS)] + [OURS]:
        marker, colour = STYLE[name]
        found = [(y, ratio(result, name, BY_HAND)) for y, result in enumerate(rows)]
        points = [(y, r) for y, r in found if r is not None]
        if not points:
            continue
        x = [r.median for _, r in points]
        spread = [[r.median - r.low for _, r in points], [r.high - r.median for _, r in points]]
        axes.errorbar(
            x, [y for y, _ in points], xerr=spread, fmt=marker, color=colour, label=name,
            markersize=7 if name == OURS else 5, zorder=3 if name == OURS else 2, elinewidth=1,
        )  # fmt: skip
    axes.set(xscale="log", ylim=(len(rows) - 0.4, -0.6), xlabel="time or memory, as a multiple of NumPy by hand")
    axes.set_yticks(range(len(rows)), [result.workload for result in rows])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="both", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=8, frameon=False, fontsize="small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
