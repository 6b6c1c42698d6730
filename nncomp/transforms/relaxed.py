"""Relaxed quantization: weights drawn ever closer to their codes while they train, and onto them at the end."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid
from nncomp.prune.checks import check_ramp
from nncomp.shown import shown
from nncomp.transforms.binary import XNOR, BinaryConnect
from nncomp.transforms.coded import stored
from nncomp.transforms.dorefa import DoReFa
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import Maskable, within
from nncomp.transforms.ternary import TWN
from nncomp.weights import Dense, Quantized, Sparse

Onto = FakeQuantize | DoReFa | BinaryConnect | XNOR | TWN


class Relaxed(Maskable):
    """w' lies between w and what codes stand for, and on that where p, how far a training is on its ramp, is 1.

    The hook `Timed` tells p; before its end a weight ships in floats. Straight through, with gradients taken at w':
    `dw = g`.
    """

    onto: Onto
    ramp: float

    def _check(self) -> None:
        check_ramp(self.ramp)
        if self.onto.mask is not None:
            raise ValueError(f"the mask is that of {type(self).__name__}, not of {self.onto!r}")

    def codes(self, w: np.ndarray) -> tuple[np.ndarray, Grid]:
        """Where the weights end: integers (out, in), and what they stand for."""
        onto = self.onto if self.mask is None else self.onto.masked(self.mask)
        return onto.codes((), w)

    def between(self, w: np.ndarray, q: np.ndarray, grid: Grid, done: float) -> np.ndarray:
        """w' where p is `done`, below 1, of the codes q."""
        raise NotImplementedError

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        return (np.zeros(1, w.dtype),)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, None]:
        (q, grid), done = self.codes(w), float(p[0][0])
        return within(grid.decode(q) if done >= 1 else self.between(w, q, grid, done), self.mask), None

    def vjp(self, p: tuple[np.ndarray, ...], saved: None, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (np.zeros_like(p[0]),), within(g, self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Quantized | Dense | Sparse:
        if p[0][0] >= 1:
            return stored(*self.codes(w), self.mask)
        effective = self.forward(p, w)[0]
        return Dense(effective) if self.mask is None else Sparse.from_dense(effective, self.mask)


@dataclass(frozen=True, eq=False, repr=False)
class BinaryRelax(Relaxed):
    """`w' = (w + lambda q(w)) / (1 + lambda)`, then q(w): what `onto` makes of w (Yin et al. 2018); ships as `onto`.

    That is where `|w' - w|^2 + lambda |w' - q(w)|^2` is least. lambda grows from `first` to `last`, by the same factor
    in each update, over the first `ramp` of a training; after that w' is q(w). p is how far that is, and the hook
    `Timed` tells it; before its end the weight ships in floats. Straight through, with gradients taken at w': `dw = g`.
    `mask`: True where a weight is kept; the others are 0.

    >>> relaxed, w = BinaryRelax(TWN(), first=1.0), np.array([[0.0, -1.2, 0.8]])
    >>> relaxed.forward((np.zeros(1),), w)[0], relaxed.forward((np.ones(1),), w)[0]
    (array([[ 0. , -1.1,  0.9]]), array([[ 0., -1.,  1.]]))
    """

    onto: Onto = XNOR()
    first: float = 1.0
    last: float = 100.0
    ramp: float = 0.8
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.onto, Onto):
            raise ValueError(f"weights are drawn onto codes without a trained scale, not by {self.onto!r}")
        self._check()
        if not 0 < self.first <= self.last < np.inf:
            raise ValueError(f"lambda grows from above 0, not from {self.first} to {self.last}")

    def between(self, w: np.ndarray, q: np.ndarray, grid: Grid, done: float) -> np.ndarray:
        strength = self.first * (self.last / self.first) ** done
        onto = within(grid.decode(q), self.mask)
        return (w + w.dtype.type(strength) * onto) / w.dtype.type(1 + strength)
