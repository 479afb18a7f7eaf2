"""What is under test, behind one face: a function and its analytic derivatives, wherever they come from.

A `Subject` evaluates the function on plain arrays of any dtype (`call`) and pulls cotangents back (`pull`).
Inputs may be nested; only floating and complex leaves are varied, everything else is passed along.  There is
a subject for functions of Tensors, one for a plain pair ``f, vjp`` from anywhere and one for given numbers.
"""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import graph
from ..sweep import plan_sweep, sweep
from .endless import cells
from .tree import flatten, rebuild

Array = NDArray[Any]
Pull = Callable[[list[Array]], list[Any]]

_SINGLE = (graph.Traced, np.ndarray, np.generic, float)


@dataclass
class Leaf:
    """One input array (or number): its name, its value and how to hand it over."""

    name: str
    value: Any
    tensor: bool = False

    @property
    def array(self) -> Array:
        """The value as an array."""
        return np.asarray(self.value._value if self.tensor else self.value)

    @cached_property
    def varied(self) -> bool:
        """Whether derivatives are asked for with respect to it."""
        if self.tensor:
            return bool(self.array.dtype.kind in "fc" and self.value.node is not None)
        return isinstance(self.value, (np.ndarray, np.generic, float, complex)) and self.array.dtype.kind in "fc"

    def dress(self, array: Array) -> Any:
        """Give an array the form of the original: a number stays a number."""
        return array if self.tensor or isinstance(self.value, np.ndarray) else array[()]


def as_array(value: Any) -> Array:
    """Make a plain array of an output or a gradient, Tensors included."""
    return np.asarray(value._value if isinstance(value, graph.Traced) else value)


def floating(out: Any) -> list[Array]:
    """List the outputs that have derivatives, as arrays."""
    return [a for a in map(as_array, leaves_of(out)) if a.dtype.kind in "fc"]


def leaves_of(out: Any) -> list[Any]:
    """List the arrays of what a function returned, which most often is one."""
    return [out] if isinstance(out, _SINGLE) else [value for _, value in flatten(out)]


class Subject:
    """A function of (nested) arrays with its analytic derivatives."""

    given = False  # whether the derivatives are fixed numbers
    tensors = False
    returned: list[Array] | None = None  # the value that the last derivative came with, if it came with one
    lent: Sequence[tuple[Array, Array]] = ()  # the results that the last derivative was given, and what they were

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], generators: Sequence[Any] = ()) -> None:
        self.f, self.inputs = f, tuple(inputs)
        names = _names(f, len(self.inputs))
        self.leaves = [
            Leaf(name + path, value, isinstance(value, graph.Traced))
            for name, tree in zip(names, self.inputs, strict=True)
            for path, value in flatten(tree)
        ]
        self.varied = [leaf for leaf in self.leaves if leaf.varied]
        self.plain = all(not isinstance(i, (tuple, list, dict)) for i in self.inputs)
        self.evaluations = self.pulls = 0
        found = [leaf.value for leaf in self.leaves if _is_generator(leaf.value)]
        self.generators = [*generators, *found, *_closed_over(f)]
        self.states = [copy.deepcopy(_state(g)) for g in self.generators]

    @property
    def functions(self) -> tuple[Any, ...]:
        """What the user gave."""
        return (self.f,)

    def rewind(self) -> None:
        """Set every random generator back to where it was, so that a stochastic f is one function."""
        if not self.generators:
            return
        for generator, state in zip(self.generators, self.states, strict=True):
            _set_state(generator, copy.deepcopy(state))

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Put arrays for the varied leaves among the inputs."""
        values = iter(arrays)
        if self.plain:
            return tuple([next(values) if leaf.varied else leaf.value for leaf in self.leaves])
        leaves = (next(values) if leaf.varied else leaf.value for leaf in self.leaves)
        return tuple(rebuild(self.inputs, leaves))

    def call(self, arrays: Sequence[Array]) -> list[Array]:
        """Evaluate the function on plain arrays: its floating and complex outputs."""
        self.evaluations += 1
        self.rewind()
        return floating(self.f(*self.arguments([leaf.dress(a) for leaf, a in zip(self.varied, arrays, strict=True)])))

    def puller(self, arrays: Sequence[Array]) -> Pull:
        """Get the map from cotangents of the outputs to cotangents of the varied inputs, at a point."""
        raise NotImplementedError

    def pull(self, arrays: Sequence[Array], cotangents: list[Array]) -> list[Any]:
        """Pull cotangents back at a point."""
        self.pulls += 1
        self.rewind()
        return self.puller(arrays)(cotangents)

    def push(self, arrays: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Push tangents forward at a point."""
        raise NotImplementedError

    def seen(self, grads: list[Any], _arrays: Sequence[Array], _cotangents: list[Array]) -> list[Any]:
        """Give the gradients as a user gets them."""
        return grads


class TensorSubject(Subject):
    """A function of Tensors: the engine records it and sweeps backward."""

    tensors = True
    own: bool | None = None  # whether an op was recorded that a user may have declared, if any was

    def _tensor(self, array: Array, requires_grad: bool) -> Any:
        if array.ndim == 0 and not requires_grad:  # nobody can write into a number: it need not be copied
            return graph.make_tensor(array[()], None)
        return graph.Tensor(array, requires_grad=requires_grad)  # type: ignore[call-arg]

    def call(self, arrays: Sequence[Array]) -> list[Array]:
        """Evaluate on constant Tensors: nothing is recorded."""
        self.evaluations += 1
        self.rewind()
        return floating(self.f(*self.arguments([self._tensor(a, False) for a in arrays])))

    def record(self, arrays: Sequence[Array]) -> tuple[list[Any], list[Any]]:
        """Record the function: the leaves and the outputs."""
        self.rewind()
        leaves = [self._tensor(a, True) for a in arrays]
        out = leaves_of(self.f(*self.arguments(leaves)))
        return leaves, [v for v in out if as_array(v).dtype.kind in "fc"]

    def puller(self, arrays: Sequence[Array]) -> Pull:
        """Record once; the graph is kept, so several cotangents can be pulled."""
        leaves, outputs = self.record(arrays)
        self.returned = [as_array(out) for out in outputs]
        nodes = [getattr(leaf, "_home", leaf.node) for leaf in leaves]  # a function may have written into its argument
        roots = [out.node if isinstance(out, graph.Traced) else None for out in outputs]
        plan = plan_sweep([node for node in roots if node is not None], set(nodes)) if any(roots) else None
        self.own = bool(self.own or (plan and plan.careful))

        def pull(cotangents: list[Array]) -> list[Any]:
            pairs = [(node, np.array(c)[()]) for node, c in zip(roots, cotangents, strict=True) if node is not None]
            found = sweep(pairs, nodes, release=False, plan=plan) if plan else {}
            return [found.get(node) for node in nodes]

        return pull

    def seen(self, _grads: list[Any], arrays: Sequence[Array], cotangents: list[Array]) -> list[Any]:
        """Give the gradients as ``backward`` leaves them in ``grad``."""
        leaves, outputs = self.record(arrays)
        for out, c in zip(outputs, cotangents, strict=True):
            if isinstance(out, graph.Traced) and out.node is not None:
                out.backward(np.array(c), retain_graph=True)  # type: ignore[attr-defined]
        return [None if leaf.grad is None else leaf.grad.data for leaf in leaves]

    def push(self, arrays: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Differentiate forward, with the package's own `jvp`."""
        from ..transforms import jvp

        def f(*leaves: Any) -> tuple[Any, ...]:
            return tuple(value for _, value in flatten(self.f(*self.arguments(leaves))))

        self.rewind()
        primals = tuple(np.array(a)[()] for a in arrays)
        _, out = jvp(f, primals, tuple(np.array(t)[()] for t in tangents))
        return [a for a in (as_array(value) for value in out) if a.dtype.kind in "fc"]


class PairSubject(Subject):
    """A plain function and its vjp (and perhaps jvp), from anywhere."""

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Sequence[Any],
        vjp: Callable[..., Any] | None,
        jvp: Callable[..., Any] | None = None,
        generators: Sequence[Any] = (),
        conjugate: bool = False,
    ) -> None:
        super().__init__(f, inputs, generators)
        self.vjp, self.jvp, self.conjugate = vjp, jvp, conjugate
        self.shape = _vjp_form(vjp, len(self.inputs)) if vjp else ""

    @property
    def functions(self) -> tuple[Any, ...]:
        """What the user gave."""
        return (self.f, self.vjp)

    def puller(self, arrays: Sequence[Array]) -> Pull:
        """Call the vjp in the form it wants."""
        if self.vjp is None:
            raise TypeError("gradcheck: no vjp was given; write gradcheck(f, x, vjp=lambda g, x: ...)")
        arguments = self.arguments([leaf.dress(a) for leaf, a in zip(self.varied, arrays, strict=True)])
        vjp: Any = self.vjp
        made: Any = vjp(*arguments) if self.shape == "pullback" else None
        if isinstance(made, tuple):
            self.returned = floating(made[0])

        def pull(cotangents: list[Array]) -> list[Any]:
            g = self._cotangent(arguments, cotangents)
            if self.shape == "plain":
                found = vjp(g, *arguments)
            elif self.shape == "with out":
                out = self.f(*arguments)
                self.lent = [(a, a.copy()) for a in floating(out)]
                found = vjp(g, out, *arguments)
            else:
                found = (made[1] if isinstance(made, tuple) else made)(g)
            return self._sorted(found)

        return pull

    def _cotangent(self, arguments: tuple[Any, ...], cotangents: list[Array]) -> Any:
        """Give the cotangents the structure of the function's result."""
        if self._single(arguments) and len(cotangents) == 1:
            return self._dressed(cotangents[0], self._like)
        out = self._like
        given = iter(cotangents)
        return rebuild(
            out,
            (
                self._dressed(next(given), v) if as_array(v).dtype.kind in "fc" else np.zeros_like(as_array(v))
                for _, v in flatten(out)
            ),
        )

    def _single(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the function returns one array and not a container (found out once)."""
        if not hasattr(self, "_like"):
            self.rewind()
            self._like = self.f(*copy.deepcopy(arguments) if _copies(arguments) else arguments)
            self.rewind()
        return not isinstance(self._like, (tuple, list, dict))

    def _dressed(self, cotangent: Array, like: Any) -> Any:
        value = np.conj(cotangent) if self.conjugate else cotangent
        return value if isinstance(like, np.ndarray) else value[()]

    def _sorted(self, found: Any) -> list[Any]:
        """Pick the gradients of the varied leaves out of what the vjp returned."""
        whole = self.inputs[0] if len(self.inputs) == 1 else self.inputs
        lone = len(self.inputs) == 1 and isinstance(found, (tuple, list)) and len(found) == 1
        if lone and not (isinstance(whole, (tuple, list)) and len(whole) == 1):
            found = found[0]
        grads = [g for _, g in flatten(found)]
        if len(grads) == len(self.leaves):
            grads = [g for g, leaf in zip(grads, self.leaves, strict=True) if leaf.varied]
        if len(grads) != len(self.varied):
            raise WrongGradients(
                f"vjp: it returned {len(grads)} gradients for {len(self.varied)} inputs; return one for each"
            )
        if self.conjugate:
            grads = [None if g is None else np.conj(g) for g in grads]
        return [None if g is None else as_array(g) for g in grads]

    def push(self, arrays: Sequence[Array], tangents: Sequence[Array]) -> list[Any]:
        """Call the jvp: ``jvp(primals, tangents)`` gives the tangent, or the value and the tangent."""
        if self.jvp is None:
            raise TypeError(
                'gradcheck: modes includes "jvp" but no jvp was given; write jvp=lambda primals, tangents: ...'
            )
        self.rewind()
        leaves = list(zip(self.varied, arrays, tangents, strict=True))
        primals = self.arguments([leaf.dress(a) for leaf, a, _ in leaves])
        directions = self.arguments([leaf.dress(t) for leaf, _, t in leaves])
        found = self.jvp(primals, directions)
        self._single(primals)
        if isinstance(found, tuple) and len(leaves_of(found)) == 2 * len(leaves_of(self._like)):
            self.returned, found = floating(found[0]), found[1]
        return [a for a in (as_array(v) for _, v in flatten(found)) if a.dtype.kind in "fc"]


class GivenSubject(Subject):
    """A plain function and numbers said to be the gradient of its (summed) result."""

    given = True

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], numbers: Any, generators: Sequence[Any] = ()
    ) -> None:
        super().__init__(f, inputs, generators)
        if len(self.inputs) == 1 and not isinstance(numbers, (tuple, list, dict)):
            numbers = (numbers,)
        grads = [g for _, g in flatten(numbers)]
        if len(grads) == len(self.leaves):
            grads = [g for g, leaf in zip(grads, self.leaves, strict=True) if leaf.varied]
        if len(grads) != len(self.varied):
            raise ValueError(
                f"gradcheck: {len(grads)} gradients were given for {len(self.varied)} inputs; give one for each"
            )
        self.numbers = [None if g is None else as_array(g) for g in grads]

    def puller(self, arrays: Sequence[Array]) -> Pull:  # noqa: ARG002
        """Give the same numbers, whatever the cotangent."""
        return lambda _cotangents: list(self.numbers)


def theirs(error: Exception) -> bool:
    """Whether an error was raised by what is under test; if not, it is an error of the checker.

    >>> theirs(ValueError("never raised"))
    False
    """
    return any(frame.f_code.co_filename == __file__ for frame, _ in traceback.walk_tb(error.__traceback__))


class WrongGradients(Exception):
    """The analytic side returned something that cannot be gradients."""


def _names(f: Any, count: int) -> list[str]:
    """Name the inputs as the function's signature does."""
    names: list[str] = list(getattr(f, "input_names", ()))
    try:
        for p in inspect.signature(f).parameters.values() if not names else ():
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
                names.append(p.name)
            elif p.kind is p.VAR_POSITIONAL:
                names.extend(f"{p.name}[{i}]" for i in range(count - len(names)))
    except (TypeError, ValueError):  # a ufunc, a builtin
        pass
    return names[:count] + [f"input {i}" for i in range(len(names), count)]


def _vjp_form(vjp: Any, count: int) -> str:
    """Tell ``vjp(g, *inputs)`` from ``vjp(g, out, *inputs)`` and ``vjp(*inputs) -> (y, pull)``."""
    try:
        inspect.signature(vjp).bind(*[None] * (count + 1))
        return "plain"
    except ValueError:
        return "plain"
    except TypeError:
        pass
    for form, extra in (("with out", 2), ("pullback", 0)):
        try:
            inspect.signature(vjp).bind(*[None] * (count + extra))
            return form
        except TypeError:
            continue
    raise TypeError(
        f"gradcheck: vjp takes {inspect.signature(vjp)}; wanted vjp(g, *inputs), vjp(g, out, *inputs) or "
        f"vjp(*inputs) -> (out, pull) for {count} inputs"
    )


def _copies(arguments: tuple[Any, ...]) -> bool:
    return all(isinstance(v, (np.ndarray, np.generic, float, complex)) for _, v in flatten(arguments))


def _is_generator(value: Any) -> bool:
    return isinstance(value, (np.random.Generator, np.random.RandomState))


def _closed_over(f: Any) -> list[Any]:
    """Find the random generators that a function refers to, in its closure, defaults, names or partial."""
    f = getattr(f, "func", f)
    used = getattr(getattr(f, "__code__", None), "co_names", ())
    names = [getattr(f, "__globals__", {}).get(name) for name in used]
    return [v for v in (*cells(f), *(getattr(f, "__defaults__", None) or ()), *names) if _is_generator(v)]


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
