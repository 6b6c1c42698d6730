"""What pruning methods are given: each quantity against its definition, by the names a method asks for."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import Tanh
from nncomp.curvature import hessian_diagonal
from nncomp.data import Split
from nncomp.evidence import Evidence
from nncomp.layer import Linear
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.norm import BatchNorm
from nncomp.prune import grasp, input_fisher, magnitude, mean_activation, snip, synflow
from nncomp.scoring import asked, scores_of
from nncomp.weights import Dense, Sparse
from tests.strategies.networks import networks
from tests.strategies.weights import seeds


def samples(network: MLP, seed: int, values: bool, n: int = 4) -> Split:
    rng = np.random.default_rng(seed)
    outputs = network.sizes[-1]
    targets = rng.standard_normal((n, outputs)) if values else rng.integers(0, outputs, n)
    return Split(rng.standard_normal((n, network.sizes[0])).astype(np.float32), targets)


@given(networks(np.float64, quantized_inputs=False, norms=False), seeds, st.booleans())
def test_gradients_are_those_of_the_backward_pass(network: MLP, seed: int, values: bool) -> None:
    """Of every form of weight, as decoded."""
    split = samples(network, seed, values)
    dense = MLP(
        tuple(
            type(layer)(Dense(layer.weight.dense()), layer.bias, layer.activation, layer.norm)
            for layer in network.layers
        )
    )
    y, tape = forward(dense, split.x)
    expected = backward(dense, tape, {len(tape) - 1: by_targets(y, split.y)[1]})
    evidence = Evidence(network, split)
    parts = zip(evidence.g, evidence.gradient(evidence.weights), expected, evidence.dy, evidence.X)
    for g, again, (dw, *_), dy, X in parts:
        # The factor 4 of a mean over 4 samples is exact: what may differ is the order of the last sum.
        bound = 8 * np.finfo(float).eps * (np.abs(dy).T @ np.abs(X)) / 4 + np.finfo(float).tiny  # and below normal ones
        assert (np.abs(g - dw) <= bound).all()
        np.testing.assert_array_equal(again, dw)


@pytest.mark.parametrize("values", [False, True])
def test_norms_are_taken_as_at_inference(values: bool) -> None:
    """Every derivative is at the weights before the norm, of the network that is called."""
    rng, step = np.random.default_rng(4), 1e-5
    layers = MLP.init([3, 4, 2], activation=Tanh(), norm=True, dtype=np.float64).layers
    norm = BatchNorm(*rng.standard_normal((3, 4)), rng.random(4) + 0.5)
    network = MLP((replace(layers[0], norm=norm), layers[1]))
    split = samples(network, 5, values)
    evidence = Evidence(network, split)
    np.testing.assert_allclose(evidence.A[-1], network(split.x.astype(np.float64)), rtol=1e-12)
    for i, (g, again, h) in enumerate(zip(evidence.g, evidence.gradient(evidence.weights), evidence.h)):
        np.testing.assert_allclose(again, g, rtol=1e-9, atol=1e-12)
        W = evidence.W[i]
        for at in np.ndindex(W.shape):
            losses = []
            for sign in (-1, 0, 1):
                w = W.copy()
                w[at] += sign * step
                params = [(w, *p[1:]) if i == k else p for k, p in enumerate(network.params)]
                losses.append(by_targets(network.with_params(params)(split.x.astype(np.float64)), split.y)[0])
            assert g[at] == pytest.approx((losses[2] - losses[0]) / (2 * step), abs=1e-8)
            if i == 1:  # the last layer's second derivatives are exact
                assert h[at] == pytest.approx((losses[0] - 2 * losses[1] + losses[2]) / step**2, abs=1e-4)
    scale = norm.affine()[0][:, None]
    folded = Evidence(network.with_layers(type(layers[0]).folded), split)
    np.testing.assert_allclose(evidence.h[0], folded.h[0] * scale**2, rtol=1e-9)
    assert [len(dy) for dy in Evidence(network, split.first(1)).dy] == [1, 1], "one sample has a gradient too"


def test_what_is_given_can_only_be_read() -> None:
    network = MLP.init([3, 4, 2], dtype=np.float64)
    split = Split(np.ones((2, 3)), np.array([0, 1]))
    for name in ("W", "X", "A", "dy", "weights"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(Evidence(network, split), name)[0][...] = 0


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), seeds)
def test_one_sample_at_a_time(sizes: list[int], seed: int) -> None:
    network = MLP.init(sizes, activation=Tanh(), seed=seed, dtype=np.float64)
    split = samples(network, seed, values=False)
    evidence = Evidence(network, split)
    each = [Evidence(network, Split(split.x[i : i + 1], split.y[i : i + 1])).g for i in range(len(split))]
    for k, (squares, dy, X) in enumerate(zip(evidence.squares, evidence.dy, evidence.X)):
        alone = np.array([g[k] for g in each])
        np.testing.assert_allclose(np.einsum("no,ni->noi", dy, X), alone, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(squares, (alone**2).mean(axis=0), rtol=1e-9, atol=1e-14)


@given(networks(np.float64, quantized_inputs=False, norms=False), seeds)
def test_inputs_and_outputs(network: MLP, seed: int) -> None:
    split = samples(network, seed, values=False)
    evidence, x = Evidence(network, split), split.x.astype(np.float64)
    for i, layer in enumerate(network.layers):
        np.testing.assert_allclose(evidence.X[i], x, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(evidence.norms[i], np.sqrt((x**2).sum(axis=0)), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(evidence.x_max[i], np.abs(x).max(axis=0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(evidence.H[i], x.T @ x, rtol=1e-9, atol=1e-9)
        z = x @ layer.weight.dense().T + layer.bias
        x = layer.activation(z)
        np.testing.assert_allclose(evidence.A[i], x, rtol=1e-9, atol=1e-12 * max(np.abs(z).max(), 1))
        np.testing.assert_array_equal(evidence.W[i], layer.weight.dense())


def test_weights_keep_their_dtype_and_the_rest_is_taken_in_float64() -> None:
    network = MLP.init([3, 4, 2], norm=True)
    evidence = Evidence(network, samples(network, 0, values=False))
    assert {a.dtype for a in evidence.W} == {np.dtype(np.float32)}
    for name in ("X", "A", "norms", "H", "dy", "g", "squares", "weights"):
        assert {a.dtype for a in getattr(evidence, name)} == {np.dtype(np.float64)}, name


@pytest.mark.parametrize("values", [False, True])
def test_the_hessians_diagonal_is_that_of_the_loss(values: bool) -> None:
    network = MLP.init([3, 2], activation=Tanh(), dtype=np.float64)  # one layer: exact
    split, step = samples(network, 1, values), 1e-4
    [h], [W] = Evidence(network, split).h, Evidence(network, split).W
    for at in np.ndindex(W.shape):
        losses = []
        for sign in (-1, 0, 1):
            w = W.copy()
            w[at] += sign * step
            losses.append(by_targets(network.with_params([(w, network.params[0][1])])(split.x), split.y)[0])
        bend = (losses[0] - 2 * losses[1] + losses[2]) / step**2
        assert h[at] == pytest.approx(bend, abs=1e-6)


def test_a_method_is_given_what_it_names() -> None:
    network = MLP.init([3, 4, 2], dtype=np.float64)
    split = samples(network, 2, values=False)
    evidence = Evidence(network, split)

    def mine(X: np.ndarray, w: np.ndarray, h: np.ndarray, power: float = 2.0) -> np.ndarray:
        return (X.std(axis=0) * np.abs(w)) ** power + h

    diagonals = [h for h, _ in hessian_diagonal(network, split.x, split.y)]
    for found, X, W, h in zip(scores_of(mine, evidence), evidence.X, evidence.W, diagonals):
        np.testing.assert_allclose(found, (X.std(axis=0) * np.abs(W)) ** 2 + h)
    assert asked(magnitude) == ["W"] and asked(snip) == ["w", "g"] and asked(mean_activation) == ["A"]
    for ours, direct in (
        (scores_of(synflow, evidence), synflow(evidence.weights)),
        (scores_of(grasp, evidence), grasp(evidence.weights, evidence.gradient)),
    ):
        for a, b in zip(ours, direct, strict=True):
            np.testing.assert_array_equal(a, b)


def test_fisher_of_inputs_is_what_a_factor_on_them_does() -> None:
    """A central difference of each sample's loss by the factor."""
    network = MLP.init([3, 4, 2], activation=Tanh(), dtype=np.float64)
    split, step = samples(network, 3, values=False), 1e-5
    evidence = Evidence(network, split)
    found = scores_of(input_fisher, evidence)
    for i, X in enumerate(evidence.X):
        rest = MLP(network.layers[i:])
        for j in range(X.shape[1]):
            slopes = []
            for x, y in zip(X, split.y):
                ends = []
                for factor in (1 + step, 1 - step):
                    seen = x.copy()
                    seen[j] *= factor
                    ends.append(by_targets(rest(seen[None]), np.array([y]))[0])
                slopes.append((ends[0] - ends[1]) / (2 * step))
            assert found[i][0, j] == pytest.approx(np.mean(np.square(slopes)) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda weights: list(weights)[:1], "scores 1 of 2 layers"),
        (lambda W: np.abs(W).sum(axis=1), "layer 0: scores are (4, 3), (4, 1) or (1, 3), not (4,)"),
        (lambda W: np.abs(W).sum(keepdims=True), "not (1, 1)"),
        (lambda W: None, "not ()"),
        (lambda W: W * np.nan, "layer 0: scores are floats without NaN, not float64"),
        (lambda W: W.astype(int), "scores are floats without NaN, not int64"),
        (lambda gradient: [], "so it needs their weights too"),
        (lambda: 1, "names nothing to be given: W, w"),
        (lambda W, /: W, "names nothing to be given"),
        (lambda *arrays: arrays, "names nothing to be given"),
        ("wanda", "a method is a function, not 'wanda'"),
    ],
)
def test_scores_that_are_none(method, message: str) -> None:  # type: ignore[no-untyped-def]
    network = MLP.init([3, 4, 2], dtype=np.float64)
    with pytest.raises(ValueError, match=re.escape(message)):
        scores_of(method, Evidence(network, samples(network, 0, values=False)))


def test_what_was_pruned_ranks_last_whole_rows_and_columns_too() -> None:
    mask = np.array([[True, False, True], [False, False, False]])
    network = MLP((Linear(Sparse.from_dense(np.ones((2, 3)), mask), np.ones(2)),))
    evidence = Evidence(network, samples(network, 0, values=False))
    inf = np.inf
    for method, expected in (
        (lambda W: np.ones((2, 3)), [[1, -inf, 1], [-inf] * 3]),
        (lambda W: np.ones((2, 1)), [[1], [-inf]]),
        (lambda W: np.ones((1, 3)), [[1, -inf, 1]]),
    ):
        assert scores_of(method, evidence)[0].tolist() == expected


def test_what_is_not_to_be_had_is_named() -> None:
    with pytest.raises(ValueError, match="asks for 'temperature'; it can be given W, w, X, A, x_max, norms, H, dy, g"):
        asked(lambda W, temperature: W)
    with pytest.raises(ValueError, match="asks for 'scores'; it can be given sparsity, W"):
        asked(lambda scores, sparsity: scores, "sparsity")
