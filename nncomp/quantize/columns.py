"""What is asked of a layer's arrays, and of the codes that a method makes of them."""

from typing import Any

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import check_layer, described


def check_layer_grid(W: np.ndarray, H: np.ndarray, grid: Grid) -> None:
    """Raise unless H is an (in, in) of inputs' products for weights W (out, in), which lie on `grid`."""
    check_layer(W, H)
    grid.check(W.shape)


def check_codes(q: Any, shape: tuple[int, ...], grid: Grid, told: str) -> None:
    """Raise unless q is codes of `grid` for weights of a shape; `told`: who made them."""
    format = grid.format
    if not isinstance(q, np.ndarray) or (q.shape, q.dtype) != (shape, format.dtype):
        raise ValueError(f"{told}: codes are {format.dtype} {shape}, not {described(q)}")
    if not format.qmin <= q.min() <= q.max() <= format.qmax:
        raise ValueError(f"{told}: codes from {q.min()} to {q.max()} leave {format}: {format.qmin} to {format.qmax}")
