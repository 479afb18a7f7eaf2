"""What only a fresh process can tell: the time and memory of an import, and the peak memory of a run.

`python -m tests.benchmarks.processes FRAMEWORK WORKLOAD` is the process whose peak is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

from .adapters import Framework, load
from .cases import WORKLOADS, Workload
from .imported import resident
from .measure import Effort, Result, Say, check

ROOT = Path(__file__).resolve().parents[2]


def child(arguments: list[str], seconds: float) -> str:
    """The last line that a fresh Python prints."""
    # A fixed threshold makes malloc give every array its own pages, so that what is freed leaves the process.
    environment = dict(os.environ, PYTHONPATH=str(ROOT), MALLOC_MMAP_THRESHOLD_="1000000")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or a checkout would be compiled at every import
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=seconds, cwd=ROOT, env=environment
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "failed")
    return done.stdout.strip().splitlines()[-1]


def measure_imports(frameworks: Mapping[str, Framework], effort: Effort, say: Say) -> list[Result]:
    """Import time and resident memory after it, in processes that take turns."""
    timing = Result("import-time", "the import, in a fresh process")
    memory = Result("import-memory", "resident memory of a process after the import", unit="B")
    names = [name for name, framework in frameworks.items() if framework.eager]
    for turn in range(effort.rounds + 1):
        random.Random(turn).shuffle(names)
        for name in names:
            say(f"{name}: import {turn} of {effort.rounds}")
            line = child(["-m", "tests.benchmarks.imported", frameworks[name].imports], 60)
            seconds, size = map(float, line.split())
            if turn:  # the first one writes the byte code
                timing.samples.setdefault(name, []).append(seconds)
                if size:
                    memory.samples.setdefault(name, []).append(size)
    return [timing, memory]


def measure_peak(frameworks: Mapping[str, Framework], workload: Workload, effort: Effort, say: Say) -> Result:
    """Peak memory of one run: what NumPy allocated, or what the process grew by for those with their own memory."""
    result = Result(workload.name, workload.about, unit="B")
    for name, framework in frameworks.items():
        say(f"{name}: peak memory")
        if name in workload.refused:
            result.skipped[name] = workload.refused[name]
            continue
        try:
            line = child(["-m", "tests.benchmarks.processes", name, workload.name], 4 * effort.limit)
            size = json.loads(line)["allocated" if framework.on_numpy else "resident"]
            if size:
                result.samples[name] = [size]
            else:
                result.skipped[name] = "the system does not tell"
        except subprocess.TimeoutExpired:
            result.skipped[name] = f"ran for more than {4 * effort.limit:.0f} s"
        except RuntimeError as error:
            result.skipped[name] = str(error).rpartition("Lacking: ")[2][:100]
    return result


def peak(framework: Framework, workload: Workload) -> dict[str, float]:
    """Bytes that one run needs beyond what was there: allocated by NumPy, and resident in the process."""
    tiny = workload.build(workload.tiny)
    check(framework, tiny, framework.runner(tiny))
    run = framework.runner(workload.build(workload.size))
    if not framework.eager:
        run()  # the compiler's memory is not meant
    before, after = resident("VmRSS"), 0
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
        run()
        after = resident("VmHWM")
    tracemalloc.start()
    try:
        run()
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return {"allocated": allocated, "resident": max(0, after - before)}


if __name__ == "__main__":
    from . import workloads  # noqa: F401

    print(json.dumps(peak(load(sys.argv[1]), WORKLOADS[sys.argv[2]])))
