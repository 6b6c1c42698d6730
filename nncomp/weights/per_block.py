"""A value of each block of weights that share a scale, spread over their codes; and summed back."""

import numpy as np

from nncomp.formats import Grid
from nncomp.weights.packed import PackedCodes
from nncomp.weights.sparse import Sparse


def per_code(block_values: np.ndarray, codes: np.ndarray | Sparse | PackedCodes, grid: Grid) -> np.ndarray:
    """One value per block -> one per code that is kept, or an array that broadcasts so.

    >>> from nncomp.formats import Uniform
    >>> grid = Grid(Uniform(), np.array([[0.5, 2.0]]), group=2)
    >>> per_code(grid.scale, np.zeros((1, 3), np.int8), grid)
    array([[0.5, 0.5, 2. ]])
    """
    if not isinstance(codes, Sparse):
        return grid.spread(block_values, codes.shape[1])
    row = codes.rows if block_values.shape[0] > 1 else 0
    return block_values[row, _block_of(codes, grid)]


def by_block(values: np.ndarray, codes: np.ndarray | Sparse | PackedCodes, grid: Grid) -> np.ndarray:
    """One value per code that is kept -> their sums, shaped like the scales: the transpose of `per_code`.

    >>> from nncomp.formats import Uniform
    >>> grid = Grid(Uniform(), np.array([[0.5, 2.0]]), group=2)
    >>> by_block(np.array([[1.0, 2.0, 4.0]]), np.zeros((1, 3), np.int8), grid)
    array([[3., 4.]])
    """
    (rows, columns), blocks = codes.shape, grid.scale.shape[1]
    if isinstance(codes, Sparse):
        block = codes.rows * blocks + _block_of(codes, grid)
        sums = np.bincount(block, values, rows * blocks).reshape(rows, blocks).astype(values.dtype)
    else:
        sums = np.add.reduceat(values, range(0, columns, grid.group or columns), axis=1)
    return sums if grid.scale.shape[0] == rows else sums.sum(axis=0, keepdims=True)


def _block_of(codes: Sparse, grid: Grid) -> np.ndarray | int:
    return 0 if grid.group is None else codes.columns.astype(np.intp) // grid.group
