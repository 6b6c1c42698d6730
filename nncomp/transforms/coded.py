"""Weights that lie on a uniform grid while they train, and ship as its codes."""

import numpy as np

from nncomp.formats import Grid
from nncomp.formats.granularity import Granularity
from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Quantized, Sparse


class Coded(Maskable):
    """A transform that says which codes on which grid; w' is what they stand for, and they ship as `Quantized`."""

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        """Integers (out, in), and what they stand for."""
        raise NotImplementedError

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return ()

    def decoded(self, codes: np.ndarray, grid: Grid) -> np.ndarray:
        """w'."""
        return within(grid.decode(codes), self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Quantized:
        return stored(*self.codes(p, w), self.mask)


def stored(codes: np.ndarray, grid: Grid, mask: np.ndarray | None) -> Quantized:
    """Codes (out, in) as they ship, with a mask those alone where it is True.

    >>> from nncomp.formats import Uniform
    >>> codes, grid = np.array([[1, 0]], np.int8), Grid(Uniform(), np.ones((1, 1)))
    >>> stored(codes, grid, np.array([[True, False]])).codes.multiply_adds
    1
    """
    return Quantized.of(codes, grid) if mask is None else Quantized(Sparse.from_dense(codes, mask), grid)


def positive(scale: np.ndarray) -> np.ndarray:
    """The scale, or where it is less the least one that has normal numbers for its products, the smallest over eps.

    >>> positive(np.array([-1.0, 0.0, 0.5]))[1:] > 0
    array([ True,  True])
    """
    limits = np.finfo(scale.dtype)
    return np.maximum(scale, limits.tiny / limits.eps)


def step_size(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A trained step as a grid has it, `positive(|s|)`, and its slope at s: -1 where s is below 0, else 1.

    Below 0, `s round(w / s)` is what it is at -s, since both signs turn; so a step that an update takes across 0, as
    one of Adam's can, goes on on the other side. Limited to a step next to nothing, its weights would all lie beyond
    the codes, get no gradient, and be 0 from then on.

    >>> step_size(np.array([[-0.5], [0.25]]))
    (array([[0.5 ],
           [0.25]]), array([[-1.],
           [ 1.]]))
    """
    return positive(np.abs(s)), np.where(s < 0, s.dtype.type(-1), s.dtype.type(1))


def block_counts(w: np.ndarray, per: Granularity, mask: np.ndarray | None) -> np.ndarray:
    """How many weights are kept of those that share a scale, at least 1, in the dtype and shape of the scales.

    >>> from nncomp.formats import PerRow
    >>> block_counts(np.ones((2, 3)), PerRow(), np.array([[True, True, False], [False] * 3]))
    array([[2.],
           [1.]])
    """
    return np.maximum(per.reduce(within(np.ones_like(w), mask), np.sum), 1)


def block_means(w: np.ndarray, per: Granularity, mask: np.ndarray | None) -> np.ndarray:
    """The mean |w| of the weights that are kept of those that share a scale, shaped like the scales; of none, 0.

    >>> from nncomp.formats import PerTensor
    >>> block_means(np.array([[1.0, -3.0, 9.0]]), PerTensor(), np.array([[True, True, False]]))
    array([[2.]])
    """
    return per.reduce(np.abs(within(w, mask)), np.sum) / block_counts(w, per, mask)
