"""What a function being differentiated is called with, and what its caller gets back: the same for every transform.

Some of the arguments vary; they may be anywhere in nested containers, and results mirror these.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..graph import Traced
from ..tensor import constant
from .levels import DEPTH, Nested, still
from .trees import Structure, Tree, flatten

F = TypeVar("F", bound=Callable[..., Any])
Argnums = int | str | Sequence[int | str]


class Arguments:
    """A call's arguments, some of which are differentiated.

    Parameters
    ----------
    name : str
        The transform, for error messages.
    f : callable
        The user's function.
    argnums : int, str or sequence of these
        Positions, or names of keyword arguments.
    """

    def __init__(self, name: str, f: Callable[..., Any], argnums: Argnums, args: Any, kwargs: Any) -> None:
        self.f, self.args, self.kwargs = function(name, f), args, kwargs
        picks, self.single = _picks(name, argnums)
        self.places = [_place(name, f, p, args, kwargs) for p in picks]
        twice = next((p for i, p in enumerate(self.places) if p in self.places[:i]), None)
        if twice is not None:
            raise ValueError(f"{name}: argnums names argument {twice!r} twice; name each once")
        self.leaves: list[Any] = []
        self.structures: list[Structure] = []
        for place in self.places:
            leaves, structure = flatten(args[place] if isinstance(place, int) else kwargs[place])
            self.leaves += leaves
            self.structures.append(structure)
        self.name = name
        self.leaves = [self.checked(i, x) for i, x in enumerate(self.leaves)]
        self.tensors = any(isinstance(x, Traced) and not x.level for x in flatten((args, kwargs))[0])

    @classmethod
    def all(cls, name: str, f: Callable[..., Any], primals: Sequence[Any]) -> Arguments:
        """Differentiate with respect to every one of some positional arguments."""
        return cls(name, f, tuple(range(len(primals))), primals, {})

    def title(self, i: int) -> str:
        """Say which argument a leaf is, for an error message."""
        titles = [
            f"{self.name}: argument {place!r}{_called(self.f, place)}{path}"
            for place, structure in zip(self.places, self.structures, strict=True)
            for path in structure.paths()
        ]
        return titles[i]

    def checked(self, i: int, x: Any) -> Any:
        """Return an argument that can be differentiated as an array or Tensor, or say why it can't be."""
        value = taken(x, lambda: self.title(i))
        if value.dtype.kind not in "fc":
            raise TypeError(
                f"{self.title(i)} is {type(x).__name__} of dtype {value.dtype}: only floating and complex numbers can "
                "be differentiated. Write 3.0, not 3, or name other arguments in argnums"
            )
        return value

    def call(self, leaves: Sequence[Any]) -> Tree:
        """Call the function with other values for what is differentiated."""
        items = iter(leaves)
        args, kwargs = list(self.args), dict(self.kwargs)
        for place, structure in zip(self.places, self.structures, strict=True):
            (args if isinstance(place, int) else kwargs)[place] = structure.build(items)  # type: ignore[index]
        return self.f(*args, **kwargs)

    def dressed(self, results: Sequence[Any]) -> list[Any]:
        """Make Tensors of results, if Tensors came in."""
        return [still(x) for x in results] if self.tensors and not DEPTH.get() else list(results)

    def mirror(self, leaves: Sequence[Any]) -> Tree:
        """Put results into the containers of what they belong to."""
        items = iter(leaves)
        trees = tuple(structure.build(items) for structure in self.structures)
        return trees[0] if self.single else trees


def function(name: str, f: Any) -> Callable[..., Any]:
    """Return what a transform was given, if it can be called."""
    if not callable(f):
        raise TypeError(f"{name}: f is {type(f).__name__}, not a function: pass f itself, not f(x)")
    return f  # type: ignore[no-any-return]


def taken(x: Any, what: Callable[[], str]) -> Any:
    """Return what a transform is given: a number or an array, or a Tensor that is still alive."""
    if not isinstance(x, Traced):
        return as_array(x, what)
    if isinstance(x, Nested):
        x.alive()
    return x


def as_array(x: Any, what: Callable[[], str]) -> Any:
    """Return a number or an array of the user's as NumPy's, or say that it is none."""
    if type(x) is float:
        return np.float64(x)
    if hasattr(x, "filled"):
        raise TypeError(f"{what()} is a masked array, whose mask would be lost: write array.filled(...)")
    value = np.asarray(x)
    if value.dtype.kind not in "biufc":
        raise TypeError(
            f"{what()} is {type(x).__name__} {x!r:.60}, no array of numbers; numbers, arrays, Tensors and nested "
            "tuples, lists and dicts of them are wanted"
        )
    return value[()]


def number(x: Any) -> Any:
    """Return one of Python's numbers as NumPy's."""
    return np.asarray(x)[()] if isinstance(x, (bool, int, float, complex)) else x


def _picks(name: str, argnums: Argnums) -> tuple[list[int | str], bool]:
    """Return argnums as a list, and whether it was a single one."""
    if type(argnums) is int:
        return [argnums], True
    single = not isinstance(argnums, (tuple, list, range))
    picks: Any = [argnums] if single else argnums
    if any(not isinstance(p, (int, np.integer, str)) or isinstance(p, bool) for p in picks):
        raise TypeError(
            f"{name}: argnums={argnums!r}: the positions (0, 1 ...) or names of the arguments to differentiate are "
            "wanted, one or a tuple of them"
        )
    return [p if isinstance(p, str) else int(p) for p in picks], single


def _place(name: str, f: Any, pick: int | str, args: Any, kwargs: Any) -> int | str:
    if isinstance(pick, str) and pick not in kwargs:
        names = _names(f)
        if pick not in names[: len(args)]:
            raise TypeError(f"{name}: argnums={pick!r}, but the call has no argument of that name; give its position")
        return names.index(pick)
    if not isinstance(pick, str) and not -len(args) <= pick < len(args):
        raise TypeError(f"{name}: argnums={pick}, but the call has {len(args)} positional arguments")
    return pick if isinstance(pick, str) else pick % len(args)


def _names(f: Any) -> list[str]:
    """Return the names of a function's parameters; none where they can't be found."""
    try:
        return [p.name for p in inspect.signature(f).parameters.values()]
    except (TypeError, ValueError):
        return []


def _called(f: Any, place: int | str) -> str:
    """Return the parameter's name, if it can be found."""
    names = _names(f)
    return f" ({names[place]})" if isinstance(place, int) and place < len(names) else ""


def cotangent_like(given: Any, out: Any, what: Callable[[], str]) -> Any:
    """Check a cotangent (or tangent) against what it belongs to, and give it that dtype."""
    if given is None:
        return None
    value = taken(given, what)
    shape, dtype = np.shape(out), getattr(out, "dtype", np.dtype(float))
    if tuple(np.shape(value)) != tuple(shape):
        raise ValueError(
            f"{what()} has shape {tuple(np.shape(value))}, but what it belongs to has shape {tuple(shape)}; "
            "they must agree"
        )
    if dtype.kind not in "fc":
        return None
    if value.dtype != dtype:
        if not np.can_cast(value.dtype, dtype, "same_kind"):
            raise TypeError(f"{what()} has dtype {value.dtype}, which can't be cast to {dtype}; take its real part")
        value = value.astype(dtype)
    return value


BESIDES = "it besides: (result, aux) with has_aux=True"


def arrays_of(name: str, leaves: Sequence[Any], structure: Structure, advice: str = BESIDES) -> None:
    """Refuse what a function returned that is no array of numbers."""
    for i, x in enumerate(leaves):
        kind = getattr(x, "dtype", None) or np.asarray(x).dtype
        if kind.kind not in "biufc":
            at = list(structure.paths())[i]
            raise TypeError(
                f"{name}: the function returned {type(x).__name__} {x!r:.60}{at and f' at {at}'}, no array of numbers; "
                f"return {advice}"
            )


def what_came(leaves: Sequence[Any], structure: Structure) -> str:
    """Say what a function returned instead of one array, or of one number."""
    if structure.kind is None:
        return f"shape {np.shape(leaves[0])}"
    return "None" if structure.kind is type(None) else f"a {structure.kind.__name__} of {len(leaves)} arrays"


def with_aux(name: str, out: Any, has_aux: bool) -> tuple[Any, Any]:
    """Separate a function's result from what it returns besides."""
    if not has_aux:
        return out, None
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(f"{name}: with has_aux=True the function must return a pair (result, aux)")
    return out[0], out[1]


def own(values: Sequence[Any], tensors: bool, shared: Sequence[Any] = (), fresh: bool = False) -> list[Any]:
    """Give the user arrays that nobody else holds, or Tensors.

    ``fresh`` says that only what is in ``shared`` is held by others: views of anything else need no copy.
    """
    seen = {id(x) for x in shared}
    found: list[Any] = []
    for x in values:
        if isinstance(x, Traced):
            x = x if tensors or x.level or x.node is not None else x._taken()
        elif tensors and isinstance(x, (np.ndarray, np.generic)):
            x = constant(x)
        x = x[()] if type(x) is np.ndarray and not x.ndim else x  # one number: a scalar, as NumPy's functions return
        if type(x) is np.ndarray and (x.base is not None or not x.flags.writeable or id(x) in seen):
            if not (fresh and x.flags.writeable and id(x) not in seen and _is_apart(x, (*shared, *found))):
                x = np.array(x)[()]
        seen.add(id(x))
        found.append(x)
    return found


def _is_apart(x: Any, others: Sequence[Any]) -> bool:
    """Whether a view shares memory with none of the others, and keeps no much larger array alive."""
    if type(x.base) is not np.ndarray or x.base.nbytes > 2 * x.nbytes:
        return False
    return not any(isinstance(y, Traced) or np.may_share_memory(x, y) for y in others)


def describe(transform: str, f: Callable[..., Any], what: str) -> Callable[[F], F]:
    """Say in a function's name and docstring what it is of."""
    function(transform, f)

    def described(g: F) -> F:
        name = getattr(f, "__name__", "f")
        g.__module__ = getattr(f, "__module__", __name__)
        g.__name__ = g.__qualname__ = f"{transform}({name})"
        g.__wrapped__ = f  # type: ignore[attr-defined]  # so that its signature is f's
        g.__doc__ = f"Return {what} of `{name}`."
        return g

    return described
