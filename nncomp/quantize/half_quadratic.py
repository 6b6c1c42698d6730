"""Half-quadratic quantization: zero points that are no codes, for errors of which a few may be large."""

from dataclasses import replace

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.nearest import fit_grid


def hqq(
    W: np.ndarray,
    format: Uniform,
    per: Granularity | None = None,
    p: float = 0.7,
    beta: float = 10.0,
    kappa: float = 1.01,
    steps: int = 20,
) -> Grid:
    """`min_z sum |W - s (q - z)|^p` for `W (out, in)` on grids of `format`, by splitting off the errors E.

    From the grid that covers W, whose scale s stays (Badri & Shaji 2023, Half-Quadratic Quantization), in turns:

        q = saturate(round(W / s + z)),   E = shrink(W - s (q - z)),   z = mean of q - (W - E) / s in each block,

    which lower `sum |E|^p + beta / 2 (E - W + s (q - z))^2`; beta grows by kappa at each of the steps. p below 1
    forgives a few large errors for many small ones. beta is not relative: at other scales of W other values are right.
    Each block keeps the z of the least sum it came by, the start's among them, where the authors' code keeps the last
    before the mean size of all errors grew. `format`: integer_zero=False, else a ValueError.

    >>> from nncomp.formats import divide_add_round
    >>> format = Uniform(2, symmetric=False, integer_zero=False, arithmetic=divide_add_round)
    >>> hqq(np.array([[0.0, 0.1, 0.2, 0.3, 0.5, 3.0]]), format).zero_point.round(2)  # it was -2
    array([[-2.09]])
    """
    if format.integer_zero:
        raise ValueError(f"half-quadratic zero points are no codes, integer_zero=False, not {format}")
    if not (0 < p <= 1 and 0 < beta < np.inf and 1 <= kappa < np.inf):
        raise ValueError(f"p is above 0 and at most 1, beta above 0, kappa at least 1, not {p}, {beta}, {kappa}")
    if steps < 0:
        raise ValueError(f"there are 0 steps or more, not {steps}")
    per = per or PerRow()
    grid = best = fit_grid(W, format, per)
    least = np.full(grid.scale.shape, np.inf)
    for step in range(steps + 1):
        q = grid.encode(W)
        error = W - grid.decode(q)
        sums = per.reduce(np.abs(error.astype(np.float64)) ** p, np.sum)
        assert grid.zero_point is not None and best.zero_point is not None
        best = replace(best, zero_point=np.where(sums < least, grid.zero_point, best.zero_point))
        least = np.minimum(sums, least)
        moved = W - shrink_lp(error, beta * kappa**step, p)
        grid = replace(grid, zero_point=per.reduce(q - moved / grid.spread(grid.scale, W.shape[1]), np.mean))
    return best


def shrink_lp(x: np.ndarray, beta: float, p: float) -> np.ndarray:
    """`sign(x) max(|x| - |x|^(p - 1) / beta, 0)`: for p = 1, the e of least `|e|^p + beta / 2 (e - x)^2`.

    For p below 1 it is near it; as Badri & Shaji take it from Chartrand, who calls it p-shrinkage.

    >>> shrink_lp(np.array([-3.0, 0.1]), beta=1.0, p=1.0)
    array([-2.,  0.])
    """
    size = np.abs(x)
    with np.errstate(divide="ignore"):  # 0 becomes 0
        return np.sign(x) * np.maximum(size - size ** (p - 1) / beta, 0)
