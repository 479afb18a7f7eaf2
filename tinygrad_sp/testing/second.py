"""Second and higher derivatives: the gradient, recorded as it is computed, is checked like any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import graph
from ..sweep import sweep
from .precise import some_numbers, split
from .subject import TensorSubject, as_array, leaves_of


def gradient_function(subject: TensorSubject, seed: int) -> tuple[Callable[..., Any], list[Any]]:
    """Make the function (inputs, cotangents) -> gradients, and the inputs at which to check it."""
    rng = np.random.default_rng(seed + 1)
    arrays = [leaf.array for leaf in subject.varied]
    outputs = subject.call(arrays)
    lanes = sum(a.size * (2 if a.dtype.kind == "c" else 1) for a in outputs)
    cotangents = split(some_numbers(lanes, rng), outputs)
    count = len(arrays)

    def outputs_of(*leaves: Any) -> tuple[Any, ...]:
        subject.rewind()
        out = leaves_of(subject.f(*subject.arguments(leaves)))
        return tuple(v for v in out if as_array(v).dtype.kind in "fc")

    def gradient(*tensors: Any) -> tuple[Any, ...]:
        primals, given = tensors[:count], tensors[count:]
        if any(getattr(t, "level", 0) for t in tensors):  # inside forward mode: let the transforms nest
            from ..transforms import vjp

            return tuple(vjp(outputs_of, *primals)[1](given))
        nodes = [t.node if t.node is not None else graph.make_leaf(t._value) for t in primals]
        leaves = [t._lift(t._value, node) for t, node in zip(primals, nodes, strict=True)]  # f may write into them
        tracked = [(o, v) for o, v in zip(outputs_of(*leaves), given, strict=True) if isinstance(o, graph.Traced)]
        roots = [(o.node, v) for o, v in tracked if o.node is not None]
        found = sweep(roots, nodes, lift=leaves[0]._lift, release=False) if roots else {}
        return tuple(found.get(node, np.zeros(node.shape, node.dtype)) for node in nodes)

    cotangents_named = [f"cotangent {i}" if len(outputs) > 1 else "cotangent" for i in range(len(outputs))]
    gradient.input_names = [leaf.name for leaf in subject.varied] + cotangents_named  # type: ignore[attr-defined]
    gradient.gradient_of = max((float(np.max(np.abs(a), initial=0)) for a in outputs), default=0.0)  # type: ignore[attr-defined]
    gradient.__name__ = f"gradient of {getattr(subject.f, '__name__', 'f')}"
    return gradient, [*arrays, *cotangents]
