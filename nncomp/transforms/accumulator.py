"""Accumulator-aware quantization: weights so small in sum that products fit an accumulator (Colbert et al. 2023)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.fields import check_whole
from nncomp.formats import Grid, PerRow, Uniform
from nncomp.quantize.ranges import check_values
from nncomp.shown import shown
from nncomp.transforms.coded import Coded, positive
from nncomp.transforms.masking import check_penalty, within

LN2 = np.log(2)


@dataclass(frozen=True, eq=False, repr=False)
class A2Q(Coded):
    """`w' = s clip(trunc(u))`, `u = g w / (s |w|_1)` by row: no sum of codes times inputs leaves `accumulator` bits.

    `g = 2^min(t, T)` is the row's sum of sizes, `s = 2^d` its scale; t and d, (out, 1), are trained. Inputs are codes
    of `inputs` bits, `signed_inputs` or not, or differ from a zero point by as much; so the sizes of a row's codes sum
    up to no more than `L = (2^(accumulator - 1) - 1) 2^(signed - inputs)`, which `T = d + log2 L` sees to (section 4;
    here L is brought to half a code above a whole one, lest rounding crosses it). Rounding is towards 0.

    Gradients are straight through trunc where u is not clipped, and exact through all else: |w|_1, g, s and T. t starts
    at `log2 |w|_1`, d where the largest weight is the largest code, both of zeros at 0. Ships as `Quantized`.

    A t above T no longer matters, and gets no gradient. `penalty`, `sum of max(t - T, 0)` over the rows, draws it back,
    and d up: `Penalized` adds `strength / N` times it, the paper's lambda, to the mean loss of N samples, and takes the
    first `warm` of a training to do so.

    >>> transform, w = A2Q(Uniform(4), accumulator=8, inputs=4), np.array([[3.0, -3.0, 2.0, 0.5]])
    >>> transform.codes(transform.init(w), w)[0], 15 * 7 <= 127
    (array([[ 2, -2,  1,  0]], dtype=int8), True)
    """

    format: Uniform = Uniform()
    accumulator: int = 16
    inputs: int = 8
    signed_inputs: bool = False
    strength: float = 0.0
    warm: float = 0.0
    mask: np.ndarray | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, accumulator=2, inputs=1)
        check_penalty(self.strength, self.warm)
        if not self.format.symmetric or not self.format.signed:
            raise ValueError(f"sums are bounded of codes about 0, signed and symmetric, not of {self.format}")

    @property
    def most(self) -> int:
        """What the sizes of a row's codes sum up to at most."""
        return (2 ** (self.accumulator - 1) - 1) // 2 ** (self.inputs - self.signed_inputs)

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        check_values(w)
        sizes = np.abs(within(w, self.mask))
        total, top = sizes.sum(axis=1, keepdims=True), sizes.max(axis=1, keepdims=True)
        t, d = np.where(total > 0, total, 1), np.where(top > 0, top / w.dtype.type(self.format.qmax), 1)
        return np.log2(t).astype(w.dtype), np.log2(d).astype(w.dtype)

    def _limit(self, d: np.ndarray) -> np.ndarray:
        """T, (out, 1)."""
        return d + d.dtype.type(np.log2(self.most + 0.5))

    def _parts(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, ...]:
        """u; |w|_1, 1 of zeros; g; s; where T is what limits g."""
        t, d = p
        T = self._limit(d)
        g, s = np.exp2(np.minimum(t, T)), positive(np.exp2(d))
        n = PerRow().reduce(np.abs(within(w, self.mask)), np.sum)
        n = np.where(n > 0, n, w.dtype.type(1))
        return g / s * (within(w, self.mask) / n), n, g, s, t > T

    def codes(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Grid]:
        u, _, _, s, _ = self._parts(p, w)
        return Grid(self.format, np.ones_like(s)).encode(np.trunc(u)), Grid(self.format, s)

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        q, grid = self.codes(p, w)
        return self.decoded(q, grid), (q.astype(w.dtype), within(w, self.mask), self._parts(p, w))

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        q, w, (u, n, size, s, limited) = saved
        ln2, g = g.dtype.type(LN2), within(g, self.mask)
        inside = np.trunc(u) == q
        inner = np.where(inside, g, 0)
        ds = (g * (q - np.where(inside, u, 0))).sum(axis=1, keepdims=True)
        along = (inner * w).sum(axis=1, keepdims=True) / n
        dt, dd = ln2 * size * along, ln2 * s * ds
        dw = size / n * (inner - np.sign(w) * along)
        return (np.where(limited, 0, dt), dd + np.where(limited, dt, 0)), within(dw, self.mask)

    def penalty(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
        """`sum of max(t - T, 0)`, and its gradient at (t, d, w).

        >>> by = A2Q(accumulator=8, inputs=4)
        >>> round(by.penalty((np.full((1, 1), 5.0), np.zeros((1, 1))), np.ones((1, 2)))[0], 3)  # 5 - log2 7.5
        2.093
        """
        t, d = p
        beyond = t - self._limit(d)
        slope = (beyond > 0).astype(t.dtype)
        return float(np.maximum(beyond, 0).sum()), (slope, -slope, np.zeros_like(w))
