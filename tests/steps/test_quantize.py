"""What quantization promises: the grid of each row, and a network that stays close."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.formats import PerGroup, PerTensor, Uniform
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.quantize import Dynamic, Percentile
from nncomp.steps import Prune, Quantize
from nncomp.transforms import FakeQuantize
from nncomp.weights import Latent, Quantized, Sparse, Weight
from tests.steps.examples import DATA, SHORT, total
from tests.strategies.weights import plain_codes


def codes_of(weight: Weight) -> np.ndarray:
    assert isinstance(weight, Quantized)
    return plain_codes(weight)


def test_quantize_rounds_each_row_to_its_grid(dense: MLP) -> None:
    network = Quantize(inputs=None)(dense, DATA)
    for a, b in zip(network.layers, dense.layers):
        w = b.weight.dense()
        scale = np.abs(w).max(axis=1, keepdims=True) / np.float32(127)
        np.testing.assert_array_equal(codes_of(a.weight), np.rint(w / scale).astype(np.int8))
        assert not a.integer and a.prepared.nbytes == w.nbytes


@pytest.mark.parametrize(
    "step",
    [
        Quantize(),
        Quantize(inputs=Dynamic(Uniform())),
        Quantize(weights=Uniform(bits=4), per=PerGroup(5), input_ranges=Percentile(99.9)),
        Quantize(weights=Uniform(symmetric=False), per=PerTensor(), inputs=Uniform(bits=16)),
        Quantize(during=SHORT),
        Quantize(weights=Uniform(bits=3), during=SHORT),
    ],
    ids=repr,
)
def test_quantized_networks_stay_close(dense: MLP, step: Quantize) -> None:
    for network in (dense, Prune(0.5)(dense, DATA)):
        quantized = step(network, DATA)
        assert all(layer.integer for layer in quantized.layers)
        assert accuracy(quantized, DATA.validation) > accuracy(network, DATA.validation) - 0.08
        for a, b in zip(network.layers, quantized.layers):
            if isinstance(a.weight, Sparse):
                np.testing.assert_array_equal(a.weight.mask, b.weight.codes.mask)  # type: ignore[union-attr]


def test_training_through_quantization_beats_rounding_at_two_bits(dense: MLP) -> None:
    rounded = Quantize(weights=Uniform(bits=2))(dense, DATA)
    trained = Quantize(weights=Uniform(bits=2), during=replace(SHORT, epochs=15))(dense, DATA)
    assert accuracy(trained, DATA.train) > accuracy(rounded, DATA.train)
    assert all(set(np.unique(codes_of(layer.weight))) <= {-2, -1, 0, 1} for layer in trained.layers)


def test_quantize_folds_batch_norm() -> None:
    network = SHORT(MLP.init([12, 8, 4], norm=True), DATA)
    quantized = Quantize()(network, DATA)
    assert all(layer.norm is None for layer in quantized.layers)
    assert accuracy(quantized, DATA.validation) > accuracy(network, DATA.validation) - 0.05


def test_latent_weights_are_stored_by_quantize_and_masked_by_prune(dense: MLP) -> None:
    latent = dense.with_layers(lambda l: replace(l, weight=Latent.of(FakeQuantize(), l.weight.dense())))
    masked = Prune(0.5)(latent, DATA)
    assert all(isinstance(layer.weight, Latent) for layer in masked.layers)
    stored = Quantize()(masked, DATA)
    assert sum(int(np.count_nonzero(l.weight.dense())) for l in stored.layers) <= total(dense) - round(
        0.5 * total(dense)
    )
