"""What is asked of a layer's arrays, and of the codes that a method makes of them."""

from typing import Any

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import check_layer, check_weights, described


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


def check_inputs(W: np.ndarray, X: np.ndarray) -> None:
    """Raise unless X is finite floats (samples, in), at least one sample, for weights W (out, in)."""
    check_weights(W)
    floats = isinstance(X, np.ndarray) and X.ndim == 2 and np.issubdtype(X.dtype, np.floating)
    if not floats or X.shape[1] != W.shape[1] or len(X) == 0:
        raise ValueError(f"inputs of weights {W.shape} are floats (samples, {W.shape[1]}), not {described(X)}")
    if not np.isfinite(X).all():
        raise ValueError(f"inputs are finite; of {described(X)}, {int((~np.isfinite(X)).sum())} are not")


def check_vector(v: np.ndarray, length: int, what: str) -> None:
    """Raise unless v is so many finite floats; `what` names them."""
    if not isinstance(v, np.ndarray) or v.shape != (length,) or not np.issubdtype(v.dtype, np.floating):
        raise ValueError(f"{what} are {length} floats, not {described(v)}")
    if not np.isfinite(v).all():
        raise ValueError(f"{what} are finite; of {length}, {int((~np.isfinite(v)).sum())} are not")
