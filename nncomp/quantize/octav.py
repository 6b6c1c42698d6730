"""Optimally clipped tensors: least squared error if rounding errors are spread evenly (Sakr et al. 2022)."""

from dataclasses import dataclass

import numpy as np

from nncomp.fields import check_whole
from nncomp.formats.granularity import Granularity
from nncomp.quantize.blocks import fit_blocks


@dataclass(frozen=True)
class OCTAV:
    """`-s` to `s`, J' = 0 at s for `J(s) = 4^-B / 3 s^2 P(0 < |x| <= s) + E[(|x| - s)^2; |x| > s]`.

    By the recursion of Newton and Raphson, from the mean size of what is not 0, the probabilities of J held (Sakr et
    al. 2022, section 3; of few values another s can have a smaller J, which jumps at each):

        s <- E[|x|; |x| > s] / (4^-B / 3 P(0 < |x| <= s) + P(|x| > s))

    `bits` B: 2^B levels. `signed`: else values are at least 0, the levels lie between 0 and s, which the range then is,
    and 4^-B / 12 stands for 4^-B / 3; a ValueError if one is below 0. J' never falls, but jumps at each value: where it
    jumps over 0, the recursion goes to and fro about a value, which halving then finds. No value is clipped by more
    than the largest: s is at most that.

    >>> from nncomp.formats import PerRow
    >>> [end.round(3) for end in OCTAV(bits=2)(np.array([[0.5, -1.0, 1.5, -2.0, 4.0]]), PerRow())]
    [array([[-3.692]]), array([[3.692]])]
    """

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        check_whole(self, bits=1)

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, self._fit)

    def _fit(self, x: np.ndarray, importance: np.ndarray) -> tuple[float, float]:
        if not self.signed and x.min() < 0:
            raise ValueError(f"unsigned levels are for values of at least 0: signed=True for {x.min()} of the largest")
        size = np.abs(x[x != 0]).astype(np.float64)
        s = optimal_clip(size, 4.0**-self.bits / (3 if self.signed else 12))
        return (-s if self.signed else 0.0), s


def optimal_clip(size: np.ndarray, noise: float) -> float:
    """The s of `s (noise P(size <= s) + P(size > s)) = E[size; size > s]`, or where the sides' order changes.

    `size (n,)`: above 0. `noise`: what rounding costs, as a part of s^2.

    >>> optimal_clip(np.array([1.0, 3.0]), noise=0.5)
    2.0
    """
    low, high, s = 0.0, float(size.max()), float(size.mean())
    while high - low > 1e-15 * high:
        beyond = size > s
        new = size[beyond].sum() / (noise * (~beyond).sum() + beyond.sum())
        if new == s:
            break
        low, high = (s, high) if new > s else (low, s)  # J' rises, so its root is on the side it is sought
        s = float(new) if low < new < high else (low + high) / 2
    return s
