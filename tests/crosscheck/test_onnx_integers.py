"""Networks in integers alone beside ONNX Runtime: the same codes, as QGemm and as QDQ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp import IntegerMLP, from_onnx, to_onnx
from nncomp.activations import Identity, ReLU
from nncomp.formats import PerRow, PerTensor, Uniform
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import XNOR
from nncomp.weights import Dense, Latent, Quantized, Sparse
from tests.crosscheck.test_onnx_graph import run
from tests.strategies.weights import seeds

onnx = pytest.importorskip("onnx")


@st.composite
def byte_networks(draw: st.DrawFn) -> IntegerMLP:
    """Weights of 2 to 7 bits (processors without VNNI saturate pairs of more) and signs; bytes between layers."""
    rng = np.random.default_rng(draw(seeds))
    signed = draw(st.booleans())
    sizes = draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    layers = []
    for i, outputs in enumerate(sizes[1:]):
        W = rng.standard_normal((outputs, sizes[i])).astype(np.float32)
        weight = Latent.of(XNOR(), W).store()
        if draw(st.booleans()):
            format = Uniform(draw(st.integers(2, 7)), symmetric=draw(st.booleans()), narrow=draw(st.booleans()))
            floats = Sparse.from_dense(W, rng.random(W.shape) < 0.5) if draw(st.booleans()) else Dense(W)
            weight = Quantized.encoded(floats, fit_grid(W, format, draw(st.sampled_from([PerRow(), PerTensor()]))))
        seen = Uniform(8, signed, symmetric=False)
        ends = np.array([[-rng.uniform(0, 2) * draw(st.booleans()), rng.uniform(0.1, 2)]], np.float32)
        bias = rng.standard_normal(outputs).astype(np.float32)
        activation = ReLU() if draw(st.booleans()) else Identity()
        layers.append(Linear(weight, bias, activation, input=fit_grid(ends, seen, PerTensor())))
    x = rng.standard_normal((9, sizes[0])).astype(np.float32)
    return IntegerMLP.of(MLP(tuple(layers)), x, outputs=Uniform(8, signed, symmetric=False))


@settings(max_examples=150)
@given(byte_networks(), st.integers(1, 5), seeds, st.booleans())
def test_the_runtime_gives_the_same_codes(network: IntegerMLP, batch: int, seed: int, operators: bool) -> None:
    x = np.random.default_rng(seed).standard_normal((batch, network.layers[0].weight.shape[1])).astype(np.float32)
    model = to_onnx(network, integers=operators)
    np.testing.assert_array_equal(run(model, x), network(x))


@settings(max_examples=100)
@given(byte_networks(), seeds)
def test_in_floats_between_the_grids_codes_differ_at_ties_alone(network: IntegerMLP, seed: int) -> None:
    """Layer by layer, fed the same codes; `off`: what float32 sums can be off by, in steps of the outputs' grid."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        one, format, y = IntegerMLP((layer,)), layer.input.format, layer.output
        q = rng.integers(format.qmin, format.qmax + 1, (4, layer.weight.shape[1])).astype(format.dtype)
        x = layer.input.decode(q)
        codes, other = (y.encode(v).astype(int) for v in (one(x), run(to_onnx(one), x, optimized=False)))
        unit = (layer.input.scale.astype(float) * layer.weight.grid.scale)[:, 0]
        size = np.abs(x).astype(float) @ np.abs(layer.weight.dense()).T + np.abs(layer.bias * unit)
        off = 2.0**-23 * (layer.weight.shape[1] + 8) * size / y.scale[0, 0]
        from_tie = np.abs(layer.sums(q) * unit / y.scale[0, 0] % 1 - 0.5)
        assert (np.abs(codes - other) <= (from_tie <= off)).all()


@settings(max_examples=60)
@given(byte_networks(), seeds, st.booleans())
def test_graphs_come_back(network: IntegerMLP, seed: int, operators: bool) -> None:
    x = np.random.default_rng(seed).standard_normal((9, network.layers[0].weight.shape[1])).astype(np.float32)
    again = from_onnx(to_onnx(network, integers=operators))
    back = IntegerMLP.of(again, x)
    for ours, theirs in zip(network.layers, back.layers):
        np.testing.assert_array_equal(ours.bias, theirs.bias)
        np.testing.assert_array_equal(ours.weight.dense(), theirs.weight.dense())
        np.testing.assert_array_equal(ours.input.scale, theirs.input.scale)
        assert ours.input.zeros == theirs.input.zeros
        assert ours.low == theirs.low or ours is network.layers[-1], "whose grid was fitted anew"


def test_outputs_of_few_bits_are_no_bytes() -> None:
    W, x = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    grid = fit_grid(x, Uniform(8, signed=False, symmetric=False), PerTensor())
    layer = Linear(
        Quantized.encoded(Dense(W), fit_grid(W, Uniform(), PerTensor())), np.zeros(2, np.float32), input=grid
    )
    network = IntegerMLP.of(MLP((layer,)), x, outputs=Uniform(4))
    with pytest.raises(ValueError, match="QuantizeLinear gives whole bytes"):
        to_onnx(network)
    with pytest.raises(ValueError, match="layer0: QGemm takes and gives bytes of one kind"):
        to_onnx(IntegerMLP.of(MLP((layer,)), x, outputs=Uniform(8)), integers=True)
