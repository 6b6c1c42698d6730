"""Sizes that fit the mode: with the JIT off, every multiplication is a Python call."""

import numba
import pytest


@pytest.fixture
def large() -> int:
    return 40 if numba.config.DISABLE_JIT else 784
