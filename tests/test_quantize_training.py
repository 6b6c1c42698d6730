"""What trains along with quantized weights, and what becomes of it: norms, and formats of their own for pixels."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.formats import Grid, Uniform, mxfp4
from nncomp.hooks import Hook
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Quantize
from nncomp.transforms import TTQ, BinaryConnect, learned_step, pact
from tests.strategies.data import small

DATA = small(0, 300, 4.0)
SHORT = FineTune(10, optimizer=Adam(0.01))
NETWORK = MLP.init([8, 16, 8, 3], norm=True)


class Kept(Hook):
    """The network after the last epoch."""

    def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
        self.network = network.copied()


def test_norms_train_along_and_end_in_the_scales_of_codes() -> None:
    network, kept = SHORT(NETWORK, DATA), Kept()
    quantized = Quantize(through=BinaryConnect(), inputs=None, during=SHORT)(network, DATA, [kept])
    before, after = network.layers[0].norm, kept.network.layers[0].norm
    assert before is not None and after is not None and (before.gamma != after.gamma).all()
    assert quantized.layers[0].norm is None
    assert quantized.fingerprint() == kept.network.with_layers(lambda layer: layer.stored().folded()).fingerprint()


STAY = [Quantize(through=TTQ(), inputs=None, during=SHORT), Quantize(mxfp4, inputs=None, during=SHORT)]


@pytest.mark.parametrize("step", STAY)
def test_norms_stay_beside_values_that_have_no_scales(step: Quantize) -> None:
    trained = step(SHORT(NETWORK, DATA), DATA)
    assert trained.layers[0].norm is not None and accuracy(trained, DATA.train) > 0.8


def test_inputs_of_the_network_in_another_format() -> None:
    few, whole = Uniform(1, signed=False, symmetric=False), Uniform(signed=False, symmetric=False)
    step = Quantize(through=BinaryConnect(), inputs=few, first_inputs=whole, train_inputs=pact, during=SHORT)
    start = SHORT(NETWORK, DATA)
    quantized, calibrated = step(start, DATA), replace(step, train_inputs=None)(start, DATA)
    grids = [layer.input for layer in quantized.layers]
    trained = replace(step, train_inputs=learned_step)(start, DATA)
    stay = [a.input.scale == b.input.scale for a, b in zip(trained.layers, calibrated.layers)]
    assert stay == [True, False, False], "that of the pixels does not train"
    assert [grid.format for grid in grids if isinstance(grid, Grid)] == [whole, few, few]
    assert all(layer.integer for layer in quantized.layers)
    assert [set(np.unique(grid.encode(np.array([[-1e6, 1e6]])))) for grid in grids[1:]] == [{0, 1}] * 2
    with pytest.raises(ValueError, match="first_inputs are for static grids, not None"):
        Quantize(inputs=None, first_inputs=few)
