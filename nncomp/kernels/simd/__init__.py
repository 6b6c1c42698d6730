"""The vector operations the kernels are written in: small matrices held in registers.

Numba has no vector types, and LLVM finds neither the int8 dot product nor a register tile in plain loops. A tile is
`rows x vectors` registers that behave as one small matrix: `row` and `column` read from arrays as NumPy broadcasts,
`fma` and `dot` compute, `store` writes back. A kernel written with them reads like its algorithm, on every path; LLVM
stays in this folder.

Indices count elements from an array's start; arrays are contiguous; nothing here checks bounds.
"""

from nncomp.kernels.simd.access import across, column, keep, load, pointer, prefetch, prefetch_line, row, store, take
from nncomp.kernels.simd.arithmetic import (
    absolute,
    add,
    any_above,
    as_float,
    as_int,
    differing_bits,
    divide,
    fma,
    higher,
    lower,
    multiply,
    rint,
    sign_bits,
    sqrt,
    subtract,
)
from nncomp.kernels.simd.codes import codes, dot, fields, packed
from nncomp.kernels.simd.lookup import gathered, looked_up, shifted
from nncomp.kernels.simd.shape import full, height, square, upright, width, with_rows, zeros
from nncomp.kernels.simd.turning import highest, lowest, row_sums, transposed
from nncomp.kernels.simd.zip import unzipped, zipped

__all__ = [
    "absolute", "across", "add", "any_above", "as_float", "as_int", "codes", "column", "differing_bits", "divide",
    "dot", "fields", "fma", "full", "gathered", "height", "higher", "highest", "keep", "load", "looked_up", "lower",
    "lowest", "multiply", "packed", "pointer", "prefetch", "prefetch_line", "rint", "row", "row_sums", "shifted",
    "sign_bits", "sqrt", "square", "store", "subtract", "take", "transposed", "unzipped", "upright", "width",
    "with_rows", "zeros", "zipped",
]  # fmt: skip
