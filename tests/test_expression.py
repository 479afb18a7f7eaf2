"""The language of expressions: what it computes, what it refuses and where it points, and that nothing else runs."""

import ast
import inspect
import sys
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_sp as tg
from tinygrad_sp.cli import functions
from tinygrad_sp.cli.expression import DEEPEST, LONGEST, MOST_WORK, Expression, ExpressionError
from tinygrad_sp.cli.functions import FOR_VALUES, FUNCTIONS

X = np.array([0.5, 1.25, 2.0])
M = np.arange(6.0).reshape(2, 3)
VALUES = {"x": X, "m": M, "w": np.float64(0.3)}


def evaluate(source, values=VALUES):
    return Expression(source, values)(values)


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "source, expected",
    [
        ("1 + 2*3 - 4/8", 6.5),
        ("-x**2", -(X**2)),
        ("2**-1", 0.5),
        ("2**3**2", 512),
        ("7 // 2 + 7 % 4", 6),
        ("m @ x", M @ X),
        ("x[0] + x[-1]", X[0] + X[-1]),
        ("x[1:]", X[1:]),
        ("x[::-1]", X[::-1]),
        ("m[:, 1:]", M[:, 1:]),
        ("m[1, ..., None]", M[1, ..., None]),
        ("m[0][[0, 2]]", M[0][[0, 2]]),
        ("x[x > 1]", X[X > 1]),
        ("m[[[0], [1]], [1, 2]]", M[[[0], [1]], [1, 2]]),
        ("where((x > 1) & ~(x >= 2), x, -1)", np.where((X > 1) & ~(X >= 2), X, -1)),
        ("sum(m, axis=0)", M.sum(axis=0)),
        ("sum(m, 0)", M.sum(axis=0)),
        ("sum(m, axis=(0, 1), keepdims=True)", M.sum(keepdims=True)),
        ("sum(m, axis=-1)", M.sum(axis=-1)),
        ("sum([x[0], w, 1])", X[0] + 0.3 + 1),
        ("stack([x, x])", np.stack([X, X])),
        ("concatenate([x, x[:1]], axis=0)", np.concatenate([X, X[:1]])),
        ("[1, 2, 3] * x", [1, 2, 3] * X),
        ("(1, 2, 3) * x", [1, 2, 3] * X),
        ("[x, x] + 1", np.stack([X, X]) + 1),
        ("reshape(m, (3, 2))", M.reshape(3, 2)),
        ("split(m, 3, axis=1)[2]", M[:, 2:]),
        ("einsum('ij,j->i', m, x)", M @ X),
        ("abs(-x) + pow(x, 2)", X + X**2),
        ("solve(m[:, :2], [1, 2])", np.linalg.solve(M[:, :2], [1, 2])),
        ("norm(x)", np.linalg.norm(X)),
        ("abs(fft(x))", abs(np.fft.fft(X))),
        ("pi*e", np.pi * np.e),
        ("exp(log(x)) == x", np.exp(np.log(X)) == X),
        ("(x)", X),
        (" x \n+\t1 ", X + 1),
        ("x # a remark", X),
        ("1_000 + 0x10", 1016),
        ("inf", np.inf),
    ],
)
def test_value(source, expected):
    np.testing.assert_array_equal(evaluate(source), expected)
    tensors = {name: tg.Tensor(value) for name, value in VALUES.items()}
    of_tensors = evaluate(source, {k: v for k, v in tensors.items()})
    np.testing.assert_array_equal(getattr(of_tensors, "numpy", lambda: of_tensors)(), expected)


def test_a_variable_may_be_called_as_a_constant_or_a_function():
    assert evaluate("e + 1", {"e": 2.0}) == 3.0
    assert evaluate("exp(-(x - mean)**2)", {"x": 2.0, "mean": 2.0}) == 1.0
    with pytest.raises(ExpressionError, match="mean is a variable here"):
        evaluate("mean(x)", {"x": 2.0, "mean": 2.0})


def test_evaluated_again_and_again():
    f = Expression("x*x", ["x"])
    assert [f({"x": v}) for v in (1.0, 2.0, 3.0)] == [1.0, 4.0, 9.0]


def test_gradients_flow():
    x = tg.Tensor(X)
    Expression("sum(softplus(x)[1:]**2)", ["x"])({"x": x}).backward()
    s = tg.sigmoid(X)
    np.testing.assert_allclose(x.grad.numpy(), np.where([False, True, True], 2 * tg.softplus(X) * s, 0), rtol=1e-14)


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "source, marked, message",
    [
        ("exp.x", "exp.x", "attributes"),
        ("x.__class__", "x.__class__", "attributes"),
        ("1 + x.shape", "x.shape", "attributes"),
        ("().__class__.__base__", "().__class__.__base__", "attributes"),
        ("__import__('os')", "__import__", "no function __import__"),
        ("eval('1')", "eval", "no function eval"),
        ("open(x)", "open", "no function open"),
        ("x(1)", "x", "x is a variable here, not a function"),
        ("exp(1)(2)", "exp(1)", "plain name"),
        ("(lambda: 0)()", "lambda: 0", "plain name"),
        ("lambda: 0", "lambda: 0", "`lambda`"),
        ("sofplus(x)", "sofplus", "did you mean softplus?"),
        ("exp", "exp", "exp is a function: write exp(...)"),
        ("x + y", "y", "y has no value; give it one: y=1.5"),
        ("1 if x else 2", "1 if x else 2", "where(condition"),
        ("x and m", "x and m", "&"),
        ("not x", "not x", "~"),
        ("0 < x < 1", "0 < x < 1", "(a < b) & (b < c)"),
        ("x is m", "x is m", "comparisons are"),
        ("x << 2", "x << 2", "not allowed"),
        ("x ^ 2", "x ^ 2", "x**2"),
        ("[i for i in x]", "[i for i in x]", "not allowed"),
        ("{1: 2}", "{1: 2}", "not allowed"),
        ("{1}", "{1}", "not allowed"),
        ("(y := 1)", "y := 1", ":="),
        ("f'{x}'", "f'{x}'", "strings"),
        ("'a' * 9", "'a'", "only as a parameter"),
        ("True + 1", "True", "only as a parameter"),
        ("x[True]", "True", "only as a parameter"),
        ("None", "None", "only as a parameter"),
        ("...", "...", "only as a parameter"),
        ("exp(*x)", "*x", "`*`"),
        ("exp(x, out=x)", "out=x", "not out"),
        ("exp(**x)", "**x", "not **"),
        ("sum(x, 0, 'O')", "'O'", "only as a parameter"),
        ("sum(x, axis=w)", "w", "a parameter given by name"),
        ("sum(x, axis=0, axis=0)", "axis=0", "each once"),
        ("sum(x, dtype='f4')", "dtype='f4'", "not dtype"),
        ("9**9**9", "9**9**9", "beyond 64 bits"),
        ("9.0**9**9", "9.0**9**9", "too large"),
        ("2**63", "2**63", "beyond 64 bits"),
        ("9223372036854775807 + 1", "9223372036854775807 + 1", "beyond 64 bits"),
        ("1" * 100, "1" * 100, "beyond 64 bits"),
        ("1/0", "1/0", "division by zero"),
        ("m + [1, 2]", "m + [1, 2]", "broadcast"),
        ("2*(x @ m)", "x @ m", "matmul"),
        ("stack([m, m, m]) @ stack([m, m])", "stack([m, m, m]) @ stack([m, m])", "matmul"),
        ("x[3]", "x[3]", "out of bounds"),
        ("1 + sum(x, axis=2)", "sum(x, axis=2)", "axis"),
        ("[[1, 2], [3]]", "[[1, 2], [3]]", "equal lengths"),
        ("~x", "~x", ""),
        ("w +", "", "invalid syntax"),
        ("exp(x", "(", "never closed"),
        ("exp(x))", ")", "unmatched"),
        ("x y", "y", "invalid syntax"),
        ("x = 1", "", "invalid syntax"),
        ("x; x", ";", "invalid syntax"),
        ("é + yy", "é", "é has no value"),
        ("'é' + y", "'é'", "only as a parameter"),
        ("einsum('é', x) + yy", "yy", "yy has no value"),
        ("softplus(x) + 日本", "日本", "has no value"),
    ],
)
def test_refused(source, marked, message):
    with pytest.raises(ExpressionError) as caught:
        evaluate(source)
    error = caught.value
    assert message in error.message
    assert not marked or error.source[error.start : error.end] == marked


def test_the_carets_are_below_what_is_wrong():
    with pytest.raises(ExpressionError) as caught:
        evaluate("softplus(x) + lgo(x)")
    assert str(caught.value).splitlines() == [
        "there is no function lgo; did you mean log?",
        "  softplus(x) + lgo(x)",
        "                ^^^",
    ]


def test_wide_characters_are_two_columns():
    with pytest.raises(ExpressionError) as caught:
        Expression("日本 + y", ["日本"])
    assert str(caught.value).splitlines()[1:] == ["  日本 + y", "         ^"]


def test_a_long_expression_is_shown_around_the_error():
    with pytest.raises(ExpressionError) as caught:
        evaluate("x*" * 45 + "y" + "*x" * 45)
    _, shown, carets = str(caught.value).splitlines()
    assert len(shown) < 110 and shown[carets.index("^")] == "y"


def test_every_other_kind_of_node_is_refused():
    """Whatever expressions Python has, now or later, that are not on our list."""
    allowed = {"BinOp", "UnaryOp", "Compare", "Call", "Constant", "Name", "Subscript", "List", "Tuple", "Slice"}
    samples = {
        "BoolOp": "x and x", "NamedExpr": "(a := 1)", "Lambda": "lambda: 1", "IfExp": "1 if 1 else 1",
        "Dict": "{}", "Set": "{1}", "ListComp": "[1 for a in x]", "SetComp": "{1 for a in x}",
        "DictComp": "{1: 1 for a in x}", "GeneratorExp": "(1 for a in x)", "Await": "await x", "Yield": "(yield)",
        "YieldFrom": "(yield from x)", "FormattedValue": "f'{x}'", "JoinedStr": "f'x'", "Attribute": "x.T",
        "Starred": "[*x]", "TemplateStr": None, "Interpolation": None,
    }  # fmt: skip
    kinds = {kind.__name__ for kind in ast.expr.__subclasses__()} - {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"}
    assert kinds - allowed <= set(samples), "a kind of node that this test doesn't know"
    for kind in kinds - allowed:
        if samples[kind] is not None:
            with pytest.raises(ExpressionError):
                Expression(samples[kind], ["x"])


# ------------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize(
    "source",
    [
        "x+" * 500_000 + "x",
        "(" * 300 + "x" + ")" * 300,
        "-" * 4_000 + "x",
        "x" + "+x" * 2_000,
        "[" * 150 + "x" + "]" * 150,
        "exp(" * 150 + "x" + ")" * 150,
        "1" * 4_900,
        "x**" * 1_000 + "x",
    ],
)
def test_long_and_deep(source):
    with pytest.raises(ExpressionError):
        evaluate(source)


def test_deep_but_not_too_deep():
    assert evaluate("+" * (DEEPEST - 1) + "w") == 0.3
    assert len("x+" * 45 + "x") < LONGEST and evaluate("x+" * 45 + "x").shape == (3,)


BIG = {"x": np.zeros(100_000), "i": np.zeros((300, 300))}


@pytest.mark.parametrize(
    "source",
    [
        "outer(x, x)",
        "x[:, None]*x",
        "x[:, None] < x",
        "where(x[:, None] > 0, x, 1)",
        "tile(x, 1000)",
        "tile(x, [1000, 1000])",
        "tile(1.0, 1000000000)",
        "repeat(x, 1000000)",
        "repeat(x, repeats=1000000)",
        "repeat([1.0], [1000000000])",
        "broadcast_to(x, (1000000, 100000))",
        "broadcast_to(x, shape=(1000000, 100000))",
        "pad(x, 1000000000)",
        "pad(i, ((10000, 10000), (10000, 10000)))",
        "split(x, 100000000)",
        "diff(x, 1000000000)",
        "diag(x)",
        "fft(x, 1000000000)",
        "inv(outer(x[:3000], x[:3000]))",
        "diag([1.0], 1000000000)",
        "tensordot(x, x, 0)",
        "tensordot(x, x, axes=0)",
        "einsum('i,j->ij', x, x)",
        "einsum('i,j', x, x)",
        "einsum('ij,kl->', i, i)",
        "einsum(i, [0, 1], i, [2, 3])",
        "x[argmax(i, axis=0)[:, None, None] + argmax(i, axis=0)[:, None] + argmax(i, axis=0)]",
        "x[[[0]*1000]*1000][:, None]",
        "take(x, argmax(i, 0)[:, None, None] + argmax(i, 0)[:, None] + argmax(i, 0))",
        "sum(x+x)" + "*sum(x+x)" * 60,
        "broadcast_arrays(x[:, None], x)",
    ],
)
def test_too_much_to_compute_is_refused_before_it_is_tried(source):
    with pytest.raises(ExpressionError):
        Expression(source, BIG)(BIG)


SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (3, 1), (1, 2, 3)])


@st.composite
def calls(draw):
    """A call of some function with arguments that often fit."""
    name = draw(st.sampled_from(sorted(FOR_VALUES)))
    arrays = [f"a{k}" for k in range(draw(st.integers(1, 3)))]
    values = {a: np.full(draw(SHAPES), 0.5) for a in arrays}
    more = draw(st.sampled_from(["", ", 2", ", 0", ", (2, 3)", ", (4, 2, 3)", ", [1, 2]"]))
    listed = draw(st.booleans())
    inside = f"[{', '.join(arrays)}]" if listed else ", ".join(arrays)
    return f"{name}({inside}{more})", values


@given(calls())
def test_what_a_call_costs_is_known_before(call):
    """No function gives more elements than was accounted for."""
    source, values = call
    expression = Expression(source, values, FOR_VALUES)
    try:
        result = expression(values)
    except ExpressionError:
        return
    assert np.size(np.asarray(result)) <= expression.spent


INDEX = st.recursive(
    st.sampled_from(
        ["0", "-1", ":", "::2", "1:", "None", "...", "[0, 1]", "[[0], [1]]", "[0]", "b3", "b23", "i2", "i23"]
    ),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(", ".join),
    max_leaves=3,
)


@given(st.sampled_from(["x", "m", "c"]), INDEX)
def test_what_an_index_picks_is_known_before(name, index):
    values = {"x": np.zeros(3), "m": np.zeros((2, 3)), "c": np.zeros((2, 3, 4)), "b3": np.ones(3, bool),
              "b23": np.ones((2, 3), bool), "i2": np.array([0, 1]), "i23": np.zeros((2, 3), int)}  # fmt: skip
    expression = Expression(f"{name}[{index}]", values)
    try:
        result = expression(values)
    except ExpressionError:
        return
    indexed_by_arrays = any(c in index for c in "[bi")
    assert np.size(result) <= (expression.spent if indexed_by_arrays else values[name].size)


# ------------------------------------------------------------------------------------------------ the functions


def test_every_function_is_ours_and_takes_the_parameters_listed():
    for name, function in FUNCTIONS.items():
        ours = attrgetter(function.name)(tg)
        assert callable(ours), name
        parameters = inspect.signature(ours).parameters if function.params else {}
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        assert open_ended or function.params <= set(parameters), name


@pytest.mark.parametrize("name", sorted(name for name, f in FUNCTIONS.items() if {"axis", "keepdims"} <= f.params))
def test_reductions_are_as_numpys(name):
    ours = evaluate(f"{name}(m + 0.5, axis=0, keepdims=True)")
    theirs = {"norm": np.linalg.norm, "logsumexp": lambda x, **how: np.log(np.sum(np.exp(x), **how))}
    np.testing.assert_allclose(
        ours, theirs.get(name, getattr(np, name, None))(M + 0.5, axis=0, keepdims=True), rtol=1e-14
    )


def test_work_of_every_function_is_known_for_odd_arguments():
    """Also for too few arguments, and arguments of the wrong kind: then the function itself says what is wrong."""
    for name in FUNCTIONS:
        for arguments in ("", "x", "x, x", "'a'", "[x, x]", "x, 'a'", "x, None", "None", "x, [x]"):
            try:
                evaluate(f"{name}({arguments})")
            except ExpressionError:
                pass


# ------------------------------------------------------------------------------------------------ nothing else runs

_EVENTS: list[str] = []
_WATCHING = False


def _watch(event, args):
    if _WATCHING and event not in ("compile", "builtins.id") and not event.startswith("object."):
        _EVENTS.append(f"{event} {args!r:.200}")


WORDS = """
    x m w 1 2.5 0 9 1e308 - + * / ** // % @ ( ) [ ] , : = < == ~ & | . __class__ __import__ os system 'id' " ' lambda
    for in if else not and is None True ... exp sum axis open eval exec import print f' { } # \\ := yield await *x
    softplus where stack reshape tile repeat einsum 'ij->ji' keepdims=True axis=0 \x00 \ud800 λ 日本 ;
"""
TOKENS = [*WORDS.split(), " ", "\n", "\t"]
SOUP = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)
CALLS = st.recursive(
    st.sampled_from(["x", "m", "w", "1", "2", "-1.5", "x[0]", "m[0]", "[1, 2]", "pi"]),
    lambda inner: st.one_of(
        st.builds(
            "({}){}({})".format, inner, st.sampled_from(["+", "-", "*", "/", "**", "@", "%", "<", "//", "&"]), inner
        ),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), inner),
        st.builds("{}({}, {})".format, st.sampled_from(sorted(FUNCTIONS)), inner, inner),
        st.builds("({})[{}]".format, inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=400)
@given(st.one_of(SOUP, CALLS, st.text(max_size=40)))
def test_whatever_is_typed_nothing_else_runs(source):
    """An expression gives a value or an `ExpressionError`, and opens, imports, executes nothing on the way."""
    global _WATCHING
    _EVENTS.clear()
    _WATCHING = True
    try:
        str(evaluate(source))
    except ExpressionError as error:
        assert str(error).encode(errors="strict")
    finally:
        _WATCHING = False
    assert not _EVENTS


sys.addaudithook(_watch)


def test_the_watch_sees():
    """The test above would notice."""
    global _WATCHING
    _EVENTS.clear()
    _WATCHING = True
    try:
        open(__file__).close()
        exec("1")
    finally:
        _WATCHING = False
    assert len(_EVENTS) == 2


def test_work_is_counted_over_the_whole_expression():
    n = MOST_WORK // 4
    with pytest.raises(ExpressionError, match="too much to compute"):
        evaluate("x+x+x+x+x+x", {"x": np.zeros(n)})
    assert functions.broadcast([np.zeros((2, 1)), np.zeros(3)], {}) == 7
