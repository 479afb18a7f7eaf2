"""SciPy's minimizers with exact derivatives, and what is optional when it is missing."""

import sys

import numpy as np
import pytest

import tinygrad_sp as tg


def rosenbrock(p):
    x = p["x"]
    return (100 * (x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum() + (p["rest"][0] - 2.0) ** 2


# Not trust-krylov: SciPy 1.17 itself warns of invalid values in it, with its own rosen_der and rosen_hess_prod too.
METHODS = ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-ncg", "trust-exact", "dogleg", "Nelder-Mead"]


@pytest.mark.parametrize("method", METHODS)
def test_rosenbrock(method):
    x0 = {"x": np.array([1.2, 0.8, 1.1]), "rest": [tg.Tensor(0.5)]}
    if method == "dogleg":
        x0["x"] = np.array([1.05, 1.1, 1.2])
    found = tg.optim.minimize(rosenbrock, x0, method=method, tol=1e-9)
    np.testing.assert_allclose(found.x["x"].numpy(), np.ones(3), atol=1e-4)
    assert abs(float(found.x["rest"][0]) - 2.0) < 1e-4 and found.x["x"].shape == (3,)
    if method in ("Newton-CG", "trust-ncg"):
        assert found.nhev > 0


def test_shapes_and_dtypes_are_kept():
    x0 = (np.ones((2, 2), np.float32), np.float64(3.0))
    found = tg.optim.minimize(lambda p: (p[0] ** 2).sum() + p[1] ** 2, x0)
    assert type(found.x) is tuple and found.x[0].dtype == "float32" and found.x[0].shape == (2, 2)


def test_integers_are_refused():
    with pytest.raises(TypeError, match=r"x0\['a'\] has dtype int64"):
        tg.optim.minimize(lambda p: p["a"], {"a": 1})


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"^optim.minimize needs SciPy: pip install 'tinygrad_sp\[scipy\]'$"):
        tg.optim.minimize(lambda x: x**2, 1.0)


def test_progress_without_tqdm(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(tg.optim.progress(3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_progress_with_tqdm(capsys):
    assert list(tg.optim.progress("ab", desc="training")) == ["a", "b"]
    assert "training" in capsys.readouterr().err


def test_a_gradient_of_ones_own_is_refused():
    with pytest.raises(TypeError, match="minimize: leave out jac"):
        tg.optim.minimize(lambda x: x**2, 1.0, jac=lambda x: 2 * x)
