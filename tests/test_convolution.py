"""Convolution and pooling: against loops over windows, with both derivatives, and as transposes of each other."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.directional import check

CONV = {1: tg.conv1d, 2: tg.conv2d, 3: tg.conv3d}
TRANSPOSED = {1: tg.conv_transpose1d, 2: tg.conv_transpose2d, 3: tg.conv_transpose3d}
MAX = {1: tg.max_pool1d, 2: tg.max_pool2d, 3: tg.max_pool3d}
AVG = {1: tg.avg_pool1d, 2: tg.avg_pool2d, 3: tg.avg_pool3d}


def windows(size, kernel, stride, dilation):
    """Every window's place, and the slices of the padded input under it."""
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)]
    for at in product(*map(range, out)):
        ends = zip(at, kernel, stride, dilation, strict=True)
        yield at, tuple(slice(i * s, i * s + d * (k - 1) + 1, d) for i, k, s, d in ends), tuple(out)


def padded(x, padding, value=0.0):
    return np.pad(x, [(0, 0)] * (x.ndim - len(padding)) + [(p, p) for p in padding], constant_values=value)


def loops(x, w, stride, padding, dilation, groups):
    """A convolution, one product of a window with a kernel after the other."""
    d, filters = w.ndim - 2, w.shape[0]
    x, per, each = padded(x, padding), w.shape[1], filters // groups
    result = None
    for at, under, out in windows(x.shape[2:], w.shape[2:], stride, dilation):
        result = np.zeros((len(x), filters, *out)) if result is None else result
        for f in range(filters):
            start = f // each * per
            part = x[(slice(None), slice(start, start + per), *under)]
            result[(slice(None), f, *at)] = np.sum(part * w[f], axis=tuple(range(1, d + 2)))
    return result


CASES = [
    (1, (2, 4, 9), (6, 2, 3), (2,), (1,), (2,), 2),
    (1, (1, 1, 5), (1, 1, 5), (1,), (0,), (1,), 1),
    (2, (2, 3, 6, 7), (4, 3, 3, 2), (1, 1), (1, 0), (1, 1), 1),
    (2, (2, 4, 7, 6), (4, 1, 2, 3), (2, 1), (1, 2), (2, 1), 4),
    (2, (1, 2, 5, 5), (2, 2, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    (3, (1, 2, 4, 5, 4), (2, 1, 2, 3, 2), (1, 2, 1), (0, 1, 1), (1, 1, 2), 2),
]


@pytest.mark.parametrize(("d", "xs", "ws", "stride", "padding", "dilation", "groups"), CASES)
def test_convolution(d, xs, ws, stride, padding, dilation, groups, rng):
    x, w, b = rng.standard_normal(xs), rng.standard_normal(ws), rng.standard_normal(ws[0])

    def f(x, w, b):
        return CONV[d](x, w, b, stride, padding, dilation, groups)

    expected = loops(x, w, stride, padding, dilation, groups) + b.reshape(-1, *(1,) * d)
    np.testing.assert_allclose(f(x, w, b), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(f(tg.Tensor(x), tg.Tensor(w), tg.Tensor(b)).numpy(), f(x, w, b))
    check(f, [x, w, b])
    np.testing.assert_allclose(f(x[0], w, b), expected[0], atol=1e-12)  # without a batch axis
    z = x + 1j * rng.standard_normal(xs)
    check(lambda z, w: CONV[d](z, w, None, stride, padding, dilation, groups), [z, w * 1j])


@pytest.mark.parametrize(("d", "xs", "ws", "stride", "padding", "dilation", "groups"), CASES)
def test_transposed_convolution(d, xs, ws, stride, padding, dilation, groups, rng):
    """<conv(x, w), g> = <x, conv_transpose(g, w)>; output_padding says which of several lengths x has."""
    x, w = rng.standard_normal(xs), rng.standard_normal(ws)
    y = CONV[d](x, w, None, stride, padding, dilation, groups)
    g = rng.standard_normal(y.shape)

    def f(g, w):
        return TRANSPOSED[d](g, w, None, stride, padding, extra, groups, dilation)

    extra = (0,) * d
    extra = tuple(a - b for a, b in zip(x.shape[2:], f(g, w).shape[2:], strict=True))
    assert f(g, w).shape == x.shape
    np.testing.assert_allclose(np.sum(y * g), np.sum(x * f(g, w)), rtol=1e-11)
    check(f, [g, w])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_small_dtypes(dtype, rng):
    x, w = rng.standard_normal((1, 2, 5, 5)).astype(dtype), rng.standard_normal((3, 2, 3, 3)).astype(dtype)
    x, w = tg.Tensor(x), tg.Tensor(w)
    y = tg.max_pool2d(tg.avg_pool2d(tg.conv2d(x, w, padding="same"), 2), 2)
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == w.grad.dtype == dtype


POOLS = [
    (1, (2, 3, 9), (3,), (2,), (1,), (2,)),
    (2, (2, 6, 7), (2, 3), (2, 3), (0, 1), (1, 1)),
    (2, (1, 2, 5, 5), (3, 2), (1, 2), (1, 1), (1, 2)),
    (3, (1, 4, 5, 4), (2, 2, 2), (2, 1, 2), (1, 0, 1), (1, 1, 1)),
]


@pytest.mark.parametrize(("d", "xs", "kernel", "stride", "padding", "dilation"), POOLS)
def test_max_pooling(d, xs, kernel, stride, padding, dilation, rng):
    x = rng.permutation(int(np.prod(xs))).reshape(xs) / 7.0
    f = lambda x: MAX[d](x, kernel, stride, padding, dilation)  # noqa: E731
    wide = padded(x, padding, -np.inf)
    expected = None
    for at, under, out in windows(wide.shape[-d:], kernel, stride, dilation):
        expected = np.zeros((*xs[:-d], *out)) if expected is None else expected
        expected[(..., *at)] = np.max(wide[(..., *under)], axis=tuple(range(-d, 0)))
    np.testing.assert_array_equal(f(x), expected)
    check(f, [x])


@pytest.mark.parametrize(("d", "xs", "kernel", "stride", "padding", "_dilation"), POOLS)
@pytest.mark.parametrize("count_border", [True, False])
def test_average_pooling(d, xs, kernel, stride, padding, _dilation, count_border, rng):
    x = rng.standard_normal(xs)
    f = lambda x: AVG[d](x, kernel, stride, padding, count_include_pad=count_border)  # noqa: E731
    wide, ones = padded(x, padding), padded(np.ones(xs), padding)
    expected = None
    for at, under, out in windows(wide.shape[-d:], kernel, stride, (1,) * d):
        expected = np.zeros((*xs[:-d], *out)) if expected is None else expected
        count = np.prod(kernel) if count_border else np.sum(ones[(..., *under)], axis=tuple(range(-d, 0)))
        expected[(..., *at)] = np.sum(wide[(..., *under)], axis=tuple(range(-d, 0))) / count
    np.testing.assert_allclose(f(x), expected, atol=1e-13)
    check(f, [x])


def test_avg_pool_by_a_divisor_of_ones_own():
    x = np.arange(24.0).reshape(2, 3, 4)
    sums = 4 * tg.avg_pool2d(x, 2, 1, 1)
    np.testing.assert_allclose(tg.avg_pool2d(x, 2, 1, 1, False, False, 3), sums / 3)
    np.testing.assert_allclose(tg.avg_pool2d(x, 2, 1, 1, divisor_override=-2), sums / -2)
    check(lambda x: tg.avg_pool2d(x, 2, 1, 1, divisor_override=3), [x])
    with pytest.raises(ValueError, match="divisor_override=0"):
        tg.avg_pool2d(x, 2, divisor_override=0)


def test_ceil_mode_lets_the_last_window_go_beyond_the_end():
    x = np.arange(1.0, 6.0)[None]
    np.testing.assert_array_equal(tg.max_pool1d(x, 2, ceil_mode=True), [[2.0, 4.0, 5.0]])
    np.testing.assert_array_equal(tg.avg_pool1d(x, 2, ceil_mode=True), [[1.5, 3.5, 5.0]])
    assert tg.max_pool1d(x, 2, 3, ceil_mode=True).shape == (1, 2)  # the next would begin beyond the end
    check(lambda x: tg.avg_pool1d(x, 3, 2, 1, ceil_mode=True), [x])


def test_equal_largest_elements_share():
    x = tg.Tensor([[1.0, 3.0, 3.0, 0.0]])
    tg.max_pool1d(x, 4).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0.0, 0.5, 0.5, 0.0]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, w: tg.conv2d(x, w[:, :1]), "channels / groups"),
        (lambda x, w: tg.conv2d(x[0, 0], w), "(batch, channels"),
        (lambda x, w: tg.conv2d(x, w, stride=2, padding="same"), "stride=1"),
        (lambda x, w: tg.conv2d(x, w, stride=(1, 2, 3)), "stride"),
        (lambda x, w: tg.conv2d(x[:, :, :2], w), "larger than the input"),
        (lambda x, w: tg.conv_transpose2d(x, w, output_padding=1), "output_padding"),
        (lambda x, w: tg.conv_transpose2d(x, w[:1]), "channels"),
        (lambda x, _w: tg.max_pool2d(x, 2, padding=2), "half of the kernel"),
        (lambda x, _w: tg.avg_pool2d(x, 9), "larger than the input"),
        (lambda x, _w: tg.max_pool2d(x[0, 0, 0], 2), "lengths at the end"),
    ],
)
def test_errors_say_what_is_wanted(call, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        call(np.ones((1, 2, 4, 4)), np.ones((2, 2, 3, 3)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("n", "channels", "filters"), [(0, 4, 6), (2, 0, 4), (2, 4, 0)])
def test_nothing_to_convolve(n, channels, filters, groups):
    """An empty batch, no channels, no filters: shapes as they should be, forward and back, twice."""
    x, w = tg.Tensor(np.zeros((n, channels, 5, 4))), tg.Tensor(np.ones((filters, channels // groups, 3, 2)))
    y = tg.conv2d(x, w, groups=groups)
    assert y.shape == (n, filters, 3, 3) and not y.numpy().any()
    back = tg.conv_transpose2d(y, w, groups=groups)
    assert back.shape == x.shape
    back.sum().backward(create_graph=True)
    assert x.grad.shape == x.shape and w.grad.shape == w.shape
    (x.grad.sum() + w.grad.sum()).backward()
