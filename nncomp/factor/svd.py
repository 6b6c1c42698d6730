"""The best pair of a rank for a matrix, entry by entry, and for what it puts out.

    W ~ A B,   A = U_k S_k^1/2 (out, rank),   B = S_k^1/2 V_kT (rank, in) times the inverse root of the metric.

Each factor gets the root of the singular values, so that neither dwarfs the other in a training: without a metric, no
pair with that product has a smaller `||A||^2 + ||B||^2`. The pair of a lower rank is the first columns of A, rows of B.
"""

import numpy as np

from nncomp.layerwise import check_damp, check_layer, check_weights, described
from nncomp.singular import check_rank, truncated_svd, whitened_svd


def svd(W: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """`A = U_k S_k^1/2, B = S_k^1/2 V_kT` of `W = U S VT`: no pair of that rank is nearer to W (Eckart & Young 1936).

    `||W - A B||^2` is the sum of the squares of the other singular values, and the largest of them is what any input of
    length 1 can lose at most. `W (out, in)`; `A (out, rank)`, `B (rank, in)`, in W's dtype.

    >>> A, B = svd(np.array([[4.0, 0.0], [0.0, 1.0]]), rank=1)
    >>> abs(A), abs(B)
    (array([[2.],
           [0.]]), array([[2., 0.]]))
    """
    check_weights(W)
    check_rank(W.shape, rank)
    return _balanced(*truncated_svd(W, rank), W.dtype)


def activation_svd(W: np.ndarray, rank: int, H: np.ndarray, damp: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """`A = U_k S_k^1/2, B = S_k^1/2 V_kT H^-1/2` of `W H^1/2 = U S VT`: no pair loses less of `X WT`.

    `H = XT X (in, in)` of the layer's inputs (Chen et al. 2021, DRONE; Wang et al. 2024, SVD-LLM, whose Cholesky factor
    is another root of the same H: the product is the same). S are the singular values of `X WT`; what is lost of it is
    the sum of the squares of the others. Where H is singular, by the pseudoinverse: B is 0 for what no input shows.
    `damp`, a fraction of H's mean diagonal, is added to all of it first.

    >>> A, B = activation_svd(np.array([[4.0, 0.0], [0.0, 1.0]]), rank=1, H=np.diag([1.0, 64.0]))
    >>> (A @ B).round(6)  # the second input is eight times as large
    array([[0., 0.],
           [0., 1.]])
    """
    check_layer(W, H)
    check_damp(damp)
    check_rank(W.shape, rank)
    return _balanced(*whitened_svd(W, rank, H, damp), W.dtype)


def singular_values(A: np.ndarray) -> np.ndarray:
    """`S_k = ||a_k||^2` (rank,), the singular values behind the A of `svd` or `activation_svd`, in float64, falling.

    >>> singular_values(svd(np.diag([4.0, 1.0]), rank=2)[0])
    array([4., 1.])
    """
    if not isinstance(A, np.ndarray) or A.ndim != 2 or not np.isfinite(A).all():
        raise ValueError(f"a factor is finite (out, rank), not {described(A)}")
    return np.sort((A.astype(np.float64) ** 2).sum(axis=0))[::-1]  # in A's dtype equal ones may have changed places


def _balanced(U: np.ndarray, S: np.ndarray, VT: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    root = np.sqrt(S)
    return (U * root).astype(dtype), (root[:, None] * VT).astype(dtype)
