"""SpQR's outliers: the few weights whose rounding costs most are kept in floats (Dettmers et al. 2023)."""

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.layerwise import check_layer, check_pair, inverse_factor
from nncomp.quantize.gptq import sweep
from nncomp.quantize.nearest import fit_grid


def spqr_sensitivity(W: np.ndarray, W_new: np.ndarray, H: np.ndarray, damp: float = 0.01) -> np.ndarray:
    """`s_ij = (w_ij - w'_ij)^2 / (2 [H^-1]_jj)`, (out, in): what rounding w_ij alone costs (equation 2).

    Half of the least `||X (w_i - w)T||^2` that a row w can have with w'_ij in place j, the others making up for it.
    `H = XT X (in, in)`, with `damp` of its mean diagonal added. A weight whose input is always 0 costs 0.

    >>> H = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> spqr_sensitivity(np.array([[1.0, 3.0]]), np.array([[2.0, 3.0]]), H, damp=0.0).round(6)
    array([[0.75, 0.  ]])
    """
    check_layer(W, H)
    check_pair(W, W_new)
    d = (inverse_factor(H, damp) ** 2).sum(axis=0)
    lost = (W.astype(np.float64) - W_new.astype(np.float64)) ** 2
    return np.where(np.diag(H) == 0, 0, lost / (2 * d))


def spqr_outliers(
    W: np.ndarray, W_new: np.ndarray, H: np.ndarray, fraction: float = 0.01, damp: float = 0.01
) -> np.ndarray:
    """A mask (out, in) of the `round(fraction n)` weights that stay in floats: those of the largest sensitivity.

    `W_new`: what the weights were rounded to. Ties are decided by position; for a threshold instead of a number,
    `spqr_sensitivity(W, W_new, H) > threshold` (section 4). The grid is then fitted again without them, to
    `np.where(outliers, 0, W)`. The paper's code ranks by what a group's cost falls when it is fitted without a weight.

    >>> W = np.array([[1.2, 0.1], [-3.3, 2.0]])
    >>> spqr_outliers(W, np.round(W), np.eye(2), fraction=0.25)
    array([[False, False],
           [ True, False]])
    """
    scores = spqr_sensitivity(W, W_new, H, damp)
    if not 0 <= fraction <= 1:
        raise ValueError(f"outliers are a fraction of the weights between 0 and 1, not {fraction}")
    mask = np.zeros(W.size, bool)
    mask[np.argsort(-scores, axis=None, kind="stable")[: round(fraction * W.size)]] = True
    return mask.reshape(W.shape)


def spqr(
    W: np.ndarray,
    H: np.ndarray,
    format: Uniform,
    per: Granularity | None = None,
    fraction: float = 0.01,
    order: bool = True,
    damp: float = 0.01,
) -> tuple[np.ndarray, Grid, np.ndarray, np.ndarray]:
    """Codes (out, in) and their grid; a mask of outliers and their values (out, in), 0 elsewhere, in place of codes.

    The weights that cost most on a first grid (`spqr_outliers`) are left out of the ranges of a second, on which GPTQ
    rounds all others, and moves the outliers too (Dettmers et al. 2023, algorithm 1; scales stay floats). What the
    layer multiplies with is `np.where(mask, values, grid.decode(codes))`.

    >>> H = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> codes, grid, mask, values = spqr(np.array([[9.0, 4.0]]), H, Uniform(2), fraction=0.5)
    >>> grid.decode(codes)[0, 0], mask, values
    (np.float64(9.0), array([[False,  True]]), array([[0., 4.]]))
    """
    per = per or PerRow()
    first = fit_grid(W, format, per)
    mask = spqr_outliers(W, first.decode(first.encode(W)), H, fraction, damp)
    grid = fit_grid(np.where(mask, 0, W), format, per, kept=~mask)
    codes, turn = sweep(W, H, grid, order, 128, damp, mask)
    return codes, grid, mask, np.where(mask, turn, W.dtype.type(0))
