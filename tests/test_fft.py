"""Fourier transforms: values against NumPy for every parameter, derivatives against the definition of a linear map."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_sp as tg

rng = np.random.default_rng(0)
NORMS = (None, "backward", "ortho", "forward")
COMPLEX_IN = ("fft", "ifft", "irfft", "hfft")
REAL_IN = ("rfft", "ihfft")


def draw(shape, complex_):
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if complex_ else x


def dot(a, b):
    """The real inner product in which a gradient is dL/da + i dL/db."""
    return np.sum(np.conjugate(a) * b).real


def check(name, shape, complex_, **options):
    """A linear map f: its value is NumPy's, and <c, f(u)> = <gradient, u> for all c and u; twice over."""
    ours, numpys = getattr(tg.fft, name), getattr(np.fft, name)
    x, u = draw(shape, complex_), draw(shape, complex_)
    t = tg.Tensor(x)
    y = ours(t, **options)
    want = numpys(x, **options)
    assert y.dtype == want.dtype and np.array_equal(y.numpy(), want)
    assert np.array_equal(ours(x, **options), want) and np.array_equal(numpys(t, **options).numpy(), want)
    c = draw(want.shape, want.dtype.kind == "c")
    y.backward(c)
    assert t.grad.dtype == x.dtype and t.grad.shape == x.shape
    assert np.isclose(dot(t.grad.numpy(), u), dot(c, numpys(u, **options)), rtol=1e-12, atol=1e-12)
    t.zero_grad()
    tg.sum(tg.abs(ours(t, **options)) ** 2).backward(create_graph=True)
    first = t.grad
    assert np.isclose(dot(first.numpy(), u), 2 * dot(want, numpys(u, **options)), rtol=1e-11, atol=1e-11)
    t.zero_grad()
    first.backward(u)
    v = draw(shape, complex_)
    hessian = 2 * dot(numpys(u, **options), numpys(v, **options))
    assert np.isclose(dot(t.grad.numpy(), v), hessian, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", (None, 1, 2, 3, 4, 5, 8, 9))
@pytest.mark.parametrize("name", COMPLEX_IN + REAL_IN)
def test_one_axis(name, n, norm):
    for shape, axis, complex_ in itertools.product(((5,), (2, 4), (6, 3)), (0, -1), (False, True)):
        if not (complex_ and name in REAL_IN):
            check(name, shape, complex_, n=n, axis=axis, norm=norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"))
def test_several_axes(name, norm):
    for options in (
        {},
        {"axes": (0, 1)},
        {"axes": (-1, -3)},
        {"s": (4, 5), "axes": (1, 2)},
        {"s": (-1, 3), "axes": (0, -1)},
        {"axes": (1, 1)},
        {"s": (3, 2, 5), "axes": (0, 2, 0)},
    ):
        for complex_ in (False, True):
            if not (complex_ and name in ("rfftn", "rfft2")):
                check(name, (2, 3, 4), complex_, norm=norm, **options)


def test_lengths_without_axes_mean_the_last():
    x = draw((2, 3, 4), False)
    assert np.array_equal(tg.fft.fftn(tg.Tensor(x), s=(5, 6)).numpy(), np.fft.fftn(x, (5, 6), (-2, -1)))


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    n=st.integers(1, 7),
    data=st.data(),
    norm=st.sampled_from(NORMS),
    name=st.sampled_from(COMPLEX_IN + REAL_IN),
)
def test_any_shape(shape, n, data, norm, name):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    check(name, shape, name in COMPLEX_IN, n=n, axis=axis, norm=norm)


@pytest.mark.parametrize("name", ("fftshift", "ifftshift"))
@pytest.mark.parametrize("axes", (None, 0, -1, (0, 1), (1, 1)))
def test_shifts(name, axes):
    if axes != (1, 1):
        check(name, (3, 4), True, axes=axes)
    assert getattr(tg.fft, name)(tg.Tensor(2.0)).numpy() == 2.0


def test_frequencies_are_constants():
    for n, d in ((1, 1.0), (4, 0.5), (5, 2.0)):
        for name in ("fftfreq", "rfftfreq"):
            found = getattr(tg.fft, name)(n, d=d)
            assert found.node is None and np.array_equal(found.numpy(), getattr(np.fft, name)(n, d))
    assert tg.fft.fftfreq(4, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="cpu"):
        tg.fft.rfftfreq(4, device="gpu")


def test_single_precision_stays():
    x = tg.Tensor(np.ones(5, np.float32))
    y = tg.fft.rfft(x)
    assert y.dtype == np.complex64
    tg.sum(tg.real(y)).backward()
    assert x.grad.dtype == np.float32


def test_integers_give_constants():
    y = tg.fft.fft(tg.Tensor([1, 2, 3]))
    assert y.node is None and np.array_equal(y.numpy(), np.fft.fft([1, 2, 3]))


def test_a_transform_keeps_no_array():
    x = tg.Tensor(draw((4,), False))
    out, arrays = tg.fft.fft(x).node.kept
    assert out is None and all(not isinstance(a, np.ndarray) for a in arrays)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: tg.fft.fft(x, n=0), "at least 1"),
        (lambda x: tg.fft.fft(x, norm="other"), "ortho"),
        (lambda x: tg.fft.hfft(x, norm="other"), "ortho"),
        (lambda x: tg.fft.fftn(x, s=(2, 3), axes=(0,)), "2 lengths"),
        (lambda x: tg.fft.rfftn(x, axes=()), "at least one axis"),
        (lambda x: tg.fft.irfftn(x, axes=()), "at least one axis"),
        (lambda x: tg.fft.fft(x, axis=3), "out of bounds"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(tg.Tensor(np.ones((2, 3))))
    with pytest.raises(TypeError):
        tg.fft.rfft(tg.Tensor([1j]))
