"""Measure what a check costs, by the number of elements and by what there is to find, and print a table.

    python tests/testing/costs.py [--rounds 5]

Every function is checked at default settings, after one check that is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_sp as tg
from tinygrad_sp.testing import gradcheck


def wrong_in_one(op: Callable[[Any], Any], slope: Callable[[Any], Any]) -> type[tg.Op]:
    """Declare an op that is off by 1 % in one of its elements."""

    class OneWrong(tg.Op):
        def forward(x: Any) -> Any:
            return op(x)

        def backward(grad: Any, _out: Any, x: Any) -> Any:
            off = np.ones_like(x)
            off.reshape(-1)[2 * x.size // 3] = 1.01
            return grad * slope(x) * off

    return OneWrong


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def composite(x: Any) -> Any:
    return tg.exp(-x) * tg.sin(x * x) + tg.log(1 + x * x)


Softplus = wrong_in_one(lambda x: np.log1p(np.exp(x)), sigmoid)

# What is said of a function, the function (or the pair), how many inputs it has, and what is wrong with it.
FUNCTIONS: list[tuple[str, Any, int, bool]] = [
    ("softplus", tg.softplus, 1, False),
    ("a pair, log1p(exp(x)) and sigmoid", (lambda x: np.log1p(np.exp(x)), lambda g, x: g * sigmoid(x)), 1, False),
    ("relu", tg.relu, 1, False),
    ("tanh", tg.tanh, 1, False),
    ("exp(-x) sin(x²) + log(1 + x²)", composite, 1, False),
    ("x tanh(y)", lambda x, y: x * tg.tanh(y), 2, False),
    ("the sum of softplus", lambda x: tg.softplus(x).sum(), 1, False),
    ("the sum of exp(-x) sin(x²) + log(1 + x²)", lambda x: composite(x).sum(), 1, False),
    ("one element wrong", Softplus.apply, 1, True),
    ("one element wrong, among other ops", lambda x: tg.tanh(Softplus.apply(x * 2)) * 3, 1, True),
    ("one element wrong, among other ops, summed", lambda x: (tg.tanh(Softplus.apply(x * 2)) * 3).sum(), 1, True),
]
SIZES = (1, 10, 1_000, 10_000, 1_000_000)


def milliseconds(f: Any, inputs: list[Any], wrong: bool, rounds: int) -> float:
    """Give the median time of a check, and see that its verdict is right."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        report = gradcheck(f, *inputs)
        times.append(1e3 * (time.perf_counter() - began))
        assert report.verdict == ("fail" if wrong else "pass"), report
    return statistics.median(times[1:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("| function | a number | " + " | ".join(f"{n:,} elements" for n in SIZES[1:]) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    for name, f, count, wrong in FUNCTIONS:
        row = []
        for n in SIZES:
            rng = np.random.default_rng(0)
            inputs = [rng.normal(size=n) if n > 1 else float(rng.normal()) for _ in range(count)]
            took = milliseconds(f, inputs, wrong, rounds if n > 10_000 else 5 * rounds)
            row.append(f"{took:.1f} ms" if took < 10 else f"{took:.0f} ms" if took < 200 else f"{took / 1e3:.1f} s")
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
