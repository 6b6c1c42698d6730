"""WoodFisher: the optimal brain surgeon with the empirical Fisher matrix for a Hessian (Singh & Alistarh 2020)."""

import numpy as np

from nncomp.prune.checks import check_samples
from nncomp.prune.masks import keep_largest


def fisher_inverse(G: np.ndarray, damp: float = 1e-5) -> np.ndarray:
    """`(damp I + (1 / N) sum_n g_n g_nT)^-1` of samples' gradients `G (N, n)`: WoodFisher (Singh & Alistarh 2020).

    By its recursion (section 3), a rank-one change for each sample. `obs` and `obs_update` take it as H^-1.

    >>> fisher_inverse(np.array([[1.0, 0.0]]), damp=1.0)
    array([[0.5, 0. ],
           [0. , 1. ]])
    """
    if G.ndim != 2 or len(G) == 0 or not np.isfinite(G).all() or not 0 < damp < np.inf:
        raise ValueError(f"gradients are finite (samples, weights), damping above 0, not {G.shape} and {damp}")
    F_inv = np.eye(G.shape[1]) / damp
    for g in G.astype(np.float64):
        u = F_inv @ g
        F_inv -= np.outer(u, u) / (len(G) + g @ u)
    return F_inv


def woodfisher(
    W: np.ndarray, X: np.ndarray, dy: np.ndarray, sparsity: float, block: int = 64, damp: float = 1e-5
) -> np.ndarray:
    """The weights `W (out, in)` with `round(sparsity n)` of them 0 and the others moved, by what the loss would rise.

    Inputs `X (N, in)` and gradients of each sample's own loss at the outputs `dy (N, out)` give the samples' gradients
    `g_n = dy_n X_nT`. F is taken within `block` neighbours of a row. Weights are ranked by
    `w_q^2 / (2 [F^-1]_qq)` over all of W, and those that fall in a block, Q, are made up for together,
    `w -= F^-1_:Q (F^-1_QQ)^-1 w_Q` (Kurtic et al. 2022), where the paper adds up what each alone would ask for.

    >>> X, dy = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[1.0], [1.0]])
    >>> woodfisher(np.array([[1.0, 2.0]]), X, dy, sparsity=0.5).round(3)
    array([[0., 3.]])
    """
    check_samples(W, X, dy)
    if not 0 < damp < np.inf or block < 1:
        raise ValueError(f"damping is above 0 and finite, a block at least 1 weight, not {damp} and {block}")
    W_new = W.astype(np.float64)
    parts = [slice(first, first + block) for first in range(0, W.shape[1], block)]
    scores = np.zeros(W.shape)
    for i in range(len(W)):
        for p in parts:
            scores[i, p] = W_new[i, p] ** 2 / (2 * np.diag(_inverse(X[:, p] * dy[:, [i]], damp)))
    mask = keep_largest(scores, sparsity)
    for i in range(len(W)):
        for p in parts:
            Q = ~mask[i, p]
            if Q.any():
                F_inv = _inverse(X[:, p] * dy[:, [i]], damp)
                W_new[i, p] -= F_inv[:, Q] @ np.linalg.solve(F_inv[np.ix_(Q, Q)], W_new[i, p][Q])
    return np.where(mask, W_new, 0).astype(W.dtype)


def _inverse(G: np.ndarray, damp: float) -> np.ndarray:
    """As `fisher_inverse`, at once."""
    return np.linalg.inv(damp * np.eye(G.shape[1]) + G.T @ G / len(G))
