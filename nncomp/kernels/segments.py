"""Rising values cut into segments, each as near to its mean as can be: the one step of the dynamic program.

The cut before the last segment never moves back as values are added at the end, for the costs obey the quadrangle
inequality. So the cut of one in the middle lies between those of its neighbours on either side: each pass doubles how
many are known, and looks at few more cuts than there are values.
"""

import numpy as np

from nncomp.kernels.jit import compiled


def one_more_segment_reference(
    best: np.ndarray, H: np.ndarray, S: np.ndarray, Q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`new[j] = min over i <= j of best[i] + cost(i, j)`, and the first such i.

    `cost(i, j) = (Q[j] - Q[i]) - (S[j] - S[i])^2 / (H[j] - H[i])`: values from i up to j about their mean, by the sums
    (m + 1,) of weights, of weights times values, and of weights times squares, of those before each.
    """
    h, s, q = (a - a[:, None] for a in (H, S, Q))
    costs = best[:, None] + q - np.divide(s**2, h, out=np.zeros_like(s), where=h > 0)
    costs[np.tril_indices(len(H), -1)] = np.inf
    return costs.min(axis=0), costs.argmin(axis=0).astype(np.int32)


def one_more_segment(best: np.ndarray, H: np.ndarray, S: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `one_more_segment_reference`, in O(m log m).

    >>> zero = np.array([0, np.inf, np.inf, np.inf])  # of the values 1, 2, 6
    >>> one_more_segment(zero, np.arange(4.0), np.array([0.0, 1, 3, 9]), np.array([0.0, 1, 5, 41]))
    (array([ 0. ,  0. ,  0.5, 14. ]), array([0, 0, 0, 0], dtype=int32))
    """
    new, last = np.zeros(best.size), np.zeros(best.size, np.int32)
    _one_more_segment(best, H, S, Q, new, last)
    return new, last


def _one_more_segment_py(best, H, S, Q, new, last):  # type: ignore[no-untyped-def]
    m, step = best.size - 1, 1
    new[0] = best[0]
    while 2 * step <= m:
        step *= 2
    while step:
        for j in range(step, m + 1, 2 * step):
            stop = min(last[j + step], j) if j + step <= m else j
            least, at = np.inf, last[j - step]
            for i in range(last[j - step], stop + 1):
                h, s = H[j] - H[i], S[j] - S[i]
                cost = best[i] + (Q[j] - Q[i]) - (s * s / h if h > 0 else 0.0)
                if cost < least:
                    least, at = cost, i
            new[j], last[j] = least, at
        step //= 2


_one_more_segment = compiled(_one_more_segment_py)
