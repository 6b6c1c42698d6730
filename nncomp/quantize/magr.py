"""MagR: weights that reach less far and do the same, as a start for any quantizer (Zhang et al. 2024)."""

from functools import partial

import numpy as np

from nncomp.formats import PerRow
from nncomp.formats.granularity import Granularity, spread
from nncomp.layerwise import check_layer


def magr(
    W: np.ndarray, H: np.ndarray, alpha: float = 1e-3, per: Granularity | None = None, steps: int = 200
) -> np.ndarray:
    """`W' (out, in)` of smaller ranges: `min ||X (W - W')T||^2 / (2 l) + alpha sum max |W'|`, by proximal gradients.

        W' <- prox(W' - (W' - W) H / l, alpha),   from W' = W,   H = XT X (in, in), l its largest eigenvalue

    with `shrink_largest` as prox (section 3, algorithm 1); no step makes the sum larger. The maxima summed are those of
    the blocks of `per`, rows if nothing is said. With l, as in the authors' code, alpha does not depend on how many
    inputs there are and how large. The more they depend on each other, the further weights can move for the same
    outputs.

    >>> magr(np.array([[4.0, 0.0]]), H=np.ones((2, 2)), alpha=0.05).round(3)  # all that counts is the sum
    array([[1.975, 1.975]])
    """
    check_layer(W, H)
    if not 0 <= alpha < np.inf or steps < 1:
        raise ValueError(f"alpha is at least 0 and finite, and there is at least 1 step, not {alpha} and {steps}")
    H = H.astype(np.float64)
    l = float(np.linalg.eigvalsh(H).max(initial=0))
    if l <= 0:  # without inputs nothing speaks for weights
        return W.copy() if alpha == 0 else np.zeros_like(W)
    old = new = W.astype(np.float64)
    for _ in range(steps):
        new = shrink_largest(new - (new - old) @ H / l, alpha, per)
    return new.astype(W.dtype)


def shrink_largest(V: np.ndarray, t: float, per: Granularity | None = None) -> np.ndarray:
    """`argmin over z of ||z - v||^2 / 2 + t max |z|` of each block v of `V (rows, columns)`: the largest are clipped.

    What clipping takes away, `v - z`, is the nearest point to v among those with `sum |p| <= t` (Moreau 1965; Duchi et
    al. 2008, figure 1). Blocks are rows if `per` is None.

    >>> shrink_largest(np.array([[5.0, -4.0, 1.0], [0.5, 0.0, 0.0]]), t=3.0)
    array([[ 3., -3.,  1.],
           [ 0.,  0.,  0.]])
    """
    if V.ndim != 2 or not np.isfinite(V).all() or not 0 <= t < np.inf:
        raise ValueError(f"finite (rows, columns) are shrunk by t, finite and at least 0, not {V.shape} by {t}")
    per = per or PerRow()
    limit = per.reduce(np.abs(V), partial(_limit, t=t))
    limit = limit if per.group is None else spread(limit, per.group, V.shape[1])
    return np.clip(V, -limit, limit)


def _limit(sizes: np.ndarray, axis: int, t: float) -> np.ndarray:
    """The m for which clipping at m takes t away from all sizes together, or 0 where they are less than that.

    At any m it takes at least `S_k - k m`, with S_k the sum of the k largest, and for one k just that.
    """
    falling = np.flip(np.sort(sizes, axis=axis), axis=axis)
    limits = (np.cumsum(falling, axis=axis) - t) / np.arange(1, sizes.shape[axis] + 1)
    return np.max(limits, axis=axis, initial=0)
