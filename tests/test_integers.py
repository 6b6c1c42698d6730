"""Networks in integers alone, against a plain evaluation in Python's integers and fractions."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import Identity, ReLU, Tanh
from nncomp.data import load_data
from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform
from nncomp.formats.requantize import round_then_zero, tflite_single
from nncomp.integers import IntegerLayer, IntegerMLP
from nncomp.layer import Linear
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import Dynamic
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import FineTune, Quantize
from nncomp.transforms import XNOR, learned_step
from nncomp.weights import Dense, Latent, Quantized, Sparse
from tests.strategies.weights import plain_codes, seeds

FROM_ZERO = Uniform(8, signed=False, symmetric=False)
LONG = FineTune(50, optimizer=Adam(3e-3), schedule=Cosine())


@st.composite
def static_networks(draw: st.DrawFn) -> MLP:
    """Layers of bytes, of few bits and of signs, dense and sparse, with inputs of 1 to 8 bits, some after a ReLU."""
    rng = np.random.default_rng(draw(seeds))
    sizes = draw(st.lists(st.integers(1, 70), min_size=2, max_size=4))
    layers = []
    for inputs, outputs in pairwise(sizes):
        W = rng.standard_normal((outputs, inputs)).astype(np.float32)
        kind = draw(st.sampled_from(["signs", "signs", "bytes", "sparse"]))
        if kind == "signs":
            weight = Latent.of(XNOR(), W).store()
        else:
            format = Uniform(draw(st.integers(2, 8)), draw(st.booleans()), draw(st.booleans()), draw(st.booleans()))
            floats = Sparse.from_dense(W, rng.random(W.shape) < 0.5) if kind == "sparse" else Dense(W)
            per = draw(st.sampled_from([PerRow(), PerTensor()]))
            weight = Quantized.encoded(floats, fit_grid(W, format, per))
        seen = Uniform(draw(st.sampled_from([1, 1, 2, 8])), draw(st.booleans()), symmetric=False)
        ends = np.array([[-rng.uniform(0, 2) * draw(st.booleans()), rng.uniform(0.1, 2)]], np.float32)
        grid = fit_grid(ends, seen, PerTensor())
        bias = rng.standard_normal(outputs).astype(np.float32)
        layers.append(Linear(weight, bias, ReLU() if draw(st.booleans()) else Identity(), input=grid))
    return MLP(tuple(layers))


def evaluated(network: IntegerMLP, q: np.ndarray, rule: Callable[..., int]) -> np.ndarray:
    """Each code of the outputs, by loops over Python's integers; `rule`: a sum times its scales, rounded."""
    for layer in network.layers:
        weight, x, y = layer.weight, layer.input, layer.output
        kept = weight.codes.mask if isinstance(weight.codes, Sparse) else np.ones(weight.shape, bool)
        steps = np.where(kept, plain_codes(weight).astype(np.int64) - weight.grid.zeros, 0).tolist()
        scales = np.broadcast_to(weight.grid.scale, (len(steps), 1))[:, 0]
        x_zero, y_zero, rows = int(x.zeros[0, 0]), int(y.zeros[0, 0]), []
        for sample in q.tolist():
            sums = [sum((a - x_zero) * w for a, w in zip(sample, row)) + int(b) for row, b in zip(steps, layer.bias)]
            found = [rule(s, (x.scale[0, 0], w, y.scale[0, 0])) + y_zero for s, w in zip(sums, scales)]
            rows.append([min(max(c, y_zero if layer.relu else y.format.qmin), y.format.qmax) for c in found])
        q = np.array(rows, np.int64).reshape(len(q), len(steps))
    return q


def onnx_runtime(total: int, scales: tuple[np.float32, np.float32, np.float32]) -> int:
    x, w, y = scales
    return int(np.rint(np.float32(total) * (x * w / y)))


def tflite(total: int, scales: tuple[np.float32, np.float32, np.float32]) -> int:
    """m of 31 bits and a power of two, the product rounded half up."""
    x, w, y = (float(s) for s in scales)
    mantissa, power = math.frexp(x * w / y)
    m = math.floor(Fraction(mantissa) * 2**31 + Fraction(1, 2))
    return math.floor(total * Fraction(m, 2**31) * Fraction(2) ** power + Fraction(1, 2))


RULES = st.sampled_from([(round_then_zero, onnx_runtime), (tflite_single, tflite)])


@given(static_networks(), st.integers(0, 5), seeds, RULES)
def test_codes_are_those_of_plain_integers(network: MLP, batch: int, seed: int, rules) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    integers = IntegerMLP.of(network, rng.standard_normal((9, network.sizes[0])).astype(np.float32), rules[0])
    x = 2 * rng.standard_normal((batch, network.sizes[0])).astype(np.float32)
    q = integers.layers[0].input.encode(x)
    codes = integers.codes(q)
    assert codes.dtype == integers.layers[-1].output.format.dtype
    np.testing.assert_array_equal(codes, evaluated(integers, q, rules[1]))
    np.testing.assert_array_equal(codes, integers.defined(q))
    np.testing.assert_array_equal(integers(x), integers.layers[-1].output.decode(codes))


@pytest.mark.parametrize("requantize", [round_then_zero, tflite_single])
def test_nothing_is_lost_on_digits(requantize) -> None:  # type: ignore[no-untyped-def]
    data = load_data("digits")
    network = Quantize()(FineTune(20)(MLP.init([64, 32, 32, 10], norm=True), data), data)
    integers = IntegerMLP.of(network, data.train.x, requantize)
    assert accuracy(integers, data.validation) > accuracy(network, data.validation) - 0.01  # type: ignore[arg-type]
    assert np.abs(integers(data.validation.x) - network(data.validation.x)).max() < 4 * integers.layers[-1].output.scale


def test_a_network_of_signs_runs_on_thresholds() -> None:
    data, few = load_data("digits"), Uniform(1, signed=False, symmetric=False)
    start = FineTune(10)(MLP.init([64, 64, 64, 10], norm=True), data)
    step = Quantize(through=XNOR(), inputs=few, first_inputs=FROM_ZERO, train_inputs=learned_step, during=LONG)
    network = step(start, data)
    integers = IntegerMLP.of(network, data.train.x)
    assert accuracy(integers, data.validation) > accuracy(network, data.validation) - 0.02 > 0.8  # type: ignore[arg-type]
    q = integers.layers[0].input.encode(data.validation.x)
    np.testing.assert_array_equal(integers.codes(q), integers.defined(q))


def test_a_bit_that_no_sum_sets_stays_0() -> None:
    one, zero, none = np.ones((1, 1), np.float32), np.zeros((1, 1), np.uint8), np.zeros(1, np.int32)
    codes = Quantized.encoded(Dense(one), Grid(Uniform(2), one))
    fine, coarse = (Grid(Uniform(1, signed=False, symmetric=False), s * one, zero) for s in (1, np.float32(2.5)))
    first, second = IntegerLayer(codes, none, fine, coarse), IntegerLayer(codes, none, coarse, coarse)
    assert IntegerMLP((first, second)).codes(np.array([[1]], np.uint8)) == [[0]]  # the largest sum, 1 / 2.5, is 0


def test_a_bias_is_in_the_nearest_whole_units() -> None:
    unit, one = np.float32([[0.5]]), np.ones((1, 1), np.float32)
    codes = Quantized.encoded(Dense(one), Grid(Uniform(), one))
    layer = Linear(codes, np.float32([0.9]), input=Grid(FROM_ZERO, unit))
    assert IntegerLayer.of(layer, Grid(FROM_ZERO, unit)).bias == [2]


def test_what_is_not_in_integers_is_told() -> None:
    rng = np.random.default_rng(0)
    W, x = rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((5, 4)).astype(np.float32)
    codes = Quantized.encoded(Dense(W), fit_grid(W, Uniform(), PerTensor()))
    grid = fit_grid(x, FROM_ZERO, PerTensor())
    layer = Linear(codes, np.zeros(3, np.float32), input=grid)
    unit = np.full(3, grid.scale[0, 0] * codes.grid.scale[0, 0])
    wide = replace(layer, input=fit_grid(x, Uniform(9, signed=False, symmetric=False), PerTensor()))
    groups = replace(layer, weight=Quantized.encoded(Dense(W), fit_grid(W, Uniform(), PerGroup(2))))
    for bad, message in (
        (replace(layer, weight=Dense(W)), "integers need codes with a static input grid, not Dense"),
        (replace(layer, input=Dynamic(FROM_ZERO)), "static input grid"),
        (replace(layer, activation=Tanh()), "know ReLU or nothing between layers, not Tanh"),
        (replace(layer, bias=3e9 * unit), "a bias of .* units leaves int32"),
        (replace(layer, bias=1.5e9 * unit), "reach 2.30"),
        (wide, "integers of inputs have 8 bits at most"),
        (groups, "integers of weights have 8 bits at most and one scale a row"),
    ):
        with pytest.raises(ValueError, match=message):
            IntegerMLP.of(MLP((bad,)), x)
    with pytest.raises(ValueError, match="some layers have none"):
        IntegerMLP.of(MLP((layer, Linear(Dense(W[:, :3].copy()), np.zeros(3, np.float32)))), x)
    ours = IntegerLayer.of(layer, grid)
    one = IntegerMLP((replace(ours, input=fit_grid(x, Uniform(3, signed=False, symmetric=False), PerTensor())),))
    for q, message in (
        (np.zeros((2, 4), np.int8), "codes are uint8 .batch, 4., not int8"),
        (np.zeros((2, 3), np.uint8), r"not uint8 \(2, 3\)"),
        (np.full((2, 4), 8, np.uint8), "codes from 8 to 8 leave"),
    ):
        with pytest.raises(ValueError, match=message):
            one.codes(q)
    with pytest.raises(ValueError, match="feeds"):
        IntegerMLP((ours, ours))
    with pytest.raises(ValueError, match="a bias is int32"):
        replace(ours, bias=np.zeros(3))
    with pytest.raises(ValueError, match="integers of outputs"):
        replace(ours, output=Grid(Uniform(16), np.ones((1, 1), np.float32)))
