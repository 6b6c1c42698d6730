"""Hypothesis without deadlines: the first call of a kernel compiles it."""

from hypothesis import HealthCheck, settings

settings.register_profile("nncomp", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("nncomp")
