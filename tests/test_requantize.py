"""Sums to codes in integers, as TFLite does it, by Python's integers; what ONNX does is in `crosscheck`."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats.requantize import round_then_zero, tflite_double, tflite_single
from tests.test_fixed_point import half_away, high_mul


def multiplier(factor: float) -> tuple[int, int]:
    """31 bits of a double, half up, and the power of two."""
    mantissa, shift = np.frexp(factor)
    return round(float(mantissa) * 2**31), int(shift)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_tflite_by_integers(seed: int, per_column: bool, once: bool) -> None:
    rng = np.random.default_rng(seed)
    acc = rng.integers(-100_000, 100_000, (3, 4)).astype(np.int32)
    s_a, s_y = (np.array(rng.uniform(0.01, 0.1), np.float32) for _ in range(2))
    s_b = rng.uniform(0.001, 0.01, 4 if per_column else ()).astype(np.float32)
    z = int(rng.integers(-20, 20))
    found = (tflite_single if once else tflite_double)(acc, s_a, s_b, s_y, z, -128, 127)
    for i, j in np.ndindex(acc.shape):
        factor = float(s_a) * float(s_b[j] if per_column else s_b) / float(s_y)
        m, shift = multiplier(factor)
        v = int(acc[i, j])
        codes = half_away(Fraction(high_mul(v, m), 2**-shift)), (v * m + (1 << (30 - shift))) >> (31 - shift)
        assert found[i, j] == min(max(codes[once] + z, -128), 127)


@pytest.mark.parametrize("rule", [round_then_zero, tflite_single])
def test_bad_arguments(rule) -> None:  # type: ignore[no-untyped-def]
    one = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="sums of products are int32, not int64"):
        rule(np.ones((1, 2), np.int64), one, one, one, 0, -128, 127)
    with pytest.raises(ValueError, match="one factor, or one for each of 2 columns, not 3"):
        tflite_single(np.ones((1, 2), np.int32), one, np.ones(3, np.float32), one, 0, -128, 127)
