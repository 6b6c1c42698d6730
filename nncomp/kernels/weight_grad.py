"""The gradient of the kept weights, dW = M * (dyT x), computed only where M is 1.

Panels of x and dy are turned on their side, so that a kept weight's gradient is the inner product of two rows of
registers: one of its input, one of its output. A few weights at a time keep the additions apart and share the sums
across lanes.
"""

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned
from nncomp.kernels.pattern import Pattern
from nncomp.kernels.simd import add, fma, height, load, row_sums, store, take, upright, width, with_rows, zeros
from nncomp.kernels.simd.path import PATH
from nncomp.kernels.threads import split
from nncomp.kernels.transpose import to_lanes

PANEL = 8
"""Registers of samples in a panel."""


def masked_weight_grad_reference(x: np.ndarray, dy: np.ndarray, pattern: Pattern) -> np.ndarray:
    """`dvalues[j] = sum_b dy[b, row of j] x[b, column of j]`: the gradient of W where it is kept, nowhere else."""
    return (dy.T @ x)[pattern.rows, pattern.columns]


def masked_weight_grad(x: np.ndarray, dy: np.ndarray, pattern: Pattern) -> np.ndarray:
    """As `masked_weight_grad_reference`, without the full matrix.

    >>> x, dy = np.array([[1., 2., 3.]]), np.array([[1., 1., 2.]])
    >>> masked_weight_grad(x, dy, Pattern(np.array([0, 2]), np.array([0, 1, 1, 2]), inputs=3))
    array([1., 6.])
    """
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    rows, columns = pattern.places
    out = np.zeros(columns.size, x.dtype)
    split(lambda j, end: _masked_weight_grad(x, dy, rows[j:end], columns[j:end], out[j:end]),
          out.size, 2 * out.size * len(x))  # fmt: skip
    return out


def _masked_weight_grad_scalar_py(x, dy, rows, columns, dvalues):  # type: ignore[no-untyped-def]
    for j in range(dvalues.size):
        for b in range(len(x)):
            dvalues[j] += dy[b, rows[j]] * x[b, columns[j]]


def _masked_weight_grad_py(x, dy, rows, columns, dvalues):  # type: ignore[no-untyped-def]
    lanes = width(zeros(1, 1, x))
    vectors = min(PANEL, max((len(x) + lanes - 1) // lanes, 1))
    wide = vectors * lanes
    xT = aligned((x.shape[1] + lanes - 1) // lanes * lanes * wide, x)
    dyT = aligned((dy.shape[1] + lanes - 1) // lanes * lanes * wide, x)
    args = dyT, xT, rows, columns, wide, dvalues
    for b in range(0, len(x), wide):
        to_lanes(x, b, 0, x.shape[1], xT, wide)
        to_lanes(dy, b, 0, dy.shape[1], dyT, wide)
        if vectors == 1:
            _panel(upright(8, x), args)
        else:  # more addresses at a time than there are registers for them would cost more than the sums do
            _panel(upright(4, x), args)


def _panel_py(several, args):  # type: ignore[no-untyped-def]
    dvalues = args[-1]
    whole = dvalues.size - dvalues.size % height(several)
    for j in range(0, whole, height(several)):
        _add_products(several, j, args)
    for j in range(whole, dvalues.size):
        _add_products(with_rows(several, 1), j, args)


def _add_products_py(acc, j, args):  # type: ignore[no-untyped-def]
    """To as many of `dvalues` as the tile has rows, from j on."""
    dyT, xT, rows, columns, wide, dvalues = args
    weights = height(acc)
    for c in range(0, wide, width(acc)):
        acc = fma(take(acc, dyT, rows, j, wide, c), take(acc, xT, columns, j, wide, c), acc)
    sums = row_sums(acc)
    store(add(sums, load(sums, dvalues, j, 0, 1, weights)), dvalues, j, 0, 1, weights)


_add_products = inlined(_add_products_py)
_panel = inlined(_panel_py)
_masked_weight_grad = compiled(_masked_weight_grad_scalar_py if PATH == "scalar" else _masked_weight_grad_py)
