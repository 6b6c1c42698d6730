"""Optimal brain quantization: the exact greedy, row by row (Frantar & Alistarh 2022, section 5)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import inverse_factor
from nncomp.quantize.checks import check_layer_grid

COMPACT = 0.8
"""What is left is moved together when so much of it is."""


def obq(W: np.ndarray, H: np.ndarray, grid: Grid, damp: float = 0.01) -> np.ndarray:
    """Codes of the weights `W (out, in)` on a `grid`; `H = XT X (in, in)` (algorithm 3, equation 7).

    Within a row, one weight after the other is rounded, each time the one whose rounding costs least,

        p = argmin (w_p - Q(w_p))^2 / [H^-1]_pp,   w -= (w_p - Q(w_p)) / [H^-1]_pp [H^-1]_:p,

    and H^-1 loses its row and column. Weights that are off by more than half a step, as they are beyond the grid's
    ends, are rounded at once, before others can only make it worse.

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> obq(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), damp=0.0)
    array([[1, 0]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    U = inverse_factor(H, damp)
    H_inv = U.T @ U
    q = np.empty(W.shape, grid.format.dtype)
    for i, w in enumerate(W.astype(np.float64)):
        q[i] = _greedy(w, H_inv, _row(grid, i, W.shape[1]))
    return q


def _row(grid: Grid, i: int, columns: int) -> Grid:
    """The grid of a row, each of its columns a block of its own."""
    row = slice(i, i + 1) if len(grid.scale) > 1 else slice(0, 1)
    scale, zero = (None if v is None else v[row] for v in (grid.scale, grid.zero_point))
    spread = [None if v is None else np.broadcast_to(grid.spread(v, columns), (1, columns)) for v in (scale, zero)]
    return Grid(grid.format, spread[0], spread[1], 1)  # type: ignore[arg-type]


def _greedy(w: np.ndarray, H_inv: np.ndarray, grid: Grid) -> np.ndarray:
    """A row's codes. What leaves H^-1 are the columns V of its Cholesky factor, pivoted by the losses."""
    low, high = grid.format.qmin, grid.format.qmax
    scale, zero, q, which = grid.scale[0], grid.zeros[0], np.empty(w.size, grid.format.dtype), np.arange(w.size)
    V, d, alive, t = np.empty_like(H_inv), np.diag(H_inv).copy(), np.ones(w.size, bool), 0
    while alive.any():
        codes = np.clip(np.rint(w / scale + zero), low, high)
        off = w - (codes - zero) * scale
        far = np.where(alive & (np.abs(off) > scale / 2 * (1 + 1e-6)), np.abs(off), 0)
        p = int(far.argmax() if far.any() else np.where(alive, off**2 / d, np.inf).argmin())
        q[which[p]], alive[p] = codes[p], False
        V[t] = (H_inv[p] - V[:t, p] @ V[:t]) / np.sqrt(d[p])
        w = w - off[p] / np.sqrt(d[p]) * V[t]
        d = np.where(alive, d - V[t] ** 2, 1)
        t += 1
        if alive.sum() < COMPACT * alive.size:  # what is rounded needs no products any more
            w, d, scale, zero, which = (a[alive] for a in (w, d, scale, zero, which))
            V, H_inv = np.ascontiguousarray(V[:, alive]), np.ascontiguousarray(H_inv[np.ix_(alive, alive)])
            alive = np.ones(w.size, bool)
    return q
