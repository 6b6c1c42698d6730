"""Powerpropagation: weights that grow the faster the larger they are, so small ones can go (Schwarz et al. 2021)."""

from dataclasses import dataclass

import numpy as np

from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Dense, Sparse


@dataclass(frozen=True, eq=False)
class Powerpropagation(Maskable):
    """`w' = w |w|^(alpha - 1)`, `dw = alpha |w|^(alpha - 1) g` (section 2); ships dense, or sparse under a `mask`.

    `latent` gives the w to start from so that w' is a given weight.

    >>> Powerpropagation(alpha=2.0).forward((), np.array([[3.0, -0.5]]))[0]
    array([[ 9.  , -0.25]])
    """

    alpha: float = 2.0
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.alpha < np.inf:
            raise ValueError(f"alpha is at least 1 and finite, not {self.alpha}")

    def latent(self, w: np.ndarray) -> np.ndarray:
        """`sign(w) |w|^(1 / alpha)`.

        >>> Powerpropagation().latent(np.array([[9.0, -0.25]]))
        array([[ 3. , -0.5]])
        """
        return (np.sign(w) * np.abs(w) ** (1 / self.alpha)).astype(w.dtype)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return ()

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        power = within(np.abs(w) ** w.dtype.type(self.alpha - 1), self.mask)
        return within(w * power, self.mask), power

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), g.dtype.type(self.alpha) * saved * g

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Dense | Sparse:
        effective = self.forward(p, w)[0]
        return Dense(effective) if self.mask is None else Sparse.from_dense(effective, self.mask)
