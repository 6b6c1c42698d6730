"""Weights that train through their quantization: the papers' equations written out in loops, starts, and what ships."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, PerColumn, PerRow, PerTensor, Uniform
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import Deviations, Percentile, obq
from nncomp.steps import FineTune, Prune, Quantize
from nncomp.transforms import (
    A2Q,
    DSQ,
    EWGS,
    LSQ,
    PARQ,
    TQT,
    TTQ,
    TWN,
    XNOR,
    BinaryConnect,
    BinaryRelax,
    DoReFa,
    FakeQuantize,
    QuantizationNoise,
    Relaxed,
    StochasticBinaryConnect,
    TrainedDSQ,
    TrainedEWGS,
)
from nncomp.weights import Dense, Latent, PackedCodes, Quantized, Shared, Sparse
from tests.gradients import assert_gradient
from tests.strategies.data import small
from tests.strategies.surrogates import trained_through
from tests.strategies.weights import seeds

RNG = np.random.default_rng(7)
DATA = small(2, samples=200, apart=2.0)
NETWORK = FineTune(epochs=10, batch=20, optimizer=Adam(5e-3))(MLP.init([8, 12, 3]), DATA)
SHORT = FineTune(epochs=6, batch=20, optimizer=Adam(2e-3))


def name(by: Any) -> str:
    """The transform and its options, without the addresses of functions, which every process has others of."""
    return re.sub(r"<function (\w+) at \w+>", r"\1", repr(by))


EACH: list[Any] = [
    LSQ(Uniform(2)), LSQ(Uniform(4), PerRow(), gradient_scale=False), TQT(Uniform(4)), DoReFa(1), DoReFa(3),
    BinaryConnect(), StochasticBinaryConnect(), XNOR(), XNOR(exact=True), TWN(), TTQ(), EWGS(Uniform(3), delta=0.1),
    DSQ(Uniform(3)), QuantizationNoise(Uniform(4), rate=0.3, block=2),
    A2Q(Uniform(4), accumulator=12, inputs=4), BinaryRelax(TWN()), BinaryRelax(FakeQuantize(Uniform(2))),
    PARQ(), PARQ(FakeQuantize(Uniform(3))), TrainedEWGS(2), TrainedEWGS(3, 0.1),
    TrainedDSQ(2), TrainedDSQ(3, 0.4),
]  # fmt: skip


def passed(transform: Any, w: np.ndarray, g: np.ndarray, p: tuple[np.ndarray, ...] | None = None) -> Any:
    """w', dp and dw."""
    p = transform.init(w) if p is None else p
    effective, saved = transform.forward(p, w)
    return effective, *transform.vjp(p, saved, g)


@given(seed=seeds, bits=st.integers(2, 5), scaled=st.booleans(), per_row=st.booleans())
def test_lsq_is_equations_1_to_5(seed: int, bits: int, scaled: bool, per_row: bool) -> None:
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 3, 5))
    s = rng.uniform(0.05, 1.5, (3, 1) if per_row else (1, 1))
    Q_N, Q_P = 2 ** (bits - 1), 2 ** (bits - 1) - 1
    transform = LSQ(Uniform(bits), PerRow() if per_row else PerTensor(), scaled)
    effective, (ds,), dw = passed(transform, w, g, (s,))
    expected = np.zeros_like(s)
    for i in range(3):
        for j in range(5):
            step = s[i if per_row else 0, 0]
            v = w[i, j] / step
            assert effective[i, j] == step * round(min(max(v, -Q_N), Q_P))
            inside = -Q_N < v < Q_P
            assert dw[i, j] == (g[i, j] if inside else 0)
            slope = round(v) - v if inside else -Q_N if v <= -Q_N else Q_P
            expected[i if per_row else 0, 0] += g[i, j] * slope
    if scaled:
        expected /= np.sqrt((5 if per_row else 15) * Q_P)
    np.testing.assert_allclose(ds, expected, rtol=1e-12, atol=1e-14)


def test_lsq_starts_as_the_paper_says_and_ships_the_step_that_it_trained() -> None:
    w = RNG.standard_normal((4, 6)).astype(np.float32)
    mask = RNG.random(w.shape) < 0.5
    for per, axis in ((PerTensor(), None), (PerRow(), 1)):
        mean = np.abs(w).mean(axis, keepdims=True)
        np.testing.assert_allclose(LSQ(Uniform(4), per).init(w)[0], 2 * mean / np.sqrt(7), rtol=1e-6)
        kept = np.mean(np.abs(w), axis, keepdims=True, where=mask)
        np.testing.assert_allclose(LSQ(Uniform(4), per, mask=mask).init(w)[0], 2 * kept / np.sqrt(7), rtol=1e-6)
    s = np.array([[0.1234567]], np.float32)
    stored = Latent(LSQ(Uniform(3)), (s,), w).store()
    assert isinstance(stored, Quantized) and stored.grid.scale.tobytes() == s.tobytes()
    assert Latent(LSQ(Uniform(3)), (-s,), w).store().dense().tobytes() == stored.dense().tobytes()
    nothing = Latent(LSQ(Uniform(3)), (0 * s,), w)
    assert np.abs(nothing.dense()).max() < 1e-29 and np.isfinite(nothing.store().dense()).all(), (
        "at 0 it counts as tiny"
    )


@given(seed=seeds, bits=st.integers(2, 5))
def test_below_0_a_step_is_what_the_equations_say_of_it(seed: int, bits: int) -> None:
    """Equations 1 to 5 as they stand, both ends Q_P: where s is below 0, v changes its sign, and w' changes it back."""
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 3, 5))
    s, Q = -rng.uniform(0.05, 1.5), 2 ** (bits - 1) - 1
    effective, (ds,), dw = passed(LSQ(Uniform(bits, narrow=True), gradient_scale=False), w, g, (np.full((1, 1), s),))
    expected = 0.0
    for x, seen, gradient, dx in zip(w.ravel(), effective.ravel(), g.ravel(), dw.ravel()):
        v = x / s
        assert seen == s * round(min(max(v, -Q), Q)) and dx == (gradient if -Q < v < Q else 0)
        expected += gradient * (round(v) - v if -Q < v < Q else -Q if v <= -Q else Q)
    np.testing.assert_allclose(ds, [[expected]], rtol=1e-12, atol=1e-14)


def test_a_row_whose_step_falls_below_0_recovers() -> None:
    """Long updates take steps across 0; rows that had a step next to nothing instead would be 0 from then on."""
    crossed: set[tuple[int, int]] = set()

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            for i, layer in enumerate(network.layers):
                assert isinstance(layer.weight, Latent)
                crossed.update((i, int(row)) for row in np.flatnonzero(layer.weight.p[0] < 0))

    step = Quantize(
        inputs=None, through=LSQ(Uniform(3), PerRow()), during=replace(SHORT, optimizer=Adam(0.1), epochs=20)
    )
    trained = step(NETWORK, DATA, [Watch()])
    assert len(crossed) >= 2
    for i, row in crossed:
        assert np.abs(trained.layers[i].weight.dense()[row]).max() > 1e-3
    assert (trained(DATA.train.x).argmax(axis=1) == DATA.train.y).mean() > 0.9


@given(seed=seeds, log2_t=st.floats(-3, 3), bits=st.integers(2, 5))
def test_tqt_is_straight_through_ceil_and_round(seed: int, log2_t: float, bits: int) -> None:
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 2, 5))
    effective, (dlog,), dw = passed(TQT(Uniform(bits)), w, g, (np.full((1, 1), log2_t),))
    s = 2.0 ** (np.ceil(log2_t) - bits + 1)
    low, high, total = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0.0
    for x, y, gradient, dx in zip(w.ravel(), effective.ravel(), g.ravel(), dw.ravel()):
        q = round(x / s)
        assert y == s * min(max(q, low), high) and dx == (gradient if low <= q <= high else 0)
        total += gradient * s * np.log(2) * (q - x / s if low <= q <= high else min(max(q, low), high))
    np.testing.assert_allclose(dlog, [[total]], rtol=1e-12, atol=1e-14)


def test_tqt_has_scales_that_are_powers_of_two_and_starts_at_the_range() -> None:
    w = np.array([[0.3, -0.7, 0.1]])
    for t, s in ((1.0, 1 / 128), (1.01, 2 / 128), (0.5, 0.5 / 128), (0.49, 0.5 / 128), (3.0, 4 / 128)):
        assert TQT().codes((np.log2([[t]]),), w)[1].scale == [[s]]
    assert TQT().init(w)[0] == np.log2(0.7)
    three = TQT(ranges=Deviations(3.0)).init(w)[0]
    assert three != TQT().init(w)[0] and np.isfinite(three).all()
    far = Latent(TQT(), (np.full((1, 1), 900, np.float32),), w.astype(np.float32))
    assert np.isfinite(far.dense()).all() and far.store().dense().tobytes() == far.dense().tobytes()


@given(seed=seeds, bits=st.integers(2, 8))
def test_dorefa_is_equation_9(seed: int, bits: int) -> None:
    w, n = np.random.default_rng(seed).standard_normal((3, 4)), 2**bits - 1
    r = np.tanh(w) / (2 * np.abs(np.tanh(w)).max()) + 0.5
    effective = DoReFa(bits).forward((), w)[0]
    apart = np.abs(n * r - np.floor(n * r) - 0.5) > 1e-9
    np.testing.assert_allclose(effective[apart], (2 * np.rint(n * r) / n - 1)[apart], rtol=1e-12, atol=1e-15)
    assert np.abs(effective).max() == 1


def test_one_bit_of_dorefa_is_the_mean_size_and_passes_everything() -> None:
    w, g = RNG.standard_normal((2, 3, 4))
    effective, _, dw = passed(DoReFa(1), w, g)
    np.testing.assert_allclose(effective, np.where(w >= 0, 1, -1) * np.abs(w).mean(), rtol=1e-12)
    assert (dw == g).all()


@given(seed=seeds, exact=st.booleans())
def test_xnor_is_the_gradient_of_section_3(seed: int, exact: bool) -> None:
    w, g = np.random.default_rng(seed).standard_normal((2, 3, 4))
    effective, _, dw = passed(XNOR(exact=exact), w, g)
    for i in range(3):
        alpha = sum(abs(w[i, j]) for j in range(4)) / 4
        for j in range(4):
            side = 1 if w[i, j] >= 0 else -1
            np.testing.assert_allclose(effective[i, j], alpha * side, rtol=1e-12)
            through = alpha * (abs(w[i, j]) <= 1)
            expected = g[i, j] * (1 / 4 + through)
            if exact:
                shared = sum(g[i, k] * (1 if w[i, k] >= 0 else -1) for k in range(4))
                expected = side * shared / 4 + g[i, j] * through
            np.testing.assert_allclose(dw[i, j], expected, rtol=1e-10, atol=1e-12)


def test_xnor_scales_signs_by_what_is_nearest_in_squares() -> None:
    w = RNG.standard_normal((1, 50))
    alpha = XNOR().forward((), w)[0].max()
    tried = np.linspace(0, 3, 30001)
    errors = [((w - a * np.sign(w)) ** 2).sum() for a in tried]
    assert abs(alpha - tried[np.argmin(errors)]) <= 1e-4


def test_signs_are_one_at_zero_and_gradients_stop_where_the_tanh_is_flat() -> None:
    w, g = np.array([[0.0, -0.0, -1e-300, 1.0, -1.5]]), np.ones((1, 5))
    effective, _, dw = passed(BinaryConnect(), w, g)
    assert effective.tolist() == [[1, 1, -1, 1, -1]] and dw.tolist() == [[1, 1, 1, 1, 0]]
    assert passed(BinaryConnect(clipped=False), w, g)[2].tolist() == [[1, 1, 1, 1, 1]]


def test_signs_drawn_are_those_of_the_hard_sigmoid_and_their_gradient_is_at_the_draw() -> None:
    weight = Latent.of(StochasticBinaryConnect(), np.array([[0.5, -1.0, 1.0, -0.2]]))
    rng, eye = np.random.default_rng(3), np.eye(4)
    drawn = np.array([weight.sample(eye, rng)[0].ravel() for _ in range(4000)])
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    np.testing.assert_allclose((drawn == 1).mean(axis=0), [0.75, 0, 1, 0.4], atol=0.03)
    x, dy = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 1))
    y, saved = weight.sample(x, np.random.default_rng(5))
    W = weight.sample(eye, np.random.default_rng(5))[0].T
    dx, (dw,) = weight.vjp(saved, dy)
    np.testing.assert_allclose(y, x @ W.T, rtol=1e-12)
    np.testing.assert_allclose(dx, dy @ W, rtol=1e-12)
    np.testing.assert_allclose(dw, dy.T @ x, rtol=1e-12)


def test_twn_is_near_the_best_threshold_for_normal_weights() -> None:
    """0.7 mean |w| and the mean beyond it against every threshold there is; the best is at 0.612 sigma or so."""
    w = RNG.standard_normal((1, 20000))
    sizes = np.sort(np.abs(w[0]))[::-1]
    sums, k = np.cumsum(sizes), np.arange(1, sizes.size + 1)
    best = (w**2).sum() - (sums**2 / k).max()
    found = ((w - TWN().forward((), w)[0]) ** 2).sum()
    assert best <= found <= 1.01 * best
    for share in (0.5, 1.0):
        assert ((w - TWN(share).forward((), w)[0]) ** 2).sum() > found
    assert abs(sizes[np.argmax(sums**2 / k)] - 0.612) < 0.03


def test_twn_in_a_loop() -> None:
    w = RNG.standard_normal((3, 7))
    for per, rows in ((PerTensor(), [w]), (PerRow(), [w[i : i + 1] for i in range(3)])):
        told = []
        for part in rows:
            delta = 0.7 * np.abs(part).mean()
            alpha = np.mean([abs(v) for v in part.ravel() if abs(v) > delta])
            told.append([[alpha * np.sign(v) if abs(v) > delta else 0 for v in row] for row in part])
        np.testing.assert_allclose(TWN(per=per).forward((), w)[0], np.concatenate(told), rtol=1e-12)


def test_ttq_is_equations_6_to_9() -> None:
    w, g = RNG.standard_normal((2, 3, 5))
    w[0, 0] = 0.01
    p = np.array([1.7]), np.array([0.6])
    effective, (dW_p, dW_n), dw = passed(TTQ(0.2), w, g, p)
    delta, up, down = 0.2 * np.abs(w).max(), 0.0, 0.0
    for i in range(3):
        for j in range(5):
            value, slope = 0.0, 1.0
            if w[i, j] > delta:
                value, slope, up = 1.7, 1.7, up + g[i, j]
            if w[i, j] < -delta:
                value, slope, down = -0.6, 0.6, down - g[i, j]
            assert (effective[i, j], dw[i, j]) == (value, slope * g[i, j])
    np.testing.assert_allclose((dW_p[0], dW_n[0]), (up, down), rtol=1e-12)
    stored = Latent(TTQ(0.2), p, w).store()
    assert isinstance(stored, Shared) and stored.codebook.tolist() == [-0.6, 0, 1.7]
    starts = TTQ(0.2).init(w)
    np.testing.assert_allclose(starts[0], w[w > delta].mean())
    np.testing.assert_allclose(starts[1], -w[w < -delta].mean())


def test_ewgs_is_equation_4_and_straight_through_without_its_delta() -> None:
    w, g = RNG.standard_normal((2, 3, 6))
    mask = RNG.random(w.shape) < 0.8
    told: dict[str, Any] = dict(format=Uniform(3, narrow=True), per=PerRow(), mask=mask)
    plain, scaled = FakeQuantize(**told), EWGS(**told, delta=0.5)
    effective, _, dw = passed(scaled, w, g)
    assert (effective == passed(plain, w, g)[0]).all()
    assert (passed(replace(scaled, delta=0.0), w, g)[2] == passed(plain, w, g)[2]).all()
    for i in range(3):
        top = np.abs(np.where(mask, w, 0)[i]).max()
        for j in range(6):
            x_n, x_q = (w[i, j] / top + 1) / 2, (effective[i, j] / top + 1) / 2
            expected = g[i, j] * (1 + 0.5 * np.sign(g[i, j]) * (x_n - x_q)) if mask[i, j] else 0
            np.testing.assert_allclose(dw[i, j], expected, rtol=1e-10)


def test_dsq_where_a_column_spans_nothing() -> None:
    weight = Latent.of(DSQ(Uniform(2, False, False), PerColumn(), alpha=0.1), np.array([[125.0, -132, 0, 947]]))
    _, (dw,) = weight.vjp(weight.forward(np.eye(4))[1], np.ones((4, 1)))

    def loss(w: np.ndarray) -> float:
        W = trained_through(weight, (w,))
        assert W is not None
        return float(W.sum())

    assert_gradient(loss, weight.params, [dw])


def test_dsq_lies_between_a_line_and_a_step() -> None:
    w, g = np.linspace(-1, 1, 2001)[None], np.ones((1, 2001))
    plain = passed(FakeQuantize(Uniform(3, narrow=True)), w, g)
    for alpha in (0.999, 0.2, 1e-6):
        effective, _, dw = passed(DSQ(Uniform(3, narrow=True), alpha=alpha), w, g)
        assert (effective == plain[0]).all()
        assert abs(np.trapezoid(dw[0], w[0]) - 2) < 1e-2, "it rises as far as the values do"
        middles = np.abs(np.abs(w * 3 - np.floor(w * 3)) - 0.5) < 0.3
        assert (dw > 0).all() and (dw[~middles].max() < 0.02) == (alpha == 1e-6)
    np.testing.assert_allclose(passed(DSQ(Uniform(3, narrow=True), alpha=0.999), w, g)[2], 1, atol=1e-5)


@given(seed=seeds, rate=st.sampled_from([0.0, 0.4, 1.0]), block=st.integers(1, 4))
def test_noise_quantizes_some_and_leaves_the_others(seed: int, rate: float, block: int) -> None:
    rng = np.random.default_rng(seed)
    w, eye = rng.standard_normal((6, 7)), np.eye(7)
    noise = QuantizationNoise(Uniform(2), ranges=Percentile(80.0), rate=rate, block=block)
    y, saved = noise.sample((), w, eye, np.random.default_rng(seed))
    drawn, all_of_it = y.T, noise.forward((), w)[0]
    quantized, same = drawn != w, w == all_of_it
    assert ((drawn == all_of_it) | (drawn == w)).all()
    for start in range(0, 7, block):
        columns = slice(start, start + block)
        assert ((quantized | same)[:, columns].all(axis=1) | ~quantized[:, columns].any(axis=1)).all()
    assert rate == 0.4 or ((quantized | same).all() if rate == 1 else not quantized.any())
    dy = rng.standard_normal((7, 6))
    _, _, dw = noise.sample_vjp((), w, saved, dy, False)
    stopped = quantized & ~noise.forward((), w)[1]
    np.testing.assert_array_equal(dw, np.where(stopped, 0, dy.T @ eye))


def test_relaxed_weights_are_nearest_to_both_and_end_on_codes() -> None:
    w = RNG.standard_normal((3, 8))
    relaxed = BinaryRelax(XNOR(), first=0.5, last=8.0)
    q = XNOR().forward((), w)[0]
    for done, strength in ((0.0, 0.5), (0.5, 2.0), (0.999999, 8.0)):
        at = relaxed.forward((np.full(1, done),), w)[0]
        slope = (at - w) + strength * (at - q)
        np.testing.assert_allclose(slope, 0, atol=1e-4)
    assert (relaxed.forward((np.ones(1),), w)[0] == q).all()


@pytest.mark.parametrize("by", [BinaryRelax(TWN(), ramp=0.5), PARQ(TWN(), ramp=0.5)], ids=name)
def test_relaxed_weights_are_drawn_on_while_a_network_trains(by: Any) -> None:
    distances = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            weight = network.layers[0].weight
            assert isinstance(weight, Latent) and isinstance(weight.transform, Relaxed)
            codes, grid = weight.transform.codes(weight.w)
            q = grid.decode(codes)
            distances.append(float(np.abs(weight.dense() - q).max()))

    step = Quantize(inputs=None, through=by, during=SHORT)
    network = step(NETWORK, DATA, [Watch()])
    half = len(distances) // 2
    assert distances[0] > 5 * distances[half - 2] > 0 == max(distances[half:])
    assert all(isinstance(layer.weight, Quantized) for layer in network.layers)
    early = replace(step, during=replace(SHORT, patience=1))(NETWORK, DATA)
    assert all(isinstance(layer.weight, Quantized) for layer in early.layers), "whatever update was the best"


DEGENERATE = {
    "zeros": np.zeros((3, 4)),
    "a row of zeros": np.array([[0.0, 0.0], [1.0, -2.0]]),
    "constant": np.full((2, 3), 0.7),
    "one column": np.array([[0.5], [-0.1], [0.0]]),
    "one weight": np.array([[-3.0]]),
    "huge and tiny": np.array([[1e30, -1e30, 1e-30, 1e-38]]),
}


@pytest.mark.parametrize("pruned", ["none", "some", "all"])
@pytest.mark.parametrize("what", DEGENERATE)
@pytest.mark.parametrize("by", EACH, ids=name)
def test_degenerate_weights_have_a_defined_result(by: Any, what: str, pruned: str) -> None:
    w = DEGENERATE[what].astype(np.float32)
    if pruned != "none":
        by = by.masked(np.zeros(w.shape, bool) if pruned == "all" else np.arange(w.size).reshape(w.shape) % 2 == 0)
    weight = Latent.of(by, w)
    effective = weight.dense()
    assert np.isfinite(effective).all() and effective.dtype == np.float32
    assert weight.store().dense().tobytes() == effective.tobytes()
    g = np.ones_like(w)
    dp, dw = by.vjp(weight.p, by.forward(weight.p, w)[1], g)
    assert all(np.isfinite(a).all() and a.dtype == np.float32 for a in (*dp, dw))
    if by.mask is not None:
        assert not effective[~by.mask].any() and not dw[~by.mask].any()
        stored: Any = weight.store()
        assert isinstance(getattr(stored, "codes", getattr(stored, "indices", stored)), Sparse)
    if not isinstance(by, BinaryConnect | DoReFa | TrainedDSQ | TrainedEWGS):
        assert np.abs(effective[w == 0]).max(initial=0) < 2e-31, "nothing comes of nothing"


@pytest.mark.parametrize("by", EACH, ids=name)
def test_nan_raises(by: Any) -> None:
    with pytest.raises(ValueError, match="nan|NaN"):
        Latent.of(by, np.array([[1.0, np.nan]])).store()


@pytest.mark.parametrize("by", [LSQ(), TTQ(), A2Q(), TrainedEWGS(), TrainedDSQ()], ids=name)
@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FA00000, 0x7F800000], ids=["NaN", "NaN that signals", "infinity"])
def test_what_starts_at_the_weights_refuses_those_that_are_none(by: Any, bits: int) -> None:
    w = np.array([[0x3F800000, bits]], np.uint32).view(np.float32)
    with pytest.raises(ValueError, match="no grid covers it"):
        by.init(w)


@pytest.mark.parametrize(
    ("by", "bits"),
    [(XNOR(), 1), (BinaryConnect(), 1), (DoReFa(1), 1), (DoReFa(3), 3), (TWN(), 2), (LSQ(Uniform(4)), 4)],
)
def test_codes_take_as_many_bits_as_they_need(by: Any, bits: int) -> None:
    stored = Latent.of(by, RNG.standard_normal((4, 16))).store()
    assert isinstance(stored, Quantized) and isinstance(stored.codes, PackedCodes)
    assert stored.codes.nbytes == 64 * bits / 8


@pytest.mark.parametrize("by", EACH, ids=name)
def test_networks_train_through_each_and_ship_what_was_trained(by: Any) -> None:
    trained = Quantize(inputs=None, through=by, during=SHORT)(NETWORK, DATA)
    half = Prune(0.5)(NETWORK, DATA)
    pruned = Quantize(inputs=None, through=by, during=SHORT)(half, DATA)
    for network, kind in ((trained, PackedCodes), (pruned, Sparse)):
        for layer, old in zip(network.layers, half.layers):
            assert isinstance(layer.weight, Quantized | Shared)
            assert isinstance(layer.weight.codes if isinstance(layer.weight, Quantized) else layer.weight.indices, kind)
            if kind is Sparse:
                assert not (layer.weight.dense() != 0)[~old.weight.mask].any()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "by", [LSQ(Uniform(2), PerRow()), EWGS(Uniform(2)), TrainedEWGS(2), TWN(), TTQ(), XNOR(exact=True)], ids=name
)
def test_training_through_few_bits_beats_rounding_to_them(by: Any) -> None:
    def accuracy(network: MLP) -> float:
        return float((network(DATA.train.x).argmax(axis=1) == DATA.train.y).mean())

    at_once = Quantize(inputs=None, through=by)(NETWORK, DATA)
    trained = Quantize(inputs=None, through=by, during=replace(SHORT, epochs=20))(NETWORK, DATA)
    assert accuracy(trained) > accuracy(at_once) + 0.1


def test_steps_and_transforms_say_what_does_not_fit() -> None:
    for make, message in (
        (lambda: LSQ(Uniform(symmetric=False)), "middle code"),
        (lambda: TQT(Uniform(symmetric=False)), "middle code"),
        (lambda: DoReFa(0), "bits"),
        (lambda: DoReFa(17), "1 to 16 bits, not 17"),
        (lambda: TWN(-0.1), "share of at least 0, not -0.1"),
        (lambda: TTQ(np.inf), "share of at least 0, not inf"),
        (lambda: EWGS(delta=-1.0), "delta of at least 0, not -1"),
        (lambda: A2Q(Uniform(symmetric=False)), "signed and symmetric"),
        (lambda: BinaryRelax(LSQ()), "without a trained scale, .*not by LSQ"),  # type: ignore[arg-type]
        (lambda: BinaryRelax(first=2.0, last=1.0), "lambda grows from above 0, not from 2.0 to 1.0"),
        (lambda: BinaryRelax(ramp=0.0), "ramp"),
        (lambda: BinaryRelax(XNOR(mask=np.ones((1, 1), bool))), "the mask is that of BinaryRelax, not of XNOR"),
        (lambda: A2Q(accumulator=1), "accumulator"),
        (lambda: TrainedEWGS(delta=np.nan), "delta of at least 0, not nan"),
        (lambda: TrainedEWGS(bits=17), "1 to 16 bits, not 17"),
        (lambda: TrainedDSQ(alpha=0.0), "alpha lies between 0 and 1, not 0"),
        (lambda: TrainedDSQ(bits=0), "bits"),
        (lambda: DSQ(alpha=1.0), "alpha lies between 0 and 1, not 1"),
        (lambda: QuantizationNoise(rate=2.0), "rate from 0 to 1"),
        (lambda: QuantizationNoise(block=0), "blocks of at least one weight"),
        (lambda: Quantize(Uniform(4), through=LSQ()), "LSQ brings its own format"),
        (lambda: Quantize(through=LSQ(), method=obq), "train through LSQ or are rounded by obq"),
        (lambda: Quantize(through=Dense(np.ones((1, 1)))), "through is a FakeQuantize or LSQ"),  # type: ignore[arg-type]
        (lambda: LSQ(mask=np.ones((1, 1), bool)).init(np.ones((2, 2))), r"\(2, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_the_grid_of_signs_has_no_code_for_zero() -> None:
    stored = Latent.of(XNOR(), np.array([[2.0, -1.0]])).store()
    assert isinstance(stored, Quantized) and isinstance(stored.grid, Grid)
    assert stored.whole is not None and stored.grid.format.bits == 1 and stored.grid.zero_point == 0.5
