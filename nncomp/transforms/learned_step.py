"""Learned step size quantization: the scale is trained along with the weights (Esser et al. 2020)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.ranges import check_values
from nncomp.shown import shown
from nncomp.transforms.coded import Coded, block_counts, block_means, step_size
from nncomp.transforms.masking import within


def steps(v: np.ndarray, low: int, high: int, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where `low < v < high`, and the slope at the scale: `codes - v` there, the code itself beyond (equation 3).

    >>> steps(np.array([0.25, 5.0]), -2, 1, np.array([0.0, 1.0]))
    (array([ True, False]), array([-0.25,  1.  ]))
    """
    inside = (low < v) & (v < high)
    return inside, codes - np.where(inside, v, 0)


@dataclass(frozen=True, eq=False, repr=False)
class LSQ(Coded):
    """`w' = s round(clip(v, -Q_N, Q_P))`, `v = w / s`, the step s trained (equations 1 and 2); ships as `Quantized`.

    `dw = g` where `-Q_N < v < Q_P`, else 0 (equation 5); `ds = c sum of g (round(v) - v)` there, `-Q_N g` or `Q_P g`
    beyond (equation 3), over the n weights that share s. `c = 1 / sqrt(n Q_P)` (section 2.2), without `gradient_scale`
    1. s starts at `2 mean |w| / sqrt(Q_P)`, of zeros at 1; below 0, where two signs turn, it counts as -s.
    -Q_N and Q_P are the ends of a symmetric `format`. What lies up to half a step beyond them is rounded to them, and
    counts as beyond, unlike in `FakeQuantize`. `mask`: True where a weight is kept, and counts; the others are 0.

    >>> transform, w = LSQ(Uniform(bits=2)), np.array([[0.2, -1.0, 0.3]])
    >>> transform.init(w)[0], transform.forward(transform.init(w), w)[0]
    (array([[1.]]), array([[ 0., -1.,  0.]]))
    """

    format: Uniform = Uniform()
    per: Granularity = PerTensor()
    gradient_scale: bool = True
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        if not self.format.symmetric:
            raise ValueError(f"a step is learned about a middle code, symmetric=True, not of {self.format}")

    @property
    def _limits(self) -> tuple[int, int]:
        """-Q_N and Q_P."""
        return self.format.qmin - self.format.middle, self.format.qmax - self.format.middle

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        check_values(w)
        s = 2 * block_means(w, self.per, self.mask) / w.dtype.type(np.sqrt(self._limits[1]))
        return (np.where(s == 0, w.dtype.type(1), s),)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        grid = Grid(self.format, step_size(p[0])[0], group=self.per.group)
        return grid.encode(within(w, self.mask)), grid

    def forward(
        self, p: tuple[np.ndarray, ...], w: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        q, grid = self.codes(p, w)
        with np.errstate(over="ignore"):  # beyond is beyond
            v = w / grid.spread(grid.scale, w.shape[1])
        inside, slope = steps(v, *self._limits, q.astype(w.dtype) - w.dtype.type(self.format.middle))
        c = step_size(p[0])[1]
        if self.gradient_scale:
            c = c / np.sqrt(block_counts(w, self.per, self.mask) * self._limits[1])
        return self.decoded(q, grid), (within(inside, self.mask), within(slope, self.mask), c)

    def vjp(
        self, p: tuple[np.ndarray, ...], saved: tuple[np.ndarray, np.ndarray, np.ndarray], g: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        inside, slope, c = saved
        ds = self.per.reduce(g * slope, np.sum)
        return (c * ds,), np.where(inside, g, 0)
