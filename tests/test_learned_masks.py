"""Masks learned by chance, by movement and at a price: penalties against numerical integrals, draws against loops."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad

from nncomp.hooks import Hook, Penalized, Timed
from nncomp.learning_rate import Constant
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD, Adam
from nncomp.prune import cubic, keep_largest
from nncomp.steps import FineTune, Prune, Sparsify
from nncomp.training import train
from nncomp.transforms import HardConcrete, Movement, SoftMovement, Variational
from nncomp.weights import Dense, Latent, Sparse
from tests.gradients import assert_gradient
from tests.strategies.data import small
from tests.strategies.weights import hard_concrete, seeds, soft_movement, variational

DATA = small(5, samples=200, apart=2.0)
NETWORK = MLP.init([8, 12, 3])
SHORT = FineTune(epochs=6, batch=20, optimizer=Adam(5e-3))
LEARNED = [Variational(warm=0.0), HardConcrete(), HardConcrete(by_input=True), Movement(0.6), SoftMovement(5.0)]


@given(variational(np.float64) | hard_concrete(np.float64), seeds)
def test_the_gradient_of_a_draw(weight: Latent, seed: int) -> None:
    """Central differences of the loss, every number drawn the same again."""
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((4, weight.shape[1])), rng.standard_normal((4, weight.shape[0]))
    if isinstance(weight.transform, HardConcrete):  # the draw is at least 1e-3 from where a gate shuts
        u = np.random.default_rng(seed).random(weight.p[0].shape)
        wide = 1.2 / (1 + np.exp(-(np.log(u / (1 - u)) + weight.p[0]) * 1.5)) - 0.1
        assume(np.minimum(np.abs(wide), np.abs(wide - 1)).min() > 1e-3)

    def loss(x: np.ndarray, *params: np.ndarray) -> float:
        return float((dy * weight.with_params(params).sample(x, np.random.default_rng(seed))[0]).sum())

    saved = weight.sample(x, np.random.default_rng(seed))[1]
    dx, gradients = weight.vjp(saved, dy)
    assert dx is not None
    assert_gradient(loss, [x, *weight.params], [dx, *gradients], seed)
    skipped, same = weight.vjp(saved, dy, need_dx=False)
    assert skipped is None and all(np.array_equal(a, b) for a, b in zip(same, gradients))


@given(variational(np.float64) | hard_concrete(np.float64) | soft_movement(np.float64), seeds)
def test_the_gradient_of_a_penalty(weight: Latent, seed: int) -> None:
    assume(weight.w.all())  # the variational one bends within 1e-4 of 0

    def penalty(*params: np.ndarray) -> float:  # sigmoids are right to a unit in the last place of 1, hence the 1s
        return weight.w.size + weight.transform.penalty(params[:-1], params[-1])[0]  # type: ignore[attr-defined]

    _, slopes = weight.transform.penalty(weight.p, weight.w)  # type: ignore[attr-defined]
    assert_gradient(penalty, list(weight.params), list(slopes), seed)


class Ones:
    """A generator whose every draw is one."""

    def standard_normal(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return np.ones(shape, dtype)


@given(variational(np.float64), seeds)
def test_outputs_have_the_spread_of_products_with_drawn_weights(weight: Latent, seed: int) -> None:
    """`Var sum_j x_j w_ij = sum_j x_j^2 sigma_ij^2`, summed in loops; the 1e-8 under the root is the authors'."""
    x = np.random.default_rng(seed).standard_normal((3, weight.shape[1]))
    y = weight.sample(x, Ones())[0]  # type: ignore[arg-type]
    mask = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)  # type: ignore[attr-defined]
    for b, i in np.ndindex(y.shape):
        terms = [(x[b, j] * weight.w[i, j], x[b, j] ** 2 * np.exp(weight.p[0][i, j])) for j in np.flatnonzero(mask[i])]
        mean, variance = (sum(part) for part in zip(*terms)) if terms else (0.0, 0.0)
        size = sum(abs(m) for m, _ in terms) + np.sqrt(variance + 1e-8)
        assert abs(y[b, i] - mean - np.sqrt(variance + 1e-8)) <= 40 * np.finfo(float).eps * size


@pytest.mark.parametrize("log_alpha", np.arange(-8.0, 9.0))
def test_the_divergence_is_that_of_the_log_uniform_prior(log_alpha: float) -> None:
    """`KL = E log|e| - log(alpha) / 2 + c`, e ~ N(1, alpha), integrated numerically; c such that it ends at 0.

    Equation 14 is a fit: the authors show it, on a picture, to lie on the integral. 0.01 is what it is off by at most.
    """
    sigma = np.exp(log_alpha / 2)

    def term(z: float) -> float:
        return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.log(abs(1 + sigma * z) or 1e-300)

    at = -1 / sigma  # where e is 0
    pieces = [-12.0, *sorted({min(max(at + d, -12.0), 12.0) for d in (-1e-3, 0.0, 1e-3)}), 0.0, 12.0]
    integral = sum(quad(term, a, b, limit=500)[0] for a, b in zip(sorted(pieces), sorted(pieces)[1:]) if b > a)
    end = 0.5 * (np.euler_gamma + np.log(2))  # -E log|z| of a standard normal z: the limit of large alpha
    exact = integral - log_alpha / 2 + end
    w = np.ones((1, 1))
    found = Variational().penalty((np.full((1, 1), log_alpha) + np.log1p(1e-8),), w)[0]
    assert abs(found - exact) < 0.01


@given(st.floats(-6, 6), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_the_expected_number_of_weights(a: float, out: int, inputs: int, by_input: bool) -> None:
    """The measure of the u that open the gate, on a grid of u; every weight of an opened column counts."""
    transform, w = HardConcrete(by_input=by_input), np.ones((out, inputs))
    p = (np.full_like(transform.init(w)[0], a),)
    u = (np.arange(200_000) + 0.5) / 200_000
    s = 1 / (1 + np.exp(-(np.log(u) - np.log(1 - u) + a) / transform.beta))
    opened = (s * (transform.zeta - transform.gamma) + transform.gamma > 0).mean()
    assert abs(transform.penalty(p, w)[0] - out * inputs * opened) <= out * inputs / 200_000


def test_gates_are_open_as_often_as_they_say() -> None:
    """Of 40,000 draws, within six standard deviations."""
    transform, w = HardConcrete(), np.ones((1, 40_000))
    p = (np.full(w.shape, -1.0),)
    y, _ = transform.sample(p, w, np.eye(1, 40_000), np.random.default_rng(0))
    effective = transform.sample(p, w, np.zeros((1, 40_000)), np.random.default_rng(0))[1][1]
    q = transform.penalty(p, w)[0] / w.size
    assert abs((effective != 0).mean() - q) < 6 * np.sqrt(q * (1 - q) / w.size)
    assert y[0, 0] == effective[0, 0]


@pytest.mark.parametrize("by", LEARNED)
def test_what_was_pruned_stays_so_and_what_ships_is_sparse(by) -> None:  # type: ignore[no-untyped-def]
    half = Prune(0.5)(NETWORK, DATA)
    trained = Sparsify(by, SHORT)(half, DATA)
    for new, old in zip(trained.layers, half.layers):
        assert isinstance(new.weight, Sparse) and not (new.weight.mask & ~old.weight.mask).any()
    if isinstance(by, HardConcrete) and by.by_input:
        mask = (
            Sparsify(replace(by, strength=10.0), replace(SHORT, epochs=10, optimizer=Adam(0.1)))(NETWORK, DATA)
            .layers[0]
            .weight.mask
        )
        assert (mask.all(axis=0) | ~mask.any(axis=0)).all() and not mask.all(), "whole columns go"


@pytest.mark.parametrize("kind", [Variational, HardConcrete, SoftMovement])
def test_the_higher_the_price_the_fewer_are_left(kind) -> None:  # type: ignore[no-untyped-def]
    longer = replace(SHORT, epochs=20, optimizer=Adam(0.05))
    left = []
    for strength in (0.0, 10.0, 300.0):
        network = Sparsify(kind(strength=strength, warm=0.0), longer)(NETWORK, DATA)
        left.append(sum(layer.weight.multiply_adds for layer in network.layers))
    assert left[0] > left[1] > left[2]


@pytest.mark.parametrize("by", [Variational(), HardConcrete()])
def test_chance_is_the_seed_and_only_in_training(by) -> None:  # type: ignore[no-untyped-def]
    a, b, c = (Sparsify(by, replace(SHORT, seed=seed))(NETWORK, DATA).fingerprint() for seed in (1, 1, 2))
    assert a == b != c
    latent = NETWORK.with_layers(lambda layer: replace(layer, weight=Latent.of(by, layer.weight.dense())))
    y, _ = forward(latent, DATA.train.x)
    np.testing.assert_array_equal(y, forward(latent, DATA.train.x)[0])
    np.testing.assert_array_equal(latent(DATA.train.x), y)
    drawn = [forward(latent, DATA.train.x, (), np.random.default_rng(seed))[0] for seed in (0, 1)]
    assert (drawn[0] != drawn[1]).any() and (drawn[0] != y).any()


def test_the_price_enters_the_gradient_in_proportion_to_the_warm_up() -> None:
    by = HardConcrete(strength=3.0, warm=0.5)
    latent = NETWORK.with_layers(lambda layer: replace(layer, weight=Latent.of(by, layer.weight.dense())))
    hook = Penalized(samples=50)
    hook.before_training(100, latent)
    for t, grown in ((1, 0.02), (25, 0.5), (50, 1.0), (90, 1.0)):
        gradients = [tuple(np.ones_like(p) for p in layer.params) for layer in latent.layers]
        hook.after_backward(t, latent, gradients)
        for (da, dw, *_), layer in zip(gradients, latent.layers):
            weight = layer.weight
            assert isinstance(weight, Latent)
            slope = by.penalty(weight.p, weight.w)[1][0]
            np.testing.assert_allclose(da, 1 + 3.0 / 50 * grown * slope, rtol=1e-6)
            assert (dw == 1).all()


def test_movement_by_hand() -> None:
    """Scores and weights by plain formulas: three updates by SGD on all samples, masks by the cube of the progress."""
    by = Movement(0.7, ramp=1.0)
    during = FineTune(epochs=3, batch=200, optimizer=SGD(0.5, momentum=0.0), schedule=Constant())
    trained = Sparsify(by, during)(NETWORK, DATA)
    W, b = [layer.weight.dense().astype(float) for layer in NETWORK.layers], [np.zeros(12), np.zeros(3)]
    S, masks = [np.zeros_like(w) for w in W], [np.ones(w.shape, bool) for w in W]
    for t in (1, 2, 3):
        parts = zip(NETWORK.layers, W, masks, b)
        network = MLP(tuple(type(layer)(Dense(w * m), b, layer.activation) for layer, w, m, b in parts))
        y, tape = forward(network, DATA.train.x)
        gradients = backward(network, tape, {1: by_targets(y, DATA.train.y)[1]})
        S = [s - 0.5 * g * w for s, w, (g, _) in zip(S, W, gradients)]
        W = [w - 0.5 * g * m for w, m, (g, _) in zip(W, masks, gradients)]
        b = [old - 0.5 * db for old, (_, db) in zip(b, gradients)]
        masks = [keep_largest(s, 0.7 * (1 - (1 - t / 3) ** 3)) for s in S]
    for layer, w, m in zip(trained.layers, W, masks):
        np.testing.assert_array_equal(layer.weight.mask, m)
        np.testing.assert_allclose(layer.weight.dense(), w * m, rtol=1e-4, atol=1e-6)


def test_movement_follows_its_schedule_and_ends_exactly() -> None:
    counts = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            counts.append(int((network.layers[0].weight.dense() == 0).sum()))

    latent = NETWORK.with_layers(
        lambda layer: replace(layer, weight=Latent.of(Movement(0.75, ramp=0.5), layer.weight.dense()))
    )
    decayed = SGD(0.1, weight_decay=0.1)  # which would pull at the clock as well
    train(latent, DATA.train, optimizer=decayed, epochs=2, batch=20, hooks=[Timed(), Watch()])  # 20 updates
    assert counts == [round(96 * cubic(t / 10, 0.75)) for t in range(1, 21)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Variational(strength=-1.0), "a strength of at least 0 and warm from 0 to below 1, not -1.0"),
        (lambda: HardConcrete(warm=1.0), "not 1.0 and 1.0"),
        (lambda: HardConcrete(gamma=0.0), "gamma < 0, zeta > 1 and beta > 0, not 0.0, 1.1"),
        (lambda: SoftMovement(np.nan), "a strength of at least 0"),
        (lambda: SoftMovement(threshold=2.0), "between 0 and 1, not 2.0"),
        (lambda: Movement(1.5), "between 0 and 1, not 1.5"),
        (lambda: Movement(ramp=0.0), "the ramp is a fraction of the training, above 0 and at most 1, not 0.0"),
        (lambda: Penalized(0), "samples is a whole number of at least 1, not 0"),
    ],
)
def test_bad_settings(make: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
