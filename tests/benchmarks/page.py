"""The page in the docs, written whole by the benchmark: the machine, the tables, where we lose and why."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from .adapters import BY_HAND, EAGER, FRAMEWORKS, OURS, PEERS
from .measure import Result
from .report import amount, best, brief, median, per_op, ratio

LOST = 1.05  # a ratio to the best eager peer above this is a loss
_SMALL = "Recording, which is Python here and C++ there, and passes over small arrays."
WHY = {  # a pattern of workloads' names (the first that fits counts): why we lose there
    "softplus-1e[0-3]-*": _SMALL,
    "softplus-*-float32": "Float32 is computed in float64 and rounded once, so that every result is right to the last "
    "bit ([accuracy](accuracy.md)): NumPy's own float32 exponential is off by up to 2.4 ulp, too much for the 2 "
    "promised.",
    "*softplus*": "The exponentials and the logarithm alone, NumPy's, take as long as the compiled kernel takes for "
    "all, or longer where the processor has no AVX-512: NumPy has no vector code for the logarithm then.",
    "expression-1e3": _SMALL,
    "expression*": "Each op is a pass over memory of its own; of a compiled kernel's passes, more are shared by cores.",
    "mixture": "Each op is a pass over memory of its own; of a compiled kernel's passes, more are shared by cores.",
    "product*": "The same products as NumPy's, by the BLAS that NumPy came with; theirs is another.",
    "matrix-chain": "The products take as long as NumPy's; the rest is recording.",
    "*mlp": "The products take as long as NumPy's; the rest is recording, and passes over small arrays.",
    "moons": _SMALL,
    "hvp": "The gradient is recorded node by node before it is differentiated again.",
    "convolution": "NumPy copies the windows and makes one product; a compiled convolution copies nothing.",
    "gather": "NumPy has no quick scatter-add; `np.add.at` and its replacements pass over memory several times.",
    "jvp-solve": "LAPACK's, the same; the tangent's product and second solution pass through Python.",
    "import*": "The package is many small modules, and declares its ops while they are imported.",
}

INTRODUCTION = """\
# Speed and memory, measured side by side

This page and its picture are written by `python -m tests.benchmarks --page docs/benchmarks.md --plot
docs/benchmarks.svg`; run it to have the numbers of your own machine. Every workload is one forward and one backward
pass (or what it says), written once for all frameworks, with the same derivative worked out by hand in NumPy beside
it. All frameworks must compute that derivative before anything is timed. Then they take turns, round by round, in one
process for each workload. A number is the median over the rounds of the ratio to hand-written NumPy *within* a round:
1 is what NumPy needs without any recording, 2 twice as long. `jax-jit` compiles the whole derivative beforehand, which
is not counted; the others work op by op (tinygrad is lazy and compiles its kernels, once).

On Linux a good part of the time of arrays of 0.1 to 30 MB is memory that malloc gives back to the system and fetches
again, for every framework built on NumPy. Importing tinygrad_sp makes the process keep it (`blocks.py` says how), so
hand-written NumPy, HIPS autograd and MyGrad are quicker here, in the same process, than they are alone. From 260,000
elements on, functions of several passes and those that are slow per element use the machine's cores; `set_num_threads`,
or TINYGRAD_SP_NUM_THREADS in the environment, says how many, and 1 means none but the caller's.
"""


def table(head: list[str], rows: list[list[str]]) -> str:
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ruler, *rows])


def names(results: list[Result]) -> list[str]:
    return [name for name in FRAMEWORKS if any(name in result.samples for result in results)]


def ratios(results: list[Result]) -> str:
    """Ratios to hand-written NumPy, and ours to the best eager peer and the best of all."""
    shown = [name for name in names(results) if name != BY_HAND]
    rows = []
    for result in results:
        found = {name: ratio(result, name, BY_HAND) for name in shown}
        cells = [brief(r.median) if r else "" for r in found.values()]
        least = min((r.median for name, r in found.items() if r), default=None)
        cells = [f"**{c}**" if r and r.median == least else c for c, r in zip(cells, found.values(), strict=True)]
        numpy = amount(median(result, BY_HAND), result.unit) if BY_HAND in result.samples else ""
        rows.append([f"`{result.workload}`", numpy, *cells, against(result, EAGER), against(result, PEERS)])
    ours = [f"{OURS} ÷ best eager peer", "÷ best peer"]
    return table(["workload", "NumPy by hand", *(f"`{name}`" for name in shown), *ours], rows)


def against(result: Result, among: list[str]) -> str:
    name = best(result, among)
    r = ratio(result, OURS, name) if name else None
    return f"{brief(r.median)} [{brief(r.low)}, {brief(r.high)}]" if r else ""


def costs(results: list[Result]) -> str:
    """Microseconds per recorded op."""
    shown = [name for name in names(results) if name != BY_HAND]
    rows = []
    for result in results:
        cells = [per_op(result, name) for name in shown]
        rows.append([f"`{result.workload}`", f"{result.ops:,}", *("" if c is None else f"{c:.2f}" for c in cells)])
    return table(["workload", "ops", *(f"`{name}`" for name in shown)], rows)


def sizes(results: list[Result]) -> str:
    """What was measured, in its own unit."""
    shown = names(results)
    rows = [
        [f"`{r.workload}`", *(amount(median(r, name), r.unit) if name in r.samples else "" for name in shown)]
        for r in results
    ]
    return table(["", *(f"`{name}`" for name in shown)], rows)


def losses(results: list[Result]) -> str:
    """Every workload where an eager peer is ahead of us, by reason."""
    found: dict[str, list[str]] = {}
    for result in results:
        name = best(result, EAGER)
        r = ratio(result, OURS, name) if name else None
        if r and r.median > LOST:
            why = next((why for names, why in WHY.items() if fnmatch(result.workload, names)), "Not explained yet.")
            found.setdefault(why, []).append(f"`{result.workload}` ({brief(r.median)} times {name})")
    return "\n".join(f"- {', '.join(where)}: {why}" for why, where in found.items()) or "Nowhere in this run."


def skipped(results: list[Result]) -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for name, reason in result.skipped.items():
            rows.setdefault((name, reason), []).append(f"`{result.workload}`")
    return "\n".join(f"- {name} {reason}: {', '.join(where)}" for (name, reason), where in sorted(rows.items()))


def write(record: dict[str, Any], results: list[Result], path: Path, picture: Path | None) -> None:
    """Write the page; the picture is linked from where the page is."""
    where, versions, effort = record["machine"], record["versions"], record["effort"]
    times = [r for r in results if r.unit == "s" and BY_HAND in r.samples and r.workload != "import-time"]
    others = [r for r in results if r.unit == "B" or r.workload == "import-time"]
    parts = [
        INTRODUCTION,
        f"Measured on: {where['processor']}, {where['cores']} cores, {where['memory']}, {where['system']}, Python "
        f"{where['python']}; "
        + ", ".join(f"{name} {number}" for name, number in versions.items() if name != "jax-jit")
        + f". NumPy's float64 kernels: {where['kernels']}. {effort['rounds']} rounds; every framework with the threads "
        "that it takes by itself.",
    ]
    if picture:
        link = os.path.relpath(picture, path.parent)
        parts.append(f"![Ratios to hand-written NumPy, every workload and framework]({link})")
    parts += ["## Time, as a multiple of NumPy by hand", "The least is bold; quartiles in brackets.", ratios(times)]
    small = [r for r in times if r.ops and r.ops >= 100]
    if small:
        parts += ["## Microseconds per recorded op, over NumPy", costs(small)]
    if others:
        parts += ["## Import and memory", MEMORY, sizes(others)]
    parts += ["## Where tinygrad_sp is behind the best eager peer, and why", losses(times + others)]
    gaps = skipped(results)
    if gaps:
        parts += ["## What a framework was not measured on", gaps]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n")


MEMORY = """\
Peak memory is what one pass needs beyond its inputs: NumPy's own allocations for the frameworks built on it, the
growth of the process for the others. By hand is the least possible.
"""
