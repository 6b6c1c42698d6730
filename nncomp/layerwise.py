"""The layer-wise objective: what new weights change of a layer's own outputs on calibration inputs X (samples, in).

    E(W') = ||X (W - W')T||^2 = sum over rows of (w - w') H (w - w')T,  H = XT X.

Pruning and quantization both work on it, by H alone.
"""

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular


def gram(X: np.ndarray) -> np.ndarray:
    """`H = XT X (in, in)` of inputs `X (samples, in)`, in float64.

    >>> gram(np.array([[1.0, 2.0], [0.0, 1.0]]))
    array([[1., 2.],
           [2., 5.]])
    """
    if X.ndim != 2:
        raise ValueError(f"inputs are (samples, in), not {X.shape}")
    X = X.astype(np.float64)
    return X.T @ X


def output_error(W: np.ndarray, W_new: np.ndarray, H: np.ndarray) -> float:
    """`||X (W - W_new)T||^2 / ||X WT||^2`, of the outputs' energy the fraction that is lost.

    >>> output_error(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]]), np.eye(2))
    0.64
    """
    check_layer(W, H)
    check_pair(W, W_new)
    whole = row_losses(W, np.zeros_like(W), H).sum()
    return float(row_losses(W, W_new, H).sum() / whole) if whole else 0.0


def row_losses(W: np.ndarray, W_new: np.ndarray, H: np.ndarray) -> np.ndarray:
    """`(w - w') H (w - w')T` of each row, (out,), in float64.

    >>> row_losses(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]]), np.eye(2))
    array([16.])
    """
    D = W.astype(np.float64) - W_new
    return ((D @ H) * D).sum(axis=1)


def damped(H: np.ndarray, damp: float) -> np.ndarray:
    """`H + damp mean(diag H) I`, in float64, with 1 on the diagonal where an input is always 0: its weights are free.

    >>> damped(np.diag([2.0, 0.0]), damp=0.5)
    array([[2.5, 0. ],
           [0. , 1. ]])
    """
    check_damp(damp)
    H, d = H.astype(np.float64), np.diag(H)
    return H + np.diag(np.where(d == 0, 1.0, damp * d.mean()))


def upper_factor(H: np.ndarray, damp: float) -> np.ndarray:
    """R, upper, with `R RT = H + damp mean(diag H) I`; a ValueError where that is singular.

    Of the columns from the last to the first, as `cholesky` is from the first to the last; `R^-1` is the upper Cholesky
    factor of the inverse.

    >>> upper_factor(np.array([[5.0, 2.0], [2.0, 4.0]]), damp=0.0)
    array([[2., 1.],
           [0., 2.]])
    """
    return lower_factor(H[::-1, ::-1], damp)[::-1, ::-1]


def inverse_factor(H: np.ndarray, damp: float) -> np.ndarray:
    """U, upper, with `UT U = (H + damp mean(diag H) I)^-1`; a ValueError where that is singular.

    >>> inverse_factor(np.array([[5.0, 2.0], [2.0, 4.0]]), damp=0.0)
    array([[ 0.5 , -0.25],
           [ 0.  ,  0.5 ]])
    """
    return solve_triangular(upper_factor(H, damp), np.eye(len(H)))


def lower_factor(H: np.ndarray, damp: float) -> np.ndarray:
    """L, lower, with `L LT = H + damp mean(diag H) I`; a ValueError where that is singular.

    >>> lower_factor(np.array([[4.0, 2.0], [2.0, 5.0]]), damp=0.0)
    array([[2., 0.],
           [1., 2.]])
    """
    try:
        L = np.linalg.cholesky(damped(H, damp))
    except np.linalg.LinAlgError:
        raise ValueError(f"H {H.shape} is singular: it needs damping, and {damp} is too little") from None
    if np.diag(L).min() ** 2 < 1e-15 * np.diag(H).max():
        raise ValueError(f"H {H.shape} is singular: it needs damping, and {damp} is too little")
    return L


def inverse_without(H_inv: np.ndarray, q: int) -> np.ndarray:
    """The inverse of H without row and column q, which are zeros in it (Frantar & Alistarh 2022, lemma 1).

        H^-1 - H^-1 e_q e_qT H^-1 / [H^-1]_qq

    >>> inverse_without(np.array([[1.0, 0.5], [0.5, 2.0]]), q=0)
    array([[0.  , 0.  ],
           [0.  , 1.75]])
    """
    d = np.diag(H_inv)
    if H_inv.ndim != 2 or H_inv.shape[0] != H_inv.shape[1] or (d < 0).any():
        raise ValueError(f"an inverse Hessian is (n, n) with nothing below 0 on its diagonal, not {H_inv.shape}")
    if not (0 <= q < len(d) and d[q] > 0):
        raise ValueError(f"there is no weight {q} left to prune")
    new = H_inv - np.outer(H_inv[:, q] / H_inv[q, q], H_inv[q])
    new[q] = new[:, q] = 0
    return new


def described(a: Any) -> str:
    """What was given in a few words."""
    return f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else f"a {type(a).__name__}"


def check_weights(W: np.ndarray) -> None:
    """Raise unless W is a matrix (out, in) of finite floats."""
    if not isinstance(W, np.ndarray) or W.ndim != 2 or not np.issubdtype(W.dtype, np.floating):
        raise ValueError(f"weights are floats (out, in), not {described(W)}")
    if not np.isfinite(W).all():
        raise ValueError(f"weights are finite; of {described(W)}, {int((~np.isfinite(W)).sum())} are not")


def check_pair(W: np.ndarray, W_new: np.ndarray) -> None:
    """Raise unless both are weights (out, in) of one shape."""
    check_weights(W)
    check_weights(W_new)
    if W.shape != W_new.shape:
        raise ValueError(f"the new weights are {W.shape} as the old ones, not {W_new.shape}")


def check_made(W: Any, shape: tuple[int, int], dtype: np.dtype, told: str) -> None:
    """Raise unless a method made finite weights of this shape and dtype; `told`: which, and of what."""
    if not isinstance(W, np.ndarray) or (W.shape, W.dtype) != (shape, dtype) or not np.isfinite(W).all():
        raise ValueError(f"{told}: weights are finite {dtype} {shape}, not {described(W)}")


def check_layer(W: np.ndarray, H: np.ndarray) -> None:
    """Raise unless H is finite and symmetric (in, in) for weights W (out, in)."""
    check_weights(W)
    if not isinstance(H, np.ndarray) or H.shape != (W.shape[1],) * 2 or not np.isfinite(H).all():
        raise ValueError(f"H is finite (in, in) for weights (out, in) = {W.shape}, not {described(H)}")
    d = np.diag(H)  # of inputs' products: no product is larger than the lengths allow
    if (d < 0).any() or not np.allclose(H, H.T) or (np.abs(H) > 1.0001 * np.outer(np.sqrt(d), np.sqrt(d))).any():
        raise ValueError("H is no sum of inputs' products X^T X: it is asymmetric or not positive")


def check_damp(damp: float) -> None:
    """Raise unless `damp`, a fraction of H's mean diagonal, is finite and at least 0."""
    if not 0 <= damp < np.inf:
        raise ValueError(f"damping is a fraction of H's mean diagonal, finite and at least 0, not {damp}")
