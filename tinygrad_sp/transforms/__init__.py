"""Derivatives as functions: transforms take a function and return another.

- ``reverse``: grad, vjp; ``forward``: jvp; ``jacobians``: whole matrices of derivatives;
- ``batching``: vmap; ``checkpoint``: less memory for more time;
- ``custom``: a function with a backward of your own; ``implicit``: solutions of equations;
- ``debug``: where a NaN comes from.
"""

from .forward import jvp, linearize
from .levels import stop_gradient
from .reverse import elementwise_grad, grad, gradients, value_and_grad, vjp

__all__ = [
    "elementwise_grad",
    "grad",
    "gradients",
    "jvp",
    "linearize",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
