"""The threads that share the pieces of large arrays: how many there are, and how they are handed work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["get_num_threads", "set_num_threads"]

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


def share(task: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call ``task(item)`` for all, here and in helping threads, each taking the next item that is left.

    Only the main thread gets help: any other belongs to somebody's pool, whose cores are busy already.
    """
    import threading  # a millisecond of the import of this package, for who never has a large array

    left = deque(items)

    def work() -> None:
        while True:
            try:
                item = left.popleft()
            except IndexError:  # none is left
                return
            task(item)

    helpers = min(get_num_threads(), len(left) // 2) - 1  # waking one takes about as long as one task
    if helpers < 1 or threading.current_thread() is not threading.main_thread():
        return work()
    pool = _the_pool()
    # A copy of the context carries the user's np.errstate into the thread.
    running = [pool.submit(copy_context().run, work) for _ in range(helpers)]
    try:
        work()
    finally:
        left.clear()  # if a task raised, the others need not go on
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
