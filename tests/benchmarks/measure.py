"""Taking turns: check that all agree, then time them round by round.

Within a round the frameworks run in random order, each long enough for the clock, after a moment in which other
frameworks' threads fall asleep and one run to warm the caches.  What was there before (modules, data, compiled
functions) is hidden from the garbage collector, which otherwise runs as it does for a user.
"""

from __future__ import annotations

import gc
import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from .adapters import BY_HAND, Framework, Lacking
from .adapters.base import Runner
from .cases import Case, Workload

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
SETTLE = 0.005  # seconds; OpenMP and BLAS threads spin for a while after their work

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 7
    sample: float = 0.01  # seconds that one sample should take at least
    budget: float = 3.0  # seconds for one framework in one workload; never fewer than three rounds
    limit: float = 10.0  # a framework that needs longer for one run is skipped


@dataclass
class Result:
    """Samples per framework, in turn (seconds or bytes), and why a framework has none."""

    workload: str
    about: str
    unit: str = "s"
    ops: int | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Disagreement(Exception):
    """A framework's derivative is not the one by hand."""


def run_time(run: Runner) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def check(framework: Framework, case: Case, run: Runner) -> None:
    """Raise Disagreement unless every derivative equals the one by hand."""
    for i, (got, want) in enumerate(zip(run(), case.reference(), strict=True)):
        value, want = framework.numpy(got), np.asarray(want)
        if value.shape != want.shape:
            raise Disagreement(f"derivative {i} has shape {value.shape}, not {want.shape}")
        error = float(np.max(np.abs(value - want)) / np.max(np.abs(want)))
        if not error <= TOLERANCE[want.dtype.name]:
            raise Disagreement(f"derivative {i} is off by {error:.1e}")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt Python code that takes longer (compiled code finishes first); only where there are signals."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise Lacking(f"was not ready after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again and again: a callback may swallow the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def probe(framework: Framework, workload: Workload, effort: Effort) -> None:
    """Give up early on one that would take too long, as its times at two small sizes tell."""
    if workload.probe is None or 2 * workload.probe >= workload.size or framework.name == BY_HAND:
        return
    small, double = (framework.runner(workload.build(k * workload.probe)) for k in (1, 2))
    scale = workload.size / (2 * workload.probe)
    once, first = run_time(small), run_time(double)  # what is compiled is compiled here, often not in linear time
    growth = max(1.0, math.log2(first / once)) if first > 0.5 else 1.0
    seconds = first * scale**growth
    if seconds > 3 * effort.limit:
        raise Lacking(f"would prepare for {seconds:,.0f} s")
    seconds = min(run_time(double), run_time(double)) * scale
    if seconds > effort.limit:
        raise Lacking(f"would run for {seconds:,.0f} s")


def runner(framework: Framework, workload: Workload, case: Case, effort: Effort) -> Runner:
    """The framework's runner of a case, once it has shown that it is right."""
    if framework.name in workload.refused:
        raise Lacking(workload.refused[framework.name])
    with deadline(5 * effort.limit):
        probe(framework, workload, effort)
        run = framework.runner(case)
        check(framework, case, run)
        return run


def prepare(
    frameworks: Mapping[str, Framework], workload: Workload, effort: Effort, say: Say
) -> tuple[Result, dict[str, Runner]]:
    """Runners of all frameworks that can do the workload and do it right."""
    case = workload.build(workload.size)
    result, runners = Result(workload.name, workload.about, ops=case.ops), {}
    for name, framework in frameworks.items():
        say(f"{name}: checking")
        try:
            runners[name] = runner(framework, workload, case, effort)
        except Disagreement as error:
            result.skipped[name] = f"wrong: {error}"
            result.wrong.append(name)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            result.skipped[name] = reason if isinstance(error, Lacking) else f"{type(error).__name__}: {reason}"[:100]
    return result, runners


def estimate(run: Runner) -> float:
    """About how long a run takes."""
    seconds = run_time(run)
    return seconds if seconds > 0.5 else min(seconds, run_time(run))


def sample(run: Runner, number: int, warm: bool) -> float:
    """Seconds per run, over `number` runs."""
    gc.collect()
    time.sleep(SETTLE)
    if warm:
        run()
    start = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - start) / number


def take_turns(runners: Mapping[str, Runner], effort: Effort, say: Say) -> dict[str, list[float]]:
    """Samples of every runner; slow ones drop out of the later rounds."""
    once = {name: estimate(run) for name, run in runners.items()}
    number = {name: max(1, math.ceil(effort.sample / max(t, 1e-9))) for name, t in once.items()}
    rounds = {n: min(effort.rounds, max(3, int(effort.budget / (number[n] * once[n])))) for n in runners}
    samples: dict[str, list[float]] = {name: [] for name in runners}
    shuffle = random.Random(0).shuffle
    for turn in range(effort.rounds):
        names = [name for name in runners if turn < rounds[name]]
        shuffle(names)
        for name in names:
            say(f"{name}: round {turn + 1} of {effort.rounds}")
            samples[name].append(sample(runners[name], number[name], warm=once[name] < 0.25))
    return samples


def measure(frameworks: Mapping[str, Framework], workload: Workload, effort: Effort, say: Say) -> Result:
    """Check and time one workload."""
    result, runners = prepare(frameworks, workload, effort, say)
    if effort.rounds:
        gc.collect()
        gc.freeze()
        try:
            result.samples = take_turns(runners, effort, say)
        finally:
            gc.unfreeze()
    return result
