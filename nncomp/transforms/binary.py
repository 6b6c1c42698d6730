"""Weights of one bit: their signs alone, drawn by chance, or times the mean of their sizes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform, divide_add_round
from nncomp.formats.granularity import Granularity
from nncomp.shown import shown
from nncomp.transforms.coded import Coded, block_counts, block_means, positive
from nncomp.transforms.masking import DrawnWeights, within


def levels(bits: int) -> Uniform:
    """Codes c for the values `(c - n / 2) scale`, n the largest code: as many below 0 as above, and none at it.

    >>> Grid(levels(1), np.array([[2.0]]), np.array([[0.5]])).decode(np.array([[0, 1]], np.uint8))
    array([[-1.,  1.]])
    """
    return Uniform(bits, signed=False, symmetric=False, integer_zero=False, arithmetic=divide_add_round)


def sign(w: np.ndarray) -> np.ndarray:
    """-1 below 0, else 1; of NaN, NaN.

    >>> sign(np.array([-2.0, 0.0, 3.0]))
    array([-1.,  1.,  1.])
    """
    return np.where(w == 0, w.dtype.type(1), np.sign(w))


def signs(w: np.ndarray, alpha: np.ndarray, group: int | None = None) -> tuple[np.ndarray, Grid]:
    """Codes of one bit and the grid on which they stand for `alpha sign(w)`.

    An alpha of next to nothing, that of zeros, is `positive`: a sign has no code for 0. NaN raises: it has no sign.

    >>> codes, grid = signs(np.array([[-3.0, 0.0]]), np.array([[0.25]]))
    >>> codes, grid.decode(codes)
    (array([[0, 1]], dtype=uint8), array([[-0.25,  0.25]]))
    """
    alpha = positive(alpha)
    grid = Grid(levels(1), 2 * alpha, np.full_like(alpha, 0.5), group)
    if w.size and np.isnan(w.min()):
        raise ValueError(f"NaN at {tuple(np.argwhere(np.isnan(w))[0].tolist())} has no sign")
    return (w >= 0).view(np.uint8), grid  # as `grid.encode` has it, at a tenth of the time


@dataclass(frozen=True, eq=False, repr=False)
class BinaryConnect(Coded):
    """`w' = sign(w)`, 1 at 0 (Courbariaux et al. 2015, equation 1); ships as codes of 1 bit.

    Straight through: `dw = g`; with `clipped`, 0 where |w| exceeds 1 (Hubara et al. 2016, equation 4). `mask`: True
    where a weight is kept; the others are 0.

    >>> BinaryConnect().forward((), np.array([[0.2, -3.0]]))[0]
    array([[ 1., -1.]])
    """

    clipped: bool = True
    mask: np.ndarray | None = None

    __repr__ = shown

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        return signs(w, np.ones((1, 1), w.dtype))

    def _passes(self, w: np.ndarray) -> np.ndarray:
        return within(np.abs(w) <= 1 if self.clipped else np.ones(w.shape, bool), self.mask)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.decoded(*self.codes(p, w)), self._passes(w)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), np.where(saved, g, 0)


@dataclass(frozen=True, eq=False, repr=False)
class StochasticBinaryConnect(DrawnWeights, BinaryConnect):
    """`BinaryConnect` whose signs are drawn for each batch: 1 with probability `min(1, max(0, (w + 1) / 2))`.

    That is the hard sigmoid of Courbariaux et al. 2015, equations 2 and 3; gradients are those of `BinaryConnect`, at
    the signs drawn. What ships, and what `forward` gives, is the likelier sign.

    >>> draw = StochasticBinaryConnect().sample
    >>> draw((), np.array([[2.0], [-1.0]]), np.ones((1, 1)), np.random.default_rng(0))[0]
    array([[ 1., -1.]])
    """

    def sample(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any]:
        drawn = within(np.where(rng.random(w.shape, w.dtype) < (w + 1) / 2, w.dtype.type(1), -1), self.mask)
        return x @ drawn.T, (x, drawn, self._passes(w))


@dataclass(frozen=True, eq=False, repr=False)
class XNOR(Coded):
    """`w' = alpha sign(w)`, alpha the mean |w| of each row (Rastegari et al. 2016, equation 6); codes of 1 bit.

    `dw = g (1 / n + alpha [|w| <= 1])`, n the weights that share alpha, as section 3.1 has it: each weight moves alpha
    for itself alone. `exact`: it moves it for all, `dw = sign(w) / n sum of g sign(w) + alpha [|w| <= 1] g`,
    straight through the signs alone. `mask`: True where a weight is kept; the others are 0, and do not count.

    >>> XNOR().forward((), np.array([[0.5, -3.0, 1.0]]))[0]
    array([[ 1.5, -1.5,  1.5]])
    """

    per: Granularity = PerRow()
    exact: bool = False
    mask: np.ndarray | None = None

    __repr__ = shown

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        return signs(w, block_means(w, self.per, self.mask), self.per.group)

    def forward(
        self, p: tuple[np.ndarray, ...], w: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, Grid]]:
        codes, grid = self.codes(p, w)
        counts = grid.spread(block_counts(w, self.per, self.mask), w.shape[1])
        return self.decoded(codes, grid), (w, counts, grid)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: tuple[np.ndarray, np.ndarray, Grid], g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        w, n, grid = saved
        g, alpha = within(g, self.mask), grid.spread(grid.scale, w.shape[1]) / 2
        through = g
        if self.exact:
            through = sign(w) * grid.spread(self.per.reduce(g * sign(w), np.sum), w.shape[1])
        return (), within(through / n + alpha * g * (np.abs(w) <= 1), self.mask)
