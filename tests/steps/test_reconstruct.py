"""Layers pruned and refitted to what they gave before, and neurons cut out."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.data import Split
from nncomp.network import MLP
from nncomp.prune import alps, keep_each_group, keep_largest, obc, row_l1, sparsegpt, woodfisher
from nncomp.steps import Prune, Reconstruct, Shrink
from nncomp.weights import Sparse
from tests.steps.examples import DATA, kept, masks_of


@pytest.mark.parametrize("method", [alps, obc, sparsegpt, woodfisher])
def test_reconstruct_keeps_each_layers_share_and_loses_less_than_magnitude(dense: MLP, method) -> None:  # type: ignore[no-untyped-def]
    network, plain = Reconstruct(0.6, method)(dense, DATA), Prune(0.6, keep=keep_largest)(dense, DATA)
    for layer in network.layers:
        assert isinstance(layer.weight, Sparse)
        assert layer.weight.multiply_adds == layer.weight.mask.size - round(0.6 * layer.weight.mask.size)
    x = DATA.train.x
    lost, more = (((other(x) - dense(x)) ** 2).sum() for other in (network, plain))
    assert lost < more
    few = Reconstruct(0.6, method, samples=20)
    assert (
        few(dense, DATA).fingerprint()
        == few(dense, replace(DATA, train=Split(x[:20], DATA.train.y[:20]))).fingerprint()
    )


@pytest.mark.parametrize("method", [alps, obc, sparsegpt, woodfisher])
def test_reconstruct_revives_nothing(dense: MLP, method) -> None:  # type: ignore[no-untyped-def]
    half = Prune(0.5, keep=keep_each_group)(dense, DATA)
    assert kept(Reconstruct(0.6, lambda W, sparsity: W + 1)(half, DATA)) == kept(half)
    again = Reconstruct(0.6, method)(half, DATA)
    assert not any((new & ~old).any() for new, old in zip(masks_of(again), masks_of(half)))


def test_shrink_takes_the_fraction_of_each_hidden_layer(dense: MLP) -> None:
    assert Shrink(0.5)(dense, DATA).sizes == [12, 8, 4, 4]
    assert Shrink(1.0)(dense, DATA).sizes == [12, 1, 1, 4], "one neuron stays"
    x = DATA.train.x
    refitted, cut = (((Shrink(0.3, refit=refit)(dense, DATA)(x) - dense(x)) ** 2).sum() for refit in (True, False))
    assert refitted < cut
    pruned = Prune(0.5, scores=row_l1, keep=keep_largest)(dense, DATA)
    small = Shrink()(pruned, DATA)
    assert small.sizes == [12, 8, 4, 4]
    np.testing.assert_allclose(small(x), pruned(x), rtol=1e-4, atol=1e-4)
