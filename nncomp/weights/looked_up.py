"""Weights of few bits times floats, read as they are stored: a code finds its value in a table that is a register."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nncomp.formats import Grid
from nncomp.kernels.lookup import QUICK, Indices, lookup_matmul, lookup_pack

LEAST = 2**17
"""Weights of a group from which a call of the kernel for each group is worth it."""


@dataclass(frozen=True, eq=False)
class LookedUp:
    """The products of floats with codes (out, in) of at most 4 bits on a grid of float32, group after group.

    >>> from nncomp.formats import Uniform
    >>> grid = Grid(Uniform(4), np.float32([[0.5]]))
    >>> LookedUp.of(np.array([[4, -2]], np.int8), grid)(np.float32([[1, 3]]))
    array([[-1.]], dtype=float32)
    """

    starts: tuple[int, ...]
    words: tuple[Indices, ...]

    @classmethod
    def of(cls, codes: np.ndarray, grid: Grid) -> Self:
        """Of codes in their dtype; their zero points must be one number."""
        low, zero = grid.format.qmin, grid.zeros.flat[0]
        values = (np.arange(low, grid.format.qmax + 1) - zero).astype(np.float32)
        indices = (codes.astype(np.int16) - low).astype(np.uint8)
        width = grid.group or codes.shape[1]
        starts = tuple(range(0, codes.shape[1], width))
        words = (
            lookup_pack(indices[:, start : start + width], values, grid.scale[:, block])
            for block, start in enumerate(starts)
        )
        return cls(starts, tuple(words))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """`x (batch, in) @ W.T`, float32."""
        parts = (lookup_matmul(x[:, at : at + words.inputs], words) for at, words in zip(self.starts, self.words))
        y = next(parts)
        for part in parts:
            y += part
        return y


def looks_up(grid: Grid, shape: tuple[int, int]) -> bool:
    """Whether the kernel runs codes (out, in) on this grid, and faster for few samples than decoded ones run."""
    if grid.scale.dtype != np.float32 or 2**grid.format.bits > QUICK or (grid.zeros != grid.zeros.flat[0]).any():
        return False
    return grid.group is None or shape[0] * grid.group >= LEAST
