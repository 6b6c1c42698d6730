"""Scores against PyTorch's derivatives, first and second, and masks against torch.nn.utils.prune."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch.nn.utils import prune as theirs  # noqa: E402

from nncomp.activations import Tanh  # noqa: E402
from nncomp.losses import cross_entropy  # noqa: E402
from nncomp.network import MLP, backward, forward  # noqa: E402
from nncomp.prune import grasp, keep_globally, keep_largest, magnitude, row_l1, snip, taylor  # noqa: E402
from nncomp.weights import Dense  # noqa: E402
from tests.strategies.weights import seeds  # noqa: E402


def problem(seed: int) -> tuple[MLP, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    network = MLP.init([5, 4, 3], activation=Tanh(), seed=seed, dtype=np.float64)
    return network, rng.standard_normal((6, 5)), rng.integers(0, 3, 6)


def gradient(network: MLP, x: np.ndarray, y: np.ndarray, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Ours, at other weights."""
    other = network.with_params([(w, p[1]) for w, p in zip(weights, network.params)])
    outputs, tape = forward(other, x)
    return [g[0] for g in backward(other, tape, {1: cross_entropy(outputs, y)[1]})]


@given(seeds)
def test_scores_of_derivatives(seed: int) -> None:
    network, x, y = problem(seed)
    assert all(isinstance(layer.weight, Dense) for layer in network.layers)
    w = [torch.tensor(layer.weight.dense(), requires_grad=True) for layer in network.layers]
    logits = torch.tanh(torch.from_numpy(x) @ w[0].T) @ w[1].T
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
    g = torch.autograd.grad(loss, w, create_graph=True)
    flow = torch.autograd.grad(sum((part * part).sum() for part in g) / 2, w)  # H g
    weights = [layer.weight.dense() for layer in network.layers]
    ours = gradient(network, x, y, weights)
    for i, Hg in enumerate(flow):
        product = (w[i] * g[i]).detach().numpy()
        np.testing.assert_allclose(snip(weights[i], ours[i]), np.abs(product), atol=1e-12)
        np.testing.assert_allclose(taylor(weights[i], ours[i]), product**2, atol=1e-12)
        expected = (w[i] * Hg).detach().numpy()
        score = grasp(weights, lambda at: gradient(network, x, y, at))[i]
        np.testing.assert_allclose(score, expected, atol=1e-6 * np.abs(expected).max())


def distinct(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Weights without ties in size: which of equal ones falls is not defined there."""
    rng = np.random.default_rng(seed)
    n = shape[0] * shape[1]
    return (rng.permutation(n) + 1.0).reshape(shape) * rng.choice([-1, 1], shape)


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.floats(0, 1))
def test_l1_unstructured(seed: int, out: int, inputs: int, amount: float) -> None:
    layer = torch.nn.Linear(inputs, out).double()
    layer.weight.data = torch.from_numpy(w := distinct(seed, (out, inputs)))
    theirs.l1_unstructured(layer, "weight", amount=amount)
    np.testing.assert_array_equal(keep_largest(magnitude(w), amount), layer.weight_mask.numpy().astype(bool))


@given(seeds, st.floats(0, 1), st.floats(0, 1))
def test_a_second_time_it_counts_what_is_left(seed: int, first: float, second: float) -> None:
    """Its amounts are of the weights that remain; a sparsity here is of all."""
    layer = torch.nn.Linear(6, 5).double()
    layer.weight.data = torch.from_numpy(w := distinct(seed, (5, 6)))
    for amount in (first, second):
        theirs.l1_unstructured(layer, "weight", amount=amount)
    left = w.size - round(first * w.size)
    mask = keep_largest(magnitude(w), (w.size - left + round(second * left)) / w.size)
    np.testing.assert_array_equal(mask, layer.weight_mask.numpy().astype(bool))


@given(seeds, st.floats(0, 1))
def test_global_unstructured(seed: int, amount: float) -> None:
    both = distinct(seed, (7, 4))
    layers = [torch.nn.Linear(4, 3).double(), torch.nn.Linear(4, 4).double()]
    parts = both[:3], both[3:]
    for layer, w in zip(layers, parts):
        layer.weight.data = torch.from_numpy(w.copy())
    theirs.global_unstructured([(layer, "weight") for layer in layers], theirs.L1Unstructured, amount=amount)
    for mask, layer in zip(keep_globally([magnitude(w) for w in parts], amount), layers):
        np.testing.assert_array_equal(mask, layer.weight_mask.numpy().astype(bool))


@given(seeds, st.integers(1, 6), st.floats(0, 1))
def test_ln_structured(seed: int, out: int, amount: float) -> None:
    layer = torch.nn.Linear(4, out).double()
    layer.weight.data = torch.from_numpy(w := np.random.default_rng(seed).standard_normal((out, 4)))
    theirs.ln_structured(layer, "weight", amount=amount, n=1, dim=0)
    mask = np.broadcast_to(keep_largest(row_l1(w), amount), w.shape)
    np.testing.assert_array_equal(mask, layer.weight_mask.numpy().astype(bool))
