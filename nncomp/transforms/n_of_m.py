"""n of m from the start: a mask chosen anew in every pass, and gradients for what it hides (Zhou et al. 2021)."""

from dataclasses import dataclass

import numpy as np

from nncomp.prune import keep_n_of_m
from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Sparse


@dataclass(frozen=True, eq=False)
class NofM(Maskable):
    """`w' = w M`, M the n largest of every m neighbours; SR-STE, `dw = g + decay (1 - M) w` (section 4).

    Straight through, as if w' were w, so that hidden weights can come back; `decay` draws them to 0, so that M settles.
    With `decay=0` it is plain straight-through estimation. Ships as `Sparse`.

    >>> NofM(n=1, m=2).forward((), np.array([[3.0, -0.5, 1.0, 2.0]]))[0]
    array([[3., 0., 0., 2.]])
    """

    n: int = 2
    m: int = 4
    decay: float = 2e-4
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.n <= self.m or self.m < 1 or not 0 <= self.decay < np.inf:
            raise ValueError(f"n of every m and a decay of at least 0, not {self.n} of {self.m} and {self.decay}")

    def chosen(self, w: np.ndarray) -> np.ndarray:
        """M."""
        return within(keep_n_of_m(np.abs(w), self.n, self.m), self.mask)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return ()

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        M = self.chosen(w)
        return np.where(M, w, 0), np.where(M, 0, w)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), within(g + g.dtype.type(self.decay) * saved, self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(w, self.chosen(w))
