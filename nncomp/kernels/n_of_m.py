"""Weights of which n in every m neighbours along a row are kept (2 of 4, 1 of 4, 4 of 8): y = x W.T.

Of a kept weight 2 or 4 bits say which of its m it is; a table turns a byte of them into inputs. Every row has the same
number of kept weights, so that no branch is guessed; otherwise as `sparse.py`: samples fill registers, and a block of
inputs stays in a cache.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.simd import column, fma, pointer, row, store, width, zeros
from nncomp.kernels.simd.path import LANES, PATH
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import from_lanes, to_lanes

BLOCK = 64
"""Inputs in a block."""
POWERS = (1, 2, 4, 8, 16)


class NOfM(NamedTuple):
    """The kept weights, row by row within blocks of 64 inputs, and which of its m each of them is."""

    values: np.ndarray
    """(blocks, out, kept): n of each group of m, the last block filled up with zeros."""
    places: np.ndarray
    """uint8 (blocks, out, bytes): 2 bits each where m is at most 4, else 4, the lowest first."""
    table: np.ndarray
    """uint8 (256, places in a byte): how far from its first group's first input a byte's weights are."""
    n: int
    m: int
    inputs: int


def n_of_m_pack(w: np.ndarray, n: int, m: int) -> NOfM:
    """Pack `w (out, in)`, at most n of every m neighbours not 0; the last group may be short. A ValueError if more are.

    `n` and `m` are powers of 2, m at most 16.

    >>> n_of_m_pack(np.eye(8), n=1, m=4).places[0, :, 0]  # which of the first four, then of the next, ...
    array([ 0,  1,  2,  3,  0,  4,  8, 12], dtype=uint8)
    """
    if not (n in POWERS and m in POWERS and n <= m):
        raise ValueError(f"{n} of {m}: n and m are 1, 2, 4, 8 or 16, and n is at most m")
    outputs, inputs = w.shape
    blocks = max(-(-inputs // BLOCK), 1)
    padded = np.pad(w, ((0, 0), (0, blocks * BLOCK - inputs)))
    groups = padded.reshape(outputs, blocks, BLOCK // m, m).transpose(1, 0, 2, 3)
    most = int((groups != 0).sum(axis=3).max(initial=0))
    if most > n:
        raise ValueError(f"{most} of {m} neighbours are not 0, where {n} may be kept")
    # Those that are not 0, then the others, as many as are needed, and these in the order they stand in.
    place = np.sort(np.argsort(groups == 0, axis=3, kind="stable")[..., :n], axis=3)
    kept = BLOCK // m * n
    values = np.take_along_axis(groups, place, axis=3).reshape(blocks, outputs, kept)
    bits = 2 if m <= 4 else 4
    several = 8 // bits
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = place.reshape(blocks, outputs, kept // several, several).astype(np.uint8) << shifts
    table = (np.arange(256, dtype=np.uint8)[:, None] >> shifts & np.uint8(2**bits - 1)) % m
    table += (np.arange(several) // n * m).astype(np.uint8)
    return NOfM(values, np.bitwise_or.reduce(codes, axis=3), table, n, m, inputs)


def n_of_m_matmul_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ W.T`"""
    return x @ w.T


def n_of_m_matmul(x: np.ndarray, w: NOfM) -> np.ndarray:
    """As `n_of_m_matmul_reference`, of packed weights.

    >>> w = n_of_m_pack(np.array([[0., 5., 0., 7., 0., 0., 8., 0.]]), n=2, m=4)
    >>> n_of_m_matmul(np.arange(8.0)[None], w)
    array([[74.]])
    """
    x, y = np.ascontiguousarray(x), aligned_empty((len(x), w.values.shape[1]), x.dtype)
    split(lambda b, end: _n_of_m_matmul(x[b:end], *w[:5], y[b:end]), len(x), 2 * w.values.size * len(x), step=LANES)
    return y


def _n_of_m_matmul_scalar_py(x, values, places, table, n, m, y):  # type: ignore[no-untyped-def]
    several = table.shape[1]
    for b in range(len(x)):
        for i in range(y.shape[1]):
            total = y.dtype.type(0)
            for block in range(values.shape[0]):
                for p in range(values.shape[2]):
                    first = block * BLOCK + p // several * several // n * m
                    k = first + table[places[block, i, p // several], p % several]
                    total += values[block, i, p] * (x[b, k] if k < x.shape[1] else x.dtype.type(0))
            y[b, i] = total


def _n_of_m_matmul_py(x, values, places, table, n, m, y):  # type: ignore[no-untyped-def]
    lanes, outputs, inputs, several = width(zeros(1, 1, y)), y.shape[1], x.shape[1], table.shape[1]
    vectors, down = (len(x) + lanes - 1) // lanes, 0
    wide = (1 if vectors <= 1 else 2 if vectors == 2 else 4 if vectors <= 4 else 8) * lanes
    xT, yT = aligned(BLOCK * wide, x), aligned((outputs + lanes - 1) // lanes * lanes * wide, x)
    while several << down < n:  # a group takes 2^down bytes, or a byte holds several groups
        down += 1
    work = places.shape[2], several, down, max(several // n, 1) * m, pointer(table), xT, yT
    for b in range(0, len(x), wide):
        for block in range(values.shape[0]):
            features = min(BLOCK, inputs - block * BLOCK)
            to_lanes(x, b, block * BLOCK, features, xT, wide)
            xT[features * wide :] = 0
            kept = pointer(values[block]), pointer(places[block])
            if wide == lanes:
                _add_block(zeros(1, 1, y), block, outputs, kept, work)
            elif wide == 2 * lanes:
                _add_block(zeros(1, 2, y), block, outputs, kept, work)
            elif wide == 4 * lanes:
                _add_block(zeros(1, 4, y), block, outputs, kept, work)
            else:
                _add_block(zeros(1, 8, y), block, outputs, kept, work)
        from_lanes(yT, y, b, wide)


def _add_block_py(none, block, outputs, kept, work):  # type: ignore[no-untyped-def]
    """Add the products with the inputs of a block to all outputs."""
    values, places = kept
    size, several, down, step, table, xT, yT = work
    wide, q = width(none), 0
    for i in range(outputs):
        acc = row(none, yT, i * wide) if block else none
        for first in range(size):
            base, byte = (first >> down) * step, np.int64(places[q]) * several
            for t in range(several):
                weight = column(acc, values, q * several + t, 0)
                acc = fma(weight, row(acc, xT, (base + table[byte + t]) * wide), acc)
            q += 1
        store(acc, yT, i * wide, wide, 1, wide)


_add_block = inlined(_add_block_py)
_n_of_m_matmul = compiled(_n_of_m_matmul_scalar_py if PATH == "scalar" else _n_of_m_matmul_py)
