"""Weights kept or left out in blocks of 16 outputs by 1 input: y = x W.T in float32.

A block is a row of registers: it is loaded once and multiplies one input of as many samples as the other registers hold
sums for. Nothing is turned but the inputs, and y is written as it lies.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.simd import column, fma, pointer, row, store, with_rows, zeros
from nncomp.kernels.simd.path import LANES, PATH
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import to_lanes

HEIGHT = 16
"""Outputs in a block."""
SAMPLES = {"avx512": 24, "avx2": 6, "generic": 3, "scalar": 1}[PATH]
"""Samples in a tile: their sums, a block and one input fill the registers."""
FEW, VECTORS = max(SAMPLES // 3, 1), HEIGHT // LANES


class Blocks(NamedTuple):
    """Kept blocks of 16 x 1, one after another along each row of blocks."""

    values: np.ndarray
    """float32 (blocks, 16)."""
    columns: np.ndarray
    """uint32 (blocks): the input of each."""
    start: np.ndarray
    """int64 (rows of blocks + 1): where each row begins."""
    outputs: int
    inputs: int


def block_pack(w: np.ndarray) -> Blocks:
    """Keep the blocks of `w (out, in)` that are not all 0; the last row of blocks may be short of outputs.

    >>> block_pack(np.eye(20, 3, dtype=np.float32)).columns
    array([0, 1, 2], dtype=uint32)
    """
    outputs, inputs = w.shape
    padded = np.pad(w, ((0, -outputs % HEIGHT), (0, 0)))
    blocks = padded.reshape(len(padded) // HEIGHT, HEIGHT, inputs).transpose(0, 2, 1)  # (rows of blocks, in, 16)
    return Blocks(*kept_blocks(blocks), outputs, inputs)


def kept_blocks(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of `blocks (rows, columns, ...)` those that are not all 0, row by row; which column each has; where rows begin.

    >>> kept_blocks(np.array([[[0], [7]], [[8], [9]]]))
    (array([[7],
           [8],
           [9]]), array([1, 0, 1], dtype=uint32), array([0, 1, 3]))
    """
    kept = (blocks != 0).any(axis=tuple(range(2, blocks.ndim)))
    start = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    values = aligned_empty((int(start[-1]), *blocks.shape[2:]), blocks.dtype)
    values[...] = blocks[kept]
    return values, np.nonzero(kept)[1].astype(np.uint32), start


def block_matmul_reference(x: np.ndarray, blocks: Blocks) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ W.T`, W being the kept blocks."""
    y = np.zeros((len(x), HEIGHT * (blocks.start.size - 1)), x.dtype)
    for i, (first, last) in enumerate(zip(blocks.start[:-1], blocks.start[1:])):
        y[:, HEIGHT * i : HEIGHT * (i + 1)] = x[:, blocks.columns[first:last]] @ blocks.values[first:last]
    return y[:, : blocks.outputs]


def block_matmul(x: np.ndarray, blocks: Blocks) -> np.ndarray:
    """As `block_matmul_reference`.

    >>> block_matmul(np.float32([[1, 2, 3]]), block_pack(np.eye(2, 3, dtype=np.float32)))
    array([[1., 2.]], dtype=float32)
    """
    x, y = np.ascontiguousarray(x), aligned_empty((len(x), blocks.outputs), x.dtype)
    split(lambda b, end: _block_matmul(x[b:end], *blocks[:3], y[b:end]), len(x), blocks.values.size * len(x), SAMPLES)
    return y


def _block_matmul_scalar_py(x, values, columns, start, y):  # type: ignore[no-untyped-def]
    for b in range(len(x)):
        for n in range(y.shape[1]):
            total = y.dtype.type(0)
            for j in range(start[n // HEIGHT], start[n // HEIGHT + 1]):
                total += values[j, n % HEIGHT] * x[b, columns[j]]
            y[b, n] = total


def _block_matmul_py(x, values, columns, start, y):  # type: ignore[no-untyped-def]
    none, batch, inner = zeros(SAMPLES, VECTORS, y), len(x), x.shape[1]
    xT = aligned((inner + LANES - 1) // LANES * LANES * SAMPLES + LANES, x)
    b = 0
    while b < batch:
        to_lanes(x, b, 0, inner, xT, SAMPLES)
        if batch - b > FEW:
            _panel(none, b, xT, pointer(values), pointer(columns), start, y)
            b += SAMPLES
        else:
            _panel(with_rows(none, FEW), b, xT, pointer(values), pointer(columns), start, y)
            b += FEW


def _panel_py(none, b, xT, values, columns, start, y):  # type: ignore[no-untyped-def]
    """All outputs of as many samples as the tile has rows."""
    outputs = y.shape[1]
    for i in range(start.size - 1):
        acc = none
        for j in range(start[i], start[i + 1]):
            acc = fma(column(acc, xT, columns[j] * SAMPLES, 1), row(acc, values, j * HEIGHT), acc)
        n = i * HEIGHT
        store(acc, y, b * outputs + n, outputs, len(y) - b, outputs - n)


_panel = inlined(_panel_py)
_block_matmul = compiled(_block_matmul_scalar_py if PATH == "scalar" else _block_matmul_py)
