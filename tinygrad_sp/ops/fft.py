"""Fourier transforms: three linear ops along one axis; every other function is made of them.

The matrix of `fft` is symmetric, so its transpose is itself between the padding and cropping that ``n`` asks for.
A transform of real input or to a real result stands for the complex one with half of it left out.

``norm`` says where the factor 1/n stands: "backward" in the inverse, "forward" in the direct, "ortho" 1/sqrt(n) in
both.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op, make_tensor
from .arguments import array, on_cpu
from .axes import Axis, along, negative_axes, negative_axis
from .shape import roll

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

Lengths = Sequence[int] | None
_OTHER = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


_CASES = (
    ((5,), {"n": 5, "axis": -1, "norm": "backward"}),
    ((2, 6), {"n": 6, "axis": -1, "norm": "ortho"}),
    ((6, 2), {"n": 4, "axis": -2, "norm": "forward"}),
    ((3,), {"n": 7, "axis": -1, "norm": "ortho"}),
    ((1, 2), {"n": 1, "axis": -1, "norm": "backward"}),
)


def _fit(x: Any, n: int, axis: int) -> Any:
    """Crop or pad with zeros to n elements along an axis: the transpose of what a transform did to its input."""
    have = x.shape[axis]
    if have >= n:
        return x if have == n else x[along(axis, slice(n))]
    return np.pad(x, [(0, 0)] * (x.ndim + axis) + [(0, n - have)] + [(0, 0)] * (-axis - 1))


class FFT(Op):
    """The discrete Fourier transform along an axis, or without its factor the inverse."""

    linear = "joint"
    cases = tuple((s, p | {"inverse": inverse}) for s, p in _CASES for inverse in (False, True))

    @staticmethod
    def forward(x: Any, *, n: int, axis: int, norm: Any, inverse: bool) -> Any:
        return (np.fft.ifft if inverse else np.fft.fft)(x, n, axis, norm)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, n: int, axis: int, norm: Any, inverse: bool) -> Any:
        return _fit(FFT.apply(grad, n=n, axis=axis, norm=norm, inverse=inverse), _x.shape[axis], axis)


class RFFT(Op):
    """The first half of the Fourier transform of real numbers along an axis; the other half mirrors it."""

    linear, holomorphic = "joint", False
    cases = _CASES

    @staticmethod
    def forward(x: Any, *, n: int, axis: int, norm: Any) -> Any:
        return np.fft.rfft(x, n, axis, norm)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, n: int, axis: int, norm: Any) -> Any:
        # The conjugate transpose: the missing half is zero, and the engine takes the real part.
        g = FFT.apply(grad, n=n, axis=axis, norm=_OTHER[norm], inverse=True)
        return _fit(g, _x.shape[axis], axis)


class IRFFT(Op):
    """The n real numbers whose Fourier transform has the given first half."""

    linear, holomorphic = "joint", False
    cases = _CASES

    @staticmethod
    def forward(x: Any, *, n: int, axis: int, norm: Any) -> Any:
        return np.fft.irfft(x, n, axis, norm)

    @staticmethod
    def backward(grad: Any, _out: Any, _x: Any, *, n: int, axis: int, norm: Any) -> Any:
        # Every element counts twice, for itself and its mirror image, but those that are their own.
        half = RFFT.apply(grad, n=n, axis=axis, norm=_OTHER[norm])
        end = (n + 1) // 2
        own, twice, last = (half[along(axis, slice(a, b))] for a, b in ((0, 1), (1, end), (end, None)))
        return _fit(np.concatenate([own, 2 * twice, last], axis=axis), _x.shape[axis], axis)


# ---------------------------------------------------------------------------------------------- one axis


def _one(op: type[Op], x: Any, n: int | None, axis: int, norm: str | None, **params: Any) -> Any:
    """Transform along one axis, with the checks that all have in common."""
    at = negative_axis(axis, x.ndim)
    if norm is None:
        norm = "backward"
    if norm not in _OTHER:
        raise ValueError(f"fft: norm={norm!r}; 'backward', 'ortho' or 'forward' is wanted")
    length = x.shape[at] if n is None else operator.index(n)
    if length < 1:
        raise ValueError(f"fft: n={length} along axis {axis} of shape {tuple(x.shape)}; at least 1 is wanted")
    return op.apply(x, n=length, axis=at, norm=norm, **params)


@implements(np.fft.fft)
def fft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the discrete Fourier transform along an axis.

    Parameters
    ----------
    x : Tensor or array_like
        Real or complex.
    n : int, optional
        Length of the result; x is cropped, or padded with zeros, to it.  By default that of x.
    axis : int
        Along which axis.
    norm : {"backward", "ortho", "forward"}
        Where the factor 1/n stands: in the inverse, as 1/sqrt(n) in both, here.

    Returns
    -------
    Tensor or ndarray
        Complex numbers.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 2.0, 4.0])
    >>> tg.sum(tg.abs(tg.fft.fft(x)) ** 2).backward()
    >>> bool(np.allclose(x.grad.numpy(), [6.0, 12.0, 24.0]))
    True
    """
    return _one(FFT, array(x), n, axis, norm, inverse=False)


@implements(np.fft.ifft)
def ifft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the inverse Fourier transform along an axis; parameters as for `fft`.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> bool(np.allclose(tg.fft.ifft(tg.fft.fft(tg.Tensor([1.0, 2.0, 4.0]))).numpy(), [1, 2, 4]))
    True
    """
    return _one(FFT, array(x), n, axis, norm, inverse=True)


@implements(np.fft.rfft)
def rfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the first n//2 + 1 elements of the Fourier transform of real numbers; parameters as for `fft`.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.rfft(tg.Tensor([1.0, 2.0, 4.0, 8.0])).shape
    (3,)
    """
    return _one(RFFT, array(x), n, axis, norm)


@implements(np.fft.irfft)
def irfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the real numbers whose `rfft` is given; n, by default 2*(length - 1), says how many.

    The imaginary parts of the first element, and of the last if n is even, are not read: their derivative is 0.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> y = tg.fft.rfft(tg.Tensor([1.0, 2.0, 4.0]))
    >>> bool(np.allclose(tg.fft.irfft(y, n=3).numpy(), [1, 2, 4]))
    True
    """
    x = array(x)
    return _one(IRFFT, x, 2 * (x.shape[axis] - 1) if n is None else n, axis, norm)


@implements(np.fft.hfft)
def hfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the real Fourier transform of numbers with Hermitian symmetry, of which the first half is given.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.hfft(tg.Tensor([1.0, 2.0, 4.0])).shape
    (4,)
    """
    return irfft(np.conjugate(array(x)), n, axis, _OTHER.get(norm or "backward", norm))


@implements(np.fft.ihfft)
def ihfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Return the first half of the inverse Fourier transform of real numbers: `hfft` undone.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> y = tg.fft.ihfft(tg.Tensor([1.0, 2.0, 4.0]))
    >>> bool(np.allclose(tg.fft.hfft(y, n=3).numpy(), [1, 2, 4]))
    True
    """
    return np.conjugate(rfft(x, n, axis, _OTHER.get(norm or "backward", norm)))


# ---------------------------------------------------------------------------------------------- several axes


def _plan(x: Any, s: Lengths, axes: Axis, half: bool = False) -> list[tuple[int, int]]:
    """Return the length and the axis of each transform; an axis may come more than once."""
    if axes is None:
        over = list(range(-x.ndim if s is None else -len(s), 0))
    else:
        over = [axes] if isinstance(axes, int) else list(axes)
    over = [negative_axis(operator.index(a), x.ndim) for a in over]
    lengths = [x.shape[a] for a in over] if s is None else [operator.index(n) for n in s]
    if len(lengths) != len(over):
        raise ValueError(f"fft: {len(lengths)} lengths s={s} for {len(over)} axes {axes}; as many are wanted")
    if half and s is None and over:
        lengths[-1] = 2 * (lengths[-1] - 1)
    return [(x.shape[a] if n == -1 else n, a) for n, a in zip(lengths, over, strict=True)]


@implements(np.fft.fftn)
def fftn(x: Any, /, s: Lengths = None, axes: Axis = None, norm: str | None = None) -> Any:
    """Return the Fourier transform along several axes.

    Parameters
    ----------
    x : Tensor or array_like
        Real or complex.
    s : sequence of int, optional
        The length of the result along each axis; x is cropped, or padded with zeros.  -1 stands for that of x.
    axes : sequence of int, optional
        Which axes, by default all (the last ones, as many as ``s`` has).  One that is repeated is transformed again.
    norm : {"backward", "ortho", "forward"}
        As for `fft`.

    Returns
    -------
    Tensor or ndarray
        Complex numbers.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.fftn(tg.Tensor([[1.0, 2.0], [3.0, 4.0]])).numpy()
    array([[10.+0.j, -2.+0.j],
           [-4.+0.j,  0.+0.j]])
    """
    x = array(x)
    for n, axis in reversed(_plan(x, s, axes)):
        x = _one(FFT, x, n, axis, norm, inverse=False)
    return x


@implements(np.fft.ifftn)
def ifftn(x: Any, /, s: Lengths = None, axes: Axis = None, norm: str | None = None) -> Any:
    """Return the inverse Fourier transform along several axes; parameters as for `fftn`.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.ifftn(tg.Tensor([[4.0, 0.0], [0.0, 0.0]])).numpy().real
    array([[1., 1.],
           [1., 1.]])
    """
    x = array(x)
    for n, axis in reversed(_plan(x, s, axes)):
        x = _one(FFT, x, n, axis, norm, inverse=True)
    return x


@implements(np.fft.rfftn)
def rfftn(x: Any, /, s: Lengths = None, axes: Axis = None, norm: str | None = None) -> Any:
    """Return the Fourier transform of real numbers along several axes, half of it along the last of them.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.rfftn(tg.Tensor([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])).shape
    (2, 2)
    """
    x = array(x)
    plan = _plan(x, s, axes)
    x = _one(RFFT, x, *_last("rfftn", plan), norm)
    for n, axis in reversed(plan[:-1]):
        x = _one(FFT, x, n, axis, norm, inverse=False)
    return x


@implements(np.fft.irfftn)
def irfftn(x: Any, /, s: Lengths = None, axes: Axis = None, norm: str | None = None) -> Any:
    """Return the real numbers whose `rfftn` is given; by default an even number along the last axis.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.irfftn(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), s=(2, 3), axes=(0, 1)).shape
    (2, 3)
    """
    x = array(x)
    plan = _plan(x, s, axes, half=True)
    for n, axis in plan[:-1]:
        x = _one(FFT, x, n, axis, norm, inverse=True)
    return _one(IRFFT, x, *_last("irfftn", plan), norm)


def _last(name: str, plan: list[tuple[int, int]]) -> tuple[int, int]:
    if not plan:
        raise ValueError(f"{name}: axes=(); at least one axis must be transformed")
    return plan[-1]


@implements(np.fft.fft2)
def fft2(x: Any, /, s: Lengths = None, axes: Axis = (-2, -1), norm: str | None = None) -> Any:
    """Return the Fourier transform along two axes; parameters as for `fftn`."""
    return fftn(x, s, axes, norm)


@implements(np.fft.ifft2)
def ifft2(x: Any, /, s: Lengths = None, axes: Axis = (-2, -1), norm: str | None = None) -> Any:
    """Return the inverse Fourier transform along two axes; parameters as for `fftn`."""
    return ifftn(x, s, axes, norm)


@implements(np.fft.rfft2)
def rfft2(x: Any, /, s: Lengths = None, axes: Axis = (-2, -1), norm: str | None = None) -> Any:
    """Return the Fourier transform of real numbers along two axes; parameters as for `fftn`."""
    return rfftn(x, s, axes, norm)


@implements(np.fft.irfft2)
def irfft2(x: Any, /, s: Lengths = None, axes: Axis = (-2, -1), norm: str | None = None) -> Any:
    """Return the real numbers whose `rfft2` is given; parameters as for `fftn`."""
    return irfftn(x, s, axes, norm)


# ---------------------------------------------------------------------------------------------- frequencies


@implements(np.fft.fftshift)
def fftshift(x: Any, /, axes: Axis = None) -> Any:
    """Move frequency 0 to the middle of each axis.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.fftshift(tg.Tensor([0.0, 1.0, 2.0, -2.0, -1.0]))
    Tensor([-2., -1.,  0.,  1.,  2.], op=Roll)
    """
    x = array(x)
    over = negative_axes(axes, x.ndim)
    return roll(x, [x.shape[a] // 2 for a in over], over) if over else x


@implements(np.fft.ifftshift)
def ifftshift(x: Any, /, axes: Axis = None) -> Any:
    """Undo `fftshift`.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.ifftshift(tg.Tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))
    Tensor([ 0.,  1.,  2., -2., -1.], op=Roll)
    """
    x = array(x)
    over = negative_axes(axes, x.ndim)
    return roll(x, [-(x.shape[a] // 2) for a in over], over) if over else x


def _frequencies(name: str, values: Any, dtype: Any, device: Any) -> Any:
    on_cpu(name, device)
    return make_tensor(values if dtype is None else values.astype(dtype), None)


def fftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of the elements of `fft`, in cycles per unit of the spacing d: a constant.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.fftfreq(5, d=0.2)
    Tensor([ 0.,  1.,  2., -2., -1.])
    """
    return _frequencies("fftfreq", np.fft.fftfreq(n, d), dtype, device)


def rfftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of the elements of `rfft`, in cycles per unit of the spacing d: a constant.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.fft.rfftfreq(4, d=0.25)
    Tensor([0., 1., 2.])
    """
    return _frequencies("rfftfreq", np.fft.rfftfreq(n, d), dtype, device)
