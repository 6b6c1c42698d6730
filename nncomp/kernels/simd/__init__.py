"""The vector operations the kernels are written in: small matrices held in registers.

Numba has no vector types, and LLVM finds neither the int8 dot product nor a register tile in plain loops. A tile is
`rows x vectors` registers that behave as one small matrix: `row` and `column` read from arrays as NumPy broadcasts,
`fma` and `dot` compute, `store` writes back. A kernel written with them reads like its algorithm, on every path; LLVM
stays in this folder.

Indices count elements from an array's start; arrays are contiguous; nothing here checks bounds.
"""

from nncomp.kernels.simd.access import column, load, prefetch, prefetch_line, row, store, take
from nncomp.kernels.simd.arithmetic import add, fma, row_sums, transposed
from nncomp.kernels.simd.codes import codes, dot, packed
from nncomp.kernels.simd.shape import height, square, upright, width, with_rows, zeros
from nncomp.kernels.simd.zip import unzipped, zipped

__all__ = [
    "add", "codes", "column", "dot", "fma", "height", "load", "packed", "prefetch", "prefetch_line", "row", "row_sums",
    "square", "store", "take", "transposed", "unzipped", "upright", "width", "with_rows", "zeros", "zipped",
]  # fmt: skip
