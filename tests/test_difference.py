"""Differences in units: exact in the last place, whole for integers, infinite for what is no number."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.crosscheck.difference import difference, same_bits

floats = st.floats(allow_nan=False, allow_infinity=False)


@given(floats, floats)
@example(1.7e308, -1.7e308)
@example(5e-324, 0.0)
def test_ulps_are_the_exact_difference_by_the_larger_ulp(a: float, b: float) -> None:
    exact = abs(Fraction(a) - Fraction(b)) / Fraction(math.ulp(max(abs(a), abs(b))))
    # Dividing the smaller by an ulp may round, by half an ulp of 2^53, and so may the subtraction.
    assert abs(Fraction(difference(np.array(a), np.array(b)).item()) - exact) <= exact * Fraction(2, 2**53)


@given(
    st.sampled_from([np.float16, np.float32, np.float64]), st.floats(1, 1.5), st.integers(-10, 10), st.integers(0, 20)
)
def test_ulps_are_steps_to_the_next_float(dtype: type, mantissa: float, exponent: int, steps: int) -> None:
    a = b = dtype(mantissa * 2.0**exponent)
    for _ in range(steps):
        b = np.nextafter(b, dtype(np.inf))
    for x, y in ((a, b), (b, a), (-a, -b)):
        assert difference(np.array(x), np.array(y)) == steps


@given(st.sampled_from([np.int8, np.uint8, np.int32, np.int64, np.uint64]), st.data())
def test_integers_differ_by_their_difference(dtype: type, data: st.DataObject) -> None:
    info = np.iinfo(dtype)
    a, b = (data.draw(st.integers(int(info.min), int(info.max)) | st.sampled_from([info.min, info.max])) for _ in "ab")
    assert difference(np.array(a, dtype), np.array(b, dtype)) == float(abs(int(a) - int(b)))


def test_booleans_differ_by_one() -> None:
    assert difference(np.array([True, False]), np.array([True, True])).tolist() == [0, 1]


def test_what_is_no_number_is_infinitely_far() -> None:
    values = np.array([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan])
    for unit in (None, 0.5):
        apart = difference(values[:, None], values[None], unit)
        finite = np.isfinite(values)
        assert np.isinf(apart).tolist() == (~(finite[:, None] & finite) & ~np.eye(6, dtype=bool)).tolist()
        assert not np.diag(apart).any() and apart[0, 1] == 0
    same = same_bits(values[:, None], values[None])
    assert same.tolist() == np.eye(6, dtype=bool).tolist(), "zeros of either sign are two numbers here, NaN is one"
    assert same_bits(np.uint32([0x7FC00000]).view("f4"), np.uint32([0xFFC00001]).view("f4")).all()


def test_units() -> None:
    a, b = np.array([[1.0, 2.0], [1.0, 2.0]], np.float32), np.array([[1.0, 3.0], [1.5, 2.0]], np.float32)
    assert difference(a, b, np.array([[0.5], [0.25]])).tolist() == [[0, 2], [2, 0]]
    assert difference(a, b, 0.0).tolist() == [[0, np.inf], [np.inf, 0]]
    for unit in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="at least 0"):
            difference(a, b, unit)
