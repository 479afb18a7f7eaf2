"""Tensor: what Python and NumPy do with it, and that nothing anybody writes into changes what was recorded."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest

import tinygrad_sp as tg

A = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]])


def same(t, array):
    """Check value, shape and dtype."""
    assert isinstance(t, tg.Tensor)
    assert t.shape == np.shape(array) and t.dtype == np.asarray(array).dtype
    np.testing.assert_array_equal(t.numpy(), array)


# ---------------------------------------------------------------------------------------------- leaves, constants


@pytest.mark.parametrize(
    ("data", "dtype", "tracked"),
    [
        (1.5, np.float64, True),
        ([1.0, 2.0], np.float64, True),
        (1j, np.complex128, True),
        (np.float16(1), np.float16, True),
        (np.float32([1]), np.float32, True),
        (np.longdouble(1), np.longdouble, True),
        (np.complex64(1), np.complex64, True),
        (3, np.int64, False),
        (True, np.bool_, False),
        (range(3), np.int64, False),
        (np.uint8([1]), np.uint8, False),
        ([], np.float64, True),
        (np.zeros((0, 3)), np.float64, True),
        (((1.0,), (2.0,)), np.float64, True),
    ],
)
def test_leaves(data, dtype, tracked):
    t = tg.Tensor(data)
    same(t, np.array(data))
    assert t.dtype == dtype and t.requires_grad is tracked and t.is_leaf and t.grad is None
    assert (t.node is not None) is tracked
    constant = tg.Tensor(data, requires_grad=False)
    assert constant.node is None and not constant.requires_grad and constant.is_leaf


def test_dtype_can_be_given():
    assert tg.Tensor([1, 2], dtype=np.float32).requires_grad
    assert tg.Tensor([1.5], dtype="f2").dtype == np.float16
    assert not tg.Tensor([1.0], dtype=int).requires_grad
    same(tg.Tensor(tg.Tensor([1.0], requires_grad=False), dtype=np.float32), np.float32([1]))


def test_swapped_bytes_are_put_right():
    x = tg.Tensor(np.array([1.0, 2.0], ">f8"))
    (x.astype(">f4").sum() + np.ptp(x)).backward()
    assert x.dtype.isnative and x.astype(">f4").dtype.isnative
    assert x.grad.tolist() == [0, 2] and x.grad.dtype == np.float64


def test_constants_record_nothing():
    c = tg.Tensor([1.0, 2.0], requires_grad=False)
    assert (c * 2 + np.exp(c)).node is None
    x = tg.Tensor([1.0, 2.0])
    y = c * x
    assert y.node.parents[0] is None
    y.sum().backward()
    assert c.grad is None and x.grad.tolist() == [1, 2]


def test_requires_grad_can_be_switched():
    t = tg.Tensor([1.0], requires_grad=False).requires_grad_()
    (t * 3).sum().backward()
    assert t.grad.tolist() == [3]
    assert t.requires_grad_(False) is t and not (t * 3).requires_grad
    assert t.requires_grad_().requires_grad


def test_functions_of_arrays_are_arrays_and_of_tensors_tensors():
    assert isinstance(tg.exp(A), np.ndarray) and isinstance(tg.exp(1.0), np.float64)
    assert isinstance(tg.sum(A), np.float64) and isinstance(tg.softplus([1.0]), np.ndarray)
    assert isinstance(tg.exp(tg.Tensor(A)), tg.Tensor)


# ---------------------------------------------------------------------------------------------- operators

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
OTHERS = [
    2, 2.5, True, np.float32(2), np.float64(2), np.int8(2), np.array(2.0), [1.0, 2.0, 3.0], (1, 2, 3),
    np.array([1.0, 2.0, 3.0]), np.float16([1, 2, 3]), np.array([1, 2, 3]), [[1.0], [2.0]], range(1, 4),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int32])
@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("op", OPERATORS + COMPARISONS, ids=lambda op: op.__name__)
def test_operators_in_both_directions_are_numpys(op, other, dtype):
    a = np.abs(A).astype(dtype) + dtype(1)
    plain = np.asarray(other) if isinstance(other, (list, tuple, range)) else other
    t = tg.Tensor(a)
    same(op(t, other), op(a, plain))
    same(op(other, t), op(plain, a))
    same(op(t, tg.Tensor(np.asarray(other))), op(a, np.asarray(other)))


@pytest.mark.parametrize("op", OPERATORS + COMPARISONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [2, 2.5, 1j, np.float32(2), np.float64(2), np.array(2.0), [2.0]], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operators_on_scalars(op, other, dtype):
    if other == 1j and op in (operator.floordiv, operator.mod, *COMPARISONS[:4]):
        pytest.skip("not for complex numbers")
    a = dtype(1.5)
    plain = np.asarray(other) if isinstance(other, list) else other
    for got, want in ((op(tg.Tensor(a), other), op(a, plain)), (op(other, tg.Tensor(a)), op(plain, a))):
        assert got.dtype == np.asarray(want).dtype and got.shape == np.shape(want)
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-6)


def test_unary_operators_and_matmul():
    t = tg.Tensor(A)
    same(-t, -A)
    same(+t, A)
    same(abs(t), abs(A))
    same(t @ A.T, A @ A.T)
    same(A.T @ t, A.T @ A)
    same(t @ [1.0, 2.0, 3.0], A @ [1.0, 2.0, 3.0])
    same([1.0, 2.0] @ t, [1.0, 2.0] @ A)
    same(round(t, 1), np.round(A, 1))
    quotient, rest = divmod(t, 2)
    same(quotient, A // 2)
    same(rest, A % 2)
    quotient, rest = divmod(7.0, t)
    same(quotient, 7.0 // A)
    same(rest, 7.0 % A)
    n = tg.Tensor([5, 6])
    same(~n, ~np.array([5, 6]))
    same(n & 3, np.array([5, 6]) & 3)
    same(1 << n, 1 << np.array([5, 6]))
    same([1, 1] | n, np.array([1, 1]) | np.array([5, 6]))
    assert sum([t, t]).tolist() == (2 * A).tolist()


def test_float32_and_float16_stay_so_with_numbers():
    for dtype in (np.float16, np.float32):
        for a in (np.ones(3, dtype), dtype(1)):
            x = tg.Tensor(a)
            y = (2 * x + 1.5) ** 2 / 3 - 1
            assert y.dtype == dtype
            y.sum().backward()
            assert x.grad.dtype == dtype
            mixed = tg.Tensor(a)
            (mixed * np.float64(2)).sum().backward()
            assert mixed.grad.dtype == dtype


def test_comparison_with_what_is_no_number():
    t = tg.Tensor(1.0)
    assert (t == None) is False and (t != None) is True  # noqa: E711
    assert (t == "a") is False and t != object() and {"a": t}["a"] is t
    assert t not in [None, "a"]
    same(t == [1.0, 2.0], np.array([True, False]))


def test_hash_is_identity():
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 2.0])
    assert hash(a) != hash(b) and len({a, b, a}) == 2
    assert {a: 1, b: 2}[b] == 2


def test_containers():
    t = tg.Tensor(A)
    assert len(t) == 2 and [row.tolist() for row in t] == A.tolist()
    assert [row.tolist() for row in reversed(t)] == A[::-1].tolist()
    assert 4.0 in t and 9.0 not in t
    a, b = t
    (a * b).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), A[::-1])
    assert list(tg.Tensor(np.zeros((0, 2)))) == []


def test_numbers():
    t = tg.Tensor([2.5])
    assert float(t) == 2.5 and int(t) == 2 and complex(t) == 2.5 and bool(t) and t.item() == 2.5
    assert type(t.item()) is float and math.sqrt(tg.Tensor(4.0)) == 2
    assert [10, 20, 30][tg.Tensor(1)] == 20 and not tg.Tensor(0.0)
    assert tg.Tensor(A).item(1, 0) == 0.5 and tg.Tensor(A).tolist() == A.tolist()


def test_format_and_repr():
    assert f"{tg.Tensor(1.23456):.2f}" == "1.23"
    assert f"{tg.Tensor([1.23456, 2.0]):.2f}" == "[1.23, 2.00]"
    assert repr(tg.Tensor(2.0)) == "Tensor(2., requires_grad=True)"
    assert repr(tg.Tensor([1.0]) * 2) == "Tensor([2.], op=Multiply)"
    square = tg.Tensor(3.0) ** 2
    square.backward()
    assert repr(square) == "Tensor(9., released)"
    seen = []
    tg.grad(lambda x: (seen.append(repr(x)), x * x)[1])(2.0)
    assert seen == ["Tensor(2., variable)"]
    assert repr(tg.Tensor(np.float32([1]), requires_grad=False)) == "Tensor([1.], dtype=float32)"
    assert repr(tg.Tensor(np.zeros((0, 2)), requires_grad=False)) == "Tensor([], shape=(0, 2))"
    assert f"{tg.Tensor(3)}" == "Tensor(3)" and f"{tg.Tensor(3):04d}" == "0003"


# ---------------------------------------------------------------------------------------------- NumPy's protocols


def test_numpy_calls_reach_our_functions():
    t = tg.Tensor(A)
    same(np.exp(t), np.exp(A))
    same(np.sum(t, axis=0), np.sum(A, axis=0))
    same(np.sum(t, 0), np.sum(A, 0))
    same(np.mean(t, axis=1, keepdims=True), np.mean(A, axis=1, keepdims=True))
    same(A @ t.T, A @ A.T)
    same(np.where(t > 0, t, 0), np.where(A > 0, A, 0))
    same(np.add(A, t), A + A)
    same(np.float64(2) * t, 2 * A)
    same(np.array([1.0, 2.0, 3.0]) - t, np.array([1.0, 2.0, 3.0]) - A)
    same(A < t, A < A)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or])
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": None}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}])
def test_ufunc_reduce_is_numpys(ufunc, options):
    if ufunc in (np.logical_and,) and options.get("keepdims"):
        options = {"axis": -1, "keepdims": True}
    same(ufunc.reduce(tg.Tensor(A), **options), ufunc.reduce(A, **options))


@pytest.mark.parametrize("ufunc", [np.add, np.multiply])
@pytest.mark.parametrize("options", [{}, {"axis": 1}])
def test_ufunc_accumulate_is_numpys(ufunc, options):
    same(ufunc.accumulate(tg.Tensor(A), **options), ufunc.accumulate(A, **options))


def test_dtype_of_a_ufunc_is_the_dtype_it_computes_in():
    a = np.float32([1.1, 2.2])
    x = tg.Tensor(a)
    y = np.exp(x, dtype=np.float64)
    same(y, np.exp(a, dtype=np.float64))
    y.sum().backward()
    assert x.grad.dtype == np.float32
    same(np.add(x, 1.0, dtype=np.float64), np.add(a, 1.0, dtype=np.float64))


def test_subclasses_of_ndarray_count_as_arrays():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x * matrix
    same(y, np.asarray(matrix) ** 2)
    matrix[:] = 0
    y.sum().backward()
    assert x.grad.tolist() == [[1, 2], [3, 4]]


def test_a_constant_becomes_an_array_and_stays_what_it_is():
    c = tg.Tensor([1.0, 2.0], requires_grad=False)
    array = np.array(c)
    array[:] = 0
    assert c.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(c)[:] = 0
    assert np.asarray(c, dtype=np.float32).dtype == np.float32
    assert [10, 20][int(np.asarray(tg.Tensor(1)))] == 20 and A[tg.Tensor(1)].tolist() == A[1].tolist()


# ---------------------------------------------------------------------------------------------- values, not places


def test_data_is_the_tensor_s_own_array():
    mine = A.copy()
    t = tg.Tensor(mine)
    mine[:] = 0
    same(t, A)
    t.data[0, 0] = 7.0
    assert t.numpy()[0, 0] == 7 and t.data is t.data
    t.data = A
    same(t, A)
    t.data -= 0.5
    same(t, A - 0.5)
    assert t.is_leaf and t.requires_grad


def test_writing_into_data_does_not_change_what_was_recorded():
    x = tg.Tensor([1.0, 2.0])
    y = (x * x).sum()
    x.data[:] = 100.0
    z = (x * x).sum()
    x.data[:] = -1.0
    y.backward()
    assert x.grad.tolist() == [2, 4]
    z.backward()
    assert x.grad.tolist() == [202, 204]
    x.data -= 0.5 * np.ones(2)
    assert x.tolist() == [-1.5, -1.5]


def test_a_constant_can_be_computed_into_an_array():
    """As in ``p.data -= lr * p.grad``: there is no graph that could be lost."""
    p = tg.Tensor([1.0, 2.0])
    y = (p * p).sum()
    y.backward(retain_graph=True)
    p.data -= 0.5 * p.grad
    assert p.is_leaf and p.tolist() == [0, 0] and type(p.data) is np.ndarray
    p.zero_grad()
    y.backward()
    assert p.grad.tolist() == [2, 4]
    array = np.ones(2)
    assert np.add(array, tg.Tensor([1.0, 2.0], requires_grad=False), out=array) is array
    np.multiply(array, 2, out=array, where=[True, False])
    assert array.tolist() == [4, 3]
    with pytest.raises(TypeError, match="out="):
        array += tg.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match="out="), tg.no_grad():
        np.exp(array, out=tg.Tensor([1.0, 2.0], requires_grad=False))


def test_writing_into_a_gradient_s_or_a_result_s_data_changes_nothing_else():
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    y = a + b
    y.sum().backward()
    a.grad.data[:] = 9
    assert b.grad.tolist() == [1, 1]
    view = b.reshape(1, 2)
    view.data[:] = 9
    b.T.data[:] = 9
    b[:1].data[:] = 9
    b.detach().data[:] = 9
    assert b.tolist() == [3, 4]


def test_numpy_is_read_only():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        (x * 2).sum(keepdims=True).numpy()[0] = 5.0


@pytest.mark.parametrize("exposed", [False, True])
def test_writing_into_arrays_that_were_given_changes_nothing(exposed):
    x = tg.Tensor([1.0, 2.0, 3.0])
    if exposed:
        _ = x.data
    constant, index, mask = np.array([4.0, 5.0, 6.0]), np.array([0, 2]), np.array([True, False, True])
    cotangent, condition, matrix = np.array([1.0, 1.0, 1.0]), np.array([True, False, True]), np.eye(3)
    y = x * constant + constant * x + np.where(condition, x * x, constant) + matrix @ x
    y = y + np.exp(x[index]).sum() + (x[mask] ** constant[:2]).sum() + np.einsum("ij,j->i", matrix, x)
    wanted, value = tg.Tensor([1.0, 2.0, 3.0]), y.tolist()
    again = wanted * constant.copy() * 2 + np.where(condition.copy(), wanted * wanted, constant.copy()) + wanted * 2
    again = again + np.exp(wanted[[0, 2]]).sum() + (wanted[[0, 2]] ** np.array([4.0, 5.0])).sum()
    for array in (constant, index, mask, condition, matrix):
        array[...] = 1
    y.backward(cotangent)
    cotangent[:] = 100
    again.backward(np.ones(3))
    np.testing.assert_allclose(x.grad.numpy(), wanted.grad.numpy(), rtol=1e-15)
    assert y.tolist() == value


def test_gradients_of_two_leaves_do_not_share():
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])
    (a + b).backward(np.ones(2))
    a.grad += 1
    a.grad.data[:] = 5
    assert b.grad.tolist() == [1, 1]


# ---------------------------------------------------------------------------------------------- writing in place


def test_in_place_under_no_grad_keeps_a_leaf():
    p = tg.Tensor([1.0, 2.0])
    y = (p * p).sum()
    before = p
    with tg.no_grad():
        p -= 0.5
        p *= 2
        p[0] = 7.0
    assert p is before and p.is_leaf and p.requires_grad and p.tolist() == [7, 3]
    y.backward()
    assert p.grad.tolist() == [2, 4]
    p.zero_grad()
    (p * p).sum().backward()
    assert p.grad.tolist() == [14, 6]


def test_in_place_while_recording_is_differentiated():
    x = tg.Tensor([1.0, 2.0])
    y = x * 1
    y *= x
    y += 1
    y **= 2
    y.sum().backward()  # (x*x + 1)**2
    np.testing.assert_array_equal(x.grad.numpy(), 4 * np.array([1, 2.0]) * np.array([2, 5.0]))
    p = tg.Tensor([1.0, 2.0])
    p *= 3
    assert not p.is_leaf
    (p * p).sum().backward()
    assert p.grad.tolist() == [18, 36]  # with respect to what the leaf was


def test_in_place_keeps_dtype():
    x = tg.Tensor(np.float32([1, 2]))
    with tg.no_grad():
        x += np.array([0.5, 0.5])
    assert x.dtype == np.float32 and x.tolist() == [1.5, 2.5]


def test_setitem_of_tracked_into_tracked():
    x, v = tg.Tensor([1.0, 2.0, 3.0]), tg.Tensor(10.0)
    y = x * 2
    y[1] = v * v
    (y * y).sum().backward()
    assert x.grad.tolist() == [8, 0, 24] and v.grad.item() == 2 * 100 * 20


def test_setitem_into_a_constant_and_into_a_leaf():
    v = tg.Tensor([5.0, 6.0])
    buffer = tg.Tensor(np.zeros(4), requires_grad=False)
    buffer[1:3] = v
    (buffer * [1, 2, 3, 4]).sum().backward()
    assert v.grad.tolist() == [2, 3]
    x = tg.Tensor([1.0, 2.0])
    x[0] = 4.0
    (x * x).sum().backward()
    assert x.grad.tolist() == [0, 4] and x.tolist() == [4, 2]


INDICES = [
    0, -1, (1, 2), slice(None), slice(None, None, -1), (slice(1), slice(None, None, 2)), ..., None, (..., 0), (None, 1),
    (0, None, ..., None), [0, 0, 1], ([0, 1, 0], [2, 2, 2]), (slice(None), [2, 0]), np.array([[0, 1], [1, 1]]),
    np.array([[True, False, True], [False, False, True]]), np.array([True, False]), True, False, np.array(True),
    (slice(None), np.array([True, False, True])), (np.array([True, False]), [1]), np.zeros((2, 3), bool), [], ([], []),
    np.int64(1), (np.array(1), -1), slice(5, 2), ([[0], [1]], [0, 2]), (0, [0, 0]), ([1], slice(None), None),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_every_kind_of_index_reads_and_writes_with_gradients(index):
    x, places = tg.Tensor(A), np.arange(6).reshape(2, 3)
    y = x[index]
    same(y, A[index])
    c = np.random.default_rng(0).normal(size=y.shape)
    y.backward(c)
    wanted = np.zeros(6)
    np.add.at(wanted, places[index], c)
    np.testing.assert_allclose(x.grad.numpy().ravel(), wanted)
    # Writing: a broadcast scalar, a value of the shape, and one with leading ones.
    for shape in {(), y.shape, (1, *y.shape)}:
        x, v = tg.Tensor(A), tg.Tensor(np.random.default_rng(1).normal(size=shape))
        expected, t = A.copy(), x * 1.0
        try:
            expected[index] = v.numpy()
        except (TypeError, ValueError):  # for NumPy too
            continue
        t[index] = v
        same(t, expected)
        weights = np.random.default_rng(2).normal(size=A.shape)
        (t * weights).sum().backward()
        h = 1e-6
        for k in range(v.size):  # linear in v: differences are exact up to rounding
            moved = v.numpy().copy().reshape(-1)
            moved[k] += h
            other = A.copy()
            other[index] = moved.reshape(shape)
            slope = ((other - expected) * weights).sum() / h
            assert v.grad.numpy().reshape(-1)[k] == pytest.approx(slope, abs=1e-6)
        stayed = np.zeros(A.shape)
        stayed[index] = 1
        np.testing.assert_allclose(x.grad.numpy(), weights * (1 - stayed))


def test_repeated_indices_in_an_assignment_the_last_one_counts():
    v = tg.Tensor([1.0, 2.0, 3.0])
    t = tg.Tensor([0.0, 0.0], requires_grad=False)
    t[[0, 1, 0]] = v
    t.sum().backward()
    assert t.tolist() == [3, 2] and v.grad.tolist() == [0, 1, 1]


# ---------------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_of_leaves_are_leaves_of_their_own(duplicate):
    for x in (tg.Tensor([1.0, 2.0]), tg.Tensor(3.0), tg.Tensor(np.float32([1]))):
        y = duplicate(x)
        assert y is not x and y.is_leaf and y.requires_grad and y.dtype == x.dtype
        (y * 2).sum().backward()
        assert x.grad is None and y.grad.tolist() == np.full(x.shape, 2.0).tolist()
        y.data[...] = 9
        assert 9 not in x
    constant = duplicate(tg.Tensor([1, 2]))
    assert not constant.requires_grad and constant.tolist() == [1, 2]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_model_in_a_graph_is_pickled_with_it(protocol):
    w, c = tg.Tensor([1.0, 2.0]), tg.Tensor([5.0, 6.0], requires_grad=False)
    (w * 3).sum().backward()
    y = (np.exp(w)[[0, 1, 1]] * w[0] + np.where([True, False, True], w.sum(), 0)).sum() + (c @ w) ** 2
    w2, y2 = pickle.loads(pickle.dumps([w, y], protocol))
    assert w2.grad.tolist() == [3, 3] and y2.item() == y.item()
    w2.zero_grad()
    w.zero_grad()
    y2.backward()
    assert w.grad is None
    y.backward()
    np.testing.assert_array_equal(w2.grad.numpy(), w.grad.numpy())


def test_deepcopy_inside_a_graph():
    x = tg.Tensor([1.0, 2.0])
    y = np.sin(x).sum()
    pair = copy.deepcopy({"y": y, "x": x})
    pair["y"].backward()
    assert x.grad is None
    np.testing.assert_array_equal(pair["x"].grad.numpy(), np.cos([1.0, 2.0]))
    alone = copy.deepcopy(y)
    assert alone.item() == y.item() and alone.requires_grad
    alone.backward()
    y.backward()
    assert x.grad is not None


def test_copy_is_recorded_and_copy_copy_of_a_result_shares_its_graph():
    x = tg.Tensor([1.0, 2.0])
    (x.copy() * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    y = x * 2
    copy.copy(y).sum().backward()
    assert x.grad.tolist() == [5, 5]
    same(tg.Tensor([True, False]).copy(), np.array([True, False]))


def test_a_gradient_that_was_recorded_is_pickled():
    x = tg.Tensor(2.0)
    (x**3).backward(create_graph=True)
    x2 = pickle.loads(pickle.dumps(x))
    first, x2.grad = x2.grad, None
    first.backward()
    assert x2.grad.item() == 12


# ---------------------------------------------------------------------------------------------- odd corners


def test_functions_take_numpys_integers_where_they_take_ints():
    x = tg.Tensor(A)
    i = np.int64(1)
    assert np.expand_dims(x, i).shape == (2, 1, 3)
    assert np.broadcast_to(tg.Tensor(1.0), np.int64(3)).shape == (3,)
    assert x.sum(axis=i).shape == (2,) and x.reshape(np.int64(6)).shape == (6,)
    assert np.moveaxis(x, i, np.int64(0)).shape == (3, 2) and np.squeeze(x[:1], np.int64(0)).shape == (3,)


def test_mean_of_more_elements_than_float16_can_count():
    x = tg.Tensor(np.ones(70_000, np.float16))
    x.mean().backward()
    assert x.grad.dtype == np.float16 and x.grad.numpy()[0] == np.float16(1 / 70_000)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)),
    ("ij->", (2, 3)), ("...i,i", (2, 4, 3), (3,)), ("...i,i...->...", (2, 3), (3, 2)), ("i...->...", (3, 2, 2)),
    ("i,j", (2,), (3,)), ("ij,ij->i", (2, 3), (2, 1)), ("ij,ij->i", (2, 1), (2, 3)), ("ij,ij->j", (2, 1), (2, 3)),
    ("ij,ij->", (1, 3), (2, 3)), ("iij,jk->ki", (3, 3, 2), (2, 3)), ("iii", (2, 2, 2)), (",ij", (), (2, 3)),
    ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)), (" i j , j k -> i k ", (2, 3), (3, 4)), ("ij,k->i", (2, 3), (4,)),
    ("Ba,aC", (2, 3), (3, 2)), ("...,...", (2, 3), (3,)), ("...ij,...jk->...ik", (5, 2, 3), (1, 3, 2)),
    ("ij,ij->ij", (0, 3), (0, 3)), ("i->", (0,)), ("ij,ij,ij->ij", (2, 3), (2, 1), (1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum_in_every_form(case):
    text, *shapes = case
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in shapes]
    tensors = [tg.Tensor(a) for a in arrays]
    y = np.einsum(text, *tensors)
    np.testing.assert_allclose(y.numpy(), np.einsum(text, *arrays), rtol=1e-13)
    c = rng.normal(size=y.shape)
    y.backward(c)
    for i, (t, a) in enumerate(zip(tensors, arrays, strict=True)):
        u = rng.normal(size=a.shape)
        moved = [u if k == i else b for k, b in enumerate(arrays)]
        assert (t.grad.numpy() * u).sum() == pytest.approx((c * np.einsum(text, *moved)).sum(), rel=1e-10, abs=1e-12)


def test_einsum_with_lists_of_labels():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    same(np.einsum(tg.Tensor(a), [0, 1], b, [1, 2], [2, 0]), np.einsum(a, [0, 1], b, [1, 2], [2, 0]))
    same(np.einsum(tg.Tensor(a), [0, 26]), np.einsum(a, [0, 26]))
    same(np.einsum(tg.Tensor(a), [26, 0]), np.einsum(a, [26, 0]))
    same(np.einsum(tg.Tensor(a), [..., 0], [..., 0]), a)
    with pytest.raises(ValueError, match="51"):
        np.einsum(tg.Tensor(a), [0, 52])
    with pytest.raises(ValueError, match="51"):
        np.einsum(tg.Tensor(a), [0, -1])
