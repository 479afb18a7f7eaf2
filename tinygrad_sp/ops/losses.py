"""The losses people train with, on logits where there are logits: exact however sure the model is.

Built from the activations; names, shapes and reductions are PyTorch's.  There are no weights per class or per
element: multiply the result of ``reduction="none"``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activation import softplus
from .arguments import array, value
from .softmax import log_softmax

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "mse_loss", "nll_loss"]


def _reduced(name: str, losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        return np.mean(losses)
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none"; got {reduction!r}')


def _pair(name: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Return both as arrays of one shape: broadcasting (n, 1) against (n,) is a common and costly mistake."""
    input, target = array(input), array(target)
    if input.shape != target.shape and target.shape != ():
        raise ValueError(f"{name}: input has shape {input.shape}, target {target.shape}; they must be equal")
    return input, target


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of (input - target)**2.

    Parameters
    ----------
    input, target : Tensor or array_like
        Of one shape; the target may be a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the losses of the elements.

    Returns
    -------
    Tensor or ndarray
        The loss, or the losses.

    Raises
    ------
    ValueError
        If the shapes differ, or the reduction is another word.

    Notes
    -----
    The derivative with respect to the input is 2*(input - target), over the number of elements for "mean".

    References
    ----------
    C. F. Gauss, *Theoria motus corporum coelestium*, 1809.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([1.0, 2.0, 4.0])
    >>> loss = tg.mse_loss(x, [1.0, 2.0, 1.0])
    >>> loss.backward()
    >>> loss.item(), x.grad
    (3.0, Tensor([0., 0., 2.]))
    """
    input, target = _pair("mse_loss", input, target)
    return _reduced("mse_loss", np.square(input - target), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of -target*log(sigmoid(input)) - (1 - target)*log(1 - sigmoid(input)).

    Parameters
    ----------
    input : Tensor or array_like
        Logits.
    target : Tensor or array_like
        Probabilities, of the same shape or a number; labels are 0 or 1.
    reduction : {"mean", "sum", "none"}
        What becomes of the losses of the elements.

    Returns
    -------
    Tensor or ndarray
        The loss, or the losses.

    Raises
    ------
    ValueError
        If the shapes differ, or the reduction is another word.

    Notes
    -----
    Evaluated as target*softplus(-input) + (1 - target)*softplus(input), in which nothing cancels.  The derivative
    with respect to the input is sigmoid(input) - target.

    References
    ----------
    D. R. Cox, *The regression analysis of binary sequences*, 1958.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([40.0, -1000.0])
    >>> loss = tg.binary_cross_entropy_with_logits(x, [1.0, 1.0], reduction="sum")
    >>> loss.backward()
    >>> loss.item(), x.grad
    (1000.0, Tensor([-4.24835426e-18, -1.00000000e+00]))
    """
    input, target = _pair("binary_cross_entropy_with_logits", input, target)
    return _reduced(
        "binary_cross_entropy_with_logits", target * softplus(-input) + (1 - target) * softplus(input), reduction
    )


def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of -log(softmax(input)) at the right class.

    Parameters
    ----------
    input : Tensor or array_like
        Logits, of shape (classes,) or (n, classes, ...).
    target : array_like of int, or Tensor or array_like of probabilities
        The class of each, of shape () or (n, ...); or the probabilities of the classes, of the input's shape.
    reduction : {"mean", "sum", "none"}
        What becomes of the losses.

    Returns
    -------
    Tensor or ndarray
        The loss, or the losses.

    Raises
    ------
    ValueError
        If the shapes don't fit, or the reduction is another word.
    IndexError
        If there is no such class.

    Notes
    -----
    The derivative with respect to the input is softmax(input) - target (as probabilities), over n for "mean"; where
    the model is right and sure, that small difference has all its digits.

    References
    ----------
    I. J. Good, *Rational decisions*, 1952.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([[40.0, 0.0], [0.0, 1000.0]])
    >>> loss = tg.cross_entropy(x, [0, 0])
    >>> loss.backward()
    >>> loss.item(), x.grad
    (500.0, Tensor([[-2.12417713e-18,  2.12417713e-18],
           [-5.00000000e-01,  5.00000000e-01]]))
    """
    input, target = array(input), array(target)
    axis = _class_axis("cross_entropy", input)
    logs = log_softmax(input, axis)
    if target.dtype.kind in "biu":
        return _at_classes("cross_entropy", logs, target, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"cross_entropy: probabilities of shape {target.shape} for an input of shape {input.shape}; "
            "they must be equal (or write classes as integers)"
        )
    # A class of probability 0 counts for nothing, even if the model thinks it impossible.
    logs = np.where((target == 0) & np.isinf(logs), 0.0, logs)
    return _reduced("cross_entropy", -np.sum(target * logs, axis=axis), reduction)


def nll_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of minus the input at the right class.

    Parameters
    ----------
    input : Tensor or array_like
        Logarithms of probabilities, of shape (classes,) or (n, classes, ...).
    target : array_like of int
        The class of each, of shape () or (n, ...).
    reduction : {"mean", "sum", "none"}
        What becomes of the losses.

    Returns
    -------
    Tensor or ndarray
        The loss, or the losses.

    Raises
    ------
    ValueError
        If the shapes don't fit, or the reduction is another word.
    TypeError
        If the classes are not integers.
    IndexError
        If there is no such class.

    Notes
    -----
    The derivative with respect to the input is -1 at the right class and 0 elsewhere, over n for "mean".

    References
    ----------
    R. A. Fisher, *On the mathematical foundations of theoretical statistics*, 1922.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> logs = tg.Tensor([[-0.5, -1.0], [-2.0, -0.25]])
    >>> tg.nll_loss(logs, [0, 1], reduction="none")
    Tensor([0.5 , 0.25], op=...)
    """
    return _at_classes("nll_loss", array(input), array(target), reduction)


def _at_classes(name: str, input: Any, target: Any, reduction: str) -> Any:
    """Reduce minus the input at the right classes, for the function of this name."""
    classes, axis = np.asarray(value(target)), _class_axis(name, input)
    wanted = input.shape[:axis] + input.shape[axis + 1 :]
    if classes.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target must be classes, that is integers; its dtype is {classes.dtype}")
    if classes.shape != wanted:
        raise ValueError(
            f"{name}: target of shape {classes.shape} for an input of shape {input.shape}; {wanted} is wanted"
        )
    if classes.size and not (0 <= classes.min() and classes.max() < input.shape[axis]):
        raise IndexError(
            f"{name}: a target is outside the {input.shape[axis]} classes 0 ... {input.shape[axis] - 1}; "
            "give one of them"
        )
    places = np.expand_dims(classes, axis)
    return _reduced(name, -np.squeeze(np.take_along_axis(input, places, axis=axis), axis), reduction)


def _class_axis(name: str, input: Any) -> int:
    if not input.ndim:
        raise ValueError(f"{name}: the input needs an axis of classes; its shape is ()")
    return 1 if input.ndim > 1 else 0
