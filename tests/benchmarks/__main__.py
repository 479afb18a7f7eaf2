"""The command line: `python -m tests.benchmarks [workload ...]`, from the root of the repository.

Frameworks take the threads they like.  To compare them on one core: `taskset -c 0 python -m tests.benchmarks ...`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import machine, page, plot, report
from . import workloads as _workloads  # noqa: F401  (they enter themselves)
from .adapters import BY_HAND, OURS, PEERS, Framework, load
from .cases import WORKLOADS, choose
from .measure import Effort, Result, Say, measure
from .processes import ROOT, measure_imports, measure_peak

IMPORTS = "import"
NAMES = [*WORKLOADS, IMPORTS]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help="names, beginnings (chain) or patterns ('*float32'); all if none")
    parser.add_argument(
        "--peers", nargs="*", default=PEERS, metavar="NAME", help=f"of {', '.join(PEERS)}; all if absent"
    )
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="turns; 0 only compares the gradients")
    parser.add_argument("--limit", type=float, default=Effort.limit, help="skip what takes longer for one run (s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios (svg, png; needs Matplotlib)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page for the docs (Markdown)")
    parser.add_argument("--load", type=Path, metavar="FILE", help="report what --json wrote; measure nothing")
    parser.add_argument("--list", action="store_true", help="name the workloads")
    chosen = parser.parse_args(argv)
    chosen.peers = [name for word in chosen.peers for name in word.split(",") if name]
    for name in chosen.peers:
        if name not in PEERS:
            parser.error(f"no peer is called {name!r}; there are: {', '.join(PEERS)}")
    try:
        chosen.workloads = choose(chosen.workloads, NAMES)
    except KeyError as error:
        parser.error(error.args[0])
    return chosen


def progress(prefix: str) -> Say:
    """One line on the terminal that is written over; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        return lambda _text: None
    return lambda text: print(f"\r\x1b[K{prefix}{text}", end="", file=sys.stderr, flush=True)


def find(names: list[str]) -> dict[str, Framework]:
    """The frameworks that are here; the others are named."""
    found = {}
    for name in names:
        progress("")(f"importing {name}")
        try:
            found[name] = load(name)
        except (ImportError, RuntimeError, AttributeError) as error:
            progress("")("")
            print(f"skipped {name}: {error}")
    return found


def measure_one(name: str, frameworks: dict[str, Framework], effort: Effort, say: Say) -> list[Result]:
    if name == IMPORTS:
        return measure_imports(frameworks, effort, say)
    if WORKLOADS[name].kind == "memory":
        return [measure_peak(frameworks, WORKLOADS[name], effort, say)]
    return [measure(frameworks, WORKLOADS[name], effort, say)]


def run_apart(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure each workload in a process of its own: compiled functions and their memory are gone for the next."""
    record: dict[str, Any] = {"results": [], "failed": [], "machine": machine.describe(), "versions": {}, "effort": {}}
    peers = chosen.peers
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(chosen.workloads, 1):
            print(f"[{i}/{len(chosen.workloads)}] {name}", file=sys.stderr, flush=True)
            file = Path(folder, f"{i}.json")
            options = ["--rounds", str(chosen.rounds), "--limit", str(chosen.limit), "--json", str(file)]
            command = [sys.executable, "-m", "tests.benchmarks", name, *options, "--peers", *peers]
            code = subprocess.run(command, cwd=ROOT).returncode
            if file.exists():
                one = json.loads(file.read_text())
                record = {**one, "results": record["results"] + one["results"], "failed": record["failed"]}
                peers = [peer for peer in peers if peer in one["versions"]]  # those that are absent are named once
            else:
                print(f"{name}: the process ended with exit code {code}", file=sys.stderr, flush=True)
                record["failed"].append(name)
    return record


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure what was chosen in this process, saying each result as it comes."""
    if warning := machine.busy():
        print(warning, file=sys.stderr)
    frameworks = find([BY_HAND, OURS, *chosen.peers])
    effort = Effort(rounds=chosen.rounds, limit=chosen.limit)
    results = []
    for i, name in enumerate(chosen.workloads, 1):
        prefix = f"[{i}/{len(chosen.workloads)}] {name}: "
        if not sys.stderr.isatty():
            print(f"{prefix}measuring", file=sys.stderr, flush=True)
        for result in measure_one(name, frameworks, effort, progress(prefix)):
            progress("")("")
            print(*report.lines(result), sep="\n", flush=True)
            results.append(result)
    return {
        "machine": machine.describe(),
        "versions": machine.versions(frameworks),
        "effort": asdict(effort),
        "results": [asdict(result) for result in results],
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; the exit code is 1 if any derivative is not the one by hand, or a workload did not end."""
    chosen = arguments(argv)
    if chosen.list:
        print(
            *(
                f"{name:24} {WORKLOADS[name].about if name in WORKLOADS else 'import time and memory'}"
                for name in NAMES
            ),
            sep="\n",
        )
        return 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # frameworks' own; a run is not a test
        if chosen.load:
            record = json.loads(chosen.load.read_text())
        else:
            record = (run_apart if len(chosen.workloads) > 1 and chosen.rounds else run)(chosen)
    results = [Result(**result) for result in record["results"]]
    if chosen.load:
        print(*(line for result in results for line in report.lines(result)), sep="\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(record, indent=1))
    if chosen.plot:
        plot.draw(results, chosen.plot)
    if chosen.page:
        page.write(record, results, chosen.page, chosen.plot)
    return int(any(result.wrong for result in results) or bool(record.get("failed")))


if __name__ == "__main__":
    sys.exit(main())
