"""Drop and grow: a mask that moves without changing its size."""

import numpy as np

from nncomp.prune.checks import check_mask, check_sparsity, check_weights
from nncomp.prune.masks import keep_largest


def regrow(W: np.ndarray, mask: np.ndarray, growth: np.ndarray, fraction: float) -> np.ndarray:
    """The mask that drops `k = round(fraction |mask|)` kept weights and grows as many (Evci et al. 2020, section 3).

        I_drop = ArgTopK(-|W|, k) of the kept,   I_grow = ArgTopK(growth, k) of all but the kept that stay

    So what was dropped can be grown at once. As many as there are, if fewer than k can be grown. Ties as in all masks.

    >>> W, mask = np.array([[3.0, 1.0, 0.0, 0.0]]), np.array([[True, True, False, False]])
    >>> regrow(W, mask, growth=np.array([[0.0, 0.1, 0.2, 0.3]]), fraction=0.5)
    array([[ True, False, False,  True]])
    """
    check_weights(W)
    check_mask(W, mask)
    check_sparsity(fraction)
    if growth.shape != W.shape or np.isnan(growth).any():
        raise ValueError(f"growth has a number without NaN for each weight {W.shape}, not {growth.shape}")
    k = round(fraction * int(mask.sum()))
    stays = _top(np.where(mask, np.abs(W), -np.inf), int(mask.sum()) - k)
    return stays | _top(np.where(stays, -np.inf, growth), k)


def _top(scores: np.ndarray, n: int) -> np.ndarray:
    return keep_largest(scores.astype(np.float64), 1 - n / scores.size) if n else np.zeros(scores.shape, bool)
