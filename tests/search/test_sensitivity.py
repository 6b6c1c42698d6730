"""Sensitivity: each layer alone, by pruning, bits and rank, against compressing it by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nncomp.data import Data
from nncomp.formats import Uniform
from nncomp.measure import accuracy, layer_cost, score
from nncomp.network import MLP
from nncomp.prune import keep_largest, magnitude, row_l1
from nncomp.search import layer_sensitivity
from nncomp.steps import Factor, FineTune, Prune, Quantize, Shrink
from nncomp.weights import Dense
from tests.strategies.data import small

DATA = small(3, samples=200, apart=1.0)
NETWORK = FineTune(5, batch=20)(MLP.init([8, 12, 6, 3], seed=1), DATA)


@pytest.mark.parametrize("scores", [magnitude, row_l1])
def test_pruned_by_hand(scores) -> None:  # type: ignore[no-untyped-def]
    sparsities = [0.0, 0.4, 0.9, 1.0]
    found = layer_sensitivity(NETWORK, DATA, [Prune(s, scores, keep_largest) for s in sparsities])
    assert found.score.shape == (3, 4) and (found.score[:, 0] == accuracy(NETWORK, DATA.validation)).all()
    layers = enumerate(NETWORK.layers if scores is magnitude else NETWORK.layers[:-1])  # classes are never pruned
    for i, layer in layers:
        for k, sparsity in enumerate(sparsities):
            w = layer.weight.dense()
            kept = np.broadcast_to(keep_largest(scores(w), sparsity), w.shape)
            by_hand = NETWORK.with_layer(i, replace(layer, weight=Dense(w * kept)))
            assert found.score[i, k] == accuracy(by_hand, DATA.validation)
            assert found.multiply_adds[i, k] == kept.sum()


def test_every_kind_of_step_and_steps_in_turn() -> None:
    choices = [(), Quantize(Uniform(3), inputs=None), Factor(rank=2), (Prune(0.5), Quantize(inputs=None))]
    found = layer_sensitivity(NETWORK, DATA, choices, samples=50)
    split = DATA.train.first(50)
    for k, choice in enumerate([[], choices[1:2], choices[2:3], choices[3]]):
        compressed = NETWORK
        for step in choice:  # type: ignore[attr-defined]
            compressed = step(compressed, DATA)
        for i, layer in enumerate(compressed.layers):
            network = NETWORK.with_layer(i, layer)
            logits = network(split.x).astype(np.float64)
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            assert found.loss[i, k] == pytest.approx(-np.log(p[range(50), split.y]).mean(), rel=1e-12)
            assert found.score[i, k] == score(network, split)
            assert (found.bytes[i, k], found.multiply_adds[i, k]) == (
                layer_cost(layer).stored,
                layer.weight.multiply_adds,
            )
    assert (found.rise[:, 0] == 0).all() and found.before == (found.loss[0, 0], found.score[0, 0])
    mixed = found.taken([1, 0, 3])
    assert mixed.layers[1].weight is found.networks[0].layers[1].weight
    assert "layer 2, 3 x 6" in str(found) and "as it is" in str(found)
    assert json.loads(found.to_json())["bytes"] == found.bytes.tolist()


def test_values_are_scored_by_their_squared_error() -> None:
    values = replace(DATA.validation, y=np.random.default_rng(0).random((9, 3), np.float32))
    data = Data(replace(DATA.train, y=np.zeros((200, 3), np.float32)), values)
    found = layer_sensitivity(NETWORK, data, [Prune(0.5)])
    by_hand = NETWORK.with_layer(1, Prune(0.5)(NETWORK, data).layers[1])
    assert found.score[1, 0] == -found.loss[1, 0] == pytest.approx(-np.mean((by_hand(values.x) - values.y) ** 2))


@pytest.mark.parametrize(
    ("choices", "options", "message"),
    [
        ([], {}, "at least one choice"),
        ([Prune(0.5)], {"samples": 0}, "at least one sample"),
        ([Shrink(0.5)], {}, r"Shrink\(.*\) makes \[8, 6, 3, 3\] of \[8, 12, 6, 3\]: its layers fit no other network"),
    ],
)
def test_what_cannot_be_measured_is_refused(choices, options, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        layer_sensitivity(NETWORK, DATA, choices, **options)
    with pytest.raises(ValueError, match="takes 9 features"):
        layer_sensitivity(MLP.init([9, 3]), DATA, [()])
