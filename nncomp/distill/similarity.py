"""How alike two vectors are: kernels, each with the way back for a gradient.

`kernel(X, Y)` of vectors `X (..., n, d)` and `Y (..., m, d)` is `K (..., n, m)` and `vjp(dK) -> dX`. To set an option:
`partial(gaussian_kernel, sigma=2.0)`.
"""

from collections.abc import Callable
from math import exp, factorial

import numpy as np

from nncomp.distill.checks import check_positive

Kernel = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]


def linear_kernel(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """`k(x, y) = x.y`; `dX = dK Y`.

    >>> linear_kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]))[0]
    array([[5.]])
    """
    return X @ _transposed(Y), lambda dK: dK @ Y


def polynomial_kernel(
    X: np.ndarray, Y: np.ndarray, d: int = 2, c: float = 0.0
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """`k(x, y) = (x.y + c)^d`; `dX = (dK d (x.y + c)^(d - 1)) Y`.

    >>> polynomial_kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]))[0]
    array([[25.]])
    """
    if d < 1:
        raise ValueError(f"the power of a polynomial kernel is at least 1, not {d}")
    G = X @ _transposed(Y) + c
    return G**d, lambda dK: (dK * d * G ** (d - 1)) @ Y


def gaussian_kernel(
    X: np.ndarray, Y: np.ndarray, sigma: float = 1.0
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """`k(x, y) = exp(-||x - y||^2 / (2 sigma^2))`; `dx_i = sum_j dK_ij k_ij (y_j - x_i) / sigma^2`.

    >>> gaussian_kernel(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [2.0, 1.0]]))[0].round(6)
    array([[1.      , 0.367879]])
    """
    check_positive(sigma=sigma)
    square = (X * X).sum(axis=-1)[..., :, None] + (Y * Y).sum(axis=-1)[..., None, :] - 2 * X @ _transposed(Y)
    K = np.exp(-np.maximum(square, 0) / (2 * sigma**2))

    def vjp(dK: np.ndarray) -> np.ndarray:
        A = dK * K / sigma**2
        return A @ Y - A.sum(axis=-1, keepdims=True) * X

    return K, vjp


def taylor_kernel(
    X: np.ndarray, Y: np.ndarray, gamma: float = 0.4, P: int = 2
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """`k(x, y) = exp(-2 gamma) sum_{p=0}^P (2 gamma)^p / p! (x.y)^p` (Peng et al. 2019).

    Of unit vectors the series, up to order P, of the Gaussian kernel `exp(-gamma ||x - y||^2)`; `dX` by the powers.

    >>> taylor_kernel(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))[0].round(6)
    array([[0.952577, 0.449329]])
    """
    check_positive(gamma=gamma)
    if P < 1:
        raise ValueError(f"the order P of the series is at least 1, not {P}")
    G = X @ _transposed(Y)
    a = [exp(-2 * gamma) * (2 * gamma) ** p / factorial(p) for p in range(P + 1)]
    K = sum((a[p] * G**p for p in range(1, P + 1)), np.full_like(G, a[0]))
    return K, lambda dK: (dK * sum((p * a[p] * G ** (p - 1) for p in range(1, P + 1)), np.zeros_like(G))) @ Y


def _transposed(Y: np.ndarray) -> np.ndarray:
    return Y.swapaxes(-1, -2)
