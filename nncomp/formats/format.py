"""A number format as a matrix is stored in it: codes of so many bits one after another, and what stands beside them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.formats.packing import from_stream, stream
from nncomp.shown import shown


class Format:
    """The base of all formats that a weight can be stored in.

    >>> from nncomp.formats import float4_e2m1fn
    >>> parts = float4_e2m1fn.pack(np.array([[0.5, -6.0, 2.2]]))
    >>> parts, float4_e2m1fn.unpack(parts, (1, 3))
    ((array([241,   4], dtype=uint8),), array([[ 0.5, -6. ,  2. ]], dtype=float32))
    """

    encode: Callable[..., Any]
    """Floats x (rows, columns) -> their codes, alone, or first of several arrays (scales, sizes)."""
    decode: Callable[..., np.ndarray]
    """These arrays -> the numbers, in floating point."""
    beside: int = 0
    """How many arrays stand beside the codes."""

    def __repr__(self) -> str:
        """By its name, if it has one."""
        from nncomp.formats.names import name_of  # above all formats

        return name_of(self) or shown(self)

    @property
    def code_bits(self) -> int:
        """Of a code, without its share of what stands beside."""
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype:
        """Of the codes as `encode` gives them."""
        raise NotImplementedError

    @property
    def zero_code(self) -> int:
        """The code of 0; a ValueError where there is none."""
        return 0

    def pack(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is stored of x (rows, columns): codes without gaps in uint8, and what stands beside."""
        codes, *beside = self._encoded(x)
        return stream(codes, self.code_bits), *beside

    def unpack(self, parts: tuple[np.ndarray, ...], shape: tuple[int, int]) -> np.ndarray:
        """The numbers (rows, columns) of what is stored; a ValueError for parts of other sizes."""
        packed, *beside = parts
        return self.decode(from_stream(packed, self.code_bits, self.dtype, shape), *beside)

    def pruned(self, parts: tuple[np.ndarray, ...], shape: tuple[int, int], mask: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is stored where `mask (rows, columns)` is True, and the code of 0 elsewhere."""
        packed, *beside = parts
        codes = from_stream(packed, self.code_bits, self.dtype, shape)
        return stream(np.where(mask, codes, self.dtype.type(self.zero_code)), self.code_bits), *beside

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """What `unpack` gives of what `pack` stores of x, without storing it."""
        codes, *beside = self._encoded(x)
        return self.decode(codes, *beside)

    def _encoded(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        encoded = self.encode(x)
        return encoded if isinstance(encoded, tuple) else (encoded,)
