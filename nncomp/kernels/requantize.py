"""A layer in integers alone: codes in, exact sums, codes out.

    q = clip(rint(f32(acc + bias) m) + zero, low, high)

with acc the exact product of codes (`int8.py`), a bias of int32, and m one number for each output: ONNX Runtime's rule.
"""

import numpy as np

from nncomp.kernels.int8 import ALONE, int8_kernel, int8_matmul, int8_matmul_reference, int8_move, split_product
from nncomp.kernels.jit import compiled
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.pack import NO_ZEROS, Packed
from nncomp.kernels.simd.path import PATH


class Requantized:
    """A layer's packed weights, their bias (N) in int32, m (N, or 1) in float32, and the codes of the outputs."""

    def __init__(
        self, weight: Packed, bias: np.ndarray, m: np.ndarray, zero: int, low: int, high: int, dtype: np.dtype
    ) -> None:  # fmt: skip
        wide = weight.sums.size  # as far as the packed weights go
        self.bias, self.m = np.zeros(wide, np.int32), np.zeros(wide, np.float32)
        self.bias[: weight.outputs], self.m[: weight.outputs] = bias, m
        self.weight, self.zero, self.low, self.high, self.dtype = weight, zero, low, high, dtype
        ends = ONE[0] * -np.inf, ONE[0], *(np.float32(end) for end in (zero, low, high))
        self.rest = weight.panels, weight.sums, weight.zeros
        self.scales = ONE, 0, self.m, self.bias, *ends


def requantized_reference(
    a: np.ndarray, a_zero: int, b: np.ndarray, b_zero: np.ndarray, bias: np.ndarray, m: np.ndarray,
    zero: int, low: int, high: int, dtype: np.dtype,
) -> np.ndarray:  # fmt: skip
    """The codes of the outputs, of codes `a (M, K)`, the weights' `b (N, K)`, their zero points, bias and m (N)."""
    acc = int8_matmul_reference(a, b, np.full(len(a), a_zero), b_zero) + bias
    return np.clip(np.rint(acc.astype(np.float32) * m) + np.float32(zero), low, high).astype(dtype)


def requantized(a: np.ndarray, a_zero: int, layer: Requantized) -> np.ndarray:
    """As `requantized_reference`, of 8-bit codes `a (M, K)` and a packed layer.

    >>> from nncomp.kernels.pack import int8_pack
    >>> packed, one = int8_pack(np.array([[2, 3]], np.int8)), np.ones(1, np.float32)
    >>> layer = Requantized(packed, np.array([10], np.int32), one / 4, 1, 0, 15, np.dtype(np.uint8))
    >>> requantized(np.array([[1, 2], [9, 9]], np.uint8), 0, layer)  # 18 / 4 = 4.5 and 55 / 4
    array([[ 5],
           [15]], dtype=uint8)
    """
    rows, inner, outputs = *a.shape, layer.weight.outputs
    zeros = np.full(rows, a_zero, np.int32) if a_zero else NO_ZEROS
    if PATH == "scalar":
        acc = int8_matmul(a, layer.weight, zeros) + layer.bias[:outputs]
        return sums_to_codes(acc, layer.m[:outputs], layer.zero, layer.low, layer.high, layer.dtype)
    out = aligned_empty((rows, outputs), layer.dtype)
    if out.size == 0:
        return out
    args = np.ascontiguousarray(a), int8_move(a.dtype), *layer.rest, zeros, out, layer.scales
    if rows * inner * outputs < ALONE:
        int8_kernel(*args, 0, rows, 0, outputs)
    else:
        split_product(lambda *part: int8_kernel(*args, *part), rows, inner, outputs)
    return out


def sums_to_codes(acc: np.ndarray, m: np.ndarray, zero: int, low: int, high: int, dtype: np.dtype) -> np.ndarray:
    """`clip(rint(f32(acc) m) + zero, low, high)` of int32 `acc (M, N)`, m (N, or 1 for all).

    >>> sums_to_codes(np.array([[18, 55]], np.int32), np.ones(1, np.float32) / 4, 1, 0, 15, np.dtype(np.uint8))
    array([[ 5, 15]], dtype=uint8)
    """
    out = aligned_empty(acc.shape, dtype)
    ends = (np.float32(end) for end in (zero, low, high))
    _sums_to_codes(acc, np.broadcast_to(m, acc.shape[1]).copy(), *ends, out)
    return out


def _sums_to_codes_py(acc, m, zero, low, high, out):  # type: ignore[no-untyped-def]
    for i in range(acc.shape[0]):
        for n in range(acc.shape[1]):
            q = np.float32(np.rint(np.float32(np.float32(acc[i, n]) * m[n])) + zero)
            out[i, n] = max(min(q, high), low)


_sums_to_codes = compiled(_sums_to_codes_py)
ONE = np.ones(1, np.float32)
