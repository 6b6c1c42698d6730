"""Matrix products of 8-bit codes, exact in int32.

    C[m, n] = sum_k (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])

A is the activations' codes and B the weights', each int8 or uint8, with one zero point per row. The weights are packed
once, so that a register takes GROUP neighbouring inputs of each of its columns with one load. The zero points never
enter the inner loop: with codes a, b as they are,

    C = sum a b - a_zero sum b - b_zero (sum a - K a_zero),

modulo 2^32 throughout, exact because C itself fits.
"""

from collections.abc import Callable

import numpy as np

from nncomp.kernels.int8_ends import ends_of, finish, shares
from nncomp.kernels.int8_matrix import int8_matmul_matrix
from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.pack import NO_ZEROS, Packed
from nncomp.kernels.simd import (
    codes,
    dot,
    height,
    keep,
    packed,
    pointer,
    prefetch,
    prefetch_line,
    with_rows,
    zeros,
)
from nncomp.kernels.simd.matrix import SIDE
from nncomp.kernels.simd.path import GROUP, LANES, MATRIX, PATH, ROWS, VECTORS, to_take
from nncomp.kernels.threads import WORTH, split

FASTER = 4 if MATRIX else 1
"""How many times as fast as vector registers they are."""
ALONE = FASTER * WORTH
"""Multiply-adds below which one thread does all."""


def int8_matmul_reference(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    """The product in int64: its meaning for codes of every width, and the only path for codes of 9 to 16 bits."""
    return (a.astype(np.int64) - a_zero[:, None]) @ (b.astype(np.int64) - b_zero[:, None]).T


def int8_matmul(
    a: np.ndarray, b: Packed, a_zero: np.ndarray | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """`C (M, N)` in int32 from codes `a (M, K)`, their zero points (M) and the packed weights; into `out` if given.

    >>> from nncomp.kernels.pack import int8_pack
    >>> b = int8_pack(np.array([[-128, 1]], np.int8))
    >>> int8_matmul(np.array([[200, 7]], np.uint8), b, a_zero=np.array([7], np.int32))
    array([[-24704]], dtype=int32)
    """
    out = aligned_empty((len(a), b.outputs), np.int32) if out is None else out
    if out.size == 0:
        return out
    zero = NO_ZEROS if a_zero is None else np.ascontiguousarray(a_zero, np.int32)
    rows, inner = a.shape
    args = np.ascontiguousarray(a), int8_move(a.dtype), b.panels, b.sums, b.zeros, zero, out, ()
    if rows * inner * b.outputs < ALONE:
        int8_kernel(*args, 0, rows, 0, b.outputs)
    else:
        split_product(lambda *part: int8_kernel(*args, *part), rows, inner, b.outputs)
    return out


def int8_move(dtype: np.dtype) -> int:
    """What the kernel adds to the codes of A; matrix registers take both kinds as they are."""
    return 0 if MATRIX else to_take(dtype)


def split_product(kernel: Callable[..., object], rows: int, inner: int, outputs: int) -> None:
    """Call `kernel(top, bottom, start, end)` on rows and columns that cover C, on one or several threads."""
    work = rows * inner * outputs // FASTER
    if rows > 4 * ROWS:
        split(lambda m, end: kernel(m, end, 0, outputs), rows, work, 2 * SIDE if MATRIX else ROWS)
    else:
        split(lambda n, end: kernel(0, rows, n, end), outputs, work, VECTORS * LANES)


def _int8_matmul_scalar_py(a, move, panels, sums, b_zero, a_zero, out, scales, top, bottom, start, end):  # type: ignore[no-untyped-def]
    inner, depth = a.shape[1], panels.size // sums.size
    for m in range(top, bottom):
        excess = np.int32(0)
        zero = a_zero[m] if a_zero.size else np.int32(0)
        for k in range(inner):
            excess = np.int32(excess + zero - np.int32(a[m, k]))
        for n in range(start, end):
            total = np.int32(np.int32(excess * b_zero[n] if b_zero.size else 0) - np.int32(zero * sums[n]))
            for k in range(inner):
                total = np.int32(total + np.int32(a[m, k]) * np.int32(panels[n * depth + k]))
            out[m, n] = total


def _int8_matmul_py(a, move, panels, sums, b_zero, a_zero, out, scales, top, bottom, n, end):  # type: ignore[no-untyped-def]
    minus, excess = shares(a, move, a_zero, b_zero, top, bottom)
    taken, first = as_taken(a, move, GROUP, top, bottom)
    ends = ends_of(out, sums, b_zero, minus, excess, scales)
    work = pointer(taken), first, taken.shape[1], pointer(panels), panels.size // sums.size, ends
    while n < end:
        vectors = min(VECTORS, (sums.size - n) // LANES)
        if vectors == 4:
            _panel(zeros(1, 4, sums), top, bottom, n, work)
        elif vectors == 3:
            _panel(zeros(1, 3, sums), top, bottom, n, work)
        elif vectors == 2:
            _panel(zeros(1, 2, sums), top, bottom, n, work)
        else:
            _panel(zeros(1, 1, sums), top, bottom, n, work)
        n += vectors * LANES
    keep(taken)
    keep(minus)
    keep(excess)


def _as_taken_py(a, move, group, top, bottom):  # type: ignore[no-untyped-def]
    """Codes as `dot` takes them, in whole groups, and which row of A is their first: copied where A's are others."""
    inner = a.shape[1]
    whole = (inner + group - 1) // group * group
    if move == 0 and whole == inner:
        return a, 0
    taken = np.zeros((bottom - top, whole), a.dtype)
    for m in range(bottom - top):
        for k in range(inner):
            taken[m, k] = a[top + m, k] + move
    return taken, top


def _panel_py(tile, top, bottom, n, work):  # type: ignore[no-untyped-def]
    """The columns of C from n on; the last tile of rows begins early where it would end late."""
    m = top
    while m < bottom:
        if bottom - top >= ROWS and bottom - m > 4:
            _tile(with_rows(tile, ROWS), min(m, bottom - ROWS), n, work)
            m += ROWS
        elif bottom - top >= 4:
            _tile(with_rows(tile, 4), min(m, bottom - 4), n, work)
            m += 4
        else:
            _tile(tile, m, n, work)
            m += 1


def _tile_py(acc, m, n, work):  # type: ignore[no-untyped-def]
    a, first, inner, panels, depth, ends = work
    out, outputs = ends[:2]
    prefetch(acc, out, m * outputs + n, outputs)
    here = (m - first) * inner
    for k in range(0, inner, GROUP):
        prefetch_line(a, here + height(acc) * (inner + k))  # the next tile's rows: too short to be foreseen
        b = packed(acc, panels, n * depth + k * LANES, LANES * depth)
        acc = dot(codes(acc, a, here + k, inner), b, acc)
    finish(acc, m, n, height(acc), ends)


as_taken = inlined(_as_taken_py)
_tile = inlined(_tile_py)
_panel = inlined(_panel_py)
_int8_matmul = compiled(_int8_matmul_scalar_py if PATH == "scalar" else _int8_matmul_py)
int8_kernel = int8_matmul_matrix if MATRIX else _int8_matmul
