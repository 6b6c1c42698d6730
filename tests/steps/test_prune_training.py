"""Pruning over a training, and weights that come back: by its schedule, in turn, and from the start."""

from functools import partial

import numpy as np
import pytest

from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import alternating, cubic
from nncomp.steps import FineTune, Prune, Rewind
from tests.steps.examples import DATA, kept, total


def test_gradual_pruning_grows_by_its_schedule_and_holds_masked_weights_at_zero(dense: MLP) -> None:
    densities = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            densities.append(sum(int(np.count_nonzero(l.weight.dense())) for l in network.layers))

    during = FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))  # 60 updates
    Prune(0.8, schedule=cubic, ramp=0.5, interval=10, during=during)(dense, DATA, [Watch()])
    n = total(dense)
    for t, density in enumerate(densities, 1):
        at = min(t - t % 10, 30) / 30
        assert density == n - round(cubic(at, 0.8) * n), t


def test_compressed_and_dense_in_turn(dense: MLP) -> None:
    """AC/DC: sparse in every second half, dense in every first, where what was pruned starts again at 0."""
    seen = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            seen.append(np.concatenate([layer.weight.dense().ravel() for layer in network.layers]))

    during = FineTune(epochs=4, batch=30, optimizer=Adam(rate=5e-3))  # 40 updates
    schedule = partial(alternating, periods=2)
    pruned = Prune(0.8, schedule=schedule, ramp=1.0, interval=1, during=during)(dense, DATA, [Watch()])
    n, kept_now = total(dense), [int(np.count_nonzero(w)) for w in seen]
    left = n - round(0.8 * n)
    assert all(k == left for k in kept_now[9:19] + kept_now[29:40]) and all(k > left for k in kept_now[:9])
    back = np.flatnonzero((seen[18] == 0) & (seen[21] != 0))
    assert len(back) and np.abs(seen[20][back]).max() < 0.1, "from 0, not from where they were"
    assert kept(pruned) == left


def test_rewind_takes_the_pattern_of_now_and_the_weights_of_then(dense: MLP) -> None:
    start = MLP.init([12, 16, 8, 4], norm=True)
    pruned = Prune(0.7)(dense, DATA)
    ticket = Rewind(start)(pruned, DATA)
    for now, then, found in zip(pruned.layers, start.layers, ticket.layers):
        np.testing.assert_array_equal(found.weight.dense(), np.where(now.weight.mask, then.weight.dense(), 0))
        assert (
            np.array_equal(found.weight.mask, now.weight.mask) and found.bias is then.bias and found.norm is then.norm
        )
    with pytest.raises(ValueError, match=r"\[12, 16, 8, 4\] cannot be rewound to one of \[12, 4\]"):
        Rewind(MLP.init([12, 4]))(pruned, DATA)
    with pytest.raises(ValueError, match="Dense weights have no pattern to keep: prune before"):
        Rewind(start)(dense, DATA)
