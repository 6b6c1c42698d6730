"""Matrix products of int8 or uint8 activations with weights of 4 or 2 bits, exact in int32: W4A8, W2A8, ternary.

    C[m, n] = sum_k (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])        B from -8 to 7, 0 to 15, -2 to 1, 0 to 3

A byte holds codes of two or four groups of inputs, moved to begin at 0; they come apart by a shift and a mask on the
way into the registers. Otherwise as `int8.py`: a signed weight of 4 bits has a zero point that is larger by 8.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.int8 import as_taken
from nncomp.kernels.int8_ends import ends_of, finish, shares
from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.pack import NO_ZEROS, check_int32
from nncomp.kernels.simd import codes, dot, fields, height, keep, pointer, with_rows, zeros
from nncomp.kernels.simd.path import GROUP, LANES, PATH, VECTORS, to_take
from nncomp.kernels.threads import split


class LowBit(NamedTuple):
    """Weights' codes of 4 or 2 bits as the kernel reads them."""

    panels: np.ndarray
    """uint8 (N / LANES, K / (GROUP fields), LANES, GROUP), flat: in each byte's field the code of another group."""
    sums: np.ndarray
    """int32: the sum of each row of moved codes, up to whole registers."""
    zeros: np.ndarray
    """int32: each row's zero point, moved as the codes are."""
    bits: int
    middle: int
    """What the codes were moved by: 0 if they were uint8."""
    outputs: int
    inputs: int


def few_bits(b: np.ndarray) -> int | None:
    """The fewest bits, 2 or 4, that hold the codes b, int8 or uint8; None where neither does.

    >>> few_bits(np.array([-2, 1], np.int8)), few_bits(np.array([4], np.uint8)), few_bits(np.array([8], np.int8))
    (2, 4, None)
    """
    low, high = (int(b.min()), int(b.max())) if b.size else (0, 0)
    middles = {bits: 2 ** (bits - 1) if b.dtype == np.int8 else 0 for bits in (2, 4)}
    return next((bits for bits, middle in middles.items() if -middle <= low <= high < 2**bits - middle), None)


def lowbit_pack(b: np.ndarray, bits: int, b_zero: np.ndarray | None = None) -> LowBit:
    """Pack int8 or uint8 codes `b (N, K)` of `bits` 4 or 2, and their zero points (N).

    A ValueError for other codes, or where a sum could leave int32.

    >>> lowbit_pack(np.array([[-8, 7]], np.int8), bits=4).sums[:1]
    array([15], dtype=int32)
    """
    if bits not in (2, 4) or (few_bits(b) or 8) > bits:
        raise ValueError(f"codes of 4 bits are -8 to 7, of 2 bits -2 to 1, not {b.min()} to {b.max()} in {bits}")
    zero = np.zeros(len(b), np.int32) if b_zero is None else b_zero.astype(np.int32)
    check_int32(b, zero)
    middle = 2 ** (bits - 1) if b.dtype == np.int8 else 0
    (outputs, inputs), per_byte = b.shape, 8 // bits
    wide, deep = -outputs % LANES, -inputs % (GROUP * per_byte)
    moved = np.pad(b.view(np.uint8) + np.uint8(middle), ((0, wide), (0, deep)))
    apart = moved.reshape(len(moved) // LANES, LANES, moved.shape[1] // (GROUP * per_byte), per_byte, GROUP)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    together = np.bitwise_or.reduce(apart << shifts, axis=3).transpose(0, 2, 1, 3)
    panels = aligned_empty(together.shape, np.uint8)
    panels[...] = together
    sums, zeros = moved.sum(axis=1, dtype=np.int32), np.pad(zero + middle, (0, wide)).astype(np.int32)
    return LowBit(panels.reshape(-1), sums, zeros, bits, middle, outputs, inputs)


def lowbit_unpack(w: LowBit) -> np.ndarray:
    """The codes (N, K) that were packed.

    >>> lowbit_unpack(lowbit_pack(np.array([[-2, 1, 0]], np.int8), bits=2))
    array([[-2,  1,  0]], dtype=int8)
    """
    rows, per_byte = len(w.sums), 8 // w.bits
    depth = -(-w.inputs // (GROUP * per_byte))
    together = w.panels.reshape(rows // LANES, depth, LANES, 1, GROUP)
    apart = together >> np.arange(0, 8, w.bits, dtype=np.uint8)[:, None] & np.uint8(2**w.bits - 1)
    moved = apart.transpose(0, 2, 1, 3, 4).reshape(rows, depth * GROUP * per_byte)[: w.outputs, : w.inputs]
    return moved.view(np.int8) - np.int8(w.middle) if w.middle else moved


def lowbit_matmul(a: np.ndarray, w: LowBit, a_zero: np.ndarray | None = None) -> np.ndarray:
    """As `int8_matmul`, for weights of few bits: `C (M, N)` in int32 from 8-bit codes `a (M, K)` and zero points (M).

    >>> lowbit_matmul(np.array([[10, 100]], np.uint8), lowbit_pack(np.array([[-8, 7]], np.int8), bits=4))
    array([[620]], dtype=int32)
    """
    out = aligned_empty((len(a), w.outputs), np.int32)
    zero = NO_ZEROS if a_zero is None else np.ascontiguousarray(a_zero, np.int32)
    args = np.ascontiguousarray(a), to_take(a.dtype), w.panels, w.sums, w.zeros, w.bits, zero, out, ()
    if out.size:
        split(lambda n, end: lowbit_kernel(*args, n, end), w.outputs, a.size * w.outputs, VECTORS * LANES)
    return out


def _lowbit_matmul_scalar_py(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end):  # type: ignore[no-untyped-def]
    per_byte, bytes_of_row = 8 // bits, panels.size // sums.size
    for m in range(len(a)):
        zero = a_zero[m] if a_zero.size else np.int32(0)
        for n in range(start, end):
            total = np.int32(0)
            for k in range(a.shape[1]):
                byte = panels[n * bytes_of_row + k // per_byte]
                code = np.int32(byte >> (k % per_byte * bits)) & np.int32(2**bits - 1)
                total = np.int32(total + (np.int32(a[m, k]) - zero) * (code - b_zero[n]))
            out[m, n] = total


def _lowbit_matmul_py(a, move, panels, sums, b_zero, bits, a_zero, out, scales, n, end):  # type: ignore[no-untyped-def]
    minus, excess = shares(a, move, a_zero, b_zero, 0, len(a))
    taken, _ = as_taken(a, move, GROUP * 8 // bits, 0, len(a))
    ends = ends_of(out, sums, b_zero, minus, excess, scales)
    work = pointer(taken), taken.shape[1], pointer(panels), panels.size // sums.size, ends
    rows = len(a)
    while n < end:
        whole = sums.size - n >= VECTORS * LANES
        if bits == 4 and whole:
            _panel(zeros(1, VECTORS, sums), 4, rows, n, work)
        elif bits == 4:
            _panel(zeros(1, 1, sums), 4, rows, n, work)
        elif whole:
            _panel(zeros(1, VECTORS, sums), 2, rows, n, work)
        else:
            _panel(zeros(1, 1, sums), 2, rows, n, work)
        n += VECTORS * LANES if whole else LANES
    keep(taken)
    keep(minus)
    keep(excess)


def _panel_py(tile, bits, rows, n, work):  # type: ignore[no-untyped-def]
    """The columns of C from n on; the last tile of rows begins early where it would end late."""
    m = 0
    while m < rows:
        if rows >= 4:
            _tile(with_rows(tile, 4), bits, min(m, rows - 4), n, work)
            m += 4
        else:
            _tile(tile, bits, m, n, work)
            m += 1


def _tile_py(acc, bits, m, n, work):  # type: ignore[no-untyped-def]
    a, inner, panels, row_bytes, ends = work
    here, step = m * inner, LANES * row_bytes
    for k in range(0, inner, GROUP * 8 // bits):
        at = n * row_bytes + k * bits // 8 * LANES
        acc = dot(codes(acc, a, here + k, inner), fields(acc, panels, at, step, bits, 0), acc)
        acc = dot(codes(acc, a, here + k + GROUP, inner), fields(acc, panels, at, step, bits, 1), acc)
        if bits == 2:
            acc = dot(codes(acc, a, here + k + 2 * GROUP, inner), fields(acc, panels, at, step, bits, 2), acc)
            acc = dot(codes(acc, a, here + k + 3 * GROUP, inner), fields(acc, panels, at, step, bits, 3), acc)
    finish(acc, m, n, height(acc), ends)


_tile = inlined(_tile_py)
_panel = inlined(_panel_py)
lowbit_kernel = compiled(_lowbit_matmul_scalar_py if PATH == "scalar" else _lowbit_matmul_py)
