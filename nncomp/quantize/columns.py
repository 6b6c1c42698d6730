"""What the methods that go column by column have in common."""

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import check_layer


def check_layer_grid(W: np.ndarray, H: np.ndarray, grid: Grid) -> None:
    """Raise unless H is an (in, in) of inputs' products for weights W (out, in), which lie on `grid`."""
    check_layer(W, H)
    grid.check(W.shape)
