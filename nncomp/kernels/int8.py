"""Matrix products of 8-bit codes, exact in int32.

    C[m, n] = sum_k (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])

A is the activations' codes and B the weights', each int8 or uint8, with one zero point per row. The weights are packed
once, so that a register takes GROUP neighbouring inputs of each of its columns with one load. The zero points never
enter the inner loop: with codes a, b as they are,

    C = sum a b - a_zero sum b - b_zero (sum a - K a_zero),

modulo 2^32 throughout, exact because C itself fits.
"""

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.pack import NO_ZEROS, WIDTH, Packed
from nncomp.kernels.simd import (
    codes,
    column,
    dot,
    fma,
    height,
    packed,
    prefetch,
    prefetch_line,
    row,
    store,
    width,
    with_rows,
    zeros,
)  # fmt: skip
from nncomp.kernels.simd.path import GROUP, LANES, PATH, ROWS, TAKES, VECTORS
from nncomp.kernels.threads import split


def int8_matmul_reference(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    """The product in int64: its meaning for codes of every width, and the only path for codes of 9 to 16 bits."""
    return (a.astype(np.int64) - a_zero[:, None]) @ (b.astype(np.int64) - b_zero[:, None]).T


def int8_matmul(
    a: np.ndarray, b: Packed, a_zero: np.ndarray | None = None, out: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """`C (M, N)` in int32 from codes `a (M, K)`, their zero points (M) and the packed weights; into `out` if given.

    >>> from nncomp.kernels.pack import int8_pack
    >>> b = int8_pack(np.array([[-128, 1]], np.int8))
    >>> int8_matmul(np.array([[200, 7]], np.uint8), b, a_zero=np.array([7], np.int32))
    array([[-24704]], dtype=int32)
    """
    out = aligned_empty((len(a), b.outputs), np.int32) if out is None else out
    zero = NO_ZEROS if a_zero is None else np.ascontiguousarray(a_zero, np.int32)
    flip = TAKES is not None and a.dtype.char != TAKES
    a = np.ascontiguousarray(a)
    a = a.view(str(TAKES)) if flip else a

    def some_rows(m: int, end: int) -> None:
        _int8_matmul(a[m:end], flip, *b[:3], zero[m:end], out[m:end], 0, b.outputs)

    def some_columns(n: int, end: int) -> None:
        _int8_matmul(a, flip, *b[:3], zero, out, n, end)

    if len(a) > 4 * ROWS:
        split(some_rows, len(a), a.size * b.outputs, ROWS)
    else:
        split(some_columns, b.outputs, a.size * b.outputs, WIDTH)
    return out


def _int8_matmul_scalar_py(a, flip, panels, sums, b_zero, a_zero, out, start, end):  # type: ignore[no-untyped-def]
    inner = a.shape[1]
    for m in range(len(a)):
        excess = np.int32(0)
        zero = a_zero[m] if a_zero.size else np.int32(0)
        for k in range(inner):
            excess = np.int32(excess + zero - np.int32(a[m, k]))
        for n in range(start, end):
            total = np.int32(np.int32(excess * b_zero[n] if b_zero.size else 0) - np.int32(zero * sums[n]))
            for k in range(inner):
                total = np.int32(total + np.int32(a[m, k]) * np.int32(panels[n * inner + k]))
            out[m, n] = total


def _int8_matmul_py(a, flip, panels, sums, b_zero, a_zero, out, n, end):  # type: ignore[no-untyped-def]
    a, minus, excess = _as_taken(a, flip, a_zero, b_zero.size > 0)
    args = a, panels, sums, b_zero, minus, excess, out
    while n < end:
        vectors = min(VECTORS, (sums.size - n) // LANES)
        if vectors == 4:
            _panel(zeros(1, 4, out), n, args)
        elif vectors == 3:
            _panel(zeros(1, 3, out), n, args)
        elif vectors == 2:
            _panel(zeros(1, 2, out), n, args)
        else:
            _panel(zeros(1, 1, out), n, args)
        n += vectors * LANES


def _as_taken_py(a, flip, a_zero, need_excess):  # type: ignore[no-untyped-def]
    """Codes of the sign that `dot` takes, in whole groups; minus their zero points; K of those less the codes' sum."""
    rows, inner = a.shape
    move = (128 if TAKES == "B" else -128) if flip else 0
    whole = (inner + GROUP - 1) // GROUP * GROUP
    taken = a
    if flip or whole > inner:
        taken = np.empty((rows, whole), a.dtype)
        for m in range(rows):
            for k in range(inner):
                taken[m, k] = a[m, k] + move
            for k in range(inner, whole):
                taken[m, k] = 0
    minus = np.empty(rows if flip or a_zero.size else 0, np.int32)
    for m in range(minus.size):
        minus[m] = -move - (a_zero[m] if a_zero.size else np.int32(0))
    excess = np.empty(rows if need_excess else 0, np.int32)
    for m in range(excess.size):
        total = np.int32(0)
        for k in range(inner):
            total += np.int32(taken[m, k])
        excess[m] = -total - (inner * minus[m] if minus.size else 0)
    return taken, minus, excess


def _panel_py(tile, n, args):  # type: ignore[no-untyped-def]
    """The columns of C from n on; the last tile of rows begins early where it would end late."""
    m, rows = 0, len(args[0])
    while m < rows:
        if rows >= ROWS and rows - m > 4:
            _tile(with_rows(tile, ROWS), min(m, rows - ROWS), n, args)
            m += ROWS
        elif rows >= 4:
            _tile(with_rows(tile, 4), min(m, rows - 4), n, args)
            m += 4
        else:
            _tile(tile, m, n, args)
            m += 1


def _tile_py(acc, m, n, args):  # type: ignore[no-untyped-def]
    a, panels, sums, b_zero, minus, excess, out = args
    inner, outputs = a.shape[1], out.shape[1]
    c = m * outputs + n
    prefetch(acc, out, c, outputs)
    if minus.size:
        acc = fma(column(acc, minus, m, 1), row(acc, sums, n), acc)
    if excess.size:
        acc = fma(column(acc, excess, m, 1), row(acc, b_zero, n), acc)
    for k in range(0, inner, GROUP):
        prefetch_line(a, (m + height(acc)) * inner + height(acc) * k)  # the next tile's rows: too short to be foreseen
        acc = dot(codes(acc, a, m * inner + k, inner), packed(acc, panels, n * inner + width(acc) * k), acc)
    store(acc, out, c, outputs, height(acc), outputs - n)


_as_taken = inlined(_as_taken_py)
_tile = inlined(_tile_py)
_panel = inlined(_panel_py)
_int8_matmul = compiled(_int8_matmul_scalar_py if PATH == "scalar" else _int8_matmul_py)
