"""Relational distillation: distances and angles between samples, not the samples (RKD, Park et al. 2019).

Both losses are of features (batch, width), whose widths may differ between student and teacher, and divide their sums
by `reduction(batch, batch)` and `reduction(batch, batch^2)`: the paper sums; the authors' code has `elementmean`, over
all pairs and triples, those of a sample with itself among them. The weights in use go with this mean: 1 and 2 in their
code, which learns metrics, 25 and 50 in RepDistiller (Tian et al. 2020), which classifies. l is Huber's loss, d^2 / 2
for |d| up to 1 and |d| - 1/2 beyond (equation 8).
"""

import numpy as np

from nncomp.distill.checks import check_features, finite
from nncomp.distill.reductions import Reduction, summed
from nncomp.distill.units import unit, unit_vjp


@finite
def rkd_distance(
    student: np.ndarray, teacher: np.ndarray, *, reduction: Reduction = summed
) -> tuple[float, np.ndarray]:
    """`loss = sum_{i != j} l(psi(t_i, t_j) - psi(s_i, s_j))`, `psi(x_i, x_j) = ||x_i - x_j|| / mu` (equations 5 to 7).

    mu is the mean distance over all pairs of different samples (equation 6), in the authors' code over those whose
    distance is not 0. Rotating, shifting or scaling the features changes nothing. Where two samples are one point, the
    distance's derivative counts as 0; where all are, there is no mu: an error, as is a batch of one. Returns the loss
    and its gradient at the student's features.

    >>> s, t = np.array([[0.0], [1.0], [3.0]]), np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    >>> loss, dstudent = rkd_distance(s, t)
    >>> round(loss, 6), dstudent.round(6)
    (0.588312, array([[ 0.090693],
           [-0.136039],
           [ 0.045346]]))
    """
    check_features(student, teacher, batch=2)
    D, mu = _distances("student", student)
    D_t, mu_t = _distances("teacher", teacher.astype(student.dtype))
    batch = len(student)
    psi = D / mu
    value, h = _huber(psi - D_t / mu_t)
    count = reduction(batch, batch)
    # Each of the n = batch (batch - 1) distances is 1 / n of mu. What follows is in units of mu.
    dpsi = (h - (h * psi).sum() / (batch * (batch - 1))) / count
    # dpsi_ij / ds_i = (s_i - s_j) / psi_ij. s_i is in row and column i of a symmetric matrix: twice.
    A, s = 2 * np.where(psi > 0, dpsi / np.where(psi > 0, psi, 1), 0), student / mu
    return float(value.sum() / count), (A.sum(axis=1, keepdims=True) * s - A @ s) / mu


@finite
def rkd_angle(student: np.ndarray, teacher: np.ndarray, *, reduction: Reduction = summed) -> tuple[float, np.ndarray]:
    """`loss = sum_{i, j, k} l(cos t_i t_j t_k - cos s_i s_j s_k)`: the angles at j (equations 9 and 10).

    `cos x_i x_j x_k = e_ij . e_kj`, `e_ij = (x_i - x_j) / ||x_i - x_j||`, which is 0 where both are one point: triples
    with i = j or k = j add nothing, nor do those with i = k, whose cosine is 1. Rotating, shifting or scaling the
    features changes nothing. It keeps batch^2 times width numbers. Returns the loss and its gradient at the student's
    features.

    >>> s, t = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    >>> loss, dstudent = rkd_angle(s, t)
    >>> round(loss, 6)  # cosines 1, -1 and 1 at the three corners instead of those of 45, 90 and 45 degrees
    1.171573
    """
    check_features(student, teacher, batch=2)
    E, length = _edges(student)
    E_t, _ = _edges(teacher.astype(student.dtype))
    batch = len(student)
    value, h = _huber(E @ E.swapaxes(1, 2) - E_t @ E_t.swapaxes(1, 2))
    count = reduction(batch, batch * batch)
    # E[j, i] = e_ij is in row and column i of the symmetric matrix of cosines at j: twice.
    dedge = unit_vjp(E, length, 2 * h @ E / count)
    return float(value.sum() / count), dedge.sum(axis=0) - dedge.sum(axis=1)


def _distances(name: str, X: np.ndarray) -> tuple[np.ndarray, float]:
    """(batch, batch), and the mean over pairs of different samples."""
    from scipy.spatial.distance import cdist  # here, since it takes longer to import than all the losses

    D = cdist(X, X).astype(X.dtype)
    if not D.any():
        raise ValueError(f"all features of the {name} are one point: their distances have no mean to be measured in")
    return D, float(D.sum(dtype=np.float64) / (len(X) * (len(X) - 1)))


def _edges(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`e_ij` at [j, i], (batch, batch, width), and the lengths."""
    return unit(X[None, :, :] - X[:, None, :])


def _huber(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`l = h (d - h / 2)`, and its derivative h, which is d limited to 1: equation 8 without a case."""
    h = np.clip(d, -1, 1)
    return h * (d - h / 2), h
