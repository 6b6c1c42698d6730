"""Networks that get smaller and say the same; and the best the next layer can do when neurons that matter go."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nncomp as nc
from nncomp.activations import Softmax
from nncomp.network import MLP
from nncomp.prune import compensate, geometric_median, mean_activation, nonzero_activation, row_l1, row_l2
from nncomp.shrinking import shrink, without_neurons
from nncomp.weights import Dense, Sparse
from tests.strategies.networks import networks
from tests.strategies.weights import dense, matrices, seeds, sparse


def deadened(network: MLP, seed: int, as_mask: bool) -> MLP:
    """Some rows and some columns of every layer set to 0, or masked."""
    rng, made = np.random.default_rng(seed), []
    for layer in network.layers:
        out, inputs = layer.weight.shape
        alive = (rng.random((out, 1)) < 0.6) & (rng.random((1, inputs)) < 0.6)
        dense = layer.weight.dense()
        weight = layer.weight.masked(alive) if as_mask else Dense(np.where(alive, dense, 0))
        made.append(replace(layer, weight=weight))
    return MLP(tuple(made))


@given(networks(np.float64, quantized_inputs=False, forms=[dense, sparse]), seeds, st.booleans())
def test_the_smaller_network_is_the_same_function(network: MLP, seed: int, as_mask: bool) -> None:
    """With every activation, batch norm, and form of weight; rounded differently, as sums are of fewer terms."""
    dead = deadened(network, seed, as_mask)
    small = shrink(dead)
    x = np.random.default_rng(seed).standard_normal((5, network.sizes[0]))
    np.testing.assert_allclose(small(x), dead(x), rtol=1e-9, atol=1e-9 * max(1.0, np.abs(dead(x)).max()))
    assert small.sizes[0] == network.sizes[0] and small.sizes[-1] == network.sizes[-1]
    for first, second in zip(small.layers, small.layers[1:]):
        used = first.weight.dense().any(axis=1) & second.weight.dense().any(axis=0)
        assert used.all() or used.size == 1, "what does nothing is gone"
    assert shrink(small).sizes == small.sizes
    for before, after in zip(dead.layers, small.layers):
        assert isinstance(after.weight, type(before.weight)), "sparse stays sparse"


def test_a_chain_of_neurons_that_serve_only_each_other() -> None:
    """Each is dead only once the one after it has left."""
    rng = np.random.default_rng(0)
    network = MLP.init([3, 4, 4, 4, 2], dtype=np.float64)
    params = [[w.copy(), rng.standard_normal(len(b))] for w, b in network.params]
    for w, _ in params[1:3]:
        w[0, 1:] = w[1:, 0] = 0  # neuron 0 hears and tells neuron 0 alone
    params[3][0][:, 0] = 0
    network = network.with_params([tuple(p) for p in params])
    small = shrink(network)
    assert small.sizes == [3, 3, 3, 3, 2]
    x = rng.standard_normal((7, 3))
    np.testing.assert_allclose(small(x), network(x), rtol=1e-12)


def test_a_softmax_at_the_end_is_no_hindrance() -> None:
    network = MLP.init([3, 4, 2])
    network = MLP((network.layers[0], replace(network.layers[1], activation=Softmax())))
    dead, x = deadened(network, 3, as_mask=False), np.ones((2, 3), np.float32)
    np.testing.assert_allclose(shrink(dead)(x), dead(x), rtol=1e-5)


def test_nothing_left_keeps_one_neuron_a_layer() -> None:
    network = MLP.init([3, 5, 5, 2])
    empty = network.with_params([(0 * w, b + 1) for w, b in network.params])
    small = shrink(empty)
    assert small.sizes == [3, 1, 1, 2]
    np.testing.assert_array_equal(small(np.ones((2, 3), np.float32)), empty(np.ones((2, 3), np.float32)))


@given(seeds, st.integers(1, 6))
def test_compensation_is_least_squares_with_a_bias(seed: int, left: int) -> None:
    rng = np.random.default_rng(seed)
    A, W, b = rng.standard_normal((30, 7)) + 1, rng.standard_normal((3, 7)), rng.standard_normal(3)
    kept = rng.permutation(7) < left
    new, bias = compensate(W, b, A, kept, damp=0.0)
    ones = np.column_stack([A[:, kept], np.ones(30)])
    best = np.linalg.lstsq(ones, A @ W.T + b, rcond=None)[0].T
    np.testing.assert_allclose(np.column_stack([new, bias]), best, atol=1e-7)


@given(seeds)
def test_compensation_obeys_a_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 5)) < 0.6
    W, A, kept = (
        rng.standard_normal((3, 5)) * mask,
        rng.standard_normal((20, 5)),
        np.array([True, True, False, True, False]),
    )
    new, _ = compensate(W, np.zeros(3), A, kept, damp=0.0, mask=mask)
    assert not new[~mask[:, kept]].any()


@pytest.mark.parametrize("sparse", [False, True])
def test_removing_neurons_that_matter(sparse: bool) -> None:
    """Compensated, it costs less; without that, exactly the columns are gone, and what they put out at 0."""
    rng = np.random.default_rng(0)
    network = MLP.init([4, 8, 3], dtype=np.float64)
    if sparse:
        masks = iter([rng.random((8, 4)) < 0.7, rng.random((3, 8)) < 0.7])
        network = network.with_layers(lambda layer: replace(layer, weight=layer.weight.masked(next(masks))))
    x, kept = rng.standard_normal((100, 4)), np.arange(8) % 2 == 0
    plain, better = (without_neurons(network, 0, kept, samples) for samples in (None, x))
    assert plain.sizes == better.sizes == [4, 4, 3]
    assert type(plain.layers[1].weight) is type(better.layers[1].weight) is (Sparse if sparse else Dense)
    assert ((better(x) - network(x)) ** 2).sum() < ((plain(x) - network(x)) ** 2).sum()
    hidden, at_zero = (network.layers[0](batch) for batch in (x, 0 * x))
    np.testing.assert_allclose(plain(x), network.layers[1](np.where(kept, hidden, at_zero)), atol=1e-12)


@given(matrices())
def test_scores_of_neurons_by_loops(w: np.ndarray) -> None:
    rows = w.astype(np.float64).tolist()
    np.testing.assert_allclose(row_l1(w), [[sum(map(abs, row))] for row in rows], rtol=1e-5)
    np.testing.assert_allclose(row_l2(w), [[sum(v * v for v in row) ** 0.5] for row in rows], rtol=1e-5, atol=1e-18)
    apart = [[sum(sum((u - v) ** 2 for u, v in zip(a, b)) ** 0.5 for b in rows)] for a in rows]
    np.testing.assert_allclose(geometric_median(w), apart, rtol=1e-4, atol=1e-18)
    columns = list(zip(*rows))
    np.testing.assert_allclose(mean_activation(w), [[sum(map(abs, c)) / len(c)] for c in columns], rtol=1e-5)
    assert nonzero_activation(w).ravel().tolist() == [sum(v != 0 for v in c) / len(c) for c in columns]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: without_neurons(n, 1, np.ones(2, bool)), "layer 1 has no neurons to remove: hidden layers are 0 to"),
        (lambda n: without_neurons(n, 0, np.ones(3, bool)), "4 neurons are kept by so many booleans, not bool (3,)"),
        (lambda n: without_neurons(n, 0, np.ones(4)), "not float64 (4,)"),
        (lambda n: shrink(nc.Quantize()(n, nc.load_data("digits"))), "not Quantized: before quantizing"),
        (lambda n: without_neurons(MLP((replace(n.layers[0], activation=Softmax()), n.layers[1])), 0, np.eye(4)[0] > 0),
         "changes all outputs, so it cannot leave alone"),
        (lambda n: compensate(np.ones((2, 3)), np.zeros(2), np.ones((4, 2)), np.ones(3, bool)), "do not fit"),
    ],
)  # fmt: skip
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call(MLP.init([64, 4, 10]))
