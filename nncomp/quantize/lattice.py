"""Rounding as a search for a lattice's nearest point: Babai's nearest plane, and with K candidates kept.

With `H = RT R`, R upper, a row costs `sum_i R_ii^2 (c_i - w'_i)^2`, where c_i depends on what stands right of i alone:

    c_i = w_i + sum over j > i of R_ij / R_ii (w_j - w'_j).

So columns are decided from the last to the first.
"""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import damped, lower_factor, row_losses
from nncomp.quantize.checks import check_layer_grid

BLOCK = 32
"""Columns that are decided before survivors' earlier columns are put in order."""


def nearest_plane(W: np.ndarray, H: np.ndarray, grid: Grid, order: bool = False, damp: float = 0.01) -> np.ndarray:
    """Codes of `W (out, in)`: each column in turn the code nearest to c_i (Babai 1986); `H = XT X (in, in)`.

    `order`: the column of the largest diag H is decided first, else the last one. GPTQ on the columns in reverse (Chen
    et al. 2025, theorem 4.1).

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> nearest_plane(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), damp=0.0)
    array([[1, 0]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    return _search(W, H, grid, 1, order, damp)


def k_best(W: np.ndarray, H: np.ndarray, grid: Grid, K: int = 16, order: bool = True, damp: float = 0.01) -> np.ndarray:
    """Codes of `W (out, in)`: of all beginnings of a row, the `K` best go on (Guo & Nilsson 2006, section III).

    Each of them tries the codes nearest to its c_i, as many as there are but at most K. A row for which that is no
    better than its nearest plane keeps the latter, so that K never harms.

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> k_best(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), K=2, damp=0.0)
    array([[1, 0]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    if K < 1:
        raise ValueError(f"at least 1 beginning goes on, not {K}")
    greedy, searched = (_search(W, H, grid, k, order, damp) for k in (1, K))
    lost = [row_losses(W, grid.decode(q), damped(H, damp)) for q in (greedy, searched)]
    return np.where((lost[1] < lost[0])[:, None], searched, greedy)


def _search(W: np.ndarray, H: np.ndarray, grid: Grid, K: int, order: bool, damp: float) -> np.ndarray:
    """Blocks of columns, from the last to the first; what is behind a block moves c_i by one product for all of it."""
    columns = np.argsort(np.diag(H), kind="stable") if order else np.arange(len(H))
    R = lower_factor(H[np.ix_(columns, columns)], damp).T
    R, weights = R / np.diag(R)[:, None], np.diag(R) ** 2
    scale, zero = (np.broadcast_to(grid.spread(v, len(H)), W.shape)[:, columns] for v in (grid.scale, grid.zeros))
    w = W[:, columns].astype(np.float64)
    codes = np.empty((len(W), 1, 0))
    cost = np.zeros((len(W), 1))
    for last in range(len(columns), 0, -BLOCK):
        first = max(last - BLOCK, 0)
        part, behind = slice(first, last), slice(last, None)
        off = w[:, None, behind] - (codes - zero[:, None, behind]) * scale[:, None, behind]
        c = w[:, None, part] + off @ R[part, behind].T
        own = w[:, part], scale[:, part], zero[:, part], R[part, part], weights[part]
        ancestors, found, cost = _block(c, cost, K, own, (grid.format.qmin, grid.format.qmax))
        codes = np.concatenate([found, np.take_along_axis(codes, ancestors[..., None], axis=1)], axis=2)
    best = codes[np.arange(len(W)), cost.argmin(axis=1)]
    q = np.empty(W.shape, grid.format.dtype)
    q[:, columns] = best
    return q


def _block(
    c: np.ndarray, cost: np.ndarray, K: int, own: tuple[np.ndarray, ...], ends: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decide the columns of c (rows, survivors, columns); which survivor each comes from, codes, cost."""
    w, scale, zero, R, weights = own
    low, high = ends
    several = min(K, high - low + 1)
    rows, width = len(c), c.shape[2]
    ancestors = np.broadcast_to(np.arange(cost.shape[1]), cost.shape)
    codes = np.zeros(c.shape)
    for i in range(width - 1, -1, -1):
        s, z = scale[:, i, None, None], zero[:, i, None, None]
        t = c[:, :, i, None] / s + z
        nearest = np.clip(np.ceil(t - several / 2), low, high - several + 1) + np.arange(several)
        total = (cost[:, :, None] + weights[i] * (c[:, :, i, None] - (nearest - z) * s) ** 2).reshape(rows, -1)
        going_on = min(K, total.shape[1])
        which = np.argpartition(total, going_on - 1, axis=1)[:, :going_on]
        parent = which // several
        cost, ancestors = np.take_along_axis(total, which, axis=1), np.take_along_axis(ancestors, parent, axis=1)
        c, codes = (np.take_along_axis(a, parent[..., None], axis=1) for a in (c, codes))
        codes[:, :, i] = chosen = np.take_along_axis(nearest.reshape(rows, -1), which, axis=1)
        c[:, :, :i] += (w[:, i, None] - (chosen - z[..., 0]) * s[..., 0])[..., None] * R[:i, i]
    return ancestors, codes, cost
