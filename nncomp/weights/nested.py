"""A sparse set that learns, and within it the sparser one that takes part: Top-KAST's forward and backward sets."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nncomp.prune import keep_largest
from nncomp.weights.sparse import Sparse


@dataclass(frozen=True, eq=False)
class Nested(Sparse):
    """W holds the `part` largest of the stored values; every stored one gets a gradient, as if it took part.

    Straight through: `dvalues = dy.T x` at all of them, so that one that does not take part can grow until it does
    (Jayakumar et al. 2020, section 2). `store` keeps those that do, as `Sparse`.

    >>> w = Nested.within(np.array([[3.0, -0.5, 0.1]]), np.array([[True, True, False]]), part=1)
    >>> w.values, w.dense()
    (array([ 3. , -0.5]), array([[3., 0., 0.]]))
    """

    part: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.part, int) or not 0 <= self.part <= self.values.size:
            raise ValueError(f"of {self.values.size} values from 0 to all take part, not {self.part}")

    @classmethod
    def within(cls, w: np.ndarray, mask: np.ndarray, part: int) -> Self:
        """Store `w (out, in)` where `mask` is True."""
        stored = Sparse.from_dense(w, mask)
        return cls(stored.values, stored.columns, stored.row_start, stored.inputs, part)

    @cached_property
    def largest(self) -> np.ndarray:
        """Which of the values take part."""
        return keep_largest(np.abs(self.values), 1 - self.part / max(self.values.size, 1))

    @cached_property
    def taken(self) -> np.ndarray:
        return np.where(self.largest, self.values, self.values.dtype.type(0))

    @property
    def multiply_adds(self) -> int:
        return self.part

    def store(self) -> Sparse:
        """Those that take part."""
        mask = self.mask
        mask[self.rows, self.columns] = self.largest
        return Sparse.from_dense(self.dense(), mask)

    def masked(self, mask: np.ndarray) -> Sparse:  # type: ignore[override]
        return self.store().masked(mask)

    def column_block(self, start: int, stop: int) -> Sparse:  # type: ignore[override]
        return self.store().column_block(start, stop)
