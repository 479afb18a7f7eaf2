"""Reductions where the table of expressions does not look: masks, first elements, nothing to reduce, equal numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.directional import check

pytestmark = pytest.mark.filterwarnings("ignore")

X = np.array([[0.5, 2.0, -1.0], [1.5, -0.25, 3.0]])
H = np.array([[0.5, np.nan, -1.0], [1.5, -0.25, 3.0]])
TAKEN = np.array([[True, False, True], [True, True, True]])


def same(found, expected):
    assert found.shape == np.shape(expected) and found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("options", [{}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": ()}])
@pytest.mark.parametrize(
    "call",
    [
        lambda x, **o: np.var(x, where=TAKEN, **o),
        lambda x, **o: np.std(x, where=TAKEN, ddof=0.5, **o),
        lambda x, **o: np.sum(x, where=TAKEN, **o),
        lambda x, **o: np.nansum(x, where=TAKEN, initial=2.0, **o),
        lambda x, **o: np.nanprod(x, where=TAKEN, **o),
        lambda x, **o: np.nanmean(x, where=TAKEN, **o),
        lambda x, **o: np.nanvar(x, where=TAKEN, **o),
        lambda x, **o: np.nanmax(x, where=TAKEN, initial=-5.0, **o),
        lambda x, **o: np.nanmin(x, where=TAKEN, initial=5.0, **o),
    ],
)
def test_where(call, options):
    expected = call(X, **options)
    same(call(tg.Tensor(X), **options), expected)
    defined = np.isfinite(expected)  # the mean of nothing is not
    check(lambda x: call(x, **options)[defined], [X])


def test_all_and_any_where():
    x = np.array([[1, 0, 1], [1, 0, 0]])
    assert tg.all(tg.Tensor(x), axis=1, where=TAKEN).tolist() == np.all(x, axis=1, where=TAKEN).tolist()
    assert tg.any(tg.Tensor(x), axis=0, where=~TAKEN).tolist() == np.any(x, axis=0, where=~TAKEN).tolist()


def test_a_mean_that_is_known():
    for f in (np.var, np.std):
        m = np.mean(X, axis=1, keepdims=True) + 0.25
        same(f(tg.Tensor(X), axis=1, mean=m), f(X, axis=1, mean=m))
        check(lambda x, m, f=f: f(x, axis=1, mean=m), [X, m])


@pytest.mark.parametrize("f", [np.max, np.min, np.sum, np.prod])
@pytest.mark.parametrize("dtype", [np.int8, np.bool_, np.float32, np.float64])
@pytest.mark.parametrize("initial", [0, 1.5, np.float64(0.5)])
def test_the_first_element_has_the_dtype_of_the_result(f, dtype, initial):
    same(f(tg.Tensor(X.astype(dtype)), axis=0, initial=initial), f(X.astype(dtype), axis=0, initial=initial))


@pytest.mark.parametrize("f", [np.max, np.min])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, None, (0, 1)])
def test_the_extreme_of_nothing_is_the_first_element(f, axis, keepdims):
    x, first = np.zeros((0, 3)), tg.Tensor(1.5)
    found = f(tg.Tensor(x), axis=axis, keepdims=keepdims, initial=first)
    same(found, f(x, axis=axis, keepdims=keepdims, initial=1.5))
    found.sum().backward()
    assert first.grad.item() == found.size


@pytest.mark.parametrize("f", [np.std, np.var])
def test_equal_numbers_have_no_spread_though_their_mean_is_rounded(f):
    """The mean of three times 0.1 is not 0.1, and NumPy's deviation not 0; its derivative must be."""
    x = tg.Tensor([0.1, 0.1, 0.1])
    f(x).backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_one_number_among_nan():
    for f in (np.nanmedian, lambda x: np.nanquantile(x, 0.7), lambda x: np.nanquantile(x, 1.0)):
        x = tg.Tensor([np.nan, 2.0, np.nan])
        y = f(x)
        y.backward()
        assert y.item() == 2 and x.grad.tolist() == [0, 1, 0]


def test_medians_of_nothing():
    assert np.isnan(np.nanmedian(tg.Tensor(np.zeros((0, 2))), axis=0).numpy()).all()
    assert np.nanmedian(tg.Tensor(np.zeros((2, 0))), axis=0).shape == (0,)


def test_the_mean_of_many_half_precision_numbers():
    x = np.full(100_001, 0.01, np.float16)
    x[0] = np.nan
    assert np.nanmean(tg.Tensor(x)) == np.nanmean(x)


@pytest.mark.parametrize("method", ["lower", "higher", "nearest", "inverted_cdf", "closest_observation"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float32])
def test_quantiles_that_take_an_element_keep_its_dtype(method, dtype):
    x = np.array([3, 0, 7, 1]).astype(dtype)
    same(np.quantile(tg.Tensor(x), [0.2, 0.7], method=method), np.quantile(x, [0.2, 0.7], method=method))


def test_complex_numbers_have_no_quantiles():
    for f in (np.quantile, np.nanquantile, np.percentile):
        with pytest.raises(TypeError, match="no order"):
            f(tg.Tensor([1.0 + 1j]), 0.5)


@pytest.mark.parametrize(
    ("numbers", "weights", "error"),
    [([-1, 2], [1.0, 2.0], ValueError), ([1, 2], [1.0], ValueError), ([1, 2], [1.0, 1j], TypeError)],
)
def test_bincount_refuses(numbers, weights, error):
    with pytest.raises(error, match="bincount"):
        np.bincount(numbers, weights=tg.Tensor(weights))


def test_piecewise_calls_no_function_for_nothing():
    x = tg.Tensor([1.0, 2.0])
    np.piecewise(x, [x < 0, x >= 0], [lambda v: v / v.max(), lambda v: v * v]).sum().backward()
    assert x.grad.tolist() == [2, 4]


@pytest.mark.parametrize("where", [True, np.array([True, False, True, True])])
@pytest.mark.parametrize("dtype", [np.float32, float])
@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
def test_variances_of_complex_numbers_in_a_real_dtype(name, dtype, where):
    """NumPy takes the mean of the real parts, and the distances from it in the plane."""
    x, f = np.array([[1 + 2j, 3 - 1j, 2 + 2j, -1 + 0.5j]]), getattr(np, name)
    want = f(x, axis=1, dtype=dtype, ddof=1, where=where)
    found = f(tg.Tensor(x), axis=1, dtype=dtype, ddof=1, where=where)
    assert found.dtype == want.dtype
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-6 if dtype is np.float32 else 1e-14)
    if dtype is float:
        check(lambda t: f(t, axis=1, dtype=dtype, ddof=1, where=where), [x])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ddof", [0, 1, 2, 3, 4])
def test_nanvar_of_few_elements(ddof):
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [1.0, 2.0, 4.0]])
    for f in (np.nanvar, np.nanstd):
        for array in (x, x[2]):
            np.testing.assert_array_equal(f(tg.Tensor(array), axis=-1, ddof=ddof).numpy(), f(array, axis=-1, ddof=ddof))
