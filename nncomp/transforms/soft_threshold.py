"""Soft threshold reparameterization: each layer learns how much of it to prune (Kusupati et al. 2020)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Sparse


@dataclass(frozen=True, eq=False)
class SoftThreshold(Maskable):
    """`w' = sign(w) ReLU(|w| - g(s))`, g the sigmoid and s one trained number a layer (equation 1); ships as `Sparse`.

    With K where `|w| > g(s)`: `dw = g_out` on K, `ds = -g'(s) sum_K g_out sign(w)`, else 0. Weight decay on s and w is
    what makes it sparse. `start`: s at first. `mask`: True where a weight may be other than 0.

    >>> weight = SoftThreshold(start=0.0)  # g(0) = 0.5
    >>> weight.forward(weight.init(np.ones((1, 2))), np.array([[0.7, -0.2]]))[0].round(6)
    array([[0.2, 0. ]])
    """

    start: float = -8.0
    mask: np.ndarray | None = None

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.full(1, self.start, w.dtype),)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left = np.abs(w) - expit(p[0])
        kept = within(left > 0, self.mask)
        return np.where(kept, np.sign(w) * left, 0).astype(w.dtype, copy=False), np.where(kept, np.sign(w), 0)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        slope = expit(p[0]) * expit(-p[0])
        return (-slope * (g * saved).sum(),), np.where(saved != 0, g, 0)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(self.forward(p, w)[0])
