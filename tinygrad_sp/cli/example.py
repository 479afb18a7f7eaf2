"""The chapter's example: Softplus, its derivative from ``.backward()``, the sigmoid, and differences, side by side."""

from __future__ import annotations

import numpy as np

import tinygrad_sp as tg

from .study import Study
from .table import table

X = np.array([[-20.0], [0.5], [1.2], [-2.3], [0.0]])

WHY = (
    "The textbook's log(1 + exp(x)) gives {naive:.9g} at -20, the true value is {ours:.9g}: "
    "1 + exp(-20) keeps 7 digits of exp(-20)."
)


def example_text(found: Study) -> str:
    """Write the chapter's table."""
    first = found.first["x"]
    columns = {
        "x": X,
        "softplus(x)": found.value,
        "its derivative": first.analytic,
        "sigmoid(x)": tg.sigmoid(X),
        "from differences": first.differences,
    }
    rows = table([*[(name, column.ravel().tolist()) for name, column in columns.items()],
                  ("agree", first.agree.ravel().tolist())])  # fmt: skip
    why = WHY.format(naive=np.log(1 + np.exp(X[0, 0])), ours=found.value[0, 0])
    return f"{rows}\n\n{why}"
