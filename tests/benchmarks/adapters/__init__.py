"""One adapter per framework, each imported only when it is asked for; what is not installed is skipped by name."""

from __future__ import annotations

import importlib

from .base import Framework, Lacking

__all__ = ["BY_HAND", "EAGER", "FRAMEWORKS", "OURS", "PEERS", "Framework", "Lacking", "load"]

BY_HAND, OURS = "numpy", "tinygrad_sp"

# name: (module here, class)
FRAMEWORKS = {
    BY_HAND: ("by_hand", "ByHand"),
    OURS: ("ours", "TinygradSp"),
    "torch": ("pytorch", "PyTorch"),
    "jax": ("jax_", "Jax"),
    "jax-jit": ("jax_", "JaxCompiled"),
    "autograd": ("hips", "Autograd"),
    "mygrad": ("mygrad_", "MyGrad"),
    "micrograd": ("micrograd_", "Micrograd"),
    "tinygrad": ("tinygrad_", "Tinygrad"),
}
PEERS = [name for name in FRAMEWORKS if name not in (BY_HAND, OURS)]
EAGER = [name for name in PEERS if name != "jax-jit"]


def load(name: str) -> Framework:
    """The adapter of a framework; raises ImportError if it is absent and RuntimeError if it cannot run here."""
    module, cls = FRAMEWORKS[name]
    framework: Framework = getattr(importlib.import_module(f".{module}", __name__), cls)()
    return framework
