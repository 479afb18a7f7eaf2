"""The command line, as a user meets it: what it prints, its exit status, and that it never shows a traceback."""

import json
import math
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp.cli import main, table
from tinygrad_sp.cli.values import read_variables


@pytest.fixture
def cli(capsys):
    """Run the command line here; give the exit status, what was printed, and what was complained of."""

    def run(*argv):
        status = main([str(argument) for argument in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def refused(cli):
    """Run the command line on what it must refuse; give the complaint."""

    def run(*argv):
        status, out, err = cli(*argv)
        assert (status, out) == (2, "")
        assert err.startswith("tinygrad_sp: ") and "Traceback" not in err and "defect" not in err
        return err.removeprefix("tinygrad_sp: ")

    return run


def shell(*argv, **options):
    """Run it as a program."""
    command = [sys.executable, "-m", "tinygrad_sp", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


# ------------------------------------------------------------------------------------------------ the example

EXAMPLE = """\
    x     softplus(x)  its derivative      sigmoid(x)  from differences  agree
-20    2.06115362e-09  2.06115362e-09  2.06115362e-09    2.06115362e-09  yes
  0.5  0.974076984     0.622459331     0.622459331       0.622459331     yes
  1.2  1.46328247      0.768524783     0.768524783       0.768524783     yes
 -2.3  0.0955454646    0.091122961     0.091122961       0.091122961     yes
  0    0.693147181     0.5             0.5               0.5             yes

The textbook's log(1 + exp(x)) gives 2.06115369e-09 at -20, the true value is 2.06115362e-09: \
1 + exp(-20) keeps 7 digits of exp(-20).
"""


def test_without_arguments_the_chapter(cli):
    assert cli() == (0, EXAMPLE, "")


def test_as_a_program():
    done = shell()
    assert (done.returncode, done.stdout, done.stderr) == (0, EXAMPLE, "")


# ------------------------------------------------------------------------------------------------ the user's own

README = """\
    x  softplus(w*x + b)**2
-20          8.30771096e-07
  0.5        0.126639947
  1.2        0.179349294

sum = 0.305990072 (3 values, shape (3,))

the gradient of the sum, from backward, beside differences
variable  value        gradient     differences  agree
x[0]      -20    4.98235561e-07  4.98235561e-07  yes
x[1]        0.5  0.0639346166    0.0639346166    yes
x[2]        1.2  0.0877264228    0.0877264228    yes
w           0.3  0.45743017      0.45743017      yes
b          -1    0.505538459     0.505538459     yes

check of the gradient: pass, all 9 derivatives lie within the error bars of the differences
"""


def test_the_readme_command(cli):
    assert cli("softplus(w*x + b)**2", "x=-20,0.5,1.2", "w=0.3", "b=-1") == (0, README, "")


def test_one_value(cli):
    status, out, _ = cli("softplus(x)", "x=0.5")
    assert status == 0
    assert out.startswith("softplus(x) = 0.974076984\n\nthe gradient, from backward")


def test_options_anywhere(cli):
    plain = cli("w*x", "x=1,2", "w=3", "--order", "2")
    assert plain == cli("--order=2", "w*x", "x=1,2", "w=3") == cli("w*x", "x=1,2", "--order", "2", "w=3")


@pytest.mark.parametrize("source", ["-x**2", "-x", "-(x)", "-.5*x", "-1e3*x", "-exp(x)"])
def test_an_expression_may_begin_with_a_minus(cli, source):
    status, out, err = cli(source, "x=2")
    assert (status, err) == (0, "") and out.startswith(f"{source} = -")


def test_a_constant_expression(cli):
    assert cli("2*3") == (0, "2*3 = 6\n\nno variables: there is nothing to differentiate by\n", "")


def test_second_derivatives(cli):
    status, out, _ = cli("x**3*w", "x=1,2", "w=5", "--order", "2")
    assert status == 0
    rows = [line.split() for line in out.splitlines() if re.match(r"(x\[|w )", line)]
    assert rows[:3] == [
        ["x[0]", "1", "15", "15", "yes", "30", "30", "yes"],
        ["x[1]", "2", "60", "60", "yes", "60", "60", "yes"],
        ["w", "5", "9", "9", "yes", "0", "0", "yes"],
    ]
    assert "all second derivatives" in out and ["w", "3", "12", "0"] in rows


def test_second_derivatives_that_are_not_a_diagonal(cli):
    status, out, _ = cli("prod(x)", "x=1,2,0", "--order", "2")
    assert status == 0 and "check of the second derivatives: pass" in out
    assert re.search(r"x\[2\]\s+0\s+2\s+2\s+yes\s+0\s+-\s+-", out)  # d2f/dx2 is not looked at by itself
    assert re.search(r"x\[0\] +0 +0 +2\nx\[1\] +0 +0 +1\nx\[2\] +2 +1 +0\n", out)


def test_matrices(cli):
    status, out, _ = cli("tanh(m @ x)", "m=[[1,2,3],[4,5,6]]", "x=.1,.2,-.3")
    assert status == 0 and "m[1, 2]" in out and "(2 values, shape (2,))" in out


def test_a_matrix_value_has_indices(cli):
    assert "[0, 1]" in cli("m*2", "m=[[1,2],[3,4]]")[1].splitlines()[2]


def test_long_tables_are_shortened(cli):
    status, out, _ = cli("softplus(x) + w", "x=linspace(-5,5,1000)", "w=1")
    assert status == 0 and out.count("... 976 more ...") == 2
    assert len(out.splitlines()) < 70 and "x[999]" in out and "\nw " in out


def test_many_numbers(cli):
    status, out, _ = cli("sum(softplus(x*w))", "x=linspace(-5,5,20000)", "w=1.5")
    assert status == 0 and "random directions" in out


def test_a_long_expression_is_f_in_the_table(cli):
    source = "softplus(x) + " * 5 + "x"
    out = cli(source, "x=1,2")[1]
    assert out.startswith(f"f = {source}\n\n") and out.splitlines()[2].split() == ["x", "f"]


# ------------------------------------------------------------------------------------------------ odd points


def test_kinks_are_named(cli):
    status, out, _ = cli("abs(x)", "x=0,1")
    assert status == 0 and re.search(r"x\[0\]\s+0\s+0\s+-1\|1\s+kink", out)


def test_many_kinks(cli):
    out = cli("relu(x)", "x=" + "0," * 12)[1]
    assert out.count("kink") == 12 and re.search(r"x\[0\]\s+0\s+0\s+0\|1\s+kink", out)


def test_no_differences_are_no_kink(cli):
    for value in ("nan", "inf"):
        _, out, _ = cli("sum(x)", f"x=1,{value}")
        assert "kink" not in out and out.count("unsure") == 2


def test_differences_are_shown_with_the_digits_they_are_worth(cli):
    out = cli("softplus(x)", "x=40", "--order", "2")[1]
    shown = re.search(r"4.24835426e-18\s+(\S+)\s+yes", out)[1]
    assert len(shown) <= 7


def test_not_a_number_is_printed_and_not_hidden(cli):
    status, out, _ = cli("log(x)", "x=-1,0,2,inf,nan", "--order", "2")
    assert status == 0 and "nan" in out and "-inf" in out and "sum = nan" in out
    assert re.search(r"x\[2\]\s+2\s+0.5\s+0.5\s+yes\s+-0.25\s+-0.25\s+yes", out)


def test_no_elements(cli, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((0, 3)))
    status, out, _ = cli("softplus(x)", f"x=@{tmp_path}/x.npy", "--order", "2")
    assert status == 0 and "sum = 0 (0 values, shape (0, 3))" in out


def test_an_integer_or_constant_value_has_gradient_zero(cli):
    for source in ("argmax(x)", "floor(x)[1]", "sum(x > 1)"):
        status, out, _ = cli(source, "x=1.25,2.5", "--order", "2", "--graph")
        assert status == 0 and re.search(r"x\[0\]\s+1.25\s+0\s", out), source


def test_complex_in_between(cli):
    status, out, _ = cli("abs(x + 2j)", "x=1.5")
    assert status == 0 and out.startswith("abs(x + 2j) = 2.5")


# ------------------------------------------------------------------------------------------------ a failing check


class Wrong(tg.Op):
    """softplus with the derivative that two textbooks print."""

    @staticmethod
    def forward(x):
        return np.logaddexp(x, 0)

    @staticmethod
    def backward(grad, _out, x):
        return grad * np.exp(x)


def test_a_wrong_derivative_is_exit_status_1(cli, monkeypatch):
    monkeypatch.setattr(tg, "softplus", Wrong.apply)
    status, out, err = cli("softplus(x)", "x=0.5,1")
    assert status == 1 and err == ""
    assert re.search(r"x\[0\]\s+0.5\s+1.6\d+\s+0.62\d+\s+NO", out) and "check of the gradient: fail" in out
    status, out, _ = cli("softplus(x)", "x=0.5,1", "--json")
    assert status == 1 and json.loads(out)["verdict"] == "fail"


def test_a_function_without_derivative(refused, monkeypatch):
    def no_derivative(x):
        raise NotImplementedError("silu: no derivative")

    monkeypatch.setattr(tg, "silu", no_derivative)
    assert "no derivative" in refused("silu(x)", "x=1")


class Undecided(tg.Op):
    """An op whose derivative nobody has written down yet."""

    @staticmethod
    def forward(x):
        return x

    @staticmethod
    def backward(grad, _out, _x):
        raise NotImplementedError("to be written")


@pytest.mark.parametrize("options", [[], ["--order", "2"], ["--json"]])
def test_a_point_without_derivative(refused, options):
    complaint = refused("slogdet([[x, 0], [0, 0]])[1]", "x=1", *options)
    assert complaint.startswith("there is no derivative: slogdet") and complaint.count("\n") == 1


def test_a_second_derivative_that_is_missing(refused, monkeypatch):
    class Once(tg.Op):
        def forward(x):
            return x * x

        def backward(grad, _out, x):
            return Undecided.apply(grad * 2 * x)

    monkeypatch.setattr(tg, "silu", Once.apply)
    complaint = refused("silu(x)", "x=1", "--order", "2")
    assert complaint.startswith("there is no derivative: to be written") and complaint.count("\n") == 1


def test_a_rule_that_is_missing(refused, monkeypatch):
    monkeypatch.setattr(tg, "silu", Undecided.apply)
    assert "there is no derivative: " in refused("silu(x)", "x=1")


def test_a_defect_of_ours_is_no_traceback(cli, monkeypatch):
    monkeypatch.setattr("tinygrad_sp.cli.study", None)
    status, _, err = cli("x", "x=1")
    assert status == 2 and err.count("\n") == 1 and "please report it" in err


@pytest.mark.parametrize("error, status", [(MemoryError, 2), (KeyboardInterrupt, 130), (RecursionError, 2)])
def test_what_may_happen_to_any_program(cli, monkeypatch, error, status):
    def study(*_):
        raise error

    monkeypatch.setattr("tinygrad_sp.cli.study", study)
    done, out, err = cli("x", "x=1")
    assert (done, out) == (status, "") and err.count("\n") == 1


# ------------------------------------------------------------------------------------------------ JSON


def strict(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_json(cli):
    status, out, _ = cli("softplus(w*x)", "x=-20,1", "w=0.5", "--json", "--order", "2", "--graph")
    found = strict(out)
    assert status == 0 and found["expression"] == "softplus(w*x)"
    assert found["value"] == tg.softplus(np.array([-10.0, 0.5])).tolist() and found["shape"] == [2]
    assert found["gradient_of"] == "sum" and found["verdict"] == "pass"
    assert found["variables"]["x"]["gradient"] == (0.5 * tg.sigmoid(np.array([-10.0, 0.5]))).tolist()
    assert found["variables"]["w"]["value"] == 0.5 and found["variables"]["w"]["agree"] == "yes"
    x = found["variables"]["x"]
    for ours, numeric, error in zip(x["gradient"], x["differences"], x["differences_error"], strict=True):
        assert abs(ours - numeric) <= 4 * error <= 1e-8 * ours
    assert np.shape(found["second_derivatives"]["x"]["w"]) == (2,)
    assert np.shape(found["second_derivatives"]["x"]["x"]) == (2, 2)
    assert [check["verdict"] for check in found["checks"].values()] == ["pass", "pass"]
    assert found["graph"][0].split() == ["Softplus", "(2,)"]


def test_json_keeps_every_digit(cli):
    x = 0.1 + 0.2
    found = strict(cli("x", f"x={x!r}", "--json")[1])
    assert found["value"] == x and found["variables"]["x"]["gradient"] == 1.0


def test_json_has_no_nan(cli):
    found = strict(cli("log(x)", "x=-1,0,2,inf", "--json")[1])
    assert found["value"] == ["NaN", "-Infinity", math.log(2), "Infinity"]
    assert [float(v) for v in found["value"]][1:] == [-math.inf, math.log(2), math.inf]


def test_json_of_the_example(cli):
    found = strict(cli("--json")[1])
    assert found["shape"] == [5, 1] and found["expression"] == "softplus(x)"


def test_json_of_many_numbers(cli):
    found = strict(cli("sum(x*x)", "x=linspace(0,1,30000)", "--json")[1])
    assert len(found["variables"]["x"]["gradient"]) == 30000
    assert None in found["variables"]["x"]["differences"]


# ------------------------------------------------------------------------------------------------ the graph


def test_graph(cli):
    status, out, _ = cli("softplus(w*x + b)**2", "x=-20,0.5,1.2", "w=0.3", "b=-1", "--graph")
    lines = out.split("the recorded graph\n")[1].splitlines()
    assert status == 0 and lines == [
        "Power            (3,)",
        "  Softplus       (3,)",
        "    Add          (3,)",
        "      Multiply   (3,)",
        "        w        ()",
        "        x        (3,)",
        "      b          ()",
        "  2",
    ]


def test_what_is_shared_is_shown_once(cli):
    source = "x"
    for _ in range(6):
        source = f"tanh({source})"
    lines = cli(f"where(x > 0, {source}, x)*x[0]", "x=1,2", "--graph")[1].split("recorded graph\n")[1].splitlines()
    assert sum("Tanh" in line for line in lines) == 6
    x = tg.Tensor([1.0, 2.0])
    y = tg.exp(x)
    for _ in range(50):
        y = y + y  # 2**50 paths
    from tinygrad_sp.cli.tree import graph_text

    assert len(graph_text(y.node, {x.node: "x"}).splitlines()) == 102


def test_graph_of_several_results_and_constants(cli):
    assert "x" in cli("split(x, 2)[0]*3 + [1, 2]", "x=1,2,3,4", "--graph")[1].split("recorded graph")[1]
    assert "constant (2,)" in cli("x*[1, 2]", "x=1,2", "--graph")[1]
    assert "nothing was recorded" in cli("2*3", "--graph")[1]


# ------------------------------------------------------------------------------------------------ plots


@pytest.mark.parametrize("name", ["out.svg", "out.png", "OUT.SVG"])
def test_plot(cli, tmp_path, name):
    pytest.importorskip("matplotlib")
    path = tmp_path / name
    contents = []
    for _ in range(2):  # again: over the file, and the same bytes
        status, out, err = cli("softplus(w*x)", "x=linspace(-5,5,3)", "w=2", "--order", "2", "--plot", path)
        assert (status, err) == (0, "") and str(path) in out
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] and contents[0][:5] in (b"<?xml", b"\x89PNG\r")
    if name == "out.svg":
        text = contents[0].decode()
        assert "<dc:date>" not in text
        assert all(word in text for word in ("softplus(w*x)", "derivative", "second derivative"))


def test_plot_over_one_value(cli, tmp_path):
    pytest.importorskip("matplotlib")
    assert cli("x**2*w", "x=1", "w=2", "--plot", tmp_path / "a.svg")[0] == 0
    assert cli("sum(x*[1,2])", "x=[[1.0]]", "--plot", tmp_path / "a.svg")[0] == 0
    assert cli("--plot", tmp_path / "b.svg")[0] == 0


def test_plot_of_poles_and_steps(cli, tmp_path):
    pytest.importorskip("matplotlib")
    for source in ("1/x", "log(x)", "floor(x)", "3 + 0*x", "x**0.5", "count_nonzero(x)"):
        status, _, err = cli(source, "x=linspace(-1,1,3)", "--order", "2", "--plot", tmp_path / "a.svg")
        assert (status, err) == (0, ""), source


def test_plot_refused(refused, tmp_path):
    pytest.importorskip("matplotlib")
    svg = tmp_path / "a.svg"
    assert ".svg or .png" in refused("x", "x=1", "--plot", "a.pdf")
    assert ".svg or .png" in refused("x", "x=1", "--plot", "a")
    assert "cannot be written" in refused("x", "x=1", "--plot", tmp_path / "none" / "a.svg")
    assert "x and w have several values" in refused("x*w", "x=1,2", "w=1,2", "--plot", svg)
    assert "expression gives several" in refused("x*[1, 2]", "x=1,2", "--plot", svg)
    assert "no variable" in refused("1", "--plot", svg)
    assert "no finite value" in refused("x", "x=nan", "--plot", svg)
    assert not svg.exists()


def test_plot_without_matplotlib(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert refused("x", "x=1", "--plot", "a.svg") == "--plot needs Matplotlib: pip install 'tinygrad_sp[plot]'\n"


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1.5", 1.5),
        ("-1", -1.0),
        ("-1e-3", -1e-3),
        ("-20,0.5,1.2", [-20, 0.5, 1.2]),
        ("-.5", -0.5),
        ("1,", [1]),
        ("[1]", [1]),
        ("[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        (" 1 , 2 ", [1, 2]),
        ("linspace(-5,5,11)", np.linspace(-5, 5, 11)),
        ("linspace(0, 1, 5)**2", np.linspace(0, 1, 5) ** 2),
        ("linspace(0, 1, 4, endpoint=False)", np.linspace(0, 1, 4, endpoint=False)),
        ("pi/2", np.pi / 2),
        ("sqrt(2)", np.sqrt(2)),
        ("nan", np.nan),
        ("-inf, inf", [-np.inf, np.inf]),
        ("1e999", np.inf),
    ],
)
def test_values(text, expected):
    value = read_variables([f"x={text}"])["x"]
    assert value.dtype == np.float64 and value.shape == np.shape(expected)
    np.testing.assert_array_equal(value, expected)


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dtype in ("f8", "f4", "f2", "i2", "u8", "?", ">f8"):
        np.save("a.npy", np.eye(2, 3).astype(dtype))
        np.testing.assert_array_equal(read_variables(["x=@a.npy"])["x"], np.eye(2, 3))
    np.save("a.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    np.testing.assert_array_equal(read_variables(["x=@a.npy"])["x"], np.arange(6.0).reshape(2, 3))
    np.save("a.npy", np.float64(2.5))
    assert read_variables([f"x=@{tmp_path}/a.npy"])["x"].shape == ()
    csv = {
        "1,2\n3,4\n": [[1, 2], [3, 4]],
        "1\r\n2\r\n\r\n3": [1, 2, 3],
        "1, 2 ,3": [1, 2, 3],
        "\ufeffx,y\n1,2\n3,4": [[1, 2], [3, 4]],
        "# a remark\n1e3\n-inf\nnan\n": [1000, -np.inf, np.nan],
    }
    for text, expected in csv.items():
        (tmp_path / "a.csv").write_bytes(text.encode())
        np.testing.assert_array_equal(read_variables(["x=@a.csv"])["x"], expected)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_variables(["x=@~/a.csv"])["x"].shape == (3,)


def test_a_csv_on_the_command_line(cli, tmp_path):
    (tmp_path / "x.csv").write_text("-20\n0.5\n")
    assert "2.06115362e-09" in cli("softplus(x)", f"x=@{tmp_path}/x.csv")[1]


# ------------------------------------------------------------------------------------------------ bad input


class Evil:
    """Would write a file if it were unpickled."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.fixture
def bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("good.npy", np.arange(100.0))
    good = (tmp_path / "good.npy").read_bytes()
    np.save("object.npy", np.array([Evil()], object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "short.npy").write_bytes(good[:-5])
    (tmp_path / "header.npy").write_bytes(good.replace(b"(100,)", b"(10***"))
    for name, shape in (("huge", (10**12,)), ("huger", (10**99,))):
        with open(f"{name}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    (tmp_path / "garbage.npy").write_bytes(os.urandom(200))
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save("complex.npy", np.array([1j]))
    np.save("text.npy", np.array(["a"]))
    np.save("many.npy", np.zeros(1_000_001))
    np.savez("a.npz", x=np.zeros(3))
    (tmp_path / "a.npz").rename(tmp_path / "zip.npy")
    (tmp_path / "dir.csv").mkdir()
    (tmp_path / "dir.npy").mkdir()
    (tmp_path / "ragged.csv").write_text("1,2\n3\n")
    (tmp_path / "word.csv").write_text("x,y\n1,2\n3,abc\n")
    (tmp_path / "hole.csv").write_text("1,2\n3,\n")
    (tmp_path / "words.csv").write_text("a\nb\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes(b"\xe9\n1")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe1")
    return tmp_path


@pytest.mark.parametrize(
    "name, message",
    [
        ("object.npy", "pickled objects are never read"),
        ("pickle.npy", "pickled objects are never read"),
        ("short.npy", "not an array"),
        ("header.npy", "not an array"),
        ("huge.npy", "not an array"),
        ("huger.npy", "not an array"),
        ("garbage.npy", "not an array"),
        ("empty.npy", "not an array"),
        ("zip.npy", "not an array"),
        ("complex.npy", "real numbers"),
        ("text.npy", "real numbers"),
        ("many.npy", "at most 1,000,000"),
        ("dir.npy", "cannot be read"),
        ("dir.csv", "cannot be read"),
        ("none.npy", "No such file"),
        ("none.csv", "No such file"),
        ("ragged.csv", "line 2 has 1 numbers, the ones before it have 2"),
        ("word.csv", "line 3: 'abc' is not a number"),
        ("hole.csv", "line 2: '' is not a number"),
        ("words.csv", "no numbers"),
        ("empty.csv", "no numbers"),
        ("latin.csv", "UTF-8"),
        ("binary.csv", "UTF-8"),
        ("a.txt", ".npy or .csv"),
        ("", ".npy or .csv"),
        ("a\0.csv", ".npy or .csv"),
    ],
)
def test_bad_files(refused, bad_files, name, message):
    complaint = refused("x", f"x=@{name}")
    assert message in complaint and complaint.count("\n") == 1
    assert not (bad_files / "unpickled").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(refused, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1")
    path.chmod(0)
    assert "Permission denied" in refused("x", f"x=@{path}")


@pytest.mark.parametrize(
    "argv, message",
    [
        (["x"], "x has no value; give it one: x=1.5\n  x\n  ^"),
        (["x + y", "x=1"], "  x + y\n      ^"),
        (["x", "x=1", "y=2"], "y has a value but is not in the expression x"),
        (["x", "x=1", "x=2"], "x is given twice"),
        (["x=1"], "write the expression first"),
        (["x=1", "softplus(x)"], "write the expression first"),
        (["x", "x"], "not of the form name=value"),
        (["x", "x=1", "2"], "not of the form name=value"),
        (["x", "x="], "x= has no value"),
        (["x", "=1"], "not a name"),
        (["x", "lambda=1"], "not a name"),
        (["x", "a b=1"], "not a name"),
        (["x", "x.y=1"], "not a name"),
        (["exp(x)", "x=1", "exp=1"], "exp is a variable here"),
        (["x", "x=a"], "a is not a number"),
        (["x", "x=1,b"], "b is not a number; a value is made of numbers\n  1,b\n    ^"),
        (["x", "x=1 2"], "in x=...: invalid syntax"),
        (["x", "x=1j"], "real numbers are wanted"),
        (["x", "x=True"], "only as a parameter"),
        (["x", "x='1'"], "only as a parameter"),
        (["x", "x=[[1,2],[3]]"], "equal lengths"),
        (["x", "x=__import__('os')"], "no function __import__"),
        (["x", "x=linspace(0,1,10**9)"], "too much"),
        (["x", "x=linspace(0,1,2000000)"], "at most 1,000,000"),
        (["x", "x=linspace(0,1,-1)"], "in x=..."),
        (["x", "x=9**9**9"], "beyond 64 bits"),
        (["x > 1", "x=1"], "the value is true or false"),
        (["x + 1j", "x=1"], "the value is complex"),
        (["x", "x=1", "--order", "3"], "invalid choice"),
        (["x", "x=1", "--order", "two"], "invalid"),
        (["x", "x=1", "--nonsense"], "--nonsense"),
        (["x", "x=1", "--ord", "2"], "--ord"),
        (["x", "x=1", "--plot"], "expected one argument"),
        (["sum(x)", "x=linspace(0,1,1000)", "--order", "2"], "at most 300"),
        (["sum(outer(x, x) @ outer(x, x))", "x=linspace(0,1,300)", "--order", "2"], "give the variables fewer numbers"),
        (["", "x=1"], "empty"),
        (["x" * 1_000_000], "1,000,000 characters"),
        (["x[2]", "x=1,2"], "out of bounds"),
        (["x @ w", "x=1,2", "w=1,2,3"], "matmul"),
        (["\udc80", "x=1"], "invalid syntax"),
    ],
)
def test_bad_input(refused, argv, message):
    complaint = refused(*argv)
    assert message in complaint and len(complaint) < 500


# ------------------------------------------------------------------------------------------------ as a program


def test_help(cli):
    status, out, err = cli("--help")
    assert (status, err) == (0, "") and cli("-h") == (status, out, err)
    assert max(map(len, out.splitlines())) <= 80
    for said in ("x=@file.npy", "--order", "--json", "--graph", "--plot", "exit status", '"NaN"', "softplus(beta)"):
        assert said in out


def test_the_examples_in_the_help_work(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("1,2\n3,4\n5,6\n")
    (tmp_path / "y.csv").write_text("1\n-1\n1\n")
    import shlex

    commands = re.findall(r"^  python -m tinygrad_sp(.*)$", cli("--help")[1], re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        argv = shlex.split(command)
        if "--plot" in argv:
            pytest.importorskip("matplotlib")
        assert cli(*argv)[0] == 0, command


def test_bad_input_as_a_program():
    done = shell("softplus(x", "x=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tinygrad_sp: '(' was never closed\n  softplus(x\n          ^\n"


def test_a_reader_that_goes_away():
    program = [sys.executable, "-m", "tinygrad_sp", "x", "x=linspace(0,1,100000)", "--json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        complaint = process.stderr.read()
        assert process.wait(60) == 2
    assert complaint == "tinygrad_sp: the output could not be written: Broken pipe\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tinygrad_sp"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"could not be written" in done.stderr


def test_nobody_to_complain_to():
    done = subprocess.run(f'"{sys.executable}" -m tinygrad_sp x 2>&- >&-', shell=True, timeout=60)
    assert done.returncode == 2


def test_a_terminal_that_knows_no_unicode():
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = shell("λ*2", "λ=1", env=environment)
    assert done.returncode == 0 and r"\u03bb*2 = 2" in done.stdout
    done = shell("λ*y", "λ=1", env=environment)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes")
def test_arguments_that_are_not_text():
    done = subprocess.run([sys.executable, "-m", "tinygrad_sp", b"\xff", b"x=\xff"], capture_output=True, timeout=60)
    assert done.returncode == 2 and b"Traceback" not in done.stderr


# ------------------------------------------------------------------------------------------------ fuzz

PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        """x softplus(x) x*w x=1 w=2 x=1,2 w=[[1,2],[3,4]] x=@none.npy x=nan w=inf --json --graph --order 1 2 --order=2
        --plot -x -- -h x=@ = 1/x x@w exp(x)*w where(x>0,w,1/x) x=0 x=-1e308,1e308 x**w w= max(x*w)""".split()
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, max_size=5))
def test_whatever_is_typed_no_traceback(capsys, argv):
    argv = ["no.pdf" if before == "--plot" else argument for before, argument in zip(["", *argv], argv, strict=False)]
    status = main(argv)
    _, err = capsys.readouterr()
    assert status in (0, 1, 2) and "defect" not in err and "Traceback" not in err
    assert (status == 2) == bool(err)


# ------------------------------------------------------------------------------------------------ columns


@given(st.lists(st.floats(), min_size=1, max_size=8))
def test_decimal_points_are_in_one_column(values):
    cells = table.aligned([table.number(value) for value in values])
    assert len({len(cell) for cell in cells}) == 1
    places = {re.search(r"[.e]|(?<=[\dnf])(?= |$)", cell).start() for cell in cells}
    assert len(places) == 1
    assert [cell.strip() for cell in cells] == [table.number(value) for value in values]


def test_columns_are_as_wide_as_their_widest_cell():
    text = table.table([("a long heading", ["x"]), ("n", [123456.5]), ("mixed", ["-"])])
    assert text.splitlines() == ["a long heading         n  mixed", "x               123456.5  -"]
