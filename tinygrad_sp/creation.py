"""Arrays that come from nowhere: constants, unless told otherwise; and NumPy's functions that only ask.

What only looks at values (`allclose`, `result_type`, `shape` ...) is NumPy's own, run on the values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dispatch import implements
from .graph import Traced
from .tensor import Tensor, constant


def value_of(x: Any) -> Any:
    """Return the plain array of a Tensor, also within tuples and lists; anything else as it is."""
    if isinstance(x, Tensor):
        return x._value
    if isinstance(x, Traced):
        raise NotImplementedError("this function looks at values, which a function being batched does not have")
    return type(x)(map(value_of, x)) if type(x) in (tuple, list) else x


def _asking(function: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*args: Any, **kwargs: Any) -> Any:
        return function(*map(value_of, args), **{key: value_of(x) for key, x in kwargs.items()})

    return ask


for _name in """allclose array_equal array_equiv array2string array_repr array_str can_cast iscomplexobj isrealobj
    may_share_memory min_scalar_type ndim result_type shares_memory size common_type""".split():
    _function = getattr(np, _name)
    implements(_function)(_asking(_function))

implements(np.shape)(lambda x: x.shape)


def _like(make: Callable[..., Any]) -> Callable[..., Any]:
    def like(x: Any, *args: Any, dtype: Any = None, shape: Any = None, **kwargs: Any) -> Any:
        kwargs = {k: v for k, v in kwargs.items() if k not in ("order", "subok", "device")}
        return constant(make(x.shape if shape is None else shape, *args, dtype=dtype or x.dtype, **kwargs)[()])

    return like


implements(np.zeros_like)(_like(np.zeros))
implements(np.ones_like)(_like(np.ones))
implements(np.empty_like)(_like(np.empty))
implements(np.full_like)(_like(np.full))
implements(np.copy)(lambda x, **_: x.copy())
implements(np.isclose)(lambda *args, **kwargs: constant(_asking(np.isclose)(*args, **kwargs)))
implements(np.iscomplex)(lambda x: constant(np.iscomplex(value_of(x))))
implements(np.isreal)(lambda x: constant(np.isreal(value_of(x))))
