"""What pruning promises: exact counts, who competes, and what stays pruned."""

from functools import partial

import numpy as np
import pytest

from nncomp.evidence import Evidence
from nncomp.network import MLP
from nncomp.prune import (
    column_l2,
    constant,
    cubic,
    fisher,
    grasp,
    keep_blocks,
    keep_each_group,
    keep_each_row,
    keep_erdos_renyi,
    keep_globally,
    keep_largest,
    lamp,
    magnitude,
    mean_activation,
    nonzero_activation,
    obd,
    ria,
    row_l1,
    snip,
    synflow,
    synflow_masks,
    taylor,
    wanda,
)  # fmt: skip
from nncomp.scoring import scores_of
from nncomp.steps import FineTune, Prune, Quantize, Shrink
from nncomp.weights import Sparse
from tests.steps.examples import DATA, SHORT, equal, kept, masks_of, total


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("during", [None, SHORT])
def test_prune_keeps_exactly_as_many_as_asked(dense: MLP, sparsity: float, during: FineTune | None) -> None:
    pruned = Prune(sparsity, schedule=cubic if during else constant, interval=3, during=during)(dense, DATA)
    assert kept(pruned) == total(dense) - round(sparsity * total(dense))
    assert all(isinstance(layer.weight, Sparse) for layer in pruned.layers)
    if during is None:
        for a, b in zip(pruned.layers, dense.layers):
            np.testing.assert_array_equal(a.weight.dense()[a.weight.mask], b.weight.dense()[a.weight.mask])


def test_prune_keeps_the_largest_across_layers(dense: MLP) -> None:
    pruned = Prune(0.7)(dense, DATA)
    left = np.concatenate([np.abs(layer.weight.values) for layer in pruned.layers])
    gone = np.concatenate([np.abs(d.weight.dense()[~p.weight.mask]) for d, p in zip(dense.layers, pruned.layers)])
    assert left.min() >= gone.max()


def test_prune_again_counts_what_is_gone_and_never_revives(dense: MLP) -> None:
    once = Prune(0.5)(dense, DATA)
    for during in (None, SHORT):
        twice = Prune(0.8, during=during)(once, DATA)
        assert kept(twice) == total(dense) - round(0.8 * total(dense))
        for a, b in zip(once.layers, twice.layers):
            assert not (b.weight.mask & ~a.weight.mask).any()
    assert kept(Prune(0.2)(once, DATA)) == kept(once), "already sparser than asked"


def test_prune_whole_rows_spares_the_classes(dense: MLP) -> None:
    pruned = Prune(0.5, scores=row_l1, keep=keep_largest)(dense, DATA)
    rows = [layer.weight.mask.all(axis=1) | ~layer.weight.mask.any(axis=1) for layer in pruned.layers]
    assert all(r.all() for r in rows)
    assert [int(layer.weight.mask.any(axis=1).sum()) for layer in pruned.layers] == [8, 4, 4]


def test_scores_of_inputs_are_compared_where_keep_says(dense: MLP) -> None:
    """Wanda by hand: the inputs of each layer of the unpruned network, each row on its own."""
    x, expected = DATA.train.x[:100].astype(np.float64), []
    for layer in dense.layers:
        w = np.abs(layer.weight.dense()) * np.sqrt((x**2).sum(axis=0))
        rank = np.argsort(np.argsort(-w, axis=1, kind="stable"), axis=1)
        expected.append(rank < w.shape[1] - round(0.4 * w.shape[1]))
        x = layer(x.astype(np.float32)).astype(np.float64)
    pruned = Prune(0.4, scores=wanda, keep=keep_each_row, samples=100)(dense, DATA)
    assert equal(masks_of(pruned), expected)


@pytest.mark.parametrize("scores", [magnitude, lamp, ria, snip, taylor, fisher, obd, grasp, synflow])
@pytest.mark.parametrize("during", [None, SHORT])
def test_every_score_prunes_exactly_as_many(dense: MLP, scores, during: FineTune | None) -> None:  # type: ignore[no-untyped-def]
    pruned = Prune(0.7, scores=scores, during=during, interval=4)(dense, DATA)
    assert kept(pruned) == total(dense) - round(0.7 * total(dense))
    if during is None:
        ranked = scores_of(scores, Evidence(dense, DATA.train))
        assert equal(masks_of(pruned), keep_globally(ranked, 0.7))


def test_rounds_score_anew_what_is_left(dense: MLP) -> None:
    weights = [layer.weight.dense() for layer in dense.layers]
    assert equal(masks_of(Prune(0.9, scores=synflow, rounds=20)(dense, DATA)), synflow_masks(weights, 0.9, rounds=20))
    once, twice = (Prune(0.9, scores=snip, rounds=n)(dense, DATA) for n in (1, 2))
    assert kept(once) == kept(twice) and not equal(masks_of(once), masks_of(twice))
    half = Prune(1 - 0.1**0.5, scores=snip)(dense, DATA)
    assert equal(masks_of(Prune(0.9, scores=snip)(half, DATA)), masks_of(twice))


def test_keep_says_who_competes(dense: MLP) -> None:
    for layer in Prune(0.5, keep=keep_each_group)(dense, DATA).layers:
        assert (layer.weight.mask.reshape(-1, 4).sum(axis=1) == 2).all()
    blocks = Prune(0.5, keep=partial(keep_blocks, block=(2, 4)))(dense, DATA).layers[0].weight.mask
    corners = blocks.reshape(8, 2, 3, 4).sum(axis=(1, 3))
    assert set(corners.ravel().tolist()) == {0, 8} and (corners == 8).sum() == 12
    found = [layer.weight.mask.mean() for layer in Prune(0.6, keep=keep_erdos_renyi)(dense, DATA).layers]
    assert found == sorted(found), "the smaller, the denser"


def test_whole_columns_and_neurons_by_activation(dense: MLP) -> None:
    inputs = Prune(0.25, scores=column_l2, keep=keep_largest)(dense, DATA).layers[0].weight.mask
    lengths = np.sqrt((dense.layers[0].weight.dense() ** 2).sum(axis=0))
    assert (inputs.all(axis=0) == (lengths >= np.sort(lengths)[3])).all() and (inputs == inputs[0]).all()
    first = Prune(0.5, scores=mean_activation, keep=keep_largest)(dense, DATA).layers[0].weight.mask
    activity = np.abs(dense.layers[0](DATA.train.x)).mean(axis=0)
    assert (first.any(axis=1) == (activity >= np.sort(activity)[8])).all()
    small = Shrink(0.5, scores=mean_activation)(dense, DATA)
    assert small.sizes == [12, 8, 4, 4]


def test_blocks_go_by_what_is_left_of_them(dense: MLP) -> None:
    """After single weights were pruned: the blocks whose rest is the largest stay, and dead ones go first."""
    half = Prune(0.4)(dense, DATA)
    blocks = Prune(0.5, keep=partial(keep_blocks, block=(2, 4)))(half, DATA)
    left = np.abs(half.layers[0].weight.dense()).reshape(8, 2, 3, 4).sum(axis=(1, 3))
    found = blocks.layers[0].weight.mask.reshape(8, 2, 3, 4).any(axis=(1, 3))
    assert left[found].min() >= left[~found].max() and found.sum() == 12


@pytest.mark.parametrize("scores", [mean_activation, nonzero_activation])
def test_rows_pruned_before_are_counted(dense: MLP, scores) -> None:  # type: ignore[no-untyped-def]
    pruned = Prune(0.5, scores=scores, keep=keep_largest, rounds=4)(dense, DATA)
    assert [int(m.any(axis=1).sum()) for m in masks_of(pruned)] == [8, 4, 4]


def test_pruning_codes_gives_sparse_codes(dense: MLP) -> None:
    network = Prune(0.5)(Quantize()(dense, DATA), DATA)
    assert all(isinstance(layer.weight.codes, Sparse) for layer in network.layers)
    assert kept(network) == total(dense) - round(0.5 * total(dense))
