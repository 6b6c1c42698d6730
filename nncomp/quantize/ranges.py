"""The range a grid has to cover: values in, `(low, high)` out, one pair per scale."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncomp.formats.granularity import Granularity

Range = Callable[[np.ndarray, Granularity, np.ndarray | None], tuple[np.ndarray, np.ndarray]]
"""`(values, granularity, mask or None) -> (low, high)`; what the mask leaves out is pruned and does not count."""


def minmax(x: np.ndarray, per: Granularity, kept: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest value of each block of `x (rows, columns)`, a pruned one being 0.

    A grid fitted to this range saturates at most by half a step (where the zero point was rounded, or the scale rule
    divides by more than the largest code).

    >>> from nncomp.formats import PerRow
    >>> minmax(np.array([[1.0, -2.0], [3.0, 4.0]]), PerRow())
    (array([[-2.],
           [ 3.]]), array([[1.],
           [4.]]))
    """
    check_values(x)
    return per.reduce(x, np.min), per.reduce(x, np.max)


@dataclass(frozen=True)
class Percentile:
    """The values that `100 - percent` and `percent` per cent of each block lie below, interpolated linearly.

    Pruned weights are not counted: of a layer that keeps one in twenty, the 95th percentile of all is 0.

    >>> from nncomp.formats import PerTensor
    >>> Percentile(90.0)(np.arange(101.0)[None], PerTensor())
    (array([[10.]]), array([[90.]]))
    """

    percent: float

    def __post_init__(self) -> None:
        if not 50 <= self.percent <= 100:
            raise ValueError(f"an upper percentile is between 50 and 100, not {self.percent}")

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        check_values(x)
        counted = x if kept is None else np.where(kept, x, np.nan)
        low, high = (per.reduce(counted, self._at(p)) for p in (100 - self.percent, self.percent))
        return low, high

    @staticmethod
    def _at(percent: float) -> Callable[..., np.ndarray]:
        def at(block: np.ndarray, axis: int) -> np.ndarray:
            empty = np.isnan(block).all(axis=axis, keepdims=True)  # all pruned: a range of nothing but 0
            return np.nanpercentile(np.where(empty, 0, block), percent, axis=axis).astype(block.dtype)

        return at


def check_values(x: np.ndarray) -> None:
    """Raise unless `x` is a float array (rows, columns) of finite values, and not empty."""
    if x.ndim != 2 or x.size == 0 or not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"a range needs a float array (rows, columns) with values, not {x.dtype} of shape {x.shape}")
    if not np.isfinite(x).all():
        where = tuple(np.argwhere(~np.isfinite(x))[0].tolist())
        raise ValueError(f"values of shape {x.shape} hold {x[where]} at {where}: no grid covers it")
