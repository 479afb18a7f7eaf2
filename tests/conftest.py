"""Settings of every test: examples are the same in every run, and few; ``HYPOTHESIS_PROFILE=thorough`` draws more."""

import os
import pkgutil
from importlib import import_module

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import tinygrad_sp
from tinygrad_sp.testing.subject import theirs

# Some modules are imported only when something of theirs is asked for; the tests walk the ops of all.
# (Those for SciPy, whose arguments are orders and special matrices, are walked by test_scipy.py.)
for _module in pkgutil.walk_packages(tinygrad_sp.__path__, "tinygrad_sp."):
    if not _module.name.startswith(("tinygrad_sp.scipy", "tinygrad_sp.__main__")):
        import_module(_module.name)

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", derandomize=True, max_examples=12, deadline=None, suppress_health_check=_slow)
settings.register_profile("thorough", max_examples=400, deadline=None, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _errors_of_the_checker_are_raised(monkeypatch):
    """An error of the checker's own, of which a report has a note, is an error here."""

    def failed(_report, error):
        if not theirs(error):
            raise error

    monkeypatch.setattr("tinygrad_sp.testing.probe._failed", failed)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
