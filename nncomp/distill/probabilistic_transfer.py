"""Probabilistic transfer: how likely each sample is another's neighbour (PKT, Passalis & Tefas 2018)."""

import numpy as np

from nncomp.distill.checks import check_features, finite
from nncomp.distill.reductions import Reduction, summed
from nncomp.distill.units import unit, unit_vjp


@finite
def pkt(
    student: np.ndarray, teacher: np.ndarray, *, diagonal: bool = False, reduction: Reduction = summed
) -> tuple[float, np.ndarray]:
    """`loss = sum_i KL(p_i || q_i)`, `p_ij = k(t_i, t_j) / sum_{l != i} k(t_i, t_l)`, q of s alike.

    k is `(cos(x_i, x_j) + 1) / 2`, the paper's cosine kernel, which has no bandwidth; t and s are features (batch,
    width) of teacher and student, whose widths may differ. Rotating them, or scaling any, changes nothing. The sum is
    divided by `reduction(batch, batch)`: the paper divides by nothing, the authors' code has `elementmean`, counts a
    sample as its own neighbour (`diagonal=True`) and adds 1e-7 to p and q inside the logarithm. Where the student rules
    out a neighbour whom the teacher does not, exactly opposite, the loss is infinite, and where a sample is opposite to
    all others it has no neighbours: errors. Returns the loss and its gradient at the student's features.

    >>> s, t = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> loss, dstudent = pkt(s, t)
    >>> round(loss, 6), dstudent.round(6)
    (0.35756, array([[ 0.      , -0.461093],
           [-0.487598,  0.      ],
           [ 0.010602, -0.005301]]))
    """
    check_features(student, teacher, batch=1 if diagonal else 2)
    U, length = unit(student)
    U_t, _ = unit(teacher.astype(student.dtype))
    counted = np.ones((len(U), len(U)), bool) if diagonal else ~np.eye(len(U), dtype=bool)
    q, total = _neighbours(U, counted)
    p, _ = _neighbours(U_t, counted)
    ratio = np.where(p > 0, p / np.where(p > 0, q, 1), 0)
    count = reduction(*q.shape)
    loss = (p * np.log(np.where(p > 0, ratio, 1))).sum() / count
    # d/dq of -p log q is -p / q; through q = k / sum k, dk = (dq - sum q dq) / sum k, and sum q dq = -sum p = -1.
    dk = np.where(counted, 1 - ratio, 0) / total / count
    return float(loss), unit_vjp(U, length, (dk + dk.T) @ U / 2)


def _neighbours(U: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`k_ij / sum_l k_il` and the sums (batch, 1), over the pairs counted."""
    k = np.where(counted, np.maximum(U @ U.T + 1, 0) / 2, 0)
    total = k.sum(axis=1, keepdims=True)
    return k / total, total
