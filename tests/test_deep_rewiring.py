"""Deep rewiring: signs that hold, deaths at 0, births by chance, and always as many."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from nncomp.data import Split
from nncomp.hooks import DeepR, Hook
from nncomp.learning_rate import Constant
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD
from nncomp.prune import keep_erdos_renyi, random
from nncomp.steps import FineTune, Prune, Regrow
from nncomp.weights import Dense
from tests.strategies.data import small

DATA = small(3)
START = Prune(0.6, scores=random, keep=keep_erdos_renyi)(MLP.init([8, 10, 3]), DATA)


class Watch(Hook):
    """Weights and masks after each update, before the dead are replaced."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[np.ndarray, np.ndarray]]] = []

    def after_update(self, t: int, network: MLP) -> None:
        self.seen.append([(layer.weight.dense(), layer.weight.mask) for layer in network.layers])


@pytest.mark.parametrize("by", [DeepR(1e-2), DeepR(1e-3, noise=1e-2), DeepR(1e-2, interval=3)])
def test_a_weight_never_crosses_0_and_each_layer_keeps_as_many(by: DeepR) -> None:
    watch = Watch()
    Regrow(by, FineTune(epochs=8, batch=20))(START, DATA, [watch])
    counts = [int(layer.weight.mask.sum()) for layer in START.layers]
    born = 0
    for t, (before, after) in enumerate(zip(watch.seen, watch.seen[1:]), 1):
        for (w, mask), (new, moved), n in zip(before, after, counts):
            assert moved.sum() == n and (w * new >= 0).all(), "a sign holds"
            gone = mask & ~moved
            assert not w[gone].any(), "only the dead go"
            if t % by.interval:
                assert (mask == moved).all()
            else:
                born += int((moved & ~mask).sum())
    assert born > 0


def test_theta_by_hand() -> None:
    """One update by SGD on all samples: `theta = |w|`, its gradient `s dE/dw`; below 0 is dormant, and is replaced."""
    watch, shrink, rate = Watch(), 0.02, 0.5
    during = FineTune(epochs=1, batch=60, optimizer=SGD(rate, momentum=0.0), schedule=Constant())
    trained = Regrow(DeepR(shrink), during)(START, DATA, [watch])
    dense = MLP(tuple(type(layer)(Dense(layer.weight.dense()), layer.bias, layer.activation) for layer in START.layers))
    y, tape = forward(dense, DATA.train.x)
    gradients = backward(dense, tape, {1: by_targets(y, DATA.train.y)[1]})
    died = 0
    for layer, (dw, _), old, (seen, _) in zip(trained.layers, gradients, START.layers, watch.seen[0]):
        w, mask = old.weight.dense(), old.weight.mask
        theta = np.maximum(np.abs(w) - rate * np.sign(w) * dw - shrink, 0)
        np.testing.assert_allclose(seen, np.where(mask, np.sign(w) * theta, 0), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(layer.weight.dense(), seen)
        assert layer.weight.mask[seen != 0].all() and layer.weight.mask.sum() == mask.sum()
        died += int((mask & (seen == 0)).sum())
    assert died > 0


def test_noise_has_its_size() -> None:
    """Without gradient and shrinking, one update moves weights by `noise e`: six standard deviations of 40,000 such."""
    network = Prune(0.0)(
        MLP.init([200, 200]), DATA.__class__(*[Split(np.ones((1, 200), np.float32), np.array([0]))] * 2)
    )
    hook = DeepR(shrink=0.0, noise=1e-3).hook()
    hook.before_training(10, network)
    before = network.layers[0].weight.dense()
    trained = network.copied()
    hook.after_update(1, trained)
    moved = (trained.layers[0].weight.dense() - before)[np.abs(before) > 0.01]
    assert abs(moved.std() / 1e-3 - 1) < 6 / np.sqrt(2 * moved.size) and abs(moved.mean()) < 6e-3 / np.sqrt(moved.size)


def test_what_is_kept_of_a_training_is_what_it_goes_on_with() -> None:
    """With the other signs every weight is on the wrong side of 0."""
    hook, network = DeepR().hook(), START.copied()
    hook.before_training(5, network)
    for signs in hook.state().values():
        signs *= -1
    hook.after_update(1, network)
    assert not any(layer.weight.dense().any() for layer in network.layers)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeepR(shrink=-1.0), "shrink and noise are at least 0 and finite, not -1.0 and 0.0"),
        (lambda: DeepR(noise=np.nan), "not 1e-05 and nan"),
        (lambda: DeepR(interval=0), "interval is a whole number of at least 1, not 0"),
        (lambda: Regrow(DeepR(), FineTune(epochs=1))(MLP.init([8, 3]), DATA), "no layer is sparse: prune before"),
    ],
)
def test_bad_arguments(call: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
