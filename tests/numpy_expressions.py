"""What is tried of NumPy's surface: expressions in a few named arrays, one a line.

`test_numpy_names` checks the value and two derivatives of each, and the table in ``docs/numpy-coverage.md`` is
made of them (``python tests/numpy_coverage.py``).
"""

import numpy as np

_rng = np.random.default_rng(7)


def _spread(*shape):
    """Numbers from 0.5 to 2.5 in random order, far enough from each other for differences."""
    n = int(np.prod(shape, dtype=int))
    return (0.5 + 2 * _rng.permutation(n) / max(n, 1) + _rng.uniform(0, 0.5 / max(n, 1), n)).reshape(shape)


def _complex(*shape):
    return _spread(*shape) - 1.2 + 1j * (_spread(*shape) - 1.7)


ARRAYS = {
    "x": _spread(3, 4),
    "y": _spread(3, 4),
    "v": _spread(5),
    "w": _spread(5),
    "r": _spread(4),
    "c": _spread(3, 1),
    "s": _spread(),
    "m": _spread(3, 3),
    "k": _spread(2, 3, 4),
    "a": np.sort(_spread(6)),
    "z": _complex(3, 4),
    "q": _complex(5),
    "e": np.zeros((0, 3)),
    "h": np.where(np.arange(12).reshape(3, 4) % 5 == 1, np.nan, _spread(3, 4)),
    "o": np.array([1.0, 0.0, 2.0, 0.0, 3.0]),
    "p": _spread(5) - 1.4,
    "j": _spread(3, 4) - 1.3,
    "u": _spread(5) / 4 + 0.05,
}
INDEX = {
    "I": np.array([2, 0, 2, 1]),
    "J": np.array([[3, 0], [1, 1], [2, 0]]),
    "B": np.arange(12).reshape(3, 4) % 3 == 0,
    "N": np.arange(12).reshape(3, 4) - 5,
}

ELEMENTWISE = """
np.abs(j)  np.abs(z)  np.absolute(j)  np.acos(u)  np.arccos(u)  np.acosh(x + 1)  np.arccosh(x + 1)  np.add(x, r)
np.add(z, x)  np.angle(z)  np.angle(z, deg=True)  np.asin(u)  np.arcsin(u)  np.asinh(j)  np.arcsinh(z)  np.atan(j)
np.arctan(q / 4)  np.atan2(j, x)  np.arctan2(x, j)  np.atanh(u)  np.arctanh(u)  np.cbrt(x)  np.conj(z)  np.conjugate(x)
np.copysign(x, j)  np.cos(x)  np.cos(z)  np.cosh(x)  np.cosh(z)  np.deg2rad(x)  np.degrees(x)  np.divide(x, c)
np.divide(x, z)  np.divide(z, r)  np.true_divide(x, y)  np.divmod(x, r)[1]  np.exp(x)  np.exp(z)  np.exp2(x)
np.expm1(x)  np.expm1(z)  np.fabs(j)  np.float_power(x, r)  np.fmax(x, y)  np.fmin(x, c)  np.fmod(x, r)
np.frexp(x)[0]  np.heaviside(N * 1.0, s)  np.hypot(x, j)  np.hypot(o, v)  np.ldexp(x, N)  np.log(x)  np.log(z)
np.log10(x)  np.log10(z)  np.log1p(x)  np.log1p(z)  np.log2(x)  np.log2(z)  np.logaddexp(x, r)  np.logaddexp2(x, r)
np.maximum(x, y)  np.maximum(x, s)  np.minimum(x, y)  np.modf(x)[0]  np.multiply(x, c)  np.multiply(z, x)
np.negative(x)  np.nextafter(x, y)  np.positive(z)  np.pow(x, r)  np.power(x, c)  np.power(z, 3)  np.power(x, 2)
np.power(x, z)  np.power(z, q[:4])  np.rad2deg(x)  np.radians(x)  np.reciprocal(x)  np.reciprocal(z)
np.remainder(x, r)  np.remainder(j, -r)  np.mod(x, s)  np.sign(z)  np.sin(x)  np.sin(z)  np.sinc(j)  np.sinc(x * 0.01)
np.sinh(x)  np.sinh(z)  np.sqrt(x)  np.sqrt(z)  np.square(x)  np.square(z)  np.subtract(x, c)  np.tan(u)  np.tan(z)
np.tanh(x)  np.tanh(z)  np.imag(z)  np.real(z)  np.real(x)  np.real_if_close(z)  np.nan_to_num(h)  np.unwrap(v * 5)
np.unwrap(x * 3, axis=0)  np.clip(x, 1.0, 2.0)  np.clip(x, r, r + 0.5)  np.clip(x, None, c)  np.clip(x, s, None)
np.where(B, x, y)  np.where(B, r, s)  np.where(B, z, x)  np.astype(x, np.complex128)
"""

REDUCTIONS = """
np.sum(x)  np.sum(x, axis=-2)  np.sum(k, axis=(0, -1), keepdims=True)  np.sum(z, axis=1)  np.sum(s)  np.sum(e, axis=0)
np.sum(x, where=B, axis=0)  np.sum(x, initial=2.0)  np.sum(x, dtype=np.complex128)  np.mean(x, axis=0)  np.mean(z)
np.mean(k, axis=(1, 2))  np.mean(x, where=B)  np.mean(x, axis=())  np.prod(x)  np.prod(k, axis=(0, 2))  np.prod(o)
np.prod(o * o[::-1])  np.prod(z, axis=0)  np.prod(x, axis=1, keepdims=True)  np.prod(e)  np.prod(x, where=B, axis=1)
np.std(x)  np.std(x, axis=0, ddof=1)  np.std(z, axis=1)  np.std(k, axis=(0, 2), correction=0.5, keepdims=True)
np.var(x, axis=1)  np.var(z)  np.var(x, axis=0, correction=1)  np.max(x)  np.max(k, axis=(0, -1))  np.amax(x, axis=0)
np.min(x, axis=1, keepdims=True)  np.amin(k)  np.max(x, axis=0, initial=1.5)  np.max(x, axis=1, where=B, initial=0.0)
np.ptp(x)  np.ptp(x, axis=0)  np.cumsum(x)  np.cumsum(k, axis=1)  np.cumsum(z, axis=0)  np.cumprod(x)
np.cumprod(k, axis=1)  np.cumprod(o)  np.cumprod(z, axis=-1)  np.cumprod(e, axis=0)  np.cumulative_sum(v)
np.cumulative_sum(x, axis=0, include_initial=True)  np.cumulative_prod(x, axis=1, include_initial=True)
np.cumulative_prod(o)  np.average(k, (2, 0), np.ones((4, 2)) + k[:, 0].T**2)
np.average(x)  np.average(x, axis=0, weights=c[:, 0])  np.average(x, weights=y)
np.average(x, axis=1, weights=r, keepdims=True)  np.median(x)  np.median(x, axis=0)  np.median(k, axis=(0, 2))
np.median(v, keepdims=True)  np.nansum(h)  np.nansum(h, axis=0)  np.nanprod(h, axis=1)  np.nanmean(h, axis=0)
np.nanmean(h)  np.nanvar(h, axis=1)  np.nanvar(x, ddof=1)  np.nanstd(h, axis=0, ddof=1)  np.nanmax(h, axis=0)
np.nanmin(h)  np.nancumsum(h, axis=1)  np.nancumprod(h)  np.nanmedian(h, axis=0)  np.nanquantile(h, 0.3, axis=1)
np.nanquantile(h, [0.1, 0.6], axis=0)  np.nanpercentile(h, 40)  np.cov(x)  np.cov(x, y)  np.cov(z, rowvar=False)
np.cov(v, w, ddof=0)  np.cov(x, fweights=I, aweights=r)  np.cov(v)  np.corrcoef(x)  np.corrcoef(v, w)
np.corrcoef(z, rowvar=False)  np.quantile(x, 0.3)  np.quantile(x, [0.0, 0.25, 1.0], axis=0)
np.quantile(k, u, axis=(0, 2))
np.quantile(v, u[:2], keepdims=True)  np.percentile(x, 30, axis=1)  np.percentile(v, [10.0, 90.0])
np.quantile(v, 0.37, method="inverted_cdf")  np.quantile(v, 0.37, method="averaged_inverted_cdf")
np.quantile(v, 0.37, method="closest_observation")  np.quantile(v, 0.37, method="interpolated_inverted_cdf")
np.quantile(v, 0.37, method="hazen")  np.quantile(v, 0.37, method="weibull")  np.quantile(v, 0.37, method="lower")
np.quantile(v, 0.37, method="higher")  np.quantile(v, 0.37, method="midpoint")  np.quantile(v, 0.37, method="nearest")
np.quantile(v, 0.37, method="median_unbiased")  np.quantile(v, 0.37, method="normal_unbiased")  np.trace(m)
np.trace(k, 1, 2, 1)  np.add.reduce(x)  np.add.reduce(x, axis=1)  np.multiply.reduce(x, axis=1)  np.maximum.reduce(x)
np.minimum.reduce(x, axis=(0, 1))  np.fmax.reduce(h)  np.fmin.reduce(h, axis=1)  np.hypot.reduce(x, axis=1)
np.subtract.reduce(x, axis=1, keepdims=True)  np.logaddexp.reduce(x, axis=0)  np.divide.reduce(x)
np.add.accumulate(x)  np.multiply.accumulate(x, axis=1)  np.maximum.accumulate(x, axis=1)  np.subtract.accumulate(v)
np.add.reduceat(v, [0, 3, 1])  np.multiply.reduceat(x, [0, 2], axis=1)  np.multiply.outer(v, x)  np.add.outer(x, v)
np.power.outer(v, r)  np.bincount(I, weights=r)  np.bincount(I, weights=r, minlength=6)
"""

SHAPES = """
np.append(x, y)  np.append(x, c, axis=1)  np.array_split(v, 3)  np.array_split(x, [1, 3], axis=-1)  np.atleast_1d(s)
np.atleast_2d(v)  np.atleast_3d(x)  np.atleast_2d(s, v)  np.block([[x, c], [y, c]])  np.block([v, w])  np.block(s)
np.broadcast_to(r, (2, 3, 4))  np.broadcast_to(s, (2,))  np.broadcast_arrays(x, c, s)  np.column_stack([v, w])
np.column_stack([x, c])  np.concat([x, c], axis=1)  np.concatenate([x, y])  np.concatenate([z, x], axis=-1)
np.concatenate([x, c], axis=None)  np.copy(x)  np.delete(x, 1, axis=0)  np.delete(v, [0, 3])  np.diag(v)  np.diag(x, 1)
np.diag(v, -2)  np.diagflat(x)  np.diagonal(x, -1)  np.diagonal(k, 1, 0, 2)  np.dsplit(k, 2)  np.dstack([x, y])
np.dstack([v, w])  np.expand_dims(x, (0, -1))  np.expand_dims(s, 0)  np.flip(x)  np.flip(k, (0, -1))  np.fliplr(x)
np.flipud(x)  np.full_like(x, s)
np.hsplit(x, 2)  np.hsplit(v, [2])  np.hstack([v, w])  np.hstack([x, c])
np.insert(x, 1, 2.0)  np.insert(x, [0, 3], c, axis=1)  np.insert(x, 1, r, axis=0)
np.insert(v, [1, 1], w[:2])  np.kron(x, m)  np.kron(v, w)  np.kron(z, v)  np.kron(s, x)  np.matrix_transpose(k)
np.meshgrid(v, r)  np.meshgrid(v, r, indexing="ij")  np.meshgrid(v, r, c[:, 0], sparse=True)  np.moveaxis(k, 0, -1)
np.moveaxis(k, [0, 1], [-1, -2])  np.pad(x, 1)  np.pad(x, ((1, 0), (2, 1)), mode="reflect")  np.pad(v, 2, mode="edge")
np.pad(v, (3, 4), mode="wrap")  np.pad(x, 2, mode="symmetric")
np.pad(x, 2, "maximum")  np.pad(x, ((1, 2), (0, 3)), "minimum", stat_length=2)
np.pad(x, 2, "mean", stat_length=((1, 2), (3, 1)))
np.pad(x, (1, 2), "median")  np.pad(x, {1: (2, 1)}, "median", stat_length=3)  np.pad(x, 3, "linear_ramp")
np.pad(x, (2, 3), "linear_ramp", end_values=((1.5, -2), (0, 4)))  np.pad(x, 2, constant_values=((1, 2), (3, 4.5)))
np.pad(x, 2, mode="reflect", reflect_type="odd")  np.pad(v, (13, 9), mode="reflect", reflect_type="odd")
np.pad(v, (17, 4), mode="symmetric", reflect_type="odd")  np.pad(x, ((0, 7), (1, 0)), "symmetric", reflect_type="odd")
np.permute_dims(k, (2, 0, 1))  np.ravel(x)
np.repeat(x, 2)  np.repeat(x, 3, axis=0)  np.repeat(x, I, axis=1)  np.repeat(k, 2, axis=-2)  np.reshape(x, (2, -1))
np.resize(v, (2, 4))  np.roll(x, 2)  np.roll(x, (1, -3), (0, 1))  np.rollaxis(k, 2)  np.rollaxis(k, 0, 3)
np.rollaxis(k, -1, 1)  np.rot90(x)  np.rot90(k, 3, (0, 2))  np.rot90(x, 2)  np.split(x, 2, axis=1)  np.split(v, [1, 3])
np.squeeze(c)  np.squeeze(c, -1)  np.stack([x, y], axis=1)  np.stack([s, s * 2])  np.swapaxes(k, 0, 2)  np.tile(x, 2)
np.tile(v, (2, 1, 2))  np.transpose(k)  np.transpose(k, (1, 0, 2))  np.tril(x)  np.tril(k, -1)  np.tril(v)
np.triu(x, 1)
np.trim_zeros(o * v)  np.unstack(x, axis=1)  np.vander(v)  np.vander(v, 3, increasing=True)  np.vsplit(x, [1])
np.vstack([v, w])  np.vstack([x, r])  np.vstack([v, w], dtype=complex)  np.hstack([x, c], dtype=np.float64)
np.concatenate([x, y], dtype=complex)  np.stack([s, s * 2], dtype=complex, casting="safe")
np.lib.stride_tricks.sliding_window_view(x, (2, 3))
np.lib.stride_tricks.sliding_window_view(v, 2)  np.lib.stride_tricks.sliding_window_view(x, (2, 2), (0, 0))
np.apply_along_axis(lambda row: row[1:] * row[:1], 1, x)  np.apply_along_axis(np.sum, 0, k)
np.apply_over_axes(np.sum, k, [0, 2])
"""

ORDER = """
np.sort(x)  np.sort(x, axis=0)  np.sort(k, axis=1)  np.sort(x, axis=None)  np.sort(e, axis=0)  np.sort(z)
np.sort_complex(q)  np.partition(v, 2)  np.partition(x, (0, 2), axis=1)  np.unique(v)  np.unique_values(x)
np.unique_all(v)[0]  np.unique_counts(v).values  np.unique_inverse(x).values  np.unique(x, axis=0)
np.unique(v, return_counts=True)[0]  np.union1d(v, w + 5)  np.intersect1d(v, v[1:4])  np.setdiff1d(v, v[:2])
np.setxor1d(v, v[:2])  np.take(x, I)  np.take(x, I[:3], axis=0)  np.take(x, J, axis=1, mode="wrap")  np.take(v, 2)
np.take(x, -1, axis=1)  np.take(v, [7, -9], mode="clip")  np.take_along_axis(x, J, axis=1)
np.take_along_axis(x, J[:, :1], axis=-1)
np.take_along_axis(x, I, axis=None)  np.compress([True, False, True], x, axis=0)  np.extract(B, x)
np.choose(I % 3, x[:, :4])  np.choose(I % 2, [r, s])  np.select([B, j > 0], [x, r], 3.0)  np.select([B], [z], x)
np.piecewise(j, [j < 0, j >= 0], [lambda t: -t, lambda t: t**2])  np.piecewise(v, [v > 1], [np.log, 2.0])
np.interp(v, a, np.cos(a))  np.interp(x + 5, a, a**2, left=1.0)  np.interp(v * 3, u, w, period=2.0)
"""

CALCULUS = """
np.diff(x)  np.diff(x, n=2, axis=0)  np.diff(v, prepend=0.0)  np.diff(x, append=c, axis=1)  np.diff(z, axis=0)
np.ediff1d(x)  np.ediff1d(v, to_begin=1.0, to_end=[2.0, 3.0])  np.gradient(v)  np.gradient(x)  np.gradient(x, axis=0)
np.gradient(x, 0.5, edge_order=2)  np.gradient(x, a[:4], axis=1)  np.gradient(x, a[:3], a[2:], edge_order=2)
np.gradient(v, s)  np.trapezoid(x)  np.trapezoid(v, a[:5])  np.trapezoid(x, a[:3], axis=0)  np.trapezoid(x, y, axis=1)
np.trapezoid(v, dx=s)  np.convolve(v, r)  np.convolve(r, v, "same")  np.convolve(v, r, "valid")  np.convolve(q, r)
np.convolve(r, v, "valid")  np.correlate(v, r)  np.correlate(v, r, "full")  np.correlate(r, v, "same")
np.correlate(v, r, "same")  np.correlate(q, q[:3], "full")  np.correlate(q[:3], q)  np.polyval(r, x)  np.polyadd(r, v)
np.polysub(v, r)  np.polymul(v, r)  np.polyder(v)  np.polyder(v, 2)  np.polyint(v)  np.polyint(r, 2, k=[1.0, 2.0])
np.poly(v)  np.roots(v)  np.polydiv(v, r[:3])  np.polydiv(r, v)
np.polyfit(v, w, 2)  np.polyfit(a[:3], x, 1)  np.polyfit(v, w, 1, w=p)
np.linspace(s, v, 4)  np.linspace(v, 3.0, 5, endpoint=False, axis=1)
np.linspace(s, 2.0, 1)
np.logspace(s, v, 3)  np.logspace(s, v, 3, base=w)  np.logspace(s, r, 3, base=x, axis=1)
np.pad(x, 1, constant_values=s)  np.pad(s, 1)  np.choose(J[:, :1] % 2, [r, s])  np.choose(I % 2, [s, 2 * s])
np.average(x, axis=1, weights=[1, 2, 3, 4], returned=True)
np.geomspace(v, 7.0, 4)  np.geomspace(s, w, 3, endpoint=False, axis=-1)
np.linspace(s, 3.0, 4, retstep=True)
"""

PRODUCTS = """
np.cross(m, m[::-1])  np.cross(m, c[:, 0])  np.cross(m, m.T, axisa=0)  np.dot(v, w)  np.dot(x, r)  np.dot(s, x)
np.dot(k, y.T)  np.einsum("ij,kj->ik", x, y)  np.einsum("ii->i", m)  np.einsum("ij->", z)  np.einsum("...j,j", k, r)
np.einsum("ij,ij,ij->j", x, y, j, optimize=True)  np.einsum(x, [0, 1], r, [1], [0])  np.einsum("iji->j", k[:, :, :2])
np.inner(x, y)  np.inner(v, w)  np.inner(k, x)  np.matmul(x, r)  np.matmul(v, w)  np.matmul(k, y.T)  np.matmul(z, x.T)
np.matvec(k, r)  np.vecmat(c[:, 0], x)  np.vecmat(z[:, 0], z)  np.outer(x, v)  np.outer(q, q)  np.tensordot(k, x)
np.tensordot(k, x, axes=([1], [0]))  np.tensordot(v, w, axes=0)  np.vdot(x, y)  np.vdot(z, z + 1)  np.vecdot(x, r)
np.vecdot(z, y)  np.vecdot(x, y, axis=0)  np.linalg.outer(v, r)  np.linalg.vecdot(x, y)  np.linalg.trace(m)
np.linalg.diagonal(k)  np.linalg.cross(m, m.T)  np.linalg.matmul(x, y.T)  np.linalg.tensordot(x, y)
np.linalg.matrix_transpose(x)  np.linalg.det(m)  np.linalg.inv(m)  np.linalg.norm(x)  np.linalg.solve(m, x)
np.linalg.slogdet(m)[1]  np.linalg.pinv(x)  np.linalg.multi_dot([m, x, r])  np.linalg.matrix_power(m, 3)
np.linalg.matrix_norm(x)  np.linalg.vector_norm(x, axis=1)  np.linalg.svdvals(x)  np.linalg.svd(x)[1]
np.linalg.eigvalsh(m + m.T)  np.linalg.eigvals(m)  np.linalg.eig(m)[0]  np.linalg.eigh(m + m.T)[0]
np.linalg.cholesky(m @ m.T)  np.linalg.qr(m)[1]  np.linalg.lstsq(x.T, r)[0]  np.linalg.cond(m)
np.linalg.tensorinv(m, 1)  np.linalg.tensorsolve(m, c[:, 0])
"""

# Derivatives of these do not exist or are zero: their results are constants.
CONSTANT = """
np.all(x)  np.any(B, axis=0)  np.allclose(x, y)  np.argmax(x)  np.argmin(x, axis=0)  np.argpartition(v, 2)
np.argsort(x, axis=0)  np.argwhere(o)  np.around(x)  np.array_equal(x, y)  np.array_equiv(x, y)  np.array2string(v)
np.array_repr(v)  np.array_str(v)  np.bitwise_and(N, 3)  np.bitwise_count(I)  np.bitwise_or(N, 3)  np.bitwise_xor(N, 3)
np.can_cast(np.float64, np.float32)  np.ceil(x)  np.common_type(x, z)  np.count_nonzero(o)  np.digitize(v, a)
np.einsum_path("ij,kj", x, y)  np.empty_like(x) * 0  np.equal(x, y)  np.fix(j)  np.flatnonzero(o)  np.floor(x)
np.floor_divide(x, r)  np.frexp(x)[1]  np.gcd(I, 6)  np.greater(x, y)  np.greater_equal(x, y)  np.histogram(v, 3)[0]
np.histogram2d(v, w, 2)[0]  np.histogram_bin_edges(v, 3)  np.histogramdd(x, 2)[0]  np.histogramdd(x, 2)[1]
np.invert(N)  np.isclose(x, y)
np.iscomplex(z)  np.iscomplexobj(z)  np.isfinite(h)  np.isin(v, v[:2])  np.isinf(x)  np.isnan(h)  np.isneginf(x)
np.isposinf(x)  np.isreal(z)  np.isrealobj(x)  np.lcm(I, 6)  np.left_shift(I, 1)  np.less(x, y)  np.less_equal(x, y)
np.lexsort(x)  np.lexsort((w, v))  np.logical_and(o, v)  np.logical_not(o)  np.logical_or(o, v)  np.logical_xor(o, v)
np.may_share_memory(x, y)  np.min_scalar_type(s)  np.nanargmax(h, axis=0)  np.nanargmin(h, axis=1)  np.ndim(x)
np.nonzero(o)  np.not_equal(x, y)  np.ones_like(x)  np.result_type(x, z)  np.right_shift(I, 1)  np.rint(x)
np.round(x, 1)  np.searchsorted(a, v)  np.shape(x)  np.shares_memory(x, y)  np.sign(j)  np.signbit(j)  np.size(x)
np.spacing(x)  np.tril_indices_from(m)  np.triu_indices_from(m)  np.diag_indices_from(m)  np.trunc(j)  np.zeros_like(x)
np.unravel_index(I, (3, 4))  np.ravel_multi_index((I[:2], I[:2]), (3, 4))  np.linalg.matrix_rank(m)  np.ix_(I, I)
np.packbits(B)  np.unpackbits(np.array([7], np.uint8))
"""

# These write into their first argument, as NumPy's do, and return None.
IN_PLACE = """
np.copyto(x, y)  np.copyto(x, r, where=B)  np.fill_diagonal(m, s)  np.fill_diagonal(m, v[:3])  np.place(x, B, v)
np.put(x, [0, 5], v[:2])  np.put(x, [1, 13], s, mode="wrap")  np.put_along_axis(x, J[:, :1], c, axis=1)
np.putmask(x, B, y)  np.putmask(x, B, v)  np.add.at(v, I, r)  np.multiply.at(v, I, r)
np.subtract.at(x, (I[:2], I[:2]), s)
np.negative.at(v, [0, 2])
"""


def split(text):
    """List the expressions: two spaces or a line's end part them."""
    return [e.strip() for line in text.strip().splitlines() for e in line.split("  ") if e.strip()]


DIFFERENTIABLE = [e for t in (ELEMENTWISE, REDUCTIONS, SHAPES, ORDER, CALCULUS, PRODUCTS) for e in split(t)]
