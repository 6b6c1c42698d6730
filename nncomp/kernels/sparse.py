"""The masked layer: y = x (M * W)T and its gradient at x, in the time the kept weights take.

A panel of the batch is turned on its side, so that its samples fill registers: then every kept weight multiplies a row
of registers of its input and adds to those of its output, which stay where they are until the row is done. The inputs
are turned block by block, and a block stays in a cache while all rows pass over it.
"""

import numpy as np
import scipy.sparse

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.pattern import Kept, Pattern, sparse_pack
from nncomp.kernels.simd import (
    column,
    fma,
    gathered,
    height,
    load,
    pointer,
    row,
    row_sums,
    store,
    upright,
    width,
    zeros,
)
from nncomp.kernels.simd.path import LANES, PATH
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import from_lanes, to_lanes


def _csr(values: np.ndarray, pattern: Pattern) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((values, pattern.columns.astype(np.int64), pattern.row_start), shape=pattern.shape)


def masked_matmul_reference(x: np.ndarray, values: np.ndarray, pattern: Pattern) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ W.T` with W (out, in) the matrix of the kept weights."""
    return (_csr(values, pattern) @ x.T).T


def masked_matmul(x: np.ndarray, kept: Kept) -> np.ndarray:
    """As `masked_matmul_reference`, of packed weights.

    >>> pattern = Pattern(np.array([0, 2]), np.array([0, 1, 1, 2]), inputs=3)
    >>> masked_matmul(np.array([[1., 2., 3.]]), sparse_pack(np.array([10., 20.]), pattern))
    array([[10.,  0., 60.]])
    """
    values, lists, outputs = kept
    columns, start, rows, first, registers, _ = lists
    x, y = np.ascontiguousarray(x), aligned_empty((len(x), outputs), x.dtype)
    if len(x) == 1:
        _masked_vector(x[0], values, columns, start, rows, first, y[0])
    else:
        split(lambda b, end: _masked_matmul(x[b:end], values, columns, start, rows, first, registers, y[b:end]),
              len(x), 2 * values.size * len(x), step=LANES)  # fmt: skip
    return y


def masked_input_grad_reference(dy: np.ndarray, values: np.ndarray, pattern: Pattern) -> np.ndarray:
    """`dx (batch, in) = dy (batch, out) @ W`."""
    return (_csr(values, pattern).T @ dy.T).T


def masked_input_grad(dy: np.ndarray, values: np.ndarray, pattern: Pattern) -> np.ndarray:
    """As `masked_input_grad_reference`.

    >>> pattern = Pattern(np.array([0, 2]), np.array([0, 1, 1, 2]), inputs=3)
    >>> masked_input_grad(np.array([[1., 1., 2.]]), np.array([10., 20.]), pattern)
    array([[10.,  0., 40.]])
    """
    return masked_matmul(dy, sparse_pack(values, pattern.transposed))


def _masked_vector_scalar_py(x, values, columns, start, rows, first, y):  # type: ignore[no-untyped-def]
    y[:] = 0
    for k in range(first.size - 1):
        inputs = x[first[k] : first[k + 1]]
        for s in range(k * y.size, (k + 1) * y.size):
            total = y.dtype.type(0)
            for j in range(start[s], start[s + 1]):
                total += values[j] * inputs[columns[j]]
            y[rows[s]] += total


def _masked_vector_py(x, values, columns, start, rows, first, y):  # type: ignore[no-untyped-def]
    """One sample: the weights of a row fill registers, and the inputs are fetched from where they are listed."""
    none, several, outputs = zeros(1, 1, y), upright(8, y), y.size
    lanes, most = width(none), height(several)
    parts = aligned((outputs + most - 1) // most * most * lanes, y)
    for k in range(first.size - 1):
        for s in range(k * outputs, (k + 1) * outputs):
            i, end = rows[s] * lanes, start[s + 1]
            acc = row(none, parts, i) if k else none
            for j in range(start[s], end, lanes):
                weights = load(acc, values, j, 0, 1, end - j)
                acc = fma(weights, gathered(acc, x, first[k], columns, j, end - j), acc)
            store(acc, parts, i, 0, 1, lanes)
    for i in range(0, outputs, most):
        store(row_sums(load(several, parts, i * lanes, lanes, most, lanes)), y, i, 0, 1, min(most, outputs - i))


def _masked_matmul_scalar_py(x, values, columns, start, rows, first, registers, y):  # type: ignore[no-untyped-def]
    for b in range(len(x)):
        _masked_vector(x[b], values, columns, start, rows, first, y[b])


def _masked_matmul_py(x, values, columns, start, rows, first, registers, y):  # type: ignore[no-untyped-def]
    lanes, outputs, b = width(zeros(1, 1, y)), y.shape[1], 0
    most = _registers_of_a_panel(len(x), lanes, registers)
    widest = 0
    for k in range(first.size - 1):
        widest = max(widest, first[k + 1] - first[k])
    xT = aligned((widest + lanes - 1) // lanes * lanes * most * lanes, x)
    yT = aligned((outputs + lanes - 1) // lanes * lanes * most * lanes, x)
    args = x, pointer(values), pointer(columns), pointer(start), pointer(rows), first, xT, yT, y
    while b < len(x):
        vectors = min(most, (len(x) - b + lanes - 1) // lanes)
        if vectors == 1:
            _panel(zeros(1, 1, y), b, args)
        elif vectors == 2:
            _panel(zeros(1, 2, y), b, args)
        elif vectors == 3:
            _panel(zeros(1, 3, y), b, args)
        elif vectors == 4:
            _panel(zeros(1, 4, y), b, args)
        elif vectors == 5:
            _panel(zeros(1, 5, y), b, args)
        elif vectors == 6:
            _panel(zeros(1, 6, y), b, args)
        elif vectors == 7:
            _panel(zeros(1, 7, y), b, args)
        else:
            _panel(zeros(1, 8, y), b, args)
        b += vectors * lanes


def _registers_of_a_panel_py(batch, lanes, most):  # type: ignore[no-untyped-def]
    """As few panels as possible, and those of one size."""
    vectors = max((batch + lanes - 1) // lanes, 1)
    panels = (vectors + most - 1) // most
    return (vectors + panels - 1) // panels


def _panel_py(none, b, args):  # type: ignore[no-untyped-def]
    """The outputs of the samples from b on, as many as the tile `none` is wide."""
    x, values, columns, start, rows, first, xT, yT, y = args
    wide, outputs, blocks = width(none), y.shape[1], first.size - 1
    for k in range(blocks):
        to_lanes(x, b, first[k], first[k + 1] - first[k], xT, wide)
        for s in range(k * outputs, (k + 1) * outputs):
            i = rows[s] * wide
            acc = row(none, yT, i) if k else none
            for j in range(start[s], start[s + 1]):
                acc = fma(column(acc, values, j, 0), row(acc, xT, columns[j] * wide), acc)
            store(acc, yT, i, wide, 1, wide)
    from_lanes(yT, y, b, wide)


_registers_of_a_panel = inlined(_registers_of_a_panel_py)
_panel = inlined(_panel_py)
_masked_vector = compiled(_masked_vector_scalar_py if PATH == "scalar" else _masked_vector_py)
_masked_matmul = compiled(_masked_matmul_scalar_py if PATH == "scalar" else _masked_matmul_py)
