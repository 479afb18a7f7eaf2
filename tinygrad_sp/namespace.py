"""What the array API standard asks of a namespace besides functions: dtypes, constants, inspection.

A dtype is NumPy's scalar type (``tg.float64 is numpy.float64``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy import bool as bool
from numpy import (
    broadcast_shapes,
    complex64,
    complex128,
    e,
    float16,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    isdtype,
    nan,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)

from .dispatch import implements
from .graph import Traced
from .tensor import Tensor

__all__ = [
    "__array_api_version__",
    "__array_namespace_info__",
    "allclose",
    "array_equal",
    "array_equiv",
    "bool",
    "broadcast_shapes",
    "can_cast",
    "common_type",
    "complex64",
    "complex128",
    "e",
    "finfo",
    "float16",
    "float32",
    "float64",
    "iinfo",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "iscomplexobj",
    "isdtype",
    "isrealobj",
    "may_share_memory",
    "min_scalar_type",
    "nan",
    "ndim",
    "newaxis",
    "pi",
    "result_type",
    "shape",
    "shares_memory",
    "size",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

__array_api_version__ = "2025.12"


class __array_namespace_info__(type(np.__array_namespace_info__())):  # type: ignore[misc]
    """What NumPy says of itself, with the devices as a tuple."""

    def devices(self) -> tuple[str, ...]:
        """Return the one device."""
        return ("cpu",)


class FloatInfo(NamedTuple):
    """Limits of a floating dtype, as Python floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype[Any]


class IntInfo(NamedTuple):
    """Limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: np.dtype[Any]


def _dtype(x: Any) -> Any:
    """Return the dtype of an array; a dtype as it is."""
    return x if isinstance(x, (type, str, np.dtype)) else getattr(x, "dtype", x)


def finfo(type: Any, /) -> FloatInfo:
    """Return the limits of a floating or complex dtype, or of an array's.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.finfo(tg.float64).eps
    2.220446049250313e-16
    """
    info = np.finfo(_dtype(type))
    eps, largest, smallest = float(info.eps), float(info.max), float(info.min)
    return FloatInfo(int(info.bits), eps, largest, smallest, float(info.smallest_normal), np.dtype(info.dtype))


def iinfo(type: Any, /) -> IntInfo:
    """Return the limits of an integer dtype, or of an array's."""
    info = np.iinfo(_dtype(type))
    return IntInfo(int(info.bits), int(info.max), int(info.min), np.dtype(info.dtype))


def value_of(x: Any, name: str) -> Any:
    """Return the plain array of a Tensor, also within tuples and lists, for the function of this name."""
    while isinstance(x, Tensor):
        x = x._value
    if isinstance(x, Traced):
        raise NotImplementedError(
            f"{name}: it looks at values, which a function being batched does not have; call it outside of vmap"
        )
    return type(x)(value_of(part, name) for part in x) if type(x) in (tuple, list) else x


def _dtype_of(x: Any, _name: str) -> Any:
    """Return an array of a Tensor's dtype: a Tensor being batched has one too, though no value."""
    return np.empty(0, x.dtype) if isinstance(x, Tensor) else x


def asking(function: Callable[..., Any], of: Callable[[Any, str], Any] = value_of) -> Callable[..., Any]:
    """Return NumPy's function as one that looks at Tensors' values, or dtypes; what it says is no array."""
    name = function.__name__

    def ask(*args: Any, **kwargs: Any) -> Any:
        return function(*(of(x, name) for x in args), **{key: of(x, name) for key, x in kwargs.items()})

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = f"Answer as ``numpy.{name}`` does, of the values."
    return implements(function)(ask)


allclose = asking(np.allclose)
array_equal = asking(np.array_equal)
array_equiv = asking(np.array_equiv)
common_type = asking(np.common_type, _dtype_of)
iscomplexobj = asking(np.iscomplexobj, _dtype_of)
isrealobj = asking(np.isrealobj, _dtype_of)
may_share_memory = asking(np.may_share_memory)
min_scalar_type = asking(np.min_scalar_type)
result_type = asking(np.result_type, _dtype_of)
shares_memory = asking(np.shares_memory)
for _function in (np.array2string, np.array_repr, np.array_str, np.save, np.savez, np.savez_compressed, np.savetxt):
    asking(_function)


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, /, casting: str = "safe") -> Any:
    """Say whether a dtype, or an array's, can be cast to another."""
    return np.can_cast(_dtype(from_), to, casting)  # type: ignore[arg-type]


@implements(np.shape)
def shape(x: Any, /) -> tuple[int, ...]:
    """Return the lengths of the axes."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


@implements(np.ndim)
def ndim(x: Any, /) -> int:
    """Return the number of axes."""
    return len(shape(x))


@implements(np.size)
def size(x: Any, /, axis: int | None = None) -> int:
    """Return the number of elements, or the length of one axis."""
    return int(np.prod(shape(x), dtype=int)) if axis is None else shape(x)[axis]
