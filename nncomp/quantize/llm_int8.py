"""LLM.int8(): the few inputs with outliers are multiplied in floats, all others in int8 (Dettmers et al. 2022)."""

import numpy as np

from nncomp.quantize.checks import check_inputs
from nncomp.quantize.nearest import round_to_nearest


def llm_int8(
    X: np.ndarray, W: np.ndarray, threshold: float = 6.0, prequantized: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """`Y = X_O W_OT + s_X (X8 W8T) s_WT (samples, out)`, and O, a mask (in,) of inputs with any `|x| >= threshold`.

    Of `X (samples, in)` and `W (out, in)` without the columns of O, each row has a scale `max|.| / 127`, and X8 and W8
    are its codes (section 2, equation 8); sums of their products are exact. Where weights are `prequantized`, as
    bitsandbytes loads them, rows are scaled with all their columns and W_O is what their codes stand for. Each batch
    has outliers of its own: a way to multiply, and no form that weights are stored in, so no step makes it.

    >>> Y, outliers = llm_int8(np.array([[8.0, 1.0, 127.0]]), np.array([[0.3, 127.0, 2.2]]), threshold=100.0)
    >>> Y, outliers
    (array([[407.4]]), array([False, False,  True]))
    """
    check_inputs(W, X)
    if not threshold >= 0:
        raise ValueError(f"a threshold of outliers is at least 0, not {threshold}")
    outliers = (np.abs(X) >= threshold).any(axis=0)
    X8, x_grid = round_to_nearest(np.where(outliers, 0, X))
    W8, w_grid = round_to_nearest(W if prequantized else np.where(outliers, 0, W))
    W_O = (w_grid.decode(W8) if prequantized else W)[:, outliers].astype(np.float64)
    sums = X8.astype(np.float64) @ W8.astype(np.float64).T  # whole numbers below 2^53: exact in any order
    Y = X[:, outliers] @ W_O.T + x_grid.scale.astype(np.float64) * sums * w_grid.scale.T
    return Y.astype(X.dtype), outliers
