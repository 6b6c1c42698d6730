"""How other systems count what a sparsity prunes. Each takes the place of `keep_largest`, and prunes as they do.

At the same sparsity s of n scores they differ by rounding, by what becomes of equal scores, and at the ends. Kept are:

    keep_largest     all but round(s n), of equal ones the earlier       PyTorch, SparseML
    keep_floored     all but int(s n), of equal ones the earlier         NNI, INC, llm-compressor, Distiller
    keep_tfmot       max(round(n (1 - s)), 1), and their equals          TensorFlow Model Optimization
    keep_nncf        what exceeds the one at int((n - 1) s)              NNCF
    keep_sparsegpt   what exceeds the one at int(n s)                    the SparseGPT paper's code
"""

import numpy as np

from nncomp.prune.checks import check_sparsity
from nncomp.prune.masks import keep_above, keep_largest


def keep_floored(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """Keep all but the `int(sparsity n)` smallest; of equal ones the later go first.

    >>> keep_floored(np.array([1.0, 2.0, 3.0]), sparsity=0.6)
    array([False,  True,  True])
    """
    check_sparsity(sparsity)
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
    check_sparsity(sparsity)
    if scores.size == 0 or not np.issubdtype(scores.dtype, np.floating) or np.isnan(scores).any():
        raise ValueError(f"scores are floats without NaN and not empty, not {scores.dtype} {scores.shape}")
    return np.sort(scores, axis=None)
