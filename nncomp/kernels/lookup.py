"""Matrix products with weights that share the values of a codebook: y[m, n] = scale[n] sum_k x[m, k] codebook[B[n, k]].

An index has 2, 4 or 8 bits. Eight of 4 bits make a word, one of each output's next eight inputs; a register of words
gives the weights of 16 outputs again and again, by a table that is a register too, each time shifted by an index. With
the codebook -8, -7, ..., 7 these are products of weights of 4 bits with floats.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.simd import (
    across,
    column,
    fma,
    height,
    looked_up,
    multiply,
    pointer,
    row,
    shifted,
    store,
    with_rows,
    zeros,
)
from nncomp.kernels.simd.path import LANES, PATH, VECTORS
from nncomp.kernels.threads import split

QUICK = 0 if PATH == "scalar" else 16
"""Entries up to which the kernel is the better choice: for one sample up to 7 times as fast as decoded weights, for
hundreds at worst 1.6 times slower. Tables of 256, which fill many registers, are slower in all but the largest layers.
"""


class Indices(NamedTuple):
    """Indices into a codebook as the kernel reads them."""

    words: np.ndarray
    """uint32 (N / LANES, K bits / 32, LANES), flat: the indices of neighbouring inputs, the lowest bits first."""
    codebook: np.ndarray
    """float32 (2^bits), filled up with zeros, and repeated up to a register."""
    scale: np.ndarray
    """float32: of each output, up to whole registers."""
    bits: int
    outputs: int
    inputs: int


def lookup_pack(indices: np.ndarray, codebook: np.ndarray, scale: np.ndarray | None = None) -> Indices:
    """Pack uint8 `indices (N, K)` into a codebook of at most 256 float32 values, and a scale (N) for each output.

    >>> lookup_pack(np.array([[3, 1]], np.uint8), np.float32([0, 10, 20, 30])).words[:1]
    array([7], dtype=uint32)
    """
    if codebook.ndim != 1 or not 1 <= codebook.size <= 256 or (indices.size and indices.max() >= codebook.size):
        raise ValueError(f"indices up to {indices.max(initial=0)} into a codebook of shape {codebook.shape}")
    outputs, inputs = indices.shape
    bits = next(b for b in (2, 4, 8) if codebook.size <= 2**b)
    padded = np.pad(indices, ((0, -outputs % LANES), (0, -inputs % (32 // bits)))).astype(np.uint32)
    apart = padded.reshape(len(padded) // LANES, LANES, padded.shape[1] * bits // 32, 32 // bits)
    together = np.bitwise_or.reduce(apart << np.arange(0, 32, bits, dtype=np.uint32), axis=3).transpose(0, 2, 1)
    words = aligned_empty(together.shape, np.uint32)
    words[...] = together
    scales = np.ones(len(padded), np.float32)
    scales[:outputs] = 1 if scale is None else scale
    table = np.pad(codebook.astype(np.float32), (0, 2**bits - codebook.size))
    table = np.tile(table, max(LANES // table.size, 1))  # a register, of which any index finds its value
    return Indices(words.reshape(-1), table, scales, bits, outputs, inputs)


def lookup_unpack(w: Indices) -> np.ndarray:
    """The indices (N, K) that were packed.

    >>> lookup_unpack(lookup_pack(np.array([[3, 1]], np.uint8), np.arange(4.0)))
    array([[3, 1]], dtype=uint8)
    """
    rows, depth = len(w.scale), -(-w.inputs * w.bits // 32)
    together = w.words.reshape(rows // LANES, depth, LANES, 1)
    apart = together >> np.arange(0, 32, w.bits, dtype=np.uint32) & np.uint32(2**w.bits - 1)
    indices = apart.transpose(0, 2, 1, 3).reshape(rows, depth * 32 // w.bits)
    return indices[: w.outputs, : w.inputs].astype(np.uint8)


def lookup_matmul_reference(x: np.ndarray, indices: np.ndarray, codebook: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ codebook[indices].T * scale`"""
    return x @ codebook[indices].T * scale


def lookup_matmul(x: np.ndarray, w: Indices) -> np.ndarray:
    """As `lookup_matmul_reference`, in float32, of packed indices.

    >>> w = lookup_pack(np.array([[3, 1]], np.uint8), np.float32([0, 10, 20, 30]))
    >>> lookup_matmul(np.float32([[1, 2]]), w)
    array([[50.]], dtype=float32)
    """
    x, y = np.ascontiguousarray(x), aligned_empty((len(x), w.outputs), np.float32)
    if y.size:
        split(lambda n, end: _lookup_matmul(x, *w[:4], y, n, end), w.outputs, 4 * x.size * w.outputs, VECTORS * LANES)
    return y


def _lookup_matmul_scalar_py(x, words, codebook, scale, bits, y, start, end):  # type: ignore[no-untyped-def]
    words_of_row = words.size // scale.size
    for m in range(len(x)):
        for n in range(start, end):
            total = np.float32(0)
            for k in range(x.shape[1]):
                index = (words[n * words_of_row + k * bits // 32] >> np.uint32(k * bits % 32)) & np.uint32(2**bits - 1)
                total += x[m, k] * codebook[index]
            y[m, n] = total * scale[n]


def _lookup_matmul_py(x, words, codebook, scale, bits, y, n, end):  # type: ignore[no-untyped-def]
    rows = len(x)
    work = (
        pointer(x), x.shape[1], pointer(words), words.size // scale.size, pointer(codebook), pointer(scale),
        pointer(y), y.shape[1], rows,
    )  # fmt: skip
    while n < end:
        whole = scale.size - n >= VECTORS * LANES
        if bits == 4 and whole:
            _panel(zeros(1, VECTORS, y), zeros(1, VECTORS, words), 4, n, work)
        elif bits == 4:
            _panel(zeros(1, 1, y), zeros(1, 1, words), 4, n, work)
        elif bits == 2 and whole:
            _panel(zeros(1, VECTORS, y), zeros(1, VECTORS, words), 2, n, work)
        elif bits == 2:
            _panel(zeros(1, 1, y), zeros(1, 1, words), 2, n, work)
        else:
            _panel(zeros(1, 1, y), zeros(1, 1, words), 8, n, work)
        n += VECTORS * LANES if whole and bits < 8 else LANES


def _panel_py(tile, words, bits, n, work):  # type: ignore[no-untyped-def]
    """The outputs from n on; the last tile of rows begins early where it would end late."""
    m, rows = 0, work[-1]
    while m < rows:
        if rows >= 4:
            _tile(with_rows(tile, 4), words, bits, min(m, rows - 4), n, work)
            m += 4
        else:
            _tile(tile, words, bits, m, n, work)
            m += 1


def _tile_py(acc, words, bits, m, n, work):  # type: ignore[no-untyped-def]
    x, inner, packed, depth, codebook, scale, y, outputs, _ = work
    several = 32 // bits
    for k in range(0, inner, several):
        words = across(words, packed, n * depth + k // several * LANES, LANES * depth)
        for t in range(min(several, inner - k)):
            acc = fma(column(acc, x, m * inner + k + t, inner), looked_up(words, codebook, acc, bits), acc)
            words = shifted(words, bits)
    acc = multiply(acc, row(acc, scale, n))
    store(acc, y, m * outputs + n, outputs, height(acc), outputs - n)


_tile = inlined(_tile_py)
_panel = inlined(_panel_py)
_lookup_matmul = compiled(_lookup_matmul_scalar_py if PATH == "scalar" else _lookup_matmul_py)
