"""Unique values and sets of them: elements that are equal share the derivative equally."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, value
from .constant import by_example
from .shape import reshape

__all__ = [
    "intersect1d",
    "setdiff1d",
    "setxor1d",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Any
    inverse_indices: Any


class Distinct(Op):
    """The first of each group of equal rows: x gets g back where each came from (equal ones share)."""

    holomorphic = False
    batch = staticmethod(by_example)
    cases = (((4,), {"first": np.array([1, 3]), "inverse": np.array([1, 0, 1, 1])}),)

    @staticmethod
    def forward(x: Any, *, first: Any, inverse: Any) -> Any:
        del inverse
        return x[first]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, first: Any, inverse: Any) -> Any:
        counts = np.bincount(inverse, minlength=len(first)).reshape(-1, *(1,) * (_x.ndim - 1))
        return (grad / counts)[inverse]


def _unique(x: Any, axis: int | None, equal_nan: bool) -> tuple[Any, Any, Any, Any]:
    """Return values, and as constants: first indices, inverse, counts."""
    x = array(x)
    rows = reshape(x, (x.size,)) if axis is None else np.moveaxis(x, axis, 0)
    _, first, inverse, counts = np.unique(
        value(rows), True, True, True, axis=None if axis is None else 0, equal_nan=equal_nan
    )
    inverse = inverse.reshape(-1)
    values = Distinct.apply(rows, first=first, inverse=inverse)
    values = values if axis is None else np.moveaxis(values, 0, axis)
    return values, *(
        _constant_like(x, v) for v in (first, inverse.reshape(x.shape) if axis is None else inverse, counts)
    )


def _constant_like(x: Any, found: Any) -> Any:
    """Return what was found as a Tensor if x is one."""
    return Constant.apply(x, found=found)


class Constant(Op):
    """Something found by looking at ``x``."""

    batch = staticmethod(by_example)

    @staticmethod
    def forward(_x: Any, *, found: Any) -> Any:
        return found


@implements(np.unique)
def unique(
    x: Any,
    /,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the different elements in order (or, along an axis, the different slices), and more if asked."""
    del sorted
    found = _unique(x, axis, equal_nan)
    wanted = (True, return_index, return_inverse, return_counts)
    results = tuple(part for part, want in zip(found, wanted, strict=True) if want)
    return results if len(results) > 1 else results[0]


@implements(np.unique_all)
def unique_all(x: Any, /) -> UniqueAll:
    """Return the different elements, where each came first, which of them each element is, and how often."""
    return UniqueAll(*_unique(x, None, False))


@implements(np.unique_counts)
def unique_counts(x: Any, /) -> UniqueCounts:
    """Return the different elements and how often each occurs."""
    values, _, _, counts = _unique(x, None, False)
    return UniqueCounts(values, counts)


@implements(np.unique_inverse)
def unique_inverse(x: Any, /) -> UniqueInverse:
    """Return the different elements and which of them each element is."""
    values, _, inverse, _ = _unique(x, None, False)
    return UniqueInverse(values, inverse)


@implements(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """Return the different elements in order; elements that are equal share the derivative equally."""
    return _unique(x, None, False)[0]


@implements(np.union1d)
def union1d(x: Any, y: Any, /) -> Any:
    """Return the different elements of both."""
    return unique(np.append(x, y))


def _of_two(x: Any, y: Any, keep: Any) -> Any:
    """Return the different elements of both, of which ``keep(in x, in y)`` holds."""
    both = unique(np.append(array(x), array(y)))
    return both[keep(*(np.isin(value(both), value(part)) for part in (x, y)))]


@implements(np.intersect1d)
def intersect1d(x: Any, y: Any, /, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """Return the different elements that are in both."""
    del assume_unique
    if return_indices:
        raise NotImplementedError("intersect1d: return_indices is not there; call it with x.detach().numpy()")
    return _of_two(x, y, lambda a, b: a & b)


@implements(np.setxor1d)
def setxor1d(x: Any, y: Any, /, assume_unique: bool = False) -> Any:
    """Return the different elements that are in one only."""
    del assume_unique
    return _of_two(x, y, lambda a, b: a ^ b)


@implements(np.setdiff1d)
def setdiff1d(x: Any, y: Any, /, assume_unique: bool = False) -> Any:
    """Return the different elements of x that are not in y."""
    del assume_unique
    return _of_two(x, y, lambda a, b: a & ~b)
