"""Scores that look at a layer's inputs: a large weight on an input that is hardly there matters little."""

import numpy as np

from nncomp.prune.checks import check_inputs, wide


def input_norms(X: np.ndarray) -> np.ndarray:
    """`||X_j||_2` of each input j over the samples, of `X (samples, in)`.

    >>> input_norms(np.array([[3.0, 0.0], [4.0, 1.0]]))
    array([5., 1.])
    """
    if X.ndim != 2 or not np.issubdtype(X.dtype, np.floating):
        raise ValueError(f"inputs are floats (samples, in), not {X.dtype} {X.shape}")
    return np.linalg.norm(wide(X), axis=0)


def wanda(W: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """`S_ij = |W_ij| ||X_j||_2`, compared within each row (Sun et al. 2024, equation 1).

    >>> wanda(np.array([[1.0, -2.0]]), norms=np.array([3.0, 1.0]))
    array([[3., 2.]])
    """
    check_inputs(W, norms)
    return np.abs(W) * norms


def ria(W: np.ndarray, norms: np.ndarray, a: float = 0.5) -> np.ndarray:
    """`RIA_ij = (|W_ij| / sum_i |W_ij| + |W_ij| / sum_j |W_ij|) ||X_j||_2^a` (Zhang et al. 2024, equations 3, 4).

    A weight's importance relative to those of its input and to those of its output; of a row or column of zeros it
    is 0.

    >>> ria(np.array([[1.0, 3.0], [1.0, 0.0]]), norms=np.array([1.0, 4.0]))
    array([[0.75, 3.5 ],
           [1.5 , 0.  ]])
    """
    check_inputs(W, norms)
    w = np.abs(W)
    by_input, by_output = w.sum(axis=0, keepdims=True), w.sum(axis=1, keepdims=True)
    relative = np.divide(w, by_input, out=np.zeros_like(w), where=w > 0)
    relative += np.divide(w, by_output, out=np.zeros_like(w), where=w > 0)
    return relative * norms**a
