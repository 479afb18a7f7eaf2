"""How a Tensor prints, and how it shows itself in a notebook."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.drawing.values import picture_of


def test_a_result_says_its_op():
    y = tg.softplus(tg.Tensor([0.5, 1.2]))
    with np.printoptions(precision=4):  # NumPy's own setting is heeded
        assert repr(y) == "Tensor([0.9741, 1.4633], op=Softplus)"
    assert repr(y.detach()) == "Tensor([0.97407698, 1.46328247])"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "Tensor(2.5)"),
        ([1, 2, 3], "Tensor([1, 2, 3])"),
        ([True, False], "Tensor([ True, False])"),
        ([1 + 2j, 3], "Tensor([1.+2.j, 3.+0.j])"),
        (np.float32(1.5), "Tensor(1.5, dtype=float32)"),
        (np.array([1, 2], np.float16), "Tensor([1., 2.], dtype=float16)"),
        (np.array(3, np.uint8), "Tensor(3, dtype=uint8)"),
        (np.complex64(1j), "Tensor(0.+1.j, dtype=complex64)"),
        (np.zeros(0), "Tensor([])"),
        (np.zeros((0, 3), np.float32), "Tensor([], dtype=float32, shape=(0, 3))"),
        (np.arange(12.0).reshape(3, 4).T[::2], "Tensor([[ 0.,  4.,  8.],\n        [ 2.,  6., 10.]])"),
        ([np.nan, np.inf, -np.inf], "Tensor([ nan,  inf, -inf])"),
    ],
)
def test_a_constant(value, text):
    assert repr(tg.Tensor(value, requires_grad=False)) == text


def test_a_leaf_a_large_one_and_a_released_one():
    assert repr(tg.Tensor(1.0)) == "Tensor(1., requires_grad=True)"
    text = repr(tg.zeros((100, 100)))
    assert text.endswith("shape=(100, 100))") and len(text) < 500
    x = tg.Tensor(2.0)
    y = x * x
    y.backward()
    assert repr(y) == "Tensor(4., released)"


def rects(html):
    svg = html[html.index("<svg") : html.index("</svg>") + 6]
    return [r for r in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")][1:]


def test_html_has_shape_dtype_op_and_bars():
    html = tg.softplus(tg.Tensor(np.array([-1.0, 0.0, 2.0], np.float32)))._repr_html_()
    assert "<code>(3,) float32 op=Softplus</code>" in html and "<pre" in html
    low, middle, high = (float(r.get("height")) for r in rects(html))
    assert low < middle < high == 60


def test_bars_hang_from_zero():
    down, up = rects(tg.Tensor([-1.0, 1.0])._repr_html_())
    assert float(down.get("y")) == float(up.get("height")) == 30 and float(up.get("y")) == 0
    assert down.get("fill") != up.get("fill")


def test_a_heat_map_and_what_is_not_finite():
    cells = rects(tg.Tensor([[0.0, 1.0, -1.0], [np.nan, np.inf, 0.5]])._repr_html_())
    assert [r.get("fill") for r in cells[:5]] == ["#ffffff", "#3b5b8c", "#b04a3a", "#bbb", "#bbb"]
    assert cells[3][0].text == "[1, 0] nan"


@pytest.mark.parametrize(
    ("shape", "count", "note"),
    [
        ((1000,), 64, "[:64]"),
        ((1000, 1000), 1024, "[:32, :32]"),
        ((2, 3, 4), 12, "[0, :, :]"),
        ((3, 40), 96, "[:, :32]"),
    ],
)
def test_large_ones_are_cut_and_say_so(shape, count, note):
    html = tg.ones(shape)._repr_html_()
    assert len(rects(html)) == count and f"shown: {note}" in html


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8", "g", "F", "D"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (3,), (2, 3)])
def test_every_dtype_and_shape(dtype, shape):
    html = tg.Tensor(np.ones(shape, dtype))._repr_html_()
    assert ("<svg" in html) == (len(shape) > 0 and 0 not in shape)
    ET.fromstring(html.replace("<br>", "<br/>"))


@pytest.mark.filterwarnings("error")
def test_extreme_values():
    for values in ([1e308, -1e308], [5e-324, -5e-324], [np.nan, np.nan], [np.inf, 1.0], [0.0, -0.0]):
        for array in (np.array(values), np.array([values])):
            svg, _ = picture_of(array)
            assert "nan" not in svg.replace("] nan<", "") and "inf" not in svg.replace("] inf<", "")
            ET.fromstring(svg)


def test_an_ops_name_is_escaped_and_nothing_is_loaded():
    odd = type("<b>", (tg.Op,), {"forward": lambda x: x * 1.0, "backward": lambda g, _o, _x: g})
    html = odd.apply(tg.Tensor([1.0, 2.0]))._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "") and "<script" not in html


def test_inside_a_vmap():
    seen = []
    tg.vmap(lambda a: (seen.append((a * 2.0)._repr_html_()), a)[1])(tg.Tensor([1.0, 2.0]))
    assert "<div>" in seen[0]
