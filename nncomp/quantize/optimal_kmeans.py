"""The exact optimum of k-means in one dimension, where clusters are segments of the sorted values."""

from collections.abc import Iterator, Sequence

import numpy as np

from nncomp.kernels.segments import one_more_segment
from nncomp.quantize.clusters import Values, check_count, shared


def optimal_kmeans(
    w: np.ndarray, k: int, weights: np.ndarray | None = None, zero: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The minimum of `sum h_i (w_i - c_i)^2`, c_i the nearest of k centers: `kmeans` is never better.

    Exact but for the rounding of sums in float64, a few 1e-16 of `sum h_i w_i^2`: clusters far tighter than that, or
    counting for that much less, are not told apart. By dynamic programming over the m distinct values (Wang &
    Song 2011), in O(k m log m) as rows of a totally monotone matrix (Gronlund et al. 2017), with 4 k m bytes, or 24 k m
    with `zero`. Arguments and what is returned as for `kmeans`; with `zero`, the minimum with one center at 0.

    >>> optimal_kmeans(np.array([[1.0, 2.0, 8.0, 10.0]]), 3)
    (array([ 1.5,  8. , 10. ]), array([[0, 0, 1, 2]], dtype=uint8))
    """
    check_count(k)
    values = Values.of(w, weights)
    v, m = values.v, values.v.size
    if zero:
        c = _about_zero(values, k)
    elif m <= k:
        c = v
    else:
        c = values.means(_edges([last for _, last in _layers(v, values.h, k)], m))
    return shared(w, k, c[~np.isnan(c)], values.exponent)


def _layers(v: np.ndarray, h: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For 0 to k segments, the least cost (m + 1,) of the values before each, and where the last segment begins."""
    d = v - np.average(v, weights=h)
    H, S, Q = (_before(a) for a in (h, h * d, h * d**2))
    best = np.append(0.0, np.full(v.size, np.inf))
    yield best, np.zeros(v.size + 1, np.int32)
    for _ in range(k):
        best, last = one_more_segment(best, H, S, Q)
        yield best, last


def _before(a: np.ndarray) -> np.ndarray:
    """The sum of what is before each place."""
    return np.append(0.0, np.cumsum(a))


def _edges(lasts: Sequence[np.ndarray], m: int) -> np.ndarray:
    """Where the segments of the first m values begin and end, one for each layer but the first."""
    edges = [m]
    for last in reversed(lasts[1:]):
        edges.append(int(last[edges[-1]]))
    return np.array(edges[::-1])


def _about_zero(values: Values, k: int) -> np.ndarray:
    """The best centers one of which is 0: a segment about 0, and others to its left and to its right."""
    v, h, m = *values[:2], values.v.size
    others = min(k - 1, m)
    left = list(_layers(v, h, others))
    right = list(_layers(-v[::-1], h[::-1], others))
    squares = _before(h * v**2)
    least, chosen = np.inf, (0, 0, 0, 0)
    for p in range(others + 1):
        q = min(k - 1 - p, others)
        gained = left[p][0] - squares
        total = np.minimum.accumulate(gained) + right[q][0][::-1] + squares
        stop = int(total.argmin())
        if total[stop] < least:
            least, chosen = total[stop], (p, q, int(gained[: stop + 1].argmin()), stop)
    p, q, start, stop = chosen
    below = _edges([last for _, last in left[: p + 1]], start)
    above = m - _edges([last for _, last in right[: q + 1]], m - stop)[::-1]
    return np.sort(np.concatenate([values.means(below), [0.0], values.means(above)]))  # nobody's 0 may be anywhere
