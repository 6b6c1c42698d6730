"""What few bits cost a layer, told before any training: `nncomp.allocation` chooses among them."""

import numpy as np


def hawq(W: np.ndarray, W_new: np.ndarray, h: np.ndarray) -> float:
    """`tr(H) / n ||W - W_new||^2`: what quantization costs the loss, by the Hessian's mean curvature (equation 1).

    `h`: the Hessian's diagonal, of the weights' shape (Dong et al. 2020, HAWQ-V2).

    >>> hawq(np.array([[1.0, 2.0]]), np.array([[1.0, 1.5]]), h=np.array([[4.0, 2.0]]))
    0.75
    """
    if not W.shape == W_new.shape == h.shape:
        raise ValueError(f"weights, new weights and curvatures are of one shape: {W.shape}, {W_new.shape}, {h.shape}")
    return float(h.mean() * ((W - W_new).astype(np.float64) ** 2).sum())
