"""log(exp(x) + exp(y)): the smooth maximum of two arguments, the shares of which are sigmoids of their distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from .activation import sigmoid
from .declare import elementwise
from .elementwise import LN2

__all__ = ["logaddexp", "logaddexp2"]


def _ahead(x: Any, y: Any) -> Any:
    """X - y, and 0 for two equal infinities."""
    return np.where(np.isinf(x) & (x == y), 0.0, x - y)


logaddexp = elementwise(
    np.logaddexp,
    lambda g, _o, x, y: g * sigmoid(_ahead(x, y)),
    lambda g, _o, x, y: g * sigmoid(_ahead(y, x)),
    note="d/dx = sigmoid(x - y), d/dy = sigmoid(y - x); half each where both are the same infinity.",
)
logaddexp2 = elementwise(
    np.logaddexp2,
    lambda g, _o, x, y: g * sigmoid(_ahead(x, y) * LN2),
    lambda g, _o, x, y: g * sigmoid(_ahead(y, x) * LN2),
    note="log2(2**x + 2**y): d/dx = sigmoid((x - y)*log(2)), d/dy = sigmoid((y - x)*log(2)).",
)
