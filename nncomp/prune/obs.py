"""Optimal brain damage and optimal brain surgeon: pruning by what the loss rises, to second order.

At a minimum with Hessian H, changing the weights w by dw raises the loss by `dwT H dw / 2`.
"""

import numpy as np


def obd(w: np.ndarray, h: np.ndarray) -> np.ndarray:
    """`s_k = h_kk w_k^2 / 2` with h the Hessian's diagonal, of any one shape (LeCun et al. 1990, section 2).

    >>> obd(np.array([2.0, 3.0]), h=np.array([1.0, 0.5]))
    array([2.  , 2.25])
    """
    if w.shape != h.shape or not (np.isfinite(w).all() and np.isfinite(h).all()):
        raise ValueError(f"weights {w.shape} and a diagonal of the Hessian {h.shape} are finite and of one shape")
    return h * w**2 / 2


def obs(w: np.ndarray, H_inv: np.ndarray) -> np.ndarray:
    """`L_q = w_q^2 / (2 [H^-1]_qq)`, the loss after pruning q and moving all others (Hassibi & Stork 1993, equation 5).

    `w (n,)`, `H_inv (n, n)`. A weight whose `[H^-1]_qq` is 0 is pruned already: its score is infinite.

    >>> obs(np.array([1.0, 2.0]), H_inv=np.array([[1.0, 0.5], [0.5, 2.0]]))
    array([0.5, 1. ])
    """
    _check(w, H_inv)
    d = np.diag(H_inv)
    return np.divide(w**2, 2 * d, out=np.full_like(w, np.inf), where=d > 0)


def obs_update(w: np.ndarray, H_inv: np.ndarray, q: int) -> np.ndarray:
    """`w - w_q / [H^-1]_qq H^-1 e_q`: the weights once q is pruned, which is 0 exactly (equation 5, left).

    >>> obs_update(np.array([1.0, 2.0]), np.array([[1.0, 0.5], [0.5, 2.0]]), q=0)
    array([0. , 1.5])
    """
    _check(w, H_inv, q)
    new = w - w[q] / H_inv[q, q] * H_inv[:, q]
    new[q] = 0
    return new


def _check(w: np.ndarray, H_inv: np.ndarray, q: int | None = None) -> None:
    if w.ndim != 1 or H_inv.shape != (w.size, w.size) or not np.issubdtype(w.dtype, np.floating):
        raise ValueError(f"weights (n,) need an inverse Hessian (n, n), not {w.dtype} {w.shape} and {H_inv.shape}")
    if (np.diag(H_inv) < 0).any():
        raise ValueError("an inverse Hessian has nothing below 0 on its diagonal")
    if q is not None and not (0 <= q < w.size and H_inv[q, q] > 0):
        raise ValueError(f"there is no weight {q} left to prune")
