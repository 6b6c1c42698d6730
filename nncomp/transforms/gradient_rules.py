"""Fake quantization whose gradient depends on how far a weight lies from its code."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.shown import shown
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import within


@dataclass(frozen=True, eq=False, repr=False)
class EWGS(FakeQuantize):
    """`FakeQuantize` with element-wise gradient scaling: `dw = g (1 + delta sign(g) (x_n - x_q))` (Lee et al. 2021).

    That is equation 4, inside; beyond, 0. x_n and x_q are w and w' as shares of the range of codes, from 0 to 1. A
    gradient that draws a weight back towards its code counts more; with `delta=0` it is the straight-through estimator.

    >>> rule, w = EWGS(delta=100.0), np.array([[0.4, 254.0]])
    >>> rule.vjp((), rule.forward((), w)[1], np.array([[1.0, 1.0]]))[1].round(3)  # 1 + 100 (0.2 / 255)
    array([[1.078, 1.   ]])
    """

    delta: float = 1e-3

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 <= self.delta < np.inf:
            raise ValueError(f"gradients are scaled by a delta of at least 0, not {self.delta}")

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        grid = self._grid(w)
        effective, inside = grid.fake(within(w, self.mask))
        width = grid.spread(grid.scale, w.shape[1]) * w.dtype.type(self.format.qmax - self.format.qmin)
        return within(effective, self.mask), (within(inside, self.mask), (w - effective) / width)

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        inside, apart = saved
        return (), np.where(inside, g * (1 + g.dtype.type(self.delta) * np.sign(g) * apart), 0)


@dataclass(frozen=True, eq=False, repr=False)
class DSQ(FakeQuantize):
    """`FakeQuantize` with the gradient of differentiable soft quantization: tanh between codes (Gong et al. 2019).

    In steps of the grid, with d from -1/2 to 1/2 the way from the middle between two codes:
    `dw = g k / (2 (1 - alpha)) (1 - tanh(k d)^2)`, `k = log(2 / alpha - 1)`, inside; beyond, 0. It is the derivative of
    `tanh(k d) / (2 tanh(k / 2))` (equations 3 to 8), which rises by 1 from code to code: for alpha near 1 a line, the
    straight-through estimator; for alpha near 0 the step that rounding is. alpha and the range are not trained.

    >>> rule, w = DSQ(alpha=0.2), np.array([[0.5, 1.0, 127.0]])
    >>> rule.vjp((), rule.forward((), w)[1], np.array([[1.0, 1.0, 1.0]]))[1].round(3)
    array([[1.373, 0.494, 0.494]])
    """

    alpha: float = 0.2

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not {self.alpha}")

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grid = self._grid(w)
        effective, inside = grid.fake(within(w, self.mask))
        scale, zeros = (grid.spread(a, w.shape[1]) for a in (grid.scale, grid.zeros.astype(w.dtype)))
        v = within(w, self.mask) / scale + zeros
        k = np.log(2 / self.alpha - 1)
        near = 1 - np.tanh(w.dtype.type(k) * (v - np.floor(v) - w.dtype.type(0.5))) ** 2
        slope = w.dtype.type(k / (2 * (1 - self.alpha))) * near
        return within(effective, self.mask), within(inside, self.mask) * slope

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), saved * g
