"""Which neurons matter, and what the layer after them must become when some go.

A neuron is a row of its layer's weights W (out, in), a column of activations A (samples, out), and a column of the next
layer's weights. Scores are columns (out, 1), so that a mask of them keeps or drops whole rows;
`column_l2` is a row (1, in), for whole columns.
"""

import numpy as np

from nncomp.layerwise import check_damp, check_weights, gram
from nncomp.prune.checks import check_samples, wide
from nncomp.prune.refit import refit


def row_l1(W: np.ndarray) -> np.ndarray:
    """`s_i = sum_j |w_ij|` (Li et al. 2017, section 3.1).

    >>> row_l1(np.array([[-2.0, 1.0], [0.5, 0.0]]))
    array([[3. ],
           [0.5]])
    """
    check_weights(W)
    return np.linalg.norm(wide(W), ord=1, axis=1, keepdims=True)


def row_l2(W: np.ndarray) -> np.ndarray:
    """`s_i = sqrt(sum_j w_ij^2)` (He et al. 2018, equation 2, p = 2).

    >>> row_l2(np.array([[3.0, 4.0]]))
    array([[5.]])
    """
    check_weights(W)
    return np.linalg.norm(wide(W), axis=1, keepdims=True)


def column_l2(W: np.ndarray) -> np.ndarray:
    """`s_j = sqrt(sum_i w_ij^2)`, a row (1, in): what leaves an input, or a neuron of the layer before.

    >>> column_l2(np.array([[3.0, 1.0], [4.0, 0.0]]))
    array([[5., 1.]])
    """
    check_weights(W)
    return np.linalg.norm(wide(W), axis=0, keepdims=True)


def geometric_median(W: np.ndarray) -> np.ndarray:
    """`s_i = sum_j ||w_i - w_j||`: a row near the others' geometric median can be replaced (He et al. 2019).

    >>> geometric_median(np.array([[0.0], [1.0], [5.0]]))
    array([[6.],
           [5.],
           [9.]])
    """
    check_weights(W)
    return np.stack([np.linalg.norm(W - w, axis=1).sum(keepdims=True) for w in W])


def mean_activation(A: np.ndarray) -> np.ndarray:
    """`s_i = mean_n |a_ni|` of activations (samples, out) (Molchanov et al. 2017, section 2.2).

    >>> mean_activation(np.array([[1.0, 0.0], [3.0, -2.0]]))
    array([[2.],
           [1.]])
    """
    _check_activations(A)
    return np.abs(A).mean(axis=0)[:, None]


def nonzero_activation(A: np.ndarray) -> np.ndarray:
    """`s_i = 1 - APoZ_i`, the fraction of samples for which a neuron is not 0 (Hu et al. 2016, equation 1).

    >>> nonzero_activation(np.array([[1.0, 0.0], [3.0, -2.0]]))
    array([[1. ],
           [0.5]])
    """
    _check_activations(A)
    return (A != 0).mean(axis=0)[:, None]


def input_fisher(W: np.ndarray, X: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """`s_j = 1 / (2 N) sum_n (x_nj dL_n/dx_nj)^2`, a row (1, in): Fisher pruning of activations (Theis et al. 2018).

    What the loss L_n of each sample would feel of a factor on input j: `dL_n/dX = dy W`, with gradients `dy (N, out)`.

    >>> input_fisher(np.array([[1.0, 2.0]]), X=np.array([[3.0, 1.0]]), dy=np.array([[2.0]]))
    array([[18.,  8.]])
    """
    check_samples(W, X, dy)
    return ((X * (dy @ W)) ** 2).mean(axis=0, keepdims=True) / 2


def compensate(
    W: np.ndarray, b: np.ndarray, A: np.ndarray, kept: np.ndarray, damp: float = 1e-3, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The next layer's weights (out, kept) and bias that lose least of its `A WT + b` once only `kept` inputs are left.

    Least squares on activations `A (samples, in)`, with the bias free: on their deviations from the mean, by `refit`,
    and then the bias makes up for the means (He et al. 2017, section 3.1, for a dense layer). With a `mask (out, in)`,
    only its weights may be other than 0.

    >>> A = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    >>> W, b = compensate(np.array([[1.0, 2.0]]), np.zeros(1), A, kept=np.array([True, False]), damp=0.0)
    >>> W.round(6), b.round(6) + 0.0
    (array([[3.]]), array([0.]))
    """
    check_weights(W)
    check_damp(damp)
    if A.ndim != 2 or A.shape[1] != W.shape[1] or len(A) == 0 or kept.shape != W.shape[1:] or kept.dtype != bool:
        raise ValueError(
            f"activations {A.shape} or what is kept {kept.dtype} {kept.shape} do not fit weights {W.shape}"
        )
    if b.shape != W.shape[:1] or not np.issubdtype(b.dtype, np.floating) or not np.isfinite(A).all():
        raise ValueError(f"a bias is floats {W.shape[:1]} and activations are finite, not {b.dtype} {b.shape}")
    mean = A.mean(axis=0, dtype=np.float64)
    new = refit(W, kept & (np.ones(W.shape, bool) if mask is None else mask), gram(A - mean), damp)
    lost = (W - new).astype(np.float64) @ mean
    return new[:, kept], (b + lost).astype(b.dtype)


def _check_activations(A: np.ndarray) -> None:
    if A.ndim != 2 or len(A) == 0 or not np.isfinite(A).all():
        raise ValueError(f"activations are finite (samples, out), at least one sample, not {A.dtype} {A.shape}")
