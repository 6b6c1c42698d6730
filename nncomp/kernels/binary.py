"""Matrix products of signs (Rastegari et al. 2016, section 3.2): C[m, n] = sum_k s(A[m, k]) s(B[n, k]), s(x) = 1 where

x >= 0, and else -1. Of K products those are -1 whose signs differ, so that with a bit for each sign

    C = K - 2 popcount(a XOR b).

Less a threshold for each output, C has the signs that a next layer of signs multiplies.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.simd import (
    across,
    add,
    column,
    differing_bits,
    fma,
    full,
    height,
    keep,
    pointer,
    row,
    sign_bits,
    store,
    with_rows,
    zeros,
)
from nncomp.kernels.simd.path import LANES, PATH, ROWS, VECTORS
from nncomp.kernels.threads import split


class Signs(NamedTuple):
    """The weights' signs as the kernel reads them."""

    words: np.ndarray
    """uint32 (N / LANES, K / 32, LANES), flat: a bit for each input, the lowest first, 1 for +1."""
    outputs: int
    inputs: int


def binary_pack(b: np.ndarray) -> Signs:
    """Pack the signs of `b (N, K)`.

    >>> binary_pack(np.array([[0.5, -1.0, 0.0]])).words[:1]
    array([5], dtype=uint32)
    """
    outputs, inputs = b.shape
    bits = np.pad(b >= 0, ((0, -outputs % LANES), (0, -inputs % 32))).astype(np.uint32)
    apart = bits.reshape(len(bits) // LANES, LANES, bits.shape[1] // 32, 32)
    together = np.bitwise_or.reduce(apart << np.arange(32, dtype=np.uint32), axis=3).transpose(0, 2, 1)
    words = aligned_empty(together.shape, np.uint32)
    words[...] = together
    return Signs(words.reshape(-1), outputs, inputs)


def binary_unpack(w: Signs) -> np.ndarray:
    """The signs (N, K) that were packed, -1 and 1.

    >>> binary_unpack(binary_pack(np.array([[0.5, -1.0, 0.0]])))
    array([[ 1, -1,  1]], dtype=int8)
    """
    rows, depth = -(-w.outputs // LANES), -(-w.inputs // 32)
    words = w.words.reshape(rows, depth, LANES).transpose(0, 2, 1)
    bits = (words[..., None] >> np.arange(32, dtype=np.uint32) & np.uint32(1)).reshape(rows * LANES, depth * 32)
    return bits[: w.outputs, : w.inputs].astype(np.int8) * np.int8(2) - np.int8(1)


def binary_matmul_reference(a: np.ndarray, b: np.ndarray, least: np.ndarray | int = 0) -> np.ndarray:
    """The product of signs in int64, less `least (N)`."""
    return np.where(a >= 0, 1, -1) @ np.where(b >= 0, 1, -1).T - least


def binary_matmul(a: np.ndarray, w: Signs, least: np.ndarray | None = None) -> np.ndarray:
    """As `binary_matmul_reference`, in int32, for floats or int32 `a (M, K)`, packed signs and thresholds in int32.

    >>> binary_matmul(np.array([[3.0, 4.0, -1.0]]), binary_pack(np.array([[0.5, -1.0, 0.0]])))
    array([[-1]], dtype=int32)
    """
    a, out = np.ascontiguousarray(a), aligned_empty((len(a), w.outputs), np.int32)
    ends = np.full(-(-w.outputs // LANES) * LANES, w.inputs, np.int32)
    if least is not None:
        ends[: w.outputs] -= least
    split(lambda m, end: _binary_matmul(a[m:end], w.words, ends, out[m:end]), len(a), a.size * w.outputs // 8, ROWS)
    return out


def _binary_matmul_scalar_py(a, words, ends, out):  # type: ignore[no-untyped-def]
    rows, inner = a.shape
    depth = (inner + 31) // 32
    for m in range(rows):
        for n in range(out.shape[1]):
            apart = 0
            for k in range(inner):
                apart += (a[m, k] >= 0) != ((words[n * depth + k // 32] >> np.uint32(k % 32)) & np.uint32(1) == 1)
            out[m, n] = ends[n] - 2 * apart


def _binary_matmul_py(a, words, ends, out):  # type: ignore[no-untyped-def]
    rows, inner = a.shape
    depth = (inner + 31) // 32
    signs = aligned(rows * depth, words)
    for m in range(rows):
        for k in range(depth):
            signs[m * depth + k] = sign_bits(a, m * inner + 32 * k, inner - 32 * k)
    work = pointer(signs), pointer(words), depth, pointer(ends), pointer(out), out.shape[1]
    n, padded = 0, words.size // depth if depth else (out.shape[1] + LANES - 1) // LANES * LANES
    while n < padded:
        whole = padded - n >= VECTORS * LANES
        if whole:
            _panel(zeros(1, VECTORS, words), rows, n, work)
        else:
            _panel(zeros(1, 1, words), rows, n, work)
        n += VECTORS * LANES if whole else LANES
    keep(signs)


def _panel_py(tile, rows, n, work):  # type: ignore[no-untyped-def]
    """The columns of C from n on; the last tile of rows begins early where it would end late."""
    m = 0
    while m < rows:
        if rows >= ROWS:
            _tile(with_rows(tile, ROWS), min(m, rows - ROWS), n, work)
            m += ROWS
        else:
            _tile(tile, m, n, work)
            m += 1


def _tile_py(acc, m, n, work):  # type: ignore[no-untyped-def]
    signs, words, depth, ends, out, outputs = work
    for k in range(depth):
        a, b = column(acc, signs, m * depth + k, depth), across(acc, words, n * depth + k * LANES, LANES * depth)
        acc = add(acc, differing_bits(a, b))
    acc = fma(acc, full(acc, -2), row(acc, ends, n))
    store(acc, out, m * outputs + n, outputs, height(acc), outputs - n)


_tile = inlined(_tile_py)
_panel = inlined(_panel_py)
_binary_matmul = compiled(_binary_matmul_scalar_py if PATH == "scalar" else _binary_matmul_py)
