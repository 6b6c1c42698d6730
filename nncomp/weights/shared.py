"""A few values that all weights share: indices into a codebook, which trains."""

import math
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from nncomp.kernels.lookup import QUICK, Indices, lookup_matmul, lookup_pack
from nncomp.weights.dense import Dense
from nncomp.weights.packed import PackedCodes
from nncomp.weights.protocol import check_input, check_shape
from nncomp.weights.sparse import Sparse


@dataclass(frozen=True, eq=False)
class Shared:
    """`W = codebook[indices]`, where indices are kept; a weight absent from sparse ones is exactly 0.

    `codebook`: k floats (k,), in any order, which is what trains. `indices`: `PackedCodes` without signs, of as many
    bits as tell k apart, or a `Sparse` of uint8, of uint16 where k exceeds 256 (Han, Mao & Dally 2016, section 3).

    >>> weight = Shared.of(np.array([[0, 2, 2, 1]], np.uint8), np.array([-1.0, 0.0, 0.5]))
    >>> weight.dense(), weight.indices.nbytes
    (array([[-1. ,  0.5,  0.5,  0. ]]), 1)
    """

    indices: PackedCodes | Sparse
    codebook: np.ndarray

    def __post_init__(self) -> None:
        check_shape(self.indices.shape)
        c, k = self.codebook, self.codebook.size
        if c.dtype not in (np.float32, np.float64) or c.ndim != 1 or not 1 <= k <= 65536 or not np.isfinite(c).all():
            raise ValueError(f"a codebook is 1 to 65536 finite floats of 32 or 64 bits, not {c.dtype} {c.shape}")
        bits, dtype = index_bits(k), np.dtype(np.uint8 if k <= 256 else np.uint16)
        if self.indices.dtype != dtype or (isinstance(self.indices, PackedCodes) and self.indices.bits != bits):
            found = f"{self.indices.bits} bits in " if isinstance(self.indices, PackedCodes) else ""
            raise ValueError(f"indices of {k} values are {dtype}, or of {bits} bits, not {found}{self.indices.dtype}")
        if self._kept.max(initial=0) >= k:
            raise ValueError(f"index {self._kept.max()} into a codebook of {k} values")

    @classmethod
    def of(cls, indices: np.ndarray, codebook: np.ndarray, mask: np.ndarray | None = None) -> Self:
        """From uint8 or uint16 indices (out, in), where the `mask` is True if there is one."""
        packed = PackedCodes.of(indices, index_bits(codebook.size)) if mask is None else None
        return cls(packed or Sparse.from_dense(indices, mask), codebook)

    @property
    def _plain(self) -> np.ndarray | Sparse:
        """The indices, unpacked: anew each time, unless the weight trains."""
        if isinstance(self.indices, PackedCodes):
            return self.__dict__.get("_unpacked", self.indices.codes)
        return self.indices

    @property
    def _kept(self) -> np.ndarray:
        """Those that are there, in their dtype."""
        indices = self._plain
        return indices.values if isinstance(indices, Sparse) else indices

    @property
    def shape(self) -> tuple[int, int]:
        return self.indices.shape

    @property
    def dtype(self) -> np.dtype:
        return self.codebook.dtype

    @property
    def nbytes(self) -> int:
        return self.indices.nbytes + self.codebook.nbytes

    @property
    def multiply_adds(self) -> int:
        return self.indices.values.size if isinstance(self.indices, Sparse) else math.prod(self.shape)

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.codebook,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        if params[0].shape != self.codebook.shape:
            raise ValueError(f"a codebook of {self.codebook.size} values, not {params[0].shape}")
        other = copy(self)  # with unpacked indices, which stay while the codebook trains
        other.__dict__.update(codebook=params[0], _unpacked=self._plain)
        other.__dict__.pop("_words", None)
        return other

    def decoded(self) -> Dense | Sparse:
        """The weight in floats, its pattern kept."""
        values = self.codebook.take(self._kept)
        return self.indices.with_params((values,)) if isinstance(self.indices, Sparse) else Dense(values)

    def prepared(self) -> "Shared | Dense | Sparse":
        """Itself where the lookup kernel runs it, which takes a few entries; decoded, that is faster otherwise."""
        return self if self._quick else self.decoded()

    @property
    def _quick(self) -> bool:
        dense = isinstance(self.indices, PackedCodes)
        return dense and self.dtype == np.float32 and self.codebook.size <= QUICK

    @cached_property
    def _words(self) -> Indices:
        """The indices as the kernel reads them."""
        return lookup_pack(self._kept, self.codebook)

    def dense(self) -> np.ndarray:
        return self.decoded().dense()

    def apply(self, x: np.ndarray) -> np.ndarray:
        check_input(self, x)
        return lookup_matmul(x, self._words) if self._quick else self.decoded().apply(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.decoded().apply(x), x  # for a codebook that changes with the next update, no words are packed

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """`dx = dy W`; `dc_k = sum of dW over the weights whose index is k` (Han et al. 2016, equation 3)."""
        dx, (dw,) = self.decoded().vjp(saved, dy, need_dx)
        dc = np.bincount(self._kept.ravel(), dw.ravel(), self.codebook.size)
        return dx, (dc.astype(self.dtype),)

    def masked(self, mask: np.ndarray) -> Self:
        indices = self._plain
        return replace(
            self, indices=indices.masked(mask) if isinstance(indices, Sparse) else Sparse.from_dense(indices, mask)
        )


def index_bits(k: int) -> int:
    """Bits that tell k values apart, at least 1.

    >>> [index_bits(k) for k in (1, 2, 3, 16, 17)]
    [1, 1, 2, 4, 5]
    """
    return max(1, (k - 1).bit_length())
