"""Codes of few bits in bytes: without gaps, or in the orders of GGUF's blocks (rows). Each beside what undoes it."""

import numpy as np


def halves(q: np.ndarray) -> np.ndarray:
    """Two codes of 4 bits in a byte: the first half of a block low, the second high."""
    first, second = np.split(q, 2, axis=1)
    return first | second << 4


def from_halves(b: np.ndarray) -> np.ndarray:
    return np.concatenate([b & 15, b >> 4], axis=1)


def fifth_bit_apart(q: np.ndarray) -> np.ndarray:
    """The high bits of all codes, the first lowest, then what `halves` makes of the other four."""
    return np.concatenate([np.packbits(q >> 4, axis=1, bitorder="little"), halves(q & 15)], axis=1)


def from_fifth_bit_apart(b: np.ndarray) -> np.ndarray:
    return from_halves(b[:, 4:]) | np.unpackbits(b[:, :4], axis=1, bitorder="little") << 4


def signed_bytes(q: np.ndarray) -> np.ndarray:
    """Codes from 0 to 254 as int8 from -127 to 127."""
    return q - np.uint8(127)


def from_signed_bytes(b: np.ndarray) -> np.ndarray:
    return b.view(np.int8).astype(np.int16) + np.int16(127)  # -128, which none writes, is -1


def quarters(q: np.ndarray) -> np.ndarray:
    """Four codes of 2 bits in a byte, of each 128 the first 32 lowest."""
    rows, codes = q.shape
    parts = q.reshape(rows, codes // 128, 4, 32) << np.array([0, 2, 4, 6], np.uint8)[:, None]
    return np.bitwise_or.reduce(parts, axis=2).reshape(rows, codes // 4)


def from_quarters(b: np.ndarray) -> np.ndarray:
    rows, width = b.shape
    parts = b.reshape(rows, width // 32, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]
    return (parts & 3).reshape(rows, 4 * width)


RUNS = ((0, 5, 32), (160, 5, 16), (240, 4, 4))
"""Where digits begin in a block of 256, how many share a byte, and how many bytes there are of that."""


def fives(q: np.ndarray) -> np.ndarray:
    """Up to five digits of base 3 in a byte, a fraction of 256 rounded up, so that a product with 3 shifts one out."""
    parts = []
    for start, digits, width in RUNS:
        run = q[:, start : start + digits * width].reshape(len(q), digits, width).astype(np.uint16)
        value = sum(run[:, k] * 3 ** (4 - k) for k in range(digits))
        parts.append((value * 256 + 242) // 243)
    return np.concatenate(parts, axis=1).astype(np.uint8)


def from_fives(b: np.ndarray) -> np.ndarray:
    parts, at = [], 0
    for _, digits, width in RUNS:
        run = b[:, None, at : at + width] * np.array([3**k for k in range(digits)], np.uint8)[:, None]  # modulo 256
        parts.append(((run.astype(np.uint16) * 3) >> 8).reshape(len(b), digits * width))
        at += width
    return np.concatenate(parts, axis=1).astype(np.uint8)


def stream(q: np.ndarray, bits: int) -> np.ndarray:
    """Codes of any shape one after another, each its lowest `bits` bits, the lowest first; 0 to the end of a byte.

    >>> stream(np.array([1, -1, 2], np.int8), 3)
    array([185,   0], dtype=uint8)
    """
    width = next(n for n in (1, 2, 4) if bits <= 8 * n)
    apart = np.unpackbits(q.astype(f"<i{width}").reshape(-1, 1).view(np.uint8), axis=1, bitorder="little")
    return np.packbits(apart[:, :bits], bitorder="little")


def from_stream(b: np.ndarray, bits: int, dtype: np.dtype, shape: tuple[int, int]) -> np.ndarray:
    """The codes of a `shape` and a `dtype`, signed or not; a ValueError unless b is exactly as long as that takes.

    >>> from_stream(np.array([185, 0], np.uint8), 3, np.dtype(np.int8), (1, 3))
    array([[ 1, -1,  2]], dtype=int8)
    """
    count = shape[0] * shape[1]
    if b.dtype != np.uint8 or b.shape != (-(-count * bits // 8),):
        raise ValueError(f"{shape} codes of {bits} bits are {-(-count * bits // 8)} bytes, not {b.dtype} {b.shape}")
    apart = np.unpackbits(b, bitorder="little")
    if apart[count * bits :].any():
        raise ValueError("bits behind the last code are 0")
    width = 8 * np.dtype(dtype).itemsize
    whole = np.zeros((count, width), np.uint8)
    whole[:, :bits] = apart[: count * bits].reshape(count, bits)
    if np.dtype(dtype).kind == "i":
        whole[:, bits:] = whole[:, bits - 1 : bits]
    return np.packbits(whole, axis=1, bitorder="little").view(f"<{dtype.kind}{width // 8}").astype(dtype).reshape(shape)
