"""What functions are given: arrays, numbers, lists and Tensors, brought to one form, or the value under a Tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Traced, plain


def array(x: Any) -> Any:
    """Return an argument as something with a shape: arrays and Tensors as they are, lists and numbers as arrays.

    A list with a Tensor in it is a Tensor: its items are stacked, and stay differentiable.
    """
    if hasattr(x, "shape"):
        return x
    if isinstance(x, (list, tuple)) and has_tensor(x):
        from .joining import stack  # which needs this module

        return stack(x)
    return np.asarray(plain(x))


def concrete(x: Any) -> Any:
    """Return the value under a Tensor, however deep; anything else as it is."""
    while isinstance(x, Traced):
        x = x._value
    return x


def has_tensor(items: Sequence[Any]) -> bool:
    """Whether a Tensor is among the items, or within lists and tuples among them."""
    return any(isinstance(x, Traced) or (isinstance(x, (list, tuple)) and has_tensor(x)) for x in items)


def on_cpu(name: str, device: Any) -> None:
    """Refuse a device that NumPy does not have; name is the function's that was asked."""
    if device not in (None, "cpu"):
        raise ValueError(f"{name}: device={device!r}; NumPy has one, write device='cpu' or leave it out")


def value(x: Any) -> Any:
    """Return the array behind an argument that is only looked at."""
    x = concrete(x)
    return x if hasattr(x, "shape") else np.asarray(x)


def everything(x: Any) -> Any:
    """Return the array behind an argument with all examples of a batch: to ask whether something holds anywhere."""
    return x._everything() if isinstance(x, Traced) else np.asarray(x)


def floating(x: Any) -> Any:
    """Return an argument as an array or Tensor of floating or complex numbers."""
    x = array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)
