"""Write the code of the README and of docs/ as modules, for a type checker to read: ``python pages.py FOLDER``.

A type checker takes the first parameter of a function in a class for an object of that class.  Typed code says
``@staticmethod`` above an op's functions; the pages leave it out, and here it is put in.
"""

import doctest
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELLS = "# pyright: reportUnusedExpression=false, reportPossiblyUnboundVariable=false\n"
"""A cell shows a value by naming it, and uses what a loop above it has left."""
STEPS = {"how-it-works.md"}
"""Pages that build something in steps: each defines the same names again, which no type checker takes."""


def module_of(page: Path) -> str:
    """Return a page's cells one after another, but for those that show an error."""
    examples = doctest.DocTestParser().get_examples(page.read_text())
    source = "".join(example.source for example in examples if example.exc_msg is None)
    return CELLS + re.sub(
        r"^( +)(def (?:forward|backward|tangent|batch)\()", r"\1@staticmethod\n\1\2", source, flags=re.MULTILINE
    )


def write_modules(folder: Path) -> list[Path]:
    """Write a module for each page that has cells."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if page.name not in STEPS and ">>>" in page.read_text():
            written.append(folder / f"{page.stem.replace('-', '_')}.py")
            written[-1].write_text(module_of(page))
    return written


if __name__ == "__main__":
    write_modules(Path(sys.argv[1]))
