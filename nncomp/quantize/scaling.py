"""Factors of a layer's inputs: with W s and x / s the function stays what it was, and quantizes better.

    y = x WT = (x / s) (W s)T,   s (in,).

The layer before can give its outputs divided by s, or the layer itself can divide.
"""

import numpy as np

from nncomp.formats import Uniform
from nncomp.formats.granularity import Granularity
from nncomp.layerwise import check_weights, gram
from nncomp.quantize.checks import check_inputs, check_vector
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax


def smoothquant(x_max: np.ndarray, W: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """`s_j = max|x_j|^alpha / max|W_j|^(1 - alpha)`, (in,): outliers move to the weights (Xiao et al. 2023, eq. 4).

    `x_max (in,)`: `np.abs(X).max(axis=0)`. The larger `alpha`, the more goes to the weights `W (out, in)`; with 1/2,
    input j and column j reach equally far. Layers that read the same inputs share s: give their weights stacked.
    An input that is always 0, or that no weight reads, keeps 1.

    >>> smoothquant(np.array([16.0, 1.0]), np.array([[1.0, 0.25], [-0.5, 0.0]]))
    array([4., 2.])
    """
    check_weights(W)
    check_vector(x_max, W.shape[1], "largest inputs")
    if not 0 <= alpha <= 1 or (x_max < 0).any():
        raise ValueError(f"alpha is from 0 to 1 and no largest |x| is below 0, not {alpha} and {x_max.min(initial=0)}")
    w_max = np.abs(W).max(axis=0, initial=0).astype(np.float64)
    free = (x_max == 0) | (w_max == 0)
    s = np.where(free, 1.0, x_max.astype(np.float64)) ** alpha / np.where(free, 1.0, w_max) ** (1 - alpha)
    return _in_dtype(s, W.dtype)


def awq(
    W: np.ndarray,
    X: np.ndarray,
    format: Uniform,
    per: Granularity,
    ranges: Range = minmax,
    steps: int = 20,
    centered: bool = False,
) -> np.ndarray:
    """`s = mean|x|^alpha`, (in,), with the alpha of 0, 1/steps ... 1 for which `||X (W - Q(W s) / s)T||^2` is least.

    Q rounds to the grid of `format` fitted to what it is given; alpha = 0 is rounding alone (Lin et al. 2024, equations
    4 and 5). `centered` divides s by `sqrt(max s min s)`, as the authors' code does and the paper does not: where all
    scales of the grid follow, that changes rounding errors only. An input that is always 0 counts as the smallest one
    that is not.

    >>> from nncomp.formats import PerRow
    >>> W, X = np.array([[0.3, 7.0]]), np.array([[8.0, 0.5], [-8.0, 0.5]])
    >>> s = awq(W, X, Uniform(bits=4), PerRow())
    >>> s, fit_grid(W * s, Uniform(bits=4), PerRow()).fake(W * s)[0] / s
    (array([8. , 0.5]), array([[0.3125, 7.    ]]))
    """
    check_inputs(W, X)
    if steps < 1:
        raise ValueError(f"alpha takes at least 1 step from 0 to 1, not {steps}")
    H, size = gram(X), mean_sizes(X)
    best, least = np.ones(W.shape[1], W.dtype), np.inf
    for alpha in np.arange(steps + 1) / steps:
        s = size**alpha
        s = _in_dtype(s / np.sqrt(s.max() * s.min()) if centered else s, W.dtype)
        lost = W - fit_grid(W * s, format, per, ranges).fake(W * s)[0] / s
        error = float(((lost @ H) * lost).sum())
        if error < least:
            best, least = s, error
    return best


def mean_sizes(X: np.ndarray) -> np.ndarray:
    """The mean |x| of each input (in,), in float64; one that is always 0 counts as the smallest that is not.

    >>> mean_sizes(np.array([[1.0, 0.0], [-3.0, 0.0]]))
    array([2., 2.])
    """
    size = np.abs(X).mean(axis=0, dtype=np.float64)
    return np.where(size > 0, size, size[size > 0].min() if size.any() else 1.0)


def _in_dtype(s: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):  # refused here
        s = s.astype(dtype)
    if not np.isfinite(s).all() or (s == 0).any():
        raise ValueError(f"factors of inputs leave {dtype}: {s.min()} to {s.max()}")
    return s
