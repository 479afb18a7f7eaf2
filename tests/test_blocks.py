"""The mechanism that takes large arrays piece by piece: same result as the bare expression, whatever comes."""

import operator
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp import blocks

BLOCK = blocks.BLOCK


def expression(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


softplus = blocks.blocked(expression)


@blocks.blocked
def weighted(grad, x):
    return grad * softplus(x)


@blocks.blocked
def total(x, *, axis):
    return np.sum(x, axis=axis, keepdims=True)


@pytest.fixture(autouse=True)
def two_threads():
    before = tg.get_num_threads()
    tg.set_num_threads(2)
    yield
    tg.set_num_threads(before)


LARGE = [(BLOCK + 1,), (3 * BLOCK,), (1, 2 * BLOCK + 7), (2 * BLOCK, 1), (300, 1000), (2, 3, 50_000), (2,) * 18]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.longdouble])
def test_pieces_make_the_whole(shape, order, dtype, rng):
    x = np.asarray(rng.normal(0, 9, shape).astype(dtype), order=order)
    result = softplus(x)
    assert result.dtype == dtype
    assert result.strides == x.strides
    np.testing.assert_allclose(result, expression(x), rtol=1e-6 if dtype is np.float32 else 1e-15)


VIEWS = {
    "every other": lambda x: x[::2],
    "backwards": lambda x: x[::-1],
    "columns": lambda x: x.reshape(-1, 4)[:, 1:3],
    "transposed": lambda x: x.reshape(64, 4, -1).transpose(2, 0, 1),
    "repeated": lambda x: np.broadcast_to(x[:1000], (300, 1000)),
    "one number": lambda x: np.broadcast_to(x[0], (400, 1000)),
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views(view, rng):
    x = VIEWS[view](rng.normal(0, 9, 4 * BLOCK))
    result = softplus(x)
    assert result.flags.writeable
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, expression(x))


@pytest.mark.parametrize("shape", [(), (1,), (400, 1), (1, 1000), (400, 1000)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arguments_broadcast(shape, dtype, rng):
    x, grad = rng.normal(size=(400, 1000)).astype(dtype), rng.normal(size=shape).astype(dtype)
    expected = grad * expression(x.astype(np.float64))
    np.testing.assert_allclose(weighted(grad, x), expected.astype(dtype), rtol=1e-7 if dtype is np.float32 else 0)
    np.testing.assert_allclose(weighted(np.broadcast_to(grad, x.shape), x), weighted(grad, x))


@pytest.mark.parametrize("axis", [(-1,), (-2,), (-3,), (-3, -1), (-3, -2, -1)])
def test_axes_that_are_kept_whole(axis, rng):
    x = rng.normal(size=(20, 50, 400))
    np.testing.assert_allclose(total(x, axis=axis), x.sum(axis=axis, keepdims=True), rtol=1e-12, atol=1e-12)


@given(st.integers(0, 3), st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint64, np.bool_]))
def test_small_arrays(ndim, dtype):
    x = np.full((3,) * ndim, 1, dtype)
    for given_ in (x, x[()]):
        result = softplus(given_)
        assert result.dtype == (dtype if np.dtype(dtype).kind == "f" else np.float64)
        assert result.shape == x.shape
        np.testing.assert_allclose(result, np.log1p(np.e), rtol=np.finfo(result.dtype).eps)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 70_000)])
def test_empty(shape):
    assert softplus(np.zeros(shape, np.float32)).shape == shape


def test_numbers_of_python():
    assert softplus(1) == softplus(1.0) == softplus(np.float64(1)) == pytest.approx(np.log1p(np.e))
    assert type(softplus(1.0)) is np.float64
    assert softplus(True) == softplus(1.0)


def test_narrow_formats_are_rounded_once(rng):
    x = rng.normal(0, 9, 1000)
    for dtype in (np.float16, np.float32):
        np.testing.assert_array_equal(
            softplus(x.astype(dtype)), expression(x.astype(dtype).astype(float)).astype(dtype)
        )


def test_complex_needs_an_expression_of_its_own():
    with pytest.raises(TypeError, match="expression is defined for real numbers; it was given complex128"):
        softplus(np.array([1j]))
    with pytest.raises(TypeError, match="defined for real numbers"):
        softplus(1j)
    both = blocks.blocked(complex=np.cosh)(np.sinh)
    assert both(1j) == np.cosh(1j)
    assert both(np.complex64(1j)).dtype == np.complex64
    assert both(1.0) == np.sinh(1.0)


@pytest.mark.parametrize("x", [np.array(["1.5"]), np.array([None])])
def test_only_numbers(x):
    with pytest.raises(TypeError, match="numbers are wanted, not an array of dtype"):
        softplus(x)


class Stranger:
    """An array that speaks NumPy's protocol and refuses to become an ndarray, as CuPy's do."""

    def __init__(self, values):
        self.values = values

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        assert method == "__call__" and not options
        return Stranger(ufunc(*(x.values if isinstance(x, Stranger) else x for x in inputs)))

    def __abs__(self):
        return Stranger(abs(self.values))

    def __neg__(self):
        return Stranger(-self.values)

    def __add__(self, other):
        return Stranger(self.values + other.values)

    def __array__(self, *_):
        raise TypeError("not an ndarray")


def test_other_arrays_take_the_expression_as_it_stands():
    x = np.linspace(-9, 9, 2 * BLOCK).astype(np.float32)
    result = softplus(Stranger(x))
    assert isinstance(result, Stranger)
    np.testing.assert_array_equal(result.values, expression(x))


# ---------------------------------------------------------------------------------------------- errors and modes


def test_an_error_in_a_piece_arrives():
    @blocks.blocked
    def picky(x):
        if (x == 7).any():
            raise ArithmeticError("seven")
        return x + 0

    with pytest.raises(ArithmeticError, match="seven"):
        picky(np.arange(20.0 * BLOCK) % (3 * BLOCK))
    assert picky(np.zeros(4 * BLOCK)).size == 4 * BLOCK  # and the threads live on


@pytest.mark.parametrize("n", [1, 100, 20 * BLOCK])
def test_errstate_holds_in_every_thread(n):
    logarithm = blocks.blocked(lambda x: np.log(x))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        logarithm(np.zeros(n))
    with np.errstate(divide="ignore"):
        assert np.isneginf(logarithm(np.zeros(n))).all()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logarithm(np.zeros(n))
    assert any("divide by zero" in str(w.message) for w in caught)


@pytest.mark.parametrize("n", [1, 100, 20 * BLOCK])
def test_underflow_to_a_right_result_is_no_error(n):
    true = np.exp(-740.0)
    with np.errstate(all="raise"):
        assert softplus(np.full(n, -740.0))[0] == true
        assert softplus(np.float64(-740.0)) == softplus(np.full(1, -740.0))[0]
    if n == 1:
        with np.errstate(all="warn"), warnings.catch_warnings():
            warnings.simplefilter("error")
            softplus(np.full(n, -740.0))


def names_of_threads():
    """Evaluate something large and say in which threads it was done."""
    names, lock = set(), threading.Lock()

    @blocks.blocked
    def note(x):
        with lock:
            names.add(threading.current_thread().name)
        return np.exp(np.exp(np.exp(-abs(x))))

    for _ in range(5):
        note(np.ones(40 * BLOCK))
    return names


def test_threads_help_the_main_thread_only():
    assert len(names_of_threads()) == 2
    with ThreadPoolExecutor(1, "theirs") as pool:
        assert pool.submit(names_of_threads).result() == {"theirs_0"}
    tg.set_num_threads(1)
    assert names_of_threads() == {"MainThread"}


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_number_of_threads_must_make_sense(n):
    with pytest.raises(ValueError, match="set_num_threads: n must be a whole number"):
        tg.set_num_threads(n)


def in_a_new_process(code, **environment):
    env = {k: v for k, v in os.environ.items() if not k.endswith("NUM_THREADS")} | environment
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, "3"),
        ({"OMP_NUM_THREADS": "3,2"}, "3"),
        ({"OMP_NUM_THREADS": "3", "TINYGRAD_SP_NUM_THREADS": "5"}, "5"),
        ({"TINYGRAD_SP_NUM_THREADS": "many", "OMP_NUM_THREADS": "2"}, "2"),
    ],
)
def test_environment(environment, threads):
    assert in_a_new_process("import tinygrad_sp as tg; print(tg.get_num_threads())", **environment) == [threads]


def test_import_starts_no_thread():
    code = "import threading, tinygrad_sp; print(threading.active_count())"
    assert in_a_new_process(code) == ["1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_threads_of_its_own():
    code = """
import os, numpy as np, tinygrad_sp as tg, warnings
warnings.simplefilter("ignore")
tg.set_num_threads(2)
x = np.linspace(-9, 9, 400_000)
before = tg.softplus(x).sum()
child = os.fork()
if not child:
    os._exit(0 if tg.softplus(x).sum() == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert in_a_new_process(code) == ["0"]


@pytest.mark.parametrize("shape", [(4 * BLOCK + 3,), (600, 1000), (2, 300, 1000)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.complex128])
def test_a_shared_function_is_the_function(shape, order, dtype, rng):
    x = np.asarray(rng.normal(0, 3, shape).astype(dtype), order=order)
    for kernel, more in ((np.sin, ()), (np.exp, ()), (operator.pow, (2,))):
        for array in (x, x[..., ::2], x[:0]):
            expected, result = kernel(array, *more), blocks.shared(kernel)(array, *more)
            assert result.dtype == expected.dtype and result.strides == expected.strides
            np.testing.assert_allclose(result, expected, rtol=1e-6 if dtype is np.float32 else 1e-15)


def test_threads_share_a_slow_function():
    seen = set()

    @blocks.shared
    def slow(x):
        seen.add(threading.current_thread().name)
        time.sleep(0.01)
        return x + 1

    assert (slow(np.zeros(8 * BLOCK)) == 1).all() and len(seen) == 2
    with pytest.raises(FloatingPointError), np.errstate(divide="raise"):  # the user's setting, in every thread
        tg.log(np.zeros(8 * BLOCK))
