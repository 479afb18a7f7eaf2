"""SciPy's minimizers, given exact gradients and Hessian products.

SciPy sees one flat float64 vector; the function, its trees, shapes and dtypes.  What lies between is
made of recorded ops, so that the vector's derivatives are the function's own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..transforms.jacobians import hessian, hvp
from ..transforms.reverse import value_and_grad
from ..transforms.trees import flatten, unflatten

NO_GRADIENT = {"nelder-mead", "powell", "cobyla", "cobyqa"}
HESSIAN_PRODUCTS = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}
HESSIAN = {"dogleg", "trust-exact"}


def minimize(f: Callable[[Any], Any], x0: Any, method: str = "L-BFGS-B", **options: Any) -> Any:
    """Minimize a function by ``scipy.optimize.minimize``.

    Parameters
    ----------
    f : callable
        Returns one real number; takes what is like ``x0``.
    x0 : array_like, or nested dict, list or tuple of real arrays or Tensors
        Where to begin; it is not changed.  A list of numbers alone is an array, inside a dict it is a list.
    method : str
        One of SciPy's. Those that take a gradient, a Hessian product or a Hessian are given exact ones.
    **options
        Given to SciPy, as ``tol=1e-8``; ``callback`` and ``constraints`` see the flat vector.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Its ``x`` is like ``x0``, of constant Tensors.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    TypeError, ValueError
        For parameters that are not real floating numbers, if there are none, and for ``jac``.

    Examples
    --------
    >>> import tinygrad_sp as tg
    >>> x0 = {"a": 0.0, "b": tg.Tensor([1.0, 2.0])}
    >>> found = tg.optim.minimize(lambda p: (p["a"] - 3) ** 2 + (p["b"] ** 2).sum(), x0)
    >>> found.success, round(float(found.x["a"]), 6)
    (True, 3.0)
    """
    try:
        scipy_minimize = import_module("scipy.optimize").minimize
    except ImportError:
        raise ImportError("optim.minimize needs SciPy: pip install 'tinygrad_sp[scipy]'") from None
    if "jac" in options:
        raise TypeError("minimize: leave out jac: the gradient is computed exactly")
    arrays, structure = _arrays(x0)
    ends = np.cumsum([array.size for array in arrays]).tolist()

    def tree_of(vector: Any) -> Any:
        parts = zip(arrays, [0, *ends], ends, strict=False)
        return unflatten(structure, [vector[i:j].reshape(a.shape).astype(a.dtype) for a, i, j in parts])

    given = _functions(lambda vector: f(tree_of(vector)), method)
    start = np.concatenate([np.ravel(array).astype(float) for array in arrays])
    result = scipy_minimize(x0=start, method=method, **{**given, **options})
    result.x = tree_of(Tensor(result.x, requires_grad=False))
    return result


def _arrays(x0: Any) -> tuple[list[Any], Any]:
    """Return the parameters as arrays, and the structure of the containers that they came in."""
    leaves, structure = flatten(x0)
    if leaves and not any(isinstance(leaf, (Tensor, np.ndarray)) for leaf in leaves) and isinstance(x0, (list, tuple)):
        leaves, structure = flatten(np.asarray(x0))  # a plain list of numbers is an array, as in SciPy
    arrays = [leaf.detach().numpy() if isinstance(leaf, Tensor) else np.asarray(leaf) for leaf in leaves]
    for path, array in zip(structure.paths(), arrays, strict=True):
        if array.dtype.kind != "f":
            raise TypeError(f"minimize: x0{path} has dtype {array.dtype}; write real floating numbers, 3.0 and not 3")
    if not arrays:
        raise ValueError("minimize: x0 holds no parameters; give Tensors or arrays, in a list or dict")
    return arrays, structure


def _functions(flat: Callable[[Any], Any], method: Any) -> dict[str, Any]:
    """Return what SciPy is given: the function of the flat vector, and the derivatives that the method takes."""

    def value_and_gradient(vector: Any) -> tuple[float, Any]:
        value, gradient = value_and_grad(flat)(vector)
        return float(value), np.array(gradient, float)

    def product(vector: Any, direction: Any) -> Any:
        return np.array(hvp(flat, (vector,), (direction,)), float)

    name = method.lower() if isinstance(method, str) else ""
    if name in NO_GRADIENT:
        return {"fun": lambda vector: float(flat(Tensor(vector, requires_grad=False)))}
    given: dict[str, Any] = {"fun": value_and_gradient, "jac": True}
    if name in HESSIAN_PRODUCTS:
        given["hessp"] = product
    if name in HESSIAN:
        given["hess"] = lambda vector: np.array(hessian(flat)(vector), float)
    return given
