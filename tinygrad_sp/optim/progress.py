"""A progress bar where tqdm is installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any


def progress(items: Iterable[Any] | int, **options: Any) -> Iterable[Any]:
    """Iterate, with tqdm's bar if tqdm is installed, and without one otherwise.

    Parameters
    ----------
    items : iterable or int
        An integer n stands for ``range(n)``.
    **options
        Given to ``tqdm.tqdm``, as ``desc="training"``.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> sum(tg.optim.progress(4, disable=True))
    6
    """
    items = range(items) if isinstance(items, int) else items
    try:
        tqdm = import_module("tqdm").tqdm
    except ImportError:
        return items
    bar: Iterable[Any] = tqdm(items, **options)
    return bar
