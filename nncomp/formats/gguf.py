"""The block formats of GGUF files (llama.cpp): a float16 scale, perhaps a float16 minimum, and packed codes, as bytes.

The layout is that of ggml's C structs: scales first, ternary ones last. A code is computed with the scale in float32,
and the scale is stored in float16, so encoding what was decoded may give other codes; a scale beyond float16 is inf.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.formats import packing
from nncomp.formats.format import Format
from nncomp.formats.rounding import nearest_away

Codes = tuple[list[np.ndarray], np.ndarray]
"""The numbers stored beside the codes, each (blocks, 1) in float32, and the codes (blocks, size), from 0 on."""


def by_largest(x: np.ndarray, bits: int) -> Codes:
    """`d = m / -2^(bits-1)`, m the value of largest size with its sign; `q = trunc(x / d + 2^(bits-1) + 1/2)`.

    So m itself is code 0 and exact, and what has its size with the other sign saturates.

    >>> [d], q = by_largest(np.array([[0.5, -4.0, 4.0]], np.float32), bits=4)
    >>> d.tolist(), q.tolist()
    ([[0.5]], [[9, 0, 15]])
    """
    half = 1 << (bits - 1)
    d = np.take_along_axis(x, np.abs(x).argmax(axis=1, keepdims=True), axis=1) / np.float32(-half)
    return [d], _limited(np.trunc(x * _inverse(d) + np.float32(half + 0.5)), 2 * half - 1)


def by_range(x: np.ndarray, bits: int) -> Codes:
    """`d = (max - min) / (2^bits - 1)`, `q = trunc((x - min) / d + 1/2)`; d and min are stored.

    >>> [d, m], q = by_range(np.array([[-1.0, 0.0, 2.0]], np.float32), bits=2)
    >>> d.tolist(), m.tolist(), q.tolist()
    ([[1.0]], [[-1.0]], [[0, 1, 3]])
    """
    top, low = (1 << bits) - 1, x.min(axis=1, keepdims=True)
    d = (x.max(axis=1, keepdims=True) - low) / np.float32(top)
    return [d, low], _limited(np.trunc((x - low) * _inverse(d) + np.float32(0.5)), top)


def by_size(x: np.ndarray, top: int) -> Codes:
    """`d = max |x| / top`, `q = round(x / d) + top`, halves away from zero.

    >>> [d], q = by_size(np.array([[0.5, -2.0, 1.0]], np.float32), top=1)
    >>> d.tolist(), q.tolist()
    ([[2.0]], [[1, 0, 2]])
    """
    d = np.abs(x).max(axis=1, keepdims=True) / np.float32(top)
    return [d], _limited(nearest_away(x * _inverse(d)) + top, 2 * top)


def _inverse(d: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(d == 0, 0, np.float32(1) / d)


def _limited(q: np.ndarray, top: int) -> np.ndarray:
    return np.clip(np.nan_to_num(q), 0, top).astype(np.uint8)


@dataclass(frozen=True, repr=False)
class GGUF(Format):
    """One of them: a `rule` for the codes of a block of `size` values, its argument, and how they lie in bytes.

    A code q stands for `d (q - zero)`, or for `d q + min` where a minimum is stored. `scale_last`: behind the codes.

    >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[None]
    >>> q4_0.encode(x).shape, q4_0.bits, float(np.abs(q4_0.decode(q4_0.encode(x)) - x).max().round(3))
    ((1, 18), 4.5, 0.125)
    """

    rule: Callable[[np.ndarray, int], Codes]
    argument: int
    pack_codes: Callable[[np.ndarray], np.ndarray]
    unpack_codes: Callable[[np.ndarray], np.ndarray]
    zero: int | None
    code_bytes: int
    size: int = 32
    scale_last: bool = False

    @property
    def scale_bytes(self) -> int:
        """Of a block: the scale, and the minimum if there is one."""
        return 4 if self.zero is None else 2

    @property
    def bits(self) -> float:
        """Of a weight, its share of the scale included."""
        return 8 * (self.code_bytes + self.scale_bytes) / self.size

    def codes(self, blocks: np.ndarray) -> Codes:
        """What is stored of each block, by the rule."""
        return self.rule(blocks, self.argument)

    @property
    def zero_code(self) -> int:
        """The code of 0; a ValueError for formats with a minimum."""
        if self.zero is None:
            raise ValueError("a format with a minimum has no code for what is pruned")
        return self.zero

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The bytes of each row of finite x (rows, columns), whole blocks in a row; computed in float32."""
        if x.ndim != 2 or x.shape[1] % self.size or not np.isfinite(x).all():
            raise ValueError(f"rows are finite and of whole blocks of {self.size}, not {x.dtype} {x.shape}")
        stored, q = self.codes(x.astype(np.float32).reshape(-1, self.size))
        return self._together(stored, q, x.shape)

    def decode(self, b: np.ndarray) -> np.ndarray:
        """The numbers of bytes (rows, bytes), in float32."""
        width = self.code_bytes + self.scale_bytes
        if b.ndim != 2 or b.dtype != np.uint8 or b.shape[1] % width:
            raise ValueError(f"rows are whole blocks of {width} bytes, not {b.dtype} {b.shape}")
        stored, q = self._apart(b)
        q = q.astype(np.float32)
        with np.errstate(invalid="ignore"):  # a scale of inf times 0
            x = stored[:, :1] * q + stored[:, 1:] if self.zero is None else stored[:, :1] * (q - self.zero)
        return x.reshape(len(b), b.shape[1] // width * self.size)

    def _apart(self, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scales and minima in float32, and codes, of each block."""
        blocks = b.reshape(-1, self.code_bytes + self.scale_bytes)
        at = self.code_bytes if self.scale_last else self.scale_bytes
        first, second = blocks[:, :at], blocks[:, at:]
        scales, packed = (second, first) if self.scale_last else (first, second)
        return np.ascontiguousarray(scales).view("<f2").astype(np.float32), self.unpack_codes(packed)

    def _together(self, stored: Sequence[np.ndarray], q: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The bytes of all rows; `shape` is that of the numbers."""
        with np.errstate(over="ignore"):
            scales = np.concatenate([s.astype("<f2") for s in stored], axis=1).view(np.uint8)
        parts = [scales, self.pack_codes(q)]
        blocks = np.concatenate(parts[::-1] if self.scale_last else parts, axis=1)
        return blocks.reshape(shape[0], shape[1] // self.size * blocks.shape[1])

    def pack(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """The bytes of x (rows, columns), each row filled up with its last value to whole blocks."""
        return (self.encode(np.pad(x, ((0, 0), (0, -x.shape[1] % self.size)), mode="edge")),)

    def unpack(self, parts: tuple[np.ndarray, ...], shape: tuple[int, int]) -> np.ndarray:
        """The numbers (rows, columns)."""
        x = self.decode(parts[0])
        if x.shape != (shape[0], -(-shape[1] // self.size) * self.size):
            raise ValueError(f"bytes {parts[0].shape} in blocks of {self.size} are no matrix of shape {shape}")
        return x[:, : shape[1]]

    def pruned(self, parts: tuple[np.ndarray, ...], shape: tuple[int, int], mask: np.ndarray) -> tuple[np.ndarray, ...]:
        """As `Format.pruned`."""
        stored, q = self._apart(parts[0])
        whole = np.pad(mask, ((0, 0), (0, -shape[1] % self.size)))
        q = np.where(whole.reshape(q.shape), q, self.zero_code).astype(np.uint8)
        return (self._together([stored], q, whole.shape),)

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """As `Format.rounded`, by the bytes, which are as quick to make."""
        rows, columns = x.shape
        return self.unpack(self.pack(x), (rows, columns))


q4_0 = GGUF(by_largest, 4, packing.halves, packing.from_halves, 8, 16)
q4_1 = GGUF(by_range, 4, packing.halves, packing.from_halves, None, 16)
q5_0 = GGUF(by_largest, 5, packing.fifth_bit_apart, packing.from_fifth_bit_apart, 16, 20)
q5_1 = GGUF(by_range, 5, packing.fifth_bit_apart, packing.from_fifth_bit_apart, None, 20)
q8_0 = GGUF(by_size, 127, packing.signed_bytes, packing.from_signed_bytes, 127, 32)
tq1_0 = GGUF(by_size, 1, packing.fives, packing.from_fives, 1, 52, size=256, scale_last=True)
tq2_0 = GGUF(by_size, 1, packing.quarters, packing.from_quarters, 1, 64, size=256, scale_last=True)
