"""One layer: what it is made of fits, what it keeps, and what dropout drops."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from nncomp.activations import ReLU
from nncomp.formats import Grid, Uniform, divide_add_round, multiply_add_round
from nncomp.layer import Linear
from nncomp.network import MLP, backward, forward
from nncomp.norm import BatchNorm
from nncomp.optim import Adam
from nncomp.quantize import Dynamic
from nncomp.weights import Dense, Quantized

F4, F8 = np.float32, np.float64
GRID = Grid(Uniform(), np.full((1, 1), 0.5))
CODES = Quantized(np.array([[1, -2], [3, 4]], np.int8), GRID)


@pytest.mark.parametrize(("outputs", "dtype"), [(1, F4), (3, F4), (2, F8)])
def test_bias_and_norm_fit_the_outputs(outputs: int, dtype: type) -> None:
    weight, bias = Dense(np.ones((2, 3), F4)), np.zeros(2, F4)
    with pytest.raises(ValueError, match=rf"float32 \(2,\), not {np.dtype(dtype)} \({outputs},\)"):
        Linear(weight, np.zeros(outputs, dtype))
    with pytest.raises(ValueError, match=f"{outputs} {np.dtype(dtype)} features after 2 float32 outputs"):
        Linear(weight, bias, norm=BatchNorm.init(outputs, dtype))


def test_a_narrower_dtype_than_the_weight_is_refused_too() -> None:
    weight, bias = Dense(np.ones((2, 3))), np.zeros(2)
    with pytest.raises(ValueError, match=r"float64 \(2,\), not float32"):
        Linear(weight, bias.astype(F4))
    with pytest.raises(ValueError, match="2 float32 features after 2 float64 outputs"):
        Linear(weight, bias, norm=BatchNorm.init(2, F4))


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (0, 1)])
def test_an_input_grid_has_one_scale(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"one scale, not \({shape[0]}, {shape[1]}\)"):
        Linear(CODES, np.zeros(2), input=Grid(Uniform(), np.ones(shape), group=1))


def test_dtypes_are_compared_by_value() -> None:
    """Arrays that were unpickled have a dtype object of their own."""
    fresh = MLP.init([3, 4, 2], norm=True)
    network = pickle.loads(pickle.dumps(fresh))
    assert network.layers[0].bias.dtype is not np.dtype(F4)
    mixed = MLP((fresh.layers[0], network.layers[1]))
    y, tape = forward(mixed, np.eye(3, dtype=F4))
    gradients = [g for layer in backward(mixed, tape, {1: np.ones_like(y)}) for g in layer]
    params = [p for layer in mixed.params for p in layer]
    Adam().update(params, gradients, pickle.loads(pickle.dumps(Adam().init(params))), t=1)
    Adam().update(params, pickle.loads(pickle.dumps(gradients)), Adam().init(params), t=1)
    for name in ("bias", "norm"):
        replace(fresh.layers[0], **{name: getattr(network.layers[0], name)})
    assert network.layers[0].weight.vjp(np.ones((1, 3), F4), np.ones((1, 4), F4))[1][0].shape == (4, 3)


def test_dtypes_of_codes_are_compared_by_value() -> None:
    grid = Grid(Uniform(), np.ones((1, 1)), pickle.loads(pickle.dumps(np.zeros((1, 1), np.int8))))
    assert Quantized(pickle.loads(pickle.dumps(CODES.codes)), grid).shape == CODES.shape


def test_an_integer_layer_keeps_no_decoded_copy() -> None:
    layer = Linear(CODES, np.zeros(2), input=GRID)
    assert layer.integer and layer.prepared is CODES
    floating = replace(layer, input=None)
    assert not floating.integer and isinstance(floating.prepared, Dense)
    assert floating.prepared is floating.prepared, "decoded once"


@pytest.mark.parametrize("rate", [-0.5, 1.0, 1.5])
def test_dropout_rates_are_fractions(rate: float) -> None:
    layer = Linear(Dense(np.eye(2)), np.zeros(2))
    with pytest.raises(ValueError, match=f"from 0 to below 1 and a generator, not {rate}"):
        layer.forward(np.ones((1, 2)), rate, np.random.default_rng(0))


def test_a_draw_equal_to_the_rate_is_kept() -> None:
    """Of the draws 0, d, 2d, ... below 1, the share below the rate is then the rate exactly."""
    rate = float(np.random.default_rng(0).random((1, 1), np.float32)[0, 0])
    layer = Linear(Dense(np.eye(1)), np.zeros(1))
    assert layer.forward(np.ones((1, 1)), rate, np.random.default_rng(0))[0].tolist() == [[1 / (1 - rate)]]


def test_folding_a_layer_without_norm_changes_nothing() -> None:
    layer = Linear(Dense(np.eye(2)), np.zeros(2), ReLU())
    assert layer.folded() is layer


@pytest.mark.parametrize("arithmetic", [multiply_add_round, divide_add_round])
def test_no_kernel_takes_an_input_grid_of_other_arithmetic(arithmetic) -> None:  # type: ignore[no-untyped-def]
    """An odd zero point turns ties, so that the kernel, which adds it after rounding, would give other codes."""
    format = Uniform(signed=False, symmetric=False, arithmetic=arithmetic)
    x = (np.arange(-7, 8, dtype=np.float32) / 2)[None]
    weight = Quantized(np.eye(15, dtype=np.int8), Grid(Uniform(), np.ones((1, 1), np.float32)))
    static = Grid(format, np.ones((1, 1), np.float32), np.array([[11]], np.uint8))
    for grid in (static, Dynamic(format)):
        y = Linear(weight, np.zeros(15, np.float32), input=grid)(x)
        fitted = grid.grid_for(x)
        np.testing.assert_array_equal(y, fitted.decode(fitted.encode(x)))


def test_zero_points_of_inputs_are_codes() -> None:
    format = Uniform(symmetric=False, integer_zero=False, arithmetic=divide_add_round)
    with pytest.raises(ValueError, match="an input's zero point is a code"):
        Linear(Dense(np.ones((1, 2))), np.zeros(1), input=Grid(format, np.ones((1, 1))))
    with pytest.raises(ValueError, match="an input's zero point is a code"):
        Dynamic(format)
