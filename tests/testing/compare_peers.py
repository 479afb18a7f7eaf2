# ruff: noqa: E402
"""Try every checker that is installed on the corpus, at its default settings, and print a table.

    python tests/testing/compare_peers.py [--cases]

Each peer sees the same plain pair ``f, vjp``, wrapped as its own kind of custom op (an `autograd.Function`, a
`custom_vjp`, a `primitive`), and inputs flattened.  A wrong gradient is *found* if the checker raises or says
no; a right one is *rejected* likewise.  What takes longer than 20 seconds counts as neither.
"""

from __future__ import annotations

import collections
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent.parent)]
import corpus

from tinygrad_sp.testing import gradcheck
from tinygrad_sp.testing.subject import PairSubject

SECONDS = 20


def ours(case: corpus.Case) -> bool:
    options = {k: v for k, v in case.options.items() if k != "allow_inconclusive"}
    verdict = gradcheck(case.f, *case.inputs, vjp=case.vjp, **options).verdict
    return verdict == "pass" if case in corpus.RIGHT else verdict != "fail"


def _torch(fast: bool) -> Callable[[corpus.Case], bool]:
    import torch

    def check(case: corpus.Case) -> bool:
        subject = PairSubject(case.f, case.inputs, case.vjp)

        class Custom(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *tensors: Any) -> Any:
                ctx.arrays = [t.detach().numpy() for t in tensors]
                out = [torch.from_numpy(np.array(a)) for a in subject.call(ctx.arrays)]
                return out[0] if len(out) == 1 else tuple(out)

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                found = subject.pull(ctx.arrays, [g.detach().numpy() for g in grads])
                back = [None if g is None else torch.from_numpy(np.array(g)) for g in found]
                return back[0] if len(back) == 1 else tuple(back)

        tensors = [torch.from_numpy(leaf.array.copy()).requires_grad_() for leaf in subject.varied]
        return bool(torch.autograd.gradcheck(Custom.apply, tensors, fast_mode=fast))

    return check


def _jax() -> Callable[[corpus.Case], bool]:
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(case: corpus.Case) -> bool:
        subject = PairSubject(case.f, case.inputs, case.vjp)
        arrays = [leaf.array for leaf in subject.varied]
        like = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in subject.call([a.copy() for a in arrays])]

        def call(*xs: Any) -> Any:
            return jax.pure_callback(
                lambda *a: [
                    np.asarray(o, s.dtype) for o, s in zip(subject.call([np.array(v) for v in a]), like, strict=True)
                ],
                like,
                *xs,
            )

        def back(xs: Any, gs: Any) -> Any:
            shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]
            n = len(arrays)

            def pull(*a: Any) -> Any:
                grads = subject.pull([np.array(v) for v in a[:n]], [np.array(g) for g in a[n:]])
                return [
                    np.zeros(s.shape, s.dtype) if g is None else np.asarray(g)
                    for g, s in zip(grads, shapes, strict=True)
                ]

            return tuple(jax.pure_callback(pull, shapes, *xs, *gs))

        f = jax.custom_vjp(call)
        f.defvjp(lambda *xs: (call(*xs), xs), back)
        check_grads(f, tuple(arrays), order=1, modes=["rev"])
        return True

    return check


def _autograd() -> Callable[[corpus.Case], bool]:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(case: corpus.Case) -> bool:
        subject = PairSubject(case.f, case.inputs, case.vjp)
        arrays = [leaf.array for leaf in subject.varied]
        count = len(subject.call([a.copy() for a in arrays]))
        if count != 1:
            raise NotImplementedError("a primitive has one output")

        @primitive
        def f(*xs: Any) -> Any:
            out = subject.call([np.array(v) for v in xs])[0]
            return out if out.ndim else out[()]

        def rule(i: int) -> Any:
            return lambda _ans, *xs: lambda g: subject.pull([np.array(v) for v in xs], [np.array(g)])[i]

        defvjp(f, *[rule(i) for i in range(len(arrays))])
        check_grads(f, modes=["rev"], order=1)(*arrays)
        return True

    return check


def _timeout(*_: Any) -> None:
    raise TimeoutError


def run(name: str, check: Callable[[corpus.Case], bool], listed: bool) -> None:
    """Count what a checker finds and rejects."""
    counts: collections.Counter[str] = collections.Counter()
    began = time.perf_counter()
    for kind, cases in (("wrong", corpus.WRONG), ("right", corpus.RIGHT)):
        for case in cases:
            signal.alarm(SECONDS)
            try:
                accepted, why = check(case), ""
            except TimeoutError:
                accepted, why = None, "too slow"
            except NotImplementedError as error:
                accepted, why = None, str(error)
            except (Exception, SystemError) as error:
                accepted, why = False, f"{type(error).__name__}: {error}"
            finally:
                signal.alarm(0)
            said = "undone" if accepted is None else ("accepted" if accepted else "refused")
            counts[f"{kind} {said}"] += 1
            if listed and said != ("refused" if kind == "wrong" else "accepted"):
                print(f"    {name}: {kind} {said}: {case.name}: {why[:90]!r}")
    found, rejected = counts["wrong refused"], counts["right refused"]
    undone = counts["wrong undone"] + counts["right undone"]
    spent = time.perf_counter() - began
    print(
        f"| {name} | {found} of {len(corpus.WRONG)} | {rejected} of {len(corpus.RIGHT)} | {undone} | {spent:.0f} s |",
        flush=True,
    )


def main() -> None:
    signal.signal(signal.SIGALRM, _timeout)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    print("| checker | wrong found | right rejected | not done | time |\n|---|---|---|---|---|")
    makers: list[tuple[str, Callable[[], Callable[[corpus.Case], bool]]]] = [
        ("tinygrad_sp `gradcheck`", lambda: ours),
        ("PyTorch `gradcheck`", lambda: _torch(False)),
        ("PyTorch `gradcheck(fast_mode=True)`", lambda: _torch(True)),
        ("JAX `check_grads`, 64 bits", _jax),
        ("HIPS autograd `check_grads`", _autograd),
    ]
    for name, make in makers:
        try:
            check = make()
        except ImportError as error:
            print(f"| {name} | not installed: {error} |")
            continue
        run(name, check, "--cases" in sys.argv)


if __name__ == "__main__":
    main()
