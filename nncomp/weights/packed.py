"""Integer codes of few bits, without gaps."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nncomp.formats.packing import from_stream, stream
from nncomp.weights.protocol import check_shape


@dataclass(frozen=True, eq=False)
class PackedCodes:
    """Codes (out, in) of `bits` bits each, row after row, the lowest bit first: `stream`, in uint8.

    >>> codes = PackedCodes.of(np.array([[1, -2, 3]], np.int8), bits=3)
    >>> codes.nbytes, codes.codes
    (2, array([[ 1, -2,  3]], dtype=int8))
    """

    stream: np.ndarray
    shape: tuple[int, int]
    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        check_shape(self.shape)
        if not 1 <= self.bits <= 16:
            raise ValueError(f"packed codes have 1 to 16 bits, not {self.bits}")
        self.codes  # noqa: B018  # raises where the stream does not fit

    @classmethod
    def of(cls, codes: np.ndarray, bits: int) -> Self:
        """An array of integers (out, in); a ValueError unless each has at most so many bits."""
        check_shape(codes.shape)
        if codes.dtype.kind not in "iu":
            raise ValueError(f"codes are integers, not {codes.dtype}")
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if codes.dtype.kind == "i" else (0, (1 << bits) - 1)
        if not low <= codes.min() <= codes.max() <= high:
            raise ValueError(f"codes of {bits} bits are {low} to {high}, not {codes.min()} to {codes.max()}")
        rows, columns = codes.shape
        return cls(stream(codes, bits), (rows, columns), bits, codes.dtype.kind == "i")

    @property
    def dtype(self) -> np.dtype:
        """Of the codes."""
        return np.dtype(f"{'int' if self.signed else 'uint'}{8 if self.bits <= 8 else 16}")

    @property
    def nbytes(self) -> int:
        """Bytes stored."""
        return self.stream.nbytes

    @property
    def codes(self) -> np.ndarray:
        """The codes as an array (out, in), unpacked anew each time."""
        return from_stream(self.stream, self.bits, self.dtype, self.shape)
