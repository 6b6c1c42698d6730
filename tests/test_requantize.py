"""Sums to codes in integers, as TFLite does it, by Python's integers; what ONNX does is in `crosscheck`."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats.requantize import (
    round_away_then_zero,
    round_then_zero,
    tflite_double,
    tflite_single,
    tflite_upward,
)
from tests.test_fixed_point import half_away, half_upward, high_mul


def multiplier(factor: float) -> tuple[int, int]:
    """31 bits of a double, half up, and the power of two."""
    mantissa, shift = np.frexp(factor)
    return round(float(mantissa) * 2**31), int(shift)


RULES = {
    tflite_single: lambda v, m, shift: half_upward(Fraction(v * m, 2 ** (31 - shift))),
    tflite_double: lambda v, m, shift: half_away(Fraction(high_mul(v, m), 2**-shift)),
    tflite_upward: lambda v, m, shift: half_upward(Fraction(high_mul(v, m), 2**-shift)),
}


@pytest.mark.parametrize("rule", [*RULES, round_away_then_zero])
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_tflite_by_integers(rule, seed: int, per_column: bool, ties: bool) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    acc = rng.integers(-100_000, 100_000, (3, 4)).astype(np.int32)
    s_a, s_y = (np.array(2.0 ** rng.integers(-6, -3) if ties else rng.uniform(0.01, 0.1), np.float32) for _ in range(2))
    columns = 4 if per_column else ()
    s_b = np.asarray(2.0 ** rng.integers(-9, -6, columns) if ties else rng.uniform(0.001, 0.01, columns), np.float32)
    z = int(rng.integers(-20, 20))
    found = rule(acc, s_a, s_b, s_y, z, -128, 127)
    for i, j in np.ndindex(acc.shape):
        factor = float(s_a) * float(s_b[j] if per_column else s_b) / float(s_y)
        v = int(acc[i, j])
        code = RULES[rule](v, *multiplier(factor)) if rule in RULES else half_away(Fraction(v * factor))
        assert found[i, j] == min(max(code + z, -128), 127)


@pytest.mark.parametrize("rule", [round_then_zero, round_away_then_zero, tflite_single])
def test_bad_arguments(rule) -> None:  # type: ignore[no-untyped-def]
    one = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="sums of products are int32, not int64"):
        rule(np.ones((1, 2), np.int64), one, one, one, 0, -128, 127)
    with pytest.raises(ValueError, match="one factor, or one for each of 2 columns, not 3"):
        tflite_single(np.ones((1, 2), np.int32), one, np.ones(3, np.float32), one, 0, -128, 127)
