"""Tensor: a value and the node that made it, with NumPy's attributes, operators and protocols.

The functions are in ``ops/``; this class only says under which name a Tensor has them.  A value is never
written into: an in-place write by the user makes the Tensor stand for a new value, and what was recorded
before keeps the old one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from . import graph, hotpath
from .array_methods import ArrayMethods
from .graph import LEAF, Node, Traced, make_leaf, make_tensor
from .modes import MODE, Mode, mode_is
from .ops import indexing, ordering
from .record import record
from .sweep import HOOKS, collect, sweep


def constant(value: Any) -> Tensor:
    """Make a Tensor of a value that nobody else will write into, without copying."""
    return cast(Tensor, make_tensor(value, None))


def checked_array(data: Any, dtype: Any = None) -> Any:
    """Return a new array of what a user gave, or say why it can't be one."""
    if isinstance(data, Traced):
        if data.node is not None or data.level:
            raise TypeError("Tensor: data that is being differentiated: write t.detach(), or use the Tensor itself")
        data = data._value
    if type(data) is not np.ndarray and isinstance(data, np.ndarray) and hasattr(data, "filled"):
        raise TypeError("Tensor: a masked array would lose its mask: write array.filled(...)")
    try:
        array = np.array(data, dtype=dtype)
    except ValueError as error:
        raise ValueError(f"Tensor: {error}; rows must have equal lengths") from None
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"Tensor: {type(data).__name__} {data!r:.60} gives an array of dtype {array.dtype}; "
            "Tensors hold booleans, integers, floating and complex numbers"
        )
    if not array.dtype.isnative:  # swapped bytes are a matter of files: no op keeps them
        array = array.astype(array.dtype.newbyteorder("="))
    return array[()]


class Tensor(ArrayMethods):
    """An array that remembers how it was computed, so that it can be differentiated.

    Parameters
    ----------
    data : array_like
        Numbers of any shape; they are copied.
    requires_grad : bool, optional
        Whether this is a variable (a leaf).  By default it is if the numbers are floating or complex.
    dtype : dtype, optional
        Any of NumPy's boolean, integer, floating and complex dtypes.

    Attributes
    ----------
    grad : Tensor or None
        What backward has added up for this leaf: its shape, its dtype.
    node : Node or None
        The recorded operation that made it; None for a constant.

    Raises
    ------
    TypeError
        For strings and objects, and for integers with ``requires_grad=True``.
    ValueError
        For rows of different lengths.

    Notes
    -----
    For complex x = a + ib, ``grad`` of a real result L is dL/da + i dL/db (PyTorch's convention).

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x = tg.Tensor([-20.0, 0.0, 1.2])
    >>> y = tg.softplus(x)
    >>> y.backward([1.0, 1.0, 1.0])
    >>> x.grad
    Tensor([2.06115362e-09, 5.00000000e-01, 7.68524783e-01])
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool | None = None, *, dtype: Any = None) -> None:
        value = checked_array(data, dtype)
        floating = value.dtype.kind in "fc"
        if requires_grad and not floating:
            raise TypeError(_integer(value.dtype))
        self._value = value
        self.node = make_leaf(value, self) if floating and requires_grad is not False else None

    def __init_subclass__(cls, internal: bool = False) -> None:
        if not internal:
            raise TypeError("Tensor can't be subclassed: ops tell Tensors by their exact class. Hold one instead")

    # ------------------------------------------------------------------------------------ the engine's side

    _interpret = record

    def _lift(self, value: Any, node: Node | None) -> Tensor:
        return cast(Tensor, make_tensor(value, node))

    def _become(self, other: Tensor, what: str) -> None:
        """Stand for another value from now on; a leaf keeps its ``grad``."""
        other = self._fitting(other, what)
        if other.level:
            return other._replace(self, what)
        node = self.node
        self._value = other._value
        self.__class__ = Tensor
        if node is None or node.op is not LEAF:
            self.node = other.node
        elif other.node is not None:
            self._home, self.node = node, other.node

    def _fitting(self, other: Tensor, what: str) -> Tensor:
        """Return a value that this may become, with its dtype; or say why it can't."""
        if other.shape != self.shape:
            raise ValueError(
                f"{what}: the result has shape {other.shape}, which does not fit in shape {self.shape}; "
                "write t = ... for a new Tensor"
            )
        if not np.can_cast(other.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"{what}: a result of dtype {other.dtype} does not fit in dtype {self.dtype}; "
                "write t = ... for a new Tensor"
            )
        if other.dtype != self.dtype:
            other = other.astype(self.dtype)
        return other

    # ------------------------------------------------------------------------------------ value and gradient

    @property
    def data(self) -> Any:
        """The array, to read or to write into; what was recorded before is not touched.

        The first reading makes a copy that is this Tensor's from then on, and ops record copies of it:
        to read without a copy use `numpy`, to update a parameter ``with tg.no_grad(): p -= ...``.
        """
        self._leave("data")
        if type(self) is Tensor:
            self._value = np.array(self._value)
            self.__class__ = _Exposed
        return self._value

    @data.setter
    def data(self, new: Any) -> None:
        value = checked_array(new)
        if value.shape != self.shape:
            raise ValueError(f"data: shape {value.shape} for a Tensor of shape {self.shape}; they must agree")
        if not np.can_cast(value.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"data: dtype {value.dtype} for a Tensor of dtype {self.dtype}; write value.astype(t.dtype)"
            )
        self._value = value.astype(self.dtype)
        self.__class__ = Tensor

    @property
    def grad(self) -> Tensor | Any:
        """What backward has added up; None before, and for everything but leaves.

        It is typed so that a checker does not ask, at each use after a backward, whether it is None.
        """
        return getattr(self, "_grad", None)

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is not None:
            if self.node is None or not (self.is_leaf or hasattr(self, "_home")):
                raise RuntimeError(
                    "grad: only a leaf (a Tensor you made, with requires_grad) has one; see register_hook for others"
                )
            new = new if isinstance(new, Tensor) else Tensor(new, requires_grad=False)
            if new.shape != self.shape:
                raise ValueError(f"grad: shape {new.shape} for a Tensor of shape {self.shape}; they must agree")
            if not np.can_cast(new.dtype, self.dtype, "same_kind"):
                raise TypeError(
                    f"grad: dtype {new.dtype} for a Tensor of dtype {self.dtype}; write value.astype(t.dtype)"
                )
            new = new if new.dtype == self.dtype else new.astype(self.dtype)
        self._grad = new

    def zero_grad(self) -> None:
        """Forget the gradient: ``grad`` is None again."""
        self.grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether ops on this Tensor are recorded."""
        return self.node is not None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make a constant a leaf, or a leaf a constant; return self."""
        if requires_grad and self.node is None:
            if self.dtype.kind not in "fc":
                raise TypeError(_integer(self.dtype))
            self.node = make_leaf(self._value, self)
        elif not requires_grad and self.node is not None:
            if not self.is_leaf:
                raise RuntimeError("requires_grad_(False): this Tensor was computed; write t.detach()")
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether this Tensor was made by the user and not by an op."""
        return self.node is None or self.node.op is LEAF

    def detach(self) -> Tensor:
        """Return a constant with the same value."""
        self._leave("detach()")
        return constant(self._taken())

    def backward(self, cotangent: Any = None, *, create_graph: bool = False, retain_graph: bool | None = None) -> None:
        """Differentiate: add to every leaf's ``grad`` the derivative of this Tensor with respect to it.

        Parameters
        ----------
        cotangent : array_like, optional
            What each element counts for, of this Tensor's shape.  One element counts for 1 by default.
        create_graph : bool
            Record the sweep itself, so that the gradients can be differentiated again.
        retain_graph : bool, optional
            Keep what the graph saved, so that backward can be called again.  By default as ``create_graph``.

        Raises
        ------
        RuntimeError
            If nothing was recorded; if the graph was released by an earlier backward; for several elements
            without a cotangent.
        ValueError, TypeError
            If the cotangent has another shape, or a dtype that can't be this Tensor's.

        Notes
        -----
        All or nothing: if a rule raises, no ``grad`` has changed.

        Examples
        --------
        >>> import tinygrad_sp as tg
        >>> x = tg.Tensor(3.0)
        >>> (x**3).backward(create_graph=True)
        >>> x.grad
        Tensor(27., op=Multiply)
        >>> first, x.grad = x.grad, None
        >>> first.backward()
        >>> x.grad
        Tensor(18.)
        """
        node = self._recorded("backward")
        seed = self._cotangent(cotangent)
        retain = create_graph if retain_graph is None else retain_graph
        if create_graph:
            now = MODE.get() or Mode()
            with mode_is(Mode(True, now.watch, now.watch_rule, now.strict)):
                given = cotangent.astype(self.dtype).node if isinstance(cotangent, Tensor) else None
                found = sweep([(node, self._lift(seed, given))], lift=self._lift, release=not retain)
        else:
            found = sweep([(node, seed)], release=not retain)
        grads = [(leaf.owner(), grad) for leaf, grad in found.items()]
        sums = [(tensor, _sum(tensor.grad, grad)) for tensor, grad in grads if tensor is not None]
        for tensor, grad in sums:
            tensor._grad = grad

    def _recorded(self, name: str) -> Node:
        """Return the node, or say why there is none."""
        if self.node is not None:
            return self.node
        if self.dtype.kind not in "fc":
            raise RuntimeError(f"{name}: {_integer(self.dtype)}")
        raise RuntimeError(
            f"{name}: this Tensor is a constant: nothing it was computed from has requires_grad=True, or it was "
            "computed under no_grad(), detached, or by an op without a backward (as floor). Make the inputs Tensors: "
            "x = tg.Tensor(data)"
        )

    def _cotangent(self, given: Any) -> Any:
        """Return the cotangent to begin with, of this Tensor's shape and dtype."""
        if given is None:
            if self.size != 1:
                raise RuntimeError(
                    f"backward: this Tensor has shape {self.shape}; either reduce it, t.sum().backward(), or say what "
                    f"each element counts for, t.backward(cotangent) with a cotangent of shape {self.shape}"
                )
            return np.ones(self.shape, self.dtype)[()]
        value = given._taken() if isinstance(given, Tensor) else checked_array(given)
        if value.shape != self.shape:
            raise ValueError(
                f"backward: the cotangent has shape {value.shape}, the Tensor {self.shape}; they must agree"
            )
        if not np.can_cast(value.dtype, self.dtype, "same_kind"):
            raise TypeError(
                f"backward: the cotangent has dtype {value.dtype}, which can't be cast to {self.dtype}; "
                "take its real part"
            )
        return value.astype(self.dtype, copy=False)

    # ------------------------------------------------------------------------------------ writing, exchange

    def __setitem__(self, index: Any, value: Any) -> None:
        value = value if isinstance(value, (Traced, int, float, complex)) else checked_array(value)
        self._become(indexing.setitem(self, index, value), "setitem")

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        self[...] = value

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """Write values at places counted through the flattened array."""
        indexing.put(self, indices, values, mode)

    def sort(self, axis: int = -1, **options: Any) -> None:
        """Sort in place, as NumPy's method does; `tg.sort` returns a new Tensor."""
        self._become(ordering.sort(self, axis=axis, **options), "sort")

    def partition(self, kth: Any, axis: int = -1, **options: Any) -> None:
        """Partition in place, as NumPy's method does; `tg.partition` returns a new Tensor."""
        self._become(ordering.partition(self, kth, axis, **options), "partition")

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """Return self: there is one device, "cpu"."""
        if device != "cpu" or stream is not None:
            raise ValueError(
                f"to_device: {device!r}, stream={stream!r}; NumPy has no streams, and one device; write 'cpu'"
            )
        return self

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        if self.node is not None:
            raise BufferError("a Tensor that is being differentiated can't leave the graph: write t.detach()")
        array = np.asarray(self.data)  # a graph keeps copies of it
        return array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.empty(0).__dlpack_device__()

    # ------------------------------------------------------------------------------------ looking at it

    def graph(self, **options: Any) -> Any:
        """Draw how this was computed: `tg.draw` of this Tensor, with its options."""
        from .drawing import draw

        return draw(self, **options)

    def explain(self, cotangent: Any = None, **options: Any) -> Any:
        """Explain the gradient step by step: the chain rule with the rules' own formulas, and numbers."""
        from .explain import explain

        return explain(self, cotangent, **options)

    # ------------------------------------------------------------------------------------ hooks, copies

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Call ``hook(cotangent)`` in every sweep that passes here; what it returns, if anything, is used instead.

        Parameters
        ----------
        hook : callable
            Gets the whole cotangent, as a Tensor.  Returns another of its shape, or None to leave it as it is.

        Returns
        -------
        callable
            Removes the hook.

        Notes
        -----
        Several hooks are called in the order in which they were registered, each with what the one before returned.
        The gradient that is asked for at this very Tensor (`tg.gradients`, or ``.grad`` of a leaf) is the replaced one.

        A sweep that is recorded (``create_graph=True``) records its hooks too: what they return is differentiated.
        When such gradients are differentiated, the second sweep passes here as well, as often as they depend on this
        Tensor, and calls the hooks with the cotangents of that sweep.  All this is as in PyTorch.

        Examples
        --------
        >>> import tinygrad_sp as tg
        >>> x = tg.Tensor(2.0)
        >>> h = x * x
        >>> remove = h.register_hook(lambda g: print("at h:", g.item()))
        >>> first = tg.gradients(h * h, x, create_graph=True)  # 4 x**3
        at h: 8.0
        >>> tg.gradients(first, x)  # first = 2 h * 2 x: by h it is 4 x
        at h: 8.0
        Tensor(48.)
        """
        if not callable(hook):
            raise TypeError(f"register_hook: hook is {type(hook).__name__}; a function of the cotangent is wanted")
        hooks = HOOKS.setdefault(self._recorded("register_hook"), {})
        key = max(hooks, default=0) + 1
        hooks[key] = hook, self.level
        return lambda: cast(None, hooks.pop(key, None))

    def __reduce__(self) -> tuple[Any, ...]:
        # All ancestors first, oldest first: so no node is met before its parents, and nothing recurses.
        ancestors = [] if self.node is None else collect([self.node])[::-1]
        return _rebuild, (self._taken(), ancestors, self.node, getattr(self, "_home", None), self.grad)

    def __copy__(self) -> Tensor:
        other = cast(Tensor, make_tensor(self._taken(), self.node))
        if self.node is not None and self.is_leaf:
            other.node = make_leaf(other._value, other)
        return other


class _Exposed(Tensor, internal=True):
    """A Tensor whose array the user may hold and write into: a graph gets copies of it.

    A class of its own, so that ops find it by the test for the exact class that they make anyway.
    """

    __slots__ = ()

    def _taken(self) -> Any:
        return np.array(self._value)[()]


_Exposed.__name__ = _Exposed.__qualname__ = "Tensor"
graph.Tensor = hotpath.Tensor = Tensor


def exposed(array: Any) -> Tensor:
    """Make a constant of an array that others may write into: a graph gets copies of it."""
    tensor = constant(array)
    tensor.__class__ = _Exposed
    return tensor


def _rebuild(value: Any, ancestors: list[Node], node: Node | None, home: Node | None, grad: Tensor | None) -> Tensor:
    """Make a Tensor again; the ancestors are there only to have been made before it."""
    del ancestors
    tensor = cast(Tensor, make_tensor(value, node))
    if home is not None:
        tensor._home = home
    leaf = node if home is None else home
    if leaf is not None and leaf.op is LEAF:
        leaf.owner = weakref.ref(tensor)
        tensor._grad = grad
    return tensor


def _integer(dtype: np.dtype[Any]) -> str:
    return (
        f"a Tensor of dtype {dtype} has no gradient: only floating and complex numbers can vary. Write 3.0, not 3, "
        "or dtype=float"
    )


def _sum(old: Tensor | None, new: Any) -> Tensor:
    """Add to a gradient; the sum is recorded where either was."""
    new = make_tensor(new._value, new.node) if isinstance(new, Tensor) else constant(new)
    return cast(Tensor, new if old is None else old + new)


def _in_place(name: str, function: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Any]:
    def operator(self: Tensor, other: Any) -> Any:
        result = function(self, other)
        if not isinstance(result, Tensor):
            return NotImplemented
        self._become(result, name)
        return self

    operator.__name__ = name
    return operator


for _name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
    setattr(Tensor, f"__i{_name}__", _in_place(f"__i{_name}__", getattr(Tensor, f"__{_name}__")))
