"""Second derivatives against central differences of first ones, where the diagonal approximation is exact."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import Activation, Identity, LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from nncomp.curvature import cross_entropy_derivatives, hessian_diagonal, squared_error_derivatives
from nncomp.layer import Linear
from nncomp.losses import cross_entropy, squared_error
from nncomp.network import MLP, backward, forward
from nncomp.prune import obd
from nncomp.weights import Dense
from tests.strategies.weights import seeds

activations = st.sampled_from([Identity(), Tanh(), Sigmoid()])


def numeric(network: MLP, x: np.ndarray, t: np.ndarray, loss, layer: int, which: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Central differences of the gradient at each weight (which = 0) or bias (1)."""
    out = np.zeros_like(network.params[layer][which])
    for at in np.ndindex(out.shape):
        slopes = []
        for step in (1e-5, -1e-5):
            params = [[p.copy() for p in both] for both in network.params]
            params[layer][which][at] += step
            moved = network.with_params([tuple(both) for both in params])
            y, tape = forward(moved, x)
            slopes.append(backward(moved, tape, {len(tape) - 1: loss(y, t)[1]})[layer][which][at])
        out[at] = (slopes[0] - slopes[1]) / 2e-5
    return out


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-6 * max(1.0, np.abs(expected).max()))


@given(seeds, activations)
def test_the_last_layer_is_exact(seed: int, activation: Activation) -> None:
    rng = np.random.default_rng(seed)
    network = MLP.init([3, 4, 3], activation, seed=seed, dtype=np.float64)
    x, labels = rng.standard_normal((5, 3)), rng.integers(0, 3, 5)
    h, h_bias = hessian_diagonal(network, x, labels)[-1]
    close(h, numeric(network, x, labels, cross_entropy, 1, 0))
    close(h_bias, numeric(network, x, labels, cross_entropy, 1, 1))


@given(seeds, activations)
def test_every_layer_is_exact_where_the_one_after_it_is_one_unit(seed: int, activation: Activation) -> None:
    rng = np.random.default_rng(seed)
    network = MLP.init([3, 4, 1], activation, seed=seed, dtype=np.float64)
    x, t = rng.standard_normal((5, 3)), rng.standard_normal((5, 1))
    for layer, both in enumerate(hessian_diagonal(network, x, t, squared_error_derivatives)):
        for which, h in enumerate(both):
            close(h, numeric(network, x, t, squared_error, layer, which))


@given(seeds)
def test_of_linear_layers_and_squares_obd_is_what_pruning_one_weight_costs(seed: int) -> None:
    """The loss is a parabola in each weight of the last layer; at its minimum the saliency is the whole rise."""
    rng = np.random.default_rng(seed)
    network = MLP.init([4, 1], seed=seed, dtype=np.float64)
    x = rng.standard_normal((9, 4))
    w, b = network.params[0]
    t = x @ w.T + b
    h, _ = hessian_diagonal(network, x, t, squared_error_derivatives)[0]
    for j in range(4):
        less = w.copy()
        less[0, j] = 0
        np.testing.assert_allclose(obd(w, h)[0, j], squared_error(x @ less.T + b, t)[0], rtol=1e-9)


def test_a_network_with_norm_is_refused() -> None:
    network = MLP.init([3, 4, 2], ReLU(), norm=True)
    with pytest.raises(ValueError, match="fold the norm first"):
        hessian_diagonal(network, np.ones((2, 3), np.float32), np.array([0, 1]))
    g, h = cross_entropy_derivatives(np.array([[1e4, 0.0]]), np.array([0]))
    assert not g.any() and not h.any(), "certain"


def test_straight_pieces_do_not_bend_at_their_kinks() -> None:
    """One unit that sees 1e-7 and passes it to two logits: its slope is 1, and p (1 - p) is a half of their sum."""
    for activation, z in ((ReLU(), 1e-7), (LeakyReLU(0.5), -1e-7), (Identity(), 0.0)):
        layers = (
            Linear(Dense(np.array([[1.0]])), np.array([z - 1]), activation),
            Linear(Dense(np.array([[1.0], [-1.0]])), np.zeros(2)),
        )
        (h, _), _ = hessian_diagonal(MLP(layers), np.array([[1.0]]), np.array([0]))
        assert h[0, 0] == pytest.approx(0.5 * (0.25 if z < 0 else 1))


def test_a_softmax_has_no_derivative_of_one_number() -> None:
    layers = MLP.init([2, 3], dtype=np.float64).layers
    for last in (Softmax(), LogSoftmax()):
        with pytest.raises(ValueError, match=r"is no function of one number.*: end the network with logits"):
            hessian_diagonal(MLP((replace(layers[0], activation=last),)), np.ones((1, 2)), np.array([0]))
