"""Which weights stay: scores in, boolean masks out, True = kept.

A sparsity s of n weights prunes exactly `round(s n)` of them, halves to even (as torch.nn.utils.prune counts). Equal
scores are ranked by position: of two, the later is pruned first, so that masks are nested across sparsities.
"""

from collections.abc import Sequence

import numpy as np

from nncomp.prune.checks import check_sparsity


def pruned_count(n: int, sparsity: float) -> int:
    """How many of n go: `round(sparsity n)`; a ValueError unless 0 <= sparsity <= 1.

    >>> pruned_count(10, 0.25)
    2
    """
    check_sparsity(sparsity)
    return round(sparsity * n)


def keep_largest(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep all but the `round(sparsity n)` smallest of the n scores of one layer.

    >>> keep_largest(np.array([[3.0, 1.0], [2.0, 1.0]]), sparsity=0.25)
    array([[ True,  True],
           [ True, False]])
    """
    if not np.issubdtype(scores.dtype, np.floating) or np.isnan(scores).any():
        raise ValueError(f"scores are floats without NaN, which has no rank, not {scores.dtype} {scores.shape}")
    flat, gone = scores.reshape(-1), pruned_count(scores.size, sparsity)
    if gone == flat.size:
        return np.zeros(scores.shape, bool)
    last = np.partition(flat, gone)[gone]  # the least score that stays: no need to sort the others
    mask = flat > last
    mask[np.flatnonzero(flat == last)[: flat.size - gone - np.count_nonzero(mask)]] = True
    return mask.reshape(scores.shape)


def keep_globally(layers: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """As `keep_largest`, ranking the scores of all `layers` together; ties fall by layer, then position.

    >>> keep_globally([np.array([[3.0, 1.0]]), np.array([[2.0], [0.5]])], sparsity=0.5)
    [array([[ True, False]]), array([[ True],
           [False]])]
    """
    together = keep_largest(np.concatenate([s.reshape(-1) for s in layers]), sparsity)
    parts = np.split(together, np.cumsum([s.size for s in layers])[:-1])
    return [part.reshape(s.shape) for part, s in zip(parts, layers)]


def keep_above(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Keep `score > threshold`, however many that are.

    >>> keep_above(np.array([[3.0, 1.0]]), threshold=1.0)
    array([[ True, False]])
    """
    if np.isnan(scores).any() or np.isnan(threshold):
        raise ValueError(f"scores {scores.shape} or threshold {threshold} hold NaN, which is neither above nor below")
    return scores > threshold
