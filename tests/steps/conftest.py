"""The network that tests of steps begin with."""

from dataclasses import replace

import pytest

from nncomp.network import MLP
from tests.steps.examples import DATA, SHORT


@pytest.fixture(scope="module")
def dense() -> MLP:
    return replace(SHORT, epochs=10)(MLP.init([12, 16, 8, 4]), DATA)
