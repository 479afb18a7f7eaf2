"""Write ``docs/numpy-coverage.md``: for each name of NumPy's surface, whether it has a gradient here.

What holds is found by looking: the names that NumPy lets others answer for, which of them are in the dispatch
table, and whether the expressions that try them (``numpy_expressions.py``) give something recorded.

    python tests/numpy_coverage.py
"""

import re
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.testing import overrides

sys.path.insert(0, str(Path(__file__).parents[1]))

import tinygrad_sp as tg
from tests.directional import leaves_of
from tests.numpy_expressions import CONSTANT, DIFFERENTIABLE, IN_PLACE, split
from tests.test_numpy_names import ARRAYS, compiled, names_in
from tinygrad_sp import fft, linalg  # noqa: F401  (what declares their functions)
from tinygrad_sp.dispatch import TABLE

PAGE = Path(__file__).parents[1] / "docs" / "numpy-coverage.md"
# No arrays of numbers go in, or none come out: there is nothing to differentiate.
ELSEWHERE = """array asarray asanyarray ascontiguousarray asfortranarray arange empty eye frombuffer fromfile
    fromfunction
    fromiter fromstring
    full genfromtxt identity loadtxt ones require tri zeros busday_count busday_offset is_busday
    datetime_as_string save savez savez_compressed savetxt isnat""".split()
HEAD = """# What NumPy's functions do with Tensors

Made by `python tests/numpy_coverage.py` from the dispatch table and the expressions that the tests try.

| | |
|---|---|
| **gradient** | first and second derivatives are checked against differences |
| **constant** | works on the values; the result is a constant, because the function has no (useful) derivative |
| **in place** | writes into its first argument, which then stands for the new value; differentiable |
| **refused** | `NotImplementedError` that names the function: never a silent zero |
"""


def surface():
    """NumPy's functions and ufuncs by name: what may be called with a Tensor."""
    modules = {"numpy": "np", "numpy.linalg": "np.linalg", "numpy.fft": "np.fft"}
    modules["numpy.lib.stride_tricks"] = "np.lib.stride_tricks"
    for f in overrides.get_overridable_numpy_array_functions():
        if f.__module__ in modules and f.__name__ not in ELSEWHERE:
            yield modules[f.__module__], f.__name__, f
    for f in overrides.get_overridable_numpy_ufuncs():
        if getattr(np, f.__name__, None) is f and any(set("fd") & set(t) or "??" in t for t in f.types):
            yield "np", f.__name__, f


def tried():
    """What each name that occurs in an expression gives: gradient, constant or in place."""
    found = {}
    kinds = [(e, "gradient") for e in DIFFERENTIABLE] + [(e, "constant") for e in split(CONSTANT)]
    for expression, kind in kinds + [(e, "in place") for e in split(IN_PLACE)]:
        for name in re.findall(r"np\.(?:linalg\.|lib\.stride_tricks\.)?(\w+)", expression)[:1]:
            if kind == "gradient":
                try:
                    result = compiled(expression)(**{n: tg.Tensor(ARRAYS[n]) for n in names_in(expression)})
                except NotImplementedError:
                    continue
                if not any(y.node is not None for y in leaves_of(result)):
                    continue
            module = re.match(r"np\.(?:linalg|lib\.stride_tricks)?", expression)[0].rstrip(".")
            found.setdefault((module, name), kind)
    return found


def status(module, name, function, known):
    if function not in TABLE:
        return "refused"
    if (module, name) in known:
        return known[module, name]
    twins = [kind for (m, n), kind in known.items() if eval(f"{m}.{n}", {"np": np}) is function]
    return twins[0] if twins else "gradient" if module == "np.fft" else "constant"


def page():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        known = tried()
    rows = {}
    for module, name, function in surface():
        rows.setdefault(module, {}).setdefault(status(module, name, function, known), set()).add(name)
    text = [HEAD]
    for module in sorted(rows):
        text.append(f"\n## {module}\n\n| what holds | {sum(map(len, rows[module].values()))} names |\n|---|---|\n")
        for kind in ("gradient", "constant", "in place", "refused"):
            if names := rows[module].get(kind):
                text.append(f"| **{kind}** ({len(names)}) | {', '.join(f'`{n}`' for n in sorted(names))} |\n")
    return "".join(text)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
