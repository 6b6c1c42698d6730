"""Quantization by a method, as a step: what it is given, what it is held to, and that it is worth it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from nncomp.evidence import Evidence
from nncomp.formats import Grid, PerGroup, Uniform, mxfp4
from nncomp.layerwise import gram, output_error
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import Percentile, adaround, coordinate_descent, gptq, k_best, ldlq, nearest_plane, obq
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import FineTune, Prune, Quantize
from nncomp.steps.recipe import Recipe
from nncomp.weights import Quantized
from tests.strategies.data import small
from tests.strategies.weights import plain_codes

DATA = small(4, samples=200, apart=1.0)
NETWORK = FineTune(8, batch=20)(MLP.init([8, 12, 3], seed=1), DATA)
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
        (lambda: Quantize(mxfp4, method=gptq), "rounds to a uniform grid at once"),
        (lambda: Quantize(method=lambda W, H: W), "takes no grid"),
        (lambda: Quantize(method=lambda W, Z, grid: W), "asks for 'Z'"),
        (lambda: Quantize(method=lambda W, grid: W)(NETWORK, DATA), r"layer 0: codes are int8 \(12, 8\), not float32"),
        (lambda: Quantize(method=gptq)(Prune(0.5)(NETWORK, DATA), DATA), "dense float weights .*, not Sparse"),
        (lambda: Quantize(method=gptq)(Quantize()(NETWORK, DATA), DATA), "dense float weights .*, not Quantized"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
