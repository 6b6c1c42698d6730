"""What a low-rank pair of factors can take over of quantization: the error after it, or the outliers before it.

    W ~ W' + A B,   A (out, rank), B (rank, in).

Truncated singular value decompositions are the best pairs (Eckart & Young 1936) in the metric each is computed in.
"""

import numpy as np

from nncomp.layerwise import check_damp, check_layer, check_pair, check_weights
from nncomp.quantize.checks import check_inputs, check_vector
from nncomp.quantize.scaling import mean_sizes
from nncomp.singular import check_rank, truncated_svd, whitened_svd


def lqer(W: np.ndarray, W_new: np.ndarray, rank: int, s: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`A = U_k, B = S_k V_kT diag(s)^-1` of the error `(W - W') diag(s) = U S VT` (Zhang et al. 2024, section 3).

    Of all pairs of that rank, the one that loses least of `||(W - W' - A B) diag(s)||`. `s (in,)`, above 0: how large
    each input is (L2QER: its mean |x|), or None for ones (LQER).

    >>> W, W_new = np.array([[3.0, 0.0], [0.0, 5.5]]), np.array([[2.0, 0.0], [0.0, 5.0]])
    >>> A, B = lqer(W, W_new, rank=1, s=np.array([1.0, 9.0]))
    >>> (A @ B).round(6)
    array([[0. , 0. ],
           [0. , 0.5]])
    """
    check_pair(W, W_new)
    check_rank(W.shape, rank)
    s = np.ones(W.shape[1]) if s is None else s
    check_vector(s, W.shape[1], "sizes of inputs")
    if not (s > 0).all():
        raise ValueError(f"sizes of inputs are above 0, not {s.min()}")
    U, S, VT = truncated_svd((W.astype(np.float64) - W_new) * s, rank)
    return U.astype(W.dtype), (S[:, None] * VT / s).astype(W.dtype)


def l2qer(W: np.ndarray, W_new: np.ndarray, rank: int, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`lqer` with `s = mean |x|` of the inputs `X (samples, in)` (Zhang et al. 2024, section 3).

    The paper divides s by a constant, which changes nothing. An input that is always 0 counts as the smallest that is
    not.

    >>> A, B = l2qer(np.eye(2), np.zeros((2, 2)), rank=1, X=np.array([[1.0, 9.0]]))
    >>> (A @ B).round(6)
    array([[0., 0.],
           [0., 1.]])
    """
    check_inputs(W, X)
    return lqer(W, W_new, rank, mean_sizes(X))


def qera(
    W: np.ndarray, W_new: np.ndarray, rank: int, H: np.ndarray, damp: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """`A = U_k, B = S_k V_kT H^-1/2` of the error `(W - W') H^1/2 = U S VT` (Zhang et al. 2025, theorem 1).

    Of all pairs of that rank, the one that loses least of the outputs, `||X (W - W' - A B)T||`, `H = XT X (in, in)`:
    `lqer` in the metric of the inputs. Where H is singular, by the pseudoinverse: what no input shows stays lost.
    `damp`, a fraction of H's mean diagonal, is added to all of it.

    >>> A, B = qera(np.array([[3.0, 0.4]]), np.array([[2.0, 0.0]]), rank=1, H=np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> (A @ B).round(6)
    array([[1. , 0.4]])
    """
    check_layer(W, H)
    check_pair(W, W_new)
    check_damp(damp)
    check_rank(W.shape, rank)
    U, S, VT = whitened_svd(W.astype(np.float64) - W_new, rank, H, damp)
    return U.astype(W.dtype), (S[:, None] * VT).astype(W.dtype)


def svdquant(W: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`L1 = U_k S_k, L2 = V_kT` of `W = U S VT`, and the residual `R = W - L1 L2` (Li et al. 2024, section 4.2).

    L1 (out, rank) and L2 (rank, in) stay in high precision, R (out, in) is what is left to quantize. The paper moves
    the outliers of the inputs to W first: `svdquant(W * smoothquant(x_max, W), rank)`.

    >>> L1, L2, R = svdquant(np.array([[3.0, 0.0], [0.0, 1.0]]), rank=1)
    >>> L1 @ L2, R
    (array([[3., 0.],
           [0., 0.]]), array([[0., 0.],
           [0., 1.]]))
    """
    check_weights(W)
    check_rank(W.shape, rank)
    U, S, VT = truncated_svd(W, rank)
    L1, L2 = (U * S).astype(W.dtype), VT.astype(W.dtype)
    return L1, L2, W - L1 @ L2
