"""Straight-through fake quantization: train a weight as it will be stored."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax
from nncomp.transforms.coded import Coded
from nncomp.transforms.masking import within


@dataclass(frozen=True, eq=False)
class FakeQuantize(Coded):
    """`w' = decode(encode(w))` on the grid fitted to the current w; ships as `Quantized`.

    The gradient is the clipped straight-through estimator (Bengio et al. 2013; Jacob et al. 2018, section 3): `dw = g`
    where encoding does not saturate, 0 where it does. It is the true derivative of the surrogate `w + r` inside and of
    a constant outside, with the rounding residue `r = w' - w` and the grid held constant. `mask`: True where a weight
    is kept; the others are 0, get no gradient, and are absent from the stored codes.

    >>> transform = FakeQuantize(Uniform(bits=2))
    >>> transform.forward((), np.array([[0.2, -1.0, 0.4]]))[0]
    array([[ 0., -1.,  0.]])
    """

    format: Uniform = Uniform()
    per: Granularity = PerRow()
    ranges: Range = minmax
    mask: np.ndarray | None = None

    def _grid(self, w: np.ndarray) -> Grid:
        return fit_grid(within(w, self.mask), self.format, self.per, self.ranges, self.mask)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        grid = self._grid(w)
        return grid.encode(within(w, self.mask)), grid

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        effective, inside = self._grid(w).fake(within(w, self.mask))
        return within(effective, self.mask), within(inside, self.mask)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: np.ndarray, g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), np.where(saved, g, 0)
