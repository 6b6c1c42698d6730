"""ALPS: the layer's least squares over all sparse weights at once, by ADMM (Meng et al. 2024)."""

import numpy as np

from nncomp.layerwise import check_damp, check_layer
from nncomp.prune.checks import check_pattern
from nncomp.prune.masks import keep_largest
from nncomp.prune.patterns import keep_n_of_m
from nncomp.prune.refit import refit


def alps(
    W: np.ndarray,
    H: np.ndarray,
    sparsity: float,
    pattern: tuple[int, int] | None = None,
    rho: float = 0.1,
    damp: float = 0.01,
    most: int = 300,
) -> np.ndarray:
    """The weights `W (out, in)`, a fraction of them 0 and the others moved; `H = XT X (in, in)` (section 3.1).

    In coordinates where H has ones on its diagonal, `min ||X (W - W')T||^2` over W' = D with D sparse is split:

        W' = (H + rho I)^-1 (H W - V + rho D),   D = P_k(W' + V / rho),   V += rho (W' - D),

    H with `damp` added, P_k keeping the k largest. rho grows by 1.3, 1.2 or 1.1 every third step, the slower the less
    the support still changes, until it stays as it is. At the end `refit` finds the best weights on that support.
    With `pattern (n, m)`, n of every m neighbours are kept, which is what `sparsity` must say. Weights on inputs that
    are always 0 go first, even beyond it: nothing can be told of them.

    >>> alps(np.array([[1.0, 3.0]]), np.array([[2.0, 1.0], [1.0, 2.0]]), sparsity=0.5, damp=0.0).round(6)
    array([[0. , 3.5]])
    """
    check_layer(W, H)
    check_damp(damp)
    if not 0 < rho < np.inf or most < 1:
        raise ValueError(f"rho is above 0 and finite, and there is at least 1 step, not {rho} and {most}")
    if pattern is not None:
        check_pattern(sparsity, pattern)
    scale = np.sqrt(np.where(np.diag(H) > 0, np.diag(H), 1.0))
    lam, Q = np.linalg.eigh(H / np.outer(scale, scale) + damp * np.eye(len(H)))
    W0 = np.where(np.diag(H) == 0, 0, W * scale).astype(np.float64)
    HW = (W0 @ Q * lam) @ Q.T
    D, V, support = W0, np.zeros_like(W0), np.ones(W.shape, bool)
    for step in range(most):
        W_new = ((HW - V + rho * D) @ Q / (lam + rho)) @ Q.T
        scores = np.abs(W_new + V / rho)
        mask = keep_largest(scores, sparsity) if pattern is None else keep_n_of_m(scores, *pattern)
        D = np.where(mask, W_new + V / rho, 0)
        V = V + rho * (W_new - D)
        if step % 3 == 2:
            changed, support = int((mask != support).sum()), mask
            if not changed:
                break
            rho *= 1.3 if changed >= 0.1 * mask.sum() else 1.2 if changed >= 0.005 * mask.sum() else 1.1
    return refit(W, D != 0, H, damp)
