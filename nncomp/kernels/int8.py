"""Matrix products of 8-bit codes, exact in int32.

    C[m, n] = sum_k (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])

A is the activations' codes and B the weights', each int8 or uint8, with one zero point per row.
"""

import numpy as np

from nncomp.kernels.jit import compiled

LARGEST_K = (2**31 - 1) // (255 * 255)
"""The longest sum that int32 holds whatever the codes: every factor is at most 255 in size."""


def int8_matmul_reference(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    """The product in int64: its meaning for codes of every width, and the only path for codes of 9 to 16 bits."""
    return (a.astype(np.int64) - a_zero[:, None]) @ (b.astype(np.int64) - b_zero[:, None]).T


def int8_matmul(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    """`C (M, N)` in int32 from codes `a (M, K)` and `b (N, K)`; a ValueError for K above `LARGEST_K`.

    >>> int8_matmul(np.array([[200, 7]], np.uint8), np.array([[-128, 1]], np.int8), np.array([7]), np.array([0]))
    array([[-24704]], dtype=int32)
    """
    check_exact(a.shape[1])
    centered = np.subtract(a, a_zero[:, None], dtype=np.int16, casting="unsafe")
    out = np.empty((a.shape[0], b.shape[0]), np.int32)
    _int8_matmul(centered, np.ascontiguousarray(b), b_zero.astype(np.int16), out)
    return out


def check_exact(k: int) -> None:
    """Raise where a sum of `k` products could leave int32."""
    if k > LARGEST_K:
        raise ValueError(f"a sum over {k} inputs can overflow int32; 8-bit products are exact up to {LARGEST_K}")


def _int8_matmul_py(a, b, b_zero, out):  # type: ignore[no-untyped-def]
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = np.int32(0)
            zero = b_zero[n]
            for k in range(a.shape[1]):
                # Both factors visibly fit 16 bits, so that LLVM multiplies and adds them in pairs.
                total = np.int32(total + np.int32(np.int32(a[m, k]) * np.int32(np.int16(np.int16(b[n, k]) - zero))))
            out[m, n] = total


_int8_matmul = compiled(_int8_matmul_py)
