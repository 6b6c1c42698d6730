"""Movement pruning: weights that grow stay, weights that shrink go, whatever their size (Sanh, Wolf & Rush 2020)."""

from dataclasses import dataclass

import numpy as np

from nncomp.prune import cubic, keep_largest
from nncomp.prune.checks import check_ramp, check_sparsity
from nncomp.shown import shown
from nncomp.transforms.masking import Maskable, check_penalty, sigmoid, within
from nncomp.weights import Sparse


class _Moving(Maskable):
    """`w' = w M`, M chosen by the scores S, the first of p; S starts at 0."""

    def chosen(self, p: tuple[np.ndarray, ...]) -> np.ndarray:
        """M."""
        raise NotImplementedError

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.zeros_like(w),)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        M = self.chosen(p)
        return np.where(M, w, 0), (M, w)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: tuple[np.ndarray, ...], g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """`dS = g w`, also where M is False, as if S were M; `dw = g M`."""
        M, w = saved
        return (within(g * w, self.mask), *map(np.zeros_like, p[1:])), np.where(M, g, 0)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(w, self.chosen(p))


@dataclass(frozen=True, eq=False, repr=False)
class Movement(_Moving):
    """`w' = w M`, M the largest scores S; `dw = g M`, and straight through `dS = g w` (section 4); ships as `Sparse`.

    S starts at 0 and sums up `-rate g w`: it rises where w moves away from 0. The fraction that goes grows to
    `sparsity` by `cubic` over the first `ramp` of a training; p is (S, how far that is), and the hook `Timed` tells it.

    >>> S, done = np.array([[-1.0, 2.0]]), np.ones(1)
    >>> Movement(0.5).forward((S, done), np.array([[3.0, 0.5]]))[0]
    array([[0. , 0.5]])
    """

    sparsity: float = 0.9
    ramp: float = 0.6
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        check_ramp(self.ramp)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        return *super().init(w), np.zeros(1, w.dtype)

    def chosen(self, p: tuple[np.ndarray, ...]) -> np.ndarray:
        S, done = p
        return within(keep_largest(S, cubic(float(done[0]), self.sparsity)), self.mask)


@dataclass(frozen=True, eq=False, repr=False)
class SoftMovement(_Moving):
    """`w' = w M`, M where `sigmoid(S) > threshold`; `dw = g M`, `dS = g w` (section 4); ships as `Sparse`.

    How many go is learned: `penalty` is `sum sigmoid(S)`, of which the hook `Penalized` adds `strength / N` times the
    gradient, and S falls where the loss does not raise it. It grows to that over the first `warm` of the training.

    >>> S = np.array([[-3.0, 2.0]])
    >>> SoftMovement().forward((S,), np.array([[3.0, 0.5]]))[0]
    array([[0. , 0.5]])
    """

    strength: float = 1.0
    threshold: float = 0.1
    warm: float = 0.0
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_penalty(self.strength, self.warm)
        check_sparsity(self.threshold)

    def chosen(self, p: tuple[np.ndarray, ...]) -> np.ndarray:
        return within(sigmoid(p[0]) > self.threshold, self.mask)

    def penalty(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """`sum sigmoid(S)`, and its gradient at (S, w)."""
        s = within(sigmoid(p[0]), self.mask)
        return float(s.sum()), (s * (1 - s), np.zeros_like(w))
