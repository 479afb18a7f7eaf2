"""Linear algebra on stacks of matrices: NumPy's and the array API standard's names, each with its derivative."""

from .ops.determinants import *  # noqa: F403
from .ops.eigen import *  # noqa: F403
from .ops.factors import *  # noqa: F403
from .ops.linalg import *  # noqa: F403
from .ops.norms import *  # noqa: F403
from .ops.singular import *  # noqa: F403
from .ops.systems import *  # noqa: F403
