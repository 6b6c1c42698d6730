"""Edge-popup: weights that stay as they were drawn, and a mask that learns which of them to use."""

from dataclasses import dataclass

import numpy as np

from nncomp.prune import keep_largest
from nncomp.prune.checks import check_sparsity
from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Sparse


@dataclass(frozen=True, eq=False)
class Supermask(Maskable):
    """`w' = w h(s)`, h 1 at the largest of `|s|` and 0 at the fraction `sparsity` (Ramanujan et al. 2020, section 3).

    Straight through: `ds = g w` everywhere, as if h were s, and `dw = 0`: the weights are not trained. The scores s
    start at |w|, each of the layer's own. Ships as `Sparse`.

    >>> w = np.array([[3.0, -0.5]])
    >>> transform = Supermask(0.5)
    >>> transform.forward(transform.init(w), w)[0]
    array([[3., 0.]])
    """

    sparsity: float = 0.5
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.abs(w),)

    def chosen(self, s: np.ndarray) -> np.ndarray:
        """Where h is 1."""
        return within(keep_largest(np.abs(s), self.sparsity), self.mask)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(self.chosen(p[0]), w, 0), w

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (within(g * saved, self.mask),), np.zeros_like(g)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(w, self.chosen(p[0]))
