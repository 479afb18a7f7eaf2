"""Reverse mode as functions: record a function on variables of its own, then sweep back to them.

`Tape` is the one thing here: a function's results, the variables they were recorded on, and `pull`.  The
variables stand for the arguments and hide what these were computed from, so a sweep stops at them; nobody's
``.grad`` is touched.  What a function reads besides its arguments may be differentiated too, by somebody
outside: if the sweep meets such a thing it is itself recorded, and the results are Tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..graph import CLOSED, VARIABLE, Node, Op, Traced, make_leaf, make_tensor, new, next_age
from ..modes import Departure, recording
from ..ops.elementwise import positive
from ..sweep import Plan, plan_sweep, sweep
from ..tensor import Tensor, constant
from .arguments import Argnums, Arguments, arrays_of, cotangent_like, describe, number, own, what_came, with_aux
from .leaving import at_level, reached, warn, watching
from .levels import DEPTH, Variable, always_recording, deeper, lower, recorded, still, strip, variable
from .trees import Tree, flatten, unflatten

_POSITIVE: Op = positive.op  # type: ignore[attr-defined]


class Tape:
    """A function's results, recorded on variables of their own.

    Parameters
    ----------
    function : callable
        Called with a list of variables; returns a tree.
    values : sequence of array
        What the variables stand for.
    keep : bool
        Whether `pull` will be called after the user got the results, and may be called again.
    """

    def __init__(self, function: Callable[[list[Any]], Tree], values: Sequence[Any], keep: bool = True) -> None:
        self.tensors = any(isinstance(v, Traced) for v in values)
        self.keep, self.given = keep, values
        self.outer = outer = recording()
        with always_recording():
            if DEPTH.get():
                with deeper() as self.level:
                    kind = Variable.at(self.level)
                    variables = [variable(kind, lower(v), _open(lower(v))) for v in values]
                    self.ends = [v.node for v in variables]
                    out = function(variables)
            else:
                self.level = 0
                variables = [_alias(v, outer) for v in values]
                self.ends = [v.node for v in variables]
                out = function(variables)
        self.leaves, self.structure = flatten(out)
        for node in self.ends:
            node.op = CLOSED if node.op is VARIABLE else node.op
        self.roots = [_root(x, self.level) for x in self.leaves]
        self.plan = self._planned()
        aliased = any(node.op is _POSITIVE for node in self.ends)
        self.outside = outer and not self.level and (aliased or self.plan.outside)

    def _planned(self) -> Plan:
        return plan_sweep([node for node in self.roots if node is not None], set(self.ends))

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the variables, as values of the level below."""
        pairs = [(n, c) for n, c in zip(self.roots, cotangents, strict=True) if n is not None and c is not None]
        if not self.outside:
            found = sweep(pairs, self.ends, release=not self.keep, plan=self.plan, hooks_read=self.outer)
        else:
            pairs = [(node, c if isinstance(c, Traced) else make_tensor(c, None)) for node, c in pairs]
            # Others may have swept, and released, what they too can see: so the plan is made anew.
            found = sweep(pairs, self.ends, lift=make_tensor, release=False)
        return [found[n] if n in found else np.zeros(n.shape, n.dtype)[()] for n in self.ends]

    def value(self, x: Any) -> Any:
        """Give the user a result: recorded where something outside is differentiated, else constant."""
        if self.level:
            x = strip(self.level)(x)
        elif isinstance(x, Traced) and not x.level and not (self.outside and x.node is not None):
            x = constant(x._taken()) if self.tensors else x._taken()
        if type(x) is np.ndarray and self.keep:
            return np.array(x)[()]
        return recorded(x) if isinstance(x, Traced) else own([x], False, self.given)[0]

    def result(self) -> Tree:
        """Return the results as the user gets them."""
        found = [self.value(number(x)) for x in self.leaves]
        return unflatten(self.structure, [still(x) for x in found] if self.tensors and not DEPTH.get() else found)

    def dressed(self, gradients: Sequence[Any], given: Sequence[Any] = ()) -> list[Any]:
        """Give the user cotangents: Tensors if Tensors came in, arrays of their own otherwise."""
        tensors = self.tensors or any(isinstance(c, Traced) and not c.level for c in given)
        return own(gradients, tensors and not DEPTH.get(), given)


def _alias(value: Any, outer: bool) -> Any:
    """Make a variable of level 0: a leaf, or what hides where a tracked Tensor comes from."""
    if not isinstance(value, Traced):
        value = np.asarray(value)[()]
        return make_tensor(value, _open(value))
    if value.node is None or not outer:
        return make_tensor(value._taken(), _open(value._taken()))
    node: Node = new(Node)
    node.op, node.px, node.form, node.age = _POSITIVE, value.node, value.node.form, next_age()
    node.py = node.out = node.x = node.y = None
    return make_tensor(value._taken(), node)


def _open(value: Any) -> Node:
    """Make the node of a variable."""
    node = make_leaf(value)
    node.op = VARIABLE
    return node


def _root(x: Any, level: int) -> Node | None:
    return x.node if isinstance(x, Traced) and x.level == level else None


# ---------------------------------------------------------------------------------------------- public


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluate a function and return the map that pulls cotangents back through it.

    The map is v -> J'v, for the Jacobian J of ``f`` at ``primals``.

    Parameters
    ----------
    f : callable
        A function of arrays, or of nested tuples, lists and dicts of them.
    *primals : array_like, Tensor or trees of them
        Where to evaluate; all floating or complex.
    has_aux : bool
        Whether ``f`` returns a pair, of which the second is not differentiated.

    Returns
    -------
    y : tree of arrays
        ``f(*primals)``.
    pull : callable
        ``pull(cotangent)``, with a cotangent like ``y``, returns a tuple: the cotangent of each primal.  It can
        be called again and again.
    aux : tree
        Only with ``has_aux``.

    Raises
    ------
    TypeError
        If a primal is of integers, or a cotangent has not the containers of ``y``.

    Notes
    -----
    Complex numbers: the cotangent of a real result L with respect to z = a + ib is dL/da + i dL/db.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> y, pull = tg.vjp(lambda x, w: x @ w, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> y
    np.float64(11.0)
    >>> pull(1.0)
    (array([3., 4.]), array([1., 2.]))
    """
    return pullback(Arguments.all("vjp", f, primals), has_aux)


# Transforms that are made of others call these, so that an error names the one that the user called.


def pullback(given: Arguments, has_aux: bool = False) -> Any:
    """Do what `vjp` does, under another name."""
    tape, aux = _taped(given, has_aux)

    def pull(cotangent: Any) -> Any:
        leaves = tape.structure.like(cotangent, f"{given.name}: the cotangent")

        def title(i: int) -> str:
            return f"{given.name}: the cotangent{list(tape.structure.paths())[i]}"

        pairs = enumerate(zip(leaves, tape.leaves, strict=True))
        checked = [cotangent_like(c, y, partial(title, i)) for i, (c, y) in pairs]
        return given.mirror(tape.dressed(tape.pull(checked), checked))

    return (tape.result(), pull, aux) if has_aux else (tape.result(), pull)


def _taped(given: Arguments, has_aux: bool, keep: bool = True) -> tuple[Tape, Any]:
    """Record a call; return the tape of its result, and what it returned besides."""
    kept: list[Any] = []

    def main(leaves: list[Any]) -> Any:
        out, aux = with_aux(given.name, given.call(leaves), has_aux)
        kept.append(aux)
        return out

    values = [np.array(x) if keep and type(x) is np.ndarray else x for x in given.leaves]
    with watching() as left:
        tape = Tape(main, values, keep)
        _lost(given, tape, left)
    tape.tensors = given.tensors
    arrays_of(given.name, tape.leaves, tape.structure)
    leaves, structure = flatten(kept[0])
    return tape, unflatten(structure, [tape.value(x) for x in leaves])


def _lost(given: Arguments, tape: Tape, left: list[Departure]) -> None:
    """Warn of arguments that left the graph, and from which nothing came out otherwise."""
    if not left:
        return
    remaining = reached(tape.roots, tape.ends)
    for departure in list(left):
        value = at_level(departure.value, tape.level)
        for end in reached([getattr(value, "node", None)], tape.ends) - remaining:
            warn(given.title(tape.ends.index(end)), departure)
            remaining.add(end)
            left[:] = [d for d in left if d is not departure]  # said; a transform outside need not say it again


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the function that returns f's value and its gradient.

    Parameters
    ----------
    f : callable
        Returns one real number; or ``(number, aux)`` with ``has_aux``.
    argnums : int, str or sequence of these
        Which arguments to differentiate: positions, or names of keyword arguments.
    has_aux : bool
        Whether ``f`` returns something besides, which is handed through: ``((value, aux), gradient)``.

    Returns
    -------
    callable
        ``(value, gradient)`` of the same arguments; the gradient mirrors what it belongs to.

    Raises
    ------
    TypeError
        When called: if an argument to differentiate is of integers, or the result is complex.
    ValueError
        When called: if the result has not exactly one element.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> loss = lambda p, x: ((p["w"] * x + p["b"]) ** 2).sum()
    >>> tg.value_and_grad(loss)({"w": 2.0, "b": 1.0}, np.array([1.0, -1.0]))
    (np.float64(10.0), {'w': np.float64(8.0), 'b': np.float64(4.0)})
    """
    return differentiated("value_and_grad", f, argnums, has_aux)


def differentiated(name: str, f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Do what `value_and_grad` does, under another name."""

    @describe(name, f, "the value and the gradient")
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(name, f, argnums, args, kwargs)
        tape, aux = _taped(given, has_aux, keep=False)
        y = _scalar(name, tape)
        seed = np.ones(np.shape(y), y.dtype)[()] if tape.roots[0] is not None else None
        value = tape.result()
        gradient = given.mirror(tape.dressed(tape.pull([seed])))
        return ((value, aux) if has_aux else value), gradient

    return value_and_gradient


def _scalar(name: str, tape: Tape) -> Any:
    """Return the one real number that a function to be differentiated must return."""
    if tape.structure.kind is not None or np.size(tape.leaves[0]) != 1:
        raise ValueError(
            f"{name}: the function must return one number, it returned {what_came(tape.leaves, tape.structure)}. Sum "
            "it, or use tg.vjp, tg.jacobian or tg.elementwise_grad; return (number, aux) with has_aux=True"
        )
    y = tape.leaves[0]
    if getattr(y, "dtype", np.dtype(type(y))).kind == "c":
        raise TypeError(f"{name}: the function returned a complex number; take its real part or abs, or use tg.vjp")
    return y


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Make the gradient of a function.

    Parameters
    ----------
    f : callable
        Returns one real number; or ``(number, aux)`` with ``has_aux``.
    argnums : int, str or sequence of these
        Which arguments to differentiate: positions, or names of keyword arguments.
    has_aux : bool
        Whether ``f`` returns something besides, which is handed through: ``(gradient, aux)``.

    Returns
    -------
    callable
        Of the same arguments.  The gradient mirrors the argument: its containers, shapes and dtypes.  Plain
        arrays in, plain arrays out; Tensors in, Tensors out, recorded.

    Raises
    ------
    TypeError
        When called: if an argument to differentiate is of integers, or the result is complex.
    ValueError
        When called: if the result has not exactly one element.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> tg.grad(tg.softplus)(0.0)
    np.float64(0.5)
    >>> tg.grad(tg.grad(lambda x: x**4))(1.0)
    np.float64(12.0)
    """
    return gradient_of("grad", f, argnums, has_aux)


def gradient_of(name: str, f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Do what `grad` does, under another name."""
    both = differentiated(name, f, argnums, has_aux)

    @describe(name, f, "the gradient")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def elementwise_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the derivative of a function that works element by element, at every element.

    It is the gradient of the sum of the results: the derivative where each result depends on the argument's
    element at its own place only.

    Parameters
    ----------
    f : callable
        A function of arrays that returns one array.
    argnums : int, str or sequence of these
        Which arguments to differentiate.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> tg.elementwise_grad(tg.elementwise_grad(np.sin))(np.array([0.0, np.pi / 2]))
    array([-0., -1.])
    """

    @describe("elementwise_grad", f, "the sum")
    def total(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(f(*args, **kwargs))
        if structure.kind is not None:
            came = what_came(leaves, structure)
            raise ValueError(f"elementwise_grad: the function must return one array, it returned {came}")
        arrays_of("elementwise_grad", leaves, structure, "an array")
        return np.sum(leaves[0])

    return describe("elementwise_grad", f, "the derivative at every element")(
        gradient_of("elementwise_grad", total, argnums)
    )


def gradients(
    y: Any, xs: Tree, cotangent: Any = None, *, create_graph: bool = False, retain_graph: bool | None = None
) -> Tree:
    """Return the derivatives of a recorded Tensor with respect to others, touching nobody's ``.grad``.

    Parameters
    ----------
    y : Tensor or tree of Tensors
        What to differentiate.
    xs : Tensor or tree of Tensors
        With respect to what: leaves, or anything on the way from them to ``y``.  Where one of them was computed
        from another, that one's derivative includes the way through.
    cotangent : like y, optional
        What each element of ``y`` counts for; not needed where ``y`` has one element.
    create_graph : bool
        Record this too, so that the results can be differentiated again.  Without it they are constants, also to
        a `grad` around: there use `grad` inside as well, or say ``create_graph=True``.
    retain_graph : bool, optional
        Keep what the graph saved.  By default as ``create_graph``.

    Returns
    -------
    Tensor or tree of Tensors
        Like ``xs``; zeros where ``y`` does not depend on it.

    Raises
    ------
    RuntimeError
        If the graph was released by an earlier sweep, or for several elements without a cotangent.
    TypeError
        If one of ``xs`` is a constant, or ``y`` no Tensor.
    ValueError
        If a cotangent has another shape than what it belongs to.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor(3.0)
    >>> h = x * x
    >>> tg.gradients(h * x, [x, h])
    [Tensor(27.), Tensor(3.)]
    >>> x.grad is None
    True
    """
    ys, structure = flatten(y)
    given = [None] * len(ys) if cotangent is None else structure.like(cotangent, "gradients: the cotangent")
    seeds = [_seed(t, c, path) for t, c, path in zip(ys, given, structure.paths(), strict=True)]
    leaves, mirror = flatten(xs)
    nodes = [_target(x, f"gradients: xs{path}") for x, path in zip(leaves, mirror.paths(), strict=True)]
    roots = [(t.node, c) for t, c in zip(ys, seeds, strict=True) if t.node is not None]
    retain = create_graph if retain_graph is None else retain_graph
    if create_graph:
        with always_recording():
            lifted = [(n, c if isinstance(c, Traced) else make_tensor(c, None)) for n, c in roots]
            found = sweep(lifted, nodes, lift=make_tensor, release=not retain, through=True)
    else:
        plain = [(n, c._taken() if isinstance(c, Tensor) and not c.level else c) for n, c in roots]
        found = sweep(plain, nodes, release=not retain, through=True)
    results = [found[n] if n in found else np.zeros(n.shape, n.dtype)[()] for n in nodes]
    return unflatten(mirror, own(results, tensors=True))


def _seed(y: Any, cotangent: Any, path: str) -> Any:
    """Return the cotangent of something to be differentiated, of its shape and dtype."""
    if not isinstance(y, Tensor) or y.level:
        what = "a value of another transform, where tg.grad works" if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"gradients: y{path} is {what}; a Tensor that was recorded is wanted")
    if cotangent is not None:
        return cotangent_like(cotangent, y, lambda: f"gradients: the cotangent{path}")
    if y.size != 1 and y.node is not None:
        raise RuntimeError(
            f"gradients: y{path} has shape {y.shape}; sum it, or say what each element counts for, with a cotangent of "
            "that shape"
        )
    return np.ones(y.shape, y.dtype)[()]


def _target(x: Any, name: str) -> Node:
    if not isinstance(x, Tensor) or x.node is None or x.level:
        raise TypeError(
            f"{name} is {'a constant Tensor' if isinstance(x, Tensor) else type(x).__name__}, not a Tensor "
            "that is being differentiated: make it one with tg.Tensor(data) before y is computed"
        )
    home: Node = getattr(x, "_home", x.node)
    return home
