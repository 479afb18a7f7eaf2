"""Where the numbers come from: the machine and the versions, for the report and the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

DISTRIBUTIONS = {"jax-jit": "jax"}


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        rows = Path("/proc/cpuinfo").read_text().splitlines()
        return next(row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> str:
    """How much memory the machine has, where the system tells it."""
    try:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown memory"


def kernels() -> str:
    """For which processors the float64 kernels that NumPy chose here are made: they differ by a factor of three."""
    try:
        chosen = np.lib.introspect.opt_func_info(func_name="^(exp|log1p)$", signature="float64")
        return ", ".join(f"{name} for {kinds['dd']['current']}" for name, kinds in sorted(chosen.items()))
    except (AttributeError, KeyError):
        return "unknown"


def busy() -> str:
    """A warning if others are using the machine; threads that wait for each other then take many times as long."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"the machine is busy (load {load:.1f} on {cores()} cores): do not trust this run" if load > 0.5 else ""


def describe() -> dict[str, str]:
    return {
        "processor": processor(),
        "cores": str(cores()),
        "memory": memory(),
        "kernels": kernels(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(frameworks: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in frameworks:
        try:
            found[name] = version(DISTRIBUTIONS.get(name, name))
        except PackageNotFoundError:
            found[name] = "this checkout"
    return found
