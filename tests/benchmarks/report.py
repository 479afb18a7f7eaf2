"""From samples to what is said: medians, ratios taken within a round, their spread, and the lines of the terminal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .adapters import BY_HAND, EAGER, OURS, PEERS
from .measure import Result

UNITS = {"s": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)), "B": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))}


@dataclass(frozen=True)
class Ratio:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{brief(self.median)} [{brief(self.low)} {brief(self.high)}]"


def brief(number: float) -> str:
    """Three digits, or whole."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def amount(value: float, unit: str) -> str:
    """A time or a size, for reading."""
    name, scale = next((u for u in UNITS[unit] if value >= u[1]), UNITS[unit][-1])
    return f"{brief(value / scale)} {name}"


def median(result: Result, name: str) -> float:
    return float(np.median(result.samples[name]))


def ratio(result: Result, name: str, to: str) -> Ratio | None:
    """What `name` takes in units of what `to` takes: each round by itself, so that the machine's mood cancels."""
    pairs = list(zip(result.samples.get(name, ()), result.samples.get(to, ()), strict=False))
    if not pairs:
        return None
    low, middle, high = np.quantile([a / b for a, b in pairs], [0.25, 0.5, 0.75])
    return Ratio(float(middle), float(low), float(high))


def best(result: Result, among: list[str]) -> str | None:
    """The one that takes least."""
    present = [name for name in among if name in result.samples]
    return min(present, key=lambda name: median(result, name), default=None)


def per_op(result: Result, name: str) -> float | None:
    """Microseconds per recorded op, the hand-written loop subtracted."""
    if result.ops is None or name not in result.samples or BY_HAND not in result.samples:
        return None
    return (median(result, name) - median(result, BY_HAND)) / result.ops * 1e6


def lines(result: Result) -> list[str]:
    """A workload's lines in the terminal."""
    ops = f", {result.ops:,} ops" if result.ops else ""
    rows = [f"{result.workload}: {result.about}{ops}"]
    against = best(result, PEERS)
    for name in sorted(result.samples, key=lambda n: (n != BY_HAND, n != OURS, median(result, n))):
        row = f"  {name:12} {amount(median(result, name), result.unit):>9}"
        if name != BY_HAND:
            row += f"   × NumPy {ratio(result, name, BY_HAND)!s:24}"
            cost = per_op(result, name)
            row += "" if cost is None else f"   {cost:6.2f} µs per op over NumPy"
        if name == OURS and against:
            row += f"   × {against} {ratio(result, name, against)}"
            eager = best(result, EAGER)
            row += f"   × {eager} {ratio(result, name, eager)}" if eager and eager != against else ""
        rows.append(row.rstrip())
    rows += [f"  {name:12} skipped: {reason}" for name, reason in result.skipped.items()]
    return rows
