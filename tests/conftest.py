"""Settings of every test: examples are the same in every run, and few; ``HYPOTHESIS_PROFILE=thorough`` draws more."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", derandomize=True, max_examples=12, deadline=None, suppress_health_check=_slow)
settings.register_profile("thorough", max_examples=400, deadline=None, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)
