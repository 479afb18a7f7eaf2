"""`either` is np.where, bit for bit."""

import numpy as np
import pytest

from tinygrad_sp.ops.masks import either

N = 3000
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.0])


def values(seed, dtype):
    with np.errstate(over="ignore", under="ignore"):
        return np.random.default_rng(seed).choice(SPECIAL, N).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex128, np.int64])
@pytest.mark.parametrize(
    "kind", ["arrays", "zero last", "zero first", "minus zero", "number", "rows", "reversed", "few"]
)
def test_as_where(dtype, kind):
    with np.errstate(invalid="ignore"):
        x, y = values(0, dtype), values(1, dtype)
    c = np.random.default_rng(2).random(N) < 0.5
    x, y = {
        "arrays": (x, y),
        "zero last": (x, 0.0),
        "zero first": (0.0, y),
        "minus zero": (x, -0.0),
        "number": (x, 2.5),
        "rows": (x, y.reshape(2, -1)[:1, :1]),
        "reversed": (x[::-1], y),
        "few": (x[:1], y),
    }[kind]
    kept = [np.copy(v) for v in (c, x, y)]
    got, want = either(c, x, y), np.where(c, x, y)
    assert got.dtype == want.dtype and got.tobytes() == want.tobytes()
    assert all(a.tobytes() == np.asarray(b).tobytes() for a, b in zip(kept, (c, x, y), strict=True))


def test_a_condition_that_is_no_array_of_truth_values():
    x = np.ones(N)
    for c in (True, 1.0, np.arange(N) % 3, np.zeros((2, N), bool)):
        np.testing.assert_array_equal(either(c, x, 0.0), np.where(c, x, 0.0))
