"""Input quantizers that train along with their layer, and PACT, which trains where inputs are clipped."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nncomp.formats import Grid, Uniform
from nncomp.shown import shown
from nncomp.transforms.coded import positive


class TrainedInput:
    """A grid for a layer's inputs made of arrays that train; it ships as that `Grid`, which is what training sees."""

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """The trainable arrays, each (1, 1)."""
        raise NotImplementedError

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        """The same holding other `params`."""
        raise NotImplementedError

    def store(self) -> Grid:
        """The grid as it is now."""
        raise NotImplementedError

    def vjp(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """`(dx, dparams)` at the inputs x from the gradient g at what `fake` makes of them."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, a zero point that is held among them."""
        return sum(field.nbytes for field in vars(self).values() if isinstance(field, np.ndarray))

    def grid_for(self, x: np.ndarray) -> Grid:
        """The grid, whatever the input."""
        return self.store()


def check_trained(format: Uniform, *params: np.ndarray) -> None:
    """Raise unless these are floats (1, 1), for a zero point that is a code."""
    if any(p.shape != (1, 1) or p.dtype not in (np.float32, np.float64) for p in params):
        raise ValueError(f"an input's range trains as floats (1, 1), not {[(str(p.dtype), p.shape) for p in params]}")
    if not format.integer_zero:
        raise ValueError("an input's zero point is a code: integer_zero=True")


@dataclass(frozen=True, eq=False, repr=False)
class PACT(TrainedInput):
    """`x' = s round(clip(x, 0, alpha) / s)`, `s = alpha / (2^bits - 1)`, alpha trained (Choi et al. 2018, eq. 1 and 2).

    For inputs that are not negative, as those from a ReLU. alpha moves where it cuts some off, or under weight decay.
    Straight through the rounding: `dx = g` where `0 <= x < alpha`, else 0; `dalpha` is the sum of g where
    `x >= alpha` (equation 3).

    >>> quantizer, x = PACT(Uniform(2, signed=False, symmetric=False), np.array([[3.0]])), np.array([[1.4, -1.0, 9.0]])
    >>> quantizer.store().fake(x)[0], quantizer.vjp(x, np.array([[1.0, 2.0, 5.0]]))
    (array([[1., 0., 3.]]), (array([[1., 0., 0.]]), (array([[5.]]),)))
    """

    format: Uniform
    alpha: np.ndarray

    __repr__ = shown

    def __post_init__(self) -> None:
        check_trained(self.format, self.alpha)
        if self.format.symmetric:
            raise ValueError(f"PACT's codes start at 0: symmetric=False, not {self.format}")

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.alpha,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, alpha=params[0])

    def store(self) -> Grid:
        codes = self.format.qmax - self.format.qmin
        zero = np.full((1, 1), self.format.qmin, self.format.dtype)
        return Grid(self.format, positive(self.alpha / self.alpha.dtype.type(codes)), zero)

    def vjp(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        beyond = x >= self.alpha
        return np.where((x >= 0) & ~beyond, g, 0), (g.sum(where=beyond, keepdims=True),)


def pact(grid: Grid) -> PACT:
    """`PACT` that starts at the largest value of a calibrated grid.

    >>> pact(Grid(Uniform(8, signed=False, symmetric=False), np.array([[0.5]]), np.array([[55]], np.uint8))).alpha
    array([[100.]])
    """
    return PACT(grid.format, grid.scale * (grid.format.qmax - grid.zeros).astype(grid.scale.dtype))
