"""Forward mode: a jvp is compared output by output, and with the vjp of which it is the transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Checker
from .compare import RIGHT, UNSURE, WRONG, Entries, both_wrong
from .contract import Problem
from .numeric import EPS64, estimate
from .precise import Analytic

Array = NDArray[Any]


def forward(c: Checker, report: Any, reverse: bool) -> None:
    """Compare the jvp with differences along random directions, and with the vjp if that is checked too."""
    from .check import row

    try:
        side = _side(c)
        for _ in range(2):
            u = _tangent(c)
            tangent = side.push(u)
            problem = _form(side, tangent)
            e = _compare(c, side, u, tangent)
            if reverse and not problem:
                problem = _transposed(c, side, u, tangent)
            if problem:
                report.problems.append(problem)
                return
            report.compared += e.status.size
            report.wrong += int((e.status == WRONG).sum())
            report.undecided += int((e.status == UNSURE).sum())
            worst = np.argsort(-np.nan_to_num(e.excess, nan=np.inf))[:4]
            report.rows += [row(c, e, int(i)) for i in worst if e.status[i] == WRONG]
    except (TypeError, NotImplementedError):
        raise
    except Exception as error:
        report.problems.append(Problem("raised", f"the jvp raised {type(error).__name__}: {error}"))


def _side(c: Checker) -> Analytic:
    """Get the jvp at the best precision it allows."""
    for dtype in (c.p.work, np.float64, None):
        try:
            side = Analytic(c.p, dtype)
            side.push(np.zeros(c.p.n))
            return side
        except Exception:
            if dtype is None:
                raise
    raise AssertionError


def _tangent(c: Checker) -> Array:
    r = c.rng.choice([1, 1.25, 1.5, -1, -1.25, -1.5], c.p.n)
    return np.asarray(np.where(c.p.x == 0, 0, c.unit) * r if (c.p.x != 0).any() else c.unit * r)


def _form(side: Analytic, tangent: Array) -> Problem | None:
    if tangent.size != side.p.m:
        return Problem("shape", f"the jvp gave {tangent.size} numbers for {side.p.m} outputs")
    return None


def _compare(c: Checker, side: Analytic, u: Array, tangent: Array) -> Entries:
    """Differences of every output along the direction; wrong only if a second ladder agrees."""
    analytic = tangent.astype(np.float64)
    eps = max(EPS64, float(np.finfo(tangent.dtype).eps))
    with np.errstate(all="ignore"):
        slack = 64 * eps * np.abs(analytic) + 16 * eps * np.abs(np.asarray(c.p.f, np.float64))
    names = np.arange(c.p.m)
    first, second = (
        Entries.of(np.full(c.p.m, -1), names, analytic * k, slack, estimate(c.p.ladder(u * k, c.steps)))
        for k in (1.0, 0.75)
    )
    del side
    first.status = both_wrong(first, second)
    first.status = np.where(c.finite, first.status, RIGHT)
    return first


def _transposed(c: Checker, side: Analytic, u: Array, tangent: Array) -> Problem | None:
    """<v, J u> is <J' v, u>."""
    v = np.where(c.finite & np.isfinite(tangent), c._signs(c.p.m), 0.0)
    back, slack = c.d.pull(v)
    with np.errstate(all="ignore"):
        ahead = v * np.nan_to_num(tangent.astype(np.float64))
        behind = back * u.astype(np.float64)
        eps = max(
            EPS64,
            float(np.finfo(tangent.dtype).eps),
            *(float(np.finfo(a.dtype).eps) for a in (*side.p.native, *side.p.out)),
        )
        bar = 256 * eps * (np.linalg.norm(ahead) + np.linalg.norm(behind)) + np.linalg.norm(slack * u) * 4
        off = abs(ahead.sum() - behind.sum())
        if np.isfinite(off) and off > max(bar, 1e-11 * np.abs(ahead).sum()):
            text = f"jvp and vjp are not transposes: <v, J u> is {ahead.sum():.12g}, <J' v, u> is {behind.sum():.12g}"
            return Problem("transpose", text)
    return None
