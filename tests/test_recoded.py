"""The same weight in other codes: what they stand for is the same, to the bit where that is possible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, Uniform
from nncomp.transforms.binary import levels
from nncomp.weights import Quantized, Sparse
from tests.strategies.weights import dense_codes, float_zero_codes, halfway_codes, seeds, sparse_codes

CODES = st.one_of(dense_codes(), sparse_codes(), float_zero_codes(), halfway_codes())


@given(halfway_codes())
def test_twice_the_codes_on_half_the_grid_are_the_same_weight(weight: Quantized) -> None:
    whole = weight.whole
    assert whole is not None and whole.grid.format.integer_zero and whole.grid.zero_point is None
    np.testing.assert_array_equal(whole.dense(), weight.dense())
    assert type(whole.codes) is Sparse if isinstance(weight.codes, Sparse) else type(whole.codes) is not Sparse
    assert whole.whole is whole and whole.grid.group == weight.grid.group


@pytest.mark.parametrize("zero", [0.25, 1e-9, 20_000.5])
def test_there_is_none_for_other_zero_points_nor_for_more_than_16_bits(zero: float) -> None:
    grid = Grid(levels(2), np.ones((1, 1)), np.array([[zero]]))
    assert Quantized.of(np.array([[0, 3]], np.uint8), grid).whole is None


def test_signs_are_the_smallest_codes() -> None:
    grid = Grid(levels(1), np.ones((1, 1)), np.array([[0.5]]))
    whole = Quantized.of(np.array([[0, 1]], np.uint8), grid).whole
    assert whole is not None and (whole.grid.format.bits, whole.grid.scale) == (2, 0.5)


def test_trained_scales_reach_the_doubled_codes() -> None:
    weight = Quantized.of(np.array([[0, 1]], np.uint8), Grid(levels(1), np.ones((1, 1)), np.array([[0.5]])))
    assert weight.whole is not None
    trained = weight.with_params((np.array([[1.5]]),))
    assert trained.whole is not None and trained.whole.grid.scale == 0.75


@given(CODES, seeds)
def test_rows_times_factors(weight: Quantized, seed: int) -> None:
    """In as many codes. Scales, zero points, their differences to codes and products are each rounded once."""
    factors = np.random.default_rng(seed).standard_normal(weight.shape[0]).astype(weight.dtype)
    other, limits = weight.scaled(factors), np.finfo(weight.dtype)
    steps = 2.0**weight.grid.format.bits + np.abs(weight.grid.zeros).max()
    size = steps * weight.grid.scale.max() * np.abs(factors[:, None])
    error = np.abs(other.dense() - weight.dense() * factors[:, None])
    assert (error <= 4 * limits.eps * size + steps * limits.tiny).all()  # the last where a scale would underflow
    assert other.grid.format == weight.grid.format and type(other.codes) is type(weight.codes)
    same = weight.scaled(np.ones(weight.shape[0], weight.dtype))
    np.testing.assert_array_equal(same.dense(), weight.dense())
    assert same.grid.zeros.tolist() == np.broadcast_to(weight.grid.zeros, same.grid.scale.shape).tolist()


def test_codes_change_places_end_to_end() -> None:
    weight = Quantized(np.array([[-128, 127], [-128, 127]], np.int8), Grid(Uniform(), np.ones((1, 1))))
    other = weight.scaled(np.array([-2.0, 0.0]))
    assert isinstance(other.codes, np.ndarray) and other.grid.zero_point is not None
    assert other.codes.tolist() == [[127, -128], [-128, 127]] and other.grid.zero_point.ravel().tolist() == [-1, 0]
    assert other.dense()[0].tolist() == [256, -254] and np.abs(other.dense()[1]).max() < 1e-300
    narrow = Quantized(np.array([[-127, 3]], np.int8), Grid(Uniform(narrow=True), np.ones((1, 1))))
    assert narrow.scaled(np.array([-1.0])).grid.zero_point is None
