"""Forward mode: a jvp is compared output by output, and with the vjp of which it is the transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Checker
from .compare import RIGHT, UNSURE, WRONG, Entries, both_wrong
from .contract import Problem, near, other_value
from .derivatives import ALIKE, DOUBT, NEAR, calmer
from .findings import row
from .numeric import EPS64, Samples, estimate, finite_part
from .precise import Analytic, identical, lanes_of, split, wobble

Array = NDArray[Any]

UNEVEN = 1e-6  # relative: how far rounding may keep a jvp from being linear


def forward(c: Checker, report: Any, reverse: bool) -> None:
    """Compare the jvp with differences along random directions, and with the vjp if that is checked too."""
    try:
        side = _side(c)
        for _ in range(2):
            u = _tangent(c)
            tangent = side.push(u)
            problem = _form(side, tangent) or _conduct(c, u, tangent)
            slack = 64 * _rounding(side, u, tangent) * np.abs(tangent)
            e = _compare(c, u, tangent, slack)
            if (e.status == WRONG).any():
                e = _compare(c, u, tangent, np.fmax(slack, _doubt(side, u, tangent)))
            if reverse and not problem:
                u = np.where(u == 0, c.unit, u)  # what is right at zero does not matter here
                problem = _transposed(c, side, u, side.push(u))
            if problem:
                report.problems.append(problem)
                return
            report.compared += e.status.size
            report.wrong += int((e.status == WRONG).sum())
            report.undecided += int((e.status == UNSURE).sum())
            worst = np.argsort(-np.nan_to_num(e.excess, nan=np.inf))[:4]
            report.rows += [row(c, e, int(i)) for i in worst if e.status[i] == WRONG]
            report.rows.sort(key=lambda r: r.status != "wrong")
            report.unsure += [row(c, e, int(i)) for i in np.flatnonzero(e.status == UNSURE)[:4]]
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


def _conduct(c: Checker, u: Array, best: Array) -> Problem | None:
    """The jvp leaves its inputs alone, and a tangent is the same again, of its output's dtype and beside its value."""
    p = c.p
    primals, tangents = [a.copy() for a in p.native], split(u, p.native)
    before = [a.copy() for a in tangents]
    p.subject.returned = None
    found = [a.copy() for a in p.subject.push(primals, tangents)]
    value = other_value(p)
    for leaf, x, given_x, t, given_t in zip(p.subject.varied, p.native, primals, before, tangents, strict=True):
        if not (identical(x, given_x) and identical(t, given_t)):
            what = "tangent of" if identical(x, given_x) else "input"
            return Problem("in place", f"the jvp wrote into its {what} {leaf.name}", leaf.name)
    for k, (tangent, out) in enumerate(zip(found, p.out, strict=True)):
        if tangent.dtype != out.dtype and out.ndim:
            return Problem("dtype", f"the tangent of output {k} has dtype {tangent.dtype}; the output has {out.dtype}")
    again = p.subject.push([a.copy() for a in p.native], [a.copy() for a in before])
    if not near(found, again):
        return Problem("state", "the jvp gives two tangents for the same question: it keeps state or is random")
    return value[0] if value else _own_dtype(c, lanes_of(found), best)


def _own_dtype(c: Checker, found: Array, best: Array) -> Problem | None:
    """In the inputs' own dtype the tangents are the same numbers, up to that dtype's rounding."""
    p, finite = c.p, np.isfinite(found) & c.finite
    if not finite.any():
        return None
    eps = max(float(np.finfo(a.dtype).eps) for a in (*p.native, *p.out))
    a, b, f = (np.abs(x[finite]).astype(np.float64) for x in (found - best, best, p.f))
    terms = max(64 * eps, 1e-12) * f.max()  # by which results are off that are rounded to begin with
    if (a > max(4 * np.sqrt(eps), ALIKE) * b.max() + terms).any():
        i = int(np.flatnonzero(finite)[a.argmax()])
        text = f"in {p.native[0].dtype} the tangent of a result is {found[i]:.9g}; computed wider it is {best[i]:.9g}"
        return Problem("precision", text)
    return None


def _samples(c: Checker, u: Array, factor: float) -> Samples:
    """Sample along a direction on a ladder that is moved by a factor, which does not change the answer."""
    s = c.p.ladder(u * factor, c.steps)
    s.unit = s.unit * factor
    return s


def _rounding(side: Analytic, u: Array, tangent: Array) -> float:
    """Measure the relative rounding of a jvp (in float32 somewhere?) by what is not quite linear in it."""
    eps = max(EPS64, float(np.finfo(tangent.dtype).eps))
    factors = (u.dtype.type(4) / 3, u.dtype.type(0.7))
    off = [np.abs(side.push(u * k) / k - tangent) / np.abs(tangent) for k in factors]
    most = float(np.max(np.where(np.isfinite(off), off, 0.0), initial=0.0))
    return max(eps, min(most, UNEVEN) / 16)


def _doubt(side: Analytic, u: Array, tangent: Array) -> Array:
    """Measure the rounding of a jvp at points a few units in the last place away."""
    eps = max(EPS64, float(np.finfo(tangent.dtype).eps))
    points = (side.p.x * side.p.x.dtype.type(1 + k * eps) for k in NEAR)
    spread = 8 * calmer(np.array([Analytic(side.p, side.dtype, x).push(u) for x in points]))
    return np.asarray(np.fmin(finite_part(spread), DOUBT * np.abs(tangent)))


def _compare(c: Checker, u: Array, tangent: Array, slack: Array) -> Entries:
    """Differences of every output along the direction; wrong only if a second ladder agrees."""
    analytic = tangent.astype(np.float64)
    slack = slack.astype(np.float64) + 16 * EPS64 * np.abs(np.asarray(c.p.f, np.float64))
    names = np.arange(c.p.m)
    first, second = (
        Entries.of(np.full(c.p.m, -1), names, analytic, slack, estimate(_samples(c, u, k))) for k in (1.0, 0.75)
    )
    first.status = both_wrong(first, second)
    first.status = np.where(c.finite, first.status, RIGHT)
    return first


def _transposed(c: Checker, side: Analytic, u: Array, tangent: Array) -> Problem | None:
    """<v, J u> is <J' v, u>."""
    v = np.where(c.finite & np.isfinite(tangent), c._signs(c.p.m), 0.0)
    back, slack = c.d.pull(v)
    ahead = v * np.nan_to_num(tangent.astype(np.float64))
    behind = back * u.astype(np.float64)
    eps = max(
        EPS64,
        float(np.finfo(tangent.dtype).eps),
        *(float(np.finfo(a.dtype).eps) for a in (*side.p.native, *side.p.out)),
    )
    bar = 256 * eps * (np.linalg.norm(ahead) + np.linalg.norm(behind)) + np.linalg.norm(slack * u) * 4
    off = abs(ahead.sum() - behind.sum())
    wrong = np.isfinite(off) and off > max(bar, 1e-11 * np.abs(ahead).sum())
    if wrong and off > wobble(lambda t: [v @ np.nan_to_num(side.push(u * t)), c.d.best.pull(v * t) @ u], eps).max():
        text = f"jvp and vjp are not transposes: <v, J u> is {ahead.sum():.12g}, <J' v, u> is {behind.sum():.12g}"
        return Problem("transpose", text)
    return None
