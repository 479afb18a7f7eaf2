"""Large arrays in pieces: the one place that knows of caches and threads.

A kernel is a plain NumPy expression.  `blocked` makes it one that takes a large array piece by piece, so that
the temporaries of its several passes stay in the cache, and shares the pieces among threads (NumPy releases
the GIL).  Measured at a million elements: half the time of the bare expression in one thread, a quarter in two.

It also says, once for all kernels, in which precision they compute: what is narrower than float64 is computed
in float64 and rounded at the end, so float16 and float32 results are right to the last bit; integers become
float64.  Arrays that are not NumPy's go through the expression as it stands.
"""

from __future__ import annotations

import functools
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy import errstate, ndarray

from .graph import Node, Spec

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["get_num_threads", "set_num_threads"]

BLOCK = 65_536
"""Elements in a piece: smaller ones cost more calls, larger ones fall out of a core's cache."""

SHORT = 32
"""Elements in a row that is reduced: up to here it pays to lay a piece out by columns, from 64 on it does not."""

Kernel = Callable[..., Any]
_FLOAT64 = np.dtype(np.float64)
_AS_IT_IS = frozenset((np.float64, float, int, type(None), Spec, Node))
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
        if type(x) is not ndarray or x.size < 4 * BLOCK or not x.flags.forc or any(type(y) is ndarray for y in more):
            return kernel(x, *more)
        out = np.empty_like(x, dtype=kernel(x.ravel("K")[:0], *more).dtype)
        flat, target = x.ravel("K"), out.ravel("K")
        starts = deque(range(0, x.size, BLOCK))

        def work() -> None:
            while starts:
                try:
                    start = starts.popleft()
                except IndexError:  # another thread was quicker
                    return
                target[start : start + BLOCK] = kernel(flat[start : start + BLOCK], *more)

        _share(work, starts)
        return out

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
        axis = _cut_axis(largest, params.get("axis", ()))
        if axis is not None:
            with errstate(under="ignore"):
                return _in_pieces(kernel, arrays, params, largest, axis, wide, dtype)
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
    return a.astype(dtype, copy=False) if type(a) is ndarray or isinstance(a, np.generic) else a


def _cut_axis(array: ndarray[Any, Any], whole: int | Sequence[int]) -> int | None:
    """Choose the axis to cut: the one that is slowest in memory, if pieces then are small enough."""
    kept = {whole} if isinstance(whole, int) else set(whole)
    axes = [a for a in range(-array.ndim, 0) if a not in kept and array.shape[a] > 1]
    axes.sort(key=lambda a: -abs(array.strides[a]))
    enough = [a for a in axes if array.size // array.shape[a] <= BLOCK]
    return enough[0] if enough else max(axes, key=lambda a: array.shape[a], default=None)


def _in_pieces(
    kernel: Kernel,
    arrays: Sequence[Any],
    params: dict[str, Any],
    largest: ndarray[Any, Any],
    axis: int,
    wide: np.dtype[Any],
    dtype: np.dtype[Any],
) -> Any:
    """Evaluate the kernel on slices along an axis, each thread taking the next one that is left."""
    length, kept = largest.shape[axis], _short_rows(largest, params.get("axis", ()))
    pieces = math.ceil(largest.size / BLOCK)
    pieces += -pieces % get_num_threads()  # each thread has as many, of the same size
    step = max(1, math.ceil(length / pieces))

    def piece(start: int, stop: int) -> tuple[tuple[Any, ...], Any]:
        where = (Ellipsis, slice(start, stop)) + (slice(None),) * (-axis - 1)
        parts = [_cast(_cut(a, where, axis, length), wide) for a in arrays]
        return where, kernel(*[_turned(a, kept) for a in parts] if kept else parts, **params)

    _, empty = piece(0, 0)  # what becomes of no elements tells the result's shape
    shape = (*empty.shape[:axis], length, *empty.shape[axis:][1:])
    out = np.empty_like(largest, shape=shape, dtype=dtype)
    starts = deque(range(0, length, step))

    def work() -> None:
        while True:
            try:
                start = starts.popleft()
            except IndexError:  # none is left
                return
            where, result = piece(start, start + step)
            out[where] = result

    _share(work, starts)
    return out


def _cut(a: Any, where: tuple[Any, ...], axis: int, length: int) -> Any:
    """Take the slice, unless this argument is broadcast along the axis."""
    return a[where] if type(a) is ndarray and a.ndim >= -axis and a.shape[axis] == length else a


def _short_rows(array: ndarray[Any, Any], whole: int | Sequence[int]) -> tuple[int, ...]:
    """Return the last axes, if these are the ones not to cut, and short.

    NumPy reduces such rows one by one, 2 ns an element and more; laid out column by column, ten times as fast.
    """
    axes = (whole,) if isinstance(whole, int) else tuple(sorted(whole))
    last = axes == tuple(range(-len(axes), 0))
    return axes if axes and last and math.prod(array.shape[-len(axes) :]) <= SHORT else ()


def _turned(a: Any, kept: tuple[int, ...]) -> Any:
    """Copy an array so that the last axes are slowest in memory."""
    if type(a) is not ndarray or a.ndim <= len(kept):
        return a
    front = tuple(range(len(kept)))
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, kept, front)), front, kept)


# ---------------------------------------------------------------------------------------------- threads

_threads: int | None = None  # unknown until it is asked for
_pool: Executor | None = None


def get_num_threads() -> int:
    """Return how many threads large kernels use.

    Unless `set_num_threads` said otherwise: the environment's TINYGRAD_SP_NUM_THREADS, else OMP_NUM_THREADS,
    else the number of cores this process may use, 8 at most (beyond that they wait for memory and the GIL).

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    global _threads
    if _threads is None:
        _threads = _from_environment() or min(_cores(), 8)
    return _threads


def set_num_threads(n: int) -> None:
    """Set how many threads large kernels use; 1 means that no thread is ever started.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If n is less than 1.

    Examples
    --------
    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _threads
    if int(n) != n or n < 1:
        raise ValueError(f"set_num_threads: n must be a whole number, at least 1; got {n}")
    _threads = int(n)
    _forget_pool()


def _from_environment() -> int | None:
    for variable in ("TINYGRAD_SP_NUM_THREADS", "OMP_NUM_THREADS"):
        first = os.environ.get(variable, "").split(",")[0].strip()  # OpenMP allows a list, one per level
        if first.isdecimal() and int(first) > 0:
            return int(first)
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(work: Callable[[], None], tasks: deque[Any]) -> None:
    """Run ``work`` here and in helping threads until the tasks are done.

    Only the main thread gets help: any other belongs to somebody's pool, whose cores are busy already.
    """
    import threading  # a millisecond of the import of this package, for who never has a large array

    helpers = min(get_num_threads(), len(tasks) // 2) - 1  # waking one takes about as long as one task
    if helpers < 1 or threading.current_thread() is not threading.main_thread():
        return work()
    pool = _the_pool()
    # A copy of the context carries the user's np.errstate into the thread.
    running = [pool.submit(copy_context().run, work) for _ in range(helpers)]
    try:
        work()
    finally:
        tasks.clear()  # if work raised, the others need not go on
        for helper in running:
            helper.result()


def _the_pool() -> Executor:
    """Return the helping threads, started when they are first wanted."""
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(get_num_threads() - 1, "tinygrad_sp")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_pool)  # a child has no threads but its own
    return _pool


def _forget_pool() -> None:
    global _pool
    _pool = None
