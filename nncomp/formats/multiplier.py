"""A real factor as integers: the fixed-point multiplier of gemmlowp and TFLite, which rounds twice or once."""

import numpy as np

LEAST, MOST = -(2**31), 2**31 - 1


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """`(m, shift)` so that `factor = m 2^(shift - 31)` to 31 bits, `2^30 <= m < 2^31` (TFLite's QuantizeMultiplier).

    m is rounded half up. A factor below 2^-32 is (0, 0); one of 2^30 and more has no such shift and raises.

    >>> quantize_multiplier(0.75), quantize_multiplier(3.0)
    ((1610612736, 0), (1610612736, 2))
    """
    if not 0 <= factor < 2.0**30:
        raise ValueError(f"a factor is at least 0 and below 2^30, not {factor}")
    mantissa, shift = np.frexp(factor)
    m, shift = int(np.floor(float(mantissa) * 2.0**31 + 0.5)), int(shift)  # exact: a double has 53 bits
    if m == 2**31:
        m, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (m, shift)


def doubling_high_mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`round(a b / 2^31)` of int32, halves up; -2^31 times itself saturates (gemmlowp's
    SaturatingRoundingDoublingHighMul, ARM's SQRDMULH).

    >>> doubling_high_mul(np.array([3, -3], np.int32), np.array([1 << 30], np.int32))  # 1.5 and -1.5
    array([ 2, -1], dtype=int32)
    """
    _check(a, b)
    product = a.astype(np.int64) * b.astype(np.int64)
    return np.minimum((product + (1 << 30)) >> 31, MOST).astype(np.int32)


def rounding_divide_by_power(x: np.ndarray, exponent: int) -> np.ndarray:
    """`round(x / 2^exponent)` of int32, halves away from zero (gemmlowp's RoundingDivideByPOT).

    >>> rounding_divide_by_power(np.array([3, -3, 2], np.int32), 1)
    array([ 2, -2,  1], dtype=int32)
    """
    _check(x)
    if not 0 <= exponent <= 31:
        raise ValueError(f"a shift of int32 is from 0 to 31, not {exponent}")
    mask = (1 << exponent) - 1
    return ((x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))).astype(np.int32)


def multiply_twice_rounded(x: np.ndarray, m: int, shift: int) -> np.ndarray:
    """`x m 2^(shift - 31)` of int32, rounded in the product and again in the shift (gemmlowp; TFLite's MUL and its
    reference CONV_2D).

    Rounding twice is biased: 0.25 comes out as 1 where it goes by way of 0.5 (tensorflow#25087).

    >>> multiply_twice_rounded(np.array([1], np.int32), *quantize_multiplier(0.25)), 0.25
    (array([1], dtype=int32), 0.25)
    """
    return rounding_divide_by_power(_high(x, m, shift), max(-shift, 0))


def multiply_twice_upward(x: np.ndarray, m: int, shift: int) -> np.ndarray:
    """`x m 2^(shift - 31)` of int32, rounded in the product and again in the shift, halves up in both (ruy; TFLite's
    FULLY_CONNECTED and CONV_2D without a delegate).

    >>> multiply_twice_upward(np.array([1, -3], np.int32), *quantize_multiplier(0.5))  # 0.5 and -1.5
    array([ 1, -1], dtype=int32)
    """
    high, exponent = _high(x, m, shift).astype(np.int64), max(-shift, 0)
    return ((high + ((1 << exponent) >> 1)) >> exponent).astype(np.int32)


def _high(x: np.ndarray, m: int, shift: int) -> np.ndarray:
    _check_multiplier(m, shift)
    scaled = x.astype(np.int64) << max(shift, 0)
    if scaled.size and not LEAST <= scaled.min() <= scaled.max() <= MOST:
        raise ValueError(f"shifted by {shift}, {scaled.min()} to {scaled.max()} leave 32 bits: the result is undefined")
    return doubling_high_mul(scaled.astype(np.int32), np.array([m], np.int32))


def multiply_once_rounded(x: np.ndarray, m: int, shift: int) -> np.ndarray:
    """`round(x m 2^(shift - 31))` of int32, halves up, in 64 bits (TFLite built with TFLITE_SINGLE_ROUNDING).

    >>> multiply_once_rounded(np.array([1, 2, -2], np.int32), *quantize_multiplier(0.25))
    array([0, 1, 0], dtype=int32)
    """
    _check(x)
    _check_multiplier(m, shift)
    total = 31 - shift
    result = (x.astype(np.int64) * m + (1 << (total - 1))) >> total
    if result.size and not LEAST <= result.min() <= result.max() <= MOST:
        raise ValueError(f"{result.min()} to {result.max()} leave 32 bits: the result is undefined")
    return result.astype(np.int32)


def _check(*arrays: np.ndarray) -> None:
    for a in arrays:
        if a.dtype != np.int32:
            raise ValueError(f"accumulators are int32, not {a.dtype}")


def _check_multiplier(m: int, shift: int) -> None:
    if not (0 <= m <= MOST and -31 <= shift <= 30):
        raise ValueError(f"a multiplier is from 0 to 2^31 - 1, its shift from -31 to 30, not {m} and {shift}")
