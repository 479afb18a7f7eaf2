"""What ``docs/coming-from.md`` says of other libraries is so: names, conventions, habits.  What is missing is skipped.

(Its ``>>>`` examples, which show this package's side, are run as doctests.)
"""

import importlib
import re
import warnings
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_sp as tg

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "coming-from.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.filterwarnings("default")  # other libraries warn as they like


def imported(name):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed")


# ---------------------------------------------------------------------------------------------- names


def test_every_name_of_ours_is_there():
    names = set(re.findall(r"\btg\.(\w+(?:\.\w+)*)", PAGE))
    assert len(names) > 25
    for name in names:
        assert attrgetter(name)(tg) is not None
    assert importlib.import_module("tinygrad_sp.scipy.special")


@pytest.mark.parametrize("library", ["torch", "jax", "mg"])
def test_every_name_of_theirs_is_there(library):
    module = imported({"mg": "mygrad"}.get(library, library))
    for name in ("jax.test_util", "torch.utils.checkpoint") if library != "mg" else ():
        if name.startswith(library):
            importlib.import_module(name)
    for dotted in set(re.findall(rf"`[^`]*?\b{library}((?:\.\w+)+)", PAGE)):
        found = module
        for part in dotted[1:].split("."):
            assert hasattr(found, part), f"{library}{dotted}"
            found = getattr(found, part)


# ---------------------------------------------------------------------------------------------- kinks


def ours(f, x):
    t = tg.Tensor(x)
    f(np, t).sum().backward()
    return t.grad.numpy()


def pytorch(f, x):
    torch = imported("torch")
    t = torch.tensor(x, requires_grad=True, dtype=torch.float64)
    f(torch, t).sum().backward()
    return t.grad.numpy()


def jax(f, x):
    jnp = imported("jax.numpy")
    return np.asarray(imported("jax").grad(lambda v: f(jnp, v).sum())(jnp.array(x)))


def autograd(f, x):
    anp = imported("autograd.numpy")
    return imported("autograd").grad(lambda v: anp.sum(f(anp, v)))(np.array(x))


def mygrad(f, x):
    mg = imported("mygrad")
    t = mg.tensor(x)
    f(mg, t).sum().backward()
    return t.grad


def relu(m, x):
    functions = {"numpy": lambda: tg.relu, "torch": lambda: m.relu, "jax.numpy": lambda: imported("jax").nn.relu}
    return functions.get(m.__name__, lambda: imported("mygrad").nnet.relu)()(x)


def sorted_sum(m, x):
    found = m.sort(x)
    found = found[0] if isinstance(found, tuple) else found
    return found[1] + 2 * found[2]


LIBRARIES = {"here": ours, "PyTorch": pytorch, "JAX": jax, "autograd": autograd, "MyGrad": mygrad}
KINKS = {
    "`abs` at 0": (lambda m, x: m.abs(x), [0.0]),
    "`relu` at 0": (relu, [0.0]),
    "`maximum(x, 0)` at 0": (lambda m, x: m.maximum(x, 0 * x), [0.0]),
    "`max` of 1, 3, 3": (lambda m, x: m.max(x), [1.0, 3.0, 3.0]),
    "`clip(x, -1, 1)` at -1, 1": (lambda m, x: m.clip(x, -1, 1), [-1.0, 1.0]),
    "`sort` of 2, 2, 1, weighted 0, 1, 2": (sorted_sum, [2.0, 2.0, 1.0]),
    "`norm` of 0, 0": (lambda m, x: m.linalg.norm(x), [0.0, 0.0]),
    "`std` of 2, 2": (lambda m, x: m.std(x), [2.0, 2.0]),
    "`prod` of 0, 2, 3": (lambda m, x: m.prod(x), [0.0, 2.0, 3.0]),
    "`where(x > 0, sqrt(x), 0)` at 0, 4": (lambda m, x: m.where(x > 0, m.sqrt(x), 0 * x), [0.0, 4.0]),
}


def table():
    """The cells of the table of kinks, by row and library."""
    lines = PAGE[PAGE.index("| derivative | here |") :].split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert head == ["derivative", *LIBRARIES]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_the_table_is_whole():
    assert list(table()) == list(KINKS)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("row", KINKS)
def test_derivatives_at_kinks(row, library):
    cell = table()[row][library]
    if cell == "-":
        return  # the library has no such function
    with np.errstate(all="ignore"):
        found = LIBRARIES[library](*KINKS[row])
    assert ", ".join(f"{v + 0.0:g}" for v in found) == cell


# ---------------------------------------------------------------------------------------------- habits


def test_pytorch():
    torch = imported("torch")
    assert torch.tensor(1.0).dtype == torch.float32 and not torch.tensor(1.0).requires_grad
    assert (torch.ones(2) * torch.tensor(2.0, dtype=torch.float64)).dtype == torch.float32
    assert torch.tensor([1.0, 2.0]).std().item() == pytest.approx(0.5**0.5)
    array = np.ones(2)
    shared = torch.from_numpy(array)
    array[0] = 5
    assert shared[0] == 5
    x = torch.zeros(3)
    first = x[:1]
    first += 10
    assert x[0] == 10
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
        w += 1
    h = w * 1
    y = (h * h).sum()
    h[0] = 100.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    z = torch.tensor(1 + 2j, requires_grad=True)
    (z * z.conj()).real.backward()
    assert z.grad.item() == 2 + 4j
    assert torch.tensor([1.0, 3.0, 3.0], requires_grad=True).max(0).values.requires_grad
    with pytest.raises(RuntimeError, match="could not infer output dtype"):
        torch.tensor([1, 2]).mean()


def test_jax():
    jnp, jax_ = imported("jax.numpy"), imported("jax")
    assert jnp.array(1.0).dtype == np.float32
    assert jnp.array([1.0, 2.0])[5] == 2
    assert jax_.grad(lambda z: (z * jnp.conj(z)).real)(1 + 2j) == 2 - 4j
    assert jax_.nn.gelu(1.0) == pytest.approx(tg.gelu(1.0, approximate="tanh"), rel=1e-6)
    with pytest.raises(TypeError, match=r"x\.at\[idx\]"):
        jnp.ones(2)[0] = 1.0


def test_autograd():
    anp, autograd_ = imported("autograd.numpy"), imported("autograd")
    assert autograd_.grad(lambda z: anp.real(z * anp.conj(z)))(1 + 2j) == 2 - 4j
    names = "grad value_and_grad elementwise_grad jacobian hessian checkpoint make_vjp make_jvp hessian_vector_product"
    assert all(hasattr(autograd_, name) for name in names.split())

    def assigns(x):
        y = x * 2
        y[0] = 1.0
        return anp.sum(y)

    with pytest.raises(TypeError, match="'ArrayBox' object does not support item assignment"):
        autograd_.grad(assigns)(np.ones(2))


def test_mygrad():
    mg = imported("mygrad")
    x = mg.tensor([1.0, 2.0])
    (x * x).backward()
    assert type(x.grad) is np.ndarray and x.grad.tolist() == [2, 4]
    (x * 3).backward()
    assert x.grad.tolist() == [3, 3]
    array = np.ones(2)
    _held = mg.tensor(array, copy=False) * 2
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 3


def test_micrograd():
    value = imported("micrograd.engine").Value
    v = value(2.0)
    assert v.grad == 0
    y = v * v
    y.backward()
    y.backward()
    assert v.grad == 8 and y.grad == 1
    with pytest.raises(AssertionError, match="only supporting int/float powers"):
        v ** value(2.0)
    y = v
    for _ in range(3000):
        y = y + 1
    with pytest.raises(RecursionError):
        y.backward()


def test_ours():
    """What has no cell of its own in the page: update through ``data``, gradients of intermediates, long chains."""
    p = tg.Tensor([1.0, 2.0])
    (p * p).sum().backward()
    p.data -= 0.5 * p.grad.numpy()
    assert p.is_leaf and p.tolist() == [0, 0]
    p.data -= 0.5 * p.grad
    assert p.tolist() == [-1, -2]
    x = tg.Tensor(2.0)
    h = x * x
    assert [g.item() for g in tg.gradients(h * 3, [h, x])] == [3, 12]
    y = x
    for _ in range(3000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    base, exponent = tg.Tensor(2.0), tg.Tensor(3.0)
    (base**exponent).backward()
    assert exponent.grad.item() == pytest.approx(8 * np.log(2))
