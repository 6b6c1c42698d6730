"""The uniform grid: codes against arithmetic in Python integers, ranges and scales against their definitions."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.formats import (
    Grid,
    PerColumn,
    PerGroup,
    PerRow,
    PerTensor,
    Uniform,
    divide_add_round,
    half_range,
    largest_code,
    lowest_code,
    nearest_away,
    nearest_even,
    sqnr,
)  # fmt: skip
from nncomp.quantize import Dynamic, Percentile, minmax, round_to_nearest
from nncomp.quantize.nearest import fit_grid
from tests.strategies.weights import granularities, matrices, uniforms

finite = {t: st.floats(width=8 * np.dtype(t).itemsize, allow_nan=False, allow_infinity=False) for t in ("f4", "f8")}


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any grid of one scale, fitted or not."""
    format = draw(uniforms)
    scale = np.array([[draw(st.floats(2.0**-20, 2.0**20, width=32))]], np.float32)
    zero = None if draw(st.booleans()) else np.array([[draw(st.integers(format.qmin, format.qmax))]], format.dtype)
    return Grid(format, scale, zero)


def half_even(v: Fraction) -> int:
    return round(v)  # Python rounds a Fraction's ties to even


def half_away(v: Fraction) -> int:
    return math.floor(abs(v) + Fraction(1, 2)) * (1 if v >= 0 else -1)


@given(grids(), arrays(np.float32, (2, 3), elements=finite["f4"]))
@example(
    Grid(Uniform(), np.ones((1, 1), np.float32), np.array([[1]], np.int8)), np.array([[0.5, 1.5, -2.5]], np.float32)
)
def test_encode_is_saturate_round_divide_plus_zero_point(grid: Grid, x: np.ndarray) -> None:
    """ONNX QuantizeLinear: the quotient is a float32, everything after it exact."""
    with np.errstate(over="ignore"):
        quotient = x / grid.scale
    zero = int(grid.zeros[0, 0])
    for q, v in zip(grid.encode(x).flat, quotient.flat):
        if math.isinf(v):
            expected = grid.format.qmax if v > 0 else grid.format.qmin
        else:
            expected = min(max(half_even(Fraction(float(v))) + zero, grid.format.qmin), grid.format.qmax)
        assert int(q) == expected


@given(grids(), st.data())
def test_decode_is_exact_steps_times_scale(grid: Grid, data: st.DataObject) -> None:
    q = data.draw(arrays(grid.format.dtype, (2, 2), elements=st.integers(grid.format.qmin, grid.format.qmax)))
    x = grid.decode(q)
    assert x.dtype == np.float32
    for v, c in zip(x.flat, q.flat):
        assert v == np.float32(int(c) - int(grid.zeros[0, 0])) * grid.scale[0, 0]
    np.testing.assert_array_equal(grid.encode(x), q, err_msg="every code is its own nearest")
    assert grid.inside(x).all()


@given(matrices(), uniforms, granularities)
def test_fitted_grids_cover_the_range_within_half_a_step(w: np.ndarray, format: Uniform, per) -> None:  # type: ignore[no-untyped-def]
    codes, grid = round_to_nearest(w, format, per)
    assert codes.dtype == format.dtype and codes.min() >= format.qmin and codes.max() <= format.qmax
    step = np.broadcast_to(grid.spread(grid.scale, w.shape[1]), w.shape).astype(np.float64)
    error = np.abs(grid.decode(codes).astype(np.float64) - w)
    # Affine: the zero point itself was rounded by up to half a step. Both: the divisions and products round.
    allowed = (0.5 if format.symmetric else 1.0) * step + 4 * np.finfo(w.dtype).eps * (np.abs(w) + step)
    assert (error <= allowed).all()
    assert (grid.decode(codes)[w == 0] == 0).all(), "zero is always exact"


@given(matrices(np.float64), uniforms, granularities, st.integers(-20, 20))
def test_scaling_by_a_power_of_two_leaves_codes(w: np.ndarray, format: Uniform, per, power: int) -> None:  # type: ignore[no-untyped-def]
    if np.all(w == 0):
        return
    codes, grid = round_to_nearest(w, format, per)
    scaled, other = round_to_nearest(w * 2.0**power, format, per)
    np.testing.assert_array_equal(codes, scaled)
    zero_block = grid.scale == 1  # an all-zero block has scale 1 at any power
    np.testing.assert_array_equal(other.scale[~zero_block], (grid.scale * 2.0**power)[~zero_block])


@pytest.mark.parametrize(
    ("format", "low", "high", "scale", "zero"),
    [
        (Uniform(), -1, 1, 1 / 127, 0),
        (Uniform(narrow=True), -1, 1, 1 / 127, 0),
        (Uniform(scale_rule=half_range), -1, 1, 1 / 127.5, 0),
        (Uniform(scale_rule=lowest_code), -1, 1, 1 / 128, 0),
        (Uniform(signed=False), -1, 0.5, 1 / 127, 128),
        (Uniform(signed=False, scale_rule=half_range), -1, 0.5, 1 / 127.5, 128),
        (Uniform(signed=False, scale_rule=lowest_code), -1, 0.5, 1 / 128, 128),
        (Uniform(signed=False, narrow=True, scale_rule=lowest_code), -1, 0.5, 1 / 127, 128),
        (Uniform(signed=False, symmetric=False), 0, 2.55, 0.01, 0),
        (Uniform(signed=False, symmetric=False), 1, 2.55, 0.01, 0),
        (Uniform(signed=False, symmetric=False), -1.27, 1.28, 0.01, 127),
        (Uniform(symmetric=False), 0, 2.55, 0.01, -128),
        (Uniform(symmetric=False, narrow=True), 0, 2.54, 0.01, -127),
        (Uniform(bits=4), -7, 3, 1, 0),
        (Uniform(bits=2), -1, 1, 1, 0),
        (Uniform(bits=16), -32767, 5, 1, 0),
        (Uniform(), 0, 0, 1, 0),
    ],
)
def test_scale_rules(format: Uniform, low: float, high: float, scale: float, zero: int) -> None:
    grid = Grid.covering(format, np.array([[float(low)]]), np.array([[float(high)]]))
    assert grid.scale[0, 0] == pytest.approx(scale, rel=1e-15) and grid.zeros[0, 0] == zero


@pytest.mark.parametrize("bits", range(2, 17))
def test_code_ranges(bits: int) -> None:
    def ends(signed: bool, narrow: bool) -> tuple[int, int, np.dtype]:
        format = Uniform(bits=bits, signed=signed, narrow=narrow)
        return format.qmin, format.qmax, format.dtype

    width = 8 if bits <= 8 else 16
    assert ends(True, False) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, np.dtype(f"int{width}"))
    assert ends(True, True)[0] == -(2 ** (bits - 1)) + 1
    assert ends(False, False) == (0, 2**bits - 1, np.dtype(f"uint{width}"))
    assert ends(False, True)[0] == 1


@given(arrays(np.float32, (1, 8), elements=st.floats(-1e6, 1e6, width=32)))
def test_rounding_modes_differ_only_at_ties(x: np.ndarray) -> None:
    x = np.concatenate([x, np.trunc(x) + np.float32(0.5), np.nextafter(np.float32(0.5), np.float32([[0, 1]]))], axis=1)
    for v, even, away in zip(x.flat, nearest_even(x).flat, nearest_away(x).flat):
        assert int(even) == half_even(Fraction(float(v))) and int(away) == half_away(Fraction(float(v)))


FLOAT_ZERO = Uniform(symmetric=False, integer_zero=False, arithmetic=divide_add_round)


@given(matrices(np.float64), st.integers(1, 8), st.booleans(), granularities)
def test_a_zero_point_that_is_no_code_spends_no_code_outside_the_range(w, bits, signed, per) -> None:  # type: ignore[no-untyped-def]
    """The ends of the range are codes, and 0 need not be in it; everything is within half a step."""
    w = w + 3 * np.abs(w).max()  # far from 0
    codes, grid = round_to_nearest(w, replace(FLOAT_ZERO, bits=bits, signed=signed), per)
    low, high = (grid.spread(v, w.shape[1]) for v in minmax(w, per))
    step = grid.spread(grid.scale, w.shape[1])
    np.testing.assert_allclose(
        step, np.where(low == high, np.abs(low) + (low == 0), (high - low) / (2**bits - 1)), rtol=1e-12
    )
    assert (np.abs(grid.decode(codes) - w) <= step * (0.5 + 1e-6)).all()
    assert ((codes == grid.format.qmin) | (w > low)).all() and (
        (codes == grid.format.qmax) | (w < high) | (low == high)
    ).all()


@pytest.mark.parametrize("value", [1e-6, -3e-3, 7.0])
def test_a_block_of_one_value_is_exact_without_a_zero(value: float) -> None:
    codes, grid = round_to_nearest(np.full((1, 3), value, np.float32), replace(FLOAT_ZERO, bits=4))
    np.testing.assert_allclose(grid.decode(codes), value, rtol=1e-6)


def test_columns_have_scales_of_their_own() -> None:
    W = np.array([[1.0, -300.0], [-2.0, 5.0]])
    codes, grid = round_to_nearest(W, Uniform(4), PerColumn())
    assert grid.scale.tolist() == [[2 / 7, 300 / 7]] and codes.tolist() == [[4, -7], [-7, 0]]


def test_inside_is_false_beyond_either_end() -> None:
    inside = Grid(Uniform(bits=4), np.ones((1, 1))).inside(np.array([[-9.0, -8.0, 7.0, 8.0]]))
    assert inside.dtype == bool and inside.tolist() == [[False, True, True, False]]


def test_a_grid_prints_four_values_and_of_more_their_shape() -> None:
    zero = np.full((1, 4), 5, np.int8)
    assert repr(Grid(Uniform(), np.ones((1, 4)), zero, 1)).startswith(
        "Grid(scale=[[1.0, 1.0, 1.0, 1.0]], zero_point=[[5, 5, 5, 5]], Uniform("
    )
    assert repr(Grid(Uniform(), np.ones((5, 1), np.float32))).startswith("Grid(scale=float32[5, 1], Uniform(")


def test_rounding_is_an_argument() -> None:
    x = np.array([[0.5, 1.5, -0.5]])
    assert Grid(Uniform(), np.ones((1, 1))).encode(x).tolist() == [[0, 2, 0]]
    assert Grid(Uniform(rounding=nearest_away), np.ones((1, 1))).encode(x).tolist() == [[1, 2, -1]]
    assert nearest_away(np.array([np.inf, -np.inf])).tolist() == [np.inf, -np.inf]


@given(matrices(), st.integers(1, 13))
def test_ranges_by_loops(w: np.ndarray, group: int) -> None:
    for per in (PerTensor(), PerRow(), PerGroup(group)):
        low, high = minmax(w, per)
        p_low, p_high = Percentile(90.0)(w, per)
        rows = [w.reshape(-1)] if isinstance(per, PerTensor) else list(w)
        size = group if isinstance(per, PerGroup) else max(w.size, 1)
        blocks = [[row[i : i + size] for i in range(0, len(row), size)] for row in rows]
        assert low.tolist() == [[min(b) for b in row] for row in blocks]
        assert high.tolist() == [[max(b) for b in row] for row in blocks]
        assert p_high.tolist() == [[w.dtype.type(np.percentile(b, 90.0)) for b in row] for row in blocks]
        assert (p_low >= low).all() and (p_high <= high).all() and p_low.dtype == w.dtype


def test_a_group_of_one_leaves_every_weight_its_own_scale() -> None:
    codes, grid = round_to_nearest(np.arange(1.0, 301.0)[None], Uniform(), PerGroup(1))
    assert grid.scale.shape == (1, 300) and (codes == 127).all()


def test_percentile_clips_an_outlier() -> None:
    x = np.concatenate([np.linspace(-1, 1, 999), [1000.0]])[None]
    assert fit_grid(x, Uniform(), PerTensor(), Percentile(99.0)).scale[0, 0] < 1.01 / 127


def test_dynamic_follows_the_input() -> None:
    x = np.array([[1.27, 0.0], [0.0, -2.54]])
    assert Dynamic(Uniform()).grid_for(x).scale.tolist() == [[0.01], [0.02]]
    assert Dynamic(Uniform(), PerTensor()).grid_for(x).scale.tolist() == [[0.02]]
    assert Dynamic(Uniform()).grid_for(x[:0]).encode(x[:0]).shape == (0, 2)


def test_sqnr_of_a_full_scale_sine_is_the_textbook_6_02_decibels_a_bit() -> None:
    """1.76 + 6.02 bits (Bennett 1948), reached by symmetric grids of 2^bits - 1 levels up to their edge."""
    x = np.sin(np.arange(100_000) * 0.1234567)[None]
    for bits in (8, 12, 16):
        codes, grid = round_to_nearest(x, Uniform(bits=bits), PerTensor())
        assert sqnr(x, grid.decode(codes)) == pytest.approx(1.76 + 6.02 * bits, abs=0.15)
    assert sqnr(x, x) == math.inf and sqnr(np.zeros(2), np.ones(2)) == -math.inf
    assert sqnr(np.array([3.0]), np.array([1.0])) == pytest.approx(10 * math.log10(9 / 4), rel=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(bits=0), "1 to 16 bits, not 0"),
        (lambda: Uniform(bits=1), "1 bit has two codes and no middle"),
        (lambda: Uniform(bits=1, symmetric=False, narrow=True), "1 bit has two codes"),
        (lambda: Uniform(integer_zero=False), "is fitted .symmetric=False., and added before rounding"),
        (lambda: Uniform(symmetric=False, integer_zero=False), "added before rounding"),
        (lambda: Grid(FLOAT_ZERO, np.ones((1, 1)), np.full((1, 1), np.inf)), "zero points are finite, not inf"),
        (lambda: Grid(FLOAT_ZERO, np.ones((1, 1)), np.ones((1, 1), np.float32)), "zero points are float64 of"),
        (lambda: Uniform(bits=True), "1 to 16 bits, not True"),
        (lambda: Uniform(bits=np.int64(8)), r"not np.int64.8."),
        (lambda: Uniform().fit(np.array([[-1]]), np.array([[2]])), "a range is floats of one shape, not int64"),
        (lambda: Uniform().fit(-np.ones((3, 1)), np.ones((1, 3))), "floats of one shape, not float64 .3, 1."),
        (lambda: Uniform(bits=17), "1 to 16 bits, not 17"),
        (lambda: PerGroup(0), "at least one, not 0"),
        (lambda: Percentile(101), "between 50 and 100, not 101"),
        (lambda: Grid(Uniform(), np.zeros((1, 1))), "positive and finite, not 0.0"),
        (lambda: Grid(Uniform(), -np.ones((1, 1))), "positive and finite, not -1.0"),
        (lambda: Grid(Uniform(), np.full((1, 1), np.nan)), "positive and finite, not nan"),
        (
            lambda: Grid.covering(Uniform(scale_rule=lambda low, high: low), np.zeros((1, 1)), np.ones((1, 1))),
            "not -0.0078125",
        ),
        (lambda: Grid(Uniform(), np.ones(3)), r"two dimensions, not float64 of shape \(3,\)"),
        (lambda: Grid(Uniform(), np.ones((1, 1, 1))), r"two dimensions, not float64 of shape \(1, 1, 1\)"),
        (lambda: Grid(Uniform(), np.ones((1, 2))), r"\(1, 2\) need the number of columns in a group"),
        (lambda: Grid(Uniform(), np.ones((1, 0))), r"\(1, 0\) need the number of columns in a group"),
        (lambda: Grid(Uniform(bits=4), np.ones((1, 1)), np.full((1, 1), -9, np.int8)), "zero points .*, not -9 to -9"),
        (lambda: Grid(Uniform(), np.ones((1, 1))).encode(np.ones((1, 1, 1))), r"\(1, 1, 1\) does not fit"),
        (lambda: Grid(Uniform(), np.ones((1, 1)), np.zeros((1, 1), np.uint8)), "zero points are int8"),
        (lambda: Grid(Uniform(), np.ones((1, 1)), np.zeros((2, 1), np.int8)), r"shape \(1, 1\), not int8 \(2, 1\)"),
        (lambda: Grid(Uniform(), np.ones((2, 1)), np.zeros((1, 1), np.int8)), r"shape \(2, 1\), not int8 \(1, 1\)"),
        (lambda: Grid(Uniform(), np.ones((2, 1))).encode(np.ones((3, 4))), r"\(3, 4\) does not fit scales \(2, 1\)"),
        (lambda: Grid(Uniform(), np.ones((1, 2)), group=2).encode(np.ones(4)), r"\(4,\) does not fit scales \(1, 2\)"),
        (lambda: Grid(Uniform(), np.ones((1, 2)), group=2).encode(np.ones((1, 5))), r"\(1, 5\) does not .* group 2"),
        (lambda: Grid(Uniform(), np.ones((1, 2)), group=2).encode(np.ones((1, 2))), r"\(1, 2\) does not .* group 2"),
        (lambda: Grid(Uniform(), np.ones((1, 1))).encode(np.array([[0.0, np.nan, np.nan]])), r"NaN at \(0, 1\)"),
        (lambda: round_to_nearest(np.array([[np.inf]])), r"hold inf at \(0, 0\)"),
        (lambda: round_to_nearest(np.ones((0, 3))), r"of shape \(0, 3\)"),
        (lambda: round_to_nearest(np.ones((2, 3), int)), "not int64"),
        (lambda: round_to_nearest(np.array([[-3e38, 3e38]], np.float32), Uniform(symmetric=False)), "no finite scale"),
    ],
)
def test_bad_input_gets_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


@given(st.sampled_from(["f4", "f8"]))
def test_subnormal_weights_have_a_scale(dtype: str) -> None:
    w = np.full((1, 2), np.finfo(dtype).smallest_subnormal, dtype)
    codes, grid = round_to_nearest(w)
    assert (grid.decode(codes) <= w).all()


def test_scale_rules_by_name() -> None:
    assert (largest_code(-128, 127), half_range(-128, 127), lowest_code(-128, 127)) == (127, 127.5, 128)
