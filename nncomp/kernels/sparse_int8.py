"""The product of kept weights' codes with activations' codes, exact in int32.

    C[m, n] = sum over kept k of (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])

Absent weights are 0. Samples fill registers as in `sparse.py`; the codes of GROUP inputs are brought side by side, so
that one instruction multiplies and adds them all.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from nncomp.kernels.jit import compiled
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.pack import LARGEST_SUM
from nncomp.kernels.pattern import Pattern
from nncomp.kernels.simd import codes, column, dot, fma, row, store, unzipped, width, zeros, zipped
from nncomp.kernels.simd.path import GROUP, LANES, PATH, to_take
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import from_lanes, words_to_lanes

PANEL = GROUP * LANES
"""Samples in a panel."""


def sparse_int8_matmul_reference(
    a: np.ndarray, codes: np.ndarray, pattern: Pattern, a_zero: np.ndarray, b_zero: np.ndarray
) -> np.ndarray:
    """The product in int64, of kept codes of any width."""
    steps = codes.astype(np.int64) - b_zero.astype(np.int64)[pattern.rows]
    weight = scipy.sparse.csr_array((steps, pattern.columns.astype(np.int64), pattern.row_start), shape=pattern.shape)
    return (weight @ (a.astype(np.int64) - a_zero[:, None]).T).T


class KeptCodes(NamedTuple):
    """Kept codes less their zero points, as int8 in whole groups: a step that int8 lacks is a sum of several."""

    steps: np.ndarray
    columns: np.ndarray
    """uint16, or uint32 if need be: each step's input; 0, with a step of 0, where a group is filled up."""
    start: np.ndarray
    """int64 (out + 1): where each row begins."""
    sums: np.ndarray
    """int32 (out): the sum of each row's steps."""
    inputs: int


def sparse_int8_pack(codes: np.ndarray, pattern: Pattern, b_zero: np.ndarray) -> KeptCodes | None:
    """Pack the kept codes and their zero points (out); None where int32 might not hold a sum.

    >>> pattern = Pattern(np.array([0, 2]), np.array([0, 2]), inputs=3)
    >>> sparse_int8_pack(np.array([200, 5], np.uint8), pattern, b_zero=np.array([10])).sums
    array([185], dtype=int32)
    """
    (outputs, inputs), row = pattern.shape, pattern.rows
    steps = codes.astype(np.int64) - b_zero.astype(np.int64)[row]
    sizes = np.bincount(row, np.abs(steps), outputs)
    if 255 * sizes.max(initial=0) > LARGEST_SUM:
        return None
    parts, rest = [], steps
    for _ in range(3):  # 255 = 127 + 127 + 1
        parts.append(np.clip(rest, -128, 127))
        rest = rest - parts[-1]
    several = np.stack(parts, axis=1)
    used = several != 0
    used[:, 0] = True
    rows, columns = (np.repeat(a, used.sum(axis=1)) for a in (row, pattern.columns))
    lengths = np.bincount(rows, minlength=outputs)
    start = np.concatenate([[0], np.cumsum(-(-lengths // GROUP) * GROUP)])
    place = np.arange(rows.size) + np.repeat(start[:-1] - (np.cumsum(lengths) - lengths), lengths)
    packed = KeptCodes(
        np.zeros(start[-1], np.int8), np.zeros(start[-1], np.uint16 if inputs <= 2**16 else np.uint32), start,
        np.bincount(row, steps, outputs).astype(np.int32), inputs,
    )  # fmt: skip
    packed.steps[place], packed.columns[place] = several[used], columns
    return packed


def sparse_int8_matmul(a: np.ndarray, kept: KeptCodes, a_zero: np.ndarray) -> np.ndarray:
    """As `sparse_int8_matmul_reference`, in int32, for 8-bit activations `a (batch, in)` and packed weights.

    >>> pattern = Pattern(np.array([0, 2]), np.array([0, 1, 1, 2]), inputs=3)
    >>> kept = sparse_int8_pack(np.array([10, 20], np.int8), pattern, np.zeros(3, int))
    >>> sparse_int8_matmul(np.array([[1, 2, 3]], np.int8), kept, a_zero=np.array([0]))
    array([[10,  0, 60]], dtype=int32)
    """
    a, out = np.ascontiguousarray(a), aligned_empty((len(a), kept.sums.size), np.int32)
    move = to_take(a.dtype)
    minus = np.zeros(len(a) + PANEL, np.int32)
    np.subtract(-move, a_zero, out=minus[: len(a)], dtype=np.int32, casting="unsafe")
    split(lambda b, end: _sparse_int8_matmul(a[b:end], move, minus[b:], *kept[:4], out[b:end]),
          len(a), kept.steps.size * len(a) // 2, step=PANEL)  # fmt: skip
    return out


def _sparse_int8_matmul_scalar_py(a, move, minus, steps, columns, start, sums, out):  # type: ignore[no-untyped-def]
    for m in range(len(a)):
        for n in range(sums.size):
            total = np.int32(minus[m] * sums[n])
            for j in range(start[n], start[n + 1]):
                total = np.int32(total + np.int32(a[m, columns[j]]) * np.int32(steps[j]))
            out[m, n] = total


def _sparse_int8_matmul_py(a, move, minus, steps, columns, start, sums, out):  # type: ignore[no-untyped-def]
    none = zeros(1, GROUP, out)
    wide = width(none)
    padded = (a.shape[1] + 4 * LANES - 1) // (4 * LANES) * LANES  # words of four inputs
    words = aligned(padded * wide, out)
    panel = words.view(a.dtype)
    yT = aligned((sums.size + LANES - 1) // LANES * LANES * wide, out)
    for b in range(0, len(a), wide):
        words_to_lanes(a, move, b, len(a), words, wide)
        for k in range(0, words.size, wide):
            store(unzipped(row(none, words, k)), words, k, wide, 1, wide)
        for n in range(sums.size):
            acc = fma(row(none, minus, b), column(none, sums, n, 0), none)
            for j in range(start[n], start[n + 1], GROUP):
                acc = dot(zipped(acc, panel, columns, j), codes(acc, steps, j, 0), acc)
            store(acc, yT, n * wide, wide, 1, wide)
        from_lanes(yT, out, b, wide)


_sparse_int8_matmul = compiled(_sparse_int8_matmul_scalar_py if PATH == "scalar" else _sparse_int8_matmul_py)
