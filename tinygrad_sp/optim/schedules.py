"""Learning-rate schedules: functions from the number of steps taken to a learning rate.

Any such function will do: ``lr=lambda step: 0.1 / (1 + step)``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from numbers import Integral

Schedule = Callable[[int], float]


def step(lr: float, step_size: int, gamma: float = 0.1) -> Schedule:
    """Multiply by ``gamma`` every ``step_size`` steps: lr gamma^floor(n / step_size).

    Parameters
    ----------
    lr : float
        The rate to begin with.
    step_size : int
    gamma : float

    Returns
    -------
    callable
        From the number of steps taken, n, to a rate.

    Raises
    ------
    ValueError
        If ``step_size`` is not a whole number of at least 1.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> rate = tg.optim.step(1.0, 2, gamma=0.5)
    >>> [rate(n) for n in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    _positive("step", "step_size", step_size)
    return lambda n: lr * gamma ** (n // step_size)


def exponential(lr: float, gamma: float) -> Schedule:
    """Multiply by ``gamma`` every step: lr gamma^n.

    Parameters
    ----------
    lr : float
        The rate to begin with.
    gamma : float

    Returns
    -------
    callable
        From the number of steps taken, n, to a rate.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> rate = tg.optim.exponential(1.0, 0.5)
    >>> [rate(n) for n in range(3)]
    [1.0, 0.5, 0.25]
    """
    return lambda n: lr * gamma**n


def cosine(lr: float, steps: int, end: float = 0.0) -> Schedule:
    """Go from ``lr`` to ``end`` along half a cosine in ``steps`` steps, and stay there.

    Parameters
    ----------
    lr : float
        The rate to begin with.
    steps : int
    end : float

    Returns
    -------
    callable
        From the number of steps taken, n, to end + (lr - end) (1 + cos(pi n / steps)) / 2.

    Raises
    ------
    ValueError
        If ``steps`` is not a whole number of at least 1.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> rate = tg.optim.cosine(1.0, 4)
    >>> [round(rate(n), 3) for n in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    _positive("cosine", "steps", steps)
    return lambda n: end + (lr - end) * (1 + cos(pi * min(n, steps) / steps)) / 2


def warmup(after: float | Schedule, steps: int) -> Schedule:
    """Rise linearly in ``steps`` steps to a rate, or to what a schedule begins with, and go on with that.

    Parameters
    ----------
    after : float or callable
        What follows; a schedule is given the number of steps since the warm-up.
    steps : int

    Returns
    -------
    callable
        From the number of steps taken, n, to a rate: (n + 1) / steps of the first one while n < steps.

    Raises
    ------
    ValueError
        If ``steps`` is not a whole number of at least 1.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> rate = tg.optim.warmup(tg.optim.exponential(1.0, 0.5), 4)
    >>> [rate(n) for n in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]
    """
    _positive("warmup", "steps", steps)
    rate: Schedule = after if callable(after) else lambda _n: after
    return lambda n: rate(0) * (n + 1) / steps if n < steps else rate(n - steps)


def _positive(name: str, what: str, value: int) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}: {what}={value!r}; write a whole number of steps, at least 1")
