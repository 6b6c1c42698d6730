"""Round to nearest: the simplest quantizer and the measure of all others."""

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.ranges import Range, minmax


def fit_grid(
    x: np.ndarray, format: Uniform, per: Granularity, ranges: Range = minmax, kept: np.ndarray | None = None
) -> Grid:
    """The grid of `format` that covers the range of `x (rows, columns)`, or of what is `kept` of it.

    >>> from nncomp.formats import PerRow, Uniform
    >>> fit_grid(np.array([[-1.27, 0.5]]), Uniform(), PerRow()).scale
    array([[0.01]])
    """
    return Grid.covering(format, *ranges(x, per, kept), group=per.group)


def round_to_nearest(
    W: np.ndarray, format: Uniform | None = None, per: Granularity | None = None, ranges: Range = minmax
) -> tuple[np.ndarray, Grid]:
    """Codes of `W (out, in)` on the grid fitted to it: symmetric int8 with a scale per row if nothing is said.

    >>> codes, grid = round_to_nearest(np.array([[1.0, -0.26], [127.0, 3.4]]))
    >>> codes, grid.scale.round(4)
    (array([[127, -33],
           [127,   3]], dtype=int8), array([[0.0079],
           [1.    ]]))
    """
    grid = fit_grid(W, format or Uniform(), per or PerRow(), ranges)
    return grid.encode(W), grid
