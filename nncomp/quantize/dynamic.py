"""Dynamic quantization: the grid is fitted to each input as it comes."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid, PerRow, PerTensor, Uniform
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class Dynamic:
    """An input quantizer without calibration: each sample its own grid (per row), or one for the batch (per tensor).

    >>> Dynamic(Uniform()).grid_for(np.array([[127.0, 1.0], [1.0, 254.0]])).scale
    array([[1.],
           [2.]])
    """

    format: Uniform
    per: PerRow | PerTensor = PerRow()
    ranges: Range = minmax

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.per, PerRow | PerTensor):
            raise ValueError(f"inputs have a grid per row or per tensor, not {self.per}")
        if not self.format.integer_zero:
            raise ValueError("an input's zero point is a code: integer_zero=True")

    def grid_for(self, x: np.ndarray) -> Grid:
        """The grid that covers `x (batch, features)`."""
        if x.shape[0] == 0:
            return Grid(self.format, np.ones((1, 1), x.dtype))
        return fit_grid(x, self.format, self.per, self.ranges)
