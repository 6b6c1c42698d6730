"""Sensitivity: each layer alone, against pruning it by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.data import Split
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.prune import keep_largest, magnitude, row_l1
from nncomp.sensitivity import layer_sensitivity
from nncomp.weights import Dense


@pytest.mark.parametrize("scores", [magnitude, row_l1])
def test_each_layer_alone(scores) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    network, sparsities = MLP.init([5, 8, 6, 3]), [0.0, 0.4, 0.9, 1.0]
    split = Split(rng.standard_normal((50, 5)).astype(np.float32), rng.integers(0, 3, 50))
    found = layer_sensitivity(network, split, sparsities, scores)
    assert found.shape == (3, 4) and (found[:, 0] == accuracy(network, split)).all()
    for i, layer in enumerate(network.layers):
        for k, sparsity in enumerate(sparsities):
            w = layer.weight.dense()
            by_hand = replace(layer, weight=Dense(w * keep_largest(scores(w), sparsity)))
            layers = [*network.layers]
            layers[i] = by_hand
            assert found[i, k] == accuracy(MLP(tuple(layers)), split)
    with pytest.raises(ValueError, match="between 0 and 1, not 2"):
        layer_sensitivity(network, split, [2])
