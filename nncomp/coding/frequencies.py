"""How often each value occurs, in about a byte a value: what an entropy coder must know beforehand."""

import struct
from dataclasses import dataclass
from typing import Self

import numpy as np

MOST = 2**16
"""Entries of a table."""

LARGEST_SHIFT = 16
"""With which the most entries tell all values of 32 bits."""

_k = np.arange(256)
SIZES = np.where(_k < 16, _k, (8 + _k % 8) << np.maximum(_k // 8 - 1, 0))
"""The frequency that a byte stands for: itself up to 16, beyond that a float with three bits after the leading one.

No count is more than 1/17 from the nearest. Coding by these instead of the counts takes less than 1 % of the entropy
more: at most 0.0026 bits a value (Hoeffding's lemma), and where one value has all but a share e < 1/2, 0.0104 e bits,
beside an entropy of at least 2 e.
"""

HEAD = struct.Struct("<iHB")


@dataclass(frozen=True, eq=False)
class Frequencies:
    """Of `(value - low) >> shift`, from 0 on, each as a byte that stands for `SIZES` of it; the low bits are alike.

    `shift` merges neighbours, as pays where many values occur a few times each. `sizes`: uint8, the first and the last
    other than 0.

    >>> table = Frequencies.fit(np.tile([5, 5, 5, 9], 3))
    >>> table.low, table.shift, table.sizes
    (5, 0, array([9, 0, 0, 0, 3], dtype=uint8))
    >>> table.to_bytes().hex(), Frequencies.read(table.to_bytes())[0].sizes
    ('0500000004000009000303', array([9, 0, 0, 0, 3], dtype=uint8))
    """

    low: int
    shift: int
    sizes: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """The table by which integers (n,), at least one, take the fewest bits together with itself.

        A ValueError for values outside int32.
        """
        if not values.size or values.dtype.kind not in "biu" or values.min() < -(2**31) or values.max() >= 2**31:
            raise ValueError(f"a table is of integers from -2^31 to 2^31 - 1, at least one, not {values.dtype}")
        low = int(values.min())
        above = values.astype(np.int64) - low
        shift = max(0, int(above.max() // MOST).bit_length())
        counts = np.bincount(above >> shift)
        best, fewest = None, np.inf
        while True:
            table = cls(low, shift, _nearest(counts))
            bits = table.bits(counts) + 8 * len(table.to_bytes())
            if bits < fewest:
                best, fewest = table, bits
            if counts.size == 1 or shift == LARGEST_SHIFT:
                assert best is not None
                return best
            shift += 1
            counts = np.pad(counts, (0, counts.size % 2)).reshape(-1, 2).sum(axis=1)

    def bits(self, counts: np.ndarray) -> float:
        """What values take that occur so often each, their low bits included, without the table."""
        w = SIZES[self.sizes]
        some = counts > 0
        return float(np.sum(counts[some] * (np.log2(w.sum()) - np.log2(w[some]))) + self.shift * counts.sum())

    def bits_of(self, values: np.ndarray) -> float:
        """What these take, from among which the table is; without the table."""
        return self.bits(np.bincount((values.astype(np.int64) - self.low) >> self.shift, minlength=self.sizes.size))

    def to_bytes(self) -> bytes:
        """Low, entries, shift; then the sizes, a run of zeros as a zero and its length."""
        told, zeros = bytearray(HEAD.pack(self.low, self.sizes.size - 1, self.shift)), 0
        for size in self.sizes.tolist():
            if zeros and (size or zeros == 255):
                told += bytes((0, zeros))
                zeros = 0
            if size:
                told.append(size)
            else:
                zeros += 1
        return bytes(told)

    @classmethod
    def read(cls, content: bytes, start: int = 0) -> tuple[Self, int]:
        """The table that begins at byte `start`, and where it ends; a ValueError where none does."""
        if len(content) < start + HEAD.size:
            raise ValueError("a table of frequencies ends before it has begun")
        low, last, shift = HEAD.unpack_from(content, start)
        at, sizes = start + HEAD.size, bytearray()
        while len(sizes) <= last and content[at : at + 2] not in (b"", b"\0"):
            size = content[at]
            sizes += bytes((size,)) if size else bytes(content[at + 1])
            at += 1 if size else 2
        if len(sizes) != last + 1:
            raise ValueError(f"a table of {last + 1} frequencies has {len(sizes)}")
        if not (sizes[0] and sizes[-1] and shift <= LARGEST_SHIFT and low + (last << shift) < 2**31):
            raise ValueError(f"{last + 1} frequencies of values from {low} on, in steps of 2^{shift}, are no table")
        return cls(low, shift, np.frombuffer(bytes(sizes), np.uint8)), at


def _nearest(counts: np.ndarray) -> np.ndarray:
    """The bytes whose sizes are nearest to these counts; a ValueError for counts that none is near."""
    if counts.max() > SIZES[-1]:
        raise ValueError(f"a value occurs {counts.max():,} times; at most {SIZES[-1]:,}")
    middle = (SIZES[1:] + SIZES[:-1]) / 2
    return np.searchsorted(middle, counts).astype(np.uint8)
