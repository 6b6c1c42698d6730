"""Which weights are kept, and the order in which the masked kernels meet them."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

NARROW, WIDE = 64, 2048
"""Columns in a block: what a panel of 8 registers a column keeps in the first cache, or one of 4 in the second."""
NEAR = 256
"""So many rows are neighbours: their sums are found in a cache in any order."""


class Lists(NamedTuple):
    """The kept weights row by row within blocks of columns, so that a block's inputs stay in a cache.

    Neighbouring rows of a block stand in the order of their lengths, so that the processor guesses where each one ends.
    """

    columns: np.ndarray
    """uint16: each weight's column, counted from its block's first."""
    start: np.ndarray
    """int64 (blocks * rows + 1): where each row's weights of each block begin."""
    rows: np.ndarray
    """uint32 (blocks * rows): which row it is."""
    first: np.ndarray
    """int64 (blocks + 1): the first column of each block."""
    registers: int
    """How many registers of samples a panel has at most."""
    place: np.ndarray | None
    """int64: where in the compressed rows each weight is found; None where it stands in its own place."""


class Pattern:
    """Row i keeps the weights `row_start[i]` to `row_start[i + 1]`, at rising `columns[...]` of so many `inputs`.

    >>> Pattern(np.array([0, 2, 0]), np.array([0, 2, 3]), inputs=3).transposed.lists.columns
    array([0, 1, 0], dtype=uint16)
    """

    def __init__(self, columns: np.ndarray, row_start: np.ndarray, inputs: int) -> None:
        self.columns, self.row_start = columns, row_start
        self.shape = row_start.size - 1, inputs
        self._place: np.ndarray | None = None

    @property
    def rows(self) -> np.ndarray:
        """The row of each kept weight."""
        return np.repeat(np.arange(self.shape[0], dtype=np.uint32), np.diff(self.row_start))

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """uint32: row and column of each kept weight."""
        return self.rows, self.columns.astype(np.uint32)

    @cached_property
    def transposed(self) -> "Pattern":
        """The pattern of the transposed matrix, which knows where in this one each weight stands."""
        order = np.argsort(self.columns, kind="stable")
        row_start = np.concatenate([[0], np.cumsum(np.bincount(self.columns, minlength=self.shape[1]))])
        turned = Pattern(self.rows[order], row_start, self.shape[0])
        turned._place = order
        return turned

    @cached_property
    def lists(self) -> Lists:
        """Narrow blocks where a row has enough weights in each, and otherwise as few blocks as possible."""
        outputs, inputs = self.shape
        density = self.columns.size / max(outputs * inputs, 1)
        narrow = density >= 0.075
        width = (NARROW if density >= 0.2 else 2 * NARROW) if narrow else WIDE
        blocks = max(-(-inputs // width), 1)
        first = np.minimum(np.arange(blocks + 1) * width, inputs)
        columns, place, lengths = self.columns.astype(np.uint16, copy=False), self._place, np.diff(self.row_start)
        rows = np.arange(outputs, dtype=np.uint32)
        if blocks > 1:
            row, row_of_each, block = rows.astype(np.intp), self.rows, self.columns.astype(np.intp) // width
            lengths = np.bincount(block * outputs + row_of_each, minlength=blocks * outputs).reshape(blocks, outputs)
            columns = (self.columns - block * width).astype(np.uint16)
            by_length = np.argsort(row // NEAR * (inputs + 1) + lengths, axis=1, kind="stable")
            rank = np.empty_like(by_length)
            np.put_along_axis(rank, by_length, row[None], axis=1)
            order = np.argsort(block * outputs + rank[block, row_of_each], kind="stable")
            columns, place = columns[order], order if place is None else place[order]
            rows, lengths = by_length.astype(np.uint32).ravel(), np.take_along_axis(lengths, by_length, axis=1).ravel()
        start = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return Lists(columns, start, rows, first, 8 if narrow else 4, place)


class Kept(NamedTuple):
    """Kept weights packed for a product: their `values` in the order of the `lists`."""

    values: np.ndarray
    lists: Lists
    outputs: int


def sparse_pack(values: np.ndarray, pattern: Pattern) -> Kept:
    """The `values` of a pattern's kept weights, row by row, in the order of its lists.

    >>> pattern = Pattern(np.array([0, 2, 0]), np.array([0, 2, 3]), inputs=3)
    >>> sparse_pack(np.array([1., 2., 3.]), pattern.transposed).values
    array([1., 3., 2.])
    """
    place = pattern.lists.place
    values = np.ascontiguousarray(values)
    return Kept(values if place is None else values[place], pattern.lists, pattern.shape[0])
