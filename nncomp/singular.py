"""Truncated singular value decompositions, of a matrix itself and in the metric of a layer's inputs.

    E ~ U_k S_k V_kT,   of all matrices of rank k the nearest, entry by entry and as a map (Eckart & Young 1936).

Quantization keeps what it lost in such pairs, factorization the matrix itself.
"""

import numpy as np


def check_rank(shape: tuple[int, ...], rank: int) -> None:
    """Raise unless a matrix of this shape can have this rank, and 1 at least."""
    if not isinstance(rank, int | np.integer) or isinstance(rank, bool) or not 1 <= rank <= min(shape):
        raise ValueError(f"a rank is from 1 to {min(shape)} for weights {shape}, not {rank}")


def truncated_svd(E: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`U_k (out, k), S_k (k,), V_kT (k, in)`, with zeros where E has fewer rows or columns than that, in float64.

    >>> U, S, VT = truncated_svd(np.array([[3.0, 0.0], [0.0, 1.0]]), rank=1)
    >>> U * S @ VT
    array([[3., 0.],
           [0., 0.]])
    """
    U, S, VT = np.linalg.svd(E.astype(np.float64), full_matrices=False)
    missing = max(rank - len(S), 0)
    U, VT = np.pad(U[:, :rank], ((0, 0), (0, missing))), np.pad(VT[:rank], ((0, missing), (0, 0)))
    return U, np.pad(S[:rank], (0, missing)), VT


def whitened_svd(
    E: np.ndarray, rank: int, H: np.ndarray, damp: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`U_k, S_k, V_kT H^-1/2` of `E H^1/2 = U S VT`: their product loses least of the outputs, `||X (E - E')T||`.

    `H = XT X (in, in)`. Where it is singular, by the pseudoinverse: what no input shows stays lost. `damp`, a fraction
    of H's mean diagonal, is added to all of it.

    >>> U, S, VT = whitened_svd(np.array([[3.0, 0.0], [0.0, 1.0]]), rank=1, H=np.diag([1.0, 16.0]))
    >>> (U * S @ VT).round(6), S.round(6)  # the second input is four times as large
    (array([[0., 0.],
           [0., 1.]]), array([4.]))
    """
    lam, Q = np.linalg.eigh(H.astype(np.float64))
    lam = lam + damp * np.diag(H).mean()
    seen = lam > len(H) * np.finfo(np.float64).eps * lam.max()
    root, Q = np.sqrt(lam[seen]), Q[:, seen]
    U, S, VT = truncated_svd(E.astype(np.float64) @ Q * root, rank)
    return U, S, VT / root @ Q.T
