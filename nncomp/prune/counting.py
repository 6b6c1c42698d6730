"""How other systems count what a sparsity prunes. Each takes the place of `keep_largest`, and prunes as they do.

At the same sparsity s of n scores they differ by rounding, by what becomes of equal scores, and at the ends:

    keep_largest     round(s n) go, equal ones by position            PyTorch's torch.nn.utils.prune, SparseML
    keep_floored     int(s n) go, equal ones by position              NNI, Neural Compressor, llm-compressor, Distiller
    keep_tfmot       at least max(round(n (1 - s)), 1) stay, and what equals the last         TensorFlow MOT
    keep_nncf        what exceeds the score at int((n - 1) s): one goes even at s = 0         NNCF
    keep_sparsegpt   what exceeds the score at int(n s): one more goes than asked             the SparseGPT paper's code
"""

import numpy as np

from nncomp.prune.masks import keep_above, keep_largest, pruned_count


def keep_floored(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep all but the `int(sparsity n)` smallest; of equal ones the later go first.

    >>> keep_floored(np.array([1.0, 2.0, 3.0]), sparsity=0.6)
    array([False,  True,  True])
    """
    pruned_count(1, sparsity)
    return keep_largest(scores, int(sparsity * scores.size) / max(scores.size, 1))


def keep_tfmot(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep the `max(round(n (1 - sparsity)), 1)` largest and all that equal the smallest of them.

    >>> keep_tfmot(np.array([1.0, 2.0, 2.0, 3.0]), sparsity=0.5)
    array([False,  True,  True,  True])
    """
    ranked = _ranked(scores, sparsity)
    kept = max(round(scores.size * (1 - sparsity)), 1)
    return scores >= ranked[-kept]


def keep_nncf(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep what is larger than the score at `int((n - 1) sparsity)` of all in order.

    >>> keep_nncf(np.array([1.0, 2.0, 3.0]), sparsity=0.0)
    array([False,  True,  True])
    """
    ranked = _ranked(scores, sparsity)
    return keep_above(scores, float(ranked[int((scores.size - 1) * sparsity)]))


def keep_sparsegpt(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep what is larger than the score at `int(n sparsity)` of all in order; a ValueError at 1, which has none.

    >>> int((~keep_sparsegpt(np.arange(10.0), sparsity=0.5)).sum())
    6
    """
    ranked = _ranked(scores, sparsity)
    if int(scores.size * sparsity) == scores.size:
        raise ValueError(
            f"no score stands at position {scores.size} of {scores.size}: a sparsity of 1 cannot be asked so"
        )
    return keep_above(scores, float(ranked[int(scores.size * sparsity)]))


def _ranked(scores: np.ndarray, sparsity: float) -> np.ndarray:
    pruned_count(1, sparsity)
    if scores.size == 0 or not np.issubdtype(scores.dtype, np.floating) or np.isnan(scores).any():
        raise ValueError(f"scores are floats without NaN and not empty, not {scores.dtype} {scores.shape}")
    return np.sort(scores, axis=None)
