"""SignRound: which way each weight is rounded is learned by signed gradient descent (Cheng et al. 2023)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import check_layer


def signround(W: np.ndarray, H: np.ndarray, grid: Grid, steps: int = 200, rate: float | None = None) -> np.ndarray:
    """Codes (out, in) of `Q(W + s V)` with offsets `|V| <= 1/2` that lose least of the outputs (section 3).

        V <- clip(V - rate_t sign(dL/dV), -1/2, 1/2),   L = ||X (W - Q(W + s V))T||^2,   H = XT X (in, in),

    from V = 0, which is rounding; s: the scales of the grid, which stays. The gradient goes straight through rounding,
    and through saturation too: beyond an end of the grid, no |V| <= 1/2 leads to another code. `rate`, 1 / steps if
    nothing is said, falls linearly to 0, so that V can just come to its bounds. Each row keeps the best codes it had
    (L is a sum over rows), so none is worse than rounded.

    >>> from nncomp.formats import Uniform
    >>> grid, H = Grid(Uniform(bits=4), np.array([[1.0]])), np.ones((2, 2))  # all that counts is the sum
    >>> signround(np.array([[0.4, 0.3]]), H, grid)
    array([[1, 0]], dtype=int8)
    """
    check_layer(W, H)
    grid.check(W.shape)
    rate = 1 / max(steps, 1) if rate is None else rate
    if steps < 1 or not 0 < rate < np.inf:
        raise ValueError(f"there is at least 1 step and the rate is above 0 and finite, not {steps} and {rate}")
    scale, V = grid.spread(grid.scale, W.shape[1]), np.zeros_like(W)
    best, least = grid.encode(W), np.full((len(W), 1), np.inf)
    for t in range(steps + 1):
        codes = grid.encode(W + scale * V)
        lost = grid.decode(codes).astype(np.float64) - W
        gradient = lost @ H  # of half of L, by what each weight stands for
        error = (lost * gradient).sum(axis=1, keepdims=True)
        best, least = np.where(error < least, codes, best), np.minimum(error, least)
        V = np.clip(V - rate * (1 - t / steps) * np.sign(gradient).astype(W.dtype), -0.5, 0.5)
    return best
