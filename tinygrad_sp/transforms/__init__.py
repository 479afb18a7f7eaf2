"""Derivatives as functions: transforms take a function and return another.

- ``reverse``: grad, vjp; ``forward``: jvp; ``jacobians``: whole matrices of derivatives;
- ``batching``: vmap; ``checkpoint``: less memory for more time;
- ``custom``: a function with a backward of your own; ``implicit``: solutions of equations;
- ``debug``: where a NaN comes from.
"""

from .batching import vmap
from .checkpoint import checkpoint
from .custom import custom_vjp
from .debug import debug_nans
from .forward import jvp, linearize
from .implicit import fixed_point
from .jacobians import hessian, hvp, jacfwd, jacobian, jacrev, laplacian, vhp
from .levels import stop_gradient
from .reverse import elementwise_grad, grad, gradients, value_and_grad, vjp

__all__ = [
    "checkpoint",
    "custom_vjp",
    "debug_nans",
    "elementwise_grad",
    "fixed_point",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "laplacian",
    "linearize",
    "stop_gradient",
    "value_and_grad",
    "vhp",
    "vjp",
    "vmap",
]
