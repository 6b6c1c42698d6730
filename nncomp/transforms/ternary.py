"""Weights of three values: 0 and one size (Li et al. 2016), or 0 and a trained one for each sign (Zhu et al. 2017)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.ranges import check_values
from nncomp.shown import shown
from nncomp.transforms.coded import Coded, block_means
from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Shared


def check_share(share: float) -> None:
    """Raise unless a threshold is a share of at least 0."""
    if not 0 <= share < np.inf:
        raise ValueError(f"a threshold is a share of at least 0, not {share}")


@dataclass(frozen=True, eq=False, repr=False)
class TWN(Coded):
    """`w' = alpha sign(w)` where `|w| > delta`, else 0; `delta = share mean |w|`, alpha the mean |w| beyond it.

    With a share of 0.7 that is about the nearest in squares for normal and uniform weights (Li et al. 2016,
    section 2). Straight through: `dw = g`. Codes -1, 0 and 1 of 2 bits ship as `Quantized`. `mask`: True where a weight
    is kept, and counts; the others are 0.

    >>> TWN().forward((), np.array([[0.1, -0.8, 0.6]]))[0]
    array([[ 0. , -0.7,  0.7]])
    """

    share: float = 0.7
    per: Granularity = PerTensor()
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_share(self.share)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        check_values(w)
        delta = w.dtype.type(self.share) * block_means(w, self.per, self.mask)
        grid = Grid(Uniform(bits=2, narrow=True), np.ones_like(delta), group=self.per.group)
        beyond = within(np.abs(w) > grid.spread(delta, w.shape[1]), self.mask)
        alpha = block_means(w, self.per, beyond)
        grid = Grid(grid.format, np.where(alpha > 0, alpha, w.dtype.type(1)), group=self.per.group)
        return (np.sign(w) * beyond).astype(np.int8), grid

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, None]:
        return self.decoded(*self.codes(p, w)), None

    def vjp(self, p: tuple[np.ndarray, ...], saved: None, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), within(g, self.mask)


@dataclass(frozen=True, eq=False, repr=False)
class TTQ(Maskable):
    """`w' = W_p` where `w > delta`, `-W_n` where `w < -delta`, else 0; W_p and W_n trained, `delta = share max |w|`.

    That is equations 6 and 9 of Zhu et al. 2017. `dW_p` is the sum of g where w' is W_p, and `dW_n` that of -g where
    it is -W_n (equation 7, with the sign that -W_n brings); `dw` is `W_p g`, `W_n g` and between them g (equation 8).
    W_p and W_n start at the mean |w| of theirs, of none at 1. Ships as `Shared`. `mask`: True where a weight is kept.

    >>> transform, w = TTQ(), np.array([[0.01, -0.8, 0.5, 0.7]])
    >>> transform.forward(transform.init(w), w)[0]
    array([[ 0. , -0.8,  0.6,  0.6]])
    """

    share: float = 0.05
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_share(self.share)

    def indices(self, w: np.ndarray) -> np.ndarray:
        """0, 1 or 2: of -W_n, 0 or W_p."""
        check_values(w)
        kept = within(w, self.mask)
        delta = w.dtype.type(self.share) * np.abs(kept).max()
        return np.where(np.abs(kept) > delta, 1 + np.sign(kept), 1).astype(np.uint8)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        q = self.indices(w)
        means = (block_means(w, PerTensor(), q == k)[0] for k in (2, 0))
        return tuple(np.where(mean > 0, mean, w.dtype.type(1)) for mean in means)

    def _codebook(self, p: tuple[np.ndarray, ...]) -> np.ndarray:
        W_p, W_n = p
        return np.concatenate([-W_n, np.zeros_like(W_n), W_p])

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = self.indices(w)
        return self._codebook(p)[q], q

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        W_p, W_n = p
        slopes = np.concatenate([W_n, np.ones_like(W_n), W_p])
        dW_p, dW_n = (g.sum(where=saved == 2, keepdims=True)[0], -g.sum(where=saved == 0, keepdims=True)[0])
        return (dW_p, dW_n), within(slopes[saved] * g, self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Shared:
        return Shared.of(self.indices(w), self._codebook(p), self.mask)
