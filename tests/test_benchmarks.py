"""The benchmark measures what it says: each loss has the derivative written by hand beside it, for us too.

Nothing is timed against a bound here; the harness is checked with stand-ins.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess

import numpy as np
import pytest

from .benchmarks import __main__ as command
from .benchmarks import measure, page, processes, report
from .benchmarks.adapters import BY_HAND, FRAMEWORKS, OURS, PEERS, Lacking, load
from .benchmarks.adapters.by_hand import ByHand
from .benchmarks.cases import WORKLOADS, Case, Workload, choose

NAMES = list(WORKLOADS)


def tiny(name: str) -> Case:
    return WORKLOADS[name].build(WORKLOADS[name].tiny)


def doubled(case: Case) -> Case:
    """The same in float64, so that differences can be trusted."""

    def double(arrays):
        return [np.float64(x) if x.dtype.kind == "f" else x for x in arrays]

    leaves, constants, vectors = map(double, (case.leaves, case.constants, case.vectors))
    return dataclasses.replace(case, leaves=leaves, constants=constants, vectors=vectors)


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_by_hand_is_that_of_the_loss(name):
    case, m = doubled(tiny(name)), ByHand()
    draw = np.random.default_rng(7)
    along = list(case.vectors) or [draw.standard_normal(np.shape(x)) for x in case.leaves]

    def loss(step):
        return case.loss(m, *[x + step * v for x, v in zip(case.leaves, along, strict=True)], *case.constants)

    value = case.by_hand(*case.leaves, *case.constants, *case.vectors)[0]
    if value is not None:
        np.testing.assert_allclose(loss(0.0), value, rtol=1e-12)
    found = case.reference()
    if case.derivative == "hessian":
        found = [found[0] @ along[0]]
    slope = found[0] if case.derivative == "jvp" else sum(np.vdot(g, v) for g, v in zip(found, along, strict=True))
    if case.derivative in ("gradient", "jvp"):
        h = 1e-5
        difference = (loss(h) - loss(-h)) / (2 * h)
    else:
        h = 1e-4
        difference = (loss(h) - 2 * loss(0.0) + loss(-h)) / h**2
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_tinygrad_sp_agrees_with_the_derivative_by_hand(name):
    framework, case = load(OURS), tiny(name)
    try:
        run = framework.runner(case)
        measure.check(framework, case, run)
    except Lacking as lacking:
        pytest.skip(str(lacking))
    measure.check(framework, case, run)  # a second run starts afresh


@pytest.mark.parametrize("peer", PEERS)
def test_peers_that_are_here_agree_too(peer):
    module = FRAMEWORKS[peer]
    pytest.importorskip(peer.partition("-")[0], reason=f"{module[1]} is not installed")
    framework, case = load(peer), tiny("chain-scalar-leaves")
    measure.check(framework, case, framework.runner(case))


def square(n: int) -> Case:
    return Case([np.arange(1.0, n + 1)], lambda m, x: m.sum(x * x), lambda x: ((x * x).sum(), [2 * x]), ops=n)


class Wrong(ByHand):
    name = "wrong"

    def runner(self, case):
        return lambda: [1.001 * g for g in case.reference()]


class Shapeless(ByHand):
    name = "shapeless"

    def runner(self, case):
        return lambda: [g.sum() for g in case.reference()]


class Unable(ByHand):
    name = "unable"

    def runner(self, case):
        case.loss(self, *case.leaves)
        return lambda: [self.no_such_function(x) for x in case.leaves]


def race(rounds: int = 4) -> measure.Result:
    here = {BY_HAND: ByHand(), OURS: ByHand(), "torch": ByHand(), "wrong": Wrong(), "bad": Shapeless(), "no": Unable()}
    effort = measure.Effort(rounds=rounds, sample=1e-4)
    return measure.measure(here, Workload("square", "squares", square, 100, 3), effort, lambda _text: None)


def test_who_disagrees_is_not_timed_and_is_named():
    result = race()
    assert set(result.samples) == {BY_HAND, OURS, "torch"}
    assert all(len(samples) == 4 and min(samples) > 0 for samples in result.samples.values())
    assert result.wrong == ["wrong", "bad"]
    assert "off by 1.0e-03" in result.skipped["wrong"]
    assert "shape ()" in result.skipped["bad"]
    assert result.skipped["no"] == "lacks no_such_function"


def test_no_rounds_only_compares():
    assert race(rounds=0).samples == {}


def test_a_slow_one_is_found_out_at_a_small_size():
    class Slow(ByHand):
        name = "slow"

        def runner(self, case):
            assert len(case.leaves[0]) <= 20, "must not be tried at full size"
            return super().runner(case)

    workload = Workload("square", "squares", square, 10**9, 3, probe=10)
    with pytest.raises(Lacking, match=r"would (prepare|run) for"):
        measure.probe(Slow(), workload, measure.Effort(limit=1e-6))


def test_a_deadline_interrupts_and_is_taken_back():
    with pytest.raises(Lacking, match="not ready"), measure.deadline(0.01):
        while True:
            pass
    with measure.deadline(60):
        pass


def test_ratios_are_taken_within_rounds():
    samples = {BY_HAND: [1.0, 10.0, 1.0], OURS: [2.0, 20.0, 4.0], "torch": [4.0, 40.0, 4.0]}
    result = measure.Result("w", "about", ops=1000, samples=samples)
    assert report.ratio(result, OURS, BY_HAND) == report.Ratio(2.0, 2.0, 3.0)
    assert report.ratio(result, OURS, "torch").median == 0.5
    assert report.best(result, PEERS) == "torch"
    assert report.per_op(result, OURS) == pytest.approx(3000)
    text = "\n".join(report.lines(result))
    assert "tinygrad_sp" in text and "µs per op over NumPy" in text and "× torch 0.5 [0.5 0.75]" in text


def test_the_page_says_where_we_lose(tmp_path):
    samples = {BY_HAND: [1.0], OURS: [4.0], "torch": [2.0]}
    results = [
        *(measure.Result(f"softplus-1e{n}-float32", "about", samples=samples) for n in (1, 2, 6)),
        measure.Result("memory-add", "about", unit="B", samples={BY_HAND: [1.6e7], OURS: [1.6e7]}),
    ]
    record = {
        "machine": dict.fromkeys(("processor", "cores", "memory", "system", "python", "kernels"), "some"),
        "versions": {BY_HAND: "2"},
        "effort": {"rounds": 1},
    }
    page.write(record, results, tmp_path / "page.md", tmp_path / "picture.svg")
    text = (tmp_path / "page.md").read_text()
    assert "- `softplus-1e1-float32` (2 times torch), `softplus-1e2-float32` (2 times torch): Recording" in text
    assert "- `softplus-1e6-float32` (2 times torch): Float32 is computed in float64" in text
    assert "memory-add` (" not in text
    assert "](picture.svg)" in text and "16 MB" in text


def test_the_command_writes_what_it_measured(tmp_path, capsys):
    files = [tmp_path / "results.json", tmp_path / "page.md"]
    arguments = ["chain-scalar-constants", "--peers", "--rounds", "1", "--json", str(files[0]), "--page", str(files[1])]
    assert command.main(arguments) == 0
    assert "chain-scalar-constants" in capsys.readouterr().out
    record = json.loads(files[0].read_text())
    assert set(record["results"][0]["samples"]) == {BY_HAND, OURS}
    assert command.main(["--load", str(files[0])]) == 0
    assert "µs per op over NumPy" in capsys.readouterr().out


def test_several_workloads_are_measured_each_in_a_process_of_its_own(tmp_path, capfd):
    file = tmp_path / "results.json"
    arguments = ["chain-scalar", "--peers", "--rounds", "1", "--json", str(file)]
    assert command.main(arguments) == 0
    out = capfd.readouterr()
    assert "[2/2] chain-scalar-leaves" in out.err and "µs per op over NumPy" in out.out
    record = json.loads(file.read_text())
    assert [result["workload"] for result in record["results"]] == ["chain-scalar-constants", "chain-scalar-leaves"]


def test_a_workload_whose_process_dies_is_named(monkeypatch, capsys, tmp_path):
    dead = subprocess.CompletedProcess([], -9)
    monkeypatch.setattr(command.subprocess, "run", lambda *_args, **_options: dead)
    assert command.main(["chain-scalar", "--rounds", "1", "--json", str(tmp_path / "results.json")]) == 1
    assert "chain-scalar-leaves: the process ended with exit code -9" in capsys.readouterr().err


def test_the_command_refuses_unknown_names(capsys):
    for arguments in (["no-such-workload"], ["--peers", "nobody"]):
        with pytest.raises(SystemExit):
            command.main(arguments)
    assert "no workload is called" in (text := capsys.readouterr().err) and "no peer is called 'nobody'" in text


def test_names_by_beginning_and_pattern():
    assert choose([], NAMES) == NAMES
    assert choose(["chain-16"], NAMES) == ["chain-16-constants", "chain-16-leaves"]
    assert choose(["*float32"], ["a-float32", "a-float64"]) == ["a-float32"]
    with pytest.raises(KeyError, match="nothing"):
        choose(["nothing"], NAMES)


def test_the_import_is_measured_in_a_fresh_process():
    timing, memory = processes.measure_imports({BY_HAND: ByHand()}, measure.Effort(rounds=1), lambda _text: None)
    assert timing.samples[BY_HAND][0] > 0
    assert memory.unit == "B"


def test_peak_memory_of_a_run():
    workload = dataclasses.replace(WORKLOADS["memory-add"], size=10**5)
    assert 1.6e6 <= processes.peak(ByHand(), workload)["allocated"] < 1.7e6
