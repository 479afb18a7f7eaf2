"""gradcheck: compare analytic with numeric derivatives, and say what was found.

The order of events: the function is looked at (precision, structure), its derivative's conduct is tried
(`contract`), its numbers are compared at the given point (`blocks`, `directions`) and at others (`probe`),
and, if something is wrong in a recorded graph, the op to blame is found (`culprit`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import probe, pushed
from .blocks import Checker
from .compare import UNSURE, Entries, join_entries
from .contract import Problem, contract, where
from .derivatives import ALIKE, Derivatives
from .directions import directions
from .findings import conclude, summarise, within, write
from .forward import forward
from .precise import Analytic, Precise, identical, lanes_of
from .report import Report, plural
from .subject import GivenSubject, PairSubject, Subject, TensorSubject
from .ties import tied
from .together import equals, together

Array = NDArray[Any]


def gradcheck(
    f: Any,
    *inputs: Any,
    order: int = 1,
    modes: Sequence[str] = ("vjp",),
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    grad: Callable[..., Any] | None = None,
    gradients: Any = None,
    domain: Any = "auto",
    generators: Sequence[Any] = (),
    convention: str = "ascent",
    detail: str = "auto",
    seed: int = 0,
    blame: bool = True,
) -> Report:
    """Check the derivatives of a function against differences that know their own error.

    Parameters
    ----------
    f : callable
        A function of Tensors (or an `Op`), a plain function with ``vjp=`` (or ``grad=``, ``gradients=``), or a
        pair ``(f, vjp)``.  It may return one array or nested containers of them.
    *inputs
        Arrays, numbers or nested tuples, lists and dicts of them.  Floating and complex ones are varied;
        integers, booleans and everything else are passed along.
    order : int
        2 checks the derivatives of the derivatives as well, and so on (functions of Tensors only).
    modes : sequence of str
        "vjp", "jvp" or both; with both it is checked that they are transposes of each other.
    vjp : callable, optional
        ``vjp(g, *inputs)``, ``vjp(g, out, *inputs)`` or ``vjp(*inputs) -> (out, pull)``.
    jvp : callable, optional
        ``jvp(primals, tangents)``, giving the tangent or (value, tangent).
    grad : callable, optional
        ``grad(*inputs)``: the gradient(s) of the sum of the results.
    gradients : array or sequence of arrays, optional
        Numbers said to be the gradient(s) of the sum of the results.
    domain : "auto", None, pair or list of pairs
        Other points to try: by default a few dozen around zero and around the inputs where the function works
        element by element; ``(lo, hi)`` for all inputs or for each; None for the given point only.
    generators : sequence of numpy.random.Generator
        Set back before every evaluation, so that a stochastic function is one function.  Those among the
        inputs or in the function's closure are found without being named.
    convention : str
        "ascent" (gradient of a real L is dL/da + i dL/db) or "conjugate" (JAX's) for complex numbers.
    detail : str
        "columns" looks at every coordinate by itself however many there are.
    seed : int
        Of the random cotangents, directions and points.
    blame : bool
        Walk the recorded graph for the op whose rule is wrong.

    Returns
    -------
    Report
        ``report.verdict`` is "pass", "fail" or "inconclusive"; printed, it says why.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_sp.testing import gradcheck
    >>> gradcheck(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: g * np.cos(x)).verdict
    'pass'
    >>> report = gradcheck(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: g * np.cos(x) * (1 + 1e-6))
    >>> report.verdict
    'fail'
    """
    if isinstance(f, tuple) and len(f) == 2 and all(map(callable, f)):
        f, vjp = f
    if isinstance(f, type) and hasattr(f, "apply"):
        f = f.apply
    unknown = set(modes) - {"vjp", "jvp"}
    if unknown or order < 1 or convention not in ("ascent", "conjugate"):
        what = f"modes={tuple(modes)}, order={order}, convention={convention!r}"
        raise ValueError(f'gradcheck: {what}; wanted modes of "vjp" and "jvp", order >= 1, "ascent" or "conjugate"')
    began = time.perf_counter()
    with np.errstate(all="ignore"), warnings.catch_warnings():  # once, for all that is done below
        warnings.simplefilter("ignore")
        subject = _subject(f, inputs, vjp, jvp, grad, gradients, generators, convention == "conjugate")
        report = check(subject, order, tuple(modes), domain, detail, seed, blame)
        if blame and isinstance(subject, TensorSubject):
            _blame(report, subject, order, seed, domain is not None)
    report.seconds = time.perf_counter() - began
    return report


def check(
    subject: Subject,
    order: int,
    modes: tuple[str, ...],
    domain: Any,
    detail: str = "auto",
    seed: int = 0,
    blame: bool = False,
    brief: bool = False,
) -> Report:
    """Check every order; ``brief`` looks at the numbers only, and gives no arrays of them."""
    report = _one_order(subject, modes, domain, detail, seed, brief)
    if order > 1 and report.verdict != "fail":
        _higher(subject, report, order, modes, detail, seed, blame)
    return report


def _blame(report: Report, subject: TensorSubject, order: int, seed: int, elsewhere: bool) -> None:
    """Name the ops that are wrong; also those of the user's whose errors don't show in the whole."""
    from .culprit import culprits, own_culprits

    if report.verdict == "fail":
        wrong = report.orders and not (report.problems or report.wrong)
        report.culprits += culprits(subject, report, seed, order if wrong else 1, report.modes)
        if not report.culprits and subject.own is not False:  # perhaps at values that were not given
            report.culprits = own_culprits(subject, seed, elsewhere)
    elif subject.varied and subject.own is not False:
        report.culprits = own_culprits(subject, seed, elsewhere)
        if report.culprits:
            report.verdict = "fail"
            report.reason = f"a rule is wrong, though it does not show in the whole here; {report.culprits[0]}"


def assert_gradients(f: Any, *inputs: Any, inconclusive: str = "warn", **options: Any) -> Report:
    """Raise with the report if a derivative is wrong.

    Parameters
    ----------
    f, *inputs, **options
        As for `gradcheck`.
    inconclusive : {"warn", "pass", "fail"}
        What to make of derivatives that could not be decided: by default neither, but a warning.

    Returns
    -------
    Report
        What `gradcheck` found.

    Raises
    ------
    AssertionError
        With the report as its message.
    ValueError
        If ``inconclusive`` is none of the three.

    Warns
    -----
    UserWarning
        With the report, if something could not be decided.

    Examples
    --------
    >>> from tinygrad_sp.testing import assert_gradients
    >>> assert_gradients(lambda x: x * x, 3.0, vjp=lambda g, x: 2 * g * x)
    <Report pass: ...>
    """
    if inconclusive not in ("warn", "pass", "fail"):
        raise ValueError(f'assert_gradients: inconclusive={inconclusive!r}; write "warn", "pass" or "fail"')
    report = gradcheck(f, *inputs, **options)
    if report.verdict == "fail" or (report.verdict == "inconclusive" and inconclusive == "fail"):
        raise AssertionError(f"\n{report}")
    if report.verdict == "inconclusive" and inconclusive == "warn":
        warnings.warn(f"\n{report}", stacklevel=2)
    return report


def _subject(
    f: Any, inputs: Any, vjp: Any, jvp: Any, grad: Any, gradients: Any, generators: Any, conjugate: bool
) -> Subject:
    """Choose what is under test by what was given."""
    if gradients is not None:
        return GivenSubject(f, inputs, gradients, generators)
    if grad is not None:
        return PairSubject(f, inputs, _times(grad, f), jvp, generators, conjugate)
    if vjp is not None or jvp is not None:
        return PairSubject(f, inputs, vjp, jvp, generators, conjugate)
    return TensorSubject(f, inputs, generators)


def _times(grad: Any, f: Any) -> Any:
    """Make a vjp of a gradient function, for a function with one result."""
    from .tree import flatten, rebuild

    def vjp(g: Any, *inputs: Any) -> Any:
        found = grad(*inputs)
        if np.size(g) != 1:
            name = getattr(f, "__name__", "f")
            raise TypeError(
                f"gradcheck: grad= needs a function with one result; {name} gives shape {np.shape(g)}: use vjp="
            )
        g = np.reshape(g, ())[()]
        return rebuild(found, iter([None if leaf is None else leaf * g for _, leaf in flatten(found)]))

    return vjp


def _one_order(subject: Subject, modes: tuple[str, ...], domain: Any, detail: str, seed: int, brief: bool) -> Report:
    """Check one order at the given point, and elsewhere."""
    rng = np.random.default_rng(seed)
    report = Report(_name(subject.f), seed=seed, modes=modes)
    p = Precise(subject, rng)
    report.precision = str(np.dtype(p.work)) if p.work else "its own precision"
    reverse = "vjp" in modes
    if not _deterministic(subject, p, report) or not subject.varied:
        return conclude(report, subject)
    if reverse and not brief:
        report.problems += contract(p, rng)
    if not report.problems and p.n and p.m:
        c = Checker(p, Derivatives(p), rng)
        if reverse:
            _numbers(c, report, detail, brief)
            _native(c, report)
        if "jvp" in modes:
            forward(c, report, reverse)
        for mode, elsewhere in (("vjp", probe.elsewhere), ("jvp", pushed.elsewhere)):
            right = not (report.problems or report.wrong or subject.given)
            if mode in modes and right and domain is not None:
                elsewhere(c, report, domain)
        _say_what_is_not_finite(c, report)
    if reverse and not report.problems and not identical(p.at(p.x), p.f):
        report.problems.append(Problem("state", "the function's value changed while it was being checked"))
    return conclude(report, subject)


def _say_what_is_not_finite(c: Checker, report: Report) -> None:
    """Where a result is NaN or infinite it has no differences: nothing was learnt there of its derivative."""
    lost, m = int(np.sum(~c.finite)), c.p.m
    if lost == m and not report.undecided:
        report.undecided += 1
        report.reason = "no result is finite there; give inputs where the function is"
    elif lost and not report.undecided:
        report.notes.append(f"{lost} of {plural(m, 'result')} not finite there: of these nothing was compared")


def _deterministic(subject: Subject, p: Precise, report: Report) -> bool:
    """Whether f is a function: the same value twice, its inputs left alone."""
    arrays = [a.copy() for a in p.native]
    again = subject.call(arrays)
    if any(not identical(a, b) for a, b in zip(arrays, p.native, strict=True)):
        report.problems.append(Problem("in place", "the function wrote into its inputs"))
    if all(identical(a, b) for a, b in zip(again, p.out, strict=True)):
        return True
    close = all(np.allclose(a, b, rtol=1e-4, equal_nan=True) for a, b in zip(again, p.out, strict=True))
    if not close:
        report.notes.append("the function is random: pass its generator, generators=[rng]")
        report.undecided += 1
        report.reason = "the function gave two values for the same inputs; with generators=[rng] it can be checked"
    return close


def _numbers(c: Checker, report: Report, detail: str, brief: bool) -> None:
    """Compare every block in its own way."""
    blocks = c.blocks(detail)
    c.elementwise([b for b in blocks if b.mode == "elementwise"])
    c.columns([b for b in blocks if b.mode == "columns"])
    for b in blocks:
        if b.mode == "directions":
            b.entries = directions(c, b)
    c.noise = max((_noise(b.entries) for b in blocks), default=0.0)
    if not brief:
        write(c, report, blocks)
    found = join_entries([b.entries for b in blocks]) if blocks else None
    if found:
        alone = all(b.mode == "elementwise" for b in blocks)
        several = (together(c, found), None if alone else equals(c))
        found = join_entries([found, *(e for e in several if e)])
    summarise(c, report, found, blocks)


def _noise(entries: Entries) -> float:
    """Find the noise of the function, where that is more than the rounding of its results."""
    e = entries.estimate
    rough = np.isfinite(e.noise) & ((e.roughness > 1e3 * e.eps) | (entries.status == UNSURE))
    return float(np.max(np.fmax(e.noise, e.quantum), where=rough, initial=0.0))


def _native(c: Checker, report: Report) -> None:
    """Check that in the inputs' own dtype the derivative is the same number, up to that dtype's rounding."""
    p = c.p
    own = next((side for side in (p.best, p.below) if side and side.native), None) or Analytic(p, None)
    if own is c.d.best:
        return
    finite = np.isfinite(lanes_of(own.out)) & c.finite
    if not finite.any():
        return
    v = np.where(finite, p.asked, 0.0)
    got = own.pull(v).astype(np.float64)
    best, _ = c.d.pull(v)
    if (np.abs(got - best) <= ALIKE * np.abs(best)).all():
        return
    equal = tied(p) >= 0  # how these are ordered may be another in every precision
    for k, (leaf, native) in enumerate(zip(p.subject.varied, p.native, strict=True)):
        part = slice(int(p.edges[k]), int(p.edges[k + 1]))
        a, b = got[part], best[part]
        top = float(np.finfo(native.dtype).max)
        eps = max(float(np.finfo(native.dtype).eps), *(float(np.finfo(o.dtype).eps) for o in own.out))
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=0.0)
        representable = np.isfinite(b) & (np.abs(b) < top / 8)
        x = np.abs(p.x[part].astype(np.float64))
        natural = np.max(np.abs(p.f[finite]), initial=0.0) / np.where(x > 0, x, 1)
        slack = np.fmax(max(4 * np.sqrt(eps), ALIKE) * np.fmax(np.abs(b), scale), max(64 * eps, 1e-12) * natural)
        lost = representable & ~(np.abs(a - b) <= slack) & ~equal[part]
        if (lost & ~np.isfinite(a)).any() or (lost.any() and _well_conditioned(p, own, eps)):
            i = int(np.flatnonzero(lost)[0])
            text = f"in {native.dtype} the gradient of {leaf.name} is {a[i]:.6g}; computed wider it is {b[i]:.6g}"
            report.problems.append(Problem("precision", text, where(p, part.start + i)))
        elif lost.any():
            report.notes.append(f"{native.dtype} loses most digits of the gradient of {leaf.name} in places")


def _well_conditioned(p: Precise, own: Analytic, eps: float) -> bool:
    """Whether the function itself comes out the same in its own dtype, so that a derivative should."""
    f = lanes_of(own.out).astype(np.float64)
    size = np.max(np.abs(f[np.isfinite(f)]), initial=0.0)
    return bool(np.nanmax(np.abs(f - p.f.astype(np.float64)), initial=0.0) <= 64 * eps * size)


def _higher(
    subject: Subject, report: Report, order: int, modes: tuple[str, ...], detail: str, seed: int, blame: bool
) -> None:
    """Check the gradient as a function of its own."""
    if not isinstance(subject, TensorSubject):
        raise TypeError(
            "gradcheck: order=2 needs a function of Tensors; for a pair, check the vjp with its own vjp: "
            "gradcheck(lambda x, g: vjp(g, x), x, g, vjp=second)"
        )
    from .second import gradient_function

    f, inputs = gradient_function(subject, seed)
    options: Any = {"modes": modes, "domain": None, "detail": detail, "seed": seed, "blame": blame}
    try:
        inner = gradcheck(f, *inputs, order=order - 1, **options)
    except Exception as error:  # a rule that may not be differentiated
        text = f"the rule raised {type(error).__name__} when it was recorded: {error}"
        inner = Report("", "fail", text, problems=[Problem("raised", text)], seed=seed)
    inner.name = f"the gradient of {report.name}"
    report.orders = {2: inner, **{k + 1: r for k, r in inner.orders.items()}}
    if not all(inner.orders.values()) and not (inner.problems or inner.wrong or inner.undecided):
        inner.verdict, inner.reason = "pass", within(inner)  # by itself: another order is not
    inner.orders = {}
    report.culprits, inner.culprits = inner.culprits, []
    report.evaluations += inner.evaluations
    report.pulls += inner.pulls
    worst = [r.verdict for r in report.orders.values()]
    if "fail" in worst:
        at = 2 + worst.index("fail")
        report.verdict, report.reason = "fail", f"order {at}: {report.orders[at].reason}"
    elif "inconclusive" in worst and report.ok:
        report.verdict = "inconclusive"
        report.reason = f"derivatives of order {2 + worst.index('inconclusive')} could not all be decided"


def _name(f: Any) -> str:
    return str(getattr(f, "__name__", None) or getattr(getattr(f, "func", f), "__name__", type(f).__name__))
