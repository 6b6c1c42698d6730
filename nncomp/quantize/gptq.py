"""GPTQ: one pass over the columns that rounds each and makes up for it in those to come (Frantar et al. 2023)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import inverse_factor
from nncomp.quantize.checks import check_layer_grid


def gptq(
    W: np.ndarray, H: np.ndarray, grid: Grid, order: bool = True, block: int = 128, damp: float = 0.01
) -> np.ndarray:
    """Codes of the weights `W (out, in)` on a `grid`; `H = XT X (in, in)` (algorithm 1).

    With U the upper Cholesky factor of `(H + damp mean(diag H) I)^-1`, column by column: what rounding changes,
    `E_j = (W_j - Q(W_j)) / U_jj`, is taken from the columns to come, `W -= E_j U_j`. `order`: those of the largest
    diag H first, as the authors' code does by `act_order`; else from left to right. Columns to come after a `block` are
    brought up to date together: the same, but faster. The grid is fixed beforehand, in groups too.

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> gptq(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), damp=0.0)
    array([[0, 1]], dtype=int8)
    """
    return sweep(W, H, grid, order, block, damp, np.zeros(W.shape, bool))[0]


def sweep(
    W: np.ndarray, H: np.ndarray, grid: Grid, order: bool, block: int, damp: float, exact: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pass itself: codes, and what each weight was in its turn; where `exact (out, in)`, nothing is rounded.

    >>> from nncomp.formats import Uniform
    >>> W, H, grid = np.array([[0.4, 0.3]]), np.array([[2.0, 1.9], [1.9, 2.0]]), Grid(Uniform(4), np.ones((1, 1)))
    >>> sweep(W, H, grid, True, 128, 0.0, np.array([[False, True]]))[1].round(3)
    array([[0.4 , 0.68]])
    """
    check_layer_grid(W, H, grid)
    if block < 1:
        raise ValueError(f"a block has at least 1 column, not {block}")
    columns = np.argsort(-np.diag(H), kind="stable") if order else np.arange(len(H))
    U = inverse_factor(H[np.ix_(columns, columns)], damp)
    w, q, turn = W[:, columns].astype(np.float64), np.empty(W.shape, grid.format.dtype), np.empty(W.shape)
    for first in range(0, len(columns), block):
        last = min(first + block, len(columns))
        E = np.empty((len(W), last - first))
        for j in range(first, last):
            at, own = columns[j], grid.column(columns[j])
            turn[:, at] = w[:, j]
            q[:, [at]] = codes = own.encode(w[:, [j]])
            E[:, j - first] = np.where(exact[:, at], 0, w[:, j] - own.decode(codes)[:, 0]) / U[j, j]
            w[:, j:last] -= np.outer(E[:, j - first], U[j, j:last])
        w[:, last:] -= E @ U[first:last, last:]
    return q, turn.astype(W.dtype)
