"""Patterns that change while a network trains: values and the optimizer's memory move along, and nothing is lost."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.data import Split
from nncomp.hooks import Hook
from nncomp.losses import by_targets
from nncomp.measure import score
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD, Adam
from nncomp.prune import keep_largest
from nncomp.trainee import Trainee
from nncomp.training import train
from nncomp.weights import Dense, Sparse
from tests.strategies.weights import seeds


def mask(seed: int, shape: tuple[int, int], sparsity: float = 0.5) -> np.ndarray:
    return keep_largest(np.random.default_rng(seed).random(shape), sparsity)


def sparse(seed: int = 0, sizes: tuple[int, ...] = (6, 5, 3)) -> MLP:
    layers = MLP.init(sizes, seed=seed).layers
    return MLP(
        tuple(
            type(l)(l.weight.masked(mask(seed + i, l.weight.shape)), l.bias, l.activation) for i, l in enumerate(layers)
        )
    )


@given(seeds, seeds, st.integers(0, 1))
def test_what_stays_keeps_its_memory(first: int, second: int, i: int) -> None:
    network = sparse(first % 1000)
    trainee, rng = Trainee(network), np.random.default_rng(second)
    slots = [tuple(rng.random(p.shape) for _ in range(2)) for p in trainee.params]
    old = network.layers[i].weight
    assert isinstance(old, Sparse)
    memory = [Sparse(s.copy(), old.columns, old.row_start, old.inputs).dense() for s in slots[2 * i]]
    other = [[s.copy() for s in slot] for k, slot in enumerate(slots) if k != 2 * i]
    new = Sparse.from_dense(rng.standard_normal(old.shape).astype(np.float32), mask(second, old.shape))
    trainee.rewire(i, new, slots)
    found = trainee.network.layers[i].weight
    assert isinstance(found, Sparse)
    np.testing.assert_array_equal(found.dense(), new.dense())
    for slot, dense in zip(slots[2 * i], memory):
        moved = Sparse(slot.copy(), found.columns, found.row_start, found.inputs).dense()
        np.testing.assert_array_equal(moved, np.where(old.mask & new.mask, dense, 0))
    for slot, before in zip((s for k, s in enumerate(slots) if k != 2 * i), other):
        for a, b in zip(slot, before):
            np.testing.assert_array_equal(a, b)
    assert network.layers[i].weight is old and np.array_equal(old.mask, mask(first % 1000 + i, old.shape))


def test_layers_that_cannot_be_rewired() -> None:
    trainee = Trainee(MLP((sparse().layers[0], MLP.init([5, 3]).layers[0])))
    fewer = Sparse.from_dense(np.ones((5, 6), np.float32), mask(0, (5, 6), 0.6))
    for i, weight, told in (
        (0, fewer, "layer 0 keeps 15 of (5, 6): it cannot be rewired to 12 of (5, 6)"),
        (1, fewer, "layer 1 keeps no weights of a pattern"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            trainee.rewire(i, weight, [])


@dataclass(eq=False)
class Wander(Hook):
    """Another random pattern every third update; absent weights come in at what their gradient says."""

    seed: int = 0
    seen: list = field(default_factory=list)

    def rewire(self, t: int, network: MLP, gradients: Callable[[], list[np.ndarray]]) -> Mapping[int, Sparse]:
        if t % 3:
            return {}
        weight, [g, *_] = network.layers[0].weight, gradients()
        self.seen.append((network.copied(), g))
        return {0: Sparse.from_dense(np.where(weight.mask, weight.dense(), -g), mask(self.seed + t, weight.shape))}


RNG = np.random.default_rng(1)
DATA = Split(RNG.standard_normal((20, 6)).astype(np.float32), RNG.integers(0, 3, 20))


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.01)])
def test_a_training_goes_on_with_the_new_pattern(optimizer) -> None:  # type: ignore[no-untyped-def]
    hook, network = Wander(), sparse()
    trained = train(network, DATA, optimizer=optimizer, epochs=3, batch=10, hooks=[hook])  # six updates
    assert np.array_equal(trained.layers[0].weight.mask, mask(6, (5, 6)))
    assert np.array_equal(network.layers[0].weight.mask, mask(0, (5, 6))), "the given network is as it was"
    assert np.array_equal(trained.layers[1].weight.mask, network.layers[1].weight.mask)


def test_the_best_epoch_comes_back_with_its_pattern() -> None:
    after = []

    class Keep(Hook):
        def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
            after.append(network.copied())

    validation = Split(DATA.x[::-1], DATA.y)
    trained = train(
        sparse(), DATA, epochs=9, batch=10, validation=validation, patience=9, hooks=[Wander(seed=5), Keep()]
    )
    best = after[int(np.argmax([score(network, validation) for network in after]))]
    assert trained.fingerprint() == best.fingerprint() != after[-1].fingerprint()


def test_dense_gradients_are_those_of_the_batch() -> None:
    hook = Wander()
    whole = Split(DATA.x, DATA.y)
    train(sparse(), whole, optimizer=SGD(0.1), epochs=3, batch=20, hooks=[hook])
    network, g = hook.seen[0]
    dense = network.with_layers(lambda l: type(l)(Dense(l.weight.dense()), l.bias, l.activation))
    y, tape = forward(dense, DATA.x)
    expected = backward(dense, tape, {1: by_targets(y, DATA.y)[1]})[0][0]
    np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-6)  # summed in another order
