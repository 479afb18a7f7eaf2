"""The engine, first part: what an op is, and what a node is.

An op is two pure functions of arrays: ``forward`` computes, ``backward`` turns the cotangent of the result
into the cotangents of the arguments.  A Tensor is a value and the node that made it.  A node remembers the
op, the nodes it read, and those arrays (no others) that the op's rules will read.

Nothing here knows a NumPy function's name; the ops do (``ops/``).  How an op applied to Tensors becomes a node
says ``record.py``, and how cotangents are carried back ``sweep.py``.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import count
from math import prod
from types import CodeType
from typing import Any, ClassVar

import numpy as np

from .places import Place, name_op, place_of

Array = Any  # an ndarray, a NumPy scalar, or anything that speaks NumPy's protocols
Rule = Callable[..., Any]
Form = Any  # numpy.float64 for such a scalar, (shape, dtype) for everything else

LEAF_KIND, UNARY, BINARY, GENERAL, RELEASED_KIND = range(5)

OPS: list[Op] = []
"""Every op that was ever declared, in order: what the tests walk."""

new: Callable[[type], Any] = object.__new__
ages = count()
next_age = ages.__next__  # atomic, so threads may record at the same time
_ndarray, _float64, _f8 = np.ndarray, np.float64, np.dtype(np.float64)
PLAIN = frozenset((float, int, _ndarray, _float64, np.float32, bool))


# ---------------------------------------------------------------------------------------------- nodes


class Node:
    """One application of an op: what backward needs of it.

    The fields ``px, py, out, x, y`` are an elementwise op's parents and kept values.  They are slots and not
    tuples because that makes a node one object instead of three: 0.3 microseconds less per op, and a third
    of the work for the garbage collector.  Every other op keeps ``rest = (parents, out, arrays, params)``.
    Read them through `parents`, `kept` and `params`.  The user's line that called the op is `where`.
    """

    __slots__ = ("__weakref__", "age", "at", "code", "form", "op", "out", "owner", "px", "py", "rest", "x", "y")

    op: Op
    age: int
    form: Form
    owner: Callable[[], Any]
    px: Node | None
    py: Node | None
    out: Array
    x: Array
    y: Array
    code: CodeType | Place  # the user's that called the op; of a node that was unpickled, already the line
    at: int  # the instruction in it
    rest: tuple[tuple[Node | None, ...], Array, tuple[Array, ...], dict[str, Any]]

    @property
    def parents(self) -> tuple[Node | None, ...]:
        """The node of each argument, None for a constant."""
        if self.op.small:
            return (self.px, self.py)[: self.op.arity]
        return self.rest[0]

    @property
    def kept(self) -> tuple[Array, tuple[Array, ...]]:
        """What the rules will read: the result (or None) and the arguments (None where not read)."""
        if self.op.small:
            return self.out, (self.x,) if self.op.arity == 1 else (self.x, self.y)
        return self.rest[1], self.rest[2]

    @property
    def params(self) -> dict[str, Any]:
        """The op's keyword parameters."""
        return {} if self.op.small else self.rest[3]

    @property
    def where(self) -> Place | None:
        """The user's line that called the op; None for a leaf."""
        code = getattr(self, "code", None)
        return place_of(code, self.at) if isinstance(code, CodeType) else code

    @property
    def is_end(self) -> bool:
        """Whether differentiation ends here: at a leaf, or a variable of a function being differentiated."""
        return self.op.kind == LEAF_KIND

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value this node stands for."""
        if self.form is tuple:
            raise AttributeError(f"{self.op.name} has several results; each has a node of its own with a shape")
        shape: tuple[int, ...] = () if self.form is _float64 else self.form[0]
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value this node stands for."""
        return np.dtype(_float64) if self.form is _float64 else self.form[1]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def __repr__(self) -> str:
        if self.form is tuple:
            return f"<Node {self.op.name} of several results, age={self.age}>"
        return f"<Node {self.op.name} shape={self.shape} dtype={self.dtype} age={self.age}>"

    def __reduce__(self) -> tuple[Any, ...]:
        fresh = ("__weakref__", "age", "at", "owner")
        fields = {name: getattr(self, name) for name in Node.__slots__ if name not in fresh and hasattr(self, name)}
        return _remade, (fields | {"code": self.where},)  # Python's code objects can't be pickled


def _remade(fields: dict[str, Any]) -> Node:
    """Make a node again from its fields; parents are remade first, so ages keep their order."""
    node: Node = new(Node)
    for name, value in fields.items():
        setattr(node, name, value)
    node.age = next_age()
    node.owner = _nobody
    return node


def _nobody() -> None:
    """Return None: the owner of a node that is no user's leaf."""


def form_of(value: Array) -> Form:
    """Shape and dtype of a value; for a float64 scalar, by far the commonest, just its type."""
    if type(value) is _float64:
        return _float64
    shape, dtype = value.shape, value.dtype
    return _shared(shape) if dtype is _f8 and shape else (shape, dtype)


@lru_cache(1024)
def _shared(shape: tuple[int, ...]) -> Form:
    """Return the same object for float64 arrays of the same shape: see `hotpath`."""
    return shape, _f8


class Spec:
    """Shape and dtype of a constant that a rule does not read (its parameter is named ``_x``).

    In place of a variable, or of the result, that is not read stands its node, which has the same attributes.
    """

    __slots__ = ("dtype", "shape")
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, form: Form) -> None:
        self.shape, self.dtype = ((), np.dtype(_float64)) if form is _float64 else form

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class Traced:
    """What the engine knows of a Tensor: a value, the node that made it, and the level it lives on.

    Level 0 is where users' Tensors live.  A derivative or a batch taken inside a jvp or a vmap lives on a
    level of its own, and an op belongs to the highest level among its arguments; all else is constant to it.
    """

    __slots__ = ("__weakref__", "_grad", "_home", "_value", "node")
    level: int = 0
    node: Node | None
    _value: Array
    _grad: Any
    _home: Node  # of a leaf that was written into: its node as a leaf

    def _taken(self) -> Array:
        """Return the value as a graph may keep it."""
        return self._value

    def _interpret(self, op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply an op of which this is the highest argument."""
        raise NotImplementedError

    def _lift(self, value: Array, node: Node | None) -> Any:
        """Make another of this kind."""
        raise NotImplementedError

    def _replace(self, other: Any, what: str) -> None:
        """Make a Tensor of another level stand for this value."""
        raise NotImplementedError

    def _everything(self) -> Array:
        """Return the plain array of this and of all other examples of a batch: extra leading axes."""
        return self._value


Tensor: type[Traced] = Traced
"""The class of users' Tensors; ``tensor.py`` puts itself here: the one arrow that points back."""


def make_tensor(value: Array, node: Node | None) -> Any:
    """Make a level-0 Tensor of a value and the node that made it."""
    tensor = new(Tensor)
    tensor._value, tensor.node = value, node
    return tensor


# ---------------------------------------------------------------------------------------------- ops


class Op:
    """A differentiable function: subclass it, write ``forward`` and ``backward``, and use ``.apply``.

    ``forward(*arrays, **params)`` computes from plain arrays.  ``backward(grad, out, *arrays, **params)``
    returns the cotangent of each array (one, or a tuple; None where there is none).  It may also be a tuple of
    rules, one per array, each evaluated only when that array is tracked.  Write it as an expression of NumPy
    functions: handed Tensors it then records itself, and second derivatives work.  A parameter of a rule whose
    name begins with ``_`` is not kept in memory: only its shape and dtype are there.

    Attributes
    ----------
    linear : str, optional
        How ``forward`` is linear, where it is (forward mode reads it): "pointwise" (each element of a cotangent
        is an element of ``grad`` times something), "each" (in every array by itself), "joint" (in all together).
    holomorphic : bool
        Rules are written as in real calculus; where the result is complex the engine conjugates around them
        (``conj(rule(conj(grad)))``).  False for a rule that minds complex numbers itself, or need not.
    may_raise : bool
        Whether the rule refuses some inputs: then nothing is released before the sweep has succeeded.
    masks : bool
        Whether the rule sets cotangents to zero because a value was not taken (`where`).
    cases, domain
        For the tests: shapes of the arrays and params; the interval from which to draw.

    Examples
    --------
    >>> import numpy as np, tinygrad_sp as tg
    >>> class Cube(tg.Op):
    ...     "x * x * x"
    ...     def forward(x):
    ...         return x * x * x
    ...     def backward(grad, _out, x):
    ...         return grad * 3 * x**2
    >>> x = tg.Tensor(2.0)
    >>> Cube.apply(x).backward()
    >>> x.grad
    Tensor(12.)
    """

    # What the sweep asks of every node's op lies in slots: 30 ns less per question than in a dictionary.
    __slots__ = ("__dict__", "conjugate", "keeps", "kind", "rule_x", "rule_y", "straight", "unusual")
    name: str = "Op"
    small: bool = False
    arity: int = 1
    linear: str | None = None
    masks: bool = False
    holomorphic: bool = True
    may_raise: bool = False
    own: bool = False  # declared by a user: its rules are checked more strictly, and may raise
    variadic: bool = False  # backward(i, grad, out, *arrays): asked for one argument's cotangent at a time
    turned: bool = False
    cases: ClassVar[Sequence[Any]] = ()
    domain: ClassVar[tuple[float, float] | None] = None
    forward: Callable[..., Any]
    backward: Any = None
    accumulate: Callable[..., None] | None = None  # adds the cotangent into an array of the argument's shape
    op: ClassVar[Op]
    kind: int  # LEAF_KIND, UNARY, BINARY: read slots; GENERAL: read rest; RELEASED_KIND: nothing left
    unusual: bool  # masks, own or may_raise
    straight: bool  # elementwise, with rules that hold as they stand for tangents too
    keeps: tuple[bool, ...]
    rule_x: Rule
    rule_y: Rule
    conjugate: Op

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        for name in ("forward", "backward", "accumulate", "tangent", "push", "batch"):
            if inspect.isfunction(vars(cls).get(name)):
                setattr(cls, name, staticmethod(vars(cls)[name]))
        cls.name = cls.__name__
        cls.own = not cls.__module__.startswith("tinygrad_sp.")
        cls.op = op = new(cls)
        declare(op)

    @classmethod
    def apply(cls, *arrays: Any, **params: Any) -> Any:
        """Apply the op: arrays give an array, Tensors a recorded Tensor."""
        return apply(cls.op, arrays, params)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_op_named, (type(self).__module__, self.name, self.turned))


def declare(op: Op) -> None:
    """Work out what the engine asks of every op, and put the op on the list."""
    op.keeps = _keeps(op)
    op.kind = op.arity if op.small else GENERAL
    op.unusual = op.masks or op.own or op.may_raise
    op.straight = op.small and op.linear == "pointwise" and op.holomorphic and op.backward is not None
    op.straight = op.straight and not hasattr(op, "tangent")
    OPS.append(op)


def _op_named(module: str, name: str, turned: bool) -> Op:
    """Find an op again when a graph is unpickled."""
    import_module(module)
    for op in reversed(OPS):
        if op.name == name and type(op).__module__ == module:
            return op.conjugate if turned else op
    raise LookupError(f"unpickling: the graph uses the op {name} of {module}: import that module first")


def rules_of(op: Op) -> tuple[Rule, ...]:
    """Return the op's rules, none for a function without a derivative."""
    if op.backward is None:
        return ()
    return op.backward if isinstance(op.backward, tuple) else (op.backward,)


def _keeps(op: Op) -> tuple[bool, ...]:
    """Which of (out, x, y, ...) some rule reads; the last entry holds for all further arrays."""
    keeps: list[bool] = []
    for rule in rules_of(op):
        for i, flag in enumerate(reads(rule)[op.variadic :]):
            if i == len(keeps):
                keeps.append(flag)
            keeps[i] = keeps[i] or flag
    return tuple(keeps) or (False, False)


def reads(rule: Rule) -> list[bool]:
    """Which of (out, x, y, ...) a rule reads: those whose parameter's name does not begin with ``_``."""
    rule = inspect.unwrap(rule)
    code = getattr(rule, "__code__", None)
    if code is None:
        return [not name.startswith("_") for name in inspect.signature(rule).parameters][1:]
    # inspect.signature would always do, and take a tenth of the time of `import tinygrad_sp`.
    names = code.co_varnames[: code.co_argcount]
    if code.co_flags & inspect.CO_VARARGS:
        names += (code.co_varnames[code.co_argcount + code.co_kwonlyargcount],)
    return [not name.startswith("_") for name in names][1:]


# ---------------------------------------------------------------------------------------------- applying


def plain(value: Any, by: str = "an op") -> Array:
    """Make an array of what a user wrote beside a Tensor; Python's numbers stay as they are (weak dtypes)."""
    if type(value) is _ndarray and value.ndim and value.dtype.kind in "biufc":
        return value  # nearly always
    if isinstance(value, np.ndarray):
        if hasattr(value, "filled"):
            raise TypeError(f"{by} was given a masked array, whose mask it would lose: write array.filled(...)")
        if type(value) is not _ndarray:  # np.matrix would make * a matrix product
            value = np.array(value, subok=False)
        value = value if value.ndim else value[()]
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biufc":
            raise TypeError(_no_numbers(by, value, value.dtype))
        return value
    if type(value) in PLAIN or isinstance(value, Traced):
        return value
    if hasattr(value, "__array_function__") or isinstance(value, (int, float, complex)):
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged
        raise ValueError(
            f"{by} was given a {type(value).__name__} that is no array, write one of equal lengths: {error}"
        ) from None
    if array.dtype.kind not in "biufc":
        raise TypeError(_no_numbers(by, value, array.dtype))
    return array[()]


def _no_numbers(by: str, value: Any, dtype: Any) -> str:
    return (
        f"{by} was given {type(value).__name__} {value!r:.60}, which is an array of dtype {dtype}; "
        "Tensors hold booleans, integers, floating and complex numbers"
    )


def apply(op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply an op to anything: the highest level among the arguments interprets it."""
    owner: Traced | None = None
    for array in arrays:
        if isinstance(array, Traced) and (owner is None or array.level > owner.level):
            owner = array
    try:
        if owner is not None:
            return owner._interpret(op, arrays, params)
        out = op.forward(*[plain(array, op.name) for array in arrays], **params)
    except (TypeError, ValueError, IndexError) as error:
        name_op(error, op.name, arrays)
        raise
    return np.complex128(out) if type(out) is complex else out  # Python's complex * np.float64 is Python's


# ---------------------------------------------------------------------------------------------- leaves


class _Mark(Op, abstract=True):
    """What stands in a node in the place of an op where there is none."""

    small, arity = True, 0

    @staticmethod
    def forward(x: Any) -> Any:
        return x


class _Leaf(_Mark):
    """A variable: where differentiation ends."""


class _Variable(_Mark):
    """What a function being differentiated gets for an argument: no leaf, so a copy of it is not another one."""


class _Closed(_Mark):
    """What the variable of a functional derivative becomes when its function has returned: a constant, in effect."""


class _Released(_Mark):
    """What a node's op becomes when backward has passed it."""


LEAF: Op = _Leaf.op
VARIABLE: Op = _Variable.op
CLOSED: Op = _Closed.op
RELEASED: Op = _Released.op
RELEASED.kind = RELEASED_KIND


def make_leaf(value: Array, tensor: Traced | None = None) -> Node:
    """Make the node of a variable; it knows the user's Tensor, weakly, to leave the gradient there.

    Weakly, so that a gradient that was itself recorded (`create_graph`) makes no cycle.
    """
    node: Node = new(Node)
    node.op, node.form, node.age = LEAF, form_of(value), next_age()
    node.px = node.py = node.out = node.x = node.y = None
    node.owner = _nobody if tensor is None else weakref.ref(tensor)
    return node
