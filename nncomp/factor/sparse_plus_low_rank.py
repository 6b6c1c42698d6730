"""A matrix of low rank and the few entries that do not fit it, found in turn."""

import numpy as np

from nncomp.factor.svd import svd
from nncomp.layerwise import check_weights
from nncomp.singular import check_rank


def sparse_plus_low_rank(
    W: np.ndarray, rank: int, sparsity: float, steps: int = 30
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`min ||W - S - A B||^2` over `A (out, rank), B (rank, in)` and S (out, in), a fraction `sparsity` of which is 0.

        A B <- the nearest to W - S of that rank,   S <- the largest entries of W - A B

    (Zhou & Tao 2011, GoDec without its random projections). Either half is the best for the other, so the sum falls
    with every step, to a local minimum. Of two starts the better end is returned: from S = 0, as published, nothing
    is lost that `svd` keeps; from the largest entries of W, nothing that these keep, and outliers do not bend the pair
    first. At sparsity 1 the pair is `svd`'s, at 0 nothing is lost. `steps`: how many of each start, each a singular
    value decomposition. Returns A, B and S.

    >>> W = np.ones((4, 4))
    >>> W[1, 2] = 9.0
    >>> A, B, S = sparse_plus_low_rank(W, rank=1, sparsity=15 / 16)
    >>> (A @ B).round(3)[1], S.round(3)[1]
    (array([1., 1., 1., 1.]), array([0., 0., 8., 0.]))
    """
    check_weights(W)
    check_rank(W.shape, rank)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"a sparsity is between 0 and 1, not {sparsity}")
    if steps < 1:
        raise ValueError(f"there is at least 1 step, not {steps}")
    kept = W.size - round(sparsity * W.size)
    ends = [_in_turns(W, S, rank, kept, steps) for S in (np.zeros_like(W), _largest(W, kept))]
    return min(ends, key=lambda end: np.linalg.norm(W - end[2] - end[0] @ end[1]))


def _in_turns(
    W: np.ndarray, S: np.ndarray, rank: int, kept: int, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for _ in range(steps):
        A, B = svd(W - S, rank)
        S = _largest(W - A @ B, kept)
    return A, B, S


def _largest(E: np.ndarray, kept: int) -> np.ndarray:
    """The `kept` entries of E that are largest, the first of equals, and 0 elsewhere."""
    chosen = np.argsort(-np.abs(E), axis=None, kind="stable")[:kept]
    S = np.zeros_like(E)
    S.flat[chosen] = E.flat[chosen]
    return S
