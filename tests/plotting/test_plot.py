"""tg.plot and tg.plot_gradcheck: what is in the picture, read from Matplotlib's own objects; no images."""

import doctest
import inspect
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_sp as tg
from tinygrad_sp.plotting.figure import save
from tinygrad_sp.testing import gradcheck

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
to_hex = matplotlib.colors.to_hex

RED, BLUE, ORANGE = map(to_hex, ("tab:red", "tab:blue", "tab:orange"))


@pytest.fixture(autouse=True)
def close():
    yield
    pyplot.close("all")


# ---------------------------------------------------------------------------------------------- plot


def test_a_function_with_its_derivatives():
    axes = tg.plot(tg.softplus, -6, 6)
    assert [line.get_label() for line in axes.lines] == ["softplus(x)", "derivative", "second derivative"]
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    x = axes.lines[0].get_xdata()
    assert x[[0, -1]].tolist() == [-6, 6]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), tg.sigmoid(x), rtol=1e-14)
    np.testing.assert_allclose(axes.lines[2].get_ydata(), tg.sigmoid(x) * tg.sigmoid(-x), rtol=1e-14)
    assert axes.get_legend() is not None and axes.get_xlabel() == "x"


def test_options():
    axes = tg.plot(lambda x: x * x, 0, 1, order=1, points=11)
    assert [line.get_label() for line in axes.lines] == ["f(x)", "derivative"]
    assert axes.lines[0].get_xdata().size == 11
    same = tg.plot(np.sin, 0, 1, order=0, axes=axes)
    assert same is axes and axes.lines[-1].get_label() == "sin(x)"
    assert len(pyplot.get_fignums()) == 1


def test_a_pole_does_not_flatten_the_rest():
    bottom, top = tg.plot(lambda x: 1 / x, -1, 1).get_ylim()
    assert -100 < bottom < -1 and 1 < top < 100
    bottom, top = tg.plot(np.sqrt, 0, 4).get_ylim()
    assert bottom < 0 and 2 < top < 5


def test_nothing_finite_is_an_empty_picture():
    axes = tg.plot(lambda x: np.log(-1 - x * x), -1, 1)
    assert all(np.isnan(line.get_ydata()).all() for line in axes.lines)


def test_the_same_picture_is_the_same_file(tmp_path):
    for name in "ab":
        save(tg.plot(np.tan, -2, 2, order=4).figure, tmp_path / name, "svg")
    text = (tmp_path / "a").read_text()
    assert text == (tmp_path / "b").read_text() and ">fourth derivative<" in text and "<dc:date>" not in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((tg.softplus, 1, 1), "plot: from 1.0 to 1.0; wanted finite numbers, the first below the second"),
        ((tg.softplus, 0, np.inf), "plot: from 0.0 to inf"),
        ((tg.softplus, 0, 1, 7), "plot: order=7, points=401; wanted an order from 0 to 6"),
        ((tg.softplus, 0, 1, 1.5), r"plot: order=1.5"),
    ],
)
def test_plot_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        tg.plot(*arguments)
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("function", [tg.plot, tg.plot_gradcheck])
def test_the_examples(function):
    """They are skipped as doctests, which also run where Matplotlib is missing."""
    text = inspect.getdoc(function).replace("# doctest: +SKIP", "")
    example = doctest.DocTestParser().get_doctest(text, {}, function.__name__, None, None)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0
    assert pyplot.get_fignums()


# ---------------------------------------------------------------------------------------------- plot_gradcheck


def dots(axes):
    """Where the dots of each colour are."""
    return {to_hex(line.get_color()): list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"}


def bars(axes):
    """The ends of each error bar."""
    return np.array(axes.collections[0].get_segments())[:, :, 1]


def test_the_wrong_element_is_marked():
    x = np.array([-20.0, 0.5, 1.2])
    report = gradcheck(lambda x: np.logaddexp(x, 0), x, vjp=lambda g, x: g * np.where(x < -15, 0, 1 / (1 + np.exp(-x))))
    figure = tg.plot_gradcheck(report)
    above, below = figure.axes
    assert dots(above) == dots(below) == {RED: [0], BLUE: [1, 2]}
    assert figure.get_suptitle().startswith("FAIL: 1 of 3 derivatives are wrong; the worst: x[0]")
    assert [label.get_text() for label in below.get_xticklabels()] == ["x[0]", "x[1]", "x[2]"]
    low, high = bars(above).T
    true = 1 / (1 + np.exp(-x))
    assert np.all((low <= true * (1 + 1e-15)) & (true * (1 - 1e-15) <= high)) and np.all(high - low < 1e-10)
    distance = {line.get_xdata()[0]: line.get_ydata() for line in below.lines if line.get_marker() == "o"}
    np.testing.assert_allclose(distance[0], 2.06115362e-09)  # where the two part
    allowed = next(line.get_ydata() for line in below.lines if line.get_marker() == "_")
    assert distance[0][0] > allowed[0] and np.all(distance[1] <= allowed[1:])


def test_the_bar_at_a_kink_reaches_from_side_to_side():
    figure = tg.plot_gradcheck(gradcheck(tg.relu, np.array([-1.0, 0.0, 1.2])))
    assert dots(figure.axes[0]) == {BLUE: [0, 1, 2]}
    np.testing.assert_allclose(bars(figure.axes[0])[1], [0, 1], atol=1e-8)
    wrong = gradcheck(tg.relu, np.array([-1.0, 0.0]), vjp=lambda g, x: g * np.where(x == 0, 3.0, x > 0))
    assert dots(tg.plot_gradcheck(wrong).axes[0]) == {RED: [1], BLUE: [0]}


def test_an_error_that_cancels_in_the_sum_is_marked():
    """The rule swaps two outputs: the gradient of their sum is right, and neither of theirs."""

    def vjp(g, x):
        return np.array([2.0, 3.0])[::-1] @ g * np.ones_like(x)

    report = gradcheck(lambda x: np.array([2.0, 3.0]) * x[0], np.array([0.7]), vjp=vjp)
    assert report.verdict == "fail"
    assert dots(tg.plot_gradcheck(report).axes[0]) == {RED: [0]}


def test_nan_from_the_rule_is_marked_by_a_line():
    report = gradcheck(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: g * np.where(x > 1, np.nan, np.cos(x)))
    above = tg.plot_gradcheck(report).axes[0]
    assert [to_hex(line.get_color()) for line in above.lines if list(line.get_xdata()) == [1, 1]] == [RED]


def test_several_inputs_wrong_ones_first():
    def vjp(g, *xs):
        return tuple(g * (2.0 if i == 4 else 1.0) for i in range(len(xs)))

    report = gradcheck(lambda *xs: sum(xs), *np.arange(1.0, 7.0), vjp=vjp)
    figure = tg.plot_gradcheck(report)
    assert len(figure.axes) == 8
    assert dots(figure.axes[0]) == {RED: [0]} and dots(figure.axes[1]) == {BLUE: [0]}


def test_complex_elements_have_two_parts():
    report = gradcheck(lambda z: (z * np.conj(z)).real, np.array([1 + 2j, 0.5j]), vjp=lambda g, z: g * z * 2)
    assert report.verdict == "pass"
    above, below = tg.plot_gradcheck(report).axes
    assert dots(above) == {BLUE: [0, 1, 2, 3]}
    assert [label.get_text() for label in below.get_xticklabels()][:2] == ["z[0].real", "z[0].imag"]


def test_what_was_not_looked_at_by_itself_is_counted_not_drawn(rng):
    x = rng.normal(size=(40, 40))

    def vjp(g, x):
        found = g * (x.sum(1)[None, :] + x.sum(0)[:, None])
        found[3, 4] *= 1.1
        return found

    report = gradcheck(lambda x: (x @ x).sum(), x, vjp=vjp)
    above, below = tg.plot_gradcheck(report).axes
    assert dots(above) == {RED: [3 * 40 + 4]}
    assert below.get_xlabel() == "x: 1 of 1,600 elements looked at one by one"


def test_a_report_without_numbers_is_its_sentence():
    report = gradcheck(np.sin, np.array([0.5, 2.0]), vjp=lambda _g, _x: np.zeros(3))
    figure = tg.plot_gradcheck(report)
    assert figure.get_suptitle().startswith("FAIL: ") and report.verdict == "fail"


def test_second_order():
    report = gradcheck(lambda x: np.sum(tg.softplus(x)), np.array([0.5, -1.0]), order=2)
    assert dots(tg.plot_gradcheck(report.orders[2]).axes[0]) == {BLUE: [0, 1]}


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="plot: f is int; a function of one number is wanted"):
        tg.plot(3, -1, 1)


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r"plot_gradcheck: float; give what gradcheck\(f, x\) returned"):
        tg.plot_gradcheck(1.0)


# ---------------------------------------------------------------------------------------------- Matplotlib


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: tg.plot(tg.softplus, -1, 1), "plot"),
        (lambda: tg.plot_gradcheck(gradcheck(np.sin, 1.0, vjp=lambda g, x: g * np.cos(x))), "plot_gradcheck"),
    ],
)
def test_without_matplotlib_one_line_says_what_to_install(monkeypatch, call, name):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as caught:
        call()
    assert str(caught.value) == f"{name} needs Matplotlib: pip install 'tinygrad_sp[plot]'"


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, tinygrad_sp.testing, tinygrad_sp.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
