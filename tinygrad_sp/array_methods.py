"""What a Tensor shares with NumPy's array: attributes, methods, operators and the protocols.

No function is written here; the class only says under which names a Tensor has those in ``ops/``.
"""

from __future__ import annotations

import dis
import importlib
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import dispatch
from .graph import LEAF, RELEASED, Node, Traced
from .modes import LEFT, MODE, Departure
from .ops import casting, choosing, elementwise, indexing, matrices, ordering, products, reduction
from .ops import shape as shaping
from .places import user_place

_SILENTLY_PLAIN = (
    "a Tensor that is being differentiated would silently become a plain array: write t.detach() for a "
    "constant, t.numpy() for its value; to put Tensors together write tg.stack([...]) or t[i] = ..."
)
_STORE = dis.opmap["STORE_SUBSCR"]


def _stored(frame: Any) -> bool:
    """Whether a frame is at ``a[i] = t``: NumPy then asks for ``float(t)``, and the graph would be lost unseen."""
    return bool(frame.f_code.co_code[frame.f_lasti] == _STORE)


def _comparable(other: object) -> bool:
    """Whether == is a question about numbers: of anything else Python says what it says of any two objects."""
    if isinstance(other, (Traced, int, float, complex, np.ndarray, np.generic, list, tuple, range)):
        return True
    return hasattr(other, "__array__") or hasattr(other, "__array_function__")


class ArrayMethods(Traced):
    """NumPy's half of a Tensor."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def item(self, *index: int) -> Any:
        """Return the one element as a Python number; with an index, that element."""
        if not index and self.size != 1:
            raise ValueError(f"item: a Tensor of shape {self.shape} has {self.size} elements; index it first")
        self._leave("item() or float()")
        return np.asarray(self._value).item(*index)

    def tolist(self) -> Any:
        """Return the value as nested lists of Python numbers."""
        self._leave("tolist()")
        return np.asarray(self._value).tolist()

    def _leave(self, how: str) -> None:
        """Refuse to hand the value out where that would make a derivative silently wrong."""
        mode = MODE.get()
        if mode is not None and mode.strict is not None and (self.node is not None or self.level):
            raise TypeError(
                f"{how} in the backward of {mode.strict}, which is itself being differentiated: the second derivative "
                "would be wrong. Write the backward with NumPy's functions on what it is given; what is constant on "
                "purpose, as tg.stop_gradient(t)"
            )

    def numpy(self) -> Any:
        """Return the value as an array that can't be written to, without a copy."""
        self._leave("numpy()")
        array = np.asarray(self._value).view()
        array.flags.writeable = False
        return array

    # ------------------------------------------------------------------------------------ NumPy's attributes

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        shape: tuple[int, ...] = self._value.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        dtype: np.dtype[Any] = self._value.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes in an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all elements."""
        return self.size * self.itemsize

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return shaping.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return shaping.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return casting.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return casting.imag(self)

    @property
    def flat(self) -> Iterator[Any]:
        """The elements one by one."""
        return iter(shaping.ravel(self))

    # ------------------------------------------------------------------------------------ methods and operators

    sum = reduction.sum
    mean = reduction.mean
    var = reduction.var
    std = reduction.std
    prod = reduction.prod
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    all = reduction.all
    any = reduction.any
    cumsum = reduction.cumsum
    cumprod = reduction.cumprod
    swapaxes = shaping.swapaxes
    squeeze = shaping.squeeze
    ravel = flatten = shaping.ravel
    repeat = shaping.repeat
    take = indexing.take
    compress = indexing.compress
    choose = choosing.choose
    argsort = ordering.argsort
    argpartition = ordering.argpartition
    searchsorted = ordering.searchsorted
    diagonal = matrices.diagonal
    trace = matrices.trace
    clip = choosing.clip
    nonzero = indexing.nonzero
    dot = products.dot
    astype = casting.astype
    conj = conjugate = elementwise.conjugate
    round = casting.round
    exp = elementwise.exp
    log = elementwise.log
    sqrt = elementwise.sqrt

    def reshape(self, *lengths: Any, order: str = "C") -> Any:
        """Return the same elements in another shape, given as one sequence or as several ints."""
        return shaping.reshape(self, lengths[0] if len(lengths) == 1 else lengths, order)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order, given as one sequence or as several ints; by default reversed."""
        one = len(axes) == 1 and (axes[0] is None or np.ndim(axes[0]))
        return shaping.transpose(self, axes[0] if one else axes or None)

    def copy(self) -> Any:
        """Return a Tensor of the same value that is recorded as computed from this one."""
        return elementwise.positive(self) if self.dtype.kind != "b" else casting.astype(self, bool)

    __add__ = elementwise.add
    __sub__ = elementwise.subtract
    __mul__ = elementwise.multiply
    __truediv__ = elementwise.divide
    __floordiv__ = elementwise.floor_divide
    __mod__ = elementwise.remainder
    __pow__ = elementwise.power
    __neg__ = elementwise.negative
    __pos__ = elementwise.positive
    __abs__ = elementwise.absolute
    __matmul__ = products.matmul
    __invert__ = elementwise.invert
    __and__ = elementwise.bitwise_and
    __or__ = elementwise.bitwise_or
    __xor__ = elementwise.bitwise_xor
    __lshift__ = elementwise.left_shift
    __rshift__ = elementwise.right_shift
    __lt__ = elementwise.less
    __le__ = elementwise.less_equal
    __gt__ = elementwise.greater
    __ge__ = elementwise.greater_equal
    __getitem__ = indexing.getitem
    __hash__ = object.__hash__

    def __radd__(self, other: Any) -> Any:
        return elementwise.add(other, self)

    def __rsub__(self, other: Any) -> Any:
        return elementwise.subtract(other, self)

    def __rmul__(self, other: Any) -> Any:
        return elementwise.multiply(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise.divide(other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return elementwise.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Any:
        return elementwise.remainder(other, self)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return products.matmul(other, self)

    def __rand__(self, other: Any) -> Any:
        return elementwise.bitwise_and(other, self)

    def __ror__(self, other: Any) -> Any:
        return elementwise.bitwise_or(other, self)

    def __rxor__(self, other: Any) -> Any:
        return elementwise.bitwise_xor(other, self)

    def __rlshift__(self, other: Any) -> Any:
        return elementwise.left_shift(other, self)

    def __rrshift__(self, other: Any) -> Any:
        return elementwise.right_shift(other, self)

    def __divmod__(self, other: Any) -> Any:
        return elementwise.floor_divide(self, other), elementwise.remainder(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return elementwise.floor_divide(other, self), elementwise.remainder(other, self)

    def __eq__(self, other: object) -> Any:
        return elementwise.equal(self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return elementwise.not_equal(self, other) if _comparable(other) else NotImplemented

    def __contains__(self, value: object) -> bool:
        return bool(np.any(np.asarray((self == value).numpy()))) if _comparable(value) else False

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d Tensor, which has no axis; write t.size, which is 1, or t.reshape(1)")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iter() of a 0-d Tensor, which has no axis; write t.item() for its number")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a Tensor of shape {self.shape} is ambiguous: use t.any() or t.all()")
        return bool(self._value)

    def __float__(self) -> float:
        return float(self._one("float"))

    def __int__(self) -> int:
        return int(self._one("int"))

    def __complex__(self) -> complex:
        return complex(self._one("complex"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise TypeError(
                f"index: only an integer Tensor with no axes is one, this has {self.dtype}, {self.shape}; write int(t)"
            )
        return int(self._value)

    def _one(self, name: str) -> Any:
        if self.size != 1:
            raise TypeError(f"{name}() of a Tensor of shape {self.shape}: it has {self.size} elements; index it first")
        _ = self._value  # first: a batch has not one value, and says so
        if (self.node is not None or self.level) and _stored(sys._getframe(2)):
            raise TypeError(_SILENTLY_PLAIN)
        left = LEFT.get()
        if left is not None and len(left) < 100 and name != "int" and (self.node is not None or self.level):
            left.append(Departure(self, user_place()))
        return self.item()

    def __round__(self, digits: int = 0) -> Any:
        return casting.round(self, digits)

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if not self.shape:
            return format(self.item(), spec)
        show: Any = {"all": lambda x: format(x, spec)}
        return np.array2string(np.asarray(self._value), separator=", ", formatter=show)

    @staticmethod
    def _origin(node: Node) -> str:
        """Say what made it: an op of that name, or one of the engine's own marks."""
        if node.op is LEAF:
            return "requires_grad=True"
        return node.op.name[1:].lower() if node.is_end or node.op is RELEASED else f"op={node.op.name}"

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._value), separator=", ", prefix="Tensor(")
        if self.dtype not in (np.float64, np.int64, np.complex128, np.bool_):
            text += f", dtype={self.dtype}"
        if (self.size == 0 and self.shape != (0,)) or self.size > np.get_printoptions()["threshold"]:
            text += f", shape={self.shape}"
        if self.node is not None:
            text += f", {self._origin(self.node)}"
        return f"Tensor({text})"

    def _repr_html_(self) -> str:
        from .drawing.values import values_html

        origin = "" if self.node is None else self._origin(self.node)
        return values_html(np.asarray(self._everything()), origin, repr(self))

    # ------------------------------------------------------------------------------------ protocols

    @property
    def device(self) -> str:
        """Where the array is: always "cpu"."""
        return "cpu"

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
            raise ValueError(
                f"__array_namespace__: version {api_version!r} of the array API standard is not known; leave it out"
            )
        return importlib.import_module(__package__)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return dispatch.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return dispatch.call_function(func, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.node is not None:
            raise TypeError(_SILENTLY_PLAIN)
        return np.array(self.numpy(), dtype=dtype, copy=copy)
