"""EWGS and DSQ with trained intervals: the papers' formulas in loops, starts, limits, and intervals that collapse."""

from math import log, tanh

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Quantize
from nncomp.transforms import TrainedDSQ, TrainedEWGS
from nncomp.weights import Latent, Quantized
from tests.strategies.data import small
from tests.strategies.weights import seeds

By = TrainedEWGS | TrainedDSQ


def one(*values: float) -> tuple[np.ndarray, ...]:
    return tuple(np.full((1, 1), value) for value in values)


@given(seed=seeds, bits=st.integers(1, 4), delta=st.sampled_from([0.0, 0.3]))
def test_ewgs_is_the_quantizer_of_lee_et_al(seed: int, bits: int, delta: float) -> None:
    rng, n = np.random.default_rng(seed), 2**bits - 1
    w, g = rng.standard_normal((2, 2, 5))
    l, u, alpha = -rng.uniform(0.1, 1.5), rng.uniform(0.1, 1.5), rng.uniform(0.1, 2)
    by = TrainedEWGS(bits, delta)
    effective, saved = by.forward(one(l, u, alpha), w)
    dp, dw = by.vjp(one(l, u, alpha), saved, g)
    dl = du = dalpha = 0.0
    for x, gradient, seen, dx in zip(w.ravel(), g.ravel(), effective.ravel(), dw.ravel()):
        x_n = min(max((x - l) / (u - l), 0), 1)
        x_q = round(n * x_n) / n
        np.testing.assert_allclose(seen, alpha * (2 * x_q - 1), rtol=1e-12)
        h = 2 * alpha * gradient
        h *= 1 + delta * np.sign(h) * (x_n - x_q)
        inside = l <= x <= u
        np.testing.assert_allclose(dx, h / (u - l) * inside, rtol=1e-10, atol=1e-14)
        dl += h * (x - u) / (u - l) ** 2 * inside
        du += h * (l - x) / (u - l) ** 2 * inside
        dalpha += gradient * (2 * x_q - 1)
    np.testing.assert_allclose(np.ravel(dp), [dl, du, dalpha], rtol=1e-10, atol=1e-12)


@given(seed=seeds, bits=st.integers(1, 4))
def test_dsq_is_the_staircase_of_gong_et_al(seed: int, bits: int) -> None:
    """By differences of their soft function in one cell, at each weight, with what rounding adds to it held."""
    rng, n = np.random.default_rng(seed), 2**bits - 1
    w, g = rng.standard_normal((2, 2, 5))
    at = -rng.uniform(0.1, 1.5), rng.uniform(0.1, 1.5), rng.uniform(0.1, 0.9)
    by = TrainedDSQ(bits)
    effective, saved = by.forward(one(*at), w)
    dp, dw = by.vjp(one(*at), saved, g)

    def soft(x: float, l: float, u: float, alpha: float, cell: int) -> float:
        step, s = (u - l) / n, 1 / (1 - alpha)
        k = log(2 / alpha - 1) / step
        return l + step * (cell + (s * tanh(k * (x - l - (cell + 0.5) * step)) + 1) / 2)

    total = np.zeros(3)
    for x, gradient, seen, dx in zip(w.ravel(), g.ravel(), effective.ravel(), dw.ravel()):
        l, u, _ = at
        v = n * (min(max(x, l), u) - l) / (u - l)
        np.testing.assert_allclose(seen, l + (u - l) / n * round(v), rtol=1e-9, atol=1e-12)
        if not l <= x <= u:
            total += gradient * np.array([x < l, x > u, 0])
            assert dx == 0
            continue
        cell = min(int(v), n - 1)
        held = (seen - soft(x, *at, cell)) / (u - l)

        def surrogate(x: float, l: float, u: float, alpha: float, cell: int = cell, held: float = held) -> float:
            return soft(x, l, u, alpha, cell) + (u - l) * held

        slopes = []
        for k in range(4):
            ends = [surrogate(*(value + (i == k) * h for i, value in enumerate((x, *at)))) for h in (1e-6, -1e-6)]
            slopes.append((ends[0] - ends[1]) / 2e-6)
        np.testing.assert_allclose(dx, gradient * slopes[0], rtol=1e-6, atol=1e-7)
        total += gradient * np.array(slopes[1:])
    np.testing.assert_allclose(np.ravel(dp), total, rtol=1e-5, atol=1e-6)


def test_limits_are_straight_through() -> None:
    w, g = np.random.default_rng(1).standard_normal((2, 3, 6))
    line, ewgs = TrainedDSQ(3), TrainedEWGS(3, delta=0.0)
    p = one(-1.0, 1.2, 1.0)
    inside = (w >= -1) & (w <= 1.2)
    np.testing.assert_allclose(line.vjp(p, line.forward(p, w)[1], g)[1], g * inside, rtol=1e-6)
    p = one(-1.0, 1.0, 1.0)
    dw = ewgs.vjp(p, ewgs.forward(p, w)[1], g)[1]
    np.testing.assert_allclose(dw, g * (np.abs(w) <= 1), rtol=1e-12)
    np.testing.assert_allclose(ewgs.forward(p, w)[0], line.forward(p, w)[0], atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_they_start_at_three_deviations_and_at_the_size_of_the_weights(masked: bool) -> None:
    w = np.random.default_rng(2).standard_normal((5, 40)).astype(np.float32)
    kept = np.abs(w) > 0.5 if masked else np.ones(w.shape, bool)
    for by in (TrainedEWGS(3), TrainedDSQ(3)):
        l, u, alpha = by.masked(kept).init(w)
        np.testing.assert_allclose([-l[0, 0], u[0, 0]], 3 * np.sqrt((w[kept].astype(float) ** 2).mean()), rtol=1e-5)
        assert alpha.dtype == np.float32
        if isinstance(by, TrainedEWGS):
            seen = by.masked(kept).forward((l, u, alpha), w)[0]
            np.testing.assert_allclose(np.abs(seen[kept]).mean(), np.abs(w[kept]).mean(), rtol=1e-5)
        else:
            assert alpha == np.float32(0.2)


@pytest.mark.parametrize("by", [TrainedEWGS(3), TrainedDSQ(3)], ids=["EWGS", "DSQ"])
@pytest.mark.parametrize("ends", [(1.0, -1.0, 0.3), (0.5, 0.5, -2.0), (1e30, 1e30, 9.0), (-1e-38, 1e-38, 0.0)])
def test_an_interval_that_has_collapsed_has_a_defined_result(by: By, ends: tuple[float, ...]) -> None:
    w = np.random.default_rng(3).standard_normal((2, 4)).astype(np.float32)
    weight = Latent(by, tuple(np.full((1, 1), end, np.float32) for end in ends), w)
    assert np.isfinite(weight.dense()).all() and weight.store().dense().tobytes() == weight.dense().tobytes()


@given(seed=seeds)
def test_ends_in_the_wrong_order_are_the_same_interval_and_a_negative_alpha_its_size(seed: int) -> None:
    w, g = np.random.default_rng(seed).standard_normal((2, 3, 5))
    for by in (TrainedEWGS(2, delta=0.2), TrainedDSQ(2)):
        p, swapped = one(-0.8, 1.1, 0.3), one(1.1, -0.8, 0.3)
        (dl, du, dalpha), dw = by.vjp(p, by.forward(p, w)[1], g)
        (first, second, third), again = by.vjp(swapped, by.forward(swapped, w)[1], g)
        assert by.forward(swapped, w)[0].tobytes() == by.forward(p, w)[0].tobytes() and (again == dw).all()
        assert (first, second, third) == (du, dl, dalpha)
    p, below = one(-0.8, 1.1, 0.3), one(-0.8, 1.1, -0.3)
    by = TrainedEWGS(2)
    (dl, du, dalpha), dw = by.vjp(p, by.forward(p, w)[1], g)
    (first, second, third), again = by.vjp(below, by.forward(below, w)[1], g)
    assert by.forward(below, w)[0].tobytes() == by.forward(p, w)[0].tobytes() and (again == dw).all()
    assert (first, second, third) == (dl, du, -dalpha)


def test_weights_that_floats_can_hardly_hold_have_a_defined_start() -> None:
    for by in (TrainedEWGS(3), TrainedDSQ(3)):
        weight = Latent.of(by, np.array([[3e38, -3e38, 1e-38]], np.float32))
        assert np.isfinite(weight.dense()).all() and weight.store().dense().tobytes() == weight.dense().tobytes()
        for value in (np.inf, np.nan):
            with pytest.raises(ValueError, match="no grid covers it"):
                Latent.of(by, np.array([[1.0, value]]))


@pytest.mark.parametrize("by", [TrainedEWGS(2), TrainedDSQ(2)], ids=["EWGS", "DSQ"])
def test_intervals_train_along(by: By) -> None:
    data = small(2, samples=200, apart=2.0)
    network = FineTune(epochs=10, batch=20, optimizer=Adam(5e-3))(MLP.init([8, 12, 3]), data)
    seen: list[Latent] = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            weight = network.layers[0].weight
            assert isinstance(weight, Latent)
            seen.append(weight.with_params(tuple(p.copy() for p in weight.params)))

    during = FineTune(epochs=6, batch=20, optimizer=Adam(2e-3))
    weight = Quantize(inputs=None, through=by, during=during)(network, data, [Watch()]).layers[0].weight
    assert all((first != last).all() for first, last in zip(seen[0].p, seen[-1].p))
    assert isinstance(weight, Quantized) and len(np.unique(weight.dense())) <= 4
    assert weight.dense().tobytes() == seen[-1].dense().tobytes()
