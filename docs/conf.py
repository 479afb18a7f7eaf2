"""How the site is built: ``python -m sphinx -W -b html docs docs/_build/html``, warnings are errors, no network.

The pages are Markdown (MyST).  The reference is written from the docstrings by ``reference_pages.py``.  Formulas
become MathML, which browsers draw by themselves: the site needs no script from elsewhere, to build or to read.
"""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference_pages  # noqa: E402

project = "tinygrad_sp"
html_title = "tinygrad_sp"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
suppress_warnings = ["config.cache"]  # the renderer of formulas below is a function, and made anew each time

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# `single backticks` in docstrings are code, as in the pages.
default_role = "code"
# "Attributes" documents a class's fields; as fields of the docstring they are not documented twice.
napoleon_use_ivar = True
napoleon_google_docstring = False
autodoc_typehints = "none"  # the docstrings say it, with shapes and dtypes
autosummary_generate = False
html_math_renderer = "mathml"


# A function's name before its argument, with its power or prime if it has one: there belongs a little space.
NAME = re.compile(r"((?<![bp]>)<mi>[a-z]{2,}</mi>|<msup><mi>[a-z]{2,}</mi><m.>[^<]*</m.></msup>)(?=<m[is])")


def mathml(formula: str, display: str) -> str:
    """Return a formula as MathML; a command that is not understood would be left as it is."""
    made = convert(formula, display=display)
    if "\\" in made:
        raise ValueError(f"a command of this formula has no MathML: {formula}")
    made = made.replace("<mi>&#x02032;</mi>", "<mo>&#x02032;</mo>")  # an operator has its font's size for primes
    return NAME.sub(r'\1<mspace width="0.17em"/>', made)


def inline_math(writer: Any, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    writer.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def math_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    writer.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def without_last_lines(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Leave out the empty line that ends a cell's output: doctest needs it, a reader does not."""
    source[0] = re.sub(r"\n\n```$", "\n```", source[0], flags=re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Write the reference's pages, and let browsers draw the formulas."""
    reference_pages.write(HERE / "reference")
    app.connect("source-read", without_last_lines)
    app.add_html_math_renderer("mathml", (inline_math, None), (math_block, None))
