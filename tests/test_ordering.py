"""Sorting, partitions, medians and quantiles where the table of expressions does not look: long, tied, NaN, integer."""

import numpy as np
import pytest

import tinygrad_sp as tg


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kth", [0, 500, [1, 300], 999])
def test_a_long_partition_gives_cotangents_back_where_elements_came_from(dtype, kth):
    """NumPy's partition and argpartition leave what lies between in different orders."""
    x = tg.Tensor(np.random.default_rng(3).permutation(1000).astype(dtype))
    y = np.partition(x, kth)
    y.backward(np.arange(1000.0).astype(dtype))
    wanted = np.empty(1000)
    wanted[y.numpy().astype(int)] = np.arange(1000)
    np.testing.assert_array_equal(x.grad.numpy(), wanted[x.numpy().astype(int)])


@pytest.mark.filterwarnings("error")
def test_equal_infinities_share():
    x = tg.Tensor([np.inf, 1.0, np.inf])
    np.sort(x).backward([1.0, 2.0, 4.0])
    assert x.grad.tolist() == [3, 1, 3]


W = np.array([[0.0, 2.0, 1.0, 0.5], [1.0, 0.0, 3.0, 1.5], [0.25, 1.0, 1.0, 0.0]])
WEIGHTED = {
    "all": (None, W),
    "rows": (1, W),
    "one axis": (-1, W[0]),
    "first axis": (0, W[:, 2]),
    "axes out of order": ((1, 0), W.T),
    "axes": ((0, 1), W),
}


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("f", [np.quantile, np.nanquantile, np.percentile, np.nanpercentile])
def test_weighted_quantiles(f, name):
    axis, weights = WEIGHTED[name]
    numpys = weights
    if f in (np.nanquantile, np.nanpercentile) and name in ("one axis", "first axis"):  # there NumPy's fails
        numpys = np.broadcast_to(weights[:, None] if axis == 0 else weights, W.shape)
    x = np.array([[0.5, 2.0, -1.0, 2.0], [1.5, -0.25, 3.0, 0.0], [4.0, 4.0, 1.0, 2.5]])
    holed = np.where(x == 1.5, np.nan, x)
    for array in (x, holed, (2 * x).astype(int)):
        for q in (0.3, np.array([0.0, 0.25, 0.5, 1.0]), np.float32(0.5)):
            part = q * 100 if "percentile" in f.__name__ else q
            for keepdims in (False, True):
                options = {"axis": axis, "method": "inverted_cdf", "keepdims": keepdims}
                want = f(array, part, weights=numpys, **options)
                found = f(tg.Tensor(array), part, weights=weights, **options)
                assert found.dtype == want.dtype
                np.testing.assert_array_equal(found.numpy(), want)
    t = tg.Tensor(x)
    total = np.sum(np.quantile(t, [0.2, 0.7], axis=1, method="inverted_cdf", weights=W) ** 2)
    total.backward()
    picked = np.quantile(x, [0.2, 0.7], axis=1, method="inverted_cdf", weights=W)
    want = sum(2 * p[:, None] * (x == p[:, None]) / np.sum(x == p[:, None], axis=1, keepdims=True) for p in picked)
    np.testing.assert_allclose(t.grad.numpy(), want)


def test_weights_that_quantile_refuses():
    x = tg.Tensor([1.0, 2.0, 3.0])
    for weights, method, message in (
        ([1.0, 1.0, 1.0], "linear", "inverted_cdf"),
        ([1.0, 1.0], "inverted_cdf", "shape"),
        ([1.0, -1.0, 1.0], "inverted_cdf", "from 0 on"),
        ([0.0, 0.0, 0.0], "inverted_cdf", "from 0 on"),
    ):
        with pytest.raises(ValueError, match=message):
            np.quantile(x, 0.5, method=method, weights=weights)
