"""Codes and what stays in floats beside them, as a step: each against the function of arrays it is made of."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncomp.evidence import Evidence
from nncomp.files import from_bytes, to_bytes
from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform, divide_add_round, mxfp4
from nncomp.layerwise import gram, output_error
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import (
    MeanSquared,
    bias_correction,
    gptq,
    hqq,
    l2qer,
    lqer,
    magr,
    qera,
    spqr,
    svdquant,
)
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import FineTune, MixedPrecision, Prune, Quantize
from nncomp.weights import Encoded, LowRank, Quantized, Sparse, Sum
from tests.steps.examples import DATA, SHORT
from tests.strategies.weights import plain_codes

X = DATA.train.x
THREE = Uniform(3)
FLOAT_ZERO = Uniform(3, symmetric=False, integer_zero=False, arithmetic=divide_add_round)
WEIGHTS_ONLY = partial(Quantize, inputs=None)
Arrays = tuple[np.ndarray, ...]


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 16, 8, 4]), DATA)


def in_turn(dense: MLP, quantized: MLP) -> list[tuple[np.ndarray, np.ndarray, Any]]:
    """Of each layer its weights, its inputs as the quantized layers before hand them on, and its new weight."""
    inputs = Evidence(quantized, DATA.train.first(2000)).X
    return [(a.weight.dense(), x, b.weight) for a, x, b in zip(dense.layers, inputs, quantized.layers, strict=True)]


def parts_of(weight: Any, *kinds: type) -> Any:
    assert isinstance(weight, Sum) and tuple(type(part) for part in weight.parts) == kinds
    return weight.parts


@pytest.mark.parametrize(
    "format", [THREE, Uniform(3, symmetric=False), Uniform(2, signed=False, narrow=True), FLOAT_ZERO]
)
@pytest.mark.parametrize("per", [PerRow(), PerGroup(5), PerTensor()])
def test_spqr_leaves_its_outliers_in_floats(dense: MLP, format: Uniform, per: Any) -> None:
    method = partial(spqr, fraction=0.1)
    for W, x, weight in in_turn(dense, WEIGHTS_ONLY(format, per, method=method)(dense, DATA)):
        codes, grid, mask, values = spqr(W, gram(x), format, per, fraction=0.1)
        quantized, outliers = parts_of(weight, Quantized, Sparse)
        np.testing.assert_array_equal(quantized.grid.scale, grid.scale)
        np.testing.assert_array_equal(quantized.grid.zeros, grid.zeros)
        np.testing.assert_array_equal(plain_codes(quantized)[~mask], codes[~mask])
        np.testing.assert_array_equal(outliers.mask, mask)
        expected = np.where(mask, values, grid.decode(codes))
        if format.integer_zero:
            np.testing.assert_array_equal(outliers.values, values[mask])
            np.testing.assert_array_equal(weight.dense(), expected)
        else:  # a subtraction and an addition, of numbers up to the outlier and half a step
            bound = np.finfo(np.float32).eps * (np.abs(values) + np.abs(quantized.dense()))
            assert (np.abs(weight.dense() - expected) <= bound).all()


def test_spqr_without_outliers_is_gptq(dense: MLP) -> None:
    none = WEIGHTS_ONLY(THREE, method=partial(spqr, fraction=0.0))(dense, DATA)
    assert none.fingerprint() == WEIGHTS_ONLY(THREE, method=gptq)(dense, DATA).fingerprint()


def test_half_quadratic_grids_are_rounded_to(dense: MLP) -> None:
    for W, _, weight in in_turn(dense, WEIGHTS_ONLY(FLOAT_ZERO, PerGroup(6), method=hqq)(dense, DATA)):
        grid = hqq(W, FLOAT_ZERO, PerGroup(6))
        assert weight.grid.zero_point.tobytes() == grid.zero_point.tobytes()  # type: ignore[union-attr]
        np.testing.assert_array_equal(plain_codes(weight), grid.encode(W))


FACTORS: dict[str, tuple[Callable[..., Arrays], Callable[..., Arrays]]] = {
    "lqer": (lqer, lambda W, W_new, x, rank: lqer(W, W_new, rank)),
    "l2qer": (l2qer, lambda W, W_new, x, rank: l2qer(W, W_new, rank, x)),
    "qera": (qera, lambda W, W_new, x, rank: qera(W, W_new, rank, gram(x))),
}


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("method", [None, gptq])
def test_factors_of_what_rounding_lost(dense: MLP, name: str, method: Any) -> None:
    """The rank is at most the layer's own: 4 in the last."""
    step, by_hand = FACTORS[name]
    rounded: Callable[..., np.ndarray] = method or (lambda W, H, grid: grid.encode(W))
    for W, x, weight in in_turn(dense, WEIGHTS_ONLY(THREE, method=method, rank=5, low_rank=step)(dense, DATA)):
        quantized, factors = parts_of(weight, Quantized, LowRank)
        grid = fit_grid(W, THREE, PerRow())
        np.testing.assert_array_equal(plain_codes(quantized), rounded(W=W, H=gram(x), grid=grid))
        A, B = by_hand(W, quantized.dense(), x, min(5, len(W)))
        np.testing.assert_array_equal(factors.A.dense(), A)
        np.testing.assert_array_equal(factors.B.dense(), B)
        np.testing.assert_array_equal(weight.dense(), quantized.dense() + A @ B)


@pytest.mark.parametrize("method", [None, gptq])
def test_factors_before_rounding(dense: MLP, method: Any) -> None:
    step = WEIGHTS_ONLY(THREE, method=method, rank=2, low_rank=svdquant)
    for W, x, weight in in_turn(dense, step(dense, DATA)):
        quantized, factors = parts_of(weight, Quantized, LowRank)
        L1, L2, R = svdquant(W, 2)
        grid = fit_grid(R, THREE, PerRow())
        np.testing.assert_array_equal(factors.A.dense(), L1)
        np.testing.assert_array_equal(factors.B.dense(), L2)
        expected = grid.encode(R) if method is None else gptq(R, gram(x), grid)
        np.testing.assert_array_equal(plain_codes(quantized), expected)


def test_the_error_left_is_the_smaller_singular_values(dense: MLP) -> None:
    """Eckart & Young 1936: of W - W' with identity scaling, by a singular value decomposition of its own."""
    for W, _, weight in in_turn(dense, WEIGHTS_ONLY(THREE, rank=3, low_rank=lqer)(dense, DATA)):
        quantized, _ = weight.parts
        S = np.linalg.svd(W.astype(np.float64) - quantized.dense(), compute_uv=False)
        left = np.linalg.norm(W.astype(np.float64) - weight.dense())
        # Factors are rounded, multiplied and added in float32: some units in the last place of every entry.
        noise = (2 * 3 + 4) * np.finfo(np.float32).eps * np.linalg.norm(np.abs(W) + np.abs(quantized.dense()))
        assert abs(left - np.sqrt((S[3:] ** 2).sum())) <= noise


def test_outputs_never_get_worse_the_larger_the_rank(dense: MLP) -> None:
    """QERA is the best pair for the outputs, 0 is one of lower rank; on one layer, so that inputs are the same."""
    first = MLP((dense.layers[0],))
    W, H = first.layers[0].weight.dense(), gram(X)
    lost = [
        output_error(W, WEIGHTS_ONLY(THREE, method=gptq, rank=rank)(first, DATA).layers[0].weight.dense(), H)
        for rank in (0, 1, 2, 4, 8, 12)
    ]
    assert lost == sorted(lost, reverse=True) and lost[-1] < 1e-10 < 0.1 * lost[0]
    plain = WEIGHTS_ONLY(THREE, method=gptq, rank=4, low_rank=lqer)(first, DATA).layers[0].weight.dense()
    assert lost[3] <= output_error(W, plain, H)


def test_layers_to_come_see_the_correction(dense: MLP) -> None:
    """And biases make up for what is left after it."""
    step = WEIGHTS_ONLY(Uniform(2), method=gptq, rank=3, correct_bias=True)
    network = step(dense, DATA)
    for (W, x, weight), old, new in zip(in_turn(dense, network), dense.layers, network.layers):
        expected = bias_correction(W, weight.dense(), old.bias, x.mean(axis=0))
        np.testing.assert_array_equal(new.bias, expected)
    mse = [((other(X) - dense(X)) ** 2).mean() for other in (network, replace(step, rank=0)(dense, DATA))]
    assert mse[0] < 0.5 * mse[1]


def test_factors_beside_outliers_and_beside_blocks(dense: MLP) -> None:
    both = WEIGHTS_ONLY(THREE, method=partial(spqr, fraction=0.1), rank=2)(dense, DATA)
    for layer in both.layers:
        parts_of(layer.weight, Quantized, Sparse, LowRank)
    for W, x, weight in in_turn(dense, WEIGHTS_ONLY(mxfp4, rank=2)(dense, DATA)):
        blocks, factors = parts_of(weight, Encoded, LowRank)
        np.testing.assert_array_equal(factors.B.dense(), qera(W, blocks.dense(), 2, gram(x))[1])


def test_sums_see_inputs_on_a_grid_train_and_are_chosen_among(dense: MLP) -> None:
    network = Quantize(THREE, method=gptq, rank=2)(dense, DATA)
    assert all(isinstance(layer.input, Grid) and not layer.integer for layer in network.layers)
    layer = network.layers[0]
    z = layer.weight.apply(layer.input.decode(layer.input.encode(X))) + layer.bias  # type: ignore[union-attr]
    np.testing.assert_allclose(layer(X), np.maximum(z, 0), atol=1e-4)
    tuned = SHORT(network, DATA)
    assert from_bytes(to_bytes(tuned)).fingerprint() == tuned.fingerprint()
    assert all(isinstance(layer.weight, Sum) for layer in tuned.layers)
    bits = (
        8
        * sum(layer.weight.nbytes for layer in network.layers)
        / sum(layer.weight.dense().size for layer in dense.layers)
    )
    choices = (WEIGHTS_ONLY(Uniform(2)), WEIGHTS_ONLY(THREE, method=gptq, rank=2))
    mixed = MixedPrecision(bits, choices)(dense, DATA)
    assert any(isinstance(layer.weight, Sum) for layer in mixed.layers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantize(rank=-1), "rank is a whole number of at least 0, not -1"),
        (lambda: Quantize(rank=0.5), "rank is a whole number of at least 0, not 0.5"),  # type: ignore[arg-type]
        (lambda: Quantize(low_rank=lqer), "lqer finds factors of a rank of at least 1"),
        (lambda: Quantize(rank=2, during=SHORT), "finds factors of a rank of at least 1, once weights are trained"),
        (lambda: Quantize(rank=2, low_rank=magr), "takes no rank"),
        (lambda: Quantize(rank=2, low_rank=lambda W, rank, T: (W, W)), "asks for 'T'; it can be given rank, W, w, X"),
        (lambda: Quantize(rank=2, low_rank=4), "a method is a function, not 4"),  # type: ignore[arg-type]
        (lambda: Quantize(method=lambda W, format: W), "takes no per"),
        (lambda: Quantize(method=spqr, weights=mxfp4), "spqr rounds to a uniform grid at once"),
        (lambda: Quantize(method=hqq, weight_ranges=MeanSquared(Uniform())), "hqq brings its own grid"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_cannot_be_made_of_a_network_is_told(dense: MLP) -> None:
    for network, step, message in (
        (Prune(0.5)(dense, DATA), Quantize(rank=2), "rounded beside factors, not Sparse"),
        (Prune(0.5)(dense, DATA), Quantize(method=spqr), "rounded by a method, not Sparse"),
        (Quantize(rank=2)(dense, DATA), Quantize(rank=2), "rounded beside factors, not Sum"),
        (
            dense,
            Quantize(method=lambda W, format, per: W),
            r"layer 0: gives a grid, or codes, grid, mask and values, not",
        ),
        (dense, Quantize(method=hqq), "integer_zero=False"),
        (dense, Quantize(method=lambda W, format, per: (W, *spqr(W, np.eye(12), format, per)[1:])), "codes are int8"),
    ):
        with pytest.raises(ValueError, match=message):
            step(network, DATA)
