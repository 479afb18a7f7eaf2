"""A jvp at points the user did not give: gradients are made of it, and tried as those of a vjp are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import probe
from .blocks import Checker
from .derivatives import Derivatives
from .subject import PairSubject, Pull, TensorSubject

Array = NDArray[Any]

FEW = 24  # coordinates up to which each gets a tangent of its own


class _Pushed:
    """Gradients by tangents: one for all elements where each works by itself, else one for each."""

    alone = False

    def puller(self, arrays: Sequence[Array]) -> Pull:
        """Push tangents forward, and weigh what comes of them."""

        def pull(cotangents: list[Array]) -> list[Any]:
            return [self._gradient(arrays, k, cotangents) for k in range(len(arrays))]

        return pull

    def _gradient(self, arrays: Sequence[Array], k: int, cotangents: list[Array]) -> Array:
        zeros, one = [np.zeros_like(a) for a in arrays], arrays[k]
        if self.alone:
            found = self.push(arrays, [*zeros[:k], np.ones_like(one), *zeros[k + 1 :]])  # type: ignore[attr-defined]
            return np.asarray(sum(c * t for c, t in zip(cotangents, found, strict=True)), one.dtype)
        grad = np.zeros_like(one)
        for i in range(one.size):
            tangent = np.zeros_like(one)
            tangent.reshape(-1)[i] = 1
            found = self.push(arrays, [*zeros[:k], tangent, *zeros[k + 1 :]])  # type: ignore[attr-defined]
            grad.reshape(-1)[i] = sum(np.sum(c * t) for c, t in zip(cotangents, found, strict=True))
        return grad


class _PushedTensors(_Pushed, TensorSubject):
    tensors = False


class _PushedPair(_Pushed, PairSubject):
    pass


def elsewhere(c: Checker, report: Any, domain: Any) -> None:
    """Try the jvp of real numbers at other points, where the function works element by element or has few inputs."""
    p = c.p
    if any(a.dtype.kind == "c" for a in (*p.native, *p.out)):
        return
    numbers = not any(a.ndim for a in (*p.native, *p.out))
    alone = numbers or all(b.mode == "elementwise" for b in c.blocks())
    if not alone and p.n > FEW:
        return
    other = copy.copy(p)
    other.subject = copy.copy(p.subject)
    other.subject.__class__ = _PushedTensors if isinstance(p.subject, TensorSubject) else _PushedPair
    other.subject.alone = alone  # type: ignore[attr-defined]
    for known in ("best", "below"):
        other.__dict__.pop(known, None)
    before = report.wrong
    probe.elsewhere(Checker(other, Derivatives(other), c.rng), report, domain)
    report.notes += ["it is the jvp that is wrong there"] if report.wrong > before else []
