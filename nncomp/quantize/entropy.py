"""Clip where the least information is lost: the calibration of TensorRT, by the divergence of two histograms."""

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from nncomp.formats.granularity import Granularity
from nncomp.quantize.blocks import fit_blocks


@dataclass(frozen=True)
class Entropy:
    """`min_i KL(P || Q)` over clips at the i-th edge of a histogram of |x|: TensorRT's (Migacz 2017, slides on int8).

    P: the first i bins, with what lies beyond added to the last of them. Q: the same bins without it, merged into
    `levels` and spread again over the bins that were not empty. i runs from `levels` to `bins`; of equal divergences
    the widest clip is taken. The range is `-t` to `t`, t the edge, but ends where the values do, as for those that are
    never negative.

    Conventions are those of NVIDIA's pytorch-quantization: bin j of i belongs to level `floor(j levels / i)`, and t is
    an edge, where the slides add half a bin; a clip behind which values lie, but none in its last bin, is ruled out,
    its divergence being infinite. What the slides leave open ONNX Runtime answers otherwise: `EntropyOnnxRuntime`.

    >>> from nncomp.formats import PerTensor
    >>> x = np.append(np.random.default_rng(0).standard_normal(100_000), 40.0)[None]
    >>> [end.round(2) for end in Entropy()(x, PerTensor())]
    [array([[-4.02]]), array([[4.02]])]
    """

    bins: int = 2048
    levels: int = 128

    def __post_init__(self) -> None:
        check_bins(self.bins, self.levels)

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, self._fit)

    def _fit(self, x: np.ndarray, importance: np.ndarray) -> tuple[float, float]:
        size = np.abs(x.astype(np.float64))
        counts, edges = np.histogram(size, self.bins, (0, size.max()))
        lost = divergences(counts, self.levels)
        clip = edges[self.bins - np.argmin(lost[::-1])]
        return max(-clip, x.min()), min(clip, x.max())


def check_bins(bins: int, levels: int) -> None:
    """Raise unless there are at least 2 levels, and as many bins as levels."""
    if not isinstance(bins, int) or not isinstance(levels, int) or not 2 <= levels <= bins:
        raise ValueError(f"a histogram has at least as many bins as levels, and these are at least 2: {bins}, {levels}")


def divergences(counts: np.ndarray, levels: int) -> np.ndarray:
    """`KL(P || Q)` in nats of the first i of `counts (bins,)`, for each i from `levels` to their number; see `Entropy`.

    >>> divergences(np.array([4, 2, 1, 1]), levels=2).round(4)
    array([0.0589, 0.0822, 0.0425])
    """
    total, i = counts.sum(), np.arange(levels, len(counts) + 1)
    number, filled, own = (
        np.concatenate([[0], np.cumsum(a)]) for a in (counts, counts > 0, xlogy(counts, counts))
    )  # of the values, of bins that are not empty, and of n log n, before each edge
    edges = -(-np.arange(levels + 1) * i[:, None] // levels)
    n, spread = np.diff(number[edges], axis=1), np.diff(filled[edges], axis=1)
    log_q = np.log(np.divide(n, spread, out=np.ones(n.shape), where=n > 0))
    inside, last = number[i], counts[i - 1]
    beyond = total - inside
    p_log_p = own[i - 1] + xlogy(last + beyond, last + beyond)
    p_log_q = (n * log_q).sum(axis=1) + beyond * log_q[:, -1]
    kl = (p_log_p - p_log_q) / total - np.log(total) + np.log(np.maximum(inside, 1))
    return np.where((last == 0) & (beyond > 0), np.inf, kl)
