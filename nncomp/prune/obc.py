"""Optimal brain compression: the exact greedy optimal brain surgeon, row by row (Frantar & Alistarh 2022).

Within a row weights fall one by one, each time the one whose loss is least, and the others make up for it; across rows
the losses of all steps are ranked, so that a row loses as many weights as its steps are cheap (algorithm 1, 2).
"""

import numpy as np
from scipy.linalg.blas import dger

from nncomp.layerwise import check_layer, damped
from nncomp.prune.masks import pruned_count

COMPACT = 0.9
"""What is left is moved together when so much of it is alive: the updates touch all of it."""


def obc(W: np.ndarray, H: np.ndarray, sparsity: float, damp: float = 0.01) -> np.ndarray:
    """The weights `W (out, in)` with `round(sparsity n)` of them 0 and the others moved; `H = XT X (in, in)`.

    Weights on inputs that are always 0 go first, even beyond that: nothing can be told of them.

    >>> W, H = np.array([[1.0, 2.0]]), np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> obc(W, H, sparsity=0.5, damp=0.0).round(6)
    array([[0. , 2.5]])
    """
    check_layer(W, H)
    rows, H, count = np.where(np.diag(H) == 0, 0, W).astype(np.float64), damped(H, damp), pruned_count(W.size, sparsity)
    H_inv = np.linalg.inv(H)
    paths = [_greedy(w, H_inv) for w in rows]
    # A row's next step is taken only after the ones before it: the running maximum keeps their order.
    losses = np.maximum.accumulate([losses for losses, _ in paths], axis=1)
    ranks = np.argsort(losses, axis=None, kind="stable")[:count]
    steps = np.bincount(ranks // W.shape[1], minlength=len(W))
    return np.stack([_prune(w, H, order[:n]) for w, (_, order), n in zip(rows, paths, steps)]).astype(W.dtype)


def _greedy(w: np.ndarray, H_inv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each step until nothing is left, and the weight that falls in it."""
    w, H_inv, which, alive = w.copy(), H_inv.copy(), np.arange(w.size), np.ones(w.size, bool)
    losses, order = np.zeros(w.size), np.zeros(w.size, int)
    for step in range(losses.size):
        d = np.diag(H_inv)
        scores = np.divide(w**2, d, out=np.full(w.size, np.inf), where=alive)
        p = int(np.argmin(scores))
        losses[step], order[step] = scores[p] / 2, which[p]
        column = H_inv[:, p].copy()
        w -= w[p] / d[p] * column
        H_inv = dger(-1 / column[p], column, column, a=H_inv, overwrite_a=True)
        alive[p] = False
        if alive.sum() < COMPACT * w.size:
            w, which, H_inv = w[alive], which[alive], np.asfortranarray(H_inv[np.ix_(alive, alive)])
            alive = np.ones(w.size, bool)
    return losses, order


def _prune(w: np.ndarray, H: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """The weights once those are pruned: what the steps lead to, in one solution."""
    kept = np.ones(w.size, bool)
    kept[pruned] = False
    new = np.where(kept, w, 0)
    if len(pruned) and kept.any():
        new[kept] += np.linalg.solve(H[np.ix_(kept, kept)], H[np.ix_(kept, ~kept)] @ w[~kept])
    return new
