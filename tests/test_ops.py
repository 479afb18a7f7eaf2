"""Every op there is, found in ``OPS``: its value against NumPy, its first two derivatives against differences.

An elementwise op needs no data: points are tried, and those kept around which the function is smooth.  Every
other op carries ``cases`` (shapes and params) beside its rule.  An op with neither fails by name.  Derivatives
are checked along a random direction u: with phi(t) = sum(c * f(x + t*u)), backward must give phi'(0), and backward
of backward phi''(0).  For complex arguments phi is the real part of sum(conj(c) * f(z + t*u)), and a gradient is
dL/da + i dL/db, so phi'(0) = Re sum(conj(grad) * u).
"""

import functools
import importlib.util
import inspect
import operator
import pickle
import pkgutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import tinygrad_sp as tg
import tinygrad_sp.ops
from tinygrad_sp import dispatch
from tinygrad_sp.graph import OPS, apply
from tinygrad_sp.ops.products import MatMul

for _module in pkgutil.iter_modules(tinygrad_sp.ops.__path__):
    importlib.import_module(f"tinygrad_sp.ops.{_module.name}")

ALL = [op for op in OPS if not op.own and not op.name.startswith("_")]
DIFFERENTIABLE = [op for op in ALL if op.backward is not None]
POINTWISE = [op for op in DIFFERENTIABLE if op.linear == "pointwise" and not op.cases]
# Ops that need matrices of a kind, or equal elements, are tested where such are made.
BY_HAND = {
    "Distinct": "test_kinks.py",
    **dict.fromkeys(("Cholesky", "Eigh", "Eigvalsh", "Eig", "Eigvals", "SVD"), "test_linalg.py"),
}
SHAPED = [op for op in DIFFERENTIABLE if op.cases and op.name not in BY_HAND]
CASES = [pytest.param(op, case, id=f"{op.name}-{i}") for op in SHAPED for i, case in enumerate(op.cases)]
PUBLIC = {function.op: function for function in vars(tg).values() if hasattr(function, "op") and callable(function)}
UFUNCS = {
    ours.op: theirs
    for theirs, ours in dispatch.TABLE.items()
    if isinstance(theirs, np.ufunc) and ours in PUBLIC.values()
}
SEEDS = st.integers(0, 2**32 - 1)
STEP, WIDE_STEP = np.longdouble(2.0) ** -9, np.longdouble(2.0) ** -5
REAL = (np.float16, np.float32, np.float64, np.longdouble)

every_pointwise = pytest.mark.parametrize("op", POINTWISE, ids=lambda op: op.name)


def test_every_op_is_covered():
    covered = {op.name for op in (*POINTWISE, *SHAPED)} | BY_HAND.keys()
    missing = [op.name for op in DIFFERENTIABLE if op.name not in covered]
    assert not missing, f"these ops have a derivative but neither `cases` nor linear='pointwise': {missing}"
    for name, file in BY_HAND.items():
        assert name.lower() in (Path(__file__).parent / file).read_text().lower()
    assert len(POINTWISE) > 30 and len(SHAPED) > 15


# ---------------------------------------------------------------------------------------------- differences


def function_of(op):
    """Return what users call: for the rows of elementwise functions that is another path than ``apply``."""
    if op.small:
        return PUBLIC.get(op) or (lambda *arrays: apply(op, arrays, {}))
    return type(op).apply


def quietly(function):
    """Call without floating-point warnings."""

    @functools.wraps(function)
    def quiet(*args, **kwargs):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return quiet


def differences(phi, h):
    """Return the first two derivatives of phi at 0, by central differences extrapolated once."""
    here, (a, b), (c, d) = phi(0), (phi(h), phi(-h)), (phi(h / 2), phi(-h / 2))
    first = (4 * (c - d) / h - (a - b) / (2 * h)) / 3
    second = (4 * (c - 2 * here + d) / (h / 2) ** 2 - (a - 2 * here + b) / h**2) / 3
    return first, second


def wide(x):
    return x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)


def double(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) if x.dtype.kind in "fc" else x


def forward(op, arrays, params):
    """Compute in the widest floats the op takes."""
    try:
        out = op.forward(*[wide(x) if x.dtype.kind in "fc" else x for x in arrays], **params)
    except (TypeError, ValueError):
        out = op.forward(*map(double, arrays), **params)
    return out if isinstance(out, tuple) else (out,)


def dot(a, b):
    """Return the real number that a cotangent a makes of a tangent b."""
    return np.sum((np.conjugate(a) * b).real)


@quietly
def expected(op, arrays, params, directions, cotangents):
    """Return phi'(0) and phi''(0), and how uncertain rounding makes them."""

    def phi(t):
        moved = [x if u is None else wide(x) + np.longdouble(t) * u for x, u in zip(arrays, directions, strict=True)]
        return sum(dot(c, y) for c, y in zip(cotangents, forward(op, moved, params), strict=True))

    eps = max(np.finfo(y.dtype).eps for y in forward(op, arrays, params))
    fine = differences(phi, STEP)
    rounding = [20 * eps / STEP**order * sum(np.sum(abs(c)) for c in cotangents) for order in (1, 2)]
    noise = list(rounding)
    finer = differences(phi, STEP / 4)
    for order in (0, 1):
        off = abs(fine[order] - finer[order])
        noise[order] += off
        assume(off <= 1e-4 * (1 + abs(finer[order])) + 16 * rounding[order])  # else a kink is near
    return fine, noise


@quietly
def derived(op, arrays, params, directions, cotangents):
    """Return the same two numbers from backward, and the gradients."""
    xs = [x if u is None else tg.Tensor(x) for x, u in zip(arrays, directions, strict=True)]
    variables = [(x, u) for x, u in zip(xs, directions, strict=True) if u is not None]
    outs = function_of(op)(*xs, **params)
    outs = outs if isinstance(outs, tuple) else (outs,)
    total = sum((tg.real(np.conjugate(c) * y).sum() for c, y in zip(cotangents, outs, strict=True)), 0.0)
    total.backward(create_graph=True)
    grads = [x.grad if x.grad is not None else tg.Tensor(np.zeros(x.shape, x.dtype)) for x, _ in variables]
    for x, _ in variables:
        x.zero_grad()
    first = sum(tg.real(np.conjugate(u) * g).sum() for g, (_, u) in zip(grads, variables, strict=True))
    if first.requires_grad:
        first.backward()
    second = sum(0 if x.grad is None else dot(x.grad.numpy(), u) for x, u in variables)
    return first.item(), second, [g.numpy() for g in grads]


def check(op, arrays, params, rng):
    """Compare both derivatives; return the gradients."""
    conditions = getattr(op, "conditions", 0)
    fixed = [i < conditions or x.dtype.kind not in "fc" or constant(x) for i, x in enumerate(arrays)]
    directions = [None if f else draw_like(x, rng) for f, x in zip(fixed, arrays, strict=True)]
    cotangents = [draw_like(y, rng) for y in map(np.asarray, quietly(forward)(op, arrays, params))]
    (first, second), noise = expected(op, arrays, params, directions, cotangents)
    got_first, got_second, grads = derived(op, arrays, params, directions, cotangents)
    close(got_first, first, f"{op.name} {params}: first derivative at {arrays}", noise[0])
    close(got_second, second, f"{op.name} {params}: second derivative at {arrays}", noise[1])
    for g, x in zip(grads, [x for x, u in zip(arrays, directions, strict=True) if u is not None], strict=True):
        assert g.shape == x.shape and g.dtype == x.dtype, f"{op.name}: a gradient has the shape and dtype of its primal"
    return grads


def constant(x):
    """Whether this array was given by a case."""
    return isinstance(x, np.ndarray) and not x.flags.writeable


def close(got, want, what, noise):
    assert abs(got - want) <= 2e-6 * (1 + abs(want)) + noise, f"{what}: {got} instead of {want}"


def draw_like(x, rng):
    draw = rng.uniform(-1, 1, np.shape(x))
    return draw + 1j * rng.uniform(-1, 1, np.shape(x)) if np.asarray(x).dtype.kind == "c" else draw


# ---------------------------------------------------------------------------------------------- elementwise ops


def arity(op):
    if op.small:
        return op.arity
    parameters = inspect.signature(op.forward).parameters.values()
    return sum(p.kind is not inspect.Parameter.KEYWORD_ONLY for p in parameters)


@functools.cache
def points(op, complex_=False):
    """Return arrays of points, exact in float16, around which the op is smooth: found by trying."""
    rng, n = np.random.default_rng(0), 1000
    low, high = op.domain or (-9, 9)

    def some():
        spread = rng.uniform(low, high, n) * rng.choice([1, 0.1], n)
        return spread.astype(np.float16).astype(np.float64)

    tried = [some() + 1j * some() if complex_ else some() for _ in range(arity(op))]
    whole = [tried[0], *(x.astype(int) for x in tried[1:])] if not complex_ else tried
    for arrays in (tried, whole):  # some functions take integers for all arguments but the first
        try:
            smooth = smooth_at(op, arrays, complex_)
        except TypeError:
            continue
        return [x[smooth] for x in arrays]
    return None


@quietly
def smooth_at(op, arrays, complex_):
    """Return where differences of two widths agree, and nothing is large."""
    values = op.forward(*arrays)
    smooth = np.isfinite(values) & (abs(values) < 1000)
    for i in range(len(arrays)):
        for u in (1, 1j) if complex_ else (1,) if arrays[i].dtype.kind == "f" else ():

            def along(t, i=i, u=u):
                return forward(op, [wide(x) + t * u if k == i else x for k, x in enumerate(arrays)], {})[0]

            for a, b, most in zip(differences(along, WIDE_STEP), differences(along, STEP), (100, 1000), strict=True):
                smooth = smooth & (abs(a - b) < 1e-3 * (1 + abs(b))) & (abs(b) < most)
    return smooth


def smooth_arrays(op, shapes, rng, complex_=False):
    """Draw arrays of these shapes such that every combination of elements that meet is smooth."""
    pool = points(op, complex_)
    found = 0 if pool is None else len(pool[0])
    assert found >= 8, f"{op.name}: {found} smooth points found; give it a `domain`, or `cases`"
    for _ in range(20):
        arrays = [x[rng.integers(found, size=shape)] for x, shape in zip(pool, shapes, strict=True)]
        if len(arrays) == 1 or np.all(smooth_at(op, arrays, complex_)):
            return arrays
    at = rng.integers(found, size=np.broadcast_shapes(*shapes))
    return [x[at] for x in pool]


def shapes_for(op, data):
    """Draw shapes that broadcast, with lengths of zero and one among them."""
    shapes = mutually_broadcastable_shapes(num_shapes=arity(op), min_side=0, max_side=3, max_dims=3)
    return data.draw(shapes).input_shapes


@every_pointwise
@given(data=st.data(), seed=SEEDS)
def test_elementwise_derivatives(op, data, seed):
    rng = np.random.default_rng(seed)
    check(op, smooth_arrays(op, shapes_for(op, data), rng), {}, rng)


@every_pointwise
@given(data=st.data(), seed=SEEDS)
def test_elementwise_complex_derivatives(op, data, seed):
    if points(op, True) is None:
        pytest.skip(f"{op.name} is not defined for complex numbers")
    rng = np.random.default_rng(seed)
    arrays = smooth_arrays(op, shapes_for(op, data), rng, True)
    check(op, arrays, {}, rng)


@every_pointwise
@given(data=st.data(), seed=SEEDS, dtype=st.sampled_from(REAL))
def test_elementwise_value_and_dtype(op, data, seed, dtype):
    rng = np.random.default_rng(seed)
    exact = smooth_arrays(op, shapes_for(op, data), rng)
    compare_with_float64(op, exact, {}, dtype, rng)


@quietly
def compare_with_float64(op, exact, params, dtype, rng):
    """Check dtypes, the value against NumPy's (bit for bit), and the gradient against the one in float64."""
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in exact]
    try:
        plain = op.forward(*arrays, **params)
    except TypeError:
        assert dtype not in (np.float32, np.float64), f"{op.name} must take {dtype}"
        return
    tensors = [tg.Tensor(x) for x in arrays]
    out = function_of(op)(*tensors, **params)
    for mine, numpys in zip(*[x if isinstance(x, tuple) else (x,) for x in (out, plain)], strict=True):
        assert isinstance(mine, tg.Tensor) and mine.shape == numpys.shape and mine.dtype == numpys.dtype
        np.testing.assert_array_equal(mine.numpy(), numpys)
    if op in UFUNCS:  # NumPy's operators and ufuncs may differ in the last bit themselves
        np.testing.assert_allclose(out.numpy(), UFUNCS[op](*arrays), rtol=2 * np.finfo(out.dtype).eps, atol=0)
    if isinstance(out, tuple):
        return
    doubles = [tg.Tensor(x) for x in exact]
    c = rng.uniform(-1, 1, out.shape).astype(np.float16)
    out.backward(c)
    function_of(op)(*doubles, **params).backward(c)
    for x, y in zip(tensors, doubles, strict=True):
        if x.grad is not None:
            assert x.grad.dtype == x.dtype and x.grad.shape == x.shape
            want = y.grad.numpy().astype(np.float64)
            bound = 100 * max(np.finfo(dtype).eps, 2.0**-52) * (1 + np.max(abs(want), initial=0))
            np.testing.assert_allclose(x.grad.numpy().astype(np.float64), want, rtol=0, atol=float(bound))


# ---------------------------------------------------------------------------------------------- ops with cases


def arrays_of(op, case, rng, complex_=False):
    """Draw arrays of a case's shapes: exact in float16, no two equal, conditions where the op begins with them."""
    *shapes, params = case if isinstance(case[-1], dict) else (*case, {})
    low, high = op.domain or (-2, 2)
    arrays = []
    for i, shape in enumerate(shapes):
        if isinstance(shape, np.ndarray):  # given, and so not differentiated
            arrays.append(shape.copy())
            arrays[-1].flags.writeable = False
            continue
        values = rng.uniform(low, high, shape).astype(np.float16).astype(np.float64)
        if i < getattr(op, "conditions", 0):
            values = values > 0
        elif complex_:
            values = values + 1j * rng.uniform(low, high, shape)
        arrays.append(values)
    return arrays, params


@pytest.mark.parametrize(("op", "case"), CASES)
@given(seed=SEEDS)
def test_shaped_derivatives(op, case, seed):
    rng = np.random.default_rng(seed)
    arrays, params = arrays_of(op, case, rng)
    check(op, arrays, params, rng)


@pytest.mark.parametrize(("op", "case"), CASES)
@given(seed=SEEDS)
def test_shaped_complex_derivatives(op, case, seed):
    rng = np.random.default_rng(seed)
    arrays, params = arrays_of(op, case, rng, complex_=True)
    try:
        quietly(op.forward)(*arrays, **params)
    except TypeError:
        pytest.skip(f"{op.name} is not defined for complex numbers")
    check(op, arrays, params, rng)


@pytest.mark.parametrize(("op", "case"), CASES)
@given(seed=SEEDS, dtype=st.sampled_from(REAL))
def test_shaped_value_and_dtype(op, case, seed, dtype):
    rng = np.random.default_rng(seed)
    arrays, params = arrays_of(op, case, rng)
    compare_with_float64(op, arrays, params, dtype, rng)


# ---------------------------------------------------------------------------------------------- are the checks sharp?


def _wrong(rule):
    @functools.wraps(rule)
    def wrong(*args, **kwargs):
        result = rule(*args, **kwargs)
        if isinstance(result, tuple):
            return tuple(None if part is None else part * 1.01 for part in result)
        return None if result is None else result * 1.01

    return wrong


FLAT = {"Heaviside"}  # wherever it is smooth its derivatives are 0, and so are wrong ones; see test_kinks.py


@pytest.mark.parametrize(
    "op", [op for op in DIFFERENTIABLE if op.name not in FLAT | BY_HAND.keys()], ids=lambda op: op.name
)
def test_a_wrong_rule_is_caught(op, monkeypatch):
    """Make every rule of every op wrong by one percent: the checks above must notice."""
    if isinstance(op.backward, tuple):
        rules = tuple(map(_wrong, op.backward))
        monkeypatch.setattr(op, "backward", rules)
        if op.small:
            monkeypatch.setattr(op, "rule_x", rules[0])
            monkeypatch.setattr(op, "rule_y", (*rules, None)[1])
    else:
        monkeypatch.setattr(op, "backward", staticmethod(_wrong(op.backward)).__func__)
    assert any(noticed(op, case, complex_) for complex_ in (False, True) for case in op.cases or [None])


def noticed(op, case, complex_):
    rng = np.random.default_rng(1)
    if case is None:
        if not points(op, complex_):
            return False
        arrays, params = smooth_arrays(op, [(3,)] * arity(op), rng, complex_), {}
    else:
        arrays, params = arrays_of(op, case, rng, complex_)
    try:
        check(op, arrays, params, rng)
    except AssertionError as error:
        return "derivative at" in str(error)
    return False


def _small():
    if importlib.util.find_spec("scipy"):
        importlib.import_module("tinygrad_sp.scipy.special")
    small = [op for op in OPS if op.small and not op.own and op.backward is not None and not op.name.startswith("_")]
    return [op for op in small if op.linear == "pointwise"]


def _arguments(op, shape, dtype):
    """Arrays of a form, and beside them what does not change the form of the result."""
    x = np.full(shape, 0.5, dtype)
    if op.arity == 1:
        return [(x,)]
    others = (x, np.ones(shape, np.int8), np.ones(shape, bool), np.ones(shape, np.float32), 0.5, 1, np.float64(1))
    return [pair for other in others for pair in ((x, other), (other, x))]


@pytest.mark.parametrize("shapes", [((3, 3), (3, 3)), ((5, 3, 3), (3, 3)), ((3, 3), (5, 3, 3)), ((0, 3, 3), (1, 3, 3))])
def test_rules_of_products_keep_the_form(shapes):
    """The same for the small op that is not elementwise: a cotangent fits where the argument is like the result."""
    x, y = (np.ones(shape) for shape in shapes)
    out = operator.matmul(x, y)
    for argument, rule in zip((x, y), MatMul.op.backward, strict=True):
        cotangent = rule(np.ones(out.shape), None, x, y)
        assert argument.shape != out.shape or (cotangent.shape, cotangent.dtype) == (out.shape, out.dtype)


@pytest.mark.parametrize("op", _small(), ids=lambda op: op.name)
@quietly
def test_rules_of_small_ops_keep_the_form(op):
    """The sweep does not look at a cotangent where the parent's form is the result's, a float64 array's."""
    dtype = np.dtype(np.float64)
    for shape in ((3,), (2, 1), (0,), (70_000,)):
        for arrays in _arguments(op, shape, dtype):
            try:
                out = op.forward(*arrays)
            except TypeError:
                continue
            if (out.shape, out.dtype) != (shape, dtype):
                continue
            for x, rule in zip(arrays, op.backward, strict=True):
                if (np.shape(x), getattr(x, "dtype", None)) == (shape, dtype):
                    try:
                        c = rule(np.ones_like(out), out, *arrays)
                    except (NotImplementedError, TypeError, OverflowError):
                        continue  # it has none, or not for such numbers, and says so
                    assert type(c) is np.ndarray and (c.shape, c.dtype) == (shape, dtype), (rule, arrays)


def test_public_functions_are_found_where_they_say_they_are():
    modules = tg, importlib.import_module("tinygrad_sp.scipy.special")
    public = [getattr(m, name) for m in modules for name in dir(m) if not name.startswith("_")]
    functions = [f for f in public if inspect.isfunction(f)]
    assert len(functions) > 300
    for f in functions:
        assert pickle.loads(pickle.dumps(f)) is f  # so that they can be sent to another process
