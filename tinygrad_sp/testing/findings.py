"""What the comparisons say, put into the report: arrays for each input, the worst as rows, a verdict in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import ROWS, Block, Checker
from .compare import RIGHT, STATUS, UNSURE, WRONG, Entries
from .contract import where
from .directions import power
from .numeric import KINDS, SMOOTH, median
from .precise import Precise, coordinates
from .report import InputReport, Report, Row, plural
from .subject import Subject
from .together import TOGETHER

Array = NDArray[Any]

SHOWN = 8  # rows of each kind in a report


def write(c: Checker, report: Report, blocks: list[Block]) -> None:
    """Give each input its gradients of the summed result, from what was compared."""
    v = np.where(c.finite, 1.0, 0.0)
    analytic, _ = c.d.pull(v)
    numeric, error, low, high = np.full((4, c.p.n), np.nan)
    status = np.full(c.p.n, -1, np.int8)
    for b in blocks:
        found: Entries = b.entries
        single = found.coordinate >= 0
        np.maximum.at(status, found.coordinate[single], found.status[single])
        whole = c.p.m <= ROWS or b.mode == "elementwise"
        summed = single & ((found.lane >= 0) if whole else (found.lane == -1))
        at = found.coordinate[summed]
        some, (least, most) = np.bincount(at, minlength=c.p.n) > 0, found.allowed
        each = (found.estimate.value, found.estimate.bar, least, most)
        for total, terms in zip((numeric, error, low, high), each, strict=True):
            total[some] = np.bincount(at, terms[summed], c.p.n)[some]
    for k, (leaf, native) in enumerate(zip(c.p.subject.varied, c.p.native, strict=True)):
        part = slice(int(c.p.edges[k]), int(c.p.edges[k + 1]))
        block = next((b for b in blocks if b.start == part.start and b.stop == part.stop), None)
        dtype = np.complex128 if native.dtype.kind == "c" else np.float64
        a, n, e, least, most = (
            x[part].view(dtype).reshape(native.shape) for x in (analytic, numeric, error, low, high)
        )
        mode, counts = (block.mode, block.entries.counts) if block else ("empty", (0, 0, 0))
        arrays = a, n, e, least, most, status[part]
        report.inputs.append(InputReport(leaf.name, native.shape, native.dtype, mode, *arrays, *counts))


def summarise(c: Checker, report: Report, e: Entries | None, blocks: list[Block]) -> None:
    """Count, rank and describe the comparisons."""
    if e is None:
        return
    compared, wrong_ones, unsure = e.counts
    report.compared += compared
    report.wrong += wrong_ones
    report.undecided += unsure
    worst = np.argsort(-np.where(np.isnan(e.excess), np.inf, e.excess))
    wrong = worst[e.status[worst] == WRONG]
    located = wrong[e.coordinate[wrong] >= 0]
    some = (located if located.size else wrong if wrong.size else worst[:3])[:SHOWN]
    report.rows += [row(c, e, int(i)) for i in some]
    report.unsure += [row(c, e, int(i)) for i in np.flatnonzero(e.status == UNSURE)[:SHOWN]]
    kinks = np.flatnonzero((e.estimate.kind != SMOOTH) & (e.status == RIGHT) & (e.coordinate >= 0))
    report.kinks += [row(c, e, int(i)) for i in kinks[:SHOWN]]
    single = (e.coordinate >= 0) & (np.abs(e.analytic) > 0) & (e.status == RIGHT)
    seen = [e.tolerance[single] / np.abs(e.analytic[single])]
    seen += [power(c, b, b.entries) for b in blocks if b.mode == "directions"]
    seen_all = np.concatenate(seen)
    if seen_all.size:
        report.power = (median(seen_all), float(seen_all.max()))


def row(c: Checker, e: Entries, i: int) -> Row:
    """Describe one comparison."""
    at, lane, s = int(e.coordinate[i]), int(e.lane[i]), e.estimate
    many = "the elements at kinks, or equal ones, together" if at == TOGETHER else "a direction through many elements"
    place = where(c.p, at) if at >= 0 else many
    if lane >= 0:
        output = _output_name(c.p, lane)
    else:
        output = "sum" if lane == -1 else f"random sum {-1 - lane}"
    status = STATUS[int(e.status[i])]
    smooth = s.kind[i] == SMOOTH
    bar = float(s.bar[i] if smooth else s.side_bar[i])
    note = KINDS[int(s.kind[i])]
    if status == "not decided" and smooth:
        note = "the differences are too uncertain to tell"
    values = (float(s.value[i]), bar, status, float(s.left[i]), float(s.right[i]))
    return Row(place, output, float(e.analytic[i]), *values, note)


def _output_name(p: Precise, lane: int) -> str:
    if p.m == 1:
        return ""
    at = lane
    for k, output in enumerate(p.out):
        n = coordinates(output)
        if at < n:
            per = n // output.size
            index = ", ".join(map(str, map(int, np.unravel_index(at // per, output.shape))))
            part = ("", "")[0] if per == 1 else (".real", ".imag")[at % per]
            return (f"output {k}" if len(p.out) > 1 else "output") + (f"[{index}]" if index else "") + part
        at -= n
    return ""


def conclude(report: Report, subject: Subject) -> Report:
    """Put the verdict in a sentence."""
    report.evaluations, report.pulls = subject.evaluations, subject.pulls
    if report.problems:
        report.verdict, first = "fail", report.problems[0]
        report.reason = first.message
    elif report.wrong:
        report.verdict = "fail"
        count = (
            f"{report.wrong} of {plural(report.compared, 'derivative')} {'is' if report.compared == 1 else 'are'} wrong"
        )
        report.reason = f"{count}; the worst: {report.rows[0].sentence()}" if report.rows else count
    elif report.undecided:
        report.verdict = "inconclusive"
        first_unsure = report.unsure[0].sentence() if report.unsure else ""
        share = f"{report.undecided} of {plural(report.compared, 'derivative')} could not be decided; {first_unsure}"
        report.reason = report.reason or share
    elif not subject.varied:
        report.reason = "there is no floating input: nothing to differentiate"
    elif not report.compared:
        report.reason = "no elements, or no floating result: nothing can be wrong but shape and dtype"
    else:
        report.reason = within(report)
    return report


def within(report: Report) -> str:
    """Say that everything is right."""
    one = "the derivative lies within the error bar" if report.compared == 1 else ""
    return f"{one or f'all {report.compared} derivatives lie within the error bars'} of the differences"
