"""Optimizers, schedules and clipping against values recorded with PyTorch, step by step."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "reference.json").read_text())
_spec = importlib.util.spec_from_file_location("problem", HERE / "problem.py")
problem = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(problem)


def give(params, dtype, step):
    for p, g in zip(params, problem.gradients(dtype, step), strict=True):
        p.grad = g


@pytest.mark.parametrize("name, options, dtype, rows", REFERENCE["steps"])
def test_steps_are_pytorchs(name, options, dtype, rows):
    w, b = (tg.Tensor(a) for a in problem.start(dtype))
    opt = getattr(tg.optim, name)({"layers": [w], "b": b}, **options)
    tolerance = 5e-7 if dtype == "float32" else 1e-14  # measured: 2.4e-7 and 5.6e-16
    for step, row in enumerate(rows):
        give((w, b), dtype, step)
        opt.step()
        assert w.dtype == b.dtype == dtype and w.is_leaf and w.requires_grad
        found = [*problem.pairs(w.numpy()), *problem.pairs(np.asarray(b.numpy()))]
        np.testing.assert_allclose(found, row, rtol=tolerance, atol=tolerance, err_msg=f"step {step}")


@pytest.mark.parametrize("name, options", problem.CASES)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_resumes_bit_for_bit(name, options, ending, tmp_path):
    params = [tg.Tensor(a) for a in problem.start("float32")]
    opt = getattr(tg.optim, name)(params, **options)
    for step in range(3):
        give(params, "float32", step)
        opt.step()
    tg.save(tmp_path / f"x.{ending}", {"params": params, "opt": opt.state()})
    loaded = tg.load(tmp_path / f"x.{ending}")
    again = getattr(tg.optim, name)(loaded["params"], **options)
    again.load_state(loaded["opt"])
    for step in range(3, 6):
        for some, optimizer in ((params, opt), (loaded["params"], again)):
            give(some, "float32", step)
            optimizer.step()
    assert [p.numpy().tobytes() for p in params] == [p.numpy().tobytes() for p in loaded["params"]]
    assert again.steps == 6


def test_schedules_are_pytorchs():
    made = {
        "step": tg.optim.step(0.5, 3, 0.5),
        "exponential": tg.optim.exponential(0.5, 0.7),
        "cosine": tg.optim.cosine(0.5, 7, 0.1),
        "warmup": tg.optim.warmup(0.5, 4),
    }
    for name, rate in made.items():
        np.testing.assert_allclose([rate(n) for n in range(8)], REFERENCE["schedules"][name], rtol=1e-14)


def test_a_schedule_is_asked_with_the_steps_taken():
    x, asked = tg.Tensor(1.0), []
    opt = tg.optim.SGD(x, lr=lambda n: asked.append(n) or 0.5)
    for _ in range(3):
        x.grad = 1.0
        opt.step()
    assert asked == [0, 1, 2] and float(x.numpy()) == -0.5


@pytest.mark.parametrize("max_norm, norm_type, row", REFERENCE["clip"])
def test_clipping_is_pytorchs(max_norm, norm_type, row):
    params = [tg.Tensor(a) for a in problem.start("float64")]
    give(params, "float64", 0)
    norm = tg.optim.clip_grad_norm(params, max_norm, norm_type)
    found = [norm, *(x for p in params for x in problem.pairs(np.asarray(p.grad.numpy())))]
    np.testing.assert_allclose(found, row, rtol=1e-14)


@pytest.mark.parametrize(
    "params, options, words",
    [
        (tg.Tensor(1.0), {"lr": -1.0}, "lr=-1.0"),
        (tg.Tensor(1.0), {"lr": float("nan")}, "lr=nan"),
        (tg.Tensor(1.0), {"momentum": -1.0}, "momentum=-1.0"),
        (tg.Tensor(1.0), {"nesterov": True}, "momentum=0.9"),
        ([], {}, "no parameters"),
        ({"a": tg.Tensor(1.0, requires_grad=False)}, {}, r"params\['a'\] is a constant"),
        ([tg.Tensor(1)], {}, "dtype int64"),
        ([np.ones(2)], {}, "ndarray; write tg.Tensor"),
        ([tg.Tensor(1.0) * 2], {}, "was computed"),
        ([tg.Tensor(1.0)] * 2, {}, r"params\[1\] is the same Tensor as params\[0\]"),
    ],
)
def test_bad_input_is_refused(params, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        tg.optim.SGD(params, **options)


def test_nothing_is_changed_when_a_step_fails():
    x, y = tg.Tensor(1.0), tg.Tensor([1.0, 2.0])
    opt = tg.optim.SGD([x, y], lr=0.1, momentum=0.9)
    x.grad, y.grad = 1.0, [1.0, 1.0]
    opt._slots[1] = {"velocity": np.ones(3)}
    with pytest.raises(ValueError, match="broadcast"):
        opt.step()
    assert float(x.numpy()) == 1.0 and opt.steps == 0 and opt._slots[0] == {}
    opt.lr = lambda _n: -1.0
    with pytest.raises(ValueError, match=r"lr=-1.0 at step 0"):
        opt.step()


def test_a_state_of_other_parameters_is_refused():
    one, two = tg.optim.Adam(tg.Tensor([1.0, 2.0])), tg.optim.Adam(tg.Tensor([1.0, 2.0, 3.0]))
    one.params[0].grad = [1.0, 1.0]
    one.step()
    with pytest.raises(ValueError, match="shape"):
        two.load_state(one.state())
    with pytest.raises(ValueError, match="dtype float64; wanted"):
        tg.optim.Adam(tg.Tensor([1.0, 2.0], dtype="float32")).load_state(one.state())
    with pytest.raises(ValueError, match="wanted"):
        tg.optim.SGD(tg.Tensor([1.0, 2.0]), momentum=0.9).load_state(one.state())
    assert two.steps == 0


@pytest.mark.parametrize(
    "dtype, size", [("float16", 1e4), ("float64", 1e200), ("complex64", 1e30), ("float64", 1e-200)]
)
def test_the_norm_does_not_overflow_on_the_way(dtype, size):
    x = tg.Tensor([1.0, 2.0], dtype=dtype)
    x.grad = np.array([3 * size, 4 * size], dtype)
    assert tg.optim.clip_grad_norm(x, 1.0) == pytest.approx(5 * size, rel=1e-3)
    if size > 1:
        np.testing.assert_allclose(x.grad.numpy(), [0.6, 0.8], rtol=1e-3)


def test_infinite_gradients_give_nan_and_no_warning():
    x = tg.Tensor([1.0, 2.0])
    x.grad = [np.inf, 1.0]
    assert tg.optim.clip_grad_norm(x, 1.0) == np.inf
    np.testing.assert_array_equal(x.grad.numpy(), [np.nan, 0.0])


def test_numpy_numbers_as_options_do_not_widen_float32():
    x = tg.Tensor([1.0], dtype="float32")
    for opt in (
        tg.optim.Adam(x, np.float64(0.1), (np.float64(0.9), np.float64(0.9))),
        tg.optim.SGD(x, momentum=np.float64(0.9)),
    ):
        x.grad = [1.0]
        opt.step()
        assert {s.dtype.name for s in opt.state()["slots"][0].values() if isinstance(s, np.ndarray)} == {"float32"}


@pytest.mark.parametrize("params, lr, words", [(3.0, 0.1, "float; write tg.Tensor"), (tg.Tensor(1.0), "a", "lr='a'")])
def test_no_parameters_and_no_number(params, lr, words):
    with pytest.raises(TypeError, match=words):
        tg.optim.SGD(params, lr=lr)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda x: tg.optim.SGD(x, momentum="a"), "SGD: momentum='a'; write a finite number"),
        (lambda x: tg.optim.SGD(x, dampening=float("nan")), "SGD: dampening=nan; write a finite number"),
        (lambda x: tg.optim.Adam(x, betas=0.9), r"Adam: betas=0.9; write two numbers in \[0, 1\)"),
        (lambda x: tg.optim.Adam(x, betas=(0.9, 1.0)), r"Adam: betas=\(0.9, 1.0\); write two numbers in \[0, 1\)"),
        (lambda _: tg.optim.step(0.1, "a"), "step: step_size='a'; write a whole number"),
        (lambda _: tg.optim.cosine(0.1, 0), "cosine: steps=0; write a whole number"),
        (lambda x: tg.optim.clip_grad_norm(x, -1.0), "clip_grad_norm: max_norm=-1.0"),
        (lambda x: tg.optim.clip_grad_value(x, float("nan")), "clip_grad_value: clip_value=nan"),
        (lambda x: tg.optim.SGD(x).load_state({"steps": "a", "slots": [{}]}), "SGD.load_state: give what SGD.state"),
        (lambda x: tg.optim.SGD(x).load_state({"steps": 1, "slots": [3]}), "SGD.load_state: give what SGD.state"),
    ],
)
def test_what_is_wrong_is_named(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make(tg.Tensor(1.0))


def test_a_parameter_that_was_computed_meanwhile_is_refused():
    x, y = tg.Tensor(1.0), tg.Tensor(1.0)
    opt = tg.optim.SGD([x, y], lr=0.1)
    y *= 2.0
    (x * y).backward()  # y.grad is that of the old y
    with pytest.raises(ValueError, match=r"parameter 1 .*with tg.no_grad\(\)"):
        opt.step()
    assert float(x.numpy()) == 1.0 and opt.steps == 0


def test_an_option_that_is_changed_later_counts():
    x = tg.Tensor(1.0)
    opt = tg.optim.SGD(x, lr=0.5)
    opt.lr, x.grad = 0.25, 1.0
    opt.step()
    assert float(x.numpy()) == 0.75


def test_values_are_clipped():
    x, y = tg.Tensor([1.0, 2.0, 3.0], dtype="float32"), tg.Tensor(1.0)
    x.grad = [-5.0, np.nan, np.inf]
    tg.optim.clip_grad_value([x, y], 0.5)
    np.testing.assert_array_equal(x.grad.numpy(), np.float32([-0.5, np.nan, 0.5]))
    assert x.grad.dtype == "float32" and y.grad is None
    z = tg.Tensor(1j)
    z.grad = 3j
    with pytest.raises(TypeError, match="no order"):
        tg.optim.clip_grad_value([x, z], 0.1)
    assert float(x.grad[0]) == -0.5
