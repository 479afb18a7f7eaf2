"""The cases that were recorded with PyTorch: the options, the start, and a gradient for every step."""

import numpy as np

STEPS = 6
CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "betas": [0.5, 0.5]}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "momentum": 0.7}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "momentum": 0.7, "centered": True, "eps": 1e-4}),
]
DTYPES = ["float32", "float64", "complex128"]


def start(dtype):
    """Return the values to begin with: a matrix and a number."""
    w, b = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -0.25]]), np.array(0.75)
    return ((w + 0.5j * w[::-1]) if dtype.startswith("c") else w).astype(dtype), b.astype(dtype)


def gradients(dtype, step):
    """Return the gradients of a step; the number has none in the second step."""
    rows = np.arange(6.0).reshape(2, 3) - 2.0
    w = rows * (-0.7) ** step + 0.125
    b = np.array(0.5 - 0.25 * step)
    w = (w - 0.25j * rows) if dtype.startswith("c") else w
    return w.astype(dtype), None if step == 1 else b.astype(dtype)


def pairs(array):
    """Return numbers that JSON can hold."""
    array = np.ravel(array)
    return [*array.real.tolist(), *array.imag.tolist()] if array.dtype.kind == "c" else array.tolist()
