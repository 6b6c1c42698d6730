"""Weight sharing: a few values for all weights, by Lloyd's iterations in one dimension."""

import numpy as np

from nncomp.quantize.centers import Init, linear
from nncomp.quantize.clusters import Values, check_count, middles, shared


def kmeans(
    w: np.ndarray,
    k: int,
    init: Init = linear,
    weights: np.ndarray | None = None,
    zero: bool = False,
    steps: int = 300,
) -> tuple[np.ndarray, np.ndarray]:
    """A local minimum of `sum h_i (w_i - c_i)^2`, c_i the nearest of k centers (Han, Mao & Dally 2016, equation 2).

    From what `init` says, each center moves to the mean of the values nearest to it, until none moves or for so many
    `steps`; one that has none stays. `weights`: h, of w's shape, at least 0 (Choi et al. 2017), a mask for example, or
    all 1. `zero`: one center, at first the nearest, is 0 and stays there. Returns the codebook (k,) in w's dtype,
    which never falls, and the index of each value's nearest, of w's shape. A ValueError unless w is finite floats.

    >>> kmeans(np.array([[1.0, 2.0, 8.0, 10.0]]), 2)
    (array([1.5, 9. ]), array([[0, 0, 1, 1]], dtype=uint8))
    """
    check_count(k)
    values = Values.of(w, weights)
    c = np.sort(np.asarray(init(values.v, values.h, k), np.float64))
    if c.ndim != 1 or not 1 <= c.size <= k or not np.isfinite(c).all():
        raise ValueError(f"k-means begins at 1 to {k} finite centers (k,), not at {c} of shape {c.shape}")
    c = np.pad(c, (0, k - c.size), mode="edge")  # of equal centers, the lower gets what is below them
    if zero:
        c[np.abs(c).argmin()] = 0
        c.sort()
    for _ in range(steps):
        edges = np.concatenate([[0], np.searchsorted(values.v, middles(c), side="right"), [values.v.size]])
        moved = values.means(edges)
        moved = np.where(np.isnan(moved), c, moved)
        if zero:
            moved[np.searchsorted(c, 0)] = 0
        if (moved == c).all():
            break
        c = moved
    return shared(w, k, c, values.exponent)
