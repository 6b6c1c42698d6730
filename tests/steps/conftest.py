"""The network that tests of steps begin with."""

import pytest

from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune
from tests.steps.examples import DATA


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 16, 8, 4]), DATA)
