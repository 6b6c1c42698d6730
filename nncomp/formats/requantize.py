"""From an int32 sum of products to the codes of the output, as each system does it.

`acc (batch, out)` stands for `acc s_a s_b`, and the output's grid has `s_y` and a zero point z: so codes are
`acc m + z` with `m = s_a s_b / s_y`, one number or one for each column, limited to `low` and `high`; and the systems
differ in where they round. Scales are float32 and broadcast with acc; codes come as int32.

The rules of TFLite take m as a double. Some of its operators round on the way there, and are given what is left to do:
MUL `(s_a s_b / s_y, 1, 1)`; BATCH_MATMUL, and FULLY_CONNECTED on ruy with one scale of weights, `(s_a s_b, 1, s_y)`.
"""

from collections.abc import Callable

import numpy as np

from nncomp.formats.multiplier import (
    multiply_once_rounded,
    multiply_twice_rounded,
    multiply_twice_upward,
    quantize_multiplier,
)
from nncomp.formats.rounding import nearest_away


def round_then_zero(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(rint(f32(acc) f32(s_a s_b / s_y)) + z)`: ONNX Runtime's QLinearMatMul, ONNX's text, FBGEMM, XNNPACK.

    >>> one = np.ones(1, np.float32)
    >>> round_then_zero(np.array([[1, 3]], np.int32), one, one / 2, one, 1, -128, 127)  # 0.5 and 1.5
    array([[1, 3]], dtype=int32)
    """
    scaled = _scaled(acc, s_a, s_b, s_y)
    return np.clip(np.rint(scaled) + np.float32(z), low, high).astype(np.int32)


def zero_then_round(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(rint(f32(acc) f32(s_a s_b / s_y) + z))`: ONNX's reference evaluator; differs at ties where z is odd.

    >>> one = np.ones(1, np.float32)
    >>> zero_then_round(np.array([[1, 3]], np.int32), one, one / 2, one, 1, -128, 127)
    array([[2, 2]], dtype=int32)
    """
    scaled = _scaled(acc, s_a, s_b, s_y)
    return np.clip(np.rint(scaled + np.float32(z)), low, high).astype(np.int32)


def round_away_then_zero(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(round(f64(acc) m) + z)`, m the double `s_a s_b / s_y`, halves away: TFLite's reference FULLY_CONNECTED.

    >>> one = np.ones(1, np.float32)
    >>> round_away_then_zero(np.array([[1, -3]], np.int32), one, one / 2, one, 1, -128, 127)  # 0.5 and -1.5
    array([[ 2, -1]], dtype=int32)
    """
    scaled = _check(acc).astype(np.float64) * _factor(s_a, s_b, s_y)
    return np.clip(nearest_away(scaled) + z, low, high).astype(np.int32)


def tflite_single(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(multiply_once_rounded(acc, m) + z)`, m the double `s_a s_b / s_y` as integers: TFLite built so.

    >>> one = np.ones(1, np.float32)
    >>> tflite_single(np.array([[1, 3]], np.int32), one, one / 4, one, 0, -128, 127)  # 0.25 and 0.75
    array([[0, 1]], dtype=int32)
    """
    return _in_integers(multiply_once_rounded, acc, s_a, s_b, s_y, z, low, high)


def tflite_double(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """The same by `multiply_twice_rounded`: gemmlowp, TFLite's MUL and its reference CONV_2D and BATCH_MATMUL.

    >>> one = np.ones(1, np.float32)
    >>> tflite_double(np.array([[1, 3]], np.int32), one, one / 4, one, 0, -128, 127)  # 0.25 and 0.75
    array([[1, 1]], dtype=int32)
    """
    return _in_integers(multiply_twice_rounded, acc, s_a, s_b, s_y, z, low, high)


def tflite_upward(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """The same by `multiply_twice_upward`: ruy, which does TFLite's FULLY_CONNECTED and CONV_2D without a delegate.

    >>> one = np.ones(1, np.float32)
    >>> tflite_upward(np.array([[1, -3]], np.int32), one, one / 2, one, 0, -128, 127)  # 0.5 and -1.5
    array([[ 1, -1]], dtype=int32)
    """
    return _in_integers(multiply_twice_upward, acc, s_a, s_b, s_y, z, low, high)


def _in_integers(
    multiply: Callable[[np.ndarray, int, int], np.ndarray],
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int,
) -> np.ndarray:  # fmt: skip
    factors = np.atleast_1d(_factor(s_a, s_b, s_y)).ravel()
    if factors.size not in (1, _check(acc).shape[-1]):
        raise ValueError(f"one factor, or one for each of {acc.shape[-1]} columns, not {factors.size}")
    columns = [acc] if factors.size == 1 else np.split(acc, factors.size, axis=-1)
    parts = [multiply(part, *quantize_multiplier(float(f))) for part, f in zip(columns, factors)]
    return np.clip(np.concatenate(parts, axis=-1).astype(np.int64) + z, low, high).astype(np.int32)


def _factor(s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray) -> np.ndarray:
    return s_a.astype(np.float64) * s_b.astype(np.float64) / s_y.astype(np.float64)


def _scaled(acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray) -> np.ndarray:
    return _check(acc).astype(np.float32) * (s_a * s_b / s_y).astype(np.float32)


def _check(acc: np.ndarray) -> np.ndarray:
    if acc.dtype != np.int32:
        raise ValueError(f"sums of products are int32, not {acc.dtype}")
    return acc
