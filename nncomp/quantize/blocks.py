"""Ranges that are found for each block by itself, from its values alone or with the weights of their errors."""

from collections.abc import Callable

import numpy as np

from nncomp.formats.granularity import Granularity
from nncomp.quantize.ranges import check_values


def fit_blocks(
    x: np.ndarray,
    per: Granularity,
    kept: np.ndarray | None,
    fit: Callable[[np.ndarray, np.ndarray], tuple[float, float]],
    importance: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`fit(values, importance) -> (low, high)` of what is `kept` of each block of `x (rows, columns)`, as two arrays.

    `values`: in one dimension and in the dtype of x, brought by a power of two to a largest size between 1/2 and 1, so
    that squares neither overflow nor vanish. A block of nothing but zeros, or pruned altogether, is not fitted: its
    range is 0 to 0. `importance`: 1 for all if None, else shaped as x, or (columns,) the same for each row.

    >>> from nncomp.formats import PerRow
    >>> fit_blocks(np.array([[3.0, -1.0]]), PerRow(), None, lambda values, importance: (0.0, values.mean()))
    (array([[0.]]), array([[1.]]))
    """
    check_values(x)
    counted = np.ones(x.shape, bool) if kept is None else kept
    if counted.shape != x.shape or counted.dtype != bool:
        raise ValueError(f"a mask is boolean of the values' shape {x.shape}, not {counted.dtype} {counted.shape}")
    weights = _spread(importance, x.shape)

    def ends(places: np.ndarray) -> tuple[float, float]:
        places = places[counted.flat[places]]
        values = x.flat[places]
        exponent = int(np.frexp(np.abs(values).max(initial=0))[1])
        if not values.any():
            return 0.0, 0.0
        low, high = fit(np.ldexp(values, -exponent), weights.flat[places])
        with np.errstate(over="ignore"):  # an infinite end is refused where a scale is made of it
            return float(np.ldexp(low, exponent)), float(np.ldexp(high, exponent))

    def of_blocks(places: np.ndarray, axis: int) -> np.ndarray:
        return np.array([ends(block) for block in places])

    both = per.reduce(np.arange(x.size).reshape(x.shape), of_blocks)
    with np.errstate(over="ignore"):
        return both[..., 0].astype(x.dtype), both[..., 1].astype(x.dtype)


def _spread(importance: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """The importance of each value, as float64."""
    if importance is None:
        return np.ones(shape)
    if importance.shape not in (shape, shape[1:]):
        raise ValueError(f"importance is for values of shape {shape} or for their columns, not {importance.shape}")
    return np.broadcast_to(importance, shape).astype(np.float64)
