"""L0 regularization: chance opens a gate before every weight, and training learns how often (Louizos et al. 2018)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.shown import shown
from nncomp.transforms.masking import DrawnWeights, check_penalty, sigmoid, within
from nncomp.weights import Sparse


@dataclass(frozen=True, eq=False, repr=False)
class HardConcrete(DrawnWeights):
    """`w' = w z`, z a gate from 0 to 1; ships as `Sparse`, at `z = min(1, max(0, sigmoid(a) (zeta - gamma) + gamma))`.

    In training `s = sigmoid((log u - log(1 - u) + a) / beta)` with u uniform, drawn anew for each batch, and
    `z = min(1, max(0, s (zeta - gamma) + gamma))` (equations 10, 11 and 13). a, the paper's log alpha, is learned: one
    for each weight, starting at `start`; or with `by_input` one for each input, and whole columns go.

    `penalty`, the expected number of weights, is `sum sigmoid(a - beta log(-gamma / zeta))` (equation 12). What a
    weight costs is `strength` a training set: `Penalized` adds `strength / N` times it to the mean loss.

    >>> gate = HardConcrete(start=0.0)
    >>> w = np.array([[2.0, 4.0]])
    >>> gate.forward((np.array([[-9.0, 0.0]]),), w)[0], round(gate.penalty(gate.init(w), w)[0], 3)
    (array([[0., 2.]]), 1.664)
    """

    strength: float = 1.0
    start: float = 2.0
    by_input: bool = False
    warm: float = 0.0
    beta: float = 2 / 3
    gamma: float = -0.1
    zeta: float = 1.1
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_penalty(self.strength, self.warm)
        if not (self.gamma < 0 and self.zeta > 1 and 0 < self.beta < np.inf):
            raise ValueError(f"gamma < 0, zeta > 1 and beta > 0, not {self.gamma}, {self.zeta} and {self.beta}")

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.full((1, w.shape[1]) if self.by_input else w.shape, self.start, w.dtype),)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        return self._gated(sigmoid(p[0]), 1.0, w)

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """`dw = g z`, `da = g w dz/da`, 0 where the gate is shut or all open."""
        z, slope, w = saved
        da = g * w * slope
        return (da.sum(axis=0, keepdims=True) if self.by_input else da,), g * z

    def sample(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any]:
        [a] = p
        u = np.maximum(rng.random(a.shape, a.dtype), np.finfo(a.dtype).tiny)
        effective, saved = self._gated(sigmoid((np.log(u) - np.log1p(-u) + a) / a.dtype.type(self.beta)), self.beta, w)
        return x @ effective.T, (x, effective, saved)

    def _gated(self, s: np.ndarray, beta: float, w: np.ndarray) -> tuple[np.ndarray, Any]:
        """`w z`; z, its derivative at a, and w."""
        stretch = w.dtype.type(self.zeta - self.gamma)
        wide = s * stretch + w.dtype.type(self.gamma)
        slope = ((wide > 0) & (wide < 1)) * (s * (1 - s) * (stretch / w.dtype.type(beta)))
        z, slope = (within(np.broadcast_to(v, w.shape), self.mask) for v in (np.clip(wide, 0, 1), slope))
        return w * z + w.dtype.type(0), (z, slope, w)  # + 0: no -0, which no sparse form would keep

    def penalty(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """The expected number of weights whose gate is not 0, and its gradient at (a, w)."""
        counted = within(np.ones_like(w), self.mask)
        if self.by_input:
            counted = counted.sum(axis=0, keepdims=True)
        there = sigmoid(p[0] - w.dtype.type(self.beta * np.log(-self.gamma / self.zeta)))
        return float((counted * there).sum()), (counted * there * (1 - there), np.zeros_like(w))

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Sparse:
        return Sparse.from_dense(self.forward(p, w)[0])
