"""Trained quantization thresholds: scales that are powers of two, by a logarithm that trains (Jain et al. 2020)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.ranges import Range, minmax
from nncomp.shown import shown
from nncomp.transforms.coded import Coded
from nncomp.transforms.masking import within


@dataclass(frozen=True, eq=False, repr=False)
class TQT(Coded):
    """`w' = s clip(round(w / s))`, `s = 2^(ceil(log2 t) - bits + 1)`, log2 t trained; ships as `Quantized`.

    Straight through ceil and round (section 3): `dw = g` where the code is not clipped, else 0, and
    `dlog2 t = s ln 2 sum of g (round(w / s) - w / s)` there, of g times the code where it is clipped. t starts at the
    largest size in the range that `ranges` gives of the weights which share it, as minmax or three `Deviations` do; of
    zeros at 1. `mask`: True where a weight is kept.

    >>> transform = TQT(Uniform(bits=3))
    >>> transform.forward((np.log2([[3.0]]),), np.array([[0.6, -2.0, 9.0]]))[0]  # s = 4 / 4
    array([[ 1., -2.,  3.]])
    """

    format: Uniform = Uniform()
    per: Granularity = PerTensor()
    ranges: Range = minmax
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        if not self.format.symmetric:
            raise ValueError(f"a threshold is trained about a middle code, symmetric=True, not of {self.format}")

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        low, high = self.ranges(within(w, self.mask), self.per, self.mask)
        t = np.maximum(-low, high)
        return (np.log2(np.where(t > 0, t, w.dtype.type(1))),)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        limits = np.finfo(w.dtype)
        exponent = np.clip(np.ceil(p[0]) - (self.format.bits - 1), limits.minexp, limits.maxexp - 1)
        grid = Grid(self.format, np.ldexp(w.dtype.type(1), exponent.astype(np.int32)), group=self.per.group)
        return grid.encode(within(w, self.mask)), grid

    def forward(
        self, p: tuple[np.ndarray, ...], w: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        q, grid = self.codes(p, w)
        with np.errstate(over="ignore"):  # beyond is beyond
            v = w / grid.spread(grid.scale, w.shape[1])
        inside = within(grid.inside(w), self.mask)
        slope = q.astype(w.dtype) - w.dtype.type(self.format.middle) - np.where(inside, v, 0)
        return self.decoded(q, grid), (inside, within(slope, self.mask), grid.scale)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: tuple[np.ndarray, np.ndarray, np.ndarray], g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        inside, slope, s = saved
        return (s * g.dtype.type(np.log(2)) * self.per.reduce(g * slope, np.sum),), np.where(inside, g, 0)
