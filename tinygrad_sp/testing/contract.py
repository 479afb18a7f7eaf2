"""What a derivative must be besides right: a linear map that leaves everything else alone.

Shape and dtype of each gradient are its input's; cotangents and inputs come back unchanged; the same question
gets the same answer, whatever was asked in between; the answer is linear in the cotangent; two gradients are
two arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import subject as subjects
from .derivatives import Derivatives
from .numeric import EPS64, finite_part
from .precise import AFFORDABLE, Precise, copied, identical, lanes_of, some_numbers, split, wobble

Array = NDArray[Any]

MULTIPLES = ((-2.75, 0.0), (1024.0, 0.0), (2.0**-10, 0.0), (0.0, 0.0))  # there are no other sums of one number
SUMS = ((-3.0, 0.5), (1 / 3, 0.7), (1024.0, 0.0), (2.0**-10, 0.0), (0.0, 0.0), (1.0, 1.0))
ROUNDED = 1e-6  # sums of cotangents may be rounded to float32, if the function does that too; multiples survive it
ORDER = (0, 1, 2, 0, 2)  # of the questions that are asked again; the first had been answered before
STATE = "the same question asked twice gets two answers: the derivative keeps state or is random"
LEFT = "if the function is applied elsewhere before its gradient is asked for, that is another: it reads what was left"
TWICE = "a pull that was made once gives another answer when it is asked again"
VALUE = "the function has another value when its derivative is asked for"
CLOSE = 1e-6  # relative to the largest: two ways to compute a value


@dataclass
class Problem:
    """Something wrong that is not a number: what kind, where, in words."""

    kind: str
    message: str
    where: str = ""


def contract(p: Precise, rng: np.random.Generator) -> list[Problem]:
    """Try the analytic side in every way that must make no difference."""
    v = some_numbers(p.m, rng) * np.isfinite(lanes_of(p.out))
    try:
        found, first = _form(p, v)
        return found or (_conduct(p, v, first, rng) if p.n and p.m else [])
    except subjects.WrongGradients as error:
        return [Problem("structure", str(error))]
    except Exception as error:  # in the rule, or where what it returned is no array
        return [Problem("raised", f"the derivative raised {type(error).__name__}: {error}")]


def _form(p: Precise, v: Array) -> tuple[list[Problem], list[Any]]:
    """Shape, dtype, aliasing, and that nothing was written into; and the answer, the very first that was given."""
    subject, found = p.subject, []
    arrays = [copied(a) for a in p.native]  # lying in memory as the user gave them; afterwards in order
    cotangents = split(v, p.out)
    before = [a.copy() for a in cotangents]
    dressed = [leaf.dress(a) for leaf, a in zip(subject.varied, arrays, strict=True)]
    grads = subject.pull(arrays, cotangents)
    first = _copies(grads)
    for leaf, array, native, grad in zip(subject.varied, arrays, p.native, grads, strict=True):
        if not identical(array, native):
            found.append(Problem("in place", f"the derivative wrote into its input {leaf.name}", leaf.name))
        found += [] if grad is None else _shape_and_dtype(leaf, native, np.asarray(grad))
    if any(not identical(a, b) for a, b in zip(cotangents, before, strict=True)):
        found.append(Problem("in place", "the derivative wrote into its cotangent"))
    if any(not identical(a, b) for a, b in subject.lent):
        found.append(Problem("in place", "the derivative wrote into the function's result"))
    found += other_value(p)
    del dressed
    if not p.m and any(g is not None and np.any(np.asarray(g) != 0) for g in grads):
        found.append(Problem("linearity", "the function has no outputs, yet its gradient is not zero"))
    return found + _aliases(p, subject.seen(grads, p.native, before), cotangents), first


def _shape_and_dtype(leaf: subjects.Leaf, native: Array, grad: Array) -> list[Problem]:
    found = []
    if grad.shape != native.shape:
        text = f"the gradient of {leaf.name} has shape {grad.shape}; the input has {native.shape}"
        found.append(Problem("shape", text, leaf.name))
    number = not isinstance(leaf.value, (np.ndarray, np.generic)) and not leaf.tensor
    same_kind = grad.dtype.kind == native.dtype.kind or (number and grad.dtype.kind != "c")
    if not same_kind or (grad.dtype != native.dtype and not number):
        text = f"the gradient of {leaf.name} has dtype {grad.dtype}; the input has {native.dtype}"
        found.append(Problem("dtype", text, leaf.name))
    return found


def _aliases(p: Precise, grads: list[Any], cotangents: list[Array]) -> list[Problem]:
    """Two gradients in one memory: adding to one would change the other.  The cotangent itself is no harm."""
    found = []
    arrays = [(leaf, g) for leaf, g in zip(p.subject.varied, grads, strict=True) if isinstance(g, np.ndarray)]
    for i, (one, a) in enumerate(arrays):
        for other, b in arrays[:i]:
            if not np.may_share_memory(a, b) or not a.flags.writeable:
                continue
            if not any(np.may_share_memory(a, c) for c in cotangents) and np.shares_memory(a, b):
                text = f"the gradients of {other.name} and {one.name} share memory"
                found.append(Problem("aliasing", text, one.name))
    return found


def _conduct(p: Precise, v: Array, first: list[Any], rng: np.random.Generator) -> list[Problem]:
    """The same answers again, unchanged by what was asked in between, and linear in the cotangent."""
    w = some_numbers(p.m, rng) * np.isfinite(lanes_of(p.out))
    here, there = p.native, [_moved(a) for a in p.native]
    questions = ((here, v), (here, w), (there, v))
    answers: list[Any] = [first, None, None]
    given: list[tuple[list[Any], list[Any]]] = []
    for i in ORDER if p.n <= AFFORDABLE else ORDER[:3]:
        x, cotangent = questions[i]
        found = p.subject.pull([a.copy() for a in x], split(cotangent, p.out))
        if not all(_same(*one) for one in given):
            return [Problem("state", "asking for another gradient changed an earlier one: they share a buffer")]
        given.append((found, _copies(found)))
        if answers[i] is None:
            answers[i] = given[-1][1]
        elif not near(answers[i], found):
            return [Problem("state", _two_answers(p, v, found, answers[0]) if i == 0 else STATE)]
        if i == 2:
            p.subject.call([a.copy() for a in there])
    p.one_gradient = near(answers[0], answers[2])
    return _asked_late(p, w, there, answers[1]) or ([] if p.subject.given else _linear(p, w))


def _asked_late(p: Precise, w: Array, there: list[Array], answer: list[Any]) -> list[Problem]:
    """Ask when the function has been applied elsewhere since, and once more; a pull may refuse that, by raising."""
    subject = p.subject
    subject.rewind()
    pull = subject.puller([a.copy() for a in p.native])
    if not subject.generators:
        subject.puller([a.copy() for a in there])
    subject.pulls += 1
    found = _copies(pull(split(w, p.out)))
    if not near(answer, found):
        return [Problem("state", LEFT)]
    try:
        again = pull(split(w, p.out))
    except Exception:
        return []
    return [] if subject.generators or near(found, again) else [Problem("state", TWICE)]


def other_value(p: Precise) -> list[Problem]:
    """Compare the value that a derivative came with, if it did, with the function's."""
    returned = p.subject.returned
    if returned is None or [a.shape for a in returned] != [a.shape for a in p.out]:
        return []
    bars = [CLOSE * np.max(np.abs(finite_part(a)), initial=0.0) for a in p.out]
    if _values_alike(returned, p.out, bars):
        return []
    nearby = [p.subject.call([a * (1 + k * np.finfo(a.dtype).eps) for a in p.native]) for k in (-4, -2, 2, 4)]
    bars = [64 * np.max(np.ptp(a, axis=0), initial=bar) for bar, *a in zip(bars, *nearby, strict=True)]
    return [] if _values_alike(returned, p.out, bars) else [Problem("value", VALUE)]


def _values_alike(a: list[Array], b: list[Array], bars: list[float]) -> bool:
    each = zip(a, b, bars, strict=True)
    return all(np.allclose(x, y, rtol=1e3 * np.finfo(y.dtype).eps, atol=bar, equal_nan=True) for x, y, bar in each)


def _two_answers(p: Precise, v: Array, ordered: list[Any], first: list[Any]) -> str:
    """Say why an answer is not the first one, which was asked with the input in memory as the user gave it."""
    again = [_copies(p.subject.pull([copy(a) for a in p.native], split(v, p.out))) for copy in (copied, np.copy)]
    if any(not a.flags.c_contiguous for a in p.native) and near(first, again[0]) and near(ordered, again[1]):
        return "the derivative depends on how its input lies in memory: it is another for a contiguous copy"
    return STATE


def _copies(grads: list[Any]) -> list[Any]:
    return [None if g is None else np.array(g) for g in grads]


def _moved(a: Array) -> Array:
    return np.asarray(a * a.dtype.type(0.875))


def _same(a: list[Any], b: list[Any]) -> bool:
    return all((x is None and y is None) or identical(x, y) for x, y in zip(a, b, strict=True))


def near(a: list[Any], b: list[Any]) -> bool:
    """Equal, or as near as two orders of summation are."""
    for x, y in zip(a, b, strict=True):
        if x is None or y is None:
            if x is not y:
                return False
            continue
        if identical(x, y):
            continue
        x, y = np.asarray(x), np.asarray(y)
        size = np.max(np.abs(x[np.isfinite(x)]), initial=0.0)
        bar = 64 * np.finfo(x.dtype if x.dtype.kind in "fc" else float).eps * size
        if not np.all((x == y) | (np.abs(x - y) <= bar) | (np.isnan(x) & np.isnan(y))):
            return False
    return True


def _linear(p: Precise, w: Array) -> list[Problem]:
    """Sums, multiples (large, small, negative, zero) of cotangents give sums and multiples of gradients."""
    a = p.best
    v, w = p.asked, w * np.isfinite(p.f)
    sums = np.array((SUMS[0], SUMS[2]) if p.n > AFFORDABLE else MULTIPLES if p.m == 1 else SUMS)
    w = w if sums[:, 1].any() else v  # v has been answered: another is asked about only if it is in a sum
    gv, gw = a.pull(v), a.pull(w)
    for some in sums[None] if p.n <= AFFORDABLE else sums[:, None]:
        both = some[:, :1] * v + some[:, 1:] * w
        if a.out:
            some, both = (x[np.abs(both).max(axis=1) <= 0.1 * np.finfo(a.out[0].dtype).max] for x in (some, both))
        problem = _no_sum(p, some, both, (v, w), (gv, gw)) if len(both) else None
        if problem:
            return [problem]
    return []


def _no_sum(
    p: Precise, some: Array, both: Array, parts: tuple[Array, Array], gradients: tuple[Array, Array]
) -> Problem | None:
    """Compare the gradients for sums of two cotangents with the sums of their gradients."""
    a, (gv, gw) = p.best, gradients
    eps = max(float(np.finfo(a.out[0].dtype).eps) if a.out else 0.0, float(np.finfo(gv.dtype).eps))
    expected = some[:, :1] * gv + some[:, 1:] * gw
    answers = np.array([a.pull(cotangent) for cotangent in both])
    off = np.abs(answers - expected)
    lost = ~np.isfinite(answers) & (np.abs(expected) < 1e-3 * np.finfo(gv.dtype).max)
    if lost.any():  # a rule that divides by its cotangent, say: zeros are the commonest of all
        k, i = (int(at[0]) for at in np.nonzero(lost))
        text = f"the gradient for {some[k, 0]:g} v + {some[k, 1]:g} w is {answers[k, i]}; it is finite for v and w"
        return Problem("linearity", text, where(p, i))
    size = np.abs(some).sum(axis=1)[:, None] * (np.abs(gv) + np.abs(gw))
    top = finite_part(size).max(axis=1)[:, None]
    rounded = np.maximum(ROUNDED * (some[:, 1:] != 0), 256 * eps)
    bad = off > rounded * (size + 0.1 * top * np.sqrt(max(p.m, 1)))
    if bad.any():
        k = int(bad.any(axis=1).argmax())
        if not near([a.pull(parts[1]), a.pull(both[k])], [gw, answers[k]]):
            return Problem("state", STATE)
        bad &= off > _rounding(p, some, both, np.stack(parts), eps)
    if not bad.any():
        return None
    k = int(bad.any(axis=1).argmax())
    i = int(np.argmax(off[k] / np.where(size[k] > 0, size[k], 1)))
    s, t = some[k]
    text = f"the derivative is not linear: the gradient for {s:g} v + {t:g} w is not the sum of both"
    return Problem("linearity", text, where(p, i))


def _rounding(p: Precise, some: Array, both: Array, parts: Array, eps: float) -> Array:
    """Bound the rounding in the answers to a few sums of cotangents and to their parts: terms of a rule may cancel.

    By what multiples next to one change, by how far off a lower precision is, and by what terms as large as the
    results are rounded: all of them may cancel, as in solve(a, a).
    """
    a, d = p.best, Derivatives(p)
    weight = np.fmax(np.abs(some).sum(axis=1)[:, None], EPS64)
    changed = (wobble(lambda t: [a.pull(v * t) for v in both], eps) / weight).max(axis=0) * weight
    slack, slacks = (np.array([d.pull(v)[1] for v in cotangents]) for cotangents in (both, parts))
    x, terms = np.abs(p.x).astype(np.float64), np.abs(both) @ np.abs(finite_part(p.f)).astype(np.float64)
    terms = 64 * eps * terms[:, None] / np.where(x > 0, x, x.max() or 1)
    return np.asarray(np.fmax(np.fmax(changed, terms), slack + np.abs(some) @ slacks))


def where(p: Precise, coordinate: int) -> str:
    """Name a coordinate: the input, the index, the part of a complex number."""
    k = int(np.searchsorted(p.edges, coordinate, side="right")) - 1
    leaf, array = p.subject.varied[k], p.native[k]
    per = 2 if array.dtype.kind == "c" else 1
    at, part = divmod(coordinate - int(p.edges[k]), per)
    index = ", ".join(map(str, map(int, np.unravel_index(at, array.shape)))) if array.ndim else ""
    return leaf.name + (f"[{index}]" if index else "") + ((".real", ".imag")[part] if per == 2 else "")
