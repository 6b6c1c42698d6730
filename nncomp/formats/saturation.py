"""Integer products on hardware that cannot hold them: what its sums would be, anywhere.

All are `y (batch, out) = x (batch, in) @ W (out, in).T` of codes, by their plain definition; slow, and to the bit.
"""

import numpy as np

LOW16, HIGH16 = -(2**15), 2**15 - 1


def pair_sums(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Two neighbouring products are added in 16 bits, saturating; these sums in 32: x86 without VNNI (vpmaddubsw).

    `x` is uint8 and `W` int8, as that instruction takes them. ONNX Runtime and oneDNN run so on AVX2 and AVX-512
    processors without VNNI (onnxruntime#6004, #11883), hence the advice of 7-bit weights.

    >>> x, W = np.full((1, 2), 255, np.uint8), np.full((1, 2), 127, np.int8)
    >>> pair_sums(x, W), x.astype(int) @ W.T.astype(int)
    (array([[32767]], dtype=int32), array([[64770]]))
    """
    if x.dtype != np.uint8 or W.dtype != np.int8:
        raise ValueError(f"pairs are of uint8 inputs and int8 weights, not {x.dtype} and {W.dtype}")
    products = _products(x, W)
    if products.shape[2] % 2:
        products = np.pad(products, ((0, 0), (0, 0), (0, 1)))
    pairs = np.clip(products[:, :, ::2] + products[:, :, 1::2], LOW16, HIGH16)
    return _wrapped(pairs.sum(axis=2), 32).astype(np.int32)


def accumulate16(x: np.ndarray, W: np.ndarray, every: int | None = None) -> np.ndarray:
    """Products are added one after the other in 16 bits, saturating; `every` so many the sum moves to 32 bits.

    FBGEMM's acc16 spills so; without `every` nothing is spilled, and the result is in 16 bits.

    >>> accumulate16(np.full((1, 4), 127, np.int8), np.full((1, 4), 127, np.int8))
    array([[32767]], dtype=int32)
    """
    products = _products(x, W)
    every = every or max(products.shape[2], 1)
    total = np.zeros(products.shape[:2], np.int64)
    for start in range(0, products.shape[2], every):
        acc = np.zeros(products.shape[:2], np.int64)
        for k in range(start, min(start + every, products.shape[2])):
            acc = np.clip(acc + products[:, :, k], LOW16, HIGH16)
        total += acc
    return _wrapped(total, 32).astype(np.int32)


def wrap_sums(x: np.ndarray, W: np.ndarray, bits: int = 32) -> np.ndarray:
    """The exact sum modulo 2^bits, as two's complement: what overflow in an accumulator leaves, in any order of adding.

    >>> wrap_sums(np.full((1, 4), 127, np.int8), np.full((1, 4), 127, np.int8), bits=16)
    array([[-1020]], dtype=int32)
    """
    if not 2 <= bits <= 32:
        raise ValueError(f"an accumulator has 2 to 32 bits, not {bits}")
    return _wrapped(_products(x, W).sum(axis=2), bits).astype(np.int32)


def _products(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """int64 (batch, out, in)."""
    if x.ndim != 2 or W.ndim != 2 or x.shape[1] != W.shape[1] or x.dtype.kind not in "iu" or W.dtype.kind not in "iu":
        raise ValueError(f"codes x (batch, in) and W (out, in), not {x.dtype} {x.shape} and {W.dtype} {W.shape}")
    return x.astype(np.int64)[:, None, :] * W.astype(np.int64)[None, :, :]


def _wrapped(total: np.ndarray, bits: int) -> np.ndarray:
    return (total + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
