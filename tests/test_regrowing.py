"""Sparse from start to end: counts that never change, drop and grow against loops, hooks against their definitions."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.hooks import SET, SNFS, Hook, RigL
from nncomp.hooks.regrowing import Regrowing
from nncomp.learning_rate import Constant
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD
from nncomp.prune import keep_erdos_renyi, keep_largest, random, regrow
from nncomp.steps import FineTune, Prune, Regrow
from nncomp.weights import Dense, Sparse
from tests.strategies.data import small
from tests.strategies.weights import seeds

DATA = small(3)
START = Prune(0.6, scores=random, keep=keep_erdos_renyi)(MLP.init([8, 10, 3]), DATA)


def loops(W: np.ndarray, mask: np.ndarray, growth: np.ndarray, fraction: float) -> np.ndarray:
    """One weight at a time: away with the smallest, in with the largest growth."""
    W, mask = W.tolist(), mask.copy()
    places = list(np.ndindex(mask.shape))
    k = round(fraction * int(mask.sum()))
    kept = [at for at in places if mask[at]]
    for at in sorted(kept, key=lambda at: (-abs(W[at[0]][at[1]]), at))[len(kept) - k :]:
        mask[at] = False
    absent = [at for at in places if not mask[at]]
    for at in sorted(absent, key=lambda at: (-growth[at], at))[:k]:
        mask[at] = True
    return mask


@given(seeds, st.integers(1, 5), st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
def test_drop_and_grow_by_loops(seed: int, out: int, inputs: int, sparsity: float, fraction: float) -> None:
    rng = np.random.default_rng(seed)
    W, growth = rng.integers(-3, 4, (out, inputs)).astype(float), rng.integers(0, 4, (out, inputs)).astype(float)
    mask = keep_largest(rng.random((out, inputs)), sparsity)
    new = np.zeros(mask.shape, bool)
    new.flat[regrow(W[mask], np.flatnonzero(mask), growth, fraction)] = True
    assert new.sum() == mask.sum()
    np.testing.assert_array_equal(new, loops(W, mask, growth, fraction))


class Watch(Hook):
    """What the training shows: masks and weights after each update, before and after they move."""

    def __init__(self) -> None:
        self.masks: list[list[np.ndarray]] = []

    def after_update(self, t: int, network: MLP) -> None:
        self.masks.append([layer.weight.mask for layer in network.layers])


@pytest.mark.parametrize("by", [RigL(interval=2), SET(interval=2), RigL(0.9, 1, 1.0), SET(1.0, 3), SNFS(0.5, 2)])
def test_each_layer_keeps_as_many_all_the_time(by: RigL) -> None:
    watch = Watch()
    trained = Regrow(by, FineTune(epochs=4, batch=20))(START, DATA, [watch])
    counts = [int(layer.weight.mask.sum()) for layer in START.layers]
    assert all([int(m.sum()) for m in masks] == counts for masks in watch.masks)
    assert [layer.weight.multiply_adds for layer in trained.layers] == counts
    assert any((m != layer.weight.mask).any() for m, layer in zip(watch.masks[-1], START.layers)), "they moved"
    assert all(isinstance(layer.weight, Sparse) for layer in trained.layers)


@pytest.mark.parametrize("smoothing", [0.0, 0.9])
def test_it_moves_by_the_gradient_of_the_batch_or_its_momentum_as_loops_do(smoothing: float) -> None:
    """Three updates by SGD on all samples, done by hand: dense gradients, masks by loops, zeros for what is new."""
    settings = {"fraction": 0.5, "interval": 1, "until": 1.0}
    trained = Regrow(
        SNFS(smoothing=smoothing, **settings) if smoothing else RigL(**settings),
        FineTune(epochs=3, batch=60, optimizer=SGD(0.2, momentum=0.0), schedule=Constant()),
    )(START, DATA)
    masks = [layer.weight.mask for layer in START.layers]
    params = [(layer.weight.dense().astype(float), layer.bias.astype(float)) for layer in START.layers]
    M = [np.zeros(mask.shape) for mask in masks]
    for t in (1, 2, 3):
        for moving in (False, True):
            layers = (type(l)(Dense(w), b, l.activation) for l, (w, b) in zip(START.layers, params))
            network = MLP(tuple(layers))
            y, tape = forward(network, DATA.train.x)
            gradients = backward(network, tape, {1: by_targets(y, DATA.train.y)[1]})
            if not moving:
                params = [((w - 0.2 * dw) * m, b - 0.2 * db) for (w, b), (dw, db), m in zip(params, gradients, masks)]
            elif t < 3:  # T_end = 3
                fraction = 0.25 * (1 + np.cos(np.pi * t / 3))
                M = [smoothing * old + (1 - smoothing) * g for old, (g, _) in zip(M, gradients)]
                new = [loops(w, m, np.abs(old), fraction) for (w, _), m, old in zip(params, masks, M)]
                params = [(np.where(old & m, w, 0), b) for (w, b), old, m in zip(params, masks, new)]
                masks = new
    for layer, (w, b), m in zip(trained.layers, params, masks):
        np.testing.assert_array_equal(layer.weight.mask, m)
        np.testing.assert_allclose(layer.weight.dense(), w, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(layer.bias, b, rtol=1e-4, atol=1e-6)


def test_momentum_keeps_its_sign() -> None:
    hook = SNFS(interval=1, smoothing=0.5).hook()
    hook.before_training(10, START)
    falling = [np.full(layer.weight.shape, -1.0, np.float32) for layer in START.layers]
    for t, expected in ((1, -0.5), (2, -0.75)):
        hook.rewire(t, START, lambda: [g.copy() for g in falling])
        assert all(set(np.unique(M)) == {np.float32(expected)} for M in hook.state().values())


def test_when_they_move() -> None:
    watch = Watch()
    Regrow(RigL(interval=4, until=0.4), FineTune(epochs=5, batch=20))(START, DATA, [watch])  # 15 updates
    moved = [
        t
        for t, (before, after) in enumerate(zip(watch.masks, watch.masks[1:]), 1)
        if any((a != b).any() for a, b in zip(before, after))
    ]
    assert moved == [4], "seen after the next update; 8 and 12 are past 0.4 of 15"


def test_chance_is_the_seed_and_needs_no_gradient() -> None:
    def none() -> list[np.ndarray]:
        raise AssertionError("no dense gradient")

    a, b, c = (Regrowing(SET(interval=1, seed=s)) for s in (1, 1, 2))
    for hook in (a, b, c):
        hook.before_training(10, START)
    masks = [[w.mask for w in hook.rewire(1, START, none).values()] for hook in (a, b, c)]
    assert all(np.array_equal(x, y) for x, y in zip(masks[0], masks[1]))
    assert not all(np.array_equal(x, y) for x, y in zip(masks[0], masks[2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RigL(fraction=1.5), "between 0 and 1, not 1.5"),
        (lambda: RigL(interval=0), "interval is a whole number of at least 1, not 0"),
        (lambda: SET(until=-1), "between 0 and 1, not -1"),
        (lambda: Regrow("RigL"), "weights move by RigL, SET, SNFS or DeepR, not 'RigL'"),
        (lambda: Regrow(during=FineTune(epochs=1))(MLP.init([8, 3]), DATA), "no layer is sparse: prune before"),
        (lambda: regrow(np.ones(1), np.arange(1), np.ones((2, 2), int), 0.5), "growth is floats without NaN"),
        (lambda: regrow(np.ones(1), np.arange(1), np.full((2, 2), np.nan), 0.5), "growth is floats without NaN"),
        (lambda: regrow(np.ones(1), np.arange(2), np.ones((2, 2)), 0.5), "each has a place, not float64 (1,) at int64"),
        (lambda: regrow(np.full(1, np.inf), np.arange(1), np.ones((2, 2)), 0.5), "kept weights are finite"),
        (lambda: regrow(np.ones(2), np.array([1, 1]), np.ones((2, 2)), 0.5), "places rise within the 4 of (2, 2)"),
        (lambda: regrow(np.ones(2), np.array([1, 4]), np.ones((2, 2)), 0.5), "places rise within the 4 of (2, 2)"),
    ],
)  # fmt: skip
def test_bad_arguments(call: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
