"""Learned steps for inputs, without and with a learned offset: LSQ and LSQ+ on activations."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from nncomp.formats import Grid, Uniform
from nncomp.shown import shown
from nncomp.transforms.coded import step_size
from nncomp.transforms.learned_step import steps
from nncomp.transforms.trained_input import TrainedInput, check_trained


@dataclass(frozen=True, eq=False, repr=False)
class LearnedStep(TrainedInput):
    """`x' = s (clip(round(x / s) + zero) - zero)`, s trained: LSQ on activations (Esser et al. 2020).

    Gradients are those of the transform `LSQ`, as is what a step below 0 counts as, with `v = x / s` and -Q_N and Q_P
    the ends of the codes less `zero`, one code (1, 1), or None for the middle one. `gradient_scale`: `ds` times `1 /
    sqrt(n Q_P)`, n being the features of x.

    >>> quantizer, x = LearnedStep(Uniform(3), np.array([[2.0]])), np.array([[2.5, 9.0]])
    >>> quantizer.store().fake(x)[0], quantizer.vjp(x, np.array([[1.0, 1.0]]))[0]
    (array([[2., 6.]]), array([[1., 0.]]))
    """

    format: Uniform
    s: np.ndarray
    zero: np.ndarray | None = None
    gradient_scale: bool = True

    __repr__ = shown

    def __post_init__(self) -> None:
        check_trained(self.format, self.s)
        self.store()

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.s,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, s=params[0])

    def store(self) -> Grid:
        return Grid(self.format, step_size(self.s)[0], self.zero)

    def vjp(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        grid = self.store()
        zero = int(grid.zeros[0, 0])
        inside, slope = steps(*positions(grid, x, zero))
        c = scaling(x, self.format.qmax - zero) if self.gradient_scale else 1
        return np.where(inside, g, 0), (c * (g * slope).sum(keepdims=True) * step_size(self.s)[1],)


@dataclass(frozen=True, eq=False, repr=False)
class LearnedOffset(TrainedInput):
    """`x' = s round(clip((x - beta) / s, 0, 2^bits - 1)) + beta`, s and beta trained: LSQ+ (Bhalgat et al. 2020).

    beta counts as the nearest multiple of s that has a code for 0, straight through, so that x' lies on a `Grid`. With
    `v = (x - beta) / s` inside: `dx = g`, `ds` the sum of `g (round(v) - v)`; beyond: `ds` that of g times the code,
    counted from 0, `dbeta` that of g (section 3). `gradient_scale`: ds times `1 / sqrt(n Q_P)`, n being the features
    of x. An s below 0 counts as -s.

    >>> format = Uniform(2, signed=False, symmetric=False)
    >>> quantizer, x = LearnedOffset(format, np.array([[1.0]]), np.array([[-1.2]])), np.array([[0.4, -9.0, 9.0]])
    >>> quantizer.store().fake(x)[0], quantizer.vjp(x, np.array([[1.0, 2.0, 5.0]]))[1][1]
    (array([[ 0., -1.,  2.]]), array([[7.]]))
    """

    format: Uniform
    s: np.ndarray
    beta: np.ndarray
    gradient_scale: bool = True

    __repr__ = shown

    def __post_init__(self) -> None:
        check_trained(self.format, self.s, self.beta)
        if self.format.symmetric:
            raise ValueError(f"an offset moves the zero point: symmetric=False, not {self.format}")

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.s, self.beta)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, s=params[0], beta=params[1])

    def store(self) -> Grid:
        s, format = step_size(self.s)[0], self.format
        with np.errstate(over="ignore"):  # beyond is at the end
            zero = np.clip(format.rounding(format.qmin - self.beta / s), format.qmin, format.qmax)
        return Grid(format, s, zero.astype(format.dtype))

    def vjp(self, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        grid, format = self.store(), self.format
        zero, codes = int(grid.zeros[0, 0]), format.qmax - format.qmin
        v, low, high, q = positions(grid, x, zero)
        inside, slope = steps(v, low, high, q)
        slope = np.where(inside, slope, q - low)
        c = scaling(x, codes) if self.gradient_scale else 1
        ds, dbeta = (g * slope).sum(keepdims=True) * step_size(self.s)[1], g.sum(where=~inside, keepdims=True)
        return np.where(inside, g, 0), (c * ds, dbeta)


def positions(grid: Grid, x: np.ndarray, zero: int) -> tuple[Any, ...]:
    """`x / s`, the first and the last code less `zero`, and x's own code less it."""
    with np.errstate(over="ignore"):  # beyond is beyond
        v = x / grid.scale
    return v, grid.format.qmin - zero, grid.format.qmax - zero, grid.encode(x).astype(x.dtype) - x.dtype.type(zero)


def scaling(x: np.ndarray, Q_P: int) -> Any:
    """`1 / sqrt(n Q_P)` for x (batch, n); where no code lies above 0, as if one did."""
    return x.dtype.type(1 / np.sqrt(x.shape[1] * max(Q_P, 1)))


def learned_step(grid: Grid, gradient_scale: bool = True) -> LearnedStep:
    """`LearnedStep` that starts as a calibrated grid, whose zero point it keeps.

    >>> learned_step(Grid(Uniform(), np.array([[0.5]])))
    LearnedStep(format=Uniform(), s=array([[0.5]]))
    """
    return LearnedStep(grid.format, grid.scale, grid.zero_point, gradient_scale)


def learned_offset(grid: Grid, gradient_scale: bool = True) -> LearnedOffset:
    """`LearnedOffset` that starts as a calibrated grid.

    >>> learned_offset(Grid(Uniform(symmetric=False), np.array([[0.5]]), np.array([[28]], np.int8))).beta
    array([[-78.]])
    """
    beta = grid.scale * (grid.format.qmin - grid.zeros).astype(grid.scale.dtype)
    return LearnedOffset(grid.format, grid.scale, beta, gradient_scale)
