"""Vectors of length 1, and the way back through the division by the length."""

import numpy as np


def unit(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`U = X / ||X||` along the last axis, and the lengths `(..., 1)`; a vector of zeros stays as it is.

    Lengths are taken in units of the largest entry, whose square may be too large or too small for the dtype.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    (array([[0.6, 0.8],
           [0. , 0. ]]), array([[5.],
           [0.]]))
    """
    largest = np.abs(X).max(axis=-1, keepdims=True)
    X = X / np.where(largest > 0, largest, 1)
    length = np.linalg.norm(X, axis=-1, keepdims=True)
    return X / np.where(length > 0, length, 1), largest * length


def unit_vjp(U: np.ndarray, length: np.ndarray, dU: np.ndarray) -> np.ndarray:
    """`dX = (dU - (dU.U) U) / ||X||`: only what turns a vector changes its unit vector; 0 at a vector of zeros."""
    turning = dU - (dU * U).sum(axis=-1, keepdims=True) * U
    return np.where(length > 0, turning / np.where(length > 0, length, 1), 0)
