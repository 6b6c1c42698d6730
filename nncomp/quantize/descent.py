"""Coordinate descent on a layer's outputs: each code in turn the best while the others stay (Behdin et al. 2023)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import damped
from nncomp.quantize.checks import check_codes, check_layer_grid


def coordinate_descent(
    W: np.ndarray, H: np.ndarray, grid: Grid, start: np.ndarray | None = None, sweeps: int = 20, damp: float = 0.01
) -> np.ndarray:
    """Codes of `W (out, in)` on a `grid`; `H = XT X (in, in)` (QuantEase, algorithm 2, equation 11).

    Column by column, with all others as they are, a weight's outputs are best at

        w'_j = Q(w_j + sum over k != j of H_jk / H_jj (w_k - w'_k)),

    and no other code is better. From the codes `start`, those of rounding to nearest if None, for so many `sweeps` over
    the columns or until none moves: the loss never rises.

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> coordinate_descent(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), damp=0.0)
    array([[1, 0]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    if sweeps < 0:
        raise ValueError(f"sweeps over the columns are at least 0, not {sweeps}")
    q = grid.encode(W) if start is None else start.copy()
    check_codes(q, W.shape, grid, "the start")
    H, w = damped(H, damp), W.astype(np.float64)
    off = w - grid.decode(q)
    columns = [grid.column(j) for j in range(len(H))]
    for _ in range(sweeps):
        before = q.copy()
        for j, own in enumerate(columns):
            rest = off @ H[:, j] / H[j, j] - off[:, j]
            codes = own.encode((w[:, j] + rest)[:, None])
            better = codes[:, 0] != q[:, j]  # what is as good as before stays: rounding ties could go round in circles
            q[better, j] = codes[better, 0]
            off[:, j] = w[:, j] - own.decode(q[:, [j]])[:, 0]
        if (q == before).all():
            break
    return q
