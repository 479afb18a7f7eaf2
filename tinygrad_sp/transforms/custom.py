"""A plain function with a backward of your own.

The function runs on plain arrays, so anything may compute it.  For a second derivative the backward is itself
differentiated: then ``fwd`` and ``bwd`` are called with Tensors, so that what was saved is recorded as computed
from the arguments.  If they can't take Tensors, or let a value leave the graph, they are refused.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Op, Traced, apply
from ..modes import recording
from .arguments import function
from .batching import vmap
from .trees import Structure, flatten, unflatten


class custom_vjp:
    """Give a function a backward of its own; used as a decorator.

    Parameters
    ----------
    fun : callable
        A function of arrays, or of nested tuples, lists and dicts of them.  It gets plain arrays.
    nondiff_argnums : sequence of int
        Positions of arguments that are not arrays, or not differentiated.

    Raises
    ------
    TypeError
        When called: if the function uses a Tensor that is being differentiated and is not an argument.  When
        differentiated twice: if ``fwd`` or ``bwd`` let a value leave the graph.

    See Also
    --------
    Op : a class, for an op with several rules.

    Notes
    -----
    Names and signatures are those of ``jax.custom_vjp``; unlike there, forward mode works too, by transposing
    ``bwd``.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> @tg.custom_vjp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> def fwd(x):
    ...     return log1pexp(x), x  # the result, and what bwd needs
    >>> def bwd(x, g):
    ...     return (g * (1 - 1 / (1 + np.exp(x))),)  # a cotangent for each argument
    >>> log1pexp.defvjp(fwd, bwd)
    >>> tg.grad(log1pexp)(0.0), tg.grad(tg.grad(log1pexp))(0.0)
    (np.float64(0.5), np.float64(0.25))
    """

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        functools.update_wrapper(self, function("custom_vjp", fun))
        self.fun, self.nondiff = fun, tuple(nondiff_argnums)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Say how to differentiate.

        Parameters
        ----------
        fwd : callable
            Of the function's arguments; returns ``(result, residuals)``: any tree that ``bwd`` needs.
        bwd : callable
            ``bwd(*nondiff_arguments, residuals, cotangent)`` returns a tuple: the cotangent of each other argument,
            None where it is zero.
        """
        name = getattr(self, "__name__", "f")
        self.fwd, self.bwd = function(f"{name}.defvjp", fwd), function(f"{name}.defvjp", bwd)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function."""
        name = getattr(self, "__name__", "f")
        if self.fwd is None or self.bwd is None:
            raise TypeError(f"{name}: say how to differentiate it, with {name}.defvjp(fwd, bwd), before it is called")
        if kwargs:
            bound = inspect.signature(self.fun).bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                raise TypeError(f"{name}: custom_vjp has no keyword-only arguments; make them positional")
            args = bound.args
        fixed = {i % len(args): args[i] for i in self.nondiff}
        leaves, structure = flatten(tuple(x for i, x in enumerate(args) if i not in fixed))
        numeric = [is_numeric(x) for x in leaves]
        arrays = [x for x, yes in zip(leaves, numeric, strict=True) if yes]
        static = [None if yes else x for x, yes in zip(leaves, numeric, strict=True)]
        call = _Call(self, fixed, structure, numeric, static)
        call.saving = recording() and any(isinstance(x, Traced) for x in arrays)
        out = apply(_Custom.op, arrays, {"call": call})
        return unflatten(call.results, out if type(out) is tuple else [out])


def is_numeric(x: Any) -> bool:
    """Whether an argument is an array or a number, and not merely handed through."""
    return isinstance(x, (Traced, np.ndarray, np.generic, float, int, complex)) and type(x) is not bool


class _Call:
    """One application: how to run it and its backward on flat lists of arrays."""

    saving = False
    saved: Any = None
    results: Structure
    forms: list[tuple[tuple[int, ...], Any]]

    def __init__(self, f: custom_vjp, fixed: Any, structure: Structure, numeric: list[bool], static: list[Any]) -> None:
        self.f, self.fixed, self.structure, self.numeric, self.static = f, fixed, structure, numeric, static
        self.name = getattr(f, "__name__", "f")

    def arguments(self, arrays: Sequence[Any]) -> list[Any]:
        """Put arrays among the other arguments."""
        given = iter(arrays)
        items = [next(given) if yes else x for yes, x in zip(self.numeric, self.static, strict=True)]
        args = iter(unflatten(self.structure, items))
        return [
            self.fixed[i] if i in self.fixed else next(args) for i in range(len(self.fixed) + len(self.structure.keys))
        ]

    def run(self, *arrays: Any) -> list[Any]:
        """Apply the function."""
        return self.noted(self.f.fun(*self.arguments(arrays)))

    def run_saving(self, *arrays: Any) -> tuple[list[Any], Any]:
        """Apply ``fwd``: the result, and what the backward needs."""
        assert self.f.fwd is not None
        out = self.f.fwd(*self.arguments(arrays))
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(f"{self.name}: fwd must return a pair (result, residuals)")
        return self.noted(out[0]), out[1]

    def noted(self, out: Any) -> list[Any]:
        """Take a result apart, and remember its containers."""
        leaves, self.results = flatten(out)
        leaves = [x if isinstance(x, Traced) else np.asarray(x)[()] for x in leaves]
        self.forms = [(x.shape, x.dtype) for x in leaves]
        return leaves

    def forward(self, arrays: Sequence[Any]) -> list[Any]:
        """Compute from plain arrays."""
        if self.saving:
            out, self.saved = self.run_saving(*arrays)
        else:
            out = self.run(*arrays)
        for x in out:
            if isinstance(x, Traced) and (x.node is not None or x.level):
                raise TypeError(
                    f"{self.name} uses a Tensor that is being differentiated and is not an argument: custom_vjp could "
                    "not tell its derivative. Pass it as an argument"
                )
        return [x._taken() if isinstance(x, Traced) else x for x in out]

    def residuals(self, arrays: Sequence[Any]) -> Any:
        """Return what was saved; recorded, if the arguments are."""
        if self.saved is not None and not any(isinstance(x, Traced) for x in arrays):
            return self.saved
        return self.run_saving(*arrays)[1]

    def pull(self, residuals: Any, *grads: Any) -> list[Any]:
        """Apply ``bwd``: a cotangent for each array."""
        assert self.f.bwd is not None
        found = self.f.bwd(*self.fixed.values(), residuals, unflatten(self.results, grads))
        parts = self.structure.children
        if not isinstance(found, (tuple, list)) or len(found) != len(parts):
            came = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
            raise ValueError(f"{self.name}: bwd returned {came}, a tuple of {len(parts)} cotangents is wanted")
        flat = [
            leaf
            for i, (part, c) in enumerate(zip(parts, found, strict=True))
            for leaf in (
                [None for _ in part.paths()] if c is None else part.like(c, f"{self.name}: bwd's cotangent {i}")
            )
        ]
        return [c for c, yes in zip(flat, self.numeric, strict=True) if yes]

    def backward(self, grad: Any, arrays: Sequence[Any]) -> Any:
        """Pull the cotangents of all results back."""
        given = list(grad) if isinstance(grad, tuple) else [grad]
        given += [None] * (len(self.forms) - len(given))
        full = [np.zeros(*form)[()] if g is None else g for g, form in zip(given, self.forms, strict=True)]
        return tuple(self.pull(self.residuals(arrays), *full))


class _Mapped(_Call):
    """The same for all examples of a batch."""

    def __init__(self, call: _Call, size: int, batched: Sequence[bool]) -> None:
        self.call, self.size, self.batched, self.name = call, size, batched, call.name
        self.axes = tuple(0 if b else None for b in batched)

    def run(self, *arrays: Any) -> list[Any]:
        return self.noted(list(vmap(self.call.run, in_axes=self.axes)(*arrays)))

    def run_saving(self, *arrays: Any) -> tuple[list[Any], Any]:
        out, residuals = vmap(self.call.run_saving, in_axes=self.axes)(*arrays)
        return self.noted(out), residuals

    def pull(self, residuals: Any, *grads: Any) -> list[Any]:
        shapes: list[Any] = []

        def one(residuals: Any, *grads: Any) -> list[Any]:
            found = self.call.pull(residuals, *grads)
            shapes[:] = [c is None for c in found]
            return [0.0 if c is None else c for c in found]

        found = vmap(one)(residuals, *grads)
        every = zip(found, self.batched, shapes, strict=True)
        return [None if nothing else c if b else np.sum(c, axis=0) for c, b, nothing in every]


class _Custom(Op):
    """A function with a backward of the user's."""

    holomorphic = False

    @staticmethod
    def forward(*arrays: Any, call: _Call) -> Any:
        out = call.forward(arrays)
        return tuple(out) if len(out) != 1 else out[0]

    @staticmethod
    def backward(grad: Any, _out: Any, *arrays: Any, call: _Call) -> Any:
        return call.backward(grad, arrays)

    @staticmethod
    def batch(size: int, batched: Sequence[bool], *arrays: Any, call: _Call) -> Any:
        """Run the user's functions on all examples at once."""
        mapped = _Mapped(call, size, batched)  # saves nothing: ``fwd`` may call the function itself
        out = apply(_Custom.op, arrays, {"call": mapped})
        call.results, call.forms = mapped.call.results, mapped.call.forms
        return out


_Custom.op.own = _Custom.op.unusual = True
_Custom.op.name = "custom_vjp"
