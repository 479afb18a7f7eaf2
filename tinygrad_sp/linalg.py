"""Linear algebra on stacks of matrices: NumPy's and the array API standard's names, each with its derivative."""

from .ops.decompositions import *  # noqa: F403
from .ops.linalg import *  # noqa: F403
from .ops.norms import *  # noqa: F403
