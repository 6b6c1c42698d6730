"""Fixed point, and the fixed-point multiplier, against Python's integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.formats.fixed_point import FixedPoint, saturate, wrap
from nncomp.formats.multiplier import (
    doubling_high_mul,
    multiply_once_rounded,
    multiply_twice_rounded,
    multiply_twice_upward,
    quantize_multiplier,
    rounding_divide_by_power,
)

int32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, 0, -1, 1, -(2**30), 2**30])
factors = st.floats(2.0**-34, 2.0**20) | st.integers(-33, 20).map(lambda k: 2.0**k)


@example(1, 39, True, True, 16384.0)  # 2^53 and one more are the same double
@given(st.integers(1, 32), st.integers(-5, 40), st.booleans(), st.booleans(), st.floats(-1e6, 1e6))
def test_codes_by_fractions(bits: int, fraction: int, signed: bool, wraps: bool, x: float) -> None:
    format = FixedPoint(bits, fraction, signed, overflow=wrap if wraps else saturate)
    q = round(Fraction(x) * Fraction(2) ** fraction)  # Python rounds a Fraction's ties to even
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    q = (q - low) % 2**bits + low if wraps else min(max(q, low), high)
    code = format.encode(np.array([x]))
    assert int(code[0]) == q and Fraction(float(format.decode(code)[0])) == q / Fraction(2) ** fraction


@given(factors)
def test_a_factor_is_kept_to_31_bits(factor: float) -> None:
    m, shift = quantize_multiplier(factor)
    if m == 0:
        assert factor < 2.0**-32
    else:
        assert 2**30 <= m < 2**31
        assert abs(Fraction(m) * Fraction(2) ** (shift - 31) / Fraction(factor) - 1) <= Fraction(1, 2**31)


def trunc(a: int, b: int) -> int:
    """C's division."""
    return abs(a) // b * (1 if a >= 0 else -1)


def high_mul(a: int, b: int) -> int:
    """gemmlowp's own words: a nudge of 2^30 or 1 - 2^30, and a division towards zero."""
    if a == b == -(2**31):
        return 2**31 - 1
    return trunc(a * b + (2**30 if a * b >= 0 else 1 - 2**30), 2**31)


def half_away(v: Fraction) -> int:
    return math.floor(abs(v) + Fraction(1, 2)) * (1 if v >= 0 else -1)


def half_upward(v: Fraction) -> int:
    return math.floor(v + Fraction(1, 2))


@given(int32, int32, st.integers(0, 31))
@example(-3, 1 << 30, 1)
@example(-6, 1 << 30, 2)
def test_the_two_roundings(a: int, b: int, exponent: int) -> None:
    x, y = np.array([a], np.int32), np.array([b], np.int32)
    assert doubling_high_mul(x, y)[0] == high_mul(a, b)
    assert rounding_divide_by_power(x, exponent)[0] == half_away(Fraction(a, 2**exponent))


@given(int32, factors)
def test_a_product_rounded_once_and_twice(a: int, factor: float) -> None:
    m, shift = quantize_multiplier(factor)
    x = np.array([a], np.int32)
    once = half_upward(Fraction(a * m) * Fraction(2) ** (shift - 31))
    if -(2**31) <= once < 2**31:
        assert multiply_once_rounded(x, m, shift)[0] == once
    else:
        with pytest.raises(ValueError, match="leave 32 bits"):
            multiply_once_rounded(x, m, shift)
    scaled = a * 2 ** max(shift, 0)
    if -(2**31) <= scaled < 2**31:
        high = Fraction(high_mul(scaled, m), 2 ** max(-shift, 0))
        assert multiply_twice_rounded(x, m, shift)[0] == half_away(high)
        assert multiply_twice_upward(x, m, shift)[0] == half_upward(high)
    else:
        for twice in (multiply_twice_rounded, multiply_twice_upward):
            with pytest.raises(ValueError, match="leave 32 bits"):
                twice(x, m, shift)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FixedPoint(33), "1 to 32 bits, not 33"),
        (lambda: FixedPoint().encode(np.array([1.0, np.nan])), r"nan at \(1,\) has no code of FixedPoint\(\)"),
        (lambda: FixedPoint(overflow=wrap).encode(np.array([np.inf])), r"inf at \(0,\) has no code"),
        (lambda: quantize_multiplier(-1.0), "at least 0 and below 2\\^30, not -1.0"),
        (lambda: doubling_high_mul(np.ones(1), np.ones(1)), "accumulators are int32, not float64"),
        (lambda: rounding_divide_by_power(np.ones(1, np.int32), 32), "a shift of int32 is from 0 to 31, not 32"),
        (lambda: multiply_once_rounded(np.ones(1, np.int32), 1, 31), "its shift from -31 to 30, not 1 and 31"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
