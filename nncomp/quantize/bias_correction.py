"""Bias correction: new weights shift the mean of each output, and the bias takes the shift back."""

import numpy as np

from nncomp.layerwise import check_pair
from nncomp.quantize.checks import check_vector


def bias_correction(W: np.ndarray, W_new: np.ndarray, b: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """`b' = b + (W - W') E[x]`: each output's mean on inputs of that `mean (in,)` is what it was.

    `W, W_new (out, in)`: before and after quantization (or pruning); `b (out,)`. Only the mean of what is lost comes
    back, the rest stays (Nagel et al. 2019, section 4.2).

    >>> bias_correction(np.array([[1.0, 2.0]]), np.array([[1.5, 2.0]]), b=np.array([0.0]), mean=np.array([3.0, 1.0]))
    array([-1.5])
    """
    check_pair(W, W_new)
    check_vector(b, W.shape[0], "biases")
    check_vector(mean, W.shape[1], "means of inputs")
    lost = W.astype(np.float64) - W_new.astype(np.float64)
    return (b + lost @ mean.astype(np.float64)).astype(b.dtype)
