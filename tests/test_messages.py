"""Every message that the package raises names what was called, and says what to write instead."""

import ast
import re
from pathlib import Path

import tinygrad_sp as tg

PACKAGE = Path(tg.__file__).parent

# The command line's messages show the place in what was typed, and so name what they are about; `test_cli` sees to it.
SHOWN = "cli/"

# How the package makes an exception.
EXCEPTION = re.compile(r"(Error|WrongGradients|type\(\w+\))$")

# A message begins with the name of what was called, "reshape: ..." or "np.exp(...) of ...", or has one put in.
NAMED = re.compile(r"\{\}[.,: ]|@?([\w.]|\{\})+(\([^)]*\)|\[[^]]*\])?((, [\w.]+)*:| (of|with|on) )")

# Or it names, anywhere, the function or class that raises it; a shorter name is too easily another word.
LONG_ENOUGH = 4

# What to write instead is said with one of these words.
ADVICE = re.compile(
    r"\b(wanted|must|needs?|writes?|use|give|pass|takes?|call|see|return|choose|declare|compose|compute|insert|import"
    r"|install|index it|explain|at most|at least|instead|leave|change|set|hold|make|save|without|only|name|say|put)\b",
    re.IGNORECASE,
)

# (file, beginning of the message): why it may do without a name, or without advice.
EXCUSED = {
    ("__init__.py", "module {}"): "Python's own words",
    ("testing/ops.py", "check_op wants"): "its helper speaks for check_op",
    ("ops/windows.py", "{}={}: one whole number"): "gets the function's name and the argument's as one",
    ("cli/study.py", "there is no derivative: {}"): "puts these words before an op's own",
    ("cli/values.py", "in {}=...: {}"): "puts the place before what is wrong there",
    ("cli/values.py", "{}={}: {}"): "puts the place before what is wrong there",
    ("array_methods.py", "the truth of a Tensor"): "NumPy's own words, which people search for",
    ("blocks.py", "{}: {}"): "puts the name before the message of the next",
    ("blocks.py", "numbers are wanted"): "gets its name in the line above",
    ("cotangent.py", "{}.backward, cotangent of"): "puts the rule's name before the messages of the next",
    ("cotangent.py", "the rule returned"): "gets the rule's name where it is caught",
    ("graph.py", "{} has several results"): "an AttributeError, for hasattr",
    ("tensor.py", "{}: {}"): "puts the name before what an integer Tensor lacks",
    ("storage.py", "load: {} is incomplete"): "no other call reads such a file",
    ("testing/check.py", "\n{}"): "is the whole report",
    ("transforms/debug.py", "{} made"): "what is wrong is in the user's numbers, which it shows",
    ("transforms/debug.py", "the backward of {} made"): "what is wrong is in the user's numbers, which it shows",
    ("transforms/levels.py", "a value {}"): "raised wherever such a value is used; it has no one name",
}


def texts(node):
    """Return the messages that an expression may give, {} for what is put in; none for what is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return []


def messages():
    """Give (file, line, names of the functions and classes around it, message) of every exception that is made."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from made(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(PACKAGE).as_posix(), ())


def made(node, file, around):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        around = (*around, node.name.strip("_"))
    if isinstance(node, ast.Call) and node.args and EXCEPTION.search(ast.unparse(node.func)):
        for text in texts(node.args[0]):
            yield file, node.lineno, around, text
    for child in ast.iter_child_nodes(node):
        yield from made(child, file, around)


def lacks(around, text, file=""):
    """Return what a message lacks, or None."""
    named = NAMED.match(text) or any(re.search(rf"\b{n}\b", text) for n in around if len(n) >= LONG_ENOUGH)
    if not named and not file.startswith(SHOWN):
        return "the name of what was called"
    return None if ADVICE.search(text) else "what to write instead"


def excuse(file, text):
    return next((key for key in EXCUSED if key[0] == file and text.startswith(key[1])), None)


def test_every_message_names_what_was_called_and_what_to_write():
    found = list(messages())
    assert len(found) > 250
    wrong = [
        f"{file}:{line} lacks {lacks(around, text, file)}: {text}"
        for file, line, around, text in found
        if lacks(around, text, file) and not excuse(file, text)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_excuse_is_needed():
    assert {excuse(file, text) for file, _, around, text in messages() if lacks(around, text, file)} - {None} == set(
        EXCUSED
    )


def test_what_a_message_lacks():
    for text in (
        "reshape: 3 elements are wanted",
        "{}: write x * y",
        "np.{}(..., where=...) of a Tensor: write np.where",
    ):
        assert lacks((), text) is None
    assert lacks(("explain",), "to explain this, write y.explain()") is None
    assert lacks((), "this does not fit; write x * y") == "the name of what was called"
    assert lacks((), "reshape: 3 elements do not fit") == "what to write instead"
