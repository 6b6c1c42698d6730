"""Hypothesis without deadlines, since the first call of a kernel compiles it; the same examples every time in CI."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "nncomp",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("nncomp")
