"""The range of least squared error: nothing is assumed of the values, and for few codes nothing is left to search."""

from dataclasses import dataclass

import numpy as np

from nncomp.fields import check_whole
from nncomp.formats import Uniform
from nncomp.formats.granularity import Granularity
from nncomp.quantize.blocks import fit_blocks
from nncomp.quantize.scale_sweep import EQUAL, best_scale, best_zero


@dataclass(frozen=True, eq=False)
class MeanSquared:
    """The range with `min sum w (x - fake(x))^2` over the grids of `format`, w the `importance` of each value.

    Symmetric grids: the scale is the exact minimizer, whatever the number of codes; the sweep sorts up to
    `n 2^(bits-1)` places a block. Zero points that are codes: scale and zero point are the exact minimizers for at most
    `few` codes, by a sweep for each zero point. For more codes the two are found in turns, each exactly with the other
    held, from where the smallest and largest value put the zero point: no other scale, and no other zero point, is
    better alone, but a pair of them may be. Exact means but for the rounding of sums in float64 and of the range to the
    dtype of x. A range, being made for `format`, is of no use to another.

    `importance`: at least 0, of x's shape or (columns,), the same for each row: the diagonal of `XT X` weighs a
    layer's weights by what their errors cost at its outputs. A ValueError for zero points that are no codes; those are
    `hqq`'s.

    >>> from nncomp.formats import PerRow
    >>> [end.round(2) for end in MeanSquared(Uniform(bits=3))(np.array([[0.9, 1.0, 1.1, 2.1, 8.0]]), PerRow())]
    [array([[-7.83]]), array([[7.83]])]
    """

    format: Uniform
    importance: np.ndarray | None = None
    few: int = 16

    def __post_init__(self) -> None:
        check_whole(self, few=0)
        if not self.format.integer_zero:
            raise ValueError(f"least squares are for zero points that are codes, integer_zero=True, not {self.format}")
        if self.importance is not None and not (np.isfinite(self.importance) & (self.importance >= 0)).all():
            raise ValueError(f"importance is finite and at least 0, not {self.importance.min()}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MeanSquared) or (self.format, self.few) != (other.format, other.few):
            return False
        return np.array_equal(self.importance, other.importance)  # type: ignore[arg-type]  # None is equal to None

    def __hash__(self) -> int:
        return hash((self.format, self.few))

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, self._fit, self.importance)

    def _fit(self, x: np.ndarray, w: np.ndarray) -> tuple[float, float]:
        w = w if w.any() else np.ones_like(w)  # where nothing counts, all count alike
        x, w, format = x.astype(np.float64), w / max(w.max(), np.finfo(float).tiny), self.format
        if format.symmetric:
            scale, _ = best_scale(x, w, format.qmin - format.middle, format.qmax - format.middle)
            reach = scale * format.scale_rule(format.qmin - format.middle, format.qmax - format.middle)
            return -reach, reach
        codes = range(format.qmin, format.qmax + 1)
        if len(codes) <= self.few:
            found = [(*self._at(x, w, z), z) for z in codes]
            most = max(gain for _, gain, _ in found)
            scale, _, zero = min(one for one in found if one[1] >= most * (1 - EQUAL))  # the smallest scale
        else:
            scale, zero = self._in_turns(x, w)
        return scale * (format.qmin - zero), scale * (format.qmax - zero)

    def _at(self, x: np.ndarray, w: np.ndarray, zero: int) -> tuple[float, float]:
        return best_scale(x, w, self.format.qmin - zero, self.format.qmax - zero)

    def _in_turns(self, x: np.ndarray, w: np.ndarray) -> tuple[float, int]:
        start = self.format.fit(x.min(keepdims=True), x.max(keepdims=True))[1]
        assert start is not None
        zero = int(start[0])
        scale, gain = self._at(x, w, zero)
        while scale > 0:
            moved = best_zero(x, w, scale, self.format.qmin, self.format.qmax)
            other, gained = self._at(x, w, moved)
            if not gained > gain:
                break
            zero, scale, gain = moved, other, gained
        return scale, zero
