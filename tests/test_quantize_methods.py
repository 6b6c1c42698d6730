"""Quantization by a method, as a step: what it is given, what it is held to, and that it is worth it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from nncomp.activations import Tanh
from nncomp.evidence import Evidence
from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform, divide_add_round, mxfp4
from nncomp.layer import Linear
from nncomp.layerwise import gram, output_error
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import (
    Percentile,
    adaround,
    awq,
    coordinate_descent,
    gptq,
    k_best,
    ldlq,
    nearest_plane,
    obq,
    smoothquant,
)
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import Equalize, FineTune, Prune, Quantize, Rescale, Share
from nncomp.steps.recipe import Recipe
from nncomp.weights import Dense, Quantized
from tests.strategies.data import small
from tests.strategies.weights import plain_codes

DATA = small(4, samples=200, apart=1.0)
NETWORK = FineTune(8, batch=20)(MLP.init([8, 12, 3], seed=1), DATA)
FACTORS = np.geomspace(0.02, 50, 12, dtype=np.float32)[:, None]
FLOAT_ZERO = Uniform(symmetric=False, integer_zero=False, arithmetic=divide_add_round)
TANH = Linear(Dense(np.eye(3)), np.ones(3), Tanh())
METHODS = [gptq, ldlq, obq, nearest_plane, k_best, coordinate_descent, partial(adaround, steps=200)]


@pytest.mark.parametrize("method", METHODS)
def test_each_layer_sees_what_the_quantized_ones_before_it_put_out(method) -> None:  # type: ignore[no-untyped-def]
    step = Quantize(Uniform(3), PerGroup(4), Percentile(99.0), inputs=None, samples=50, method=method)
    network = step(NETWORK, DATA)
    x = DATA.train.x[:50].astype(np.float64)
    for old, new in zip(NETWORK.layers, network.layers):
        grid = fit_grid(old.weight.dense(), Uniform(3), PerGroup(4), Percentile(99.0))
        codes = method(old.weight.dense(), gram(x), grid)
        assert isinstance(new.weight, Quantized)
        np.testing.assert_array_equal(plain_codes(new.weight), codes)
        np.testing.assert_array_equal(new.weight.grid.scale, grid.scale)
        wide = new.weight.dense().astype(np.float64)
        x = np.maximum(x @ wide.T + new.bias, 0)


def test_it_loses_less_than_rounding_and_inputs_are_calibrated_after_it() -> None:
    rounded, better = (Quantize(Uniform(3), method=m)(NETWORK, DATA) for m in (None, k_best))
    H = Evidence(NETWORK, DATA.train).H[0]
    W = NETWORK.layers[0].weight.dense()
    lost = [output_error(W, n.layers[0].weight.dense(), H) for n in (rounded, better)]
    assert lost[1] < lost[0]
    assert all(layer.integer and isinstance(layer.input, Grid) for layer in better.layers)


@pytest.mark.parametrize("method", [None, gptq])
def test_corrected_biases_keep_the_mean_of_every_layer_s_sums(method) -> None:  # type: ignore[no-untyped-def]
    network = Quantize(Uniform(2), inputs=None, samples=100, method=method, correct_bias=True)(NETWORK, DATA)
    plain = Quantize(Uniform(2), inputs=None, samples=100, method=method)(NETWORK, DATA)
    x = DATA.train.x[:100].astype(np.float64)
    for i, (old, new) in enumerate(zip(NETWORK.layers, network.layers)):
        wanted = (x @ old.weight.dense().T + old.bias).mean(axis=0)
        np.testing.assert_allclose((x @ new.weight.dense().T + new.bias).mean(axis=0), wanted, atol=1e-5)
        if i == 0:
            np.testing.assert_array_equal(new.weight.dense(), plain.layers[0].weight.dense())
            assert np.abs(new.bias - old.bias).max() > 1e-3
        x = np.maximum(x @ new.weight.dense().T.astype(np.float64) + new.bias, 0)


def test_equalized_networks_are_the_same_function_on_scales_for_all() -> None:
    uneven = NETWORK.with_layer(0, replace(NETWORK.layers[0], weight=Dense(NETWORK.layers[0].weight.dense() * FACTORS)))
    uneven = uneven.with_layer(0, replace(uneven.layers[0], bias=uneven.layers[0].bias * FACTORS[:, 0]))
    second = Dense(NETWORK.layers[1].weight.dense() / FACTORS.T)
    uneven = uneven.with_layer(1, replace(uneven.layers[1], weight=second))
    even = Equalize()(uneven, DATA)
    y = NETWORK(DATA.train.x)
    for network in (uneven, even):
        np.testing.assert_allclose(network(DATA.train.x), y, rtol=1e-4, atol=1e-4)
    coarse = Quantize(Uniform(4), PerTensor(), inputs=None)
    lost = [np.abs(coarse(network, DATA)(DATA.train.x) - y).mean() for network in (uneven, even)]
    assert lost[1] < lost[0] / 2
    for bad, message in (
        (Prune(0.5)(NETWORK, DATA), "layer 0: equalize dense floats, not Sparse"),
        (Quantize()(NETWORK, DATA), "layer 0: equalize dense floats, not Quantized"),
        (NETWORK.with_layer(0, replace(NETWORK.layers[0], activation=Tanh())), "no factor passes through Tanh"),
        (MLP((TANH, TANH)), "no factor passes through Tanh"),
        (MLP((replace(TANH, input=Grid(Uniform(), np.ones((1, 1)))),)), "equalize dense floats, not quantized inputs"),
    ):
        with pytest.raises(ValueError, match=message):
            Equalize()(bad, DATA)


@pytest.mark.parametrize("by", [smoothquant, partial(awq, format=Uniform(3), per=PerRow())])
def test_rescaled_networks_are_the_same_function(by) -> None:  # type: ignore[no-untyped-def]
    network = Rescale(by, samples=100)(NETWORK, DATA)
    np.testing.assert_allclose(network(DATA.train.x), NETWORK(DATA.train.x), rtol=1e-4, atol=1e-4)
    X = np.maximum(
        DATA.train.x[:100].astype(np.float64) @ NETWORK.layers[0].weight.dense().T + NETWORK.layers[0].bias, 0
    )
    W = NETWORK.layers[1].weight.dense()
    s = by(np.abs(X).max(axis=0), W) if by is smoothquant else by(W, X)
    np.testing.assert_allclose(network.layers[1].weight.dense(), W * s, rtol=1e-5)
    assert (s != 1).any() or by is not smoothquant


def test_factors_are_checked() -> None:
    for by, message in (
        (lambda W: W, "layer 1: factors are 12 floats"),
        (lambda W: -np.ones(W.shape[1]), "layer 1: factors are above 0, not -1"),
    ):
        with pytest.raises(ValueError, match=message):
            Rescale(by)(NETWORK, DATA)
    with pytest.raises(ValueError, match="no factor passes through Tanh"):
        Rescale()(MLP((TANH, TANH)), DATA)


def test_norms_are_folded_first() -> None:
    norm = replace(BatchNorm.init(12), gamma=np.linspace(0.5, 2, 12).astype(np.float32))
    network = NETWORK.with_layer(0, replace(NETWORK.layers[0], norm=norm))
    layer = Quantize(Uniform(8), inputs=None, method=gptq)(network, DATA).layers[0]
    assert layer.norm is None
    folded = network.layers[0].folded().weight.dense()
    assert np.abs(layer.weight.dense() - folded).max() < 3 * np.abs(folded).max() / 127


def test_recipes_name_methods(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = '[[steps]]\nstep = "Quantize"\nweights = { bits = 4 }\nmethod = { is = "k_best", K = 4 }\n'
    (tmp_path / "mine.toml").write_text(text)
    (step,) = Recipe.load(tmp_path / "mine.toml").steps
    assert repr(step) == "Quantize(weights=Uniform(bits=4), method=partial(k_best, K=4))"
    assert step(NETWORK, DATA).layers[0].integer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantize(method=gptq, during=FineTune(1)), "gptq rounds to a uniform grid at once: no training"),
        (lambda: Quantize(correct_bias=True, during=FineTune(1)), "biases that train need no correction"),
        (lambda: Quantize(mxfp4, method=gptq), "rounds to a uniform grid at once"),
        (lambda: Quantize(method=lambda W, H: W), "takes no grid"),
        (lambda: Quantize(method=lambda W, Z, grid: W), "asks for 'Z'"),
        (lambda: Quantize(method=lambda W, grid: W)(NETWORK, DATA), r"layer 0: codes are int8 \(12, 8\), not float32"),
        (
            lambda: Quantize(Uniform(4), method=lambda W, grid: grid.encode(W) * 0 + 8)(NETWORK, DATA),
            "from 8 to 8 leave",
        ),
        (lambda: Quantize(inputs=FLOAT_ZERO), "an input's zero point is a code"),
        (lambda: Quantize(weight_ranges=3), "ranges are functions, not 3"),
        (lambda: Quantize(method=gptq)(Prune(0.5)(NETWORK, DATA), DATA), "dense float weights .*, not Sparse"),
        (lambda: Quantize(method=gptq)(Quantize()(NETWORK, DATA), DATA), "dense float weights .*, not Quantized"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


def test_shared_values_are_quantized_with_their_norm_folded() -> None:
    network = FineTune(2, batch=20)(MLP.init([8, 6, 3], norm=True), DATA)
    shared = Share(4)(network, DATA)
    for step in (Quantize(), Quantize(method=gptq), Quantize(mxfp4, inputs=None)):
        assert step(shared, DATA).layers[0].norm is None
