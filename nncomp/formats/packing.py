"""Codes of few bits in bytes, in the orders of GGUF's blocks; each packing beside what undoes it. Blocks are rows."""

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
