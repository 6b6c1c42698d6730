"""Whole networks, forward and backward, against torch autograd in float64: every weight form, input grids, dropout."""

from collections.abc import Collection
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.activations import LeakyReLU
from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform
from nncomp.layer import InputQuantizer, Linear
from nncomp.network import MLP, backward, forward
from nncomp.norm import BatchNorm
from nncomp.quantize import Dynamic, Percentile, minmax, round_to_nearest
from nncomp.transforms import FakeQuantize, Masked
from nncomp.weights import Dense, Latent, LowRank, Quantized, Sparse, Sum, Weight

torch = pytest.importorskip("torch")

from tests.crosscheck.torch_graph import ACTIVATIONS, TorchNetwork, assert_close  # noqa: E402


def thin(w: np.ndarray) -> LowRank:
    """A product of rank 2 at most, of w's shape."""
    rank = min(2, *w.shape)
    return LowRank.of(w[:, :rank].copy(), w[:rank].copy())


FORMS = {
    "dense": lambda w, mask, format, per, ranges: Dense(w),
    "sparse": lambda w, mask, format, per, ranges: Sparse.from_dense(w, mask),
    "quantized": lambda w, mask, format, per, ranges: Quantized(*round_to_nearest(w, format, per, ranges)),
    "sparse and quantized": lambda w, mask, format, per, ranges: Quantized.encoded(
        Sparse.from_dense(w, mask), round_to_nearest(w * mask, format, per, ranges)[1]
    ),
    "masked": lambda w, mask, format, per, ranges: Latent.of(Masked(mask), w),
    "fake quantized": lambda w, mask, format, per, ranges: Latent.of(FakeQuantize(format, per, ranges), w),
    "masked and fake quantized": lambda w, mask, format, per, ranges: Latent.of(
        FakeQuantize(format, per, ranges, mask), w
    ),
    "low rank": lambda w, mask, format, per, ranges: thin(w),
    "codes times a sparse factor": lambda w, mask, format, per, ranges: LowRank(
        Quantized(*round_to_nearest(w[:, :1], format, per, ranges)), Sparse.from_dense(w[:1], mask[:1])
    ),
    "fake quantized factors": lambda w, mask, format, per, ranges: LowRank(
        *(Latent.of(FakeQuantize(format, per, ranges), f) for f in (w[:, :1].copy(), w[:1].copy()))
    ),
    "codes, outliers and factors": lambda w, mask, format, per, ranges: Sum(
        (Quantized(*round_to_nearest(w, format, per, ranges)), Sparse.from_dense(w, mask), thin(w))
    ),
}

seeds = st.integers(0, 2**32 - 1)
formats = st.builds(
    Uniform, bits=st.sampled_from([2, 3, 4, 8, 16]), signed=st.booleans(), symmetric=st.booleans(), narrow=st.booleans()
)
granularities = st.one_of(st.just(PerTensor()), st.just(PerRow()), st.builds(PerGroup, st.integers(1, 4)))
ranges = st.sampled_from([minmax, Percentile(90)])  # the second saturates, so that gradients are clipped
activations = st.sampled_from([f() for f in ACTIVATIONS] + [LeakyReLU(0.2)])


@st.composite
def weights(draw: st.DrawFn, shape: tuple[int, int], form: str) -> Weight:
    rng = np.random.default_rng(draw(seeds))
    w, mask = rng.normal(size=shape) / np.sqrt(shape[1]), rng.random(shape) < 0.6
    return FORMS[form](w, mask, draw(formats), draw(granularities), draw(ranges))


@st.composite
def input_quantizers(draw: st.DrawFn) -> InputQuantizer:
    format = draw(formats)
    if draw(st.booleans()):
        return Dynamic(format, draw(st.sampled_from([PerRow(), PerTensor()])), draw(ranges))
    rng = np.random.default_rng(draw(seeds))
    scale = np.array([[rng.uniform(1, 4) / (format.qmax - format.qmin)]])  # saturates some of a normal input
    zero = None if format.symmetric else rng.integers(format.qmin, format.qmax, (1, 1), format.dtype, endpoint=True)
    return Grid(format, scale, zero)


@st.composite
def networks(draw: st.DrawFn, forms=st.sampled_from(sorted(FORMS)), norms=st.just(False), inputs=st.none()) -> MLP:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(seeds))
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        norm = None
        if draw(norms):
            # A larger eps than usual: of a batch whose quantized values are few, eps is all that the gradient keeps.
            gamma, beta, mean = rng.normal(size=(3, fan_out))
            norm = BatchNorm(gamma, beta, mean, rng.uniform(0.5, 2, fan_out), eps=1e-2)
        weight = draw(weights((fan_out, fan_in), draw(forms)))
        layers.append(Linear(weight, rng.normal(size=fan_out), draw(activations), norm, draw(inputs)))
    return MLP(tuple(layers))


def coded(weight: Weight) -> bool:
    """Whether the weight's values are few: integers times scales."""
    if isinstance(weight, Sum):
        return any(coded(part) for part in weight.parts)
    if isinstance(weight, LowRank):
        return coded(weight.A) or coded(weight.B)
    return isinstance(weight, Quantized) or (isinstance(weight, Latent) and isinstance(weight.transform, FakeQuantize))


def assert_gradients(network: MLP, seed: int, dropout: tuple[float, ...] = (), at: Collection[int] = (-1,)) -> None:
    """The outputs of all layers, and the gradients at all params, from random ones at the outputs of the layers `at`.

    Layers are counted around, so that -1 is the last of any network.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(4, 10), network.sizes[0]))
    outputs, tape = forward(network, x, dropout, rng)
    graph = TorchNetwork(network)
    theirs = graph.outputs(x, training=True, dropped=[saved.dropped for saved in tape])
    for saved, expected in zip(tape, theirs):
        assert_close(saved.a, expected)
    np.testing.assert_array_equal(outputs, tape[-1].a)

    at_outputs = {i % len(tape): rng.normal(size=tape[i % len(tape)].a.shape) for i in at}
    expected_gradients = graph.gradients(theirs, at_outputs)
    # A batch norm cancels a shift and a scale of what comes before it, and small integers cancel each other: then the
    # gradient at some array vanishes identically, and only rounding errors are left of it. Where either can happen, the
    # measure is the gradient of the whole network; elsewhere it is the gradient at that array alone.
    cancels = any(layer.norm is not None or layer.input is not None or coded(layer.weight) for layer in network.layers)
    whole = float(np.sqrt(sum(float((g**2).sum()) for layer in expected_gradients for g in layer)))
    for ours, expected_layer in zip(backward(network, tape, at_outputs), expected_gradients, strict=True):
        for gradient, expected in zip(ours, expected_layer, strict=True):
            assert_close(gradient, expected, norm=whole if cancels else None)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25)
@given(st.data(), seeds)
def test_every_weight_form(form: str, data: st.DataObject, seed: int) -> None:
    assert_gradients(data.draw(networks(forms=st.just(form))), seed)


@settings(max_examples=50)
@given(networks(forms=st.just("dense"), norms=st.booleans()), seeds)
def test_with_batch_norm(network: MLP, seed: int) -> None:
    assert_gradients(network, seed)


@settings(max_examples=50)
@given(networks(inputs=input_quantizers()), seeds)
def test_input_grids_pass_the_gradient_where_they_do_not_saturate(network: MLP, seed: int) -> None:
    assert_gradients(network, seed)


@settings(max_examples=25)
@given(networks(forms=st.just("dense")), st.sets(st.integers(0, 2), min_size=1), seeds)
def test_gradients_given_at_hidden_layers(network: MLP, at: set[int], seed: int) -> None:
    assert_gradients(network, seed, at=at)


@settings(max_examples=25)
@given(networks(inputs=st.none() | input_quantizers()), st.floats(0.1, 0.5), seeds)
def test_dropout(network: MLP, rate: float, seed: int) -> None:
    assert_gradients(network, seed, dropout=(rate,) * len(network.layers))


@settings(max_examples=50)
@given(networks(norms=st.booleans(), inputs=st.none() | input_quantizers()), st.floats(0, 0.5), seeds)
def test_everything_at_once(network: MLP, rate: float, seed: int) -> None:
    assert_gradients(network, seed, dropout=(rate,) * len(network.layers), at={0, 1, 2})


@settings(max_examples=50)
@given(networks(norms=st.booleans(), inputs=st.none() | input_quantizers()), st.integers(1, 5), seeds)
def test_inference_in_integers_is_the_torch_graph_too(network: MLP, batch: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(batch, network.sizes[0]))
    assert_close(network(x), TorchNetwork(network).outputs(x, training=False)[-1])


def test_dropout_keeps_the_expected_input() -> None:
    network = MLP((Linear(Dense(np.ones((1, 1))), np.zeros(1)),))
    _, (saved,) = forward(network, np.ones((10_000, 1)), [0.25], np.random.default_rng(0))
    assert set(np.unique(saved.dropped)) == {0, 1 / 0.75}
    # torch drops with the same probability: the share of zeros is binomial, four standard deviations of it are 0.0174.
    theirs = torch.nn.functional.dropout(torch.ones(10_000, dtype=torch.float64), 0.25)
    assert set(theirs.unique().tolist()) == {0, 1 / 0.75}
    assert np.mean(saved.dropped == 0) == pytest.approx(0.25, abs=0.0174)
