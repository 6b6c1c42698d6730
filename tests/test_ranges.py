"""Ranges for uniform grids: each against a search, an integral or a loop of its own, and laws that all of them keep."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nncomp.files import load, save
from nncomp.formats import Grid, PerColumn, PerGroup, PerRow, PerTensor, Uniform, divide_add_round, half_range
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import (
    ACIQ,
    OCTAV,
    Deviations,
    Dynamic,
    Entropy,
    EntropyOnnxRuntime,
    MeanSquared,
    gauss,
    hqq,
    laplace,
    minmax,
    moving_average,
    shrink_lp,
)
from nncomp.quantize.entropy import divergences
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.scale_sweep import best_zero
from nncomp.transforms import FakeQuantize
from nncomp.weights import Latent
from tests.strategies.weights import granularities, masks, matrices, seeds

INT3 = Uniform(3)
METHODS = [
    MeanSquared(INT3),
    MeanSquared(Uniform(2, signed=False, symmetric=False)),
    MeanSquared(Uniform(8, symmetric=False)),
    Entropy(64, 16),
    EntropyOnnxRuntime(64, 16),
    Deviations(2.5),
    ACIQ(4),
    ACIQ(4, gauss),
    OCTAV(4),
]
each_method = pytest.mark.parametrize("method", METHODS, ids=repr)
symmetric = st.builds(
    Uniform, bits=st.integers(2, 6), signed=st.booleans(), narrow=st.booleans(),
    scale_rule=st.sampled_from([Uniform().scale_rule, half_range]),
)  # fmt: skip


def ends_of_codes(format: Uniform, zero: int) -> tuple[int, int]:
    return format.qmin - zero, format.qmax - zero


def error(x: np.ndarray, w: np.ndarray, scale: float, low: int, high: int) -> float:
    """The weighted squared error of values at the nearest of the codes' values, in float64."""
    x = x.astype(np.float64)
    return float((w * (x - scale * np.clip(np.round(x / scale), low, high)) ** 2).sum())


def error_of(x: np.ndarray, w: np.ndarray, grid: Grid) -> float:
    """The same on a grid of one block."""
    return error(x, w, float(grid.scale[0, 0]), *ends_of_codes(grid.format, int(grid.zeros[0, 0])))


def least(x: np.ndarray, w: np.ndarray, low: int, high: int) -> float:
    """The least error of any scale: codes by enumeration, for each the least squares solution."""
    found = float((w * x**2).sum())
    for codes in itertools.product(range(low, high + 1), repeat=len(x)):
        q = np.array(codes)
        if (along := float((w * x * q).sum())) > 0:
            scale = along / float((w * q * q).sum())
            found = min(found, float((w * (x - scale * q) ** 2).sum()))
    return found


@st.composite
def few_values(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Three or four values, some of them 0, equal or far away, and the importance of each."""
    rng = np.random.default_rng(draw(seeds))
    x = rng.standard_normal(draw(st.integers(1, 4))) * 10.0 ** draw(st.integers(-3, 3))
    x[rng.random(x.shape) < 0.1] *= 30
    x[rng.random(x.shape) < 0.1] = 0
    x[rng.random(x.shape) < 0.1] = x[0]
    return x, rng.choice([0.0, 1e-3, 1.0, 1.0, 7.0], x.shape)


@settings(max_examples=60)
@given(few_values(), st.booleans(), st.booleans())
def test_no_codes_and_no_scale_are_better_where_the_zero_point_is_the_middle(case, signed: bool, narrow: bool) -> None:  # type: ignore[no-untyped-def]
    x, w = case
    format = Uniform(3, signed=signed, narrow=narrow)
    grid = fit_grid(x[None], format, PerRow(), MeanSquared(format, w[None]))
    expected = least(x, w, *ends_of_codes(format, format.middle))
    assert error_of(x, w, grid) == pytest.approx(expected, rel=1e-9, abs=2e-13 * float((w * x**2).sum()))


@settings(max_examples=60)
@given(few_values(), st.sampled_from([1, 2]), st.booleans())
def test_nor_any_zero_point_where_it_is_free(case, bits: int, signed: bool) -> None:  # type: ignore[no-untyped-def]
    x, w = case
    format = Uniform(bits, signed=signed, symmetric=False)
    grid = fit_grid(x[None], format, PerRow(), MeanSquared(format, w[None]))
    expected = min(least(x, w, *ends_of_codes(format, z)) for z in range(format.qmin, format.qmax + 1))
    assert error_of(x, w, grid) == pytest.approx(expected, rel=1e-9, abs=2e-13 * float((w * x**2).sum()))


def blocks(x: np.ndarray, per: object) -> list[tuple[int, int, np.ndarray]]:
    """Row and column of each block's scale, and the block as a mask of x."""
    rows, columns = np.indices(x.shape)
    size = per.group if isinstance(per, PerGroup) else 1 if isinstance(per, PerColumn) else x.shape[1]
    places = (0 * rows if isinstance(per, PerTensor | PerColumn) else rows), columns // size
    return [(i, j, (places[0] == i) & (places[1] == j)) for i, j in sorted(set(zip(*(p.flat for p in places))))]


@settings(max_examples=40)
@given(matrices(), symmetric, granularities, st.data())
def test_a_fine_search_finds_no_better_scale(x: np.ndarray, format: Uniform, per, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    w = np.random.default_rng(data.draw(seeds)).random(x.shape[1]) if data.draw(st.booleans()) else None
    mask = data.draw(masks(x.shape))
    grid = fit_grid(x, format, per, MeanSquared(format, w), mask)
    weights = np.broadcast_to(1.0 if w is None else w, x.shape)
    low, high = ends_of_codes(format, format.middle)
    for i, j, block in blocks(x, per):
        v, vw = x[block & mask].astype(np.float64), weights[block & mask]
        squares = float((vw * v**2).sum())
        if not squares:
            continue
        found = error(v, vw, float(grid.scale[i, j]), low, high)
        searched = min(error(v, vw, s, low, high) for s in np.abs(v).max() * np.geomspace(0.3 / high, 3, 2000))
        eps = np.finfo(x.dtype).eps  # of the scale, which the error feels in the second order, but for codes that move
        assert found <= searched * (1 + 1e-9) + 2 * eps * math.sqrt(searched * squares) + 2e-13 * squares


@settings(max_examples=10)
@given(seeds, st.sampled_from([1.0, 4.0]), st.sampled_from([16, 256]))
def test_zero_points_of_many_codes(seed: int, skew: float, few: int) -> None:
    """In turns: no better scale for its zero point nor zero point for its scale; all tried: no better pair."""
    format, rng = Uniform(8, signed=False, symmetric=False), np.random.default_rng(seed)
    x = np.exp(skew * rng.standard_normal(40)) - 2
    w = np.ones_like(x)
    grid = fit_grid(x[None], format, PerRow(), MeanSquared(format, few=few))
    scale, zero, found = float(grid.scale[0, 0]), int(grid.zeros[0, 0]), error_of(x, w, grid)
    slack = 2e-13 * float((x**2).sum())
    scales = scale * np.concatenate([np.geomspace(0.5, 2, 1000), np.linspace(0.99, 1.01, 1000)])
    assert found <= min(error(x, w, s, *ends_of_codes(format, zero)) for s in scales) + slack
    assert found <= min(error(x, w, scale, *ends_of_codes(format, z)) for z in range(256)) + slack
    assert found <= error_of(x, w, fit_grid(x[None], format, PerRow())) + slack
    if few == 256:
        pairs = itertools.product(scales, {0, 1, zero - 2, zero - 1, zero + 1, zero + 2, 128} & set(range(256)))
        assert found <= min(error(x, w, s, *ends_of_codes(format, z)) for s, z in pairs) + slack


@given(seeds, st.floats(0.2, 5), st.integers(1, 4), st.booleans())
@example(52, 1.0, 2, False)  # where what rounding costs decides between two
def test_the_zero_point_of_a_scale_is_the_best_of_all(seed: int, scale: float, bits: int, signed: bool) -> None:
    format, rng = Uniform(bits, signed=signed, symmetric=False), np.random.default_rng(seed)
    x, w = 3 * rng.standard_normal(4) + rng.normal(scale=3), rng.random(4)
    errors = {z: error(x, w, scale, *ends_of_codes(format, z)) for z in range(format.qmin, format.qmax + 1)}
    found = best_zero(x, w, scale, format.qmin, format.qmax)
    assert errors[found] <= min(errors.values()) + 1e-12 * float((w * x**2).sum())


@given(seeds, st.booleans())
def test_importance_is_repetition(seed: int, is_symmetric: bool) -> None:
    rng, format = np.random.default_rng(seed), Uniform(3, symmetric=is_symmetric)
    x, times = rng.standard_normal(6), rng.integers(0, 4, 6)
    weighed = MeanSquared(format, times.astype(float))(x[None], PerRow())
    repeated = MeanSquared(format)(np.append(np.repeat(x, times), 0)[None], PerRow())
    errors = [error_of(x, times, Grid.covering(format, *ends)) for ends in (weighed, repeated)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-9, abs=1e-12)


def test_a_window_of_the_sweep_is_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((1, 500))
    whole = MeanSquared(Uniform())(x, PerRow())
    monkeypatch.setattr("nncomp.quantize.scale_sweep.AT_ONCE", 100)
    np.testing.assert_allclose(MeanSquared(Uniform())(x, PerRow()), whole, rtol=1e-12)


def test_a_clip_that_costs_most_of_the_error_is_found() -> None:
    """One code for all loses 80 at its best scale; a scale of 10 keeps the outlier, and loses the hundred others."""
    format = Uniform(2, narrow=True)
    x = np.append(np.ones(100), 10)[None]
    assert MeanSquared(format)(x, PerRow())[1][0, 0] == pytest.approx(110 / 101, rel=1e-14)


def test_the_zero_point_moves_where_the_range_is_clipped() -> None:
    """To one side there is an outlier, which puts the zero point of the whole range where few values are."""
    format = Uniform(5, symmetric=False)
    x = np.append(np.random.default_rng(0).standard_normal(5000), 6)
    w = np.ones_like(x)
    start, found = (fit_grid(x[None], format, PerRow(), ranges) for ranges in (minmax, MeanSquared(format)))
    ends = ends_of_codes(format, int(start.zeros[0, 0]))
    stays = min(error(x, w, s, *ends) for s in np.linspace(0.01, 1, 2000) * float(start.scale[0, 0]))
    assert error_of(x, w, found) < 0.95 * stays


@pytest.mark.parametrize("power", [-1000, 1000])
def test_importance_is_relative(power: int) -> None:
    x, w = np.array([[1.0, -2.0, 3.3]]), np.array([1.0, 0.3, 0.2])
    assert MeanSquared(INT3, w)(x, PerRow()) == MeanSquared(INT3, w * 2.0**power)(x, PerRow())


def test_an_outlier_without_importance_takes_no_code() -> None:
    x, w = np.array([[1.0, -2.0, 3.0, 1e6]]), np.array([1.0, 1.0, 1.0, 1e-30])
    assert MeanSquared(INT3, w)(x, PerRow())[1][0, 0] == pytest.approx(3, rel=1e-9)


@each_method
@given(matrices(), granularities, st.data())
def test_a_block_is_its_kept_values_alone(method, x: np.ndarray, per, data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    """Shaped and typed as the smallest and largest; 0 to 0 where nothing is kept, or nothing but zeros."""
    mask = data.draw(st.none() | masks(x.shape))
    low, high = method(x, per, mask)
    assert low.shape == high.shape == minmax(x, per)[0].shape and low.dtype == high.dtype == x.dtype
    assert (low <= high).all() and np.isfinite([low, high]).all()
    for i, j, block in blocks(x, per):
        values = x[block if mask is None else block & mask]
        alone = method(values[None], PerTensor()) if values.size else ([[0]], [[0]])
        assert (low[i, j], high[i, j]) == (alone[0][0][0], alone[1][0][0])
        assert values.any() or low[i, j] == high[i, j] == 0


@each_method
@given(matrices(np.float64), st.integers(-900, 900))
def test_sizes_do_not_matter(method, x: np.ndarray, power: int) -> None:  # type: ignore[no-untyped-def]
    """Times a power of two, the range is so too, where squares overflow or vanish as well."""
    plain, scaled = method(x, PerRow()), method(x * 2.0**power, PerRow())
    np.testing.assert_array_equal([side * 2.0**power for side in plain], scaled)


@each_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_sizes(method, dtype: type) -> None:  # type: ignore[no-untyped-def]
    for size in (np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, np.finfo(dtype).max / 64):
        x = np.array([[size, -size, size / 2, 0]], dtype)
        low, high = method(x, PerRow())
        assert np.isfinite([low, high]).all() and low[0, 0] < high[0, 0]


@pytest.mark.parametrize(
    "format", [INT3, Uniform(3, symmetric=False), Uniform(8), Uniform(8, symmetric=False)], ids=repr
)
@given(value=st.floats(2.0**-60, 2.0**60) | st.floats(-(2.0**60), -(2.0**-60)), columns=st.integers(1, 5))
def test_a_constant_has_no_error(format: Uniform, value: float, columns: int) -> None:
    x = np.full((2, columns), value)
    grid = fit_grid(x, format, PerRow(), MeanSquared(format))
    np.testing.assert_allclose(grid.fake(x)[0], x, rtol=1e-14)
    assert (grid.scale < abs(value) / (2 ** (format.bits - 1) - 2)).all(), "and makes use of the codes"


def kl_by_loops(counts: list[int], i: int, levels: int) -> float:
    """As the slides have it."""
    p = [*counts[: i - 1], sum(counts[i - 1 :])]
    members: list[list[int]] = [[] for _ in range(levels)]
    for j in range(i):
        members[j * levels // i].append(j)
    q = [0.0] * i
    for level in members:
        filled = [j for j in level if counts[j]]
        for j in filled:
            q[j] = sum(counts[j] for j in level) / len(filled)
    return float(scipy.stats.entropy(p, q)) if sum(q) else math.inf


@given(st.lists(st.integers(0, 9), min_size=4, max_size=40).filter(lambda counts: counts[-1] > 0), st.integers(2, 4))
def test_divergences_by_loops(counts: list[int], levels: int) -> None:
    expected = [kl_by_loops(counts, i, levels) for i in range(levels, len(counts) + 1)]
    np.testing.assert_allclose(divergences(np.array(counts), levels), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(seeds, st.integers(2, 8), st.integers(8, 64), st.booleans())
def test_the_entropy_clip_is_that_of_least_divergence(seed: int, levels: int, bins: int, positive: bool) -> None:
    x = np.random.default_rng(seed).laplace(size=300)
    x = np.abs(x) if positive else x
    counts = [0] * bins
    for v in np.abs(x):
        counts[min(int(v / np.abs(x).max() * bins), bins - 1)] += 1
    lost = {i: kl_by_loops(counts, i, levels) for i in range(levels, bins + 1)}
    (low,), (high,) = (side[0] for side in Entropy(bins, levels)(x[None], PerTensor()))
    i = round(max(-low, high) / np.abs(x).max() * bins) if high < x.max() or low > x.min() else bins
    assert lost[i] == pytest.approx(min(lost.values()), rel=1e-9, abs=1e-12)
    assert (low == 0 or low == x.min()) if positive else -low == high or low == x.min() or high == x.max()


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize(
    ("clip", "density"), [(laplace, scipy.stats.laplace), (gauss, scipy.stats.norm)], ids=["laplace", "gauss"]
)
def test_aciq_is_the_least_of_the_integrals(bits: int, clip, density) -> None:  # type: ignore[no-untyped-def]
    def expected(a: float) -> float:
        beyond = scipy.integrate.quad(lambda x: (x - a) ** 2 * density.pdf(x), a, a + 40, epsabs=1e-14)[0]
        return 2 * beyond + a**2 / (3 * 4**bits)

    best = scipy.optimize.minimize_scalar(expected, bounds=(0, 20), method="bounded", options={"xatol": 1e-9}).x
    assert clip(np.array([-1.0, 1.0]), bits) == pytest.approx(best, abs=1e-5)


def test_aciq_as_the_paper_tells_it() -> None:
    """Banner et al. 2019 give 2.83, 3.89, 5.03 times b and 1.71, 2.15, 2.55 times sigma, some cut off, not rounded."""
    d = np.array([-1.0, 1.0])
    for clip, told in ((laplace, (2.83, 3.89, 5.03)), (gauss, (1.71, 2.15, 2.55))):
        for bits, a in zip((2, 3, 4), told):
            assert 0 <= round(clip(d, bits) - a, 3) < 0.01 or abs(clip(d, bits) - a) < 0.005
    x = np.array([[1.0, 2.0, 6.0]])  # mean 3, mean deviation 2, variance 14 / 3
    np.testing.assert_allclose(ACIQ(4)(x, PerRow()), [[[3 - 2 * laplace(d, 4)]], [[3 + 2 * laplace(d, 4)]]], rtol=1e-14)
    spread = math.sqrt(14 / 3) * gauss(d, 4)
    np.testing.assert_allclose(ACIQ(4, gauss)(x, PerRow()), [[[3 - spread]], [[3 + spread]]], rtol=1e-14)


@given(matrices(np.float64), st.floats(0.1, 5))
def test_deviations_by_their_definition(x: np.ndarray, n: float) -> None:
    low, high = Deviations(n)(x, PerColumn())
    for j, column in enumerate(x.T):
        mean = math.fsum(column) / len(column)
        sd = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column))
        slack = 1e-12 * np.abs(column).max()
        assert low[0, j] == pytest.approx(mean - n * sd, abs=slack) and high[0, j] == pytest.approx(
            mean + n * sd, abs=slack
        )


@given(matrices(np.float64), st.integers(1, 8), st.booleans())
def test_octav_is_the_root_of_its_equation(x: np.ndarray, bits: int, signed: bool) -> None:
    """Or the place where the sides change order, at a value."""
    x = x if signed else np.abs(x)
    noise = 4.0**-bits / (3 if signed else 12)
    low, high = OCTAV(bits, signed)(x, PerRow())
    assert (low == (-high if signed else 0)).all()

    def balance(v: np.ndarray, s: float) -> float:
        """The right side less the left; it falls as s grows."""
        return sum(a - s if a > s else -noise * s for a in np.abs(v) if a > 0)

    for v, s in zip(x, high[:, 0]):
        if v.any():
            slack = 1e-9 * len(v) * s
            assert balance(v, s * (1 - 1e-9)) >= -slack and balance(v, s * (1 + 1e-9)) <= slack


def test_octav_is_nearly_the_least_squared_error_of_many_values() -> None:
    x = np.random.default_rng(0).standard_normal((1, 20_000))
    for bits in (4, 6, 8):
        step = fit_grid(x, Uniform(bits), PerRow(), MeanSquared(Uniform(bits))).scale
        np.testing.assert_allclose(2 * OCTAV(bits)(x, PerRow())[1] / 2**bits, step, rtol=0.05)


@given(st.lists(st.tuples(st.floats(-9, 0), st.floats(0, 9)), min_size=1, max_size=6), st.floats(0.01, 1))
def test_moving_averages_are_weighted_sums(ends: list[tuple[float, float]], rate: float) -> None:
    low, high = moving_average(((np.array([[a]]), np.array([[b]])) for a, b in ends), rate)
    n = len(ends)
    shares = [(1 - rate) ** (n - 1 - i) * (rate if i else 1) for i in range(n)]
    for found, side in ((low, 0), (high, 1)):
        assert found[0, 0] == pytest.approx(sum(s * e[side] for s, e in zip(shares, ends)), abs=1e-12)


def test_moving_average_of_one_range_is_the_range() -> None:
    low, high = minmax(np.array([[0.1, -0.3]], np.float32), PerRow())
    assert moving_average(iter([(low, high)])) == (low, high)


HALF = Uniform(2, symmetric=False, integer_zero=False, arithmetic=divide_add_round)


@given(matrices(), st.integers(1, 5), st.booleans(), granularities, st.sampled_from([0.5, 0.7, 1.0]))
def test_half_quadratic_is_never_worse_than_rounding(W: np.ndarray, bits: int, signed: bool, per, p: float) -> None:  # type: ignore[no-untyped-def]
    format = replace(HALF, bits=bits, signed=signed)
    start, found = fit_grid(W, format, per), hqq(W, format, per, p, beta=10 / max(float(np.abs(W).max()), 1e-9))
    np.testing.assert_array_equal(start.scale, found.scale)
    assert found.zero_point is not None and found.zero_point.dtype == W.dtype

    def sums(grid: Grid) -> list[float]:
        error = np.abs(W.astype(np.float64) - grid.decode(grid.encode(W)))
        return [math.fsum(float(e) ** p for e in error[block]) for _, _, block in blocks(W, per)]

    assert all(b <= a * (1 + 1e-9) for a, b in zip(sums(start), sums(found)))


def test_half_quadratic_gains() -> None:
    W = np.random.default_rng(0).standard_t(3, (16, 64))
    start, found = fit_grid(W, HALF, PerRow()), hqq(W, HALF)
    cost = [(np.abs(W - grid.fake(W)[0]) ** 0.7).sum(axis=1) for grid in (start, found)]
    assert (cost[1] < cost[0]).mean() > 0.6
    np.testing.assert_array_equal(hqq(W, HALF, steps=0).zero_point, start.zero_point)


@given(st.floats(-5, 5), st.floats(0.2, 20))
def test_shrinkage_for_p_1_is_the_proximal_step(x: float, beta: float) -> None:
    def cost(e: float) -> float:
        return abs(e) + beta / 2 * (e - x) ** 2

    found = float(shrink_lp(np.array([x]), beta, 1.0)[0])
    assert cost(found) <= min(cost(e) for e in (0.0, *np.linspace(-6, 6, 1001))) + 1e-12
    assert abs(float(shrink_lp(np.array([x]), beta, 0.7)[0])) <= abs(x)


@pytest.mark.parametrize("ranges", [*METHODS, MeanSquared(INT3, np.ones(4))], ids=repr)
def test_files_keep_ranges(tmp_path: Path, ranges) -> None:  # type: ignore[no-untyped-def]
    w = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    latent = Latent.of(FakeQuantize(INT3, ranges=ranges), w)
    network = MLP((Linear(latent, np.zeros(3, np.float32), input=Dynamic(Uniform(), PerRow(), ranges)),))
    save(tmp_path / "network", network)
    again = load(tmp_path / "network").layers[0]
    assert again.input.ranges == again.weight.transform.ranges == ranges and hash(again.input.ranges) == hash(ranges)


def test_ranges_of_least_squares_are_equal_by_their_values() -> None:
    plain, weighed = MeanSquared(INT3), MeanSquared(INT3, np.ones(4))
    assert plain == MeanSquared(Uniform(3)) and weighed == MeanSquared(INT3, np.ones(4)) and plain != minmax
    assert len({plain, MeanSquared(Uniform(4)), MeanSquared(INT3, few=3), weighed, MeanSquared(INT3, np.zeros(4))}) == 5


X = np.array([[1.0, -2.0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanSquared(HALF), "integer_zero=True, not Uniform"),
        (lambda: MeanSquared(INT3, -np.ones(2)), "finite and at least 0, not -1.0"),
        (lambda: MeanSquared(INT3, np.array([np.nan])), "finite and at least 0, not nan"),
        (lambda: MeanSquared(INT3, few=-1), "few is a whole number of at least 0, not -1"),
        (lambda: MeanSquared(INT3, np.ones(3))(X, PerRow()), r"shape \(1, 2\) or for their columns, not \(3,\)"),
        (lambda: MeanSquared(INT3)(np.ones((2, 0)), PerRow()), r"of shape \(2, 0\)"),
        (lambda: MeanSquared(INT3)(X, PerRow(), np.ones(2, bool)), r"shape \(1, 2\), not bool \(2,\)"),
        (lambda: MeanSquared(INT3)(X, PerRow(), np.ones((1, 2))), r"boolean of .*, not float64 \(1, 2\)"),
        (lambda: Entropy(64, 65), "at least as many bins as levels.*: 64, 65"),
        (lambda: Entropy(64, 1), "at least 2: 64, 1"),
        (lambda: EntropyOnnxRuntime(64, 65), "at least as many bins as levels"),
        (lambda: EntropyOnnxRuntime(10_001), "more than 10000, 10001"),
        (lambda: Entropy()(np.array([[np.nan]]), PerRow()), r"hold nan at \(0, 0\)"),
        (lambda: Deviations(0.0), "above 0, not 0.0"),
        (lambda: ACIQ(0), "bits is a whole number of at least 1, not 0"),
        (lambda: OCTAV(0), "bits is a whole number of at least 1, not 0"),
        (lambda: OCTAV(4, signed=False)(X, PerRow()), "at least 0: signed=True for -0.5"),
        (lambda: moving_average([]), "one batch at least"),
        (lambda: moving_average([(X, X)], 0.0), "above 0 and at most 1, not 0.0"),
        (lambda: moving_average([(X, X), (X[:, :1], X)]), r"\(1, 2\), not \(1, 1\) and \(1, 2\)"),
        (lambda: hqq(X, Uniform()), "integer_zero=False, not Uniform"),
        (lambda: hqq(X, HALF, p=1.5), "at most 1, .* not 1.5, 10.0, 1.01"),
        (lambda: hqq(X, HALF, beta=0.0), "beta above 0.*, 0.0, "),
        (lambda: hqq(X, HALF, kappa=0.5), "kappa at least 1.* 0.5"),
        (lambda: hqq(X, HALF, steps=-1), "0 steps or more, not -1"),
    ],
)
def test_bad_input_gets_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
