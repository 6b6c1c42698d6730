"""Integer weights: which codes and inputs fit, where sums are int32, and scales wherever training takes them."""

import math
import re

import numpy as np
import pytest

from nncomp.formats import Grid, Uniform
from nncomp.kernels.pack import LARGEST_K
from nncomp.weights import Quantized, Sparse

ONE = np.ones((1, 1), np.float32)


def grid(bits: int = 8, scale: float = 1.0, **conventions: bool) -> Grid:
    return Grid(Uniform(bits=bits, **conventions), ONE * np.float32(scale))


@pytest.mark.parametrize(
    ("codes", "bits", "message"),
    [
        (np.array([[0]], np.int16), 8, "are int8, not int16"),
        (np.array([[0]], np.int8), 16, "are int16, not int8"),
        (np.array([[0]], np.uint8), 8, "are int8, not uint8"),
        (np.array([[-9, 3]], np.int8), 4, "codes from -9 to 3 leave Uniform(bits=4): -8 to 7"),
        (np.array([[-8, 8]], np.int8), 4, "codes from -8 to 8 leave Uniform(bits=4): -8 to 7"),
    ],
)
def test_codes_are_those_of_the_format(codes: np.ndarray, bits: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Quantized(codes, grid(bits))
    with pytest.raises(ValueError, match=re.escape(message)):
        Quantized(Sparse.from_dense(codes, np.ones(codes.shape, bool)), grid(bits))


def test_the_end_codes_and_no_code_at_all_fit() -> None:
    ends = np.array([[-8, 7]], np.int8)
    assert Quantized(ends, grid(4)).dense().tolist() == [[-8, 7]]
    none = Sparse.from_dense(ends, np.zeros((1, 2), bool))
    assert Quantized(none, grid(4)).dense().tolist() == [[0, 0]]


@pytest.mark.parametrize("width", [2, 4])
def test_inputs_are_as_many_as_the_weights(width: int) -> None:
    weight = Quantized(np.ones((2, 3), np.int8), grid())
    message = f"codes (5, {width}) with scales (1, 1) do not fit a weight (out, in) = (2, 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        weight.apply_codes(np.ones((5, width), np.int8), grid())


def test_inputs_have_one_scale_each() -> None:
    weight = Quantized(np.ones((2, 4), np.int8), grid())
    grouped = Grid(Uniform(), np.ones((1, 2), np.float32), group=2)
    with pytest.raises(ValueError, match=re.escape("codes (5, 4) with scales (1, 2) do not fit")):
        weight.apply_codes(np.ones((5, 4), np.int8), grouped)
    with pytest.raises(ValueError, match=re.escape("shape (5, 4) does not fit scales (2, 1)")):
        weight.apply_codes(np.ones((5, 4), np.int8), Grid(Uniform(), np.ones((2, 1), np.float32)))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("bits", "input_bits", "inputs", "dtype"),
    [
        (8, 8, 2, np.int32), (2, 8, 2, np.int32), (16, 8, 2, np.int64), (8, 16, 2, np.int64), (16, 16, 2, np.int64),
        (8, 8, LARGEST_K, np.int32), (8, 8, 66_311, np.int32), (8, 8, 66_312, np.int64),
    ],
)  # fmt: skip
def test_sums_are_int32_where_it_holds_any_of_them(
    bits: int, input_bits: int, inputs: int, dtype: type, sparse: bool
) -> None:
    codes = np.full((1, inputs), 1 if bits == 2 else 127, f"i{1 if bits <= 8 else 2}")
    weight = Quantized(Sparse.from_dense(codes) if sparse else codes, grid(bits))
    q = np.ones((1, inputs), f"i{1 if input_bits <= 8 else 2}")
    ((acc, scale),) = weight.accumulate(q, grid(input_bits))
    assert acc.dtype == dtype and acc.tolist() == [[inputs * int(codes[0, 0])]] and scale.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("scale", "p", "expected"),
    [
        (1.0, 1.0, 1.0), (1.5, 1.5, 1.5), (0.75, 1.5, 0.75), (0.75, 1.0, 0.5), (0.75, 0.0, 0.5 / math.e),
        (0.75, -1.0, 0.5 / math.e**2), (3.0, 2.5, 5.0), (3.0, 1000.0, 2000.0), (3.0, 0.5, 2 / math.sqrt(math.e)),
    ],
)  # fmt: skip
def test_a_scale_is_its_power_of_two_times_what_training_makes_of_its_mantissa(
    scale: float, p: float, expected: float
) -> None:
    """Linear from 1 up, exponential below, so never 0; the power of two stays where the scale began."""
    weight = Quantized(np.ones((1, 1), np.int8), grid(scale=scale))
    moved = weight.with_params((np.full((1, 1), p, np.float32),))
    assert float(moved.grid.scale[0, 0]) == pytest.approx(expected, rel=1e-6)
    _, (slope,) = moved.vjp(ONE, ONE)
    power = 2.0 ** math.floor(math.log2(scale))
    assert float(slope[0, 0]) == pytest.approx(power * (1 if p >= 1 else math.exp(p - 1)), rel=1e-6)
    assert moved.with_params(weight.params).grid.scale.tolist() == weight.grid.scale.tolist()


def test_the_parameter_to_start_from_is_from_1_to_2() -> None:
    scales = np.float32([[0.3], [0.5], [1.0], [1.999], [2.0], [1e-20]])
    (p,) = Quantized(np.ones((6, 1), np.int8), Grid(Uniform(), scales)).params
    np.testing.assert_array_equal(p, scales / 2 ** np.floor(np.log2(scales)))
    assert (p >= 1).all() and (p < 2).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_hundreds_of_groups(sparse: bool) -> None:
    codes = np.arange(600).reshape(2, 300).astype(np.int8)
    scales = np.arange(1, 301, dtype=np.float32).reshape(2, 150)
    kept = Sparse.from_dense(codes, np.ones(codes.shape, bool)) if sparse else codes
    weight = Quantized(kept, Grid(Uniform(), scales, group=2))
    w = codes * np.repeat(scales, 2, axis=1)
    np.testing.assert_array_equal(weight.dense(), w)
    q = np.full((1, 300), 2, np.int8)
    np.testing.assert_allclose(weight.apply_codes(q, grid()), 2 * w.sum(axis=1)[None], rtol=1e-5)
    _, (dp,) = weight.vjp(np.ones((1, 300), np.float32), np.ones((1, 2), np.float32))
    np.testing.assert_allclose(
        dp, codes.astype(np.float32).reshape(2, 150, 2).sum(axis=2) * 2 ** np.floor(np.log2(scales))
    )
