"""How much a weight matters: an array of weights in, an array of scores of the same shape out, larger = keep."""

import numpy as np


def magnitude(W: np.ndarray) -> np.ndarray:
    """`s = |w|` (Han et al. 2015, section 3).

    >>> magnitude(np.array([[-2.0, 1.0]]))
    array([[2., 1.]])
    """
    return np.abs(W)


def row_l1(W: np.ndarray) -> np.ndarray:
    """`s_i = sum_j |w_ij|`, the score of output i, as a column (out, 1) (Li et al. 2017, section 3.1).

    A mask of the column keeps or drops whole rows: `keep_largest(row_l1(W), 0.5)` broadcasts to (out, in).

    >>> row_l1(np.array([[-2.0, 1.0], [0.5, 0.0]]))
    array([[3. ],
           [0.5]])
    """
    return np.abs(W).sum(axis=1, keepdims=True)
