"""Codes kept or left out in blocks of 16 outputs by 4 inputs: exact products in int32.

A block is as much as one instruction multiplies by 4 inputs of a sample. As in `blocks.py`, it is loaded once for as
many samples as the registers hold sums for.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.blocks import FEW, HEIGHT, SAMPLES, VECTORS, kept_blocks
from nncomp.kernels.int8_ends import ends_of, finish, shares
from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.pack import NO_ZEROS, check_int32
from nncomp.kernels.simd import codes, dot, keep, packed, pointer, with_rows, zeros
from nncomp.kernels.simd.path import GROUP, LANES, PATH, to_take
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import words_to_lanes

INPUTS, SIZE = 4, 64
"""Inputs and codes in a block."""


class CodeBlocks(NamedTuple):
    """Kept blocks of 16 x 4 codes, one after another along each row of blocks."""

    codes: np.ndarray
    """int8 (blocks, 4 / GROUP, 16, GROUP)."""
    columns: np.ndarray
    """uint32 (blocks): which four inputs each has."""
    start: np.ndarray
    """int64 (rows of blocks + 1): where each row begins."""
    sums: np.ndarray
    """int32: the sum of each row's codes, up to whole blocks."""
    outputs: int
    inputs: int


def block_int8_pack(b: np.ndarray) -> CodeBlocks:
    """Keep the blocks of int8 codes `b (out, in)` that are not all 0; a ValueError where a sum could leave int32.

    >>> block_int8_pack(np.eye(20, 9, dtype=np.int8)).columns
    array([0, 1, 2], dtype=uint32)
    """
    check_int32(b, np.zeros(len(b), np.int32))
    padded = np.pad(b, ((0, -b.shape[0] % HEIGHT), (0, -b.shape[1] % INPUTS)))
    split_up = padded.reshape(len(padded) // HEIGHT, HEIGHT, padded.shape[1] // INPUTS, INPUTS // GROUP, GROUP)
    blocks = split_up.transpose(0, 2, 3, 1, 4)
    return CodeBlocks(*kept_blocks(blocks), padded.sum(axis=1, dtype=np.int32), *b.shape)


def block_int8_matmul_reference(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray) -> np.ndarray:
    """`C[m, n] = sum_k (A[m, k] - a_zero[m]) B[n, k]` in int64, of codes `a (M, K)`, `b (N, K)`."""
    return (a.astype(np.int64) - a_zero[:, None]) @ b.T.astype(np.int64)


def block_int8_matmul(a: np.ndarray, blocks: CodeBlocks, a_zero: np.ndarray | None = None) -> np.ndarray:
    """As `block_int8_matmul_reference`, in int32, for 8-bit codes and packed blocks.

    >>> block_int8_matmul(np.array([[1, 2, 3]], np.uint8), block_int8_pack(np.eye(2, 3, dtype=np.int8)))
    array([[1, 2]], dtype=int32)
    """
    out = aligned_empty((len(a), blocks.outputs), np.int32)
    zero = NO_ZEROS if a_zero is None else np.ascontiguousarray(a_zero, np.int32)
    args = np.ascontiguousarray(a), to_take(a.dtype), *blocks[:4], zero, out
    split(lambda m, end: _block_int8_matmul(*args, m, end), len(a), len(a) * blocks.codes.size, SAMPLES)
    return out


def _block_int8_matmul_scalar_py(a, move, blocks, columns, start, sums, a_zero, out, top, bottom):  # type: ignore[no-untyped-def]
    for m in range(top, bottom):
        for n in range(out.shape[1]):
            total = np.int32(-a_zero[m] * sums[n] if a_zero.size else 0)
            for j in range(start[n // HEIGHT], start[n // HEIGHT + 1]):
                for k in range(INPUTS):
                    if columns[j] * INPUTS + k < a.shape[1]:
                        code = np.int32(blocks[j, k, n % HEIGHT, 0])
                        total = np.int32(total + np.int32(a[m, columns[j] * INPUTS + k]) * code)
            out[m, n] = total


def _block_int8_matmul_py(a, move, blocks, columns, start, sums, a_zero, out, top, bottom):  # type: ignore[no-untyped-def]
    minus, excess = shares(a, move, a_zero, NO_ZEROS, top, bottom)
    ends = ends_of(out, sums, NO_ZEROS, minus, excess, ())
    none, m = zeros(SAMPLES, VECTORS, sums), top
    padded = (a.shape[1] + 4 * LANES - 1) // (4 * LANES) * LANES  # words of four inputs
    words = aligned(padded * SAMPLES + LANES, sums)
    work = pointer(words.view(a.dtype)), pointer(blocks), pointer(columns), start, ends
    while m < bottom:
        words_to_lanes(a, move, m, bottom, words, SAMPLES)
        if bottom - m > FEW:
            _panel(none, m, bottom, work)
            m += SAMPLES
        else:
            _panel(with_rows(none, FEW), m, bottom, work)
            m += FEW
    keep(words)
    keep(minus)
    keep(excess)


def _panel_py(none, m, bottom, work):  # type: ignore[no-untyped-def]
    """All outputs of as many samples as the tile has rows."""
    panel, blocks, columns, start, ends = work
    for i in range(start.size - 1):
        acc = none
        for j in range(start[i], start[i + 1]):
            for g in range(0, INPUTS, GROUP):
                inputs = codes(acc, panel, columns[j] * SAMPLES * INPUTS + g, INPUTS)
                acc = dot(inputs, packed(acc, blocks, j * SIZE + g * HEIGHT, LANES * GROUP), acc)
        finish(acc, m, i * HEIGHT, bottom - m, ends)


_panel = inlined(_panel_py)
_block_int8_matmul = compiled(_block_int8_matmul_scalar_py if PATH == "scalar" else _block_int8_matmul_py)
