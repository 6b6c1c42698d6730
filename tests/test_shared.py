"""Shared weights: Deep Compression's own example, the kernel that runs them, and what steps and files make of them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nncomp import prune
from nncomp.evidence import Evidence
from nncomp.files import from_bytes, to_bytes
from nncomp.kernels.lookup import QUICK
from nncomp.layer import Linear
from nncomp.measure import form
from nncomp.network import MLP
from nncomp.optim import SGD
from nncomp.quantize import (
    density,
    fisher_importance,
    hessian_importance,
    kmeans,
    kmeans_plus_plus,  # noqa: F401  # named in the repr of a step
    optimal_kmeans,
    random,  # noqa: F401
)
from nncomp.steps import FineTune, Prune, Quantize, Share, Sparsify
from nncomp.steps.recipe import Recipe
from nncomp.steps.tables import RecipeError
from nncomp.transforms import Masked
from nncomp.weights import Dense, Latent, PackedCodes, Shared, Sparse
from nncomp.weights.shared import index_bits
from tests.strategies.data import small

DATA = small(3, samples=80)
FIGURE_3 = np.array([[3, 0, 2, 1], [1, 1, 0, 3], [0, 3, 1, 0], [3, 1, 2, 2]], np.uint8)
CENTERS = np.array([-1.00, 0.00, 1.50, 2.00])
GRADIENT = np.array(
    [[-0.03, -0.01, 0.03, 0.02], [-0.01, 0.01, -0.02, 0.12], [-0.01, 0.02, 0.04, 0.01], [-0.07, -0.02, 0.01, -0.02]]
)


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(10, batch=16)(MLP.init([8, 7, 3]), DATA)


def shared(network: MLP) -> list[Shared]:
    weights = [layer.weight for layer in network.layers]
    assert all(isinstance(weight, Shared) for weight in weights)
    return weights  # type: ignore[return-value]


@pytest.mark.parametrize("mask", [None, np.ones((4, 4), bool), FIGURE_3 != 1])
def test_deep_compressions_figure_3(mask: np.ndarray | None) -> None:
    """The gradients of the weights, grouped by index and summed, move the centers at a rate of 1."""
    weight = Shared.of(FIGURE_3, CENTERS, mask)
    dx, (dc,) = weight.vjp(np.eye(4), GRADIENT.T)
    np.testing.assert_allclose(dx, GRADIENT.T @ weight.dense())
    absent = mask is not None and not mask.all()
    expected = [-0.03, 0 if absent else 0.04, 0.02, 0.04]
    np.testing.assert_allclose(dc, expected, atol=1e-15)
    moved = weight.with_params((weight.codebook - dc,))
    np.testing.assert_allclose(moved.codebook, [-0.97, 0 if absent else -0.04, 1.48, 1.96])
    assert moved.with_params(moved.params).dense().tolist() == moved.dense().tolist()


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 16, 17, 256, 257, 65536])
def test_every_index_takes_the_bits_that_tell_k_apart(k: int) -> None:
    rng = np.random.default_rng(k)
    indices, codebook = rng.integers(0, k, (5, 33)), rng.standard_normal(k).astype(np.float32)
    indices.flat[0] = k - 1
    indices = indices.astype(np.uint8 if k <= 256 else np.uint16)
    bits = max(1, int(np.ceil(np.log2(k))))
    weight = Shared.of(indices, codebook)
    assert index_bits(k) == bits and weight.nbytes == -(-5 * 33 * bits // 8) + 4 * k
    np.testing.assert_array_equal(weight.dense(), codebook[indices])
    mask = rng.random((5, 33)) < 0.3
    sparse = weight.masked(mask)
    assert sparse.nbytes == mask.sum() * (indices.itemsize + 1) + 6 + 4 * k
    assert sparse.multiply_adds == mask.sum() and weight.multiply_adds == 165
    network = MLP(
        (
            Linear(weight, np.zeros(5, np.float32)),
            Linear(Dense(codebook[:1, None] * np.ones((1, 5), np.float32)), codebook[:1]),
        )
    )
    assert from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()


@pytest.mark.parametrize("k", [1, 2, 16, 17, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_entries_run_packed_and_others_decoded(k: int, dtype: type) -> None:
    rng = np.random.default_rng(k)
    indices, codebook = rng.integers(0, k, (70, 50)).astype(np.uint8), rng.standard_normal(k).astype(dtype)
    weight, x = Shared.of(indices, codebook), rng.standard_normal((6, 50)).astype(dtype)
    if k <= QUICK and dtype == np.float32:
        assert weight.prepared() is weight
        y = weight.apply(x)
        assert weight._words.codebook.dtype == np.float32 and y.tobytes() == weight.apply(x).tobytes()
        moved = weight.with_params((2 * codebook,))
        np.testing.assert_allclose(moved.apply(x), 2 * y, rtol=1e-4, atol=1e-5)
    else:
        assert isinstance(weight.prepared(), Dense)
    masked = weight.masked(rng.random(weight.shape) < 0.5).prepared()
    assert isinstance(masked, Sparse) and masked.dtype == dtype


def test_the_sums_of_many_gradients_are_in_float64() -> None:
    """A billion and as many ones after it, which float32 would not add to it."""
    weight = Shared.of(np.zeros((1, 65), np.uint8), np.ones(1, np.float32))
    dw = np.ones((1, 65), np.float32)
    dw[0, 0] = 2**30
    _, (dc,) = weight.vjp(dw, np.ones((1, 1), np.float32), need_dx=False)
    assert dc.dtype == np.float32 and dc[0] == np.float32(2**30 + 64)


@pytest.mark.parametrize(
    "by", [kmeans, optimal_kmeans, partial(kmeans, init=density), partial(optimal_kmeans, zero=True)]
)
def test_each_layer_gets_its_own_values(dense: MLP, by) -> None:  # type: ignore[no-untyped-def]
    network = Share(5, by)(dense, DATA)
    for before, after in zip(dense.layers, shared(network)):
        codebook, indices = by(before.weight.dense(), 5)
        assert after.dense().tobytes() == codebook[indices].tobytes() and form(after) == "shared 5 float32"
        assert isinstance(after.indices, PackedCodes) and after.indices.bits == 3
    again = Share(2, by)(network, DATA)
    assert [np.unique(weight.dense()).size for weight in shared(again)] == [2, 2]
    np.testing.assert_array_equal(Share(5, by)(again, DATA)(DATA.train.x), again(DATA.train.x))


def test_centers_train_and_indices_stay(dense: MLP) -> None:
    start = Share(4)(dense, DATA)
    trained = Share(4, during=FineTune(5, batch=16))(dense, DATA)
    assert FineTune(5, batch=16)(start, DATA).fingerprint() == trained.fingerprint()
    for before, after in zip(shared(start), shared(trained)):
        np.testing.assert_array_equal(before.indices.codes, after.indices.codes)  # type: ignore[union-attr]
        assert (before.codebook != after.codebook).all()
    with pytest.raises(ValueError, match="training diverged"):
        Share(4, during=FineTune(20, batch=16, optimizer=SGD(1e30)))(dense, DATA)


def test_a_pattern_is_kept_and_what_is_absent_has_no_part(dense: MLP) -> None:
    pruned = Prune(0.6)(dense, DATA)
    for during in (None, FineTune(2, batch=16)):
        network = Share(3, optimal_kmeans, during=during)(pruned, DATA)
        for before, after in zip(pruned.layers, shared(network)):
            assert isinstance(before.weight, Sparse) and isinstance(after.indices, Sparse)
            np.testing.assert_array_equal(after.indices.mask, before.weight.mask)
            assert after.indices.dtype == np.uint8 and form(after) == "sparse shared 3 float32"
            if during is None:
                codebook, _ = optimal_kmeans(before.weight.values, 3)
                np.testing.assert_array_equal(after.codebook, codebook)
    nothing = Share(3)(Prune(1.0)(dense, DATA), DATA)
    assert [weight.codebook.tolist() for weight in shared(nothing)] == [[0], [0]]
    assert np.isfinite(nothing(DATA.train.x)).all()


def test_pruning_after_sharing_leaves_what_was_pruned_before(dense: MLP) -> None:
    network = Prune(0.8, scores=prune.random)(Prune(0.5)(Share(4)(dense, DATA), DATA), DATA)
    assert sum(weight.multiply_adds for weight in shared(network)) == 77 - round(0.8 * 77)
    for step in (Prune(0.5, during=FineTune(1)), Sparsify(during=FineTune(1))):
        with pytest.raises(ValueError, match="codes are fixed while a network trains"):
            step(network, DATA)
    assert not isinstance(Quantize()(network, DATA).layers[0].weight, Shared)


@pytest.mark.parametrize("importance", [fisher_importance, hessian_importance])
def test_what_matters_more_moves_less(dense: MLP, importance) -> None:  # type: ignore[no-untyped-def]
    """The loss by what counts is the least; a layer of which nothing counts is shared all the same."""
    plain, weighed = (Share(3, optimal_kmeans, how)(dense, DATA) for how in (None, importance))
    evidence = Evidence(dense, DATA.train)
    counts = evidence.squares if importance is fisher_importance else [np.maximum(h, 0) for h in evidence.h]
    for h, layer, a, b in zip(counts, dense.layers, shared(plain), shared(weighed)):
        lost = [(h * (layer.weight.dense() - weight.dense()) ** 2).sum() for weight in (a, b)]
        assert lost[1] < lost[0]
    silent = dense.with_layer(0, replace(dense.layers[0], bias=np.full(7, -1e6, np.float32)))
    again = Share(3, optimal_kmeans, importance)(silent, DATA)
    np.testing.assert_array_equal(shared(again)[0].dense(), shared(plain)[0].dense())


def test_latent_weights_and_norms(dense: MLP) -> None:
    normed = FineTune(3, batch=16)(MLP.init([8, 7, 3], norm=True), DATA)
    network = Share(4, during=FineTune(1, batch=16))(normed, DATA)
    assert network.layers[0].norm is not None and np.isfinite(network(DATA.train.x)).all()
    mask = np.random.default_rng(0).random((7, 8)) < 0.5
    latent = dense.with_layer(
        0, replace(dense.layers[0], weight=Latent.of(Masked(mask), dense.layers[0].weight.dense()))
    )
    assert shared(Share(4)(latent, DATA))[0].multiply_adds == mask.sum()
    with pytest.raises(ValueError, match="layer 0: float weights are shared, not Quantized: before quantizing"):
        Share(4)(Quantize()(dense, DATA), DATA)


def test_recipes_share(tmp_path: Path) -> None:
    def steps(text: str, seed: int = 0) -> tuple:
        (tmp_path / "mine.toml").write_text('[[steps]]\nstep = "Share"\n' + text)
        return Recipe.load(tmp_path / "mine.toml", seed).steps

    assert steps("k = 16") == (Share(16),)
    assert steps('k = 4\nby = "optimal_kmeans"\nimportance = "fisher_importance"\nduring = { epochs = 2 }') == (
        Share(4, optimal_kmeans, fisher_importance, during=FineTune(2)),
    )
    told = repr(steps('k = 4\nby = { is = "kmeans", init = "kmeans_plus_plus", zero = true }', seed=3)[0])
    assert told == "Share(k=4, by=partial(kmeans, init=partial(kmeans_plus_plus, seed=3), zero=True))"
    assert repr(eval(told)) == told
    assert repr(steps('k = 4\nby = { is = "kmeans", init = { is = "random", seed = 2 } }')[0]) == (
        "Share(k=4, by=partial(kmeans, init=partial(random, seed=2)))"
    )
    for text, message in (
        ("", r"step 1 \(Share\): needs k, a whole number"),
        ("k = 0", "1 to 65536 values are shared, not 0"),
        ('k = 4\nby = { is = "kmeans", init = "cubic" }', "by.init: expected one of linear, density, random, "),
        ('k = 4\nby = "linear"', "by: expected one of kmeans, optimal_kmeans, not 'linear'"),
    ):
        with pytest.raises(RecipeError, match=message):
            steps(text)


def test_what_is_asked_of_a_step() -> None:
    for make, message in (
        (lambda: Share(4, density), "asks for 'v'"),
        (lambda: Share(4, max), "."),
        (lambda: Share(4, lambda w, g, k, weights: (w, g)), "shared by a function of w, k and weights, not "),
        (lambda: Share(4, importance=3), "a method is a function, not 3"),  # type: ignore[arg-type]
        (lambda: Share(4, during=3), "during is a FineTune, a Distill or None, not 3"),  # type: ignore[arg-type]
        (lambda: Share(4, samples=0), "samples is a whole number of at least 1, not 0"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


CODEBOOK = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shared.of(FIGURE_3, CODEBOOK), "index 3 into a codebook of 3 values"),
        (lambda: Shared.of(FIGURE_3, CENTERS.astype(np.float16)), "finite floats of 32 or 64 bits, not float16"),
        (lambda: Shared.of(FIGURE_3, CENTERS[None]), r"not float64 \(1, 4\)"),
        (lambda: Shared.of(FIGURE_3, CENTERS * np.nan), "finite"),
        (lambda: Shared(PackedCodes.of(FIGURE_3, 3), CENTERS), "uint8, or of 2 bits, not 3 bits in uint8"),
        (lambda: Shared(Sparse.from_dense(CENTERS[None]), CENTERS), "are uint8, or of 2 bits, not float64"),
        (lambda: Shared.of(FIGURE_3.astype(np.int8), CENTERS), "codes of 2 bits are -2 to 1, not 0 to 3"),
        (lambda: Shared.of(FIGURE_3[0], CENTERS), "a weight is a matrix"),
        (lambda: Shared.of(FIGURE_3, CENTERS).with_params((CODEBOOK,)), r"a codebook of 4 values, not \(3,\)"),
        (lambda: Shared.of(FIGURE_3, CENTERS).apply(np.ones((2, 3))), "does not fit a weight float64"),
        (lambda: Shared.of(FIGURE_3, CENTERS.astype("f4")).apply(np.ones((2, 4))), "an input float64"),
        (lambda: Shared.of(FIGURE_3, CENTERS).vjp(np.ones((2, 4)), np.ones((2, 3))), "a gradient at the outputs"),
        (lambda: Shared.of(FIGURE_3, CENTERS).masked(np.ones((2, 4), bool)), r"bool \(2, 4\)"),
    ],
)
def test_bad_input_gets_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
