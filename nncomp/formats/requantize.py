"""From an int32 sum of products to the codes of the output, as each system does it.

`acc (batch, out)` stands for `acc s_a s_b`, and the output's grid has `s_y` and a zero point z: so codes are
`acc m + z` with `m = s_a s_b / s_y`, one number or one for each column, and the systems differ in where they round.
"""

from collections.abc import Callable

import numpy as np

from nncomp.formats.multiplier import multiply_once_rounded, multiply_twice_rounded, quantize_multiplier

Requantize = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int, int], np.ndarray]
"""`(acc, s_a, s_b, s_y, z, low, high) -> codes (batch, out)` as int32; scales float32 that broadcast with acc."""


def round_then_zero(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(rint(f32(acc) f32(s_a s_b / s_y)) + z)`: ONNX Runtime's QLinearMatMul, and ONNX's text.

    >>> one = np.ones(1, np.float32)
    >>> round_then_zero(np.array([[1, 3]], np.int32), one, one / 2, one, 1, -128, 127)  # 0.5 and 1.5
    array([[1, 3]], dtype=int32)
    """
    scaled = _check(acc).astype(np.float32) * (s_a * s_b / s_y).astype(np.float32)
    return np.clip(np.rint(scaled) + np.float32(z), low, high).astype(np.int32)


def zero_then_round(
    acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
) -> np.ndarray:
    """`clip(rint(f32(acc) f32(s_a s_b / s_y) + z))`: ONNX's reference evaluator; differs at ties where z is odd.

    >>> one = np.ones(1, np.float32)
    >>> zero_then_round(np.array([[1, 3]], np.int32), one, one / 2, one, 1, -128, 127)
    array([[2, 2]], dtype=int32)
    """
    scaled = _check(acc).astype(np.float32) * (s_a * s_b / s_y).astype(np.float32)
    return np.clip(np.rint(scaled + np.float32(z)), low, high).astype(np.int32)


def fixed_point(
    multiply: Callable[[np.ndarray, int, int], np.ndarray],
) -> Requantize:
    """`clip(multiply(acc, m) + z)`, m the double `s_a s_b / s_y` as integers: TFLite and gemmlowp.

    >>> one = np.ones(1, np.float32)
    >>> acc = np.array([[1, 3]], np.int32)  # 0.25 and 0.75
    >>> tflite_single(acc, one, one / 4, one, 0, -128, 127), tflite_double(acc, one, one / 4, one, 0, -128, 127)
    (array([[0, 1]], dtype=int32), array([[1, 1]], dtype=int32))
    """

    def requantize(
        acc: np.ndarray, s_a: np.ndarray, s_b: np.ndarray, s_y: np.ndarray, z: int, low: int, high: int
    ) -> np.ndarray:
        factors = np.atleast_1d(s_a.astype(np.float64) * s_b.astype(np.float64) / s_y.astype(np.float64)).ravel()
        if factors.size not in (1, _check(acc).shape[-1]):
            raise ValueError(f"one factor, or one for each of {acc.shape[-1]} columns, not {factors.size}")
        columns = [acc] if factors.size == 1 else np.split(acc, factors.size, axis=-1)
        parts = [multiply(part, *quantize_multiplier(float(f))) for part, f in zip(columns, factors)]
        codes = np.concatenate(parts, axis=-1).astype(np.int64) + z
        return np.clip(codes, low, high).astype(np.int32)

    return requantize


tflite_single = fixed_point(multiply_once_rounded)
tflite_double = fixed_point(multiply_twice_rounded)


def _check(acc: np.ndarray) -> np.ndarray:
    if acc.dtype != np.int32:
        raise ValueError(f"sums of products are int32, not {acc.dtype}")
    return acc
