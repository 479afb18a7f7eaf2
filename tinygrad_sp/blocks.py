"""Large arrays in pieces: the one place that cuts them, and that knows of caches.

A kernel is a plain NumPy expression.  `blocked` makes it one that takes a large array piece by piece, so that
the temporaries of its several passes stay in the cache, and shares the pieces among `threads` (NumPy releases
the GIL).  Measured at a million elements: half the time of the bare expression in one thread, a quarter in two.

It also says, once for all kernels, in which precision they compute: what is narrower than float64 is computed
in float64 and rounded at the end, so float16 and float32 results are right to the last bit; integers become
float64.  Arrays that are not NumPy's go through the expression as it stands.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy import errstate, ndarray

from .graph import Node, Spec
from .threads import get_num_threads, share

BLOCK = 65_536
"""Elements in a piece: smaller ones cost more calls, larger ones fall out of a core's cache."""

SHORT = 32
"""Elements in a row that is reduced: up to here it pays to lay a piece out by columns, from 64 on it does not."""

Kernel = Callable[..., Any]
_FLOAT64 = np.dtype(np.float64)
_AS_IT_IS = frozenset((np.float64, float, int, type(None), Spec, Node))
_WIDEST = _AS_IT_IS - {np.float64} | {np.longdouble}
_NOTHING: Any = np.zeros(0)
_complex = complex


def _keep_freed_memory() -> None:
    """Let malloc keep what a large temporary leaves for the next one.

    By default glibc gives up to some megabytes back to the system as soon as they are free and fetches them again,
    page by page: half the time of an elementwise pass over 0.1 to 30 MB.  Freeing one array of almost 32 MB, which
    is never touched, raises its own thresholds to that, for the whole process, as any program's does that once had
    such an array; 64 MB at most stay.  Whoever sets MALLOC_TRIM_THRESHOLD_ in the environment has the last word.
    """
    np.empty((1 << 25) - (1 << 16), np.uint8)


_keep_freed_memory()


@overload
def blocked(kernel: Kernel, /) -> Kernel: ...
@overload
def blocked(*, complex: Kernel | bool) -> Callable[[Kernel], Kernel]: ...
def blocked(kernel: Kernel | None = None, /, *, complex: Kernel | bool = False) -> Any:
    """Let a kernel run in pieces.

    Parameters
    ----------
    kernel : callable
        ``kernel(*arrays, **params)``: an expression of NumPy functions, in which every result's element depends
        on the elements at its own place only; except along the negative axes named by a parameter ``axis``,
        which are never cut.
    complex : callable or bool
        What computes it for complex numbers; True stands for the kernel itself.  Otherwise they raise a TypeError.

    Returns
    -------
    callable
        The same function of arrays.  Handed Tensors or other array-likes it just evaluates the expression.

    Examples
    --------
    >>> import numpy as np
    >>> @blocked
    ... def double(x):
    ...     return x + x
    >>> double(np.float16(1.5)), double(np.array([1, 2]))
    (np.float16(3.0), array([2., 4.]))
    """
    if kernel is None:
        return functools.partial(blocked, complex=complex)
    for_complex = kernel if complex is True else complex or None

    @functools.wraps(kernel)
    def run(*arrays: Any, **params: Any) -> Any:
        for a in arrays:
            if type(a) is ndarray:
                if a.dtype is not _FLOAT64 or a.size > BLOCK:
                    return _general(kernel, for_complex, arrays, params)
            elif type(a) not in _AS_IT_IS:
                return _general(kernel, for_complex, arrays, params)
        return _quietly(kernel, arrays, params)

    return run


def shared(kernel: Kernel) -> Kernel:
    """Let the threads share a function of each element that takes NumPy more than a nanosecond, of large arrays.

    Parameters
    ----------
    kernel : callable
        A function of one array, or of two of which only the first may be large.

    Returns
    -------
    callable
        The same function.
    """

    @functools.wraps(kernel)
    def run(x: Any, *more: Any) -> Any:
        if type(x) is not ndarray or x.size < 4 * BLOCK or any(type(y) is ndarray for y in more):
            return kernel(x, *more)
        (result,) = in_pieces(x, cut_axis(x) or -1, lambda cut: (kernel(cut(x), *more),))
        return result

    return run


def _quietly(kernel: Kernel, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """Evaluate; that a subnormal result underflowed is no error.

    Only who asked NumPy to raise at underflow pays for np.errstate: its microsecond is more than most kernels
    need for a number.
    """
    try:
        return kernel(*arrays, **params)
    except (FloatingPointError, RuntimeWarning):
        with errstate(under="ignore"):
            return kernel(*arrays, **params)


def _general(kernel: Kernel, complex_kernel: Kernel | None, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """Choose the precision to compute in, and whether to cut."""
    if _WIDEST.issuperset(map(type, arrays)):  # numbers in the widest precision there is
        return _quietly(kernel, arrays, params)
    dtypes, largest = [], _NOTHING
    for a in arrays:
        if type(a) is ndarray or isinstance(a, np.generic):
            dtypes.append(a.dtype)
            largest = a if a.size >= largest.size else largest
        elif hasattr(a, "__array_ufunc__"):
            return kernel(*arrays, **params)  # a Tensor, a CuPy or Dask array, a subclass
        elif type(a) is _complex:
            dtypes.append(np.dtype(_complex))
    try:
        dtype, wide = _precision(*dtypes)
    except TypeError as error:
        raise TypeError(f"{_name(kernel)}: {error}") from None
    if dtype.kind == "c":
        if complex_kernel is None:
            raise TypeError(
                f"{_name(kernel)} is defined for real numbers; it was given {dtype}; take x.real or np.abs(x)"
            )
        kernel = complex_kernel
    if largest.size > BLOCK:
        whole = params.get("axis", ())
        axis = cut_axis(largest, whole)
        if axis is not None:
            kept = _short_rows(largest, whole)
            with errstate(under="ignore"):
                (result,) = in_pieces(
                    largest,
                    axis,
                    lambda cut: (kernel(*[_turned(_cast(cut(a), wide), kept) for a in arrays], **params),),
                    dtype,
                )
                return result
    result = _quietly(kernel, [_cast(a, wide) for a in arrays], params)
    return result if result.dtype is dtype else _quietly(_cast, (result, dtype), {})


@functools.cache
def _precision(*dtypes: np.dtype[Any]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the dtype of the result, and the one to compute in."""
    dtype = np.result_type(*dtypes, np.bool).newbyteorder("=")
    if dtype.kind not in "biufc":
        raise TypeError(f"numbers are wanted, not an array of dtype {dtype}")
    if dtype.kind in "biu":
        dtype = _FLOAT64
    return dtype, np.promote_types(dtype, _FLOAT64)


def _name(kernel: Kernel) -> str:
    return kernel.__qualname__.removesuffix(".forward").removesuffix(".backward")


def _cast(a: Any, dtype: np.dtype[Any]) -> Any:
    if type(a) is not ndarray and not isinstance(a, np.generic):
        return a
    return a if a.dtype is dtype else a.astype(dtype, copy=False)


Cut = Callable[[Any], Any]
"""Takes a piece of an array; of what is broadcast along the axis that is cut, and of a number, all."""


def in_pieces(
    largest: ndarray[Any, Any], axis: int, evaluate: Callable[[Cut], tuple[Any, ...]], dtype: Any = None
) -> tuple[Any, ...]:
    """Evaluate piece by piece along an axis, each thread taking the next piece that is left.

    Parameters
    ----------
    largest : ndarray
        The array by whose size and layout the pieces are chosen.
    axis : int
        The one to cut, negative: see `cut_axis`.
    evaluate : callable
        ``evaluate(cut)`` computes a piece of each result from the pieces ``cut(a)`` of the arrays it reads.
        What is None for one piece is None for all.
    dtype : dtype, optional
        Of the results, if it is not the one they are computed in.

    Returns
    -------
    tuple of ndarray or None
        What `evaluate` would return of the arrays as they are.
    """
    length = largest.shape[axis]
    count = math.ceil(largest.size / BLOCK)
    count += -count % get_num_threads()  # each thread has as many, of the same size
    step = max(1, math.ceil(length / count))
    behind = (slice(None),) * (-axis - 1)

    def piece(start: int, stop: int) -> tuple[Any, tuple[Any, ...]]:
        where = (Ellipsis, slice(start, stop), *behind)
        return where, evaluate(functools.partial(_cut, where=where, axis=axis, length=length))

    def store(start: int) -> None:
        where, results = piece(start, start + step)
        for out, result in zip(outs, results, strict=True):
            if out is not None:
                out[where] = result

    _, empty = piece(0, 0)  # what becomes of no elements tells the results' shapes
    outs = tuple(None if x is None else _whole(x, largest, axis, dtype or x.dtype) for x in empty)
    share(store, range(0, length, step))
    return outs


def cut_axis(array: ndarray[Any, Any], whole: int | Sequence[int] = ()) -> int | None:
    """Choose the axis to cut: the one that is slowest in memory, if pieces then are small enough."""
    kept = {whole} if isinstance(whole, int) else set(whole)
    axes = [a for a in range(-array.ndim, 0) if a not in kept and array.shape[a] > 1]
    axes.sort(key=lambda a: -abs(array.strides[a]))
    enough = [a for a in axes if array.size // array.shape[a] <= BLOCK]
    return enough[0] if enough else max(axes, key=lambda a: array.shape[a], default=None)


def _cut(a: Any, where: tuple[Any, ...], axis: int, length: int) -> Any:
    """Take the slice, unless this argument is broadcast along the axis."""
    return a[where] if type(a) is ndarray and a.ndim >= -axis and a.shape[axis] == length else a


def _whole(empty: Any, largest: ndarray[Any, Any], axis: int, dtype: Any) -> ndarray[Any, Any]:
    """Make the array of which this would be a piece."""
    shape = (*empty.shape[:axis], largest.shape[axis], *empty.shape[axis:][1:])
    return np.empty_like(largest, shape=shape, dtype=dtype)


def _short_rows(array: ndarray[Any, Any], whole: int | Sequence[int]) -> tuple[int, ...]:
    """Return the last axes, if these are the ones not to cut, and short.

    NumPy reduces such rows one by one, 2 ns an element and more; laid out column by column, ten times as fast.
    """
    axes = (whole,) if isinstance(whole, int) else tuple(sorted(whole))
    last = axes == tuple(range(-len(axes), 0))
    return axes if axes and last and math.prod(array.shape[-len(axes) :]) <= SHORT else ()


def _turned(a: Any, kept: tuple[int, ...]) -> Any:
    """Copy an array so that the last axes are slowest in memory."""
    if not kept or type(a) is not ndarray or a.ndim <= len(kept):
        return a
    front = tuple(range(len(kept)))
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, kept, front)), front, kept)
