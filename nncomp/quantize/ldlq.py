"""LDLQ and incoherence: QuIP (Chee et al. 2023)."""

from typing import NamedTuple, Self

import numpy as np

from nncomp.formats import Grid
from nncomp.layerwise import check_layer, upper_factor
from nncomp.quantize.checks import check_layer_grid


def ldlq(W: np.ndarray, H: np.ndarray, grid: Grid, damp: float = 0.01) -> np.ndarray:
    """Codes of the weights `W (out, in)` on a `grid`; `H = XT X (in, in)` (section 3.1, equation 2).

    With `H + damp mean(diag H) I = (U + I) D (U + I)T`, U strictly upper, column by column from the left, each moved by
    what was rounded before it:

        Q_k = Q(W_k + (W_1..k-1 - Q_1..k-1) U_1..k-1,k)

    which is optimal among all that correct by a linear map of earlier errors (theorem 1), and the same as GPTQ from
    left to right (theorem 6).

    >>> from nncomp.formats import Uniform
    >>> H = np.array([[2.0, 1.9], [1.9, 2.0]])
    >>> ldlq(np.array([[0.4, 0.3]]), H, Grid(Uniform(4), np.ones((1, 1))), damp=0.0)
    array([[0, 1]], dtype=int8)
    """
    check_layer_grid(W, H, grid)
    R = upper_factor(H, damp)
    U = R / np.diag(R) - np.eye(len(H))
    w, lost = W.astype(np.float64), np.zeros(W.shape)
    q = np.empty(W.shape, grid.format.dtype)
    for k in range(len(H)):
        own = grid.column(k)
        q[:, [k]] = codes = own.encode(w[:, [k]] + lost[:, :k] @ U[:k, [k]])
        lost[:, k] = w[:, k] - own.decode(codes)[:, 0]
    return q


class Incoherent(NamedTuple):
    """Weights and Hessian turned by random orthogonal matrices, in which no entry is large (algorithm 1, 2).

        W~ = U W VT,   H~ = V H VT,   so that  tr (W~ H~ W~T) = tr (W H WT),

    U and V each the Kronecker product of two random orthogonal matrices, whose sizes are as equal as its own allows.

    >>> turned = Incoherent.of(np.array([[100.0, 0.0]]), np.eye(2), seed=1)
    >>> turned.W.round(1), np.abs(turned.back(turned.W)).round(9)
    (array([[-94.6,  32.4]]), array([[100.,   0.]]))
    """

    W: np.ndarray
    H: np.ndarray
    U: np.ndarray
    V: np.ndarray

    @classmethod
    def of(cls, W: np.ndarray, H: np.ndarray, seed: int) -> Self:
        """Turn weights `W (out, in)` and `H (in, in)`; W~ in W's dtype."""
        check_layer(W, H)
        rng = np.random.default_rng(seed)
        U, V = (_orthogonal(n, rng) for n in W.shape)
        turned = V @ H @ V.T
        return cls((U @ W @ V.T).astype(W.dtype), (turned + turned.T) / 2, U, V)

    def back(self, W: np.ndarray) -> np.ndarray:
        """`UT W V`: weights near W~ as weights near W."""
        return (self.U.T @ W @ self.V).astype(self.W.dtype)


def _orthogonal(n: int, rng: np.random.Generator) -> np.ndarray:
    """`A kron B`, A and B uniformly random orthogonal."""
    p = next(p for p in range(int(np.sqrt(n)), 0, -1) if n % p == 0)
    A, B = (_uniform(size, rng) for size in (p, n // p))
    return np.kron(A, B)


def _uniform(n: int, rng: np.random.Generator) -> np.ndarray:
    """QR of normal numbers, its signs made those that leave no direction preferred."""
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return Q * np.sign(np.diag(R))
