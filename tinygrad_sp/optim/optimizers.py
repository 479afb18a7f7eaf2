"""SGD, Adam, AdamW and RMSprop: one formula each; what they share is in `Optimizer`.

A formula maps a parameter's value, its gradient and its slots (what the optimizer remembers of it) to the
amount to subtract.  All amounts are computed before the first parameter is changed.  Names, defaults and
results are PyTorch's; complex parameters count, as there, as pairs of real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..modes import no_grad
from .parameters import parameters

Slots = dict[str, Any]
Rate = float | Callable[[int], float]


class Optimizer:
    """What all optimizers share; a formula is written as `_amount`.

    Attributes
    ----------
    params : list of Tensor
    lr : float, or callable from the number of steps taken to a float
    steps : int
        How often `step` was called.
    """

    def __init__(self, params: Any, lr: Rate, **options: float) -> None:
        name = type(self).__name__
        self.params = parameters(params, name)
        for option, value in options.items():
            if not (isinstance(value, Real) and isfinite(value) and value >= 0):
                raise ValueError(f"{name}: {option}={value!r}; write a finite number that is not negative")
            setattr(self, option, float(value))  # a NumPy float64 would widen float32
        self.lr, self.steps = lr, 0
        if not callable(lr):
            self._rate()
        self._slots: list[Slots] = [{} for _ in self.params]

    def _rate(self) -> float:
        given = self.lr(self.steps) if callable(self.lr) else self.lr
        try:
            rate = float(given)
        except (TypeError, ValueError):
            raise TypeError(f"{type(self).__name__}: lr={given!r}; write a number or a function of the step") from None
        if not (isfinite(rate) and rate >= 0):
            raise ValueError(f"{type(self).__name__}: lr={rate} at step {self.steps}; write a finite lr >= 0")
        return rate

    def _amount(self, value: Any, grad: Any, slots: Slots, lr: float) -> tuple[Any, Slots]:
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter that has a gradient; nothing is changed if anything raises."""
        lr = self._rate()
        found = []
        with np.errstate(all="ignore"), no_grad():  # overflow shows in the parameters, as in PyTorch
            for i, param in enumerate(self.params):
                if not param.is_leaf:
                    raise ValueError(
                        f"{type(self).__name__}.step: parameter {i} was computed since: "
                        "change parameters under `with tg.no_grad():`"
                    )
                if param.grad is not None:
                    value, grad = _as_real(param.numpy()), _as_real(param.grad.detach().numpy())
                    amount, slots = self._amount(value, grad, self._slots[i], lr)
                    found.append((i, _as_dtype(amount, param.dtype), slots))
            for i, amount, slots in found:
                self.params[i] -= amount
                self._slots[i] = slots
        self.steps += 1

    def zero_grad(self) -> None:
        """Forget every gradient: each ``grad`` is None again."""
        for param in self.params:
            param.grad = None

    def state(self) -> dict[str, Any]:
        """Return what the optimizer remembers, of dicts, lists, arrays and integers: `tg.save` takes it."""
        return {"steps": self.steps, "slots": [dict(slots) for slots in self._slots]}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned: the next steps are the same, bit for bit.

        Raises
        ------
        ValueError
            If it was made by another optimizer, or for other parameters.
        """
        name = type(self).__name__
        if not _is_state(state):
            raise ValueError(f"{name}.load_state: give what {name}.state() returned")
        if len(state["slots"]) != len(self.params):
            raise ValueError(
                f"{name}.load_state: the state is of {len(state['slots'])} parameters, here are {len(self.params)}; "
                "as many are wanted"
            )
        for i, (param, slots) in enumerate(zip(self.params, state["slots"], strict=True)):
            value = _as_real(param.numpy())
            wanted = self._amount(value, np.zeros_like(value), {}, 0.0)[1]
            if slots and set(slots) != set(wanted):
                raise ValueError(f"{name}.load_state: parameter {i} has {sorted(slots)}, wanted {sorted(wanted)}")
            for key in slots:
                came, want = np.asarray(slots[key]), np.asarray(wanted[key])
                if (came.shape, came.dtype) != (want.shape, want.dtype):
                    raise ValueError(
                        f"{name}.load_state: {key} of parameter {i} has shape {came.shape}, dtype {came.dtype}; "
                        f"wanted {want.shape}, {want.dtype}"
                    )
        self.steps = state["steps"]
        self._slots = [dict(slots) for slots in state["slots"]]


def _is_state(state: Any) -> bool:
    if not isinstance(state, dict) or set(state) != {"steps", "slots"}:
        return False
    steps, slots = state["steps"], state["slots"]
    return isinstance(steps, Integral) and isinstance(slots, (list, tuple)) and all(isinstance(s, dict) for s in slots)


def _as_real(array: Any) -> Any:
    """View complex numbers as pairs along a last axis."""
    return np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array


def _as_dtype(amount: Any, dtype: np.dtype[Any]) -> Any:
    return np.ascontiguousarray(amount).view(dtype)[..., 0] if dtype.kind == "c" else amount


class SGD(Optimizer):
    """Stochastic gradient descent: p -= lr g, or with momentum v = m v + (1 - dampening) g, p -= lr v.

    Parameters
    ----------
    params : Tensor, or nested dict, list or tuple of Tensors
    lr : float or callable
        A callable is given the number of steps taken.
    momentum, dampening, weight_decay : float
        ``weight_decay`` adds itself times p to the gradient.
    nesterov : bool
        Use g + m v in place of v; needs momentum, and no dampening.

    Raises
    ------
    TypeError, ValueError
        For parameters that are no variables, for negative numbers, for nesterov without momentum.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor(3.0)
    >>> opt = tg.optim.SGD(x, lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     (x**2).backward()
    ...     opt.step()
    ...     opt.zero_grad()
    >>> x
    Tensor(0., requires_grad=True)
    """

    momentum: float
    dampening: float
    weight_decay: float

    def __init__(
        self,
        params: Any,
        lr: Rate = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("SGD: nesterov=True needs momentum > 0 and dampening=0: write momentum=0.9")
        super().__init__(params, lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
        self.nesterov = nesterov

    def _amount(self, value: Any, grad: Any, slots: Slots, lr: float) -> tuple[Any, Slots]:
        grad = grad + self.weight_decay * value if self.weight_decay else grad
        if not self.momentum:
            return lr * grad, {}
        velocity = self.momentum * slots["velocity"] + (1 - self.dampening) * grad if slots else grad
        return lr * (grad + self.momentum * velocity if self.nesterov else velocity), {"velocity": velocity}


class Adam(Optimizer):
    """Adam: p -= lr m / (sqrt(v) + eps), with m and v the running means of g and g^2, without their bias.

    Parameters
    ----------
    params : Tensor, or nested dict, list or tuple of Tensors
    lr : float or callable
        A callable is given the number of steps taken.
    betas : pair of float
        How much of m and of v is kept in a step.
    eps, weight_decay : float
        ``weight_decay`` adds itself times p to the gradient.
    amsgrad : bool
        Use the largest v so far.

    Raises
    ------
    TypeError, ValueError
        For parameters that are no variables, for negative numbers, for betas outside [0, 1).

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, -1.0])
    >>> opt = tg.optim.Adam(x, lr=0.5)
    >>> (x**2).sum().backward()
    >>> opt.step()
    >>> x
    Tensor([ 2.5, -0.5], requires_grad=True)
    """

    eps: float
    weight_decay: float
    _decoupled = False

    def __init__(
        self,
        params: Any,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, eps=eps, weight_decay=weight_decay)
        if np.shape(betas) != (2,) or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas={betas}; write two numbers in [0, 1), as (0.9, 0.999)")
        self.betas, self.amsgrad = (float(betas[0]), float(betas[1])), amsgrad

    def _amount(self, value: Any, grad: Any, slots: Slots, lr: float) -> tuple[Any, Slots]:
        decay = lr * self.weight_decay * value if self.weight_decay and self._decoupled else 0.0
        if self.weight_decay and not self._decoupled:
            grad = grad + self.weight_decay * value
        first, second = self.betas
        zero = np.zeros_like(value)[()]
        step = slots.get("step", 0) + 1
        mean = first * slots.get("mean", zero) + (1 - first) * grad
        square = second * slots.get("square", zero) + (1 - second) * grad * grad
        kept = {"step": step, "mean": mean, "square": square}
        if self.amsgrad:
            square = kept["largest"] = np.maximum(slots.get("largest", zero), square)
        # The bias is taken out of the root, so that float32 loses nothing to a small 1 - beta^step.
        size = np.sqrt(square) / (1 - second**step) ** 0.5 + self.eps
        return decay + lr / (1 - first**step) * mean / size, kept


class AdamW(Adam):
    """Adam with decoupled weight decay: p -= lr weight_decay p beside Adam's step.

    Parameters and errors are those of `Adam`; ``weight_decay`` is 0.01 by default.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, -1.0])
    >>> opt = tg.optim.AdamW(x, lr=0.5, weight_decay=0.1)
    >>> (x**2).sum().backward()
    >>> opt.step()
    >>> x
    Tensor([ 2.35, -0.45], requires_grad=True)
    """

    _decoupled = True

    def __init__(
        self,
        params: Any,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)


class RMSprop(Optimizer):
    """RMSprop: p -= lr g / (sqrt(v) + eps), with v the running mean of g^2.

    Parameters
    ----------
    params : Tensor, or nested dict, list or tuple of Tensors
    lr : float or callable
        A callable is given the number of steps taken.
    alpha : float
        How much of v is kept in a step.
    eps, weight_decay, momentum : float
    centered : bool
        Take the square of the running mean of g from v: its variance.

    Raises
    ------
    TypeError, ValueError
        For parameters that are no variables, and for negative numbers.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([3.0, -1.0])
    >>> opt = tg.optim.RMSprop(x, lr=0.05)
    >>> (x**2).sum().backward()
    >>> opt.step()
    >>> tg.round(x.detach(), 6)
    Tensor([ 2.5, -0.5])
    """

    alpha: float
    eps: float
    weight_decay: float
    momentum: float

    def __init__(
        self,
        params: Any,
        lr: Rate = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(params, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        self.centered = centered

    def _amount(self, value: Any, grad: Any, slots: Slots, lr: float) -> tuple[Any, Slots]:
        grad = grad + self.weight_decay * value if self.weight_decay else grad
        zero = np.zeros_like(value)[()]
        spread = square = self.alpha * slots.get("square", zero) + (1 - self.alpha) * grad * grad
        kept = {"square": square}
        if self.centered:
            mean = kept["mean"] = self.alpha * slots.get("mean", zero) + (1 - self.alpha) * grad
            spread = square - mean * mean
        amount = grad / (np.sqrt(spread) + self.eps)
        if self.momentum:
            amount = kept["velocity"] = self.momentum * slots.get("velocity", zero) + amount
        return lr * amount, kept
