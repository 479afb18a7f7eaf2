"""Differences, integrals, interpolation, polynomials and convolutions of vectors: numerical calculus.

Apart from `Convolve`, which is linear in each of its two vectors, all are composed of other functions of ours.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..dispatch import implements
from ..graph import Op
from .arguments import array, floating, value
from .axes import along, negative_axis
from .joining import concatenate
from .matrices import vander
from .shape import flip, ravel, reshape

__all__ = [
    "convolve",
    "correlate",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
    "gradient",
    "interp",
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
    "trapezoid",
    "unwrap",
]


# ---------------------------------------------------------------------------------------------- differences, sums


@implements(np.diff)
def diff(x: Any, /, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the differences of neighbours along an axis, n times.

    Parameters
    ----------
    x : Tensor or array_like
        At least one axis.
    n : int
        How often.
    axis : int
        Along which.
    prepend, append : Tensor or array_like, optional
        What to join to the beginning and the end first.
    """
    x = array(x)
    n = operator.index(n)
    if n < 0 or not x.ndim:
        raise ValueError(f"diff: n={n} differences of shape {tuple(x.shape)}; n from 0, and an axis, are wanted")
    at = negative_axis(axis, x.ndim)
    parts = [p for p in (_edge(prepend, x, at), x, _edge(append, x, at)) if p is not None]
    x = concatenate(parts, at) if n and len(parts) > 1 else x
    for _ in range(n):
        after, before = x[along(at, slice(1, None))], x[along(at, slice(None, -1))]
        x = after != before if x.dtype == bool else after - before
    return x


def _edge(part: Any, x: Any, at: int) -> Any:
    if part is None or part is np._NoValue:
        return None
    part = array(part)
    shape = list(x.shape)
    shape[at] = 1
    return part if part.ndim else np.broadcast_to(part, shape)


@implements(np.ediff1d)
def ediff1d(x: Any, /, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of neighbours of the flattened array, with more at both ends if wanted."""
    middle = ravel(array(x))
    middle = middle[1:] - middle[:-1]
    parts = [ravel(array(p)) for p in (to_begin, middle, to_end) if p is not None]
    if not all(np.can_cast(p.dtype, middle.dtype, "same_kind") for p in parts):
        raise TypeError(f"ediff1d: to_begin and to_end must fit in the dtype of x, {middle.dtype}")
    return concatenate([p.astype(middle.dtype) for p in parts])


def _cumulative(x: Any, axis: int | None, dtype: Any, include_initial: bool, running: Any, initial: int) -> Any:
    x = np.atleast_1d(array(x))
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative: name the axis of shape {tuple(x.shape)}; it may be left out for one axis")
    at = negative_axis(-1 if axis is None else axis, x.ndim)
    result = running(x, axis=at, dtype=dtype)
    if not include_initial:
        return result
    shape = list(x.shape)
    shape[at] = 1
    return concatenate([np.full_like(result, initial, shape=shape), result], at)


@implements(np.cumulative_sum)
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Return running sums along an axis, beginning with 0 if ``include_initial``."""
    return _cumulative(x, axis, dtype, include_initial, np.cumsum, 0)


@implements(np.cumulative_prod)
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Return running products along an axis, beginning with 1 if ``include_initial``."""
    return _cumulative(x, axis, dtype, include_initial, np.cumprod, 1)


@implements(np.gradient)
def gradient(f: Any, /, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return the slope at every place, from its neighbours: what ``numpy.gradient`` computes.

    Parameters
    ----------
    f : Tensor or array_like
        Values on a grid.
    *varargs : Tensor or array_like
        The distance, or the coordinates, one for all axes or one for each; differentiable.
    axis : int or sequence of int, optional
        Axes to go along, by default all.
    edge_order : {1, 2}
        Accuracy at the ends.

    Returns
    -------
    Tensor or ndarray, or a tuple of them
        One for each axis.
    """
    f = array(f)
    if f.dtype == bool:
        raise TypeError("gradient: of booleans; write f.astype(float)")
    f = floating(f)
    axes = list(range(-f.ndim, 0)) if axis is None else [negative_axis(int(a), f.ndim) for a in np.atleast_1d(axis)]
    if len(varargs) not in (0, 1, len(axes)):
        raise ValueError(f"gradient: {len(varargs)} distances for {len(axes)} axes; give one for all, or one each")
    steps = list(varargs) * (len(axes) if len(varargs) == 1 else 1) or [1.0] * len(axes)
    results = tuple(_slope(f, array(h) if np.ndim(h) else h, a, edge_order) for a, h in zip(axes, steps, strict=True))
    return results[0] if len(axes) == 1 else results


def _slope(f: Any, h: Any, at: int, edge_order: int) -> Any:
    """Return the slope along one axis, for one distance or for coordinates."""
    if f.shape[at] < edge_order + 1 or edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order={edge_order} with {f.shape[at]} places; at least edge_order + 1")
    curved = np.ndim(h) > 0
    if curved and len(h) != f.shape[at]:
        raise ValueError(f"gradient: {len(h)} coordinates for {f.shape[at]} places; as many are wanted")
    x = np.moveaxis(f, at, -1)
    d = diff(h) if curved else np.ones_like(x, shape=(x.shape[-1] - 1,)) * h
    left, right = d[:-1], d[1:]
    rises = diff(x) / d
    if edge_order == 1:
        first, last = rises[..., :1], rises[..., -1:]
    else:
        first = rises[..., :1] - d[:1] * (rises[..., 1:2] - rises[..., :1]) / (d[:1] + d[1:2])
        last = rises[..., -1:] + d[-1:] * (rises[..., -1:] - rises[..., -2:-1]) / (d[-1:] + d[-2:-1])
    if curved:
        middle = (left * rises[..., 1:] + right * rises[..., :-1]) / (left + right)
    else:
        middle = (x[..., 2:] - x[..., :-2]) / (2.0 * h)
    return np.moveaxis(concatenate([first, middle, last], -1), -1, at).astype(f.dtype)


@implements(np.trapezoid)
def trapezoid(y: Any, /, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Return the integral by the trapezoidal rule along an axis; differentiable in the places x too."""
    y = array(y)
    at = negative_axis(axis, y.ndim)
    if x is None:
        d = dx
    elif np.ndim(x) == 1:
        d = reshape(diff(array(x)), (-1,) + (1,) * (-at - 1))
    else:
        d = diff(array(x), axis=at)
    return np.sum(d * (y[along(at, slice(1, None))] + y[along(at, slice(None, -1))]) / 2.0, axis=at)


@implements(np.unwrap)
def unwrap(p: Any, /, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """Return the angles with jumps of whole periods taken away."""
    p = array(p)
    return Unwrap.apply(p, axis=negative_axis(axis, p.ndim), discont=discont, period=period)


class Unwrap(Op):
    """The values plus multiples of the period."""

    holomorphic = False
    cases = (((5,), {"axis": -1, "discont": None, "period": 0.7}),)

    @staticmethod
    def forward(p: Any, *, axis: int, discont: float | None, period: float) -> Any:
        return np.unwrap(p, discont, axis, period=period)

    @staticmethod
    def backward(grad: Any, _out: Any, _p: Any, *, axis: int, discont: float | None, period: float) -> Any:  # noqa: ARG004
        return grad


# ---------------------------------------------------------------------------------------------- interpolation


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, /, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """Interpolate linearly between points, beyond them constant.

    Parameters
    ----------
    x : Tensor or array_like
        Where to evaluate.
    xp, fp : Tensor or array_like
        Coordinates of the points, in ascending order of ``xp``; the result is differentiable in both, and in x.
    left, right : number, optional
        The value before the first point and behind the last, by default theirs.
    period : float, optional
        The points repeat with this period; then ``xp`` need not be in order.

    Notes
    -----
    At a point the slope with respect to x is that of the interval behind it.
    """
    x, xp, fp = floating(x), floating(xp), floating(fp)
    if "c" in (x.dtype.kind, xp.dtype.kind):
        raise TypeError("interp: complex numbers have no order; x and xp must be real")
    if xp.ndim != 1 or xp.shape != fp.shape or not len(xp):
        raise ValueError(f"interp: xp {tuple(xp.shape)} and fp {tuple(fp.shape)}; two vectors of one length are wanted")
    if period is not None:
        if period == 0:
            raise ValueError("interp: period=0; another number is wanted")
        x, xp, left, right = x % abs(period), xp % abs(period), None, None
        order = np.argsort(value(xp))
        xp, fp = xp[order], fp[order]
        xp = concatenate([xp[-1:] - abs(period), xp, xp[:1] + abs(period)])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    places, points = value(x), value(xp)
    if len(points) == 1:
        inside = fp[np.zeros(places.shape, int)]
    else:
        i = np.clip(np.searchsorted(points, places, "right") - 1, 0, len(points) - 2)
        a, b, ends = xp[i], xp[i + 1], places >= points[-1]
        inside = np.where(ends, fp[-1], fp[i] + (fp[i + 1] - fp[i]) * ((x - a) / (b - a)))
    outside = np.where(places < points[0], fp[0] if left is None else left, inside)
    result = np.where(places > points[-1], fp[-1] if right is None else right, outside)
    return result.astype(np.result_type(result.dtype, float))


# ---------------------------------------------------------------------------------------------- polynomials


@implements(np.polyval)
def polyval(p: Any, x: Any, /) -> Any:
    """Evaluate a polynomial, highest power first, by Horner's rule."""
    p, x = array(p), array(x)
    y = np.zeros_like(x)
    for i in range(len(p)):
        y = y * x + p[i]
    return y


def _longer(x: Any, n: int) -> Any:
    return concatenate([np.zeros_like(x, shape=(n - len(x),)), x]) if len(x) < n else x


@implements(np.polyadd)
def polyadd(a: Any, b: Any, /) -> Any:
    """Add polynomials, highest power first."""
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    n = max(len(a), len(b))
    return _longer(a, n) + _longer(b, n)


@implements(np.polysub)
def polysub(a: Any, b: Any, /) -> Any:
    """Subtract polynomials, highest power first."""
    return polyadd(a, np.negative(b))


@implements(np.polymul)
def polymul(a: Any, b: Any, /) -> Any:
    """Multiply polynomials, highest power first."""
    return convolve(np.atleast_1d(a), np.atleast_1d(b))


@implements(np.polyder)
def polyder(p: Any, /, m: int = 1) -> Any:
    """Differentiate a polynomial m times, highest power first."""
    p = array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, /, m: int = 1, k: Any = None) -> Any:
    """Integrate a polynomial m times, highest power first; k are the constants of integration."""
    p = array(p)
    constants = np.broadcast_to(0.0 if k is None else array(k), (m,))
    for i in range(m):
        p = concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


@implements(np.polydiv)
def polydiv(u: Any, v: Any, /) -> tuple[Any, Any]:
    """Divide polynomials, highest power first: quotient and remainder."""
    u, v = np.atleast_1d(floating(u)), np.atleast_1d(floating(v))
    n, quotient = len(v), []
    for _ in range(max(len(u) - n + 1, 1)):
        quotient.append(u[:1] / v[:1] if len(u) >= n else np.zeros_like(u, shape=(1,)))
        u = concatenate([u[1:n] - quotient[-1] * v[1:], u[n:]]) if len(u) >= n else u
    while len(u) > 1 and np.allclose(value(u[0]), 0, rtol=1e-14):
        u = u[1:]
    return concatenate(quotient), u if len(u) else np.zeros_like(v, shape=(1,))


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: int, /, rcond: Any = None, full: bool = False, w: Any = None, cov: bool = False
) -> Any:
    """Return the polynomial of a degree that fits points best, highest power first; differentiable in all of them.

    Parameters
    ----------
    x, y : Tensor or array_like
        The points; y may have several columns.
    deg : int
        The degree.
    rcond : float, optional
        Singular values smaller than this count as zero.
    full, cov : bool
        Refused: only the coefficients are returned.
    w : Tensor or array_like, optional
        A weight for each point.
    """
    if full or cov:
        raise NotImplementedError("polyfit: full and cov are not there; write lstsq(vander(x, deg + 1), y)")
    x, y = floating(x), floating(y)
    powers = vander(x, deg + 1)
    if w is not None:
        powers, y = powers * array(w)[:, None], y * (array(w)[:, None] if y.ndim == 2 else array(w))
    size = np.sqrt(np.sum(powers * powers, axis=0))
    small = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    found = np.linalg.lstsq(powers / size, y, small)[0]
    return found / (size[:, None] if y.ndim == 2 else size)


@implements(np.poly)
def poly(x: Any, /) -> Any:
    """Return the coefficients of the polynomial with these roots, or of a matrix's characteristic one."""
    x = array(x)
    zeros = np.linalg.eigvals(x) if x.ndim == 2 else np.atleast_1d(x)
    zeros = zeros.astype(np.mintypecode(zeros.dtype.char))
    result = np.ones_like(zeros, shape=(1,))
    for i in range(len(zeros)):
        result = convolve(result, concatenate([np.ones_like(zeros, shape=(1,)), -zeros[i : i + 1]]))
    real = result.dtype.kind == "c" and np.all(np.sort(value(zeros)) == np.sort(np.conj(value(zeros))))
    return np.real(result) if real else result


@implements(np.roots)
def roots(p: Any, /) -> Any:
    """Return the roots of a polynomial, highest power first: eigenvalues of its companion matrix."""
    p = floating(p)
    used = np.flatnonzero(value(p))
    if not used.size:
        return np.zeros_like(p, shape=(0,))
    zeros = len(p) - used[-1] - 1
    p = p[used[0] : used[-1] + 1]
    n = len(p) - 1
    if not n:
        return np.zeros_like(p, shape=(int(zeros),))
    companion = concatenate([reshape(-p[1:] / p[0], (1, n)), np.eye(n, dtype=p.dtype)[:-1]])
    found = np.linalg.eigvals(companion)
    return concatenate([found, np.zeros_like(found, shape=(int(zeros),))])


# ---------------------------------------------------------------------------------------------- convolution


class Convolve(Op):
    """The convolution of two vectors, all of it or the part where they overlap wholly.

    x gets convolve(g, flip(y), 'valid' if mode == 'full' else 'full');
    y gets correlate(g, x, 'valid') if mode == 'full' else flip(correlate(x, g, 'valid')).
    """

    linear, holomorphic = "each", True
    cases = (((5,), (3,), {"mode": "full"}), ((5,), (3,), {"mode": "valid"}), ((3,), (1,), {"mode": "valid"}))

    @staticmethod
    def forward(x: Any, y: Any, *, mode: Any) -> Any:
        return np.convolve(x, y, mode)

    @staticmethod
    def backward(grad: Any, _out: Any, x: Any, y: Any, *, mode: str) -> Any:
        if mode == "full":
            return _slid(grad, y), _slid(grad, x)
        return Convolve.apply(grad, np.flip(y), mode="full"), np.flip(_slid(x, grad))


def _slid(long: Any, short: Any) -> Any:
    """Sums of products of a short vector with every part of a long one."""
    return Convolve.apply(long, np.flip(short), mode="valid")


@implements(np.convolve)
def convolve(x: Any, y: Any, /, mode: str = "full") -> Any:
    """Return the convolution of two vectors.

    Parameters
    ----------
    x, y : Tensor or array_like
        Vectors, of one element at least.
    mode : {"full", "same", "valid"}
        All of it; the middle, as long as the longer; or only where they overlap wholly.
    """
    x, y = np.atleast_1d(array(x)), np.atleast_1d(array(y))
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size:
        raise ValueError(
            f"convolve: shapes {tuple(x.shape)} and {tuple(y.shape)}; two vectors that are not empty are wanted"
        )
    x, y = (y, x) if y.size > x.size else (x, y)
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode={mode!r}; 'full', 'same' or 'valid' is wanted")
    if mode != "same":
        return Convolve.apply(x, y, mode=mode)
    start = (y.size - 1) // 2
    return Convolve.apply(x, y, mode="full")[start : start + x.size]


@implements(np.correlate)
def correlate(x: Any, y: Any, /, mode: str = "valid") -> Any:
    """Return the correlation of two vectors: the convolution with the second one reversed and conjugated."""
    x, y = np.atleast_1d(array(x)), np.atleast_1d(array(y))
    back = flip(np.conj(y) if y.dtype.kind == "c" else y)
    if mode == "same" and y.size > x.size:
        start = x.size - 1 - (x.size - 1) // 2
        return convolve(x, back)[start : start + y.size]
    return convolve(x, back, mode)
