"""The namespace of the array API standard: what the public conformance suite does not look at, or not with Tensors.

The suite itself (data-apis/array-api-tests) is run by hand, with the reasons in ``array_api_xfails.txt``; it checks
every function's values, dtypes and shapes.  Here: that all names are there, what is a constant and what is recorded,
exchange with other libraries, and derivatives at the standard's edges (empty, 0-d, repeated axes, dtypes).
"""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.directional import check

MAIN = """abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh bitwise_and
    bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor broadcast_arrays broadcast_shapes
    broadcast_to can_cast ceil clip concat conj copysign cos cosh count_nonzero cumulative_prod cumulative_sum diff
    divide empty empty_like equal exp expand_dims expm1 eye finfo flip floor floor_divide from_dlpack full full_like
    greater greater_equal hypot iinfo imag isdtype isfinite isin isinf isnan less less_equal linspace log log10 log1p
    log2 logaddexp logical_and logical_not logical_or logical_xor matmul matrix_transpose max maximum mean meshgrid min
    minimum moveaxis multiply negative nextafter nonzero not_equal ones ones_like permute_dims positive pow prod real
    reciprocal remainder repeat reshape result_type roll round searchsorted sign signbit sin sinh sort sqrt square
    squeeze stack std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc unique_all unique_counts
    unique_inverse unique_values unstack var vecdot where zeros zeros_like __array_namespace_info__""".split()
LINALG = """cholesky cross det diagonal eigh eigvalsh eig eigvals inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm""".split()
FFT = "fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn".split()
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()


@pytest.mark.parametrize(("module", "names"), [(tg, MAIN), (tg.linalg, LINALG), (tg.fft, FFT)])
def test_every_name_is_there(module, names):
    assert [n for n in names if not callable(getattr(module, n, None))] == []


def test_dtypes_and_constants():
    assert [n for n in DTYPES if getattr(tg, n) is not getattr(np, n)] == []
    assert (tg.e, tg.pi, tg.inf, tg.newaxis) == (np.e, np.pi, np.inf, None) and np.isnan(tg.nan)
    assert tg.__array_api_version__ == "2025.12"
    info = tg.__array_namespace_info__()
    assert info.devices() == ("cpu",) and info.default_device() == "cpu"
    assert info.default_dtypes()["real floating"] == tg.float64
    assert info.capabilities()["boolean indexing"] and info.dtypes(kind="bool")


def test_limits_are_python_numbers():
    for dtype in (tg.float32, np.dtype("float64"), tg.complex64, tg.asarray([1.0])):
        assert type(tg.finfo(dtype).eps) is float and type(tg.finfo(dtype).smallest_normal) is float
    assert tg.finfo(tg.complex64).dtype == tg.float32 and tg.iinfo(tg.int8).max == 127
    assert tg.iinfo(tg.asarray([1])).bits == 64
    assert tg.can_cast(tg.asarray([1.0]), tg.complex128) and not tg.can_cast(tg.float64, tg.float32)
    assert tg.result_type(tg.Tensor([1.0], dtype=tg.float32), 1.0) == tg.float32


# ---------------------------------------------------------------------------------------------- creation

MADE = {
    "zeros": lambda **k: tg.zeros((2, 3), **k),
    "ones": lambda **k: tg.ones(3, **k),
    "empty": lambda **k: tg.empty((0, 2), **k),
    "full": lambda **k: tg.full((2,), 1.5, **k),
    "arange": lambda **k: tg.arange(1.0, 3.0, 0.5, **k),
    "linspace": lambda **k: tg.linspace(0.0, 1.0, 5, **k),
    "eye": lambda **k: tg.eye(2, 3, k=1, **k),
    "asarray": lambda **k: tg.asarray([[1.0, 2.0]], **k),
    "zeros_like": lambda **k: tg.zeros_like(np.ones(3), **k),
    "ones_like": lambda **k: tg.ones_like(tg.Tensor([1.0]), **k),
    "full_like": lambda **k: tg.full_like(tg.Tensor([1.0]), 2.0, **k),
}


@pytest.mark.parametrize("name", MADE)
def test_creation_makes_constants_unless_told_otherwise(name):
    constant, variable = MADE[name](), MADE[name](requires_grad=True)
    assert isinstance(constant, tg.Tensor) and constant.node is None
    assert variable.is_leaf and variable.requires_grad
    (variable * 2.0).sum().backward()
    np.testing.assert_array_equal(variable.grad.numpy(), np.full(variable.shape, 2.0))
    with pytest.raises(ValueError, match="cpu"):
        MADE[name](device="gpu")


def test_asarray():
    t = tg.Tensor([1.0, 2.0])
    assert tg.asarray(t) is t and tg.asarray(t, copy=True) is not t
    assert tg.asarray(t, dtype=tg.float32).dtype == tg.float32
    stacked = tg.asarray([[t[0], 3.0], [4.0, t[1]]])
    stacked.sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), [1.0, 1.0])
    array = np.array([1.0, 2.0])
    shared, copied = tg.asarray(array, copy=False), tg.asarray(array)
    array[0] = 9.0
    assert shared[0] == 9.0 and copied[0] == 1.0
    with pytest.raises(ValueError, match="copy"):
        tg.asarray([1.0], copy=False)
    with pytest.raises(ValueError, match="copy"):
        tg.asarray(t, dtype=tg.float32, copy=False)


def test_what_no_tensor_holds_is_not_shared_either():
    for array in (np.array(["a"], object), np.ma.array([1.0, 2.0], mask=[0, 1])):
        with pytest.raises(TypeError, match=r"Tensors hold|masked"):
            tg.asarray(array, copy=False)
    array = np.ones(2)
    t = tg.asarray(array, copy=False, requires_grad=True)
    y = t * t
    array[:] = 5.0
    y.sum().backward()
    assert t.grad.tolist() == [2, 2] and t.tolist() == [5, 5]


def test_what_is_shared_can_be_written_into_and_what_was_recorded_stays():
    array = np.array([1.0, 2.0])
    shared = tg.asarray(array, copy=False)
    x = tg.Tensor([3.0, 4.0])
    y = (x * shared).sum()
    array[:] = 100.0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 2.0])


def test_full_and_linspace_are_differentiable_in_what_they_are_given():
    check(lambda s: tg.full((2, 3), s), [np.array(1.5)])
    check(lambda a, b: tg.linspace(a, b, 4), [np.array([1.0, 2.0]), np.array(4.0)])


# ---------------------------------------------------------------------------------------------- the array object


def test_namespace_and_device():
    t = tg.Tensor([1.0])
    assert t.__array_namespace__() is tg and t.__array_namespace__(api_version="2024.12") is tg
    with pytest.raises(ValueError, match="1999"):
        t.__array_namespace__(api_version="1999.12")
    assert t.device == "cpu" and t.to_device("cpu") is t
    with pytest.raises(ValueError, match="one device"):
        t.to_device("cuda")


def test_dlpack():
    t = tg.asarray([1.0, 2.0])
    assert t.__dlpack_device__() == np.ones(1).__dlpack_device__()
    shared = np.from_dlpack(t)
    shared_back = tg.from_dlpack(shared)
    np.testing.assert_array_equal(shared_back.numpy(), [1.0, 2.0])
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(tg.Tensor([1.0]))
    x = tg.Tensor([1.0, 1.0])
    y = (x * t).sum()
    t.data[0] = 50.0  # the other library writes
    assert shared[0] == 50.0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 2.0])


IN_PLACE = {
    "+=": lambda a, b: a.__iadd__(b),
    "-=": lambda a, b: a.__isub__(b),
    "*=": lambda a, b: a.__imul__(b),
    "/=": lambda a, b: a.__itruediv__(b),
    "**=": lambda a, b: a.__ipow__(b),
    "%=": lambda a, b: a.__imod__(b + 3.0),
    "@=": lambda a, b: a.__imatmul__(b),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_operators_are_recorded(name, rng):
    a, b = rng.uniform(0.5, 2, (3, 3)), rng.uniform(0.5, 2, (3, 3))

    def f(a, b):
        t = a * 1.0
        alias = t
        result = IN_PLACE[name](t, b)
        assert result is alias or not isinstance(t, tg.Tensor)
        return result

    check(f, [a, b])


def test_in_place_keeps_shape_and_dtype():
    t = tg.asarray([1, 2])
    t += 1
    t <<= 2
    t |= 1
    assert t.dtype == tg.int64 and t.tolist() == [9, 13]
    with pytest.raises(TypeError, match="float64"):
        t /= 2
    with pytest.raises(ValueError, match="shape"):
        t += np.ones((2, 2), int)
    x = tg.Tensor([3.0, 1.0, 2.0])
    y = x * 1.0
    y.sort()
    y.fill(y[0])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.0, 3.0, 0.0])


def test_copies():
    t = tg.Tensor([1.0, 2.0])
    assert copy.copy(t) is not t and tg.asarray([True]).copy().tolist() == [True]


# ---------------------------------------------------------------------------------------------- gradients at edges

E, S = np.zeros((0, 3)), np.array(1.5)
EDGES = {
    "sum of nothing": (lambda x: tg.sum(x, axis=0), E),
    "prod of nothing": (lambda x: tg.prod(x), E),
    "sort nothing": (lambda x: tg.sort(x, axis=0), E),
    "cumulative_sum of nothing": (lambda x: tg.cumulative_sum(x, axis=0, include_initial=True), E),
    "concat nothing": (lambda x: tg.concat([x, x]), E),
    "take nothing": (lambda x: tg.take(x, np.zeros(0, int), axis=1), np.ones((2, 3))),
    "matmul over nothing": (lambda x: x.T @ x, E),
    "diff to nothing": (lambda x: tg.diff(x, axis=1, n=3), np.ones((2, 3))),
    "repeat nothing": (lambda x: tg.repeat(x, 0), np.ones(3)),
    "unique nothing": (lambda x: tg.unique_values(x), np.zeros(0)),
    "0-d sum": (lambda x: tg.sum(x), S),
    "0-d max": (lambda x: tg.max(x), S),
    "0-d flip": (lambda x: tg.flip(x), S),
    "0-d std": (lambda x: tg.mean(x) + tg.prod(x, axis=()), S),
    "0-d broadcast": (lambda x: tg.broadcast_to(x, (2, 0, 3)), S),
    "0-d stack": (lambda x: tg.stack([x, x * x]), S),
    "0-d unique": (lambda x: tg.unique_values(x), S),
    "0-d index": (lambda x: x[..., None][0] * x[()], S),
    "no axes": (lambda x: tg.sum(x, axis=()) * tg.max(x, axis=()), np.arange(3.0)),
    "roll one axis twice": (lambda x: tg.roll(x * x, (1, 2), (0, 0)), np.arange(4.0)),
    "index twice": (lambda x: x[[0, 0, 1]] * x[[1, 1, 1]], np.arange(1.0, 3.0)),
    "take twice": (lambda x: tg.take(x * x, [0, 0, -1], axis=-1), np.arange(1.0, 7.0).reshape(2, 3)),
    "vecdot along -2": (lambda x: tg.vecdot(x, x, axis=-2), np.arange(1.0, 7.0).reshape(2, 3)),
    "expand two axes": (lambda x: tg.expand_dims(x * x, axis=(0, -1)), np.arange(3.0)),
    "the standard's correction": (lambda x: tg.std(x, correction=0.5), np.array([1.0, 2.0, 4.0])),
    "descending": (lambda x: tg.sort(x, descending=True) ** 2, np.array([1.0, 3.0, 2.0])),
    "float to complex": (lambda x: tg.astype(x, tg.complex128) * (1 + 2j), np.arange(3.0)),
    "complex to real": (lambda x: tg.real(tg.exp(1j * x)), np.arange(3.0)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EDGES)
def test_gradients_at_the_edges(name):
    f, x = EDGES[name]
    check(f, [x])
    t = tg.Tensor(x)
    y = f(t)
    tg.sum(tg.real(y)).backward()
    assert t.grad is None or (t.grad.shape == x.shape and t.grad.dtype == x.dtype)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round", "sign", "argmax", "argsort", "isnan", "signbit"])
def test_constants_have_no_graph(name):
    assert getattr(tg, name)(tg.Tensor([1.5, 2.5])).node is None


def test_ties_share_equally():
    for f in (tg.sort, lambda t: tg.sort(t, descending=True), lambda t: tg.partition(t, 1)):
        x = tg.Tensor([2.0, 1.0, 2.0])
        f(x).backward(np.array([1.0, 2.0, 4.0]))
        assert x.grad[0] == x.grad[2] and x.grad.numpy().sum() == 7.0
    x = tg.Tensor([2.0, 1.0, 2.0])
    tg.unique_values(x).backward(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 1.0, 1.0])
    x = tg.Tensor([2.0, 2.0, 1.0])
    np.median(x).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.5, 0.5, 0.0])


@pytest.mark.parametrize("index", [slice(None), [0, 2, 0], np.array([[1, 1], [0, 3]])])
def test_gathering_many_rows_adds_what_repeats(index, rng):
    """Large gathers take another way than small ones; both must add."""
    x = rng.standard_normal((4, 700))
    t = tg.Tensor(x)
    y = t[index]
    c = rng.standard_normal(y.shape)
    y.backward(c)
    expected = np.zeros_like(x)
    np.add.at(expected, index, c)
    np.testing.assert_allclose(t.grad.numpy(), expected, atol=1e-13)


# ---------------------------------------------------------------------------------------------- random numbers


@pytest.mark.parametrize("name", ["normal", "uniform", "gumbel", "laplace", "logistic"])
def test_samples_move_with_their_parameters(name):
    f = getattr(tg.random, name)
    check(lambda a, b: f(a, b, (4,), rng=3), [np.array(0.5), np.array(2.0)])
    check(lambda a, b: f(a, b, rng=3), [np.array([0.5, 1.0]), np.array([[2.0], [3.0]])])
    expected = getattr(np.random.default_rng(3), name)(0.5, 2.0, 4)
    np.testing.assert_allclose(f(0.5, 2.0, 4, rng=3), expected, rtol=1e-13)
    assert f(tg.Tensor(0.5, dtype=np.float32), 2.0, 3, rng=1).dtype == np.float32


def test_exponential_and_dropout():
    check(lambda s: tg.random.exponential(s, 3, rng=0), [np.array(2.0)])
    x = np.ones(10000)
    kept = tg.random.dropout(x, 0.3, rng=0)
    assert abs(kept.mean() - 1) < 0.02 and set(np.unique(kept)) == {0.0, 1 / 0.7}
    check(lambda x: tg.random.dropout(x, 0.5, rng=1) ** 2, [np.arange(1.0, 6.0)])
    t = tg.Tensor([1.0, 2.0])
    assert tg.random.dropout(t, 1.0).tolist() == [0.0, 0.0] and tg.random.dropout(t, 0.0).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="probability"):
        tg.random.dropout(t, 1.5)


def test_dropout_of_whole_and_of_infinite_numbers():
    assert tg.random.dropout([1, 2, 3, 4], 0.2, rng=0).tolist() == [1.25, 2.5, 0, 0]  # 1.25 is no whole number
    assert tg.random.dropout(tg.Tensor([np.inf, np.nan]), 1.0).tolist() == [0, 0]  # and no warning
    assert tg.random.dropout(tg.Tensor([1.0, 2.0], dtype=np.float32), 0.2, rng=0).dtype == np.float32
