"""The scale and the zero point of least squared error on a uniform grid, each found exactly when the other is held.

With codes q held, the error `sum w (x - s q)^2` is least at `s = sum w x q / sum w q^2`, where it is less than the
squares of x by the gain `(sum w x q)^2 / sum w q^2`. As s falls one code after the other grows by 1, that of x from k
to k + 1 at `s = |x| / (k + 1/2)`, so all codes there are come up in one sweep over the sorted places, with running
sums. The best s of any codes is at least as good with the codes that are nearest there: the largest gain is the best
scale's.
"""

import numpy as np

AT_ONCE = 2**20  # places in one window of the sweep, about: what it holds in memory
EQUAL = 1e-13  # gains that differ by such a part are equal: the rounding of sums would decide between them


def best_scale(x: np.ndarray, w: np.ndarray, lowest: int, highest: int) -> tuple[float, float]:
    """`argmin_s sum_i w_i (x_i - s q_i)^2`, q_i the nearest of the codes `lowest` to `highest`, and its gain.

    `x (n,)`: float64, at most about 1 in size; `w (n,)`: at least 0. Of equally good scales it is the smallest. (0, 0)
    where no code is of use. At most n times the largest code places are sorted; scales so small that what they cut off
    is worse than the best error so far are not looked at.

    >>> scale, gain = best_scale(np.array([1.0, 2.0, 3.5]), np.ones(3), -2, 1)
    >>> round(scale, 9), round(gain, 9)  # codes 0, 1 and 1: the mean of 2 and 3.5
    (2.75, 15.125)
    """
    size, last = np.abs(x), np.where(x < 0, -lowest, highest)
    felt = (last > 0) & (w * size**2 > 0)
    if not felt.any():
        return 0.0, 0.0
    size, last, w = size[felt], last[felt], w[felt]
    total = float(w @ size**2)
    u, end = 0.5 / size.max(), float((last / size).max())  # u = 1 / s; no code changes before or after
    scale, gain = 0.0, 0.0
    while True:
        until = min(2 * u, u + AT_ONCE / max(float(size[size * u < last].sum()), AT_ONCE / end))
        here, gains = _window(size, w, _codes(size, last, u), _codes(size, last, until))
        if gains >= gain * (1 - EQUAL):
            scale, gain = here, max(gains, gain)
        cut = float(w @ np.maximum(size - last / until, 0) ** 2)
        if until > end or cut > max(total - gain, EQUAL * total):
            q = _codes(size, last, 1 / scale)
            return float((w * size) @ q / (w @ q**2)), gain  # not by running sums
        u = until


def _codes(size: np.ndarray, last: np.ndarray, u: float) -> np.ndarray:
    return np.minimum(last, np.floor(size * u + 0.5)).astype(np.int64)


def _window(size: np.ndarray, w: np.ndarray, first: np.ndarray, until: np.ndarray) -> tuple[float, float]:
    """The best scale, and its gain, among all codes on the way from `first` to `until`."""
    steps = until - first
    whose = np.repeat(np.arange(len(size)), steps)
    k = np.arange(len(whose)) - np.repeat(np.cumsum(steps) - steps - first, steps)
    order = np.argsort((k + 0.5) / size[whose])
    whose, k = whose[order], k[order]
    xq = np.cumsum(np.concatenate([[w @ (size * first)], (w * size)[whose]]))
    qq = np.cumsum(np.concatenate([[w @ (first * first)], w[whose] * (2 * k + 1)]))
    gain = np.divide(xq**2, qq, out=np.zeros_like(qq), where=qq > 0)
    best = np.flatnonzero(gain >= gain.max() * (1 - EQUAL))[-1]
    return (float(xq[best] / qq[best]), float(gain[best])) if qq[best] > 0 else (0.0, 0.0)


def best_zero(x: np.ndarray, w: np.ndarray, scale: float, qmin: int, qmax: int) -> int:
    """`argmin_z sum_i w_i (x_i - s (q_i - z))^2` over the codes z, q_i the nearest of them, at a given scale s.

    What is rounded is the same for every z; what is cut off below `s (qmin - z)` and above `s (qmax - z)` comes from
    sums over the sorted x.

    >>> best_zero(np.array([-1.0, 0.0, 2.0]), np.ones(3), 1.0, 0, 3)
    1
    """
    order = np.argsort(x)
    x, w = x[order], w[order]
    r = np.rint(x / scale)
    sums = np.zeros((3, len(x) + 1))
    np.cumsum([w, w * x, w * (x**2 - (x - scale * r) ** 2)], axis=1, out=sums[:, 1:])
    zeros = np.arange(qmin, qmax + 1)
    low, high = scale * (qmin - zeros), scale * (qmax - zeros)
    below = sums[:, np.searchsorted(r, qmin - zeros)]
    above = sums[:, -1:] - sums[:, np.searchsorted(r, qmax - zeros, side="right")]
    cut = [a[2] - 2 * end * a[1] + end**2 * a[0] for a, end in ((below, low), (above, high))]
    return int(zeros[np.argmin(cut[0] + cut[1])])
