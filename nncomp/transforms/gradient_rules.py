"""Fake quantization whose gradient depends on how far a weight lies from its code."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.shown import shown
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import within


def check_delta(delta: float) -> None:
    """Raise unless gradients can be scaled by it."""
    if not 0 <= delta < np.inf:
        raise ValueError(f"gradients are scaled by a delta of at least 0, not {delta}")


def check_alpha(alpha: float) -> None:
    """Raise unless it is between a line and a step."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")


def soft_step(d: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The slopes of `tanh(k d) / (2 (1 - alpha))`, `k = log(2 / alpha - 1)`, at d and at alpha (Gong et al. 2019).

    It rises by 1 for d from -1/2 to 1/2, the way from code to code.

    >>> [a.round(3) for a in soft_step(np.array([0.0, 0.5]), 0.2)]
    [array([1.373, 0.494]), array([0., 0.])]
    """
    k, whole = np.log(2 / alpha - 1), 1 - alpha
    tanh = np.tanh(d.dtype.type(k) * d)
    near = 1 - tanh**2
    by_alpha = tanh / d.dtype.type(2 * whole**2) - d * near * d.dtype.type(1 / (alpha * (2 - alpha) * whole))
    return d.dtype.type(k / (2 * whole)) * near, by_alpha


@dataclass(frozen=True, eq=False, repr=False)
class EWGS(FakeQuantize):
    """`FakeQuantize` with element-wise gradient scaling: `dw = g (1 + delta sign(g) (x_n - x_q))` (Lee et al. 2021).

    That is equation 4, inside; beyond, 0. x_n and x_q are w and w' as shares of the range of codes, from 0 to 1. A
    gradient that draws a weight back towards its code counts more; with `delta=0` it is the straight-through estimator.
    The range is fitted, not trained: see `TrainedEWGS`.

    >>> rule, w = EWGS(delta=100.0), np.array([[0.4, 254.0]])
    >>> rule.vjp((), rule.forward((), w)[1], np.array([[1.0, 1.0]]))[1].round(3)  # 1 + 100 (0.2 / 255)
    array([[1.078, 1.   ]])
    """

    delta: float = 1e-3

    __repr__ = shown

    def __post_init__(self) -> None:
        check_delta(self.delta)

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
    straight-through estimator; for alpha near 0 the step that rounding is. The range is
    fitted, and alpha fixed: see `TrainedDSQ`.

    >>> rule, w = DSQ(alpha=0.2), np.array([[0.5, 1.0, 127.0]])
    >>> rule.vjp((), rule.forward((), w)[1], np.array([[1.0, 1.0, 1.0]]))[1].round(3)
    array([[1.373, 0.494, 0.494]])
    """

    alpha: float = 0.2

    __repr__ = shown

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grid = self._grid(w)
        effective, inside = grid.fake(within(w, self.mask))
        scale, zeros = (grid.spread(a, w.shape[1]) for a in (grid.scale, grid.zeros.astype(w.dtype)))
        v = within(w, self.mask) / scale + zeros
        slope, _ = soft_step(v - np.floor(v) - w.dtype.type(0.5), self.alpha)
        return within(effective, self.mask), within(inside, self.mask) * slope

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), saved * g
