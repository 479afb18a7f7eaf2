"""What an expression may call: our functions by name, the parameters they take by name, and what they cost.

The cost is how many elements a call computes, known from its arguments' shapes before it is made (an upper
bound where that is simpler).  That is how ``outer(x, x)`` of a million numbers is refused and not tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from operator import attrgetter
from typing import Any

import numpy as np

import tinygrad_sp as tg

Work = Callable[[Sequence[Any], Mapping[str, Any]], int]

FAR_TOO_MUCH = 10**18


class Function:
    """A function that expressions may call.

    Parameters
    ----------
    name : str
        Where it is in `tinygrad_sp`: "exp", "linalg.inv".
    params : iterable of str
        The parameters that may be given by name.
    work : callable
        ``work(args, params)``: how many elements a call computes at most.
    call : callable, optional
        What is called; without it, the function of that name.
    """

    def __init__(self, name: str, params: Sequence[str], work: Work, call: Callable[..., Any] | None = None) -> None:
        self.name, self.params, self.work = name, frozenset(params), work
        self._call = call

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Call it."""
        return (self._call or attrgetter(self.name)(tg))(*args, **params)


def shape(value: Any) -> tuple[int, ...]:
    """Return the shape of an array or Tensor; () for a number."""
    return getattr(value, "shape", ())


def size(value: Any) -> int:
    """How many elements a value has, lists of arrays included."""
    if isinstance(value, list | tuple):
        return sum(map(size, value))
    return prod(shape(value))


def reading(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """Each element of each argument once: reductions, reshapes, concatenations."""
    return 1 + size(tuple(args))


def joining(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """Each element of each array of a list: the functions that take lists of arrays."""
    return 1 + size(tuple(args))


def broadcast(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """As many elements as the arguments have when they are broadcast together."""
    lists = prod(size(arg) for arg in args if isinstance(arg, list | tuple))
    try:
        return 1 + lists * prod(np.broadcast_shapes(*[shape(arg) for arg in args]))
    except ValueError:  # the function itself will say what is wrong
        return prod(max(1, size(arg)) for arg in args)


def pairs(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """Each element of one argument with each of the other."""
    return prod(max(1, size(arg)) for arg in args[:2])


def product(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """A matrix product; 32 multiplications take as long as one element of anything else."""
    x, y = (shape(arg) or (1,) for arg in (*args, 0, 0)[:2])
    rows, columns = (x[-2] if len(x) > 1 else 1), (y[-1] if len(y) > 1 else 1)
    try:
        stacks = prod(np.broadcast_shapes(x[:-2], y[:-2]))
    except ValueError:
        return pairs(args, {})
    return stacks * rows * columns * (1 + x[-1] // 32) + prod(x) + prod(y)


def contraction(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """`dot` and `inner`: the last axis of one argument is summed."""
    last = shape(args[0])[-1] if len(args) > 1 and shape(args[0]) and shape(args[1]) else 1
    return pairs(args, {}) // max(1, min(last, 32))


def subscripts(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """`einsum`: every combination of the indices named."""
    if not args or not isinstance(args[0], str) or "." in args[0]:
        return prod(max(1, size(arg)) for arg in args)
    lengths: dict[str, int] = {}
    for term, array in zip(args[0].split("->")[0].replace(" ", "").split(","), args[1:], strict=False):
        for label, n in zip(term, shape(array), strict=False):
            lengths[label] = max(n, lengths.get(label, 1))
    return reading(args[1:], {}) + prod(lengths.values())


def cubic(args: Sequence[Any], _params: Mapping[str, Any]) -> int:
    """Linear algebra: a factorisation of matrices."""
    return 1 + sum(size(arg) * (1 + max((0, *shape(arg)[-2:]))) for arg in args)


def squared(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`diag`: a vector becomes a matrix, on a diagonal that may be far out."""
    return 1 + (size(args[:1]) + sum(_numbers(_second(args, params)))) ** 2


def repeating(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`repeat` and `diff`: each element as often as the largest number given."""
    return (1 + size(args[:1])) * max((1, *_numbers(_second(args, params))))


def tiling(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`tile` and `broadcast_to`: the product of the numbers given."""
    return (1 + size(args[:1])) * prod(max(1, n) for n in _numbers(_second(args, params)))


def splitting(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`split`: as many parts as the numbers say."""
    return reading(args, params) + sum(_numbers(_second(args, params)))


def padding(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`pad`: the largest width on both sides of every axis."""
    width = max((0, *_numbers(_second(args, params))))
    return prod(n + 2 * width for n in shape(args[0] if args else 0))


def spacing(args: Sequence[Any], params: Mapping[str, Any]) -> int:
    """`linspace`: the number of points, for each element of the ends."""
    count = args[2:] or [params.get("num", 50)]
    return max((1, *_numbers(count[0]))) * broadcast(args[:2], {})


def indexing(array: Any, index: Any) -> int:
    """``array[index]``: what the arrays in the index pick, times the axes that they leave whole."""
    items = index if type(index) is tuple else (index,)
    picked = taken = 1
    axes, axis = shape(array), 0
    for item in items:
        if item is None:
            continue
        if item is Ellipsis:  # which axes follow is not worth working out: count as if none were taken
            axes = ()
        elif isinstance(item, int | slice):
            axis += 1
        else:
            used = len(shape(item)) if getattr(getattr(item, "dtype", None), "kind", "i") == "b" else 1
            picked *= max(1, size(item))
            taken *= prod(axes[axis : axis + used])
            axis += used
    return 1 + picked * (size(array) // max(1, taken))


def _second(args: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Return the second argument, by position or by name."""
    return args[1] if len(args) > 1 else next(iter(params.values()), ())


def _numbers(value: Any) -> list[int]:
    """Flatten a number or nested lists of numbers, which must be written out: a Tensor could be any."""
    if isinstance(value, list | tuple):
        return [n for item in value for n in _numbers(item)]
    if not isinstance(value, int | float):
        raise TypeError("how many or how long must be written as numbers here, such as 3 or (2, 3)")
    return [abs(int(value)) if abs(value) < FAR_TOO_MUCH else FAR_TOO_MUCH]  # also for NaN


# fmt: off
_ALLOWED: list[tuple[Work, str]] = [
    (broadcast, """
        add subtract multiply divide power float_power remainder fmod floor_divide negative positive absolute fabs
        square sqrt cbrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos
        arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh asin acos atan atan2 asinh acosh atanh hypot deg2rad
        rad2deg radians degrees sinc maximum minimum fmax fmin copysign heaviside where clip(min,max)
        nan_to_num(nan,posinf,neginf) real imag conj conjugate angle
        sign floor ceil trunc rint fix round(decimals) isnan isinf isfinite signbit logical_and logical_or logical_not
        logical_xor
        softplus(beta) sigmoid logsigmoid relu leaky_relu(negative_slope) elu(alpha) selu celu(alpha) gelu(approximate)
        silu mish hardtanh(min_val,max_val) softsign
        mse_loss(reduction) binary_cross_entropy_with_logits(reduction)"""),
    (reading, """
        sum(axis,keepdims) mean(axis,keepdims) var(axis,keepdims,correction) std(axis,keepdims,correction)
        prod(axis,keepdims) max(axis,keepdims) min(axis,keepdims) amax(axis,keepdims) amin(axis,keepdims)
        ptp(axis,keepdims) median(axis,keepdims) logsumexp(axis,keepdims) all(axis,keepdims) any(axis,keepdims)
        nansum(axis,keepdims) nanmean(axis,keepdims) nanprod(axis,keepdims) nanmax(axis,keepdims)
        nanmin(axis,keepdims) nanvar(axis,keepdims) nanstd(axis,keepdims) count_nonzero(axis,keepdims)
        argmax(axis,keepdims) argmin(axis,keepdims) cumsum(axis) cumprod(axis) cumulative_sum(axis)
        cumulative_prod(axis) trapezoid(dx,axis) sort(axis) argsort(axis) trace(offset) diagonal(offset)
        tril(k) triu(k) cross(axis)
        reshape(shape) transpose(axes) permute_dims(axes) moveaxis swapaxes matrix_transpose expand_dims(axis)
        squeeze(axis) ravel flip(axis) fliplr flipud rot90(k) roll(shift,axis) atleast_1d atleast_2d atleast_3d
        softmax(axis) log_softmax(axis) cross_entropy(reduction) nll_loss(reduction)"""),
    (joining, "concatenate(axis) concat(axis) stack(axis) hstack vstack dstack column_stack"),
    (splitting, "split(axis) array_split(axis)"),
    (repeating, "repeat(repeats,axis) diff(axis)"),
    (tiling, "tile(reps) broadcast_to(shape)"),
    (padding, "pad(pad_width,mode,constant_values)"),
    (pairs, "outer kron tensordot(axes) take(axis) convolve(mode) correlate(mode) polyval interp quantile percentile"),
    (contraction, "dot inner vdot"),
    (product, "matmul"),
    (broadcast, "vecdot(axis)"),
    (subscripts, "einsum"),
    (squared, "diag"),
    (cubic, """
        linalg.inv linalg.solve linalg.det linalg.slogdet linalg.cholesky(upper) linalg.pinv linalg.eigvalsh
        linalg.svdvals linalg.norm(ord,axis,keepdims)"""),
    (tiling, "fft.fft(axis,norm) fft.ifft(axis,norm) fft.rfft(axis,norm) fft.irfft(axis,norm)"),
]
# fmt: on

FUNCTIONS: dict[str, Function] = {
    name: Function(f"{module}{name}", params.split(",") if params else (), work)
    for work, rows in _ALLOWED
    for module, name, params in re.findall(r"(\w+\.)?(\w+)(?:\(([\w,]*)\))?", rows)
}
"""The functions of the command line, by name."""

FUNCTIONS |= {"abs": FUNCTIONS["absolute"], "pow": FUNCTIONS["power"]}

FOR_VALUES = FUNCTIONS | {"linspace": Function("linspace", ["endpoint"], spacing, np.linspace)}
"""The functions in values: ``x=linspace(-5, 5, 11)``, ``w=sqrt(2)``."""
