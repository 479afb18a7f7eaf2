"""NumPy's names: values, and derivatives of the first and second order, of every expression in a table.

Each expression is computed by NumPy on arrays, by NumPy on Tensors (``np.f(t)``) and by our name (``tg.f(t)``);
all three must give the same, and what is differentiable must have the derivatives that differences have.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.directional import check, leaves_of, plain
from tests.numpy_expressions import ARRAYS, CONSTANT, DIFFERENTIABLE, IN_PLACE, INDEX, split

pytestmark = pytest.mark.filterwarnings("ignore")


def names_in(expression):
    return [n for n in ARRAYS if re.search(rf"(?<![\w.]){n}(?![\w(\"=])", re.sub(r'"[^"]*"', "", expression))]


def compiled(expression, ours=False):
    if ours:
        expression = re.sub(r"np\.(lib\.stride_tricks\.)?([a-z]\w*)\(", lambda m: f"{home(m[2])}{m[2]}(", expression)
    code = compile(expression, expression, "eval")
    return lambda **arrays: eval(code, {"np": np, "tg": tg, **INDEX, **arrays})


def home(name):
    return "tg." if hasattr(tg, name) else "np."


def same(a, b):
    if isinstance(b, (tuple, list)):
        assert isinstance(a, (tuple, list)) and len(a) == len(b)
        return all(same(p, q) for p, q in zip(a, b, strict=True))
    if not isinstance(b, (np.ndarray, np.generic)):
        return a == b
    assert plain(a).shape == b.shape and plain(a).dtype == b.dtype, (plain(a).dtype, b.dtype)
    return np.allclose(plain(a), b, rtol=1e-12, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("expression", DIFFERENTIABLE)
def test_differentiable(expression):
    names = names_in(expression)
    arrays = {n: ARRAYS[n] for n in names}
    f = compiled(expression)
    expected = f(**arrays)
    tensors = {n: tg.Tensor(a) for n, a in arrays.items()}
    found = f(**tensors)
    assert same(found, expected)
    assert same(compiled(expression, ours=True)(**tensors), expected)
    assert any(y.node is not None for y in leaves_of(found)) or not leaves_of(found)[0].size
    if expression.startswith("np.linalg"):
        return  # the derivatives are in test_linalg
    check(lambda *values: f(**dict(zip(names, values, strict=True))), list(arrays.values()))


@pytest.mark.parametrize("expression", DIFFERENTIABLE)
def test_single_precision(expression):
    """Values have NumPy's dtype, gradients have their input's, and both are near those of double precision."""
    f, results = compiled(expression), []
    for real, complexes in ((np.float64, np.complex128), (np.float32, np.complex64)):
        cast = {n: ARRAYS[n].astype(complexes if ARRAYS[n].dtype.kind == "c" else real) for n in names_in(expression)}
        tensors = {n: tg.Tensor(a) for n, a in cast.items()}
        found = f(**tensors)
        assert [y.dtype for y in leaves_of(found)] == [y.dtype for y in leaves_of(f(**cast))]
        total = sum(np.sum(np.real(y * np.cos(np.arange(y.size)).reshape(y.shape))) for y in leaves_of(found))
        total.backward()
        assert all(t.grad is None or t.grad.dtype == cast[n].dtype for n, t in tensors.items())
        results.append([np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors.values()])
    for double, single in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=2e-3, atol=2e-3 * (1 + np.max(np.abs(double), initial=0)))


# Where ours differs on purpose: `unique_values` sorts, a polynomial's remainder has no rounding errors in front,
# and `x ** 2` of booleans is what the operator gives.
_OTHERWISE = {"np.unique_values(x)", "np.polydiv(v, r[:3])", "np.power(x, 2)"}


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("expression", [e for e in DIFFERENTIABLE if e not in _OTHERWISE and "quantile(" not in e])
def test_integers_and_booleans(expression, dtype):
    """Values have NumPy's dtype for other numbers too; what NumPy refuses is refused."""
    f = compiled(expression)
    arrays = {n: (np.nan_to_num(ARRAYS[n]) * 3).real.astype(dtype) for n in names_in(expression)}
    tensors = {n: tg.Tensor(a) for n, a in arrays.items()}
    try:
        expected = f(**arrays)
    except (TypeError, ValueError, np.linalg.LinAlgError):
        if dtype == np.bool_:
            return
        with pytest.raises((TypeError, ValueError, np.linalg.LinAlgError)):
            f(**tensors)
    else:
        assert same(f(**tensors), expected)


@pytest.mark.parametrize("expression", split(CONSTANT))
def test_constant(expression):
    arrays = {n: ARRAYS[n] for n in names_in(expression)}
    expected = compiled(expression)(**arrays)
    found = compiled(expression)(**{n: tg.Tensor(a) for n, a in arrays.items()})
    assert same(found, expected)
    assert all(getattr(y, "node", None) is None for y in leaves_of(found))


# What these say is no array, of which a batch could be made.
_NO_ARRAYS = re.compile(
    r"np\.(array2string|array_repr|array_str|common_type|einsum_path|min_scalar_type|result_type)\("
)


_BATCHED = [e for e in DIFFERENTIABLE + split(CONSTANT) if names_in(e) and not _NO_ARRAYS.match(e)]


@pytest.mark.parametrize("expression", _BATCHED)
def test_batched(expression):
    """What it says of a batch is what it says of one example after the other."""
    f, arrays = compiled(expression), {n: ARRAYS[n] for n in names_in(expression)}
    batches = {n: np.stack([a, a[..., ::-1] if a.ndim else a * 1.5, a * 1.25]) for n, a in arrays.items()}
    each = [leaves_of(f(**{n: b[i] for n, b in batches.items()})) for i in range(3)]
    found = leaves_of(tg.vmap(lambda given: f(**given))({n: tg.Tensor(b) for n, b in batches.items()}))
    for batch, examples in zip(found, zip(*each, strict=True), strict=True):
        np.testing.assert_allclose(plain(batch), np.stack(examples), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("expression", split(IN_PLACE))
def test_in_place(expression):
    names = names_in(expression)
    first = names_in(expression.partition("(")[2].partition(",")[0])[0]

    def written(**arrays):
        changed = arrays[first] * 1
        compiled(expression)(**{**arrays, first: changed})
        return changed

    arrays = {n: ARRAYS[n] for n in names}
    assert same(written(**{n: tg.Tensor(a) for n, a in arrays.items()}), written(**arrays))
    check(lambda *values: written(**dict(zip(names, values, strict=True))), list(arrays.values()))


def test_the_page_of_names_is_current():
    """``docs/numpy-coverage.md`` says what the code does; NumPy's names differ a little from release to release."""
    from tests.numpy_coverage import PAGE, page

    written = dict(re.findall(r"\*\*(\w[\w ]*)\*\* \(\d+\) \| (.*) \|", PAGE.read_text()))
    for kind, names in re.findall(r"\*\*(\w[\w ]*)\*\* \(\d+\) \| (.*) \|", page()):
        assert kind != "refused" or set(names.split(", ")) <= {"`i0`"}
        assert kind in written
    if np.__version__.startswith("2.4"):
        assert PAGE.read_text() == page()


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize(
    "name",
    "sum prod max min all any count_nonzero cumsum cumprod cumulative_sum cumulative_prod argmax argmin argsort ptp "
    "nansum nanprod nanmean nanmax nanvar nancumsum squeeze".split(),
)
def test_a_number_has_an_axis_where_numpy_says_so(name, axis):
    f, x = getattr(np, name), tg.Tensor(-2.0)
    expected, found = f(np.float64(-2.0), axis=axis), f(x, axis=axis)
    assert same(found, expected)
    if plain(expected).dtype.kind == "f" and name not in ("ptp", "nanvar"):
        found.sum().backward()
        assert x.grad.item() == 1
    with pytest.raises(np.exceptions.AxisError):
        f(x, axis=1)


_VALUES = [np.array([-2.5]), np.array([[-2.5, 1.0], [3.0, -4.0]]), np.zeros((2, 0)), np.array([3, 0, 2], np.uint8)]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.hypot.reduce(x, axis=-1),  # begins with 0: of one number, its absolute value
        lambda x: np.hypot.reduce(x, axis=None, keepdims=True),
        lambda x: np.logaddexp.reduce(x, axis=-1) if x.dtype.kind == "f" else np.bitwise_and.reduce(x),
        lambda x: np.subtract.reduce(x, axis=-1) if x.size else np.add.reduce(x),
        lambda x: np.partition(x, 0),
        lambda x: np.modf(x),
        lambda x: np.clip(x, -1, 2),
        lambda x: np.clip(x, None, np.float32(1.5)),
        lambda x: np.cov(x),
        lambda x: np.gradient(np.sum(x)),
    ],
)
def test_edges(call):
    for x in _VALUES:
        assert same(call(tg.Tensor(x)), call(x)), x


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.bool_])
def test_the_extreme_of_nothing_is_where_it_begins(dtype):
    x = np.zeros((2, 0, 3), dtype)
    for axis, keepdims in ((1, False), (1, True), ((0, 1), False), (None, True)):
        for f in (np.max, np.min):
            found = f(tg.Tensor(x), axis=axis, initial=1, keepdims=keepdims)
            assert isinstance(found, tg.Tensor) and same(found, f(x, axis=axis, initial=1, keepdims=keepdims))
    initial = tg.Tensor(3.0)
    np.max(tg.Tensor(np.zeros((0, 2))), axis=0, initial=initial).sum().backward()
    assert initial.grad.item() == 2


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_norms_of_nothing_are_zero(shape, order):
    """As in NumPy from 2.3 on."""
    x = tg.Tensor(np.zeros(shape))
    y = np.linalg.norm(x, order)
    y.backward()
    assert y.item() == 0 and x.grad.shape == shape


def test_the_number_that_a_reduction_begins_with_has_its_part_in_the_derivative():
    x = tg.Tensor([-2.5, 0.0])
    np.hypot.reduce(x[:, None], axis=1).backward([1.0, 1.0])
    assert x.grad.tolist() == [-1, 0]


def test_a_limit_of_clip_that_a_whole_number_meets_has_no_part():
    limit = tg.Tensor([2.0, 3.0, 4.0])
    np.clip(3, limit, None).sum().backward()
    assert limit.grad.tolist() == [0, 0, 1]


def test_a_dtype_that_would_lose_the_imaginary_part_is_refused():
    with pytest.raises(TypeError, match=r"can't cast complex128 by the rule 'same_kind'"):
        np.exp(tg.Tensor([1j]), dtype=np.float32)
    assert np.exp(tg.Tensor([1j]), dtype=np.float32, casting="unsafe").item() == 1


@pytest.mark.filterwarnings("ignore")
def test_functions_without_a_derivative_see_one_example_of_a_batch():
    """Also those that NumPy has in C, whose signature is not ours, and with arrays given by name."""
    x = np.array([[-np.inf, 1.0, 0.5], [2.0, -np.inf, 0.0]])
    for f in (
        np.isneginf,
        np.isposinf,
        lambda row: np.lexsort((row, row * 0)),
        lambda row: np.isclose(a=row, b=1.0),
        lambda row: np.isin(row, test_elements=row[:2]),
        lambda row: np.digitize(row, bins=[0.2, 1.0]),
        lambda row: np.unravel_index(np.argmax(row), (3, 1))[0],
    ):
        found = tg.vmap(f)(tg.Tensor(x))
        assert isinstance(found, tg.Tensor) and same(found, np.stack([f(row) for row in x])), f
    assert isinstance(np.isneginf(tg.Tensor(x)), tg.Tensor)


def test_a_place_outside_is_named():
    with pytest.raises(ValueError, match="partition: kth=5 of 2 elements; numbers from -2 to 1 are wanted"):
        np.partition(tg.Tensor([1.0, 2.0]), 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, 0, None, None, True),
        lambda x: np.sum(a=x, axis=0, out=None),
        lambda x: np.max(x, 0, None, True),
        lambda x: np.var(x, 0, None, None, 1),
        lambda x: np.std(x, 0, None, None, 1, True),
        lambda x: np.clip(x, 0.0, 2.0, None),
        lambda x: np.clip(a=x, a_min=0.0, a_max=2.0),
        lambda x: np.take(x, [0, 5], 0, None, "wrap"),
        lambda x: np.quantile(x, 0.3, 0, None, False, "lower", True),
        lambda x: np.quantile(x, q=0.3),
        lambda x: np.cumsum(x, 0, None, None),
        lambda x: np.median(x, 0, None, False, True),
        lambda x: np.compress([1, 0, 1], x, 0, None),
        lambda x: np.outer(x, x, None),
        lambda x: np.dot(x, b=x),
        lambda x: np.concatenate([x, x], 0, None),
        lambda x: np.round(x, 1, None),
        lambda x: np.roll(a=x, shift=1),
        lambda x: np.flip(m=x),
        lambda x: np.cov(m=x, y=x),
        lambda x: np.interp(1.5, x, fp=x),
        lambda x: np.where(x > 1, x, 0.0),
    ],
)
def test_arguments_stand_where_numpy_has_them(call):
    """Also by place behind ``out``, and the first ones by NumPy's names."""
    x = np.array([0.5, 1.25, 2.75])
    assert same(call(tg.Tensor(x)), call(x))


def test_out_by_place_is_refused():
    with pytest.raises(TypeError, match=r"np.sum\(..., out=...\)"):
        np.sum(tg.Tensor([1.0, 2.0]), 0, None, np.zeros(()))


def test_what_pad_refuses():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="does not take"):
        np.pad(x, 1, "edge", stat_length=1)
    with pytest.raises(NotImplementedError, match="function as mode"):
        np.pad(x, 1, print)
    with pytest.raises(ValueError, match=r"zero-size|no elements"):
        np.pad(x, 1, "maximum", stat_length=0)
    assert np.pad(x, 1, "empty").shape == (4,) and np.pad(x[:1], 2, "reflect", reflect_type="odd").tolist() == [1.0] * 5


@pytest.mark.parametrize(
    "f", [tg.mean, tg.std, tg.max, tg.sort, tg.cumsum, tg.median, tg.linalg.norm, lambda x: tg.append(x, x)]
)
def test_a_list_of_tensors_is_one_of_their_stack(f):
    def of_list(x):
        return f([[x[0], 2.0], (x[1], x[0])])

    def of_stack(x):
        return f(tg.stack([x[0], 2.0, x[1], x[0]]).reshape(2, 2))

    x = np.array([0.5, 3.0])
    assert np.array_equal(of_list(x), of_stack(x))
    assert np.array_equal(tg.jacobian(of_list)(x), tg.jacobian(of_stack)(x))
    assert tg.jacobian(of_list)(x).any()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4), (0, 3)])
def test_the_first_index_may_run_fastest(shape):
    x = np.random.default_rng(0).normal(size=shape)
    t = tg.Tensor(x)
    for new in ((-1,), (1, -1), (x.size, 1)):
        if x.size or -1 not in new:
            np.testing.assert_array_equal(np.reshape(t, new, order="F").numpy(), np.reshape(x, new, order="F"))
            np.testing.assert_array_equal(t.reshape(*new, order="F").numpy(), x.reshape(*new, order="F"))
    flat = np.ravel(t, order="F")
    np.testing.assert_array_equal(flat.numpy(), np.ravel(x, order="F"))
    weights = np.arange(float(x.size))
    (flat * weights).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), weights.reshape(shape, order="F"))
    np.testing.assert_array_equal(tg.ravel([t, 2 * t], order="F").numpy(), np.ravel([x, 2 * x], order="F"))
    with pytest.raises(ValueError, match="write 'C' or 'F'"):
        np.ravel(t, order="K")


def test_what_is_imported_later_is_there_all_the_same():
    """Some parts are imported when a name of theirs is asked for, by whatever way."""
    for way in (
        "import tinygrad_sp as tg; assert 'transforms' not in vars(tg); tg.grad(tg.softplus)(1.0)",
        "from tinygrad_sp import quantile, vmap",
        "from tinygrad_sp import *; grad(softplus)(1.0); linalg.inv; Tensor",
        "import tinygrad_sp as tg; assert {'conv2d', 'fft', 'vjp'} <= {*dir(tg)}",
        "import numpy as np, tinygrad_sp as tg; np.interp(tg.Tensor(0.5), [0.0, 1.0], [0.0, 2.0]).backward()",
        "import tinygrad_sp as tg; assert not hasattr(tg, 'nonsense') and not hasattr(tg, '__wrapped__')",
    ):
        subprocess.run([sys.executable, "-c", way], check=True)
