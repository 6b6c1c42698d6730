"""Variational dropout: every weight is a Gaussian, and one that is all noise can go (Molchanov et al. 2017)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.shown import shown
from nncomp.transforms.masking import Maskable, check_penalty, sigmoid, within
from nncomp.weights import Sparse

K1, K2, K3 = 0.63576, 1.87320, 1.48695
EPS = 1e-8  # as in the authors' code: w of 0 has a finite log alpha, an output without inputs a finite slope


@dataclass(frozen=True, eq=False, repr=False)
class Variational(Maskable):
    """Each weight is drawn from `N(w, sigma^2)`; ships as `Sparse`, `w' = w` where `log alpha < threshold`, else 0.

    `alpha = sigma^2 / w^2` is the weight's rate of dropout. w and `log sigma^2`, which starts at `start`, are learned:
    the additive form of section 4.1. In training outputs are drawn instead of weights, `y = x w^T + sqrt(x^2
    (sigma^2)^T) e` with a standard normal e for each: the local reparametrization of equation 10.

    `penalty` is the divergence from a log-uniform prior, up to a constant, by the approximation of equation 14,
    `KL = sum k1 (1 - sigmoid(k2 + k3 log alpha)) + log(1 + 1 / alpha) / 2`. `Penalized` adds `strength / N` times it to
    the mean loss; 1 is the evidence bound. It grows to that over the first `warm` of a training: else it wins at once.

    >>> noise = Variational(start=0.0)
    >>> noise.forward(noise.init(np.ones((1, 2))), np.array([[0.1, 2.0]]))[0]
    array([[0., 2.]])
    """

    strength: float = 1.0
    warm: float = 0.5
    threshold: float = 3.0
    start: float = -10.0
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_penalty(self.strength, self.warm)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.full(w.shape, self.start, w.dtype),)

    def log_alpha(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> np.ndarray:
        """`log sigma^2 - log w^2`, (out, in)."""
        return p[0] - np.log(w * w + w.dtype.type(EPS))

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = within(self.log_alpha(p, w) < self.threshold, self.mask)
        return np.where(kept, w, 0), kept

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (np.zeros_like(g),), np.where(saved, g, 0)

    def sample(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any]:
        w, variance = within(w, self.mask), within(np.exp(p[0]), self.mask)
        spread = np.sqrt(x * x @ variance.T + x.dtype.type(EPS))
        e = rng.standard_normal(spread.shape, x.dtype)
        return x @ w.T + spread * e, (x, w, variance, e / (2 * spread))

    def sample_vjp(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, saved: Any, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...], np.ndarray]:
        """With `dv = dy e / (2 spread)` at the outputs' variance: `dw = dy.T x`, `dlog sigma^2 = sigma^2 dv.T x^2`."""
        x, w, variance, slope = saved
        dv = dy * slope
        dx = dy @ w + 2 * x * (dv @ variance) if need_dx else None
        return dx, (variance * (dv.T @ (x * x)),), within(dy.T @ x, self.mask)

    def penalty(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """The divergence, and its gradient at (log sigma^2, w)."""
        at = self.log_alpha(p, w)
        s = sigmoid(K2 + K3 * at)
        log1p = np.maximum(-at, 0) + np.log1p(np.exp(-np.abs(at)))  # of 1 / alpha
        kl, slope = K1 * (1 - s) + log1p / 2, -K1 * K3 * s * (1 - s) - sigmoid(-at) / 2
        kl, slope = within(kl, self.mask), within(slope, self.mask)
        return float(kl.sum()), (slope, -2 * w / (w * w + w.dtype.type(EPS)) * slope)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(*self.forward(p, w))
