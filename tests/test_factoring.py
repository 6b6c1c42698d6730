"""Factorization as a step: what is stored, how large it is, what it loses, and that it trains as it is."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
import pytest

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.factor import activation_svd, sparse_plus_low_rank, svd
from nncomp.files import from_bytes, to_bytes
from nncomp.layerwise import gram
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import Distill, Factor, FineTune, Prune, Quantize, Share
from nncomp.weights import Dense, LowRank, Sparse, Sum, Weight
from tests.strategies.data import blobs

DATA = Data(blobs(300, 1), blobs(100, 2), blobs(100, 3), "blobs")
SHORT = FineTune(epochs=3, batch=50, optimizer=Adam(rate=5e-3))
X = DATA.train.x
EPS = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 20, 16, 4], norm=True), DATA)


def held(network: MLP) -> int:
    return sum(layer.weight.multiply_adds for layer in network.layers)


def in_turn(dense: MLP, factored: MLP) -> Iterator[tuple[np.ndarray, np.ndarray, Weight]]:
    """Of each layer its weights, its inputs as the layers before, already factored, hand them on, its new weight."""
    inputs = Evidence(factored, DATA.train).X
    for old, x, new in zip(dense.layers, inputs, factored.layers):
        yield old.weight.dense(), x, new.weight


@pytest.mark.parametrize("rank", [1, 3, 6, 100])
@pytest.mark.parametrize("by", [svd, activation_svd])
def test_each_layer_is_the_pair_of_its_inputs_or_stays_as_it_is(
    dense: MLP, rank: int, by: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    before = dense.fingerprint()
    network = Factor(rank=rank, by=by)(dense, DATA)
    for (W, x, weight), old, new in zip(in_turn(dense, network), dense.layers, network.layers):
        k = min(rank, *W.shape)
        if k * sum(W.shape) >= W.size:
            assert weight is old.weight
            continue
        assert isinstance(weight, LowRank)
        A, B = svd(W, k) if by is svd else activation_svd(W, k, gram(x))
        np.testing.assert_array_equal(weight.A.dense(), A)
        np.testing.assert_array_equal(weight.B.dense(), B)
        assert weight.nbytes == 4 * k * sum(W.shape) and new.bias is old.bias and new.norm is old.norm
    assert dense.fingerprint() == before
    assert from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()
    if rank == 100:
        assert network.fingerprint() == before, "nothing would get smaller"


@pytest.mark.parametrize("energy", [0.3, 0.7, 0.95, 1.0])
@pytest.mark.parametrize("by", [svd, activation_svd])
def test_each_layer_keeps_so_much_with_the_least_rank(
    dense: MLP, energy: float, by: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    """By the singular values of the weights, or of the outputs before any other layer was factored."""
    network, evidence = Factor(energy=energy, by=by)(dense, DATA), Evidence(dense, DATA.train)
    for W, x, layer in zip(evidence.W, evidence.X, network.layers):
        squares = np.linalg.svd(W.astype(float) if by is svd else x @ W.T, compute_uv=False) ** 2
        kept = np.cumsum(squares) / squares.sum()
        rank = next(k for k, share in enumerate(kept, 1) if share >= energy * (1 - 10 * EPS))
        if rank * sum(W.shape) >= W.size:
            assert isinstance(layer.weight, Dense)
        else:
            assert isinstance(layer.weight, LowRank) and layer.weight.rank == rank


@pytest.mark.parametrize("budget", [0.25, 0.4, 0.6, 0.8, 1.0])
def test_all_layers_together_hold_at_most_the_budget(dense: MLP, budget: float) -> None:
    """And no ranks within it leave out less, by all there are."""
    network = Factor(budget=budget, by=svd)(dense, DATA)
    whole = held(dense)
    assert held(network) <= budget * whole
    spectra = [np.linalg.svd(layer.weight.dense().astype(float), compute_uv=False) for layer in dense.layers]
    shapes = [layer.weight.shape for layer in dense.layers]

    def loss(ranks: tuple[int, ...]) -> float:
        return sum(float((S[k:] ** 2).sum()) for S, k in zip(spectra, ranks))

    def cost(ranks: tuple[int, ...]) -> int:
        return sum(k * sum(s) if k < min(s) else s[0] * s[1] for s, k in zip(shapes, ranks))

    every = product(*(range(1, min(s) + 1) for s in shapes))
    ranks = tuple(
        weight.rank if isinstance(weight := layer.weight, LowRank) else min(weight.shape) for layer in network.layers
    )
    assert loss(ranks) <= min(loss(ranks) for ranks in every if cost(ranks) <= budget * whole) * (1 + 1e-4) + 1e-9
    if budget == 1:
        assert network.fingerprint() == dense.fingerprint()


def test_by_outputs_less_of_them_is_lost(dense: MLP) -> None:
    """Of a layer, whatever the rank; and more rank never loses more."""
    first, x = MLP((dense.layers[0],)), X.astype(np.float64)
    W = first.layers[0].weight.dense()
    lost = {
        by: [
            ((x @ (W - Factor(rank=k, by=by)(first, DATA).layers[0].weight.dense()).T) ** 2).sum() for k in range(1, 8)
        ]
        for by in (svd, activation_svd)
    }
    assert all(ours <= plain * (1 + 1e-5) for ours, plain in zip(lost[activation_svd], lost[svd]))
    assert lost[activation_svd] == sorted(lost[activation_svd], reverse=True)
    assert lost[activation_svd][0] < 0.999 * lost[svd][0]


@pytest.mark.parametrize(("sparsity", "layers"), [(0.95, 3), (0.7, 2), (0.3, 0)])
@pytest.mark.parametrize("by", [svd, activation_svd])
def test_a_sparse_part_stays_beside_the_pair_where_both_are_smaller(
    dense: MLP, by: Callable[..., tuple[np.ndarray, np.ndarray]], sparsity: float, layers: int
) -> None:
    network = Factor(rank=2, by=by, sparsity=sparsity)(dense, DATA)
    stored = 0
    for W, x, weight in in_turn(dense, network):
        S = sparse_plus_low_rank(W, 2, sparsity)[2]
        if isinstance(weight, Dense):
            assert Sparse.from_dense(S).nbytes + 4 * 2 * sum(W.shape) >= W.nbytes
            continue
        stored += 1
        assert isinstance(weight, Sum) and weight.nbytes < W.nbytes
        outliers, pair = weight.parts
        assert isinstance(outliers, Sparse) and isinstance(pair, LowRank)
        np.testing.assert_array_equal(outliers.dense(), S)
        assert np.count_nonzero(S) == W.size - round(sparsity * W.size)
        A, B = svd(W - S, 2) if by is svd else activation_svd(W - S, 2, gram(x))
        np.testing.assert_array_equal(pair.A.dense(), A)
        np.testing.assert_array_equal(pair.B.dense(), B)
        if by is svd:
            assert ((W - weight.dense()) ** 2).sum() < ((W - np.matmul(*svd(W, 2))) ** 2).sum()
    assert stored == layers
    assert from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()


@pytest.mark.parametrize("step", [Factor(rank=2), Factor(rank=1, sparsity=0.95), Factor(budget=0.5, by=svd)], ids=repr)
def test_what_is_stored_trains_as_it_is(dense: MLP, step: Factor) -> None:
    """The same as a training after it; of the same size, and better on what it learns."""
    start = step(dense, DATA)
    for during in (SHORT, Distill(teacher=dense, during=SHORT)):
        trained = Factor(**{**vars(step), "during": during})(dense, DATA)
        assert trained.fingerprint() == during(start, DATA).fingerprint()
        assert [layer.weight.nbytes for layer in trained.layers] == [layer.weight.nbytes for layer in start.layers]
        assert [type(layer.weight) for layer in trained.layers] == [type(layer.weight) for layer in start.layers]
        assert accuracy(trained, DATA.train) >= accuracy(start, DATA.train)


def test_pairs_are_factored_again(dense: MLP) -> None:
    """To fewer; to as many, or by what asks for more, they stay the same pair."""
    four = Factor(rank=4, by=svd)(dense, DATA)
    assert Factor(rank=4, by=svd)(four, DATA).fingerprint() == four.fingerprint()
    assert Factor(rank=9, by=svd)(four, DATA).fingerprint() == four.fingerprint()
    assert Factor(budget=1.0, by=svd)(four, DATA).fingerprint() == four.fingerprint()
    once, again = Factor(rank=2, by=svd)(dense, DATA), Factor(rank=2, by=svd)(four, DATA)
    for a, b in zip(once.layers[:2], again.layers[:2]):
        assert isinstance(b.weight, LowRank) and b.weight.rank == 2
        np.testing.assert_allclose(b.weight.dense(), a.weight.dense(), atol=1e-4)
    assert held(Factor(budget=0.3, by=svd)(four, DATA)) <= 0.3 * held(dense)


def test_few_samples_are_all_that_is_seen(dense: MLP) -> None:
    few = Data(DATA.train.first(20), DATA.validation)
    assert Factor(rank=2, samples=20)(dense, DATA).fingerprint() == Factor(rank=2)(dense, few).fingerprint()


@pytest.mark.parametrize("step", [Prune(0.5), Quantize(), Share(4), Factor(rank=1, sparsity=0.9)], ids=repr)
def test_what_is_no_matrix_of_floats_is_told(dense: MLP, step: Callable[..., MLP]) -> None:
    with pytest.raises(ValueError, match=r"layer \d: dense floats are factored, not .*: before pruning and quantizing"):
        Factor(rank=2)(step(dense, DATA), DATA)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Factor(), "one of rank, energy and budget says how large pairs are, not none"),
        (lambda: Factor(rank=2, budget=0.5), "says how large pairs are, not rank and budget"),
        (lambda: Factor(rank=0), "rank is a whole number of at least 1, not 0"),
        (lambda: Factor(rank=0.5), "rank is a whole number of at least 1, not 0.5"),  # type: ignore[arg-type]
        (lambda: Factor(energy=0.0), "energy is a fraction, above 0 and at most 1, not 0.0"),
        (lambda: Factor(budget=1.5), "budget is a fraction, above 0 and at most 1, not 1.5"),
        (lambda: Factor(budget=float("nan")), "budget is a fraction, above 0 and at most 1, not nan"),
        (lambda: Factor(rank=2, by=gram), "gram takes no W|gram asks for|takes no rank"),
        (lambda: Factor(rank=2, by=lambda W, rank, T: (W, W)), "asks for 'T'; it can be given W, rank"),
        (lambda: Factor(rank=2, sparsity=2.0), "a sparsity is between 0 and 1, not 2.0"),
        (lambda: Factor(energy=0.9, sparsity=0.9), "beside a pair of a given rank"),
        (lambda: Factor(rank=2, samples=0), "samples is a whole number of at least 1, not 0"),
        (lambda: Factor(rank=2, during=Distill(student=MLP.init([2, 2]))), "Distill takes a teacher there"),
    ],
)
def test_settings_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_a_method_gives_is_checked(dense: MLP) -> None:
    for by, message in (
        (lambda W, rank: (W, W), r"layer 0: weights are finite float32 \(20, 2\), not float32 \(20, 12\)"),
        (lambda W, rank: (W[:, :rank] * np.nan, W[:rank]), "layer 0: weights are finite"),
        (lambda W, rank: (W[:, :rank], W[:rank].astype(float)), r"float32 \(2, 12\), not float64"),
    ):
        with pytest.raises(ValueError, match=message):
            Factor(rank=2, by=by)(dense, DATA)
    with pytest.raises(ValueError, match=r"the smallest choices take 32, more than"):
        Factor(budget=0.01)(MLP((dense.layers[0],)), DATA)
    damped = Factor(rank=2, by=partial(activation_svd, damp=0.1))(dense, DATA)
    assert eval(repr(Factor(rank=2, by=svd))) == Factor(rank=2, by=svd) and held(damped) < held(dense)
