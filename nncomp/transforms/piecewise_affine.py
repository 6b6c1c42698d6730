"""Piecewise-affine regularized quantization: what draws weights onto codes is the prox of a penalty (PARQ)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid
from nncomp.shown import shown
from nncomp.transforms.binary import XNOR, BinaryConnect
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import within
from nncomp.transforms.relaxed import Relaxed
from nncomp.transforms.ternary import TWN

Fitted = FakeQuantize | BinaryConnect | XNOR | TWN


def shrink_onto(w: np.ndarray, grid: Grid, rho: float) -> np.ndarray:
    """`argmin_v (v - (1 + tau) w)^2 / 2 + tau Psi(v)`, `tau = 1 / rho - 1`: the prox of a piecewise-affine Psi.

    Psi is `v^2 / 2` at the values of the grid's codes, affine between them, and infinite beyond the last. So its slope
    between two neighbours is their middle c, and v is `c + (w - c) / rho`, but not beyond the two: flat at values of
    codes, and of slope 1 / rho across the middle between them (Jin et al. 2025). A rho of 1 leaves w as it is within
    the grid's range, one of 0 rounds it to the nearest code. A ValueError for a rho that is not from 0 to 1.

    >>> from nncomp.formats import Uniform
    >>> shrink_onto(np.array([[0.1, 0.4, 0.5, 9.0]]), Grid(Uniform(2), np.ones((1, 1))), 0.5)
    array([[0. , 0.3, 0.5, 1. ]])
    """
    if not 0 <= rho <= 1:
        raise ValueError(f"an inverse slope lies between 0 and 1, not {rho}")
    q = grid.encode(w)
    nearest = grid.decode(q)
    if rho == 0:
        return nearest
    beside = q.astype(np.int32) + np.sign(w - nearest).astype(np.int32)
    other = grid.decode(beside.clip(grid.format.qmin, grid.format.qmax))
    low, high = np.minimum(nearest, other), np.maximum(nearest, other)
    v, tau = w.clip(low, high), w.dtype.type(1 / max(rho, np.finfo(w.dtype).tiny)) - w.dtype.type(1)
    with np.errstate(over="ignore"):  # beyond is beyond
        steep = v + tau * (v - (low / 2 + high / 2))
    return steep.clip(low, high)


@dataclass(frozen=True, eq=False, repr=False)
class PARQ(Relaxed):
    """`w' = shrink_onto(w)`, ever steeper, onto the values of the codes that `onto` fits to w (Jin et al. 2025).

    The inverse slope rho falls from 1, w itself, to 0, the nearest code, over the first `ramp` of a training, along a
    sigmoid: with f the share of it that is over, `(sigmoid(s (1/2 - f)) - sigmoid(-s/2)) / (sigmoid(s/2) -
    sigmoid(-s/2))`, s the `steepness`. Ships as those codes, rounded to nearest, whatever else `onto` would do. p is f,
    and the hook `Timed` tells it; before its end the weight ships in floats. Straight through, with gradients taken at
    w': `dw = g`. `mask`: True where a weight is kept; the others are 0.

    >>> drawn, w = PARQ(TWN()), np.array([[0.0, -1.2, 0.8, 0.4]])
    >>> drawn.forward((np.full(1, 0.5),), w)[0], drawn.forward((np.ones(1),), w)[0]
    (array([[ 0. , -1. ,  1. ,  0.3]]), array([[ 0., -1.,  1.,  0.]]))
    """

    onto: Fitted = TWN()
    steepness: float = 10.0
    ramp: float = 0.8
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.onto, Fitted):
            raise ValueError(f"weights are drawn onto the codes of a grid that is fitted to them, not by {self.onto!r}")
        self._check()
        if not 0 < self.steepness < np.inf:
            raise ValueError(f"a steepness lies above 0, not {self.steepness}")

    def inverse_slope(self, done: float) -> float:
        """rho where the ramp is `done`, from 0 to 1."""
        low, at, high = (np.tanh(self.steepness * (share - 0.5) / 2) for share in (0.0, 1 - done, 1.0))
        return float((at - low) / (high - low))

    def codes(self, w: np.ndarray) -> tuple[np.ndarray, Grid]:
        grid = super().codes(w)[1]
        return grid.encode(within(w, self.mask)), grid

    def between(self, w: np.ndarray, q: np.ndarray, grid: Grid, done: float) -> np.ndarray:
        return shrink_onto(within(w, self.mask), grid, self.inverse_slope(done))
