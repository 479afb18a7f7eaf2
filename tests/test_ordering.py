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
