"""EWGS and DSQ as their papers train them: the interval that weights are quantized in is learned along with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.fields import check_whole
from nncomp.formats import Grid, PerTensor
from nncomp.quantize.ranges import check_values
from nncomp.shown import shown
from nncomp.transforms.binary import levels
from nncomp.transforms.coded import Coded, block_counts, block_means, positive, step_size
from nncomp.transforms.gradient_rules import check_alpha, check_delta, soft_step
from nncomp.transforms.masking import within

LEAST_ALPHA = 1e-3  # where rounding is a step for all that floats can tell; as far from 1, where it is a line


class Interval(Coded):
    """Codes for an interval from l to u, the first two of p, each (1, 1), with a code at either end.

    Ends that updates have taken past each other are those of the same interval, each in the other's place. It starts at
    three times the root mean square of the weights, about 0, as the code of Lee et al. (2021) has it.
    """

    bits: int

    @property
    def n(self) -> int:
        """The largest code; the first is 0."""
        return 2**self.bits - 1

    def interval(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """l and u to start from; of zeros, next to nothing."""
        check_values(w)
        kept = np.abs(within(w, self.mask))
        top = positive(kept.max(keepdims=True))
        square = np.square(kept / top).sum(keepdims=True) / block_counts(w, PerTensor(), self.mask)
        with np.errstate(over="ignore"):
            u = positive(np.minimum(3 * top * np.sqrt(square), np.finfo(w.dtype).max / 4))
        return -u, u

    def placed(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`v = n (w - l) / (u - l)`, limited to 0 to n; where w lies inside; and `u - l`, which is more than 0."""
        check_values(w)
        l, u = np.minimum(*p[:2]), np.maximum(*p[:2])
        width = np.maximum(positive(u - l), np.finfo(w.dtype).eps * np.maximum(np.abs(l), np.abs(u)))
        with np.errstate(over="ignore"):  # beyond is beyond
            v = self.n * ((w - l) / width)
        return v.clip(0, self.n), within((v >= 0) & (v <= self.n), self.mask), width


def in_order(p: tuple[np.ndarray, ...], ends: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What is of the lower and of the upper end, as what is of the first two of p."""
    lower, upper = ends
    swapped = p[0] > p[1]
    return np.where(swapped, upper, lower), np.where(swapped, lower, upper)


@dataclass(frozen=True, eq=False, repr=False)
class TrainedEWGS(Interval):
    """`w' = alpha (2 x_q - 1)`, `x_n = clip((w - l) / (u - l), 0, 1)`, `x_q = round(n x_n) / n`; l, u, alpha trained.

    That is the quantizer of Lee et al. 2021, n = 2^bits - 1, of whose codes none is 0. With `h = 2 alpha g` the
    gradient at x_q, that at x_n is `h (1 + delta sign(h) (x_n - x_q))` (equation 4) inside, beyond 0; through x_n it
    goes on to w, l and u exactly, and alpha has the sum of `g (2 x_q - 1)`. alpha starts at the mean |w| over that of
    `|2 x_q - 1|`; below 0 it counts as its size, as in their code. Ships as `Quantized`. `mask`: True where a weight is
    kept, and counts; the others are 0.

    >>> rule, w = TrainedEWGS(bits=2, delta=0.0), np.array([[0.0, -1.0, 1.2]])
    >>> p = tuple(np.array([[v]]) for v in (-1.5, 1.5, 3.0))
    >>> rule.forward(p, w)[0], rule.vjp(p, rule.forward(p, w)[1], np.array([[0.0, 3.0, 0.0]]))
    (array([[ 1., -3.,  3.]]), ((array([[-5.]]), array([[-1.]]), array([[-3.]])), array([[0., 6., 0.]])))
    """

    bits: int = 2
    delta: float = 1e-3
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, bits=1)
        levels(self.bits)
        check_delta(self.delta)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        l, u = self.interval(w)
        of_codes = np.abs(2 * np.rint(self.placed((l, u), w)[0]) / self.n - 1)
        means = [block_means(a, PerTensor(), self.mask) for a in (within(w, self.mask) / u, of_codes)]
        share = u * means[0] / np.maximum(means[1], 1 / self.n)
        return l, u, positive(share.astype(w.dtype))

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        format, scale = levels(self.bits), step_size(p[2] * w.dtype.type(2 / self.n))[0]
        return np.rint(self.placed(p, w)[0]).astype(format.dtype), Grid(format, scale, np.full_like(scale, self.n / 2))

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        (v, inside, width), (q, grid) = self.placed(p, w), self.codes(p, w)
        return self.decoded(q, grid), (v / self.n, q.astype(w.dtype) / self.n, inside, width, grid.scale)

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        x_n, x_q, inside, width, scale = saved
        g = within(g, self.mask)
        h = self.n * scale * g  # 2 alpha g
        h = np.where(inside, h * (1 + g.dtype.type(self.delta) * np.sign(h) * (x_n - x_q)), 0) / width
        ends = -(h * (1 - x_n)).sum(keepdims=True), -(h * x_n).sum(keepdims=True)
        return (*in_order(p, ends), step_size(p[2])[1] * (g * (2 * x_q - 1)).sum(keepdims=True)), h


@dataclass(frozen=True, eq=False, repr=False)
class TrainedDSQ(Interval):
    """`w' = l + D round((clip(w, l, u) - l) / D)`, `D = (u - l) / n`, `n = 2^bits - 1`; l, u and alpha are trained.

    That is the quantizer of Gong et al. 2019. The gradient is that of the soft staircase of `DSQ` in place of round,
    what rounding adds to it held constant. With c the code, v what is rounded to it, and c' the staircase's slope at v
    inside, 0 beyond: `dw = g c'`, `dl = sum of g (1 - c / n - c' (1 - v / n))`, `du = sum of g (c / n - c' v / n)`, and
    dalpha that of g D times the staircase's own slope at alpha. alpha starts at `alpha`, and is held between 0 and 1,
    no nearer than 1/1000. Ships as `Quantized`. `mask`: True where a weight is kept, and counts; the others are 0.

    >>> rule, w = TrainedDSQ(bits=2), np.array([[0.0, -1.0, 9.0]])
    >>> p = tuple(np.array([[v]]) for v in (-1.5, 1.5, 0.2))
    >>> rule.forward(p, w)[0], rule.vjp(p, rule.forward(p, w)[1], np.array([[0.0, 0.0, 2.0]]))[0][:2]
    (array([[ 0.5, -1.5,  1.5]]), (array([[0.]]), array([[2.]])))
    """

    bits: int = 2
    alpha: float = 0.2
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, bits=1)
        levels(self.bits)
        check_alpha(self.alpha)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        return *self.interval(w), np.full((1, 1), self.alpha, w.dtype)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        v, _, width = self.placed(p, w)
        format, scale = levels(self.bits), positive(width / self.n)
        return np.rint(v).astype(format.dtype), Grid(format, scale, -np.minimum(*p[:2]) / scale)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        (v, inside, _), (q, grid) = self.placed(p, w), self.codes(p, w)
        alpha = float(np.clip(p[2][0, 0], LEAST_ALPHA, 1 - LEAST_ALPHA))
        slope, by_alpha = soft_step(v - np.clip(np.floor(v), 0, self.n - 1) - w.dtype.type(0.5), alpha)
        slope, by_alpha = (np.where(inside, a, 0) for a in (slope, by_alpha))
        return self.decoded(q, grid), (v / self.n, q.astype(w.dtype) / self.n, slope, grid.scale * by_alpha)

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        at, code, slope, by_alpha = saved
        g = within(g, self.mask)
        each = (1 - code - slope * (1 - at), code - slope * at, by_alpha)
        *ends, dalpha = ((g * slopes).sum(keepdims=True) for slopes in each)
        return (*in_order(p, ends), dalpha), g * slope
