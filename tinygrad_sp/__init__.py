"""tinygrad_sp: build an expression of Tensors, call ``.backward()``, trust the derivative.

>>> import tinygrad_sp as tg
>>> x = tg.Tensor([-20.0, 0.5, 1.2])
>>> tg.softplus(x).sum().backward()
>>> x.grad
Tensor([2.06115362e-09, 6.22459331e-01, 7.68524783e-01])
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .creation import *
from .graph import Op as Op
from .modes import enable_grad as enable_grad
from .modes import no_grad as no_grad
from .namespace import *
from .ops.activation import *
from .ops.casting import *
from .ops.choosing import *
from .ops.constant import *
from .ops.elementwise import *
from .ops.erf import *
from .ops.indexing import *
from .ops.joining import *
from .ops.logaddexp import *
from .ops.matrices import *
from .ops.ordering import *
from .ops.products import *
from .ops.rectifier import *
from .ops.reduction import *
from .ops.shape import *
from .ops.softmax import *
from .ops.ufunc_methods import *
from .tensor import Tensor as Tensor
from .threads import get_num_threads as get_num_threads
from .threads import set_num_threads as set_num_threads

if TYPE_CHECKING:
    from . import fft as fft
    from . import linalg as linalg
    from . import optim as optim
    from . import random as random
    from .drawing import annotate as annotate
    from .drawing import draw as draw
    from .ops.calculus import *
    from .ops.convolution import *
    from .ops.losses import *
    from .ops.padding import *
    from .ops.pooling import *
    from .ops.sets import *
    from .ops.statistics import *
    from .ops.windows import *
    from .plotting import plot as plot
    from .plotting import plot_gradcheck as plot_gradcheck
    from .storage import load as load
    from .storage import save as save
    from .transforms import *

# What few programs use is imported when it is first asked for: importing it takes as long as all the rest.
_LATER = {
    "annotate": "drawing",
    "draw": "drawing",
    "fft": "fft",
    "linalg": "linalg",
    "load": "storage",
    "optim": "optim",
    "plot": "plotting",
    "plot_gradcheck": "plotting",
    "random": "random",
    "save": "storage",
}
_PARTS = "calculus convolution losses padding pooling sets statistics windows".split()
"""Of ``ops/``: with `transforms` a third of the time, imported as soon as a name is asked for that is not here."""

_PYTHONS = ("Any", "TYPE_CHECKING", "cache", "import_module")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module = import_module(f".{_LATER[name]}", __name__)
        globals()[name] = module if name == _LATER[name] else getattr(module, name)
    elif name == "__all__":
        return [found for found in __dir__() if not found.startswith("_") and found not in _PYTHONS]
    elif not name.startswith("_"):
        _complete()
    if name not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; see dir({__name__})")
    return globals()[name]


def __dir__() -> list[str]:
    _complete()
    return sorted({*globals(), *_LATER})


@cache
def _complete() -> None:
    """Import the parts that wait for it."""
    for part in ("transforms", *(f"ops.{name}" for name in _PARTS)):
        module = import_module(f".{part}", __name__)
        globals().update((name, getattr(module, name)) for name in module.__all__)
