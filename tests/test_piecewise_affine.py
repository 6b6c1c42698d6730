"""PARQ: its map solves the problem it says it does, as a numerical minimizer finds; its limits; its schedule."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import LSQ, PARQ, TWN, XNOR, BinaryConnect, FakeQuantize, shrink_onto
from nncomp.weights import Dense, Quantized, Sparse
from tests.strategies.weights import seeds

FORMATS = (Uniform(2), Uniform(2, narrow=True), Uniform(3, signed=False, symmetric=False))
slopes = st.sampled_from([1e-3, 0.05, 0.3, 0.8, 1.0])


def values(grid: Grid, row: int) -> np.ndarray:
    """What the codes of a row stand for, in order."""
    codes = np.arange(grid.format.qmin, grid.format.qmax + 1)
    return (codes - int(grid.zeros[row, 0])) * grid.scale[row, 0]


def drawn(seed: int, which: int) -> tuple[np.ndarray, Grid]:
    """Weights, some beyond the range of a grid of few codes for each row."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((2, 6))
    return w * 1.5, fit_grid(w, FORMATS[which], PerRow())


@given(seeds, st.integers(0, 2), slopes)
def test_the_map_is_where_a_minimizer_finds_the_least(seed: int, which: int, rho: float) -> None:
    w, grid = drawn(seed, which)
    found, tau = shrink_onto(w, grid, rho), 1 / rho - 1
    for i in range(2):
        Q = values(grid, i)
        for x, v in zip(w[i], found[i]):

            def problem(u: float, x: float = x, Q: np.ndarray = Q) -> float:
                return (u - (1 + tau) * x) ** 2 / 2 + tau * float(np.interp(u, Q, Q**2 / 2))

            assert Q[0] <= v <= Q[-1], "Psi is infinite beyond"
            options = {"xatol": 1e-12, "maxiter": 200}
            each = [minimize_scalar(problem, bounds=ends, method="bounded", options=options) for ends in pairwise(Q)]
            least = min([float(one.fun) for one in each] + [problem(q) for q in Q])
            assert problem(v) <= least + 64 * np.finfo(float).eps * (1 + tau) ** 2 * (1 + x * x + Q @ Q)


@given(seeds, st.integers(0, 2), slopes)
def test_the_map_in_a_loop(seed: int, which: int, rho: float) -> None:
    """Flat at the values of codes, of slope 1 / rho across the middle between two."""
    w, grid = drawn(seed, which)
    found = shrink_onto(w, grid, rho)
    for i in range(2):
        Q = values(grid, i)
        for x, v in zip(w[i], found[i]):
            expected = Q[0] if x <= Q[0] else Q[-1]
            for low, high in pairwise(Q):
                if low < x <= high:
                    middle = (low + high) / 2
                    expected = min(max(middle + (x - middle) / rho, low), high)
            np.testing.assert_allclose(v, expected, atol=1e-14 / rho)


@given(seeds, st.integers(0, 2))
def test_its_limits_are_rounding_and_the_weight_itself(seed: int, which: int) -> None:
    w, grid = drawn(seed, which)
    ends = [np.array([[values(grid, i)[end]] for i in range(2)]) for end in (0, -1)]
    np.testing.assert_array_equal(shrink_onto(w, grid, 0.0), grid.decode(grid.encode(w)))
    np.testing.assert_array_equal(shrink_onto(w, grid, 1.0), np.clip(w, *ends))
    steps = w / grid.scale
    sure = np.abs(np.abs(steps - np.floor(steps)) - 0.5) > 1e-6  # no tie, which rho = 0 gives to the even code
    steep = np.where(sure, shrink_onto(w, grid, 1e-7), 0)
    np.testing.assert_array_equal(steep, np.where(sure, grid.decode(grid.encode(w)), 0))
    apart = [np.abs(np.where(sure, shrink_onto(w, grid, rho), 0) - steep).max() for rho in (0.1, 0.4, 0.7, 1.0)]
    assert apart == sorted(apart)


def test_extremes_have_a_defined_result() -> None:
    grid = Grid(Uniform(2), np.full((1, 1), 1e30, np.float32))
    w = np.array([[np.inf, -np.inf, 3e38, 0.0, 5e29, 1e-38]], np.float32)
    for rho in (0.0, 1e-300, 0.5, 1.0):
        found = shrink_onto(w, grid, rho)
        assert found.dtype == np.float32 and np.isfinite(found).all() and found[0, 0] == np.float32(1e30)
        assert found[0, 3] == 0 and found[0, 1] == np.float32(-2e30)
    with pytest.raises(ValueError, match="NaN"):
        shrink_onto(np.full((1, 1), np.nan, np.float32), grid, 0.5)


def test_the_inverse_slope_falls_along_a_sigmoid() -> None:
    by = PARQ(steepness=10.0)
    rho = [by.inverse_slope(f) for f in np.linspace(0, 1, 101)]
    assert rho[0] == 1 and rho[-1] == 0 and abs(rho[50] - 0.5) < 1e-12 and rho == sorted(rho, reverse=True)
    sigmoid = 1 / (1 + np.exp(10 * (0.3 - 0.5)))
    low, high = 1 / (1 + np.exp(5)), 1 / (1 + np.exp(-5))
    np.testing.assert_allclose(rho[30], (sigmoid - low) / (high - low), rtol=1e-12)
    straight = [PARQ(steepness=1e-6).inverse_slope(f) for f in (0.1, 0.25, 0.9)]
    np.testing.assert_allclose(straight, [0.9, 0.75, 0.1], rtol=1e-9)
    assert PARQ(steepness=1e9).inverse_slope(0.4) == 1 and PARQ(steepness=1e9).inverse_slope(0.6) == 0


@pytest.mark.parametrize("onto", [FakeQuantize(Uniform(3)), XNOR(), BinaryConnect()])
def test_it_starts_at_the_weights_and_ends_on_their_codes(onto: FakeQuantize | XNOR | BinaryConnect) -> None:
    w = np.random.default_rng(5).standard_normal((3, 8))
    mask = np.abs(w) > 0.3
    by, hard = PARQ(onto, mask=mask), onto.masked(mask).forward((), w)[0]
    inside = np.abs(w) <= np.abs(hard).max(axis=1, keepdims=True)
    first, last = (by.forward((np.full(1, done),), w)[0] for done in (0.0, 1.0))
    np.testing.assert_array_equal(first[inside & mask], w[inside & mask])
    np.testing.assert_array_equal(last, hard)
    assert isinstance(by.store((np.ones(1),), w), Quantized) and isinstance(by.store((np.zeros(1),), w), Sparse)
    assert isinstance(PARQ(onto).store((np.zeros(1),), w), Dense)


def test_it_ends_on_the_nearest_code_though_a_threshold_says_otherwise() -> None:
    w, done = np.array([[4.0, -4.0, 0.0, 0.0, 0.0, 1.3]]), (np.ones(1),)
    assert TWN().forward((), w)[0][0, 5] == 3.1 and PARQ(TWN()).forward(done, w)[0].tolist() == [
        [3.1, -3.1, 0, 0, 0, 0]
    ]
    assert PARQ(TWN()).store(done, w).dense().tolist() == [[3.1, -3.1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shrink_onto(np.ones((1, 1)), Grid(Uniform(), np.ones((1, 1))), 1.5), "between 0 and 1, not 1.5"),
        (lambda: shrink_onto(np.ones((1, 1)), Grid(Uniform(), np.ones((1, 1))), np.nan), "between 0 and 1, not nan"),
        (lambda: PARQ(LSQ()), "a grid that is fitted to them, not by LSQ"),
        (lambda: PARQ(XNOR(mask=np.ones((1, 1), bool))), "the mask is that of PARQ, not of XNOR"),
        (lambda: PARQ(steepness=0.0), "a steepness lies above 0, not 0.0"),
        (lambda: PARQ(ramp=0.0), "ramp"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
