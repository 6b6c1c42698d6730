"""The dense layer: y = x wT, of weights as they lie, nothing packed.

A panel of the batch is turned on its side, as in `sparse.py`; then each weight of a few rows multiplies registers of
samples, whose sums stay in registers until the rows are done. BLAS has to pack such weights at every call, so it is
slower where samples are few; for a single one, and for few products, it has better ways.
"""

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.simd import column, fma, height, pointer, row, store, width, with_rows, zeros
from nncomp.kernels.simd.path import LANES, PATH, ROWS, VECTORS
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import from_lanes, to_lanes

FEW = 2**18
"""Multiply-adds up to which BLAS is faster; four times as many where samples do not fill a register."""
MANY = 2**13
"""Inputs above which it is faster, too: a panel of so many leaves the second cache."""
TALL = ROWS * VECTORS // 2
"""Rows of a tile of two registers each."""


def dense_matmul_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ w.T` of floats of one dtype, `w (out, in)`."""
    return x @ w.T


def dense_matmul(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """As `dense_matmul_reference`.

    >>> dense_matmul(np.array([[1., 2.]]), np.array([[3., 4.]]))
    array([[11.]])
    """
    if _left_to_blas(x, w):
        return dense_matmul_reference(x, w)
    x, y = np.ascontiguousarray(x), aligned_empty((len(x), len(w)), x.dtype)
    split(lambda b, end: _dense_matmul(x[b:end], w, y[b:end]), len(x), len(x) * w.size, step=VECTORS * LANES)
    return y


def _left_to_blas(x: np.ndarray, w: np.ndarray) -> bool:
    few = len(x) == 1 or len(x) * w.size <= (FEW if len(x) >= LANES else 4 * FEW)
    return PATH == "scalar" or few or w.shape[1] > MANY or not w.flags.c_contiguous


def _dense_matmul_py(x, w, y):  # type: ignore[no-untyped-def]
    lanes, (batch, inputs), outputs, b = width(zeros(1, 1, y)), x.shape, len(w), 0
    xT = aligned((inputs + lanes - 1) // lanes * lanes * VECTORS * lanes, x)
    yT = aligned((outputs + lanes - 1) // lanes * lanes * VECTORS * lanes, x)
    args = x, pointer(w), outputs, xT, yT, y
    while b < batch:
        vectors = min(VECTORS, (batch - b + lanes - 1) // lanes)
        if vectors == 1:
            _panel(zeros(12, 1, y), b, args)
        elif vectors == 2:
            _panel(zeros(TALL, 2, y), b, args)
        elif vectors == 3:
            _panel(zeros(8, 3, y), b, args)
        else:
            _panel(zeros(ROWS, 4, y), b, args)
        b += vectors * lanes


def _panel_py(tile, b, args):  # type: ignore[no-untyped-def]
    """The outputs of the samples from b on, as many as the tile is wide."""
    x, w, outputs, xT, yT, y = args
    wide, whole = width(tile), outputs - outputs % height(tile)
    to_lanes(x, b, 0, x.shape[1], xT, wide)
    for n in range(0, whole, height(tile)):
        _rows(tile, n, x.shape[1], w, xT, yT)
    for n in range(whole, outputs):
        _rows(with_rows(tile, 1), n, x.shape[1], w, xT, yT)
    from_lanes(yT, y, b, wide)


def _rows_py(acc, n, inputs, w, xT, yT):  # type: ignore[no-untyped-def]
    """As many outputs as the tile has rows, from n on."""
    wide, first = width(acc), n * inputs
    for k in range(inputs):
        acc = fma(column(acc, w, first + k, inputs), row(acc, xT, k * wide), acc)
    store(acc, yT, n * wide, wide, height(acc), wide)


_rows = inlined(_rows_py)
_panel = inlined(_panel_py)
_dense_matmul = compiled(_dense_matmul_py)
