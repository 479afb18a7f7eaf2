"""The parameters of a model: the variables in nested dicts, lists and tuples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..transforms.trees import flatten


def parameters(tree: Any, what: str = "parameters") -> list[Tensor]:
    """Return the Tensors in nested containers, checked to be variables that can be updated.

    Parameters
    ----------
    tree : Tensor, or nested dict, list or tuple of Tensors
    what : str
        Who asks: errors begin with it.

    Returns
    -------
    list of Tensor

    Raises
    ------
    TypeError
        For leaves that are no Tensors, and for integers.
    ValueError
        If there is no parameter, if one is a constant or was computed, or if one is there twice.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> len(tg.optim.parameters({"w": tg.Tensor([1.0, 2.0]), "layers": [tg.Tensor(3.0)]}))
    2
    """
    if isinstance(tree, Iterable) and not isinstance(tree, (Tensor, dict, list, tuple, np.ndarray)):
        tree = list(tree)  # a generator, as `model.values()` gives
    leaves, structure = flatten(tree)
    if not leaves:
        raise ValueError(f"{what}: there are no parameters: give Tensors in a list or dict")
    seen: dict[int, str] = {}
    for path, leaf in zip(structure.paths(), leaves, strict=True):
        where = f"{what}: params{path}"
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{where} is of type {type(leaf).__name__}; write tg.Tensor(...) where you make it")
        if leaf.dtype.kind not in "fc":
            raise TypeError(f"{where} has dtype {leaf.dtype}, which has no gradient: write tg.Tensor(..., dtype=float)")
        if not leaf.requires_grad:
            raise ValueError(f"{where} is a constant: write tg.Tensor(...) or t.requires_grad_(), or leave it out")
        if not leaf.is_leaf:
            raise ValueError(f"{where} was computed, so it has no grad: write tg.Tensor(t.detach())")
        if id(leaf) in seen:
            raise ValueError(f"{where} is the same Tensor as params{seen[id(leaf)]}: give it once")
        seen[id(leaf)] = path
    return leaves
