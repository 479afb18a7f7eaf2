"""Dtypes and the parts of complex numbers: linear over the reals, so each rule is a cast or a part.

A complex cotangent is the direction of steepest ascent, dL/da + i dL/db for x = a + ib (PyTorch's convention).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op, Traced
from .arguments import array, on_cpu

__all__ = [
    "angle",
    "astype",
    "imag",
    "real",
    "real_if_close",
    "round",
]


class Astype(Op):
    """The values in another dtype; the engine casts the cotangent back."""

    linear, holomorphic = "joint", False
    cases = (((3,), {"dtype": np.dtype(np.float32)}), ((2, 2), {"dtype": np.dtype(np.complex128)}))

    @staticmethod
    def forward(x: Any, *, dtype: np.dtype[Any]) -> Any:
        x = np.asarray(x)
        return (x.real if x.dtype.kind == "c" != dtype.kind and dtype.kind != "b" else x).astype(dtype)[()]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, dtype: np.dtype[Any]) -> Any:  # noqa: ARG004
        return grad


class Real(Op):
    """The real part."""

    linear, holomorphic = "joint", False
    cases = (((3,),),)
    forward = staticmethod(np.real)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any) -> Any:
        return grad


class Imag(Op):
    """The imaginary part."""

    linear, holomorphic = "joint", False
    cases = (((3,),),)

    @staticmethod
    def forward(x: Any) -> Any:
        return np.imag(x)[()]

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any) -> Any:
        return grad * 1j


class Round(Op):
    """The values rounded to decimals: piecewise constant."""

    @staticmethod
    def forward(x: Any, *, decimals: int) -> Any:
        return np.round(x, decimals)


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Return the values in another dtype; the derivative passes through, cast back.

    Casting complex to real takes the real part; casting to integers or booleans gives a constant.
    """
    on_cpu("astype", device)
    x, dtype = array(x), np.dtype(dtype).newbyteorder("=")
    if dtype.kind not in "biufc":
        raise TypeError(
            f"astype: dtype {dtype}; write another, Tensors hold booleans, integers, floating and complex numbers"
        )
    if dtype == x.dtype and not copy:
        return x
    return Astype.apply(x, dtype=dtype)


@implements(np.real)
def real(x: Any, /) -> Any:
    """Return the real part; of a real array, the array."""
    x = array(x)
    return Real.apply(x) if x.dtype.kind == "c" else x


@implements(np.imag)
def imag(x: Any, /) -> Any:
    """Return the imaginary part; of a real array, constant zeros."""
    x = array(x)
    return Imag.apply(x) if x.dtype.kind == "c" else np.zeros_like(x)


@implements(np.angle)
def angle(x: Any, /, deg: bool = False) -> Any:
    """Return the angle in the complex plane, in radians or degrees; NaN derivative at 0, where there is none."""
    x = array(x)
    if x.dtype.kind != "c":
        return np.angle(x, deg) if not isinstance(x, Traced) else _Angle.apply(x, deg=deg)
    result = np.arctan2(np.imag(x), np.real(x))
    return np.rad2deg(result) if deg else result


class _Angle(Op):
    """0 or pi: the angle of a real number, a constant."""

    forward = staticmethod(np.angle)


@implements(np.real_if_close)
def real_if_close(x: Any, /, tol: float = 100) -> Any:
    """Return the real part if all imaginary parts are nearly zero, otherwise x."""
    x = array(x)
    if x.dtype.kind != "c":
        return x
    bound = np.finfo(x.dtype).eps * tol if tol > 1 else tol
    return real(x) if np.all(np.abs(np.imag(x)) < bound) else x


@implements(np.round, np.around)
def round(x: Any, /, decimals: int = 0) -> Any:
    """Return the values rounded to decimals: a constant."""
    return Round.apply(x, decimals=decimals)
