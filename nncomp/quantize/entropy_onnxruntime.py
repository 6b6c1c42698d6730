"""ONNX Runtime's entropy calibration, bit for bit: the same idea as `Entropy` on a histogram of both signs."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats.granularity import Granularity
from nncomp.quantize.blocks import fit_blocks
from nncomp.quantize.entropy import check_bins

EPSILON = 0.0001  # what an empty bin gets before logarithms are taken


@dataclass(frozen=True)
class EntropyOnnxRuntime:
    """`min_i KL(P || Q)` over clips i bins to both sides of the middle one of a histogram from `-max |x|` to `max |x|`.

    What ONNX Runtime's entropy calibrator finds for one batch, with its defaults, and where it parts from `Entropy`: a
    clip keeps `2 i + 1` bins, i from `levels // 2` to `bins // 2`; what lies beyond is added to the last bin of each
    side. A level is `floor(kept / levels)` bins, those left over are added to the last level's sum but get nothing of
    it; a level's mean over the bins that are not empty goes to all of them, as a whole number, cut off. Empty bins get
    0.0001, taken from the others. Sums are float32; of equal divergences the narrowest clip is taken. The range ends
    where the values do. With the defaults only the whole histogram is tried: to clip, give it more bins than levels.

    >>> from nncomp.formats import PerTensor
    >>> x = np.append(np.random.default_rng(0).standard_normal(100_000), 40.0)[None]
    >>> [end.round(2) for end in EntropyOnnxRuntime(bins=2048)(x, PerTensor())]
    [array([[-4.49]]), array([[5.23]])]
    """

    bins: int = 128
    levels: int = 128

    def __post_init__(self) -> None:
        check_bins(self.bins, self.levels)
        if self.bins > 1 / EPSILON:
            raise ValueError(f"one full bin has not {EPSILON} for each of more than {1 / EPSILON:.0f}, {self.bins}")

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, self._fit)

    def _fit(self, x: np.ndarray, importance: np.ndarray) -> tuple[float, float]:
        size = np.abs(x).max()
        counts, edges = np.histogram(x, self.bins, (-size, size))
        middle = self.bins // 2
        kept = [(middle - i, min(middle + i + 1, self.bins)) for i in range(self.levels // 2, middle + 1)]
        start, end = kept[int(np.argmin([self._divergence(counts, *ends) for ends in kept]))]
        return max(edges[start], x.min()), min(edges[end], x.max())

    def _divergence(self, counts: np.ndarray, start: int, end: int) -> float:
        inside = counts[start:end]
        p = inside.copy()
        p[0] += counts[:start].sum()
        p[-1] += counts[end:].sum()
        bins = len(p) // self.levels
        whole = bins * self.levels
        sums = inside[:whole].reshape(self.levels, bins).sum(axis=1)
        sums[-1] += inside[whole:].sum()
        filled = (p[:whole].reshape(self.levels, bins) != 0).sum(axis=1)
        q = np.zeros_like(p)
        q[:whole] = np.repeat(sums // np.maximum(filled, 1) * (filled > 0), bins)
        return _kl(_smooth(p), _smooth(q)) if q.any() else np.inf


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Counts as float32, empty bins given a little of the others."""
    empty = (counts == 0).astype(np.float32)
    taken = EPSILON * float(empty.sum()) / float((counts != 0).sum())
    return counts.astype(np.float32) + (EPSILON * empty - taken * (1 - empty))


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())
