"""Check derivatives: against differences that know their own error, on any function, from anywhere.

`gradcheck` looks and reports, `assert_gradients` raises with the report.  `check_op` turns an op into a whole
test, and `strategies` draws arrays, Tensors and expressions for hypothesis (which is imported only there).
"""

from .check import assert_gradients, gradcheck
from .ops import check_op, verify_op
from .report import Report

__all__ = ["Report", "assert_gradients", "check_op", "gradcheck", "verify_op"]
