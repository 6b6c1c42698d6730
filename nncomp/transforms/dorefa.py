"""DoReFa weights: squeezed into a range by tanh, then rounded to as many bits as one likes (Zhou et al. 2016)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.fields import check_whole
from nncomp.formats import Grid, PerTensor
from nncomp.shown import shown
from nncomp.transforms.binary import levels, signs
from nncomp.transforms.coded import Coded, block_means
from nncomp.transforms.masking import within


@dataclass(frozen=True, eq=False, repr=False)
class DoReFa(Coded):
    """`w' = 2 q(tanh w / (2 M) + 1 / 2) - 1`, `M = max |tanh w|`, `q(r) = round(n r) / n`, `n = 2^bits - 1`.

    That is equations 9 and 5; the values are `(2 c - n) / n` for codes c from 0 to n, of which none is 0, and ship as
    `Quantized`. The gradient passes straight through q and is exact elsewhere, M included (shared by those that reach
    it): `dw = (1 - t^2) (g - [|t| = M] sign(t) / k sum of g t / M) / M`, `t = tanh w`, k the number with |t| = M.
    With 1 bit, `w' = sign(w) mean |w|` and `dw = g` (equations 7 and 8). `mask`: True where a weight is kept.

    >>> DoReFa(bits=2).forward((), np.arctanh([[0.5, -0.1, 0.05]]))[0].round(6)
    array([[ 1.      , -0.333333,  0.333333]])
    """

    bits: int = 2
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, bits=1)
        levels(self.bits)

    def _squeezed(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """tanh w, and M, which is 1 where there is nothing but zeros."""
        t = np.tanh(within(w, self.mask))
        M = np.abs(t).max()
        return t, np.where(M == 0, w.dtype.type(1), M)

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        if self.bits == 1:
            return signs(w, block_means(w, PerTensor(), self.mask))
        t, M = self._squeezed(w)
        n = 2**self.bits - 1
        grid = Grid(levels(self.bits), np.full((1, 1), 2 / n, w.dtype), np.full((1, 1), n / 2, w.dtype))
        return grid.encode(t / M), grid

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        return self.decoded(*self.codes(p, w)), None if self.bits == 1 else self._squeezed(w)

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        g = within(g, self.mask)
        if saved is None:
            return (), g
        t, M = saved
        largest = (np.abs(t) == M) * np.sign(t)
        through = (g * t / M).sum() * largest / max(int(np.count_nonzero(largest)), 1)
        return (), within((1 - t * t) * (g - through) / M, self.mask)
