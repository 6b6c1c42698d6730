"""AdaRound: whether each weight goes up or down is learned (Nagel et al. 2020)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import damped, row_losses
from nncomp.optim import Adam
from nncomp.quantize.checks import check_layer_grid

ZETA, GAMMA = 1.1, -0.1
"""The ends of the stretched sigmoid (section 3.3)."""
WARM = 0.2
"""The fraction of the steps before h is pushed to 0 or 1."""


def adaround(
    W: np.ndarray,
    H: np.ndarray,
    grid: Grid,
    steps: int = 2000,
    lam: float = 1.0,
    rate: float = 0.01,
    damp: float = 0.01,
) -> np.ndarray:
    """Codes of `W (out, in)` on a `grid`, each that below or that above w; `H = XT X (in, in)` (equations 21 to 25).

    With `h = clip(sigmoid(V) (zeta - gamma) + gamma, 0, 1)` and `W' = s clip(floor(W / s) + h, low, high)`, Adam
    minimizes

        tr (W - W') H (W - W')T / (s^2 mean(diag H)) + lam sum (1 - |2 h - 1|^beta)

    from h the fractions of W / s on. The second term pushes h to 0 or 1; it begins after a fifth of the `steps`, as
    beta falls from 20 to 2 along a cosine. The first is measured in steps of the grid, so that one lam serves all
    layers (the paper's 0.01 is in units of outputs). A row that comes out no better than rounded to nearest is rounded.

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> adaround(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), steps=300, damp=0.0)
    array([[1, 0]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    if steps < 1 or not lam >= 0 or not 0 < rate < np.inf:
        raise ValueError(f"at least 1 step, lam at least 0 and a rate above 0, not {steps}, {lam} and {rate}")
    living = np.diag(H)[np.diag(H) > 0]
    H, unit = damped(H, damp), living.mean() if living.size else 1.0
    low, high = grid.format.qmin, grid.format.qmax
    scale, zero = (np.broadcast_to(grid.spread(v, len(H)), W.shape) for v in (grid.scale, grid.zeros))
    at = W / scale + zero  # in steps
    below = np.floor(at).astype(np.float32)
    h = np.clip(at - below, 0.01, 0.99)
    V = np.ascontiguousarray(np.log((h - GAMMA) / (ZETA - h)), np.float32)
    metric = (H / unit).astype(np.float32)
    size = (scale / scale.mean()).astype(np.float32)  # of a step, where rows or groups differ
    optimizer = Adam(rate)
    state = optimizer.init([V])
    for t in range(1, steps + 1):
        sigma = (np.tanh(V / 2) + 1) / 2
        h = np.clip(sigma * (ZETA - GAMMA) + GAMMA, 0, 1)
        off = (at - np.clip(below + h, low, high)).astype(np.float32) * size
        dh = -2 * (off @ metric) * size * ((below + h >= low) & (below + h <= high))
        progress = max(0.0, t / steps - WARM) / (1 - WARM)
        if progress > 0:
            beta = 2 + 18 * (1 + np.cos(np.pi * progress)) / 2
            apart = 2 * h - 1
            dh -= lam * 2 * beta * np.abs(apart) ** (beta - 1) * np.sign(apart)
        slope = (ZETA - GAMMA) * sigma * (1 - sigma) * ((h > 0) & (h < 1))
        optimizer.update([V], [(dh * slope).astype(np.float32)], state, t)
    learned = np.clip(below + (V >= 0), low, high).astype(grid.format.dtype)
    nearest = grid.encode(W)
    lost = [row_losses(W, grid.decode(q), H) for q in (nearest, learned)]
    return np.where((lost[1] < lost[0])[:, None], learned, nearest)
