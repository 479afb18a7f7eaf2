"""The chain rule on the board: no formula is wrong, and the numbers multiply and add up to what backward gives."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp.explain import _local
from tinygrad_sp.formulas import rule_formula
from tinygrad_sp.graph import OPS, apply, rules_of
from tinygrad_sp.testing.ops import examples

OURS = [op for op in OPS if not op.own and not op.turned and not op.__module__.startswith("tinygrad_sp.scipy.")]
POINTWISE = [op for op in OURS if op.linear == "pointwise" and rules_of(op)]
WORDS = {name: f for space in (np, tg) for name, f in vars(space).items() if callable(f)} | {"pi": math.pi, "abs": abs}


def tracked(array):
    return tg.Tensor(array) if array.dtype.kind in "fc" else array


@pytest.mark.parametrize("op", POINTWISE, ids=lambda op: op.name)
def test_a_formula_is_the_local_derivative(op):
    for seed, example in enumerate(examples(op)):
        arrays = [np.asarray(a) for a in example.arrays]
        y = apply(op, [tracked(a) for a in arrays], example.params)
        if y.node is None:
            continue
        assert not y.level
        called = ["x", "y", "z"][: len(arrays)]
        values = {**dict(zip(called, arrays, strict=True)), "out": y.numpy(), "G": np.full(y.shape, 1.5 + seed)}
        for i, parent in enumerate(y.node.parents):
            if parent is None:
                continue
            local = _local(y.node, i)
            if local is None:  # a condition
                continue
            formula = rule_formula(op, i, called, "out", example.params, "")
            cotangent = rule_formula(op, i, called, "out", example.params, "G")
            assert formula, f"{op.name}: no formula for argument {i}"
            written = np.broadcast_to(eval(formula, WORDS, values), y.shape)
            np.testing.assert_allclose(written, local, rtol=1e-9, atol=1e-12, err_msg=formula)
            if cotangent:
                written = np.broadcast_to(eval(cotangent, WORDS, values), y.shape)
                np.testing.assert_allclose(written, local * values["G"], rtol=1e-9, atol=1e-12, err_msg=cotangent)


OTHERS = [op for op in OURS if op.linear != "pointwise" and rules_of(op) and not op.small]
SUMMED = {"Conv", "MaxPool", "SumPool", "SVDVals"}  # told in words; what the words mean would be the op over again
UNSAID = {  # no teacher would write it on the board, or it is met in a derivative of a derivative only
    "Cholesky", "ConvTranspose", "ConvWeight", "FFT", "Gather", "IRFFT", "Lstsq", "OfLargest", "Overlap", "Pinv", "QR",
    "RFFT", "RFactor", "Scatter", "Shared", "Slogdet", "ToLargest", "Windows",
}  # fmt: skip


def came_back(g, out, x, axis=-1, **_):
    """Hand each element of g back to those that its own came from, shared by equal ones."""
    g, out, x = (np.moveaxis(a, axis, -1) for a in (g, out, x))
    equal = x[..., :, None] == out[..., None, :]
    return np.moveaxis(np.sum(equal * g[..., None, :] / equal.sum(-2, keepdims=True), -1), -1, axis)


def added(g, shape, index):
    made = np.zeros(shape)
    np.add.at(made, index, g)
    return made


def added_along(g, x, places, axis):
    rows = list(np.ogrid[tuple(map(slice, places.shape))])
    rows[axis] = places
    return added(g, x.shape, tuple(rows))


def set_elsewhere(g, index):
    g = g.copy()
    g[index] = 0
    return g


def written_last(g, v, index):
    writes = np.arange(g[index].size).reshape(g[index].shape)
    left = np.full(g.shape, -1)
    left[index] = writes
    found = np.where(np.isin(writes, left), g[index], 0.0)
    return found.reshape((1,) * (v.ndim - found.ndim) + found.shape)


def unpadded(g, x, widths, **_):
    return g[tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape, strict=True))]


def on_diagonal(g, x, k):
    return added(g, x.shape, (..., np.arange(g.shape[-1]) + max(-k, 0), np.arange(g.shape[-1]) + max(k, 0)))


IN_WORDS = {  # what the words mean: (cotangent, result, which argument, arguments, parameters)
    "GetItem": lambda g, _o, _i, xs, p: added(g, xs[0].shape, p["index"]),
    "GetMasked": lambda g, _o, _i, xs, p: added(g, xs[0].shape, p["index"]),
    "SetItem": lambda g, _o, i, xs, p: written_last(g, xs[1], **p) if i else set_elsewhere(g, **p),
    "TakeAlong": lambda g, _o, _i, xs, p: added_along(g, *xs, **p),
    "Pad": lambda g, _o, _i, xs, p: unpadded(g, xs[0], **p),
    "Concatenate": lambda g, _o, i, xs, p: np.split(g, np.cumsum([x.shape[p["axis"]] for x in xs])[:-1], p["axis"])[i],
    "Stack": lambda g, _o, i, _xs, p: np.take(g, i, p["axis"]),
    "Diagonal": lambda g, _o, _i, xs, p: on_diagonal(g, xs[0], **p),
    "Prod": lambda g, out, _i, xs, _p: np.asarray(g * out)[..., None] / xs[0],
    "Distinct": lambda g, _o, _i, _xs, p: (g / np.bincount(p["inverse"]))[p["inverse"]],
    **dict.fromkeys(("Sort", "Partition", "Ranked"), lambda g, out, _i, xs, p: came_back(g, out, xs[0], **p)),
}


def meant(op, i, formula, example, cotangent, out):
    """Evaluate a formula; of words, what they mean."""
    called = [f"a{k}" for k in range(len(example.arrays))]
    axis = example.params.get("axis")

    def spread(g, shape):
        ones = [1 if axis is None or k in {a % len(shape) for a in np.atleast_1d(axis)} else n
                for k, n in enumerate(shape)]  # fmt: skip
        return np.broadcast_to(np.reshape(g, ones), shape)

    if op.name in IN_WORDS:
        return IN_WORDS[op.name](cotangent, out, i, example.arrays, example.params)
    space = {**WORDS, "spread": spread, "max": max, "linalg": np.linalg}
    values = {**example.params, **dict(zip(called, example.arrays, strict=True)), "out": out, "G": cotangent}
    try:
        return eval(formula, space, values)
    except SyntaxError:  # what follows in parentheses is said besides
        return eval(formula.rpartition(" (")[0], space, values)


@pytest.mark.parametrize("op", [op for op in OTHERS if op.cases], ids=lambda op: op.name)
def test_what_is_written_of_other_rules_is_what_they_do(op):
    rng = np.random.default_rng(0)
    said = 0
    for example in examples(op):
        example.arrays = [np.asarray(a) for a in example.arrays]
        tensors = [tracked(a) for a in example.arrays]
        y = apply(op, tensors, example.params)
        if not isinstance(y, tg.Tensor) or y.node is None or y.node.form is tuple or y.dtype.kind != "f":
            continue
        cotangent = rng.normal(size=y.shape).astype(y.dtype)[()]
        found = y.explain(cotangent).steps[0].pulls
        where = [i for i, parent in enumerate(y.node.parents) if parent is not None]
        called = [f"a{k}" for k in range(len(tensors))]
        for pull in found:
            i = next(i for i in where if y.node.parents[i] is pull.parent)
            if not pull.formula or pull.parent.dtype.kind == "c":
                continue
            said += 1
            if op.name in SUMMED:
                continue
            shapes = [*(a.shape for a in example.arrays), y.shape]
            formula = rule_formula(op, i, called, "out", example.params, "G", shapes)
            written = meant(op, i, formula, example, cotangent, y.numpy())
            written = np.real(written) if pull.formula.startswith("real(") else written
            summed = pull.formula.count("sum(") > formula.count("sum(")
            if not summed:
                assert np.shape(written) == np.shape(pull.value), formula
            while np.ndim(written) > np.ndim(pull.value):
                written = written.sum(0)
            ones = tuple(k for k, n in enumerate(np.shape(pull.value)) if n == 1)
            written = np.sum(written, ones, keepdims=True) if summed else written
            np.testing.assert_allclose(written, pull.value, rtol=1e-9, atol=1e-12, err_msg=formula)
    assert bool(said) != (op.name in UNSAID), f"{op.name}: say in its docstring what its argument gets"


def test_a_broadcast_matrix_product_is_summed():
    a, b = tg.Tensor(np.ones((4, 2, 3))), tg.Tensor(np.ones((3, 2)))
    y = (a @ b).sum()
    text = repr(y.explain())
    assert "dy/db = sum(a.mT @ dy/dv1)" in text and "dy/da = dy/dv1 @ b.mT" in text
    y = tg.broadcast_to(b, (5, 3, 2)).sum()
    assert "dy/db = sum(dy/dv1)" in repr(y.explain())


def test_attention_on_the_board():
    x, w = tg.Tensor([[1.0, 2.0], [3.0, 5.0]]), tg.Tensor([[1.0, 0.0], [2.0, 1.0]])
    y = tg.mean(tg.softmax(x @ w.mT, axis=-1))
    text = repr(y.explain())
    assert "v1 = w.mT =" in text and "v3 = softmax(v2, axis=-1) =" in text
    assert "dy/dv3 = spread(dy/dy, v3.shape) / 4 =" in text
    assert "dy/dv2 = v3 * (dy/dv3 - sum(dy/dv3 * v3, axis=-1, keepdims=True)) =" in text
    assert "dy/dw = dy/dv1.mT =" in text
    v = tg.Tensor([1.0, 2.0, 3.0])
    y = (tg.softmax(v) * [1.0, 0.0, 2.0]).sum()
    assert "dy/dv = v1 * (dy/dv1 - sum(dy/dv1 * v1)) =" in repr(y.explain())


def test_products_by_subscripts():
    x, w = tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0, 4.0]])
    y = tg.einsum("ij,kj->ik", x, w)
    text = repr(y.explain())
    assert "y = einsum('ij,kj->ik', x, w)" in text and "dy/dw = einsum('ik,ij->kj', dy/dy, x) =" in text


def test_the_board_of_a_small_expression():
    x = tg.Tensor(2.0)
    y = x * x + tg.sin(x)
    lines = [line.strip() for line in y.explain().text.splitlines()]
    assert "v1 = x * x = 4" in lines
    assert "∂v2/∂x = cos(x) = -0.416147" in lines
    assert "dy/dx = -0.416147 + 2 + 2 = 3.58385, over 3 paths" in lines
    assert lines.count("∂y/∂v1 * ∂v1/∂x = 1 * 2 = 2") == 2


def test_a_kink():
    x = tg.Tensor(2.0)
    y = tg.relu(x)
    assert "∂y/∂x = where(y > 0, 1, 0) = 1" in repr(y.explain())


def test_a_quotient_and_constants():
    x = tg.Tensor(2.0)
    y = (3 * x - 1) / x
    text = repr(y.explain())
    assert "∂v1/∂x = 3\n" in text and "∂y/∂v2 = 1 / x = 0.5" in text
    assert "dy/dx = -1.25 + 1.5 = 0.25, over 2 paths" in text
    assert "v2 = v1 - constant" in text and "tg.annotate()" in text
    with tg.annotate():
        y = (3 * x - 1) / x
    assert "v2 = v1 - 1 = 5" in repr(y.explain()) and "annotate" not in repr(y.explain())


def test_a_true_is_no_one():
    x = tg.Tensor(2.0)
    y = x * True
    assert "∂y/∂x" in repr(y.explain()) and x.grad is None


def test_broadcasting_is_summed():
    w, b = tg.Tensor([1.0, 2.0, 3.0]), tg.Tensor(0.5)
    y = (w * b).sum()
    text = repr(y.explain())
    assert "dy/db = sum(dy/dv1 * ∂v1/∂b) = sum([1, 1, 1] * [1, 2, 3]) = 6" in text
    assert "dy/dv1 = spread(dy/dy, v1.shape) = [1, 1, 1]" in text


def test_matmul_and_indexing_say_their_rule():
    a, w = tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), tg.Tensor([[1.0], [2.0]])
    y = (a @ w)[0, 0]
    text = repr(y.explain())
    assert "= dy/dv1 @ w.mT = [[1, 2], [0, 0]]" in text and "= a.mT @ dy/dv1 = [[1], [2]]" in text
    assert "y = v1[0, 0]" in text and "dy/dv1 = 0, but dy/dy at [0, 0] = [[1], [0]]" in text


def test_complex_numbers_are_conjugated():
    z = tg.Tensor(1 + 2j)
    y = tg.abs(z * z)
    text = repr(y.explain())
    assert "∂v1/∂z = z = 1+2j" in text
    assert "dy/dz = dy/dv1 * conj(∂v1/∂z) = (-0.6+0.8j) * (1-2j) = 1+2j" in text
    assert "dy/dz = (1+2j) + (1+2j) = 2+4j" in text
    x = tg.Tensor(3.0)
    y = tg.real(x * 2j * 1j)
    assert "real(" in repr(y.explain())


def test_a_conjugated_rule_is_written_as_it_is_applied():
    a, b = tg.Tensor([[1.0 + 1j]]), tg.Tensor([[2.0 - 1j]])
    y = tg.abs(a @ b).sum()
    assert "= conj(conj(dy/dv1) @ b.mT)" in repr(y.explain())


def test_a_seed():
    w = tg.Tensor([1.0, 2.0])
    y = w * w
    text = repr(y.explain([1.0, 10.0]))
    assert "from sum(cotangent * y) back" in text and "dy/dw = [1, 20] + [1, 20] = [2, 40]" in text
    x = tg.Tensor(2.0)
    y = x * x
    assert "dy/dy * ∂y/∂x = 3 * 2 = 6" in repr(y.explain(3.0))


def test_nothing_changes():
    x = tg.Tensor(2.0)
    y = x * x
    y.explain()
    assert x.grad is None
    y.backward()
    assert x.grad == 4.0


def test_it_stays_when_the_graph_is_released():
    x = tg.Tensor(2.0)
    y = x * x
    explanation = y.explain()
    before = repr(explanation)
    y.backward()
    assert repr(explanation) == before and "not kept" not in before


def test_refusals():
    x = tg.Tensor(2.0)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.explain()
    with pytest.raises(RuntimeError, match="constant"):
        tg.zeros(2).explain()
    y = x
    for _ in range(50):
        y = y * x
    with pytest.raises(ValueError, match=r"at most limit=40.*y\.graph\(\)"):
        y.explain()
    with pytest.raises(RuntimeError, match="outside"):
        tg.jvp(lambda a: a.explain(), (x,), (x,))
    with pytest.raises(RuntimeError, match="outside"):
        tg.vmap(lambda a: a.explain())(tg.Tensor([1.0, 2.0]))
    assert "its derivative by itself is 1" in repr(x.explain())


def test_html_is_escaped_and_says_the_same():
    x = tg.Tensor(2.0)
    html = tg.where(x > 1.0, x * x, x).explain(names={"<b>": x})._repr_html_()
    assert "<b><b>" not in html and "&lt;b&gt;" in html
    assert html.count("<li>") == html.count("</li>") and "dy/d" in html


def test_a_users_op():
    class Cube(tg.Op):
        def forward(x):
            return x * x * x

        def backward(grad, _out, x):
            return grad * 3 * x**2

    x = tg.Tensor(2.0)
    y = Cube.apply(x)
    assert "y = Cube(x)" in repr(y.explain()) and "dy/dx = dy/dy * 3 * x ** 2 = 12" in repr(y.explain())


STEPS = [
    lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a / (2.0 + b * b),
    lambda a, _: tg.sin(a), lambda _, b: tg.softplus(b), lambda a, _: a * 0.5, lambda a, b: tg.maximum(a, b),
    lambda a, b: tg.where(b > 0, a, b), lambda a, _: -a, lambda _, b: tg.exp(-b * b),
]  # fmt: skip
SHAPES = [(), (3,), (2, 1), (2, 3)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=7),
    st.sampled_from(SHAPES),
    st.sampled_from(SHAPES),
    st.integers(0, 1000),
)
def test_numbers_multiply_and_add_up(steps, shape_a, shape_b, seed):
    rng = np.random.default_rng(seed)
    leaves = [tg.Tensor(rng.normal(size=shape_a)), tg.Tensor(rng.normal(size=shape_b))]
    known = list(leaves)
    for step, i, j in steps:
        known.append(step(known[i % len(known)], known[j % len(known)]))
    y = known[-1].sum()
    explanation = y.explain(names={"a": leaves[0], "b": leaves[1]})
    totals = {}
    for step in explanation.steps:
        for pull in step.pulls:
            if pull.local is not None:
                product = np.asarray(step.cotangent * pull.local)
                for _ in range(product.ndim - np.ndim(pull.value)):
                    product = product.sum(0)
                ones = tuple(k for k, n in enumerate(np.shape(pull.value)) if n == 1 != product.shape[k])
                np.testing.assert_allclose(product.sum(ones, keepdims=True), pull.value, rtol=1e-12, atol=1e-14)
            totals[pull.parent] = totals.get(pull.parent, 0.0) + pull.value
    for step in explanation.steps[1:]:
        np.testing.assert_allclose(totals[step.node], step.cotangent, rtol=1e-12, atol=1e-14)
    y.backward()
    for name, leaf in zip("ab", leaves, strict=True):
        if leaf.grad is not None:
            np.testing.assert_allclose(totals[leaf.node], leaf.grad.numpy(), rtol=1e-12, atol=1e-14)
            if not leaf.shape:
                last = explanation.text.split("the gradient of each leaf")[1]
                assert re.search(rf"/d{name} = .*{re.escape(f'{leaf.grad.item():.6g}')}(,|\n|$)", last)


def test_one_of_several_results():
    m = tg.Tensor([[2.0, 1.0], [1.0, 3.0]])
    s = np.linalg.svd(m).S
    text = str(s.sum().explain())
    assert "result 1 of SVD" in text and "dy/dv1 has dy/ds for this result" in text and "several results" not in text
