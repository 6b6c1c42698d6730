"""Outlier channel splitting: inputs with the largest weights are read twice, each time by half (Zhao et al. 2019)."""

from math import ceil

import numpy as np

from nncomp.layerwise import check_weights


def split_channels(
    W: np.ndarray, fraction: float, step: float | np.ndarray = 0.0, whole: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """`W' (out, in + k)` and `index (in + k,)` with `x[:, index] W'T = x WT`, for `k = ceil(fraction in)`.

    k times the column with the largest |weight|, which can be one that was split before, becomes two: `w / 2` twice, or
    quantization-aware `(w - step / 2) / 2` and `(w + step / 2) / 2`, where `step` is the grid's, one or one a row
    (out, 1). On a symmetric grid of that step with half_up rounding, these add up to w rounded once (section 3),
    halves alike do not. The new column is the last; ties are decided by position. Weights of at most `whole` times the
    largest of their column stay in the first part: only zeros, or with 1/2 as in the authors' code (there, of the
    largest with its sign).

    >>> split_channels(np.array([[1.0, 6.0]]), fraction=0.5)
    (array([[1., 3., 3.]]), array([0, 1, 1]))
    >>> split_channels(np.array([[1.0, 6.0]]), fraction=0.5, step=1.0)[0]
    array([[1.  , 2.75, 3.25]])
    """
    check_weights(W)
    step = np.asarray(step, W.dtype)
    if not 0 <= whole <= 1:
        raise ValueError(f"what stays whole is a fraction of the largest weight between 0 and 1, not {whole}")
    if not 0 <= fraction < np.inf or not W.size:
        raise ValueError(f"inputs of weights are split, a fraction of them at least 0, not {fraction} of {W.shape}")
    if step.shape not in ((), (len(W), 1)) or not ((step >= 0) & np.isfinite(step)).all():
        raise ValueError(f"a step is finite and at least 0, one or ({len(W)}, 1), not {step.shape} from {step.min()}")
    new, index = W.copy(), np.arange(W.shape[1])
    for _ in range(ceil(fraction * W.shape[1])):
        j = int(np.abs(new).max(axis=0).argmax())
        w, quarter = new[:, [j]], step / 4
        stays = np.abs(w) <= whole * np.abs(w).max()
        new = np.hstack([new, np.where(stays, 0, w / 2 + quarter)])
        new[:, [j]] = np.where(stays, w, w / 2 - quarter)
        index = np.append(index, index[j])
    return new, index
