"""Several lists of integers in one row of bytes, by constriction's range coder: each after a table of its frequencies.

The bytes: the CRC-32 of all values in int64, the number of words, the coder's words of 32 bits, the tables. Of a number
the lowest byte comes first.
"""

import struct
import zlib
from typing import Any

import numpy as np

from nncomp.coding.frequencies import SIZES, Frequencies

HEAD = struct.Struct("<II")
CHUNK = 2**16
FREE, A_BYTE = 2**14, 64
"""Values that any bytes may tell of, and how many more each byte may: a hostile file makes no more than that."""


def stream() -> Any:
    """constriction's coders; an ImportError that says what to install."""
    try:
        import constriction
    except ImportError as error:
        raise ImportError("entropy coding needs constriction, nncomp's extra coding", name="constriction") from error
    return constriction.stream


def models(table: Frequencies) -> tuple[Any, Any, np.ndarray]:
    """Of the entries that occur and of the low bits, None where there is but one; and those entries."""
    some, kinds = np.flatnonzero(table.sizes), stream().model
    # `perfect` and `lazy` are part of the format: they say how floats become the integers that the coder counts in.
    weights = SIZES[table.sizes[some]].astype(np.float64)
    high = kinds.Categorical(weights, lazy=False, perfect=False) if some.size > 1 else None
    return high, kinds.Uniform(1 << table.shift) if table.shift else None, some


class Encoder:
    """Takes lists of integers one after another, those that it makes smaller.

    >>> encoder = Encoder()
    >>> encoder.offer(np.tile([3, 3, 3, 4], 100), instead=400), encoder.offer(np.arange(9), instead=9)
    (True, False)
    >>> decoder = Decoder(encoder.content())
    >>> decoder.take(400, np.uint8)[:5]
    array([3, 3, 3, 4, 3], dtype=uint8)
    """

    def __init__(self) -> None:
        self.coder = stream().queue.RangeEncoder()
        self.tables, self.crc, self.told = b"", 0, 0

    def offer(self, values: np.ndarray, instead: int, beside: int = 0) -> bool:
        """Code integers of any shape if that takes less than the `instead` bytes they take now; whether it did.

        `beside`: how many numbers more a reader makes of them.
        """
        if not values.size or values.dtype.kind not in "biu" or not -(2**31) <= values.min() <= values.max() < 2**31:
            return False
        values = values.reshape(-1)
        table = Frequencies.fit(values)
        if table.bits_of(values) / 8 + len(table.to_bytes()) >= instead:
            return False
        self.tables += table.to_bytes()
        self.told += values.size + beside
        high, low, some = models(table)
        for start in range(0, values.size, CHUNK):
            chunk = values[start : start + CHUNK].astype(np.int64)
            self.crc = zlib.crc32(chunk.astype("<i8").tobytes(), self.crc)
            above = chunk - table.low
            if high is not None:
                self.coder.encode(np.searchsorted(some, above >> table.shift).astype(np.int32), high)
            if low is not None:
                self.coder.encode((above & ((1 << table.shift) - 1)).astype(np.int32), low)
        return True

    def content(self) -> np.ndarray:
        """All that was taken, in uint8."""
        words = self.coder.get_compressed().astype("<u4")
        lacking = -(-(self.told - FREE) // A_BYTE) - HEAD.size - words.nbytes - len(self.tables)
        words = np.pad(words, (0, max(0, -(-lacking // 4))))
        return np.frombuffer(HEAD.pack(self.crc, words.size) + words.tobytes() + self.tables, np.uint8)


class Decoder:
    """Gives what an `Encoder` took, in that order; a ValueError for bytes that none made.

    >>> encoder = Encoder()
    >>> encoder.offer(np.zeros(1000, np.int8), instead=1000), encoder.content().size
    (True, 16)
    >>> decoder = Decoder(encoder.content())
    >>> decoder.take(1000, np.int8).any(), decoder.close()
    (np.False_, None)
    """

    def __init__(self, content: np.ndarray) -> None:
        if content.dtype != np.uint8 or content.ndim != 1 or content.size < HEAD.size:
            raise ValueError(f"coded values are at least {HEAD.size} bytes, not {content.dtype} {content.shape}")
        self.left = FREE + A_BYTE * content.size
        self.crc, words = HEAD.unpack(content[: HEAD.size].tobytes())
        if HEAD.size + 4 * words > content.size:
            raise ValueError(f"{content.size} bytes of coded values are to hold {words:,} words of 4 bytes")
        at = HEAD.size + 4 * words
        self.coder = stream().queue.RangeDecoder(content[HEAD.size : at].copy().view("<u4").astype(np.uint32))
        self.tables, self.at, self.found = content[at:].tobytes(), 0, 0

    def take(self, count: int, dtype: np.typing.DTypeLike, beside: int = 0) -> np.ndarray:
        """The next list, `(count)`, in a dtype that holds it."""
        self.left -= count + beside
        if count < 1 or beside < 0 or self.left < 0:
            raise ValueError(f"{count:,} coded values, and {beside:,} beside, are none or more than their bytes hold")
        table, self.at = Frequencies.read(self.tables, self.at)
        high, low, some = models(table)
        values, limits = np.empty(count, dtype), _limits(np.dtype(dtype))
        for start in range(0, count, CHUNK):
            n = min(CHUNK, count - start)
            chunk = some[self._decoded(n, high)] << table.shift | self._decoded(n, low)
            chunk += table.low
            if chunk.min() < limits[0] or chunk.max() > limits[1]:
                raise ValueError(f"coded values from {chunk.min()} to {chunk.max()} are no {values.dtype}")
            self.found = zlib.crc32(chunk.astype("<i8").tobytes(), self.found)
            values[start : start + n] = chunk
        return values

    def _decoded(self, n: int, model: Any) -> np.ndarray:
        if model is None:
            return np.zeros(n, np.int64)
        try:
            return self.coder.decode(model, n).astype(np.int64)
        except AssertionError as error:  # how constriction tells that no encoder made these words
            raise ValueError("the coded values are damaged") from error

    def close(self) -> None:
        """A ValueError unless all was taken, and is what was coded."""
        if self.at != len(self.tables):
            raise ValueError(f"{len(self.tables) - self.at} bytes of tables are left over")
        if self.found != self.crc:
            raise ValueError("the coded values are damaged: their check sum is another")


def _limits(dtype: np.dtype) -> tuple[int, int]:
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
