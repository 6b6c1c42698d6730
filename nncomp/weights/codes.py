"""The exact products of integer codes: by kernel where 8 bits and int32 hold them, else by the references in int64."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from nncomp.kernels.int8 import int8_matmul, int8_matmul_reference
from nncomp.kernels.lowbit import LowBit, few_bits, lowbit_pack
from nncomp.kernels.pack import Packed, fits_int32, int8_pack
from nncomp.kernels.sparse_int8 import KeptCodes, sparse_int8_matmul, sparse_int8_matmul_reference, sparse_int8_pack
from nncomp.weights.sparse import Sparse


class CodeBlock:
    """Neighbouring columns of a weight's codes `(out, in)`, one zero point a row, ready for products.

    >>> block = CodeBlock(np.array([[1, 2, 3]], np.int8), (1, 3), zero=np.array([1], np.int32))
    >>> block.product(np.array([[10, 1]], np.uint8), np.array([0]))
    array([[12]], dtype=int32)
    """

    def __init__(self, codes: np.ndarray | Sparse, columns: tuple[int, int], zero: np.ndarray) -> None:
        self.zero, self.codes = zero, codes
        if columns != (0, codes.shape[1]):
            self.codes = codes.column_block(*columns) if isinstance(codes, Sparse) else codes[:, slice(*columns)]

    @cached_property
    def packed(self) -> Packed | None:
        """Dense codes as the 8-bit kernel reads them; None where they are wider, or sums leave int32."""
        return None if self._narrow is None else int8_pack(self._narrow, self.zero)

    @cached_property
    def few(self) -> LowBit | None:
        """Dense codes of 4 or 2 bits as the kernel for those reads them."""
        bits = None if self._narrow is None else few_bits(self._narrow)
        return None if self._narrow is None or bits is None else lowbit_pack(self._narrow, bits, self.zero)

    @cached_property
    def kept(self) -> KeptCodes | None:
        """Sparse codes as their 8-bit kernel reads them."""
        if not isinstance(self.codes, Sparse) or self.codes.dtype.itemsize > 1:
            return None
        return sparse_int8_pack(self.codes.values, self.codes.pattern, self.zero)

    @cached_property
    def _narrow(self) -> np.ndarray | None:
        """Dense codes of 8 bits whose sums int32 holds."""
        codes = self.codes
        fit = isinstance(codes, np.ndarray) and codes.dtype.itemsize == 1 and fits_int32(codes, self.zero)
        return codes if fit else None  # type: ignore[return-value]

    @property
    def has_kernel(self) -> bool:
        """Whether kernels of 8 bits can multiply the codes."""
        return self._narrow is not None or self.kept is not None

    def product(self, q: np.ndarray, q_zero: np.ndarray) -> np.ndarray:
        """`C[m, n] = sum over kept k of (q[m, k] - q_zero[m]) (codes[n, k] - zero[n])`."""
        if isinstance(self.codes, Sparse):
            if self.kept is None or q.itemsize > 1:
                return sparse_int8_matmul_reference(q, self.codes.values, self.codes.pattern, q_zero, self.zero)
            return sparse_int8_matmul(q, self.kept, q_zero)
        if self.packed is None or q.itemsize > 1:
            return int8_matmul_reference(q, self.codes, q_zero, self.zero)
        return int8_matmul(q, self.packed, q_zero if q_zero.any() else None)


class Products:
    """Codes (out, in) cut at the columns `starts`, each part with its column of `zeros (out or 1, parts)`.

    >>> products = Products(np.array([[1, 2, 3]], np.int8), range(0, 3, 2), np.zeros((1, 2), np.int32))
    >>> [sums.tolist() for sums in products(np.array([[1, 1, 1]], np.int8), np.zeros(1, np.int32))]
    [[[3]], [[3]]]
    """

    def __init__(self, codes: np.ndarray | Sparse, starts: range, zeros: np.ndarray) -> None:
        self.cuts = [(start, min(start + starts.step, starts.stop)) for start in starts]
        each = np.broadcast_to(zeros, (codes.shape[0], len(self.cuts)))
        self.blocks = [CodeBlock(codes, cut, each[:, block]) for block, cut in enumerate(self.cuts)]

    def __call__(self, q: np.ndarray, q_zero: np.ndarray) -> Iterator[np.ndarray]:
        """Each part's sums with the inputs' codes `q (batch, in)` and zero points (batch)."""
        for block, (start, stop) in zip(self.blocks, self.cuts):
            yield block.product(q if len(self.cuts) == 1 else q[:, start:stop], q_zero)

    @property
    def whole(self) -> CodeBlock | None:
        """All codes, where they are in one part."""
        return self.blocks[0] if len(self.blocks) == 1 else None
