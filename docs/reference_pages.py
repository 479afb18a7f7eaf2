"""Write the pages of the reference: every public name under the module that lists it, for Sphinx to fill in.

python docs/reference_pages.py    # writes docs/reference/, which Sphinx does by itself
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

import tinygrad_sp as tg

PUBLIC = {
    "tinygrad_sp.linalg": "Linear algebra",
    "tinygrad_sp.fft": "Fourier transforms",
    "tinygrad_sp.random": "Random numbers",
    "tinygrad_sp.optim": "Training",
    "tinygrad_sp.testing": "Checking derivatives",
    "tinygrad_sp.testing.strategies": "Strategies for hypothesis",
    "tinygrad_sp.scipy.special": "scipy.special",
    "tinygrad_sp.scipy.linalg": "scipy.linalg",
    "tinygrad_sp.scipy.signal": "scipy.signal",
}
"""The modules with names of their own, besides ``tinygrad_sp`` itself."""

FIRST = ["tensor", "graph", "modes", "transforms", "creation"]
"""The groups of ``tinygrad_sp`` that come first; the others follow by their names."""

TITLES = {"graph": "Op", "modes": "Recording or not", "namespace": "Dtypes and questions", "storage": "Save and load"}
TITLES |= {
    "blocks": "Threads",
    "erf": "Error functions",
    "constant": "Without derivatives",
    "activation": "Activations",
}
"""Where the name of a group says little to who doesn't know the code."""

OUR = "tinygrad_sp."


def public_names(module: ModuleType) -> list[str]:
    """List what a module offers: of its ``__all__``, else of all its names, those that are ours."""
    names = getattr(module, "__all__", None) or dir(module)
    return sorted(name for name in names if not name.startswith("_") and _is_ours(getattr(module, name)))


def _is_ours(value: object) -> bool:
    if isinstance(value, (ModuleType, bool)):  # TYPE_CHECKING is a name of every typed module
        return False
    return (getattr(value, "__module__", None) or "numpy").startswith((OUR, "numpy"))


def groups() -> dict[str, list[str]]:
    """The names of ``tinygrad_sp``, grouped by the module of the package that lists them."""
    homes: dict[str, str] = {}
    for found in pkgutil.walk_packages(tg.__path__, OUR):
        if found.name.startswith((f"{OUR}ops.", f"{OUR}creation", f"{OUR}namespace")):
            homes |= {name: found.name for name in getattr(import_module(found.name), "__all__", ())}
    grouped: dict[str, list[str]] = {}
    for name in public_names(tg):
        home = homes.get(name) or getattr(tg, name).__module__
        parts = home.removeprefix(OUR).split(".")
        grouped.setdefault(parts[1] if parts[0] == "ops" else parts[0], []).append(name)
    rest = sorted(grouped, key=lambda group: (FIRST.index(group) if group in FIRST else len(FIRST), group))
    return {group: grouped[group] for group in rest}


def _directive(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    if inspect.isclass(value):
        # A Tensor's methods come from several classes, all ours; those of other classes may be Python's own.
        return f".. autoclass:: {name}\n   :members:\n" + "   :inherited-members:\n" * (value is tg.Tensor)
    if callable(value):
        return f".. autofunction:: {name}\n"
    return f".. autodata:: {name}\n   :no-value:\n"


def page(title: str, module: ModuleType, names: list[str], about: str) -> str:
    """Return a page: what the module is, a table of its names, and each of them."""
    numpys = [name for name in names if str(getattr(getattr(module, name), "__module__", "numpy")).startswith("numpy")]
    ours = [name for name in names if name not in numpys]
    lines = [f"{title}\n{'=' * len(title)}\n", f"{about}\n", f".. currentmodule:: {module.__name__}\n"]
    if numpys:
        lines.append("NumPy's own: " + ", ".join(f"``{name}``" for name in numpys) + ".\n")
    lines += [".. autosummary::\n", *(f"   {name}" for name in ours), ""]
    lines += [_directive(module, name) for name in ours]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    made = {}
    for group, names in groups().items():
        folder = "ops." if (Path(tg.__file__).parent / "ops" / f"{group}.py").exists() else ""
        about = (import_module(f"{OUR}{folder}{group}").__doc__ or "").split("\n\n")[0]
        made[group] = page(TITLES.get(group, group.replace("_", " ").capitalize()), tg, names, about)
    for name, title in PUBLIC.items():
        module = import_module(name)
        about = (module.__doc__ or "").split("\n\n")[0]
        made[name.removeprefix(OUR)] = page(title, module, public_names(module), about)
    title = "Reference"
    toctree = "\n".join(f"   {name}" for name in made)
    head = "Every public name, from its docstring. ``tg`` is ``tinygrad_sp``; ``np.exp(t)`` and ``tg.exp(t)`` are one."
    made["index"] = f"{title}\n{'=' * len(title)}\n\n{head}\n\n.. toctree::\n   :maxdepth: 1\n\n{toctree}\n"
    return made


def write(folder: Path) -> None:
    """Write the pages that are not there as they should be, and remove others."""
    folder.mkdir(exist_ok=True)
    wanted = pages()
    for old in folder.glob("*.rst"):
        if old.stem not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent / "reference")
