"""How many weights share a scale: all of them, each row or column, or each group of columns in a row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PerTensor:
    """One scale for the whole array: shape (1, 1).

    >>> PerTensor().reduce(np.array([[1, -3], [2, 0]]), np.max)
    array([[2]])
    """

    group = None

    def reduce(self, x: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
        """`statistic(values, axis=1)` of each block of `x (rows, columns)`, as an array shaped like the scales."""
        return statistic(x.reshape(1, -1), axis=1)[:, None]


@dataclass(frozen=True)
class PerRow:
    """One scale for each row, that is for each output of a layer: shape (rows, 1).

    >>> PerRow().reduce(np.array([[1, -3], [2, 0]]), np.max)
    array([[1],
           [2]])
    """

    group = None

    def reduce(self, x: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
        """As `PerTensor.reduce`."""
        return statistic(x, axis=1)[:, None]


@dataclass(frozen=True)
class PerGroup:
    """One scale for every `group` columns of each row, the last group the rest: shape (rows, ceil(columns / group)).

    >>> PerGroup(2).reduce(np.array([[1, -3, 5], [2, 0, 7]]), np.max)
    array([[1, 5],
           [2, 7]])
    """

    group: int

    def __post_init__(self) -> None:
        if not isinstance(self.group, int) or self.group < 1:
            raise ValueError(f"a group has a whole number of columns, at least one, not {self.group}")

    def reduce(self, x: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
        """As `PerTensor.reduce`."""
        blocks = [x[:, start : start + self.group] for start in range(0, x.shape[1], self.group)]
        return np.stack([statistic(block, axis=1) for block in blocks], axis=1)


@dataclass(frozen=True)
class PerColumn:
    """One scale for each column, that is for each input of a layer: shape (1, columns).

    >>> PerColumn().reduce(np.array([[1, -3], [2, 0]]), np.max)
    array([[2, 0]])
    """

    group = 1

    def reduce(self, x: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
        """As `PerTensor.reduce`."""
        return statistic(x.T, axis=1)[None]


def block_sizes(x: np.ndarray, size: int) -> np.ndarray:
    """The largest |x| of every `size` neighbours in a row, (rows, blocks); a ValueError unless x is finite floats.

    >>> block_sizes(np.array([[1.0, -3.0, 2.0]]), 2)
    array([[3., 2.]])
    """
    if x.ndim != 2 or not np.issubdtype(x.dtype, np.floating) or not np.isfinite(x).all():
        raise ValueError(f"blocks are of finite floats (rows, columns), not {x.dtype} {x.shape}")
    return PerGroup(size).reduce(np.abs(x), np.max)


def spread(per_block: np.ndarray, size: int, columns: int) -> np.ndarray:
    """One value for each block -> one for each column.

    >>> spread(np.array([[3.0, 2.0]]), 2, 3)
    array([[3., 3., 2.]])
    """
    return np.repeat(per_block, size, axis=1)[:, :columns]


Granularity = PerTensor | PerRow | PerColumn | PerGroup
