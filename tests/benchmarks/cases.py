"""What is measured: a Workload is a name and a way to build its Case at any size.

A Case is the loss, once for all frameworks, and the same derivative written by hand in NumPy.  The size is a
parameter so that the tests can run every workload tiny, and a slow framework can be probed before it is waited for.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = Any  # an ndarray or a NumPy scalar


@dataclass(frozen=True)
class Case:
    """A derivative to compute: `loss(m, *leaves, *constants)`, with respect to every leaf.

    `by_hand(*leaves, *constants, *vectors)` gives the loss (or None) and the list of derivatives.  `derivative` is
    "gradient", "hessian" (of one leaf), "hvp" or "jvp" (with `vectors`, one per leaf; a jvp is one number).  `ops`
    counts the recorded ops of a workload whose cost is the recording.
    """

    leaves: Sequence[Array]
    loss: Callable[..., Any]
    by_hand: Callable[..., tuple[Any, list[Array]]]
    constants: Sequence[Array] = ()
    vectors: Sequence[Array] = ()
    derivative: str = "gradient"
    ops: int | None = None

    def reference(self) -> list[Array]:
        """The derivatives by hand."""
        return self.by_hand(*self.leaves, *self.constants, *self.vectors)[1]


@dataclass(frozen=True)
class Workload:
    """A named case at its full `size`; `tiny` is for tests, `probe` for a first look at a slow framework."""

    name: str
    about: str
    build: Callable[[int], Case]
    size: int
    tiny: int
    probe: int | None = None
    kind: str = "time"  # or "memory": the peak of one run
    refused: Mapping[str, str] = field(default_factory=dict)  # frameworks known not to manage it: why


WORKLOADS: dict[str, Workload] = {}


def workload(name: str, about: str, **settings: Any) -> Callable[[Callable[[int], Case]], Callable[[int], Case]]:
    """Enter a builder into WORKLOADS."""

    def enter(build: Callable[[int], Case]) -> Callable[[int], Case]:
        assert name not in WORKLOADS, name
        WORKLOADS[name] = Workload(name, about, build, **settings)
        return build

    return enter


def choose(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names that a pattern matches: whole, by its beginning (`chain`) or with stars (`*float32`)."""
    names = list(names)
    chosen: dict[str, None] = {}
    for pattern in patterns:
        hits = [n for n in names if fnmatch.fnmatch(n, pattern) or n.startswith(f"{pattern}-")]
        if not hits:
            raise KeyError(f"no workload is called {pattern!r}; there are: {', '.join(names)}")
        chosen.update(dict.fromkeys(hits))
    return [n for n in names if n in chosen] or names


def random(seed: int = 0) -> np.random.Generator:
    """The data of every workload is the same in every run."""
    return np.random.default_rng(seed)
