"""Every workload, entered into `cases.WORKLOADS` by being imported here; the order is that of the report."""

from . import small  # noqa: I001  (the order of the report)
from . import large, models, second_order, forward, memory

__all__ = ["forward", "large", "memory", "models", "second_order", "small"]
