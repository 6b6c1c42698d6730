"""The network: gradients through everything at once, dropout, and the integer path against plain int64."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.activations import Identity, ReLU, Tanh
from nncomp.formats import Grid, PerRow, Uniform
from nncomp.layer import Linear
from nncomp.network import MLP, backward, forward
from nncomp.quantize import Dynamic
from nncomp.quantize.nearest import fit_grid
from nncomp.weights import Dense, Quantized, Sparse
from tests.gradients import assert_gradient
from tests.strategies.networks import layers, networks
from tests.strategies.weights import plain_codes, seeds

AT_A_BEND = Grid(Uniform(bits=2, signed=False, symmetric=False), np.array([[0.08594503]]), np.array([[2]], np.uint8))


def tame(layer: Linear) -> Linear:
    """Curved on the scale of one, so that a step of 1e-5 is small: no kinks, no saturation, no division by nearly 0."""
    weight, largest = layer.weight, np.abs(layer.weight.dense()).max() or 1.0
    if isinstance(weight, Quantized):
        half, power = np.frexp(weight.grid.scale / largest)
        # Mantissas from 1.25 to 1.75: at 1 the parameter's curve has a bend, which a central difference sees.
        scale = np.ldexp(half + 0.75, power - 1)
        weight = replace(weight, grid=replace(weight.grid, scale=scale))
    elif weight.params:
        weight = weight.with_params((weight.params[0] / largest, *weight.params[1:]))
    return replace(layer, activation=Tanh(), weight=weight, norm=replace(layer.norm, eps=1.0) if layer.norm else None)


@given(networks(np.float64, quantized_inputs=False), seeds)
@example(MLP((Linear(Quantized(np.array([[3]], np.uint8), AT_A_BEND), np.array([0.125]), Identity()),)), 0)
def test_gradient_of_a_whole_network(network: MLP, seed: int) -> None:
    """With gradients injected at every layer's output, as distillation of hidden activations does."""
    network = network.with_layers(tame)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, network.sizes[0]))
    _, tape = forward(network, x)
    given = {i: rng.standard_normal(saved.a.shape) for i, saved in enumerate(tape)}

    def loss(*flat: np.ndarray) -> float:
        rest = list(flat)
        params = [[rest.pop(0) for _ in layer] for layer in network.params]
        _, tape = forward(network.with_params(params), x)
        return sum(float((g * tape[i].a).sum()) for i, g in given.items())

    gradients = backward(network, tape, given)
    assert_gradient(
        loss, [p for layer in network.params for p in layer], [g for layer in gradients for g in layer], seed
    )


@given(layers(5, np.float64, quantized_inputs=True, norms=False), seeds)
def test_gradient_passes_straight_through_an_unsaturated_input_grid(layer: Linear, seed: int) -> None:
    """The surrogate of the input is `x + r` inside the grid's range and constant outside, its residue r held."""
    layer = replace(layer, activation=Identity())
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 5)) * 2
    dy = rng.standard_normal((3, layer.weight.shape[0]))
    grid = layer.input.grid_for(x) if layer.input else None
    seen = grid.decode(grid.encode(x)) if grid else x
    inside = np.ones(x.shape, bool)
    if grid:
        codes = np.rint(x / grid.scale) + grid.zeros
        inside = (codes >= grid.format.qmin) & (codes <= grid.format.qmax)
    dx, _ = layer.backward(layer.forward(x)[1], dy)
    assert dx is not None
    residue, w = seen - x, layer.weight.dense()
    assert_gradient(lambda x: float((dy * (np.where(inside, x + residue, seen) @ w.T)).sum()), [x], [dx], seed)


def plain_integer_layer(layer: Linear, x: np.ndarray) -> np.ndarray:
    """The layer by its definition: NumPy int64 sums, no kernel, no weight class.

    Of twice the steps, whole where zero points lie halfway, times half the scale: powers of two change no bit.
    """
    weight, grid = layer.weight, layer.input.grid_for(x)  # type: ignore[union-attr]
    assert isinstance(weight, Quantized)
    q = np.clip(np.rint(x / grid.scale) + grid.zeros, grid.format.qmin, grid.format.qmax).astype(np.int64)
    kept = weight.codes.mask if isinstance(weight.codes, Sparse) else True
    codes = plain_codes(weight)
    group = weight.grid.group or weight.shape[1]
    y = np.zeros((len(x), weight.shape[0]), x.dtype)
    for block, start in enumerate(range(0, weight.shape[1], group)):
        columns = slice(start, start + group)
        zeros = (2 * weight.grid.zeros[:, [block]]).astype(np.int64)
        twice = np.where(kept, 2 * codes.astype(np.int64) - zeros, 0)[:, columns]
        acc = (q[:, columns] - grid.zeros.astype(np.int64)) @ twice.T
        y += acc.astype(x.dtype) * (grid.scale * weight.grid.scale[:, [block]].T / 2)
    y += layer.bias
    return layer.activation(y if layer.norm is None else layer.norm.apply(y))


@st.composite
def integer_networks(draw: st.DrawFn) -> MLP:
    """Networks whose every layer multiplies integers."""
    network = draw(networks(np.float32))
    if not all(layer.integer for layer in network.layers):
        network = network.with_layers(
            lambda layer: replace(
                layer,
                weight=layer.weight
                if isinstance(layer.weight, Quantized) and layer.weight.whole is not None
                else quantized(layer.weight.prepared()),
                input=layer.input or Dynamic(Uniform(signed=False, symmetric=False)),
            )
        )
    return network


def quantized(weight: Dense | Sparse) -> Quantized:
    scale = np.maximum(np.abs(weight.dense()).max(axis=1, keepdims=True), np.float32(1e-3)) / np.float32(127)
    return Quantized.encoded(weight, Grid(Uniform(), scale))


@given(integer_networks(), seeds, st.integers(0, 5))
def test_integer_network_equals_a_plain_int64_evaluation(network: MLP, seed: int, batch: int) -> None:
    x = np.random.default_rng(seed).standard_normal((batch, network.sizes[0])).astype(np.float32)
    expected = x
    for layer in network.layers:
        assert layer.integer
        expected = plain_integer_layer(layer, expected)
    assert network(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("bits", [1, 2, 4, 5])
@pytest.mark.parametrize("signed", [True, False])
def test_a_large_layer_of_few_bits_equals_a_plain_int64_evaluation(bits: int, signed: bool) -> None:
    """Batches of up to four go another way than larger ones, where the weight has at least 2^20 codes of 4 bits."""
    rng = np.random.default_rng(bits)
    W = rng.standard_normal((1024, 1025)).astype(np.float32)
    grid = fit_grid(W, Uniform(bits, signed, symmetric=False), PerRow())
    seen = Dynamic(Uniform(signed=False, symmetric=False))
    network = MLP((Linear(Quantized.encoded(Dense(W), grid), W[:, 0].copy(), ReLU(), input=seen),))
    for batch in (1, 4, 5):
        x = rng.standard_normal((batch, 1025)).astype(np.float32)
        assert network(x).tobytes() == plain_integer_layer(network.layers[0], x).tobytes()


@given(integer_networks(), seeds)
def test_fake_quantized_path_gives_the_same_codes_but_for_ties(network: MLP, seed: int) -> None:
    """Both paths from the same codes, a layer at a time: the next codes are equal, or one apart at a tie."""
    x = np.random.default_rng(seed).standard_normal((6, network.sizes[0])).astype(np.float32)
    for layer, after in pairwise(network.layers):
        if layer.norm is not None:
            return  # in training a norm sees the batch's statistics, which is another function
        exact, fake = layer(x), layer.forward(x)[0]
        if not isinstance(after.input, Grid):
            return  # a dynamic grid follows its input, so the two paths have two grids
        a, b = (after.input.encode(v).astype(int) for v in (exact, fake))
        assert np.abs(a - b).max(initial=0) <= 1
        seen = layer.input.grid_for(x)  # type: ignore[union-attr]
        size = np.abs(seen.decode(seen.encode(x))) @ np.abs(layer.weight.dense()).T + np.abs(layer.bias)
        error = (layer.weight.shape[1] + 8) * np.finfo(np.float32).eps * size * 2  # activations have slopes below 2
        distance = np.abs(np.abs(exact / after.input.scale % 1) - 0.5) * after.input.scale
        assert (distance[a != b] <= error[a != b]).all()
        x = exact


def test_dropout_keeps_the_expectation_and_its_gradient_is_the_same_factor() -> None:
    layer = Linear(Dense(np.eye(3)), np.zeros(3))
    x = np.full((20_000, 3), 2.0)
    y, saved = layer.forward(x, dropout=0.25, rng=np.random.default_rng(0))
    assert set(np.unique(y)) == {0.0, 2.0 / 0.75}
    # 60,000 draws of a mean 2 with standard deviation 2 sqrt(1/3): five of its standard errors.
    assert abs(y.mean() - 2) < 5 * 2 * np.sqrt(1 / 3 / 60_000)
    dx, _ = layer.backward(saved, np.ones_like(y))
    np.testing.assert_array_equal(dx, y / 2)
    again = layer.forward(x, dropout=0.25, rng=np.random.default_rng(0))[0]
    assert again.tobytes() == y.tobytes()


def test_calling_a_network_casts_floats_and_refuses_the_rest() -> None:
    network = MLP.init([3, 2])
    x = np.ones((2, 3))
    assert network(x).dtype == np.float32 and network(x[:0]).shape == (0, 2)
    assert MLP.init([300, 2])(np.ones((1, 300))).shape == (1, 2)
    same = x.astype(np.float32)
    assert network.check(same) is same
    for bad in (x[0], x[None], x[:, :, None], x[:, :2], np.ones((2, 4)), x.astype(np.uint8)):
        with pytest.raises(ValueError, match=re.escape(f"(batch, 3), not {bad.dtype} of shape {bad.shape}")):
            network(bad)


def test_init_gives_every_layer_but_the_last_an_activation_and_a_norm() -> None:
    network = MLP.init([2, 300, 3, 1], Tanh(), norm=True)
    assert network.sizes == [2, 300, 3, 1]
    assert [layer.activation for layer in network.layers] == [Tanh(), Tanh(), Identity()]
    assert [layer.norm is not None for layer in network.layers] == [True, True, False]
    assert not any(layer.norm for layer in MLP.init([2, 3, 1]).layers)
    deep = MLP.init([1] * 400, Tanh(), norm=True)
    assert [layer.activation for layer in deep.layers] == [Tanh()] * 398 + [Identity()]
    assert [layer.norm is None for layer in deep.layers] == [False] * 398 + [True]
    assert len(forward(deep, np.ones((2, 1)), [0.0] * 399)[1]) == 399


def test_the_seed_is_0_unless_given() -> None:
    assert MLP.init([3, 2]).fingerprint() == MLP.init([3, 2], seed=0).fingerprint()


def test_backward_asks_for_no_gradient_at_the_inputs() -> None:
    asked = []

    class Watched(Dense):
        def vjp(self, saved, dy, need_dx=True):  # type: ignore[no-untyped-def]
            asked.append(need_dx)
            return super().vjp(saved, dy, need_dx)

    network = MLP(tuple(Linear(Watched(np.eye(2)), np.zeros(2)) for _ in range(3)))
    backward(network, forward(network, np.ones((1, 2)))[1], {2: np.ones((1, 2))})
    assert asked == [True, True, False]


def test_bad_networks() -> None:
    w, b = Dense(np.ones((2, 3), np.float32)), np.zeros(2, np.float32)
    small, doubles = MLP.init([3, 2]), Linear(Dense(np.ones((2, 2))), np.zeros(2))
    tape = forward(small, np.ones((1, 3)))[1]
    for make, message in [
        (lambda: MLP(MLP.init([2, 3]).layers * 2), "3 float32 outputs are followed by 2 float32 inputs"),
        (lambda: MLP((Linear(w, b), doubles)), "2 float32 outputs are followed by 2 float64 inputs"),
        (lambda: MLP((doubles, Linear(Dense(w.w[:, :2]), b))), "2 float64 outputs are followed by 2 float32 inputs"),
        (lambda: small.with_params([]), "shorter"),
        (lambda: forward(small, np.ones((1, 3)), [0.0, 0.0]), r"a rate per layer: 1, not \[0.0, 0.0\]"),
        (lambda: forward(MLP.init([3, 2, 2]), np.ones((1, 3)), [0.0]), r"a rate per layer: 2, not \[0.0\]"),
        (lambda: backward(small, tape, {0: np.ones((1, 1))}), r"layer 0 put out \(1, 2\); .* cannot be \(1, 1\)"),
        (lambda: backward(small, tape, {0: np.ones((2, 2))}), r"layer 0 put out \(1, 2\); .* cannot be \(2, 2\)"),
        (lambda: backward(small, tape, {-1: b, 0: b[None], 2: b}), r"layers \[-1, 2\] of a network with 1 layers"),
        (lambda: MLP(()), "at least one layer"),
        (lambda: MLP((Dense(np.ones((2, 2))),)), "layers are Linear, not Dense"),  # type: ignore[arg-type]
        (lambda: MLP((Linear(w, b), Linear(w, b))), "2 float32 outputs are followed by 3 float32 inputs"),
        (lambda: MLP.init([3, 2], seed=-1), "a seed is at least 0, not -1"),
        (lambda: MLP.init([3]), "sizes run from inputs to outputs"),
        (lambda: MLP.init([3, 0]), "each at least 1"),
        (lambda: Linear(w, np.zeros(3, np.float32)), r"float32 \(2,\), not float32 \(3,\)"),
        (lambda: Linear(w, np.zeros(2)), "not float64"),
        (lambda: Linear(w, b, input=Grid(Uniform(), np.ones((2, 1)))), r"one scale, not \(2, 1\)"),
        (lambda: forward(MLP.init([3, 2]), np.ones((1, 3)), dropout=[0.5]), "a generator"),
        (lambda: backward(MLP.init([3, 2]), forward(MLP.init([3, 2]), np.ones((1, 3)))[1], {1: b}), r"layers \[1\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_repr_tells_networks_apart() -> None:
    a, b = MLP.init([3, 2], seed=0), MLP.init([3, 2], seed=1)
    assert repr(a) == repr(MLP.init([3, 2], seed=0)) != repr(b) and a.copied().fingerprint() == a.fingerprint()
    assert re.fullmatch(r"MLP\(\[3, 2\], [0-9a-f]{8}\)", repr(a))
