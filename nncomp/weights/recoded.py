"""The same weight in other codes: whole zero points for the integer kernels, rows times factors for norms folded in."""

from dataclasses import replace

import numpy as np

from nncomp.formats import Grid, Uniform
from nncomp.weights.sparse import Sparse

Codes = np.ndarray | Sparse


def doubled(codes: Codes, steps: np.ndarray, grid: Grid) -> tuple[Codes, Grid] | None:
    """`2 (c - z)` on the grid of half the scale: whole numbers with zero point 0, where zero points z lie halfway.

    `steps`: c - z of each code that is kept. None where 2 z is not whole, or its numbers have more than 16 bits.

    >>> grid = Grid(Uniform(2), np.array([[0.5]]))
    >>> doubled(np.array([[0, 3]], np.uint8), np.array([[-1.5, 1.5]]), grid)
    (array([[-3,  3]], dtype=int8), Grid(scale=[[0.25]], Uniform(bits=3, narrow=True)))
    """
    twice = 2 * steps
    largest = np.abs(twice).max(initial=1)
    if (2 * grid.zeros % 1).any() or largest >= 2**15:
        return None
    format = Uniform(int(largest).bit_length() + 1, narrow=True)
    return _holding(codes, twice.astype(format.dtype)), replace(
        grid, format=format, scale=grid.scale / 2, zero_point=None
    )


def scaled(codes: Codes, grid: Grid, factors: np.ndarray) -> tuple[Codes, Grid]:
    """Row n times `factors[n]`: scales take the sizes, and of negative ones codes change places end to end,

    `c -> qmin + qmax - c`, and so do zero points. Times 0, a row has the least scale there is.

    >>> scaled(np.array([[3], [3]], np.int8), Grid(Uniform(), np.array([[0.5]])), np.array([2.0, -2.0]))
    (array([[ 3],
           [-4]], dtype=int8), Grid(scale=[[1.0], [1.0]], zero_point=[[0], [-1]], Uniform()))
    """
    format, turned = grid.format, factors < 0
    ends = format.qmin + format.qmax
    kept, rows = (codes.values, turned[codes.rows]) if isinstance(codes, Sparse) else (codes, turned[:, None])
    other = np.where(rows, ends - kept.astype(np.int32), kept).astype(codes.dtype)
    scale = np.maximum(grid.scale * np.abs(factors)[:, None], np.finfo(grid.scale.dtype).tiny)
    zero = np.where(turned[:, None], ends - grid.zeros, grid.zeros)
    if grid.zero_point is None and (zero == format.middle).all():
        return _holding(codes, other), replace(grid, scale=scale)
    zero = zero.astype(format.dtype if format.integer_zero else scale.dtype)
    return _holding(codes, other), replace(grid, scale=scale, zero_point=zero)


def _holding(codes: Codes, values: np.ndarray) -> Codes:
    """Others in the places of the codes."""
    return codes.with_params((values,)) if isinstance(codes, Sparse) else values
