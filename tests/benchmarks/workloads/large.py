"""Workloads of few ops on large arrays, where memory traffic and kernels are what is measured."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..cases import Array, Case, random, workload


def softplus(n: int, dtype: type[np.floating]) -> Case:
    def loss(m: Any, x: Any) -> Any:
        return m.sum(m.softplus(x))

    def by_hand(x: Array) -> tuple[Any, list[Array]]:
        e = np.exp(-np.abs(x))
        y = np.maximum(x, 0) + np.log1p(e)
        return y.sum(), [np.where(x >= 0, 1, e) / (1 + e)]

    return Case([random().standard_normal(n).astype(dtype)], loss, by_hand)


for _exponent in (0, 2, 3, 4, 5, 6, 7):
    for _dtype in (np.float32, np.float64):
        workload(
            f"softplus-1e{_exponent}-{_dtype.__name__}",
            f"Softplus of {10**_exponent:,} elements in {_dtype.__name__}, summed",
            size=10**_exponent,
            tiny=3,
        )(partial(softplus, dtype=_dtype))


def expression(n: int) -> Case:
    """A dozen elementwise ops of two variables, some values used twice."""

    def loss(m: Any, x: Any, y: Any) -> Any:
        q = x * x
        a = m.tanh(x * y + m.sin(x))
        b = m.exp(-q)
        return m.sum(a * b / (y * y + 1.0) + m.sqrt(q + 1.0))

    def by_hand(x: Array, y: Array) -> tuple[Any, list[Array]]:
        q = x * x
        a, b = np.tanh(x * y + np.sin(x)), np.exp(-q)
        ab, c, root = a * b, y * y + 1.0, np.sqrt(q + 1.0)
        d = ab / c
        gab, gc = 1 / c, -d / c
        gq = 0.5 / root - gab * ab
        gu = gab * b * (1 - a * a)
        return (d + root).sum(), [gu * (y + np.cos(x)) + gq * 2 * x, gu * x + gc * 2 * y]

    draw = random()
    return Case([draw.standard_normal(n), draw.standard_normal(n)], loss, by_hand, ops=15 if n <= 1000 else None)


for _exponent in (3, 6):
    workload(
        f"expression-1e{_exponent}",
        f"an elementwise expression of 14 ops at {10**_exponent:,} elements, summed",
        size=10**_exponent,
        tiny=4,
    )(expression)


@workload("mixture", "log-likelihood of 100,000 points under 20 Gaussians", size=100_000, tiny=6)
def mixture(n: int) -> Case:
    def loss(m: Any, weights: Any, means: Any, log_scales: Any, points: Any) -> Any:
        z = (points - means) * m.exp(-log_scales)
        return m.sum(m.logsumexp(m.log_softmax(weights) - log_scales - 0.5 * z * z, 1))

    def by_hand(weights: Array, means: Array, log_scales: Array, points: Array) -> tuple[Any, list[Array]]:
        precision = np.exp(-log_scales)
        z = (points - means) * precision
        prior = np.exp(weights - weights.max())
        prior /= prior.sum()
        t = np.log(prior) - log_scales - 0.5 * z * z
        top = t.max(1, keepdims=True)
        e = np.exp(t - top)
        total = e.sum(1, keepdims=True)
        share = e / total  # of each Gaussian in each point
        of_z = share * z
        each = share.sum(0)
        gradients = [each - prior * n, of_z.sum(0) * precision, (of_z * z).sum(0) - each]
        return (top + np.log(total)).sum(), gradients

    draw = random()
    leaves = [0.3 * draw.standard_normal(20), draw.standard_normal(20), 0.3 * draw.standard_normal(20)]
    return Case(leaves, loss, by_hand, [2 * draw.standard_normal((n, 1))])


def product(n: int, dtype: type[np.floating]) -> Case:
    def loss(m: Any, a: Any, b: Any, c: Any) -> Any:
        return m.sum((a @ b) * c)

    def by_hand(a: Array, b: Array, c: Array) -> tuple[Any, list[Array]]:
        return ((a @ b) * c).sum(), [c @ b.T, a.T @ c]

    a, b, c = random().standard_normal((3, n, n)).astype(dtype)
    return Case([a, b], loss, by_hand, [c])


for _dtype in (np.float32, np.float64):
    workload(
        f"product-{_dtype.__name__}",
        f"a product of 1024 x 1024 matrices in {_dtype.__name__}",
        size=1024,
        tiny=3,
    )(partial(product, dtype=_dtype))


def scatter_add(rows: int, index: Array, values: Array) -> Array:
    """What gathering's gradient is, by the quickest way found in plain NumPy: add the first of each row, the second...

    (For 100,000 indices into 10,000 x 64: 25 ms; sorted segments through `np.add.reduceat` 91, `np.add.at` 98.)
    """
    order = np.argsort(index, kind="stable")
    counts = np.bincount(index, minlength=rows)
    busiest = np.argsort(-counts, kind="stable")
    starts = (np.cumsum(counts) - counts)[busiest]
    busy = np.searchsorted(-counts[busiest], -np.arange(counts.max()), side="left")  # rows used more than k times
    total, result = np.zeros((rows, values.shape[1])), np.empty((rows, values.shape[1]))
    for k, many in enumerate(busy):
        total[:many] += values[order[starts[:many] + k]]
    result[busiest] = total
    return result


@workload(
    "gather",
    "100,000 rows taken out of 10,000 x 64: the gradient is a scatter-add",
    size=10_000,
    tiny=4,
    refused={"tinygrad": "makes a one-hot product of it, for minutes"},
)
def gather(n: int) -> Case:
    def loss(m: Any, table: Any, index: Any, c: Any) -> Any:
        return m.sum(m.rows(table, index) * c)

    def by_hand(table: Array, index: Array, c: Array) -> tuple[Any, list[Array]]:
        return (table[index] * c).sum(), [scatter_add(len(table), index, c)]

    draw = random()
    index = draw.integers(0, n, 10 * n)
    return Case([draw.standard_normal((n, 64))], loss, by_hand, [index, draw.standard_normal((10 * n, 64))])


@workload(
    "convolution", "conv2d 3 x 3, 8 to 16 channels, of 16 images 34 x 34, then 2 x 2 max pooling", size=16, tiny=1
)
def convolution(n: int) -> Case:
    def loss(m: Any, images: Any, weights: Any) -> Any:
        pooled = m.max_pool2d(m.conv2d(images, weights), 2)
        return m.sum(pooled * pooled)

    def by_hand(images: Array, weights: Array) -> tuple[Any, list[Array]]:
        out, channels, size, _ = weights.shape
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), (2, 3))
        h, w = windows.shape[2:4]
        columns = np.ascontiguousarray(windows.transpose(1, 4, 5, 0, 2, 3)).reshape(channels * size**2, -1)
        flat = weights.reshape(out, -1)
        maps = (flat @ columns).reshape(out, n, h // 2, 2, w // 2, 2)
        pooled = maps.max((3, 5), keepdims=True)
        g = ((maps == pooled) * (2 * pooled)).reshape(out, -1)
        spread = (flat.T @ g).reshape(channels, size, size, n, h, w)
        of_images = np.zeros_like(images)
        for i in range(size):
            for j in range(size):
                of_images[:, :, i : i + h, j : j + w] += spread[:, i, j].transpose(1, 0, 2, 3)
        return (pooled * pooled).sum(), [of_images, (g @ columns.T).reshape(weights.shape)]

    draw = random()
    images = draw.standard_normal((n, 8, 34, 34), dtype=np.float32)
    return Case([images, draw.standard_normal((16, 8, 3, 3), dtype=np.float32)], loss, by_hand)
