"""Input quantizers that train: the papers' equations in loops, in a layer, through training, and as what ships."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import ReLU
from nncomp.files import from_bytes, to_bytes
from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.layer import Linear
from nncomp.measure import layer_cost
from nncomp.network import MLP, backward, forward
from nncomp.norm import BatchNorm
from nncomp.optim import Adam
from nncomp.quantize import Dynamic, Percentile, minmax
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import FineTune, Prune, Quantize
from nncomp.transforms import LSQ, PACT, LearnedOffset, LearnedStep, TrainedInput, learned_offset, learned_step, pact
from nncomp.weights import Dense
from tests.gradients import assert_gradient
from tests.strategies.data import small
from tests.strategies.weights import seeds

FROM_ZERO = Uniform(3, signed=False, symmetric=False)
DATA = small(2, samples=200, apart=2.0)
NETWORK = FineTune(epochs=10, batch=20, optimizer=Adam(5e-3))(MLP.init([8, 12, 3], norm=True), DATA)
SHORT = FineTune(epochs=6, batch=20, optimizer=Adam(2e-3))
plain_step = partial(learned_step, gradient_scale=False)
plain_offset = partial(learned_offset, gradient_scale=False)
EACH: list[Callable[[Grid], TrainedInput]] = [pact, learned_step, plain_step, learned_offset, plain_offset]


def one(value: float, dtype: type = np.float64) -> np.ndarray:
    return np.full((1, 1), value, dtype)


@given(seed=seeds, alpha=st.floats(0.3, 3), bits=st.integers(1, 5))
def test_pact_is_equations_1_to_3(seed: int, alpha: float, bits: int) -> None:
    x, g = np.random.default_rng(seed).standard_normal((2, 4, 5)) * 2
    quantizer = PACT(Uniform(bits, signed=False, symmetric=False), one(alpha))
    seen = quantizer.grid_for(x).fake(x)[0]
    dx, (dalpha,) = quantizer.vjp(x, g)
    total, n = 0.0, 2**bits - 1
    for i in range(4):
        for j in range(5):
            y = 0.5 * (abs(x[i, j]) - abs(x[i, j] - alpha) + alpha)
            np.testing.assert_allclose(seen[i, j], round(y * n / alpha) * alpha / n, rtol=1e-12, atol=1e-15)
            assert dx[i, j] == (g[i, j] if 0 <= x[i, j] < alpha else 0)
            total += g[i, j] * (x[i, j] >= alpha)
    np.testing.assert_allclose(dalpha, one(total), rtol=1e-12, atol=1e-14)


@given(seed=seeds, s=st.floats(0.05, 1.5), zero=st.integers(0, 7), scaled=st.booleans())
def test_learned_steps_are_equations_3_and_5(seed: int, s: float, zero: int, scaled: bool) -> None:
    x, g = np.random.default_rng(seed).standard_normal((2, 4, 5))
    quantizer = LearnedStep(FROM_ZERO, one(s), np.full((1, 1), zero, np.uint8), scaled)
    seen, (dx, (ds,)) = quantizer.grid_for(x).fake(x)[0], quantizer.vjp(x, g)
    Q_N, Q_P, total = zero, 7 - zero, 0.0
    for i in range(4):
        for j in range(5):
            v = x[i, j] / s
            inside = -Q_N < v < Q_P
            assert seen[i, j] == s * round(min(max(v, -Q_N), Q_P)) and dx[i, j] == (g[i, j] if inside else 0)
            total += g[i, j] * (round(v) - v if inside else -Q_N if v <= -Q_N else Q_P)
    expected = total / np.sqrt(5 * max(Q_P, 1)) if scaled else total
    np.testing.assert_allclose(ds, one(expected), rtol=1e-11, atol=1e-13)


@given(seed=seeds, s=st.floats(0.05, 1.5), share=st.floats(-0.2, 1.2), signed=st.booleans(), scaled=st.booleans())
def test_learned_offsets_are_those_of_lsq_plus(seed: int, s: float, share: float, signed: bool, scaled: bool) -> None:
    """With beta at the multiple of s that it counts as, the paper's formulas hold as they stand."""
    x, g = np.random.default_rng(seed).standard_normal((2, 4, 5))
    format = replace(FROM_ZERO, signed=signed)
    beta = -min(max(round(7 * share), 0), 7) * s
    quantizer = LearnedOffset(format, one(s), one(-7 * share * s), scaled)
    seen, (dx, (ds, dbeta)) = quantizer.grid_for(x).fake(x)[0], quantizer.vjp(x, g)
    step, offset = 0.0, 0.0
    for i in range(4):
        for j in range(5):
            v = (x[i, j] - beta) / s
            inside, code = 0 < v < 7, round(min(max(v, 0), 7))
            np.testing.assert_allclose(seen[i, j], code * s + beta, rtol=1e-9, atol=1e-12)
            assert dx[i, j] == (g[i, j] if inside else 0)
            step += g[i, j] * (code - v if inside else code)
            offset += 0 if inside else g[i, j]
    np.testing.assert_allclose(ds, one(step / np.sqrt(5 * 7) if scaled else step), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(dbeta, one(offset), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("norm", [None, BatchNorm.init(3, np.float64)])
@given(seed=seeds)
def test_a_layers_gradients_agree_with_differences(norm: BatchNorm | None, seed: int) -> None:
    """Of PACT and LSQ together with weight, bias and norm, what rounding adds held constant."""
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    for quantizer in (PACT(FROM_ZERO, one(1.1)), LearnedStep(FROM_ZERO, one(0.2), np.full((1, 1), 3, np.uint8), False)):
        layer = Linear(Dense(rng.standard_normal((3, 4))), rng.standard_normal(3), norm=norm, input=quantizer)
        seen = quantizer.store().fake(x)[0]
        a = quantizer.params[0]

        def loss(x_: np.ndarray, *params: np.ndarray, layer=layer, seen=seen, a=a, x=x) -> float:  # type: ignore[no-untyped-def]
            if isinstance(layer.input, PACT):
                surrogate = np.clip(x_, 0, params[-1]) + seen - np.clip(x, 0, a)
            else:
                v, codes = x / a, seen / a
                inside = (v > -3) & (v < 4)
                surrogate = np.where(inside, x_ + params[-1] * (codes - v), params[-1] * codes)
            bare = replace(layer, input=None).with_params(params[:-1])
            return float((dy * bare.forward(surrogate)[0]).sum())

        dx, dparams = layer.backward(layer.forward(x)[1], dy)
        assert dx is not None
        assert_gradient(loss, [x, *layer.params], [dx, *dparams], seed, terms=float(np.abs(dy).sum()))
        without, same = layer.backward(layer.forward(x)[1], dy, need_dx=False)
        assert without is None and all((p == q).all() for p, q in zip(dparams, same))


@pytest.mark.parametrize("make", EACH)
def test_params_come_last_round_trip_and_are_copied(make: Callable[[Grid], TrainedInput]) -> None:
    grid = fit_grid(np.array([[-1.0, 2.0]], np.float32), FROM_ZERO, PerTensor())
    quantizer = make(grid)
    layer = replace(NETWORK.layers[0], input=quantizer)
    assert all(p is q for p, q in zip(layer.params[-len(quantizer.params) :], quantizer.params))
    moved = layer.with_params([p + 1 for p in layer.params])
    for p, q in zip(moved.params, layer.params):
        np.testing.assert_array_equal(p, q + 1)
    assert moved.norm is not None and moved.norm.beta[0] == layer.norm.beta[0] + 1  # type: ignore[union-attr]
    assert all(p is not q and (p == q).all() for p, q in zip(layer.copied().params, layer.params))
    extra = layer_cost(layer).stored - layer_cost(NETWORK.layers[0]).stored
    held = isinstance(quantizer, LearnedStep)  # a zero point of one byte
    assert extra == 4 * len(quantizer.params) + held == quantizer.nbytes


@pytest.mark.parametrize("make", EACH)
@pytest.mark.parametrize("format", [FROM_ZERO, Uniform(4, symmetric=False), Uniform(8, signed=False, symmetric=False)])
def test_they_start_as_the_grid_and_ship_as_one(make: Callable[[Grid], TrainedInput], format: Uniform) -> None:
    """PACT as the part of it from 0 on; a network in training computes what the stored one does, bit for bit."""
    x = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    grid = fit_grid(x, format, PerTensor(), Percentile(90.0))
    quantizer = make(grid)
    expected = grid.fake(np.maximum(x, 0) if make is pact else x)[0]
    if make is pact:
        step = quantizer.store().scale[0, 0]
        assert np.abs(quantizer.grid_for(x).fake(x)[0] - np.clip(x, 0, expected.max())).max() <= 0.5001 * step
    else:
        np.testing.assert_array_equal(quantizer.grid_for(x).fake(x)[0], expected)
    layer = Linear(Dense(x[:3].copy()), np.zeros(3, np.float32), ReLU(), input=quantizer)
    shipped = layer.stored()
    assert isinstance(shipped.input, Grid) and shipped.weight is layer.weight
    assert shipped(x).tobytes() == layer(x).tobytes() == layer.forward(x)[0].tobytes()


@pytest.mark.parametrize("make", EACH)
def test_ranges_train_in_networks_of_integers(make: Callable[[Grid], TrainedInput]) -> None:
    inputs = Uniform(4, signed=False, symmetric=False)
    step = Quantize(through=LSQ(Uniform(4)), inputs=inputs, input_ranges=Percentile(98.0), during=SHORT)
    trained = replace(step, train_inputs=make)(NETWORK, DATA)
    fixed = step(NETWORK, DATA)
    for layer, other in zip(trained.layers, fixed.layers):
        assert layer.integer and isinstance(layer.input, Grid) and isinstance(other.input, Grid)
        assert layer.input.scale != other.input.scale, "it has moved"
    accuracy = [(n(DATA.train.x).argmax(axis=1) == DATA.train.y).mean() for n in (trained, NETWORK)]
    assert accuracy[0] > accuracy[1] - (0.3 if make is pact else 0.1)  # the data has values below 0
    pruned = replace(step, train_inputs=make)(Prune(0.5)(NETWORK, DATA), DATA)
    assert all(layer.integer for layer in pruned.layers)


@pytest.mark.parametrize("make", EACH)
def test_a_network_in_training_round_trips_through_a_file(tmp_path: Path, make: Callable[[Grid], TrainedInput]) -> None:
    grid = fit_grid(np.array([[-1.0, 2.0]], np.float32), FROM_ZERO, PerTensor())
    network = NETWORK.with_layers(lambda layer: replace(layer, input=make(grid)))
    again = from_bytes(to_bytes(network))
    assert again.fingerprint() == network.fingerprint() and isinstance(again.layers[0].input, type(make(grid)))
    outputs, tape = forward(again, DATA.train.x)[0], forward(network, DATA.train.x)
    assert np.array_equal(outputs, tape[0])


def test_a_whole_network_hands_on_the_gradients_of_its_inputs() -> None:
    grid = fit_grid(np.array([[-1.0, 2.0]], np.float32), FROM_ZERO, PerTensor())
    network = NETWORK.with_layers(lambda layer: replace(layer, input=learned_step(grid)))
    outputs, tape = forward(network, DATA.train.x)
    gradients = backward(network, tape, {1: np.ones_like(outputs)})
    assert [[g.shape for g in of] for of in gradients] == [[p.shape for p in layer] for layer in network.params]
    assert all(np.abs(of[-1]).max() > 0 for of in gradients)


@pytest.mark.parametrize("lost", [0.0, -1.0, 1e-44])
def test_what_training_makes_of_a_step_is_a_grid(lost: float) -> None:
    x, g = np.array([[-1.0, 0.0, 2.0]], np.float32), np.ones((1, 3), np.float32)
    a = one(lost, np.float32)
    for quantizer in (PACT(FROM_ZERO, a), LearnedStep(FROM_ZERO, a), LearnedOffset(FROM_ZERO, a, one(-1, np.float32))):
        assert np.isfinite(quantizer.store().fake(x)[0]).all()
        dx, dparams = quantizer.vjp(x, g)
        assert all(np.isfinite(d).all() and d.dtype == np.float32 for d in (dx, *dparams))
        assert [d.shape for d in dparams] == [p.shape for p in quantizer.params]
        empty, none = quantizer.vjp(x[:0], g[:0])
        assert empty.shape == (0, 3) and not any(d.any() for d in none)


@given(seed=seeds, s=st.floats(0.05, 1.5), scaled=st.booleans())
def test_a_step_below_0_counts_as_its_size_and_has_the_opposite_slope(seed: int, s: float, scaled: bool) -> None:
    x, g = np.random.default_rng(seed).standard_normal((2, 4, 5))
    zero, beta = np.full((1, 1), 3, np.uint8), one(-0.7)
    for above, below in (
        (LearnedStep(FROM_ZERO, one(s), zero, scaled), LearnedStep(FROM_ZERO, one(-s), zero, scaled)),
        (LearnedOffset(FROM_ZERO, one(s), beta, scaled), LearnedOffset(FROM_ZERO, one(-s), beta, scaled)),
    ):
        np.testing.assert_array_equal(below.store().fake(x)[0], above.store().fake(x)[0])
        (dx, (ds, *others)), (dx_below, (ds_below, *others_below)) = above.vjp(x, g), below.vjp(x, g)
        np.testing.assert_array_equal(dx_below, dx)
        np.testing.assert_array_equal(ds_below, -ds)
        np.testing.assert_array_equal(others_below, others)


def test_what_does_not_fit_is_told() -> None:
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: PACT(Uniform(), one(1.0)), "PACT's codes start at 0: symmetric=False"),
        (lambda: PACT(FROM_ZERO, np.ones(1)), r"floats .1, 1., not .*float64.*\(1,\)"),
        (lambda: LearnedOffset(Uniform(), one(1.0), one(0.0)), "moves the zero point: symmetric=False"),
        (lambda: LearnedStep(FROM_ZERO, one(1.0), np.full((1, 1), 3, np.int8)), "zero points are uint8"),
        (lambda: Quantize(train_inputs=pact), "pact trains static grids"),
        (lambda: Quantize(train_inputs=pact, inputs=Dynamic(Uniform()), during=SHORT), "pact trains static grids"),
    ]
    for make, message in bad:
        with pytest.raises(ValueError, match=message):
            make()
    assert minmax is Quantize().input_ranges
