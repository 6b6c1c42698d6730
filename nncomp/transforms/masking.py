"""A fixed mask on a weight that trains."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from nncomp.weights import Sparse
from nncomp.weights.protocol import check_mask


def within(a: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """`a (out, in)` where the mask is True and 0 or False elsewhere; without a mask, `a`.

    >>> within(np.array([[3.0, 4.0]]), np.array([[True, False]]))
    array([[3., 0.]])
    """
    if mask is None:
        return a
    check_mask(a.shape, mask)
    return np.where(mask, a, a.dtype.type(0))


def sigmoid(a: np.ndarray) -> np.ndarray:
    """`1 / (1 + exp(-a))`, to within a unit in the last place of 1: by tanh, which is fast and cannot overflow.

    >>> sigmoid(np.array([-1000.0, 0.0]))
    array([0. , 0.5])
    """
    return (np.tanh(a / 2) + 1) / 2


def check_penalty(strength: float, warm: float) -> None:
    """Raise unless a penalty's strength is at least 0, and the fraction of the training it grows over below 1."""
    if not (0 <= strength < np.inf and 0 <= warm < 1):
        raise ValueError(f"a strength of at least 0 and warm from 0 to below 1, not {strength} and {warm}")


class Maskable:
    """A transform of a w that starts as the weight it is to be near, and whose w' is 0 where a `mask` is False."""

    mask: np.ndarray | None

    def latent(self, w: np.ndarray) -> np.ndarray:
        """The w to start from."""
        return w

    def masked(self, mask: np.ndarray) -> Self:
        """The same where `mask` is True, too."""
        return replace(self, mask=within(mask, self.mask))  # type: ignore[type-var]


class DrawnWeights(Maskable):
    """A transform whose `sample` draws weights, and saves the inputs, these weights, and what `vjp` needs of them."""

    def sample_vjp(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, saved: Any, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...], np.ndarray]:
        x, drawn, inner = saved
        return (dy @ drawn if need_dx else None), *self.vjp(p, inner, dy.T @ x)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Masked(Maskable):
    """`w' = mask * w`, `dw = mask * g`: pruned weights are 0 and get no gradient; ships as `Sparse`.

    >>> Masked(np.array([[True, False]])).forward((), np.array([[3.0, 4.0]]))[0]
    array([[3., 0.]])
    """

    mask: np.ndarray

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return ()

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, None]:
        return within(w, self.mask), None

    def vjp(self, p: tuple[np.ndarray, ...], saved: None, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), within(g, self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(w, self.mask)
