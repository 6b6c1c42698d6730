"""Drop and grow: kept weights that move without becoming more or fewer."""

import numpy as np

from nncomp.layerwise import described
from nncomp.prune.checks import check_sparsity
from nncomp.prune.masks import keep_largest


def regrow(w: np.ndarray, at: np.ndarray, growth: np.ndarray, fraction: float) -> np.ndarray:
    """Where the n kept weights are once `k = round(fraction n)` are dropped and k grown (Evci et al. 2020, section 3).

        I_drop = ArgTopK(-|w|, k),   I_grow = ArgTopK(growth, k) of all but the kept that stay

    `w`: the kept weights, `W[mask]`; `at`: their places, `np.flatnonzero(mask)`, and such places are returned.
    `growth (out, in)`: floats, for each weight of the matrix. What was dropped can be grown at once. As many as there
    are, if fewer than k can be grown. Ties as in all masks.

    >>> regrow(np.array([3.0, 1.0]), np.array([0, 1]), growth=np.array([[0.0, 0.1, 0.2, 0.3]]), fraction=0.5)
    array([0, 3])
    """
    check_sparsity(fraction)
    if w.ndim != 1 or w.shape != at.shape or not np.isfinite(w).all():
        raise ValueError(f"kept weights are finite and each has a place, not {described(w)} at {described(at)}")
    if not np.issubdtype(growth.dtype, np.floating) or np.isnan(growth).any():
        raise ValueError(f"growth is floats without NaN, not {described(growth)}")
    if at.dtype.kind not in "iu" or (at.size and (at[0] < 0 or at[-1] >= growth.size or (at[1:] <= at[:-1]).any())):
        raise ValueError(f"places rise within the {growth.size} of {growth.shape}, not {at}")
    k = round(fraction * w.size)
    stays = at[keep_largest(np.abs(w), k / max(w.size, 1))]
    born = _largest(growth.reshape(-1), min(k, growth.size - stays.size), stays)
    return np.sort(np.concatenate([stays, born]))


def _largest(growth: np.ndarray, k: int, taken: np.ndarray) -> np.ndarray:
    """Where the k largest are but for those that are `taken`, with one copy of `growth` and no more."""
    if k == 0:
        return np.zeros(0, np.intp)
    free = growth.copy()
    free[taken] = -np.inf
    free.partition(growth.size - k)
    last = free[growth.size - k]
    above = np.setdiff1d(np.flatnonzero(growth > last), taken, assume_unique=True)
    equal = np.setdiff1d(np.flatnonzero(growth == last), taken, assume_unique=True)
    return np.concatenate([above, equal[: k - above.size]])
