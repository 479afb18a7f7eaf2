"""The graph, drawn: what is in a picture, that it is bounded, and that each form of it is well-formed."""

import re
import shutil
import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.drawing.layout import GAP, layered
from tinygrad_sp.drawing.svg import svg as own_svg


def small():
    x, w = tg.Tensor([0.5, 1.2]), tg.Tensor(2.0)
    h = x * w
    return x, w, h, (tg.softplus(h) * 3.0 + h).sum()


def boxes(drawing):
    return drawing._picture.boxes


def test_each_node_shows_what_is_known():
    x, w, h, y = small()
    y.backward(retain_graph=True)
    rows = [re.split(r"\s{2,}", line.strip()) for line in repr(y.graph()).splitlines()]
    assert rows[0][:5] == ["y = Sum", "()", "float64", "14.8003", "∂ 1"]
    assert ["h = Multiply [1]", "(2,)", "float64", "[1, 2.4]", "∂ [3.193, 3.75]"] in rows
    assert ["x", "(2,)", "float64", "[0.5, 1.2]", f"∂ [{x.grad[0].item():.4g}, {x.grad[1].item():.4g}]"] in rows
    assert ["w", "()", "float64", "2", f"∂ {w.grad.item():.6g}"] in rows
    assert ["3.0"] in rows and ["[1]"] in rows
    assert h is not None


def test_cotangents_are_those_of_backward_and_nothing_changes():
    x, w, _, y = small()
    assert "∂" not in repr(tg.draw(y))
    drawn = repr(tg.draw(y, cotangents=True))
    assert x.grad is None and w.grad is None
    y.backward()
    assert f"∂ {w.grad.item():.6g}" in drawn


def test_a_cotangent_may_be_given():
    x = tg.Tensor([1.0, 2.0])
    y = x * x
    assert "∂ [2, 40]" in repr(tg.draw(y, cotangents=[1.0, 10.0]))
    assert "how sum(cotangent * result) changes" in repr(tg.draw(y, cotangents=[1.0, 10.0]))
    assert "how the sum of the result changes" in repr(tg.draw(y, cotangents=True))
    with pytest.raises(ValueError, match="they must agree"):
        tg.draw(y, cotangents=[1.0])


def test_a_released_graph_says_so():
    *_, y = small()
    y.backward()
    assert "retain_graph=True" in repr(y.graph()) and "released" in repr(y.graph())


def test_a_rule_that_raises_leaves_a_picture():
    class Broken(tg.Op):
        def forward(x):
            return x * 2.0

        def backward(grad, _out, _x):
            raise ZeroDivisionError("oh")

    assert "no cotangents: ZeroDivisionError: oh" in repr(tg.draw(Broken.apply(tg.Tensor(1.0)), cotangents=True))


def test_names_are_the_callers_or_given():
    params = {"layers": [tg.Tensor(1.0), tg.Tensor(2.0)]}
    y = params["layers"][0] * params["layers"][1]
    assert "params['layers'][1]" in repr(y.graph())
    text = repr(y.graph(names={"a": params["layers"][0]}))
    assert "a  " in text and "params" not in text and "y =" not in text
    with pytest.raises(TypeError, match="give the Tensors by name"):
        tg.draw(y, names={"a": 3})


def test_lines_and_constants_when_asked():
    with tg.annotate():
        x = tg.Tensor(2.0)
        y = tg.exp(x + 1.0)
    line = test_lines_and_constants_when_asked.__code__.co_firstlineno + 3
    text = repr(y.graph())
    assert text.count(f"test_draw.py:{line}") == 2
    assert "1.0" in text and "3 " in text and "20.0855" in text
    assert f"test_draw.py:{line}" in y.graph().svg
    x = tg.Tensor(2.0)
    y = x + 1.0
    assert "constant" in repr(y.graph()) and ".py" not in repr(y.graph())


def test_annotate_keeps_what_watches_outside():
    with pytest.raises(FloatingPointError, match="Log made"), tg.debug_nans(), tg.annotate():
        tg.log(tg.Tensor(0.0))


def test_values_noted_are_those_of_then():
    c = np.array([1.0, 2.0])
    with tg.annotate():
        x = tg.Tensor([3.0, 4.0])
        y = x + c
    c[:] = 0.0
    with tg.no_grad():
        x += 100.0
    assert "[1, 2]" in y.graph().svg and "[3, 4]" in repr(y.graph()) and "103" not in repr(y.graph())


def test_a_leaf_updated_since_is_not_taken_for_what_it_was():
    x, w = tg.Tensor(3.0), tg.Tensor(4.0)
    y = x + w
    with tg.no_grad():
        x += 100.0
    assert "103" not in repr(y.graph())


def test_several_results_and_params():
    x = tg.Tensor([1.0, 2.0, 3.0, 4.0])
    y = (tg.split(x, 2)[0] * 3.0).sum()
    assert "axis=" in repr(y.graph())
    values, vectors = tg.linalg.eigh(tg.Tensor([[2.0, 1.0], [1.0, 2.0]]))
    text = repr(tg.draw(values.sum() + vectors.sum(), cotangents=True))
    assert "result 0 of Eigh" in text and "result 1 of Eigh" in text and "no cotangents" not in text


def test_repeated_blocks_fold():
    def deep(count):
        h = np.ones((2, 3))
        for _ in range(count):
            h = tg.tanh(h @ tg.Tensor(np.eye(3)) + tg.Tensor(np.zeros(3)))
        return h

    text = repr(tg.draw(deep(20)))
    assert re.search(r"17 × \(\w+, \w+, \w+\) +51 operations", text)
    assert text.count("Tanh") == 4 and "cut" not in text  # first, last, and in the fold's name; the loop's end
    assert "×" not in repr(tg.draw(deep(5))) and "×" in repr(tg.draw(deep(6), fold=True))
    assert repr(tg.draw(deep(20), fold=False)).count("Tanh") == 20


def test_a_fold_reads_what_is_shared():
    w, x = tg.Tensor(0.5), tg.Tensor(1.0)
    h = x
    for _ in range(40):
        h = h * w + x
    drawing = tg.draw(h)
    fold = next(box for box in boxes(drawing) if box.kind == "fold")
    assert {"w", "x"} <= {box.label for box in fold.reads}


def test_irregular_graphs_do_not_fold():
    x = tg.Tensor(0.5)
    history = [x]
    rng = np.random.default_rng(0)
    for _ in range(60):
        i, j = rng.integers(len(history), size=2)
        history.append(history[i] * history[j] if rng.random() < 0.5 else tg.tanh(history[i]) + history[-1])
    total = sum(history)
    assert len([b for b in boxes(tg.draw(total, fold=True)) if b.kind == "op"]) >= 60


def random_graph(count, seed=0):
    rng = np.random.default_rng(seed)
    pool = [tg.Tensor(0.1), tg.Tensor(0.2)]
    for _ in range(count):
        a, b = (pool[rng.integers(max(0, len(pool) - 30), len(pool))] for _ in range(2))
        pool.append(a * 0.5 + b * 0.5 if rng.random() < 0.6 else tg.tanh(a))
    return sum(pool[-30:])


def test_large_graphs_are_cut_with_a_note():
    drawing = tg.draw(random_graph(4000), limit=200)
    drawn = drawing.svg
    assert len(boxes(drawing)) < 600
    notes = drawing._picture.notes
    assert len(notes) == 1 and notes[0].startswith("cut: ") and notes[0].split(":")[1].strip()[:5] in drawn
    hidden = int(notes[0].split()[1].replace(",", ""))
    folded = sum(int(box.shape.split()[0]) for box in boxes(drawing) if box.kind == "fold")
    assert hidden + folded + sum(box.kind == "op" for box in boxes(drawing)) == len(ops_of(random_graph(4000).node))


def ops_of(root):
    seen, stack = {root}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return [node for node in seen if node.parents]


def test_a_chain_of_a_hundred_thousand():
    w = tg.Tensor(1.0)
    y = w
    for _ in range(50_000):
        y = y * 0.999 + w
    drawing = y.graph()
    assert len(drawing.text.splitlines()) < 40 and len(drawing.svg) < 50_000
    assert "95,000 older operations" in drawing.text
    w.grad = 1.0
    assert "cotangents=True" in y.graph().text


def test_an_op_with_very_many_arguments():
    leaves = [tg.Tensor([float(i)]) for i in range(5000)]
    drawing = tg.draw(tg.concat([*leaves, np.ones(1)]).sum())
    assert len(boxes(drawing)) < 400 and "… more leaves" in drawing.text


def test_svg_is_well_formed_and_escaped():
    x, w = tg.Tensor(1.0), tg.Tensor(2.0)
    y = x * w
    root = ET.fromstring(own_svg(tg.draw(y, names={"a<b&\"c'": x})._picture))
    assert root.tag.endswith("svg") and "a<b&\"c'" in "".join(root.itertext())
    html = tg.draw(y)._repr_html_()
    assert html.startswith("<div") and "<svg" in html and tg.draw(y)._repr_svg_().startswith("<svg")


def test_boxes_do_not_overlap_and_arrows_go_down():
    for seed in range(3):
        found = boxes(tg.draw(random_graph(60, seed)))
        number = {box: i for i, box in enumerate(found)}
        rng = np.random.default_rng(seed)
        sizes = [(float(rng.integers(20, 200)), float(rng.integers(10, 60))) for _ in found]
        reads = [[number[read] for read in box.reads] for box in found]
        layout = layered(sizes, reads)
        for i, read in enumerate(reads):
            for j in read:
                assert layout.places[j].y + sizes[j][1] / 2 < layout.places[i].y - sizes[i][1] / 2
        for i, p in enumerate(layout.places):
            assert -1e-6 <= p.x - p.width / 2 and p.x + p.width / 2 <= layout.width + 1e-6
            assert 0 <= p.y - p.height / 2 and p.y + p.height / 2 <= layout.height + 1e-6
            for q in layout.places[:i]:
                if p.layer == q.layer:
                    assert abs(p.x - q.x) >= (p.width + q.width) / 2 + GAP - 1e-6
        assert len(layout.arrows) == sum(map(len, reads))


def test_dot_and_mermaid():
    x, w = tg.Tensor(1.0), tg.Tensor(2.0)
    y = x * w + x
    drawing = tg.draw(y, names={'say "x"\\': x, "w": w}, cotangents=True)
    assert 'label="say \\"x\\"\\\\\\n() float64' in drawing.dot and drawing.dot.count("->") == 4
    assert 'n0(["say #34;x#34;\\<br/>() float64' in drawing.mermaid and drawing.mermaid.count("-->") == 4
    assert drawing.dot.count("{") == drawing.dot.count("}") == 1
    assert drawing.mermaid.startswith("flowchart TB\n")
    for line in drawing.mermaid.splitlines()[1:]:
        assert re.fullmatch(
            r'  (n\d+(\(\[|\[)".*"(\]\)|\]):::\w+|n\d+ --> n\d+|note\[".*"\]:::more|classDef \w+ .*)', line
        )


@pytest.mark.parametrize("name", ["a.svg", "a.dot", "a.gv", "a.mmd", "a.txt", "a.html", "a.md"])
def test_save(tmp_path, name):
    *_, y = small()
    path = y.graph().save(tmp_path / name)
    text = path.read_text(encoding="utf-8")
    assert "Softplus" in text
    beginnings = {"svg": "<svg", "html": "<!doctype html>", "md": "```mermaid\nflowchart", "mmd": "flowchart"}
    assert text.startswith(beginnings.get(name.split(".")[1], ""))


def test_save_says_what_it_cannot(tmp_path, monkeypatch):
    *_, y = small()
    with pytest.raises(ValueError, match=r"must end in one of \.svg"):
        y.graph().save(tmp_path / "a.jpeg")
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(RuntimeError, match="needs Graphviz"):
        y.graph().save(tmp_path / "a.png")


def test_graphviz_is_used_where_it_is(tmp_path, monkeypatch):
    *_, y = small()

    class Source:
        def __init__(self, source):
            assert source.startswith("digraph")

        def pipe(self, format):
            return f"<?xml?><svg>{format} by graphviz</svg>".encode()

    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/dot")
    monkeypatch.setitem(sys.modules, "graphviz", types.SimpleNamespace(Source=Source))
    assert "svg by graphviz" in y.graph().svg
    assert y.graph()._repr_html_() == '<div style="overflow:auto"><svg>svg by graphviz</svg></div>'
    assert b"png by graphviz" in y.graph().save(tmp_path / "a.png").read_bytes()
    monkeypatch.setitem(sys.modules, "graphviz", None)
    assert "tg-arrow" in y.graph().svg


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program is not installed")
def test_graphviz_itself_reads_our_dot(tmp_path):
    pytest.importorskip("graphviz")
    x = tg.Tensor([[1.0, 2.0]])
    y = (x * 2.0 + tg.sin(x)).sum()
    drawing = tg.draw(y, names={'a "quoted" \\ <name>': x})
    assert 'class="graph"' in drawing.svg and "quoted" in drawing.svg
    assert drawing.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert drawing.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_show_opens_a_browser(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    *_, y = small()
    path = y.graph().show()
    assert opened == [path.as_uri()] and "<svg" in path.read_text(encoding="utf-8")
    path.unlink()


def test_refusals():
    with pytest.raises(TypeError, match="give a Tensor"):
        tg.draw(np.ones(3))
    with pytest.raises(ValueError, match="nothing was recorded"):
        tg.draw(tg.Tensor(1.0, requires_grad=False))
    with pytest.raises(ValueError, match="at least 2"):
        tg.draw(tg.Tensor(1.0) * 2.0, limit=1)


def test_a_leaf_and_dtypes():
    x = tg.Tensor(np.array([1 + 2j, 3], np.complex64))
    assert repr(x.graph()).split()[:3] == ["x", "(2,)", "complex64"]
    y = tg.abs(x).astype(np.float32).sum()
    assert "float32" in repr(tg.draw(y, cotangents=True)) and "∂" in repr(tg.draw(y, cotangents=True))
    nothing = tg.Tensor(np.ones((0, 3))) * 2.0
    assert "empty" in repr(nothing.graph())
    wild = tg.Tensor([np.nan, np.inf, 1.0, 2.0, 3.0]) * 1.0
    assert "1 … 3, mean 2, 2 not finite" in repr(wild.graph())


def test_drawing_in_a_transform():
    seen = []

    def f(x):
        y = x * x
        seen.append(repr(tg.draw(y)) if getattr(y, "node", None) is not None else "")
        return y.sum()

    tg.grad(f)(np.array([1.0, 2.0]))
    tg.jvp(lambda x: tg.grad(f)(x), (np.array([1.0, 2.0]),), (np.ones(2),))
    assert all("Multiply" in text for text in seen if text)
