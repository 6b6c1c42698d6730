"""`Quantize` of products: each factor by itself, rounded or trained through its rounding, and what comes after."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncomp.data import Data
from nncomp.files import from_bytes, to_bytes
from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform, mxfp4
from nncomp.formats.granularity import Granularity
from nncomp.layer import Linear
from nncomp.measure import accuracy, form
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import Dynamic, gptq
from nncomp.steps import Factor, FineTune, MixedPrecision, Prune, Quantize
from nncomp.transforms import LSQ, learned_step
from nncomp.weights import Dense, Encoded, LowRank, Quantized, Sparse
from tests.strategies.data import blobs
from tests.strategies.weights import plain_codes

DATA = Data(blobs(300, 1), blobs(100, 2), blobs(100, 3), "blobs")
SHORT = FineTune(epochs=4, batch=50, optimizer=Adam(rate=5e-3))
X = DATA.train.x


@pytest.fixture(scope="module")
def pairs() -> MLP:
    """Two pairs, of rank 4 and with a norm, and a last layer whose pair would be no smaller."""
    dense = replace(SHORT, epochs=10)(MLP.init([12, 20, 16, 4], norm=True), DATA)
    network = Factor(rank=4)(dense, DATA)
    assert [form(layer.weight) for layer in network.layers] == ["rank 4 float32"] * 2 + ["dense float32"]
    return network


def factors(network: MLP) -> Iterator[tuple[Any, Any]]:
    for layer in network.layers[:2]:
        assert isinstance(layer.weight, LowRank)
        yield layer.weight.A, layer.weight.B


def nearest(w: np.ndarray, bits: int, size: int | None) -> np.ndarray:
    """Codes by a loop over rows and groups of so many columns; of one scale for all if that is None."""
    codes, most, low = np.zeros(w.shape, int), 2 ** (bits - 1) - 1, -(2 ** (bits - 1))
    blocks = (
        [(slice(None), slice(None))]
        if size is None
        else [(slice(i, i + 1), slice(j, j + size)) for i in range(len(w)) for j in range(0, w.shape[1], size)]
    )
    for at in blocks:
        scale = np.abs(w[at]).max() / np.float32(most)
        codes[at] = np.clip(np.rint(w[at] / scale), low, most)
    return codes


@pytest.mark.parametrize(
    ("bits", "per", "size"),
    [(8, PerRow(), 99), (4, PerRow(), 99), (3, PerGroup(3), 3), (4, PerGroup(8), 8), (8, PerTensor(), None)],
)
def test_each_factor_is_rounded_by_its_own_ranges(pairs: MLP, bits: int, per: Granularity, size: int | None) -> None:
    """Groups of 3 leave the rank of 4 in two; of 8, in one. The norm has gone into the rows of A before."""
    before = pairs.fingerprint()
    rounded = Quantize(Uniform(bits), per, inputs=None)(pairs, DATA)
    folded = pairs.with_layers(Linear.folded)
    for old, new in zip(factors(folded), factors(rounded)):
        for w, factor in zip(old, new):
            assert isinstance(factor, Quantized)
            np.testing.assert_array_equal(plain_codes(factor), nearest(w.dense(), bits, size))
            scales = 1 if size is None else len(w.dense()) * -(-w.shape[1] // size)
            assert factor.nbytes == -(-w.dense().size * bits // 8) + 4 * scales
    assert [form(layer.weight) for layer in rounded.layers] == [f"rank 4 int{bits}"] * 2 + [f"dense int{bits}"]
    assert all(layer.norm is None for layer in rounded.layers) and pairs.fingerprint() == before
    assert from_bytes(to_bytes(rounded)).fingerprint() == rounded.fingerprint()


@pytest.mark.parametrize("inputs", [Uniform(signed=False, symmetric=False), Dynamic(Uniform())])
def test_inputs_lie_on_grids_and_what_is_between_factors_does_not(pairs: MLP, inputs: Any) -> None:
    network = Quantize(inputs=inputs)(pairs, DATA)
    assert [layer.integer for layer in network.layers] == [False, False, True]
    for layer, (A, B) in zip(network.layers, factors(network)):
        x = np.abs(np.random.default_rng(5).standard_normal((9, B.shape[1]))).astype(np.float32)
        assert layer.input is not None
        grid = layer.input.grid_for(x)
        assert isinstance(layer.input, Grid | Dynamic) and grid.format == (getattr(inputs, "format", inputs))
        seen = grid.decode(grid.encode(x)).astype(np.float64)
        z = seen @ B.dense().astype(np.float64).T @ A.dense().astype(np.float64).T + layer.bias
        size = np.abs(seen) @ np.abs(B.dense()).T @ np.abs(A.dense()).T + np.abs(layer.bias)
        bound = (sum(B.shape) + 5) * np.finfo(np.float32).eps * size  # both products, the bias and the values
        assert (np.abs(layer(x) - np.maximum(z, 0)) <= bound).all()
    assert accuracy(network, DATA.validation) > accuracy(pairs, DATA.validation) - 0.05


def test_factors_train_through_their_rounding(pairs: MLP) -> None:
    """At two bits, better than rounded; the norms go into the scales of A, and codes of both have moved."""
    rounded = Quantize(Uniform(2), inputs=None)(pairs, DATA)
    step = Quantize(Uniform(2), inputs=None, during=replace(SHORT, epochs=15))
    trained = step(pairs, DATA)
    assert accuracy(trained, DATA.train) > accuracy(rounded, DATA.train) + 0.05
    for old, new in zip(factors(rounded), factors(trained)):
        for a, b in zip(old, new):
            assert isinstance(b, Quantized) and set(np.unique(plain_codes(b))) <= {-2, -1, 0, 1}
            assert (plain_codes(a) != plain_codes(b)).any() and a.nbytes == b.nbytes
    assert all(layer.norm is None for layer in trained.layers)
    assert from_bytes(to_bytes(trained)).fingerprint() == trained.fingerprint()
    assert step(pairs, DATA).fingerprint() == trained.fingerprint()


def test_inputs_train_along(pairs: MLP) -> None:
    network = Quantize(Uniform(4), inputs=Uniform(4, signed=False), during=SHORT, train_inputs=learned_step)(
        pairs, DATA
    )
    assert all(isinstance(layer.input, Grid) for layer in network.layers)
    assert [form(layer.weight) for layer in network.layers] == ["rank 4 int4"] * 2 + ["dense int4"]


def test_factors_in_formats_of_their_own(pairs: MLP) -> None:
    for during in (None, SHORT):
        network = Quantize(mxfp4, inputs=None, during=during)(pairs, DATA)
        for A, B in factors(network):
            assert isinstance(A, Encoded) and isinstance(B, Encoded) and A.format == B.format == mxfp4


def test_biases_are_corrected_for_what_both_lose(pairs: MLP) -> None:
    first = MLP((pairs.layers[0].folded(),))
    z = X @ first.layers[0].weight.dense().T + first.layers[0].bias
    lost = {}
    for correct in (False, True):
        layer = Quantize(Uniform(3), inputs=None, correct_bias=correct)(first, DATA).layers[0]
        lost[correct] = np.abs((X @ layer.weight.dense().T + layer.bias - z).mean(axis=0)).max()
    assert lost[True] < 1e-5 < 1e-3 < lost[False]


def test_a_pattern_of_a_factor_is_kept(pairs: MLP) -> None:
    W = pairs.layers[0].weight
    assert isinstance(W, LowRank)
    mask = np.random.default_rng(1).random(W.B.shape) < 0.5
    network = pairs.with_layer(0, replace(pairs.layers[0], weight=replace(W, B=Sparse.from_dense(W.B.dense(), mask))))
    for during in (None, SHORT):
        B = next(factors(Quantize(inputs=None, during=during)(network, DATA)))[1]
        assert isinstance(B, Quantized) and isinstance(B.codes, Sparse) and np.array_equal(B.codes.mask, mask)
    with pytest.raises(ValueError, match="layer 0: dense floats are factored, not rank 4 float32 x sparse float32"):
        Factor(rank=2)(network, DATA)


def test_what_comes_after(pairs: MLP) -> None:
    """Codes of fewer bits; single weights pruned, of the product; bits chosen by layer; no second factoring."""
    eight = Quantize(inputs=None)(pairs, DATA)
    four = Quantize(Uniform(4), inputs=None)(eight, DATA)
    assert [form(layer.weight) for layer in four.layers] == ["rank 4 int4"] * 2 + ["dense int4"]
    pruned = Prune(0.5)(eight, DATA).layers[0].weight
    assert isinstance(pruned, Sparse)
    np.testing.assert_array_equal(pruned.dense(), np.where(pruned.mask, eight.layers[0].weight.dense(), 0))
    mixed = MixedPrecision(6.0, tuple(Quantize(Uniform(b), inputs=None) for b in (2, 4, 8)))(pairs, DATA)
    assert all(isinstance(A, Quantized) and A.grid.format == B.grid.format for A, B in factors(mixed))
    with pytest.raises(ValueError, match="layer 0: dense floats are factored, not rank 4 int8: before pruning"):
        Factor(rank=2)(eight, DATA)


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Quantize(method=gptq), "method"),
        (Quantize(Uniform(3), rank=2), "rank"),
        (Quantize(through=LSQ()), "through"),
        (Quantize(through=LSQ(), during=SHORT), "through"),
    ],
)
def test_what_is_for_whole_matrices_is_told_before_any_work(pairs: MLP, step: Callable[..., MLP], name: str) -> None:
    network = MLP((Linear(Dense(np.eye(12, dtype=np.float32)), np.zeros(12, np.float32)), *pairs.layers))
    message = f"layer 1: {name} is for dense float weights, not LowRank, .*: leave {name} out, or do not factor before"
    with pytest.raises(ValueError, match=message):
        step(network, None)
