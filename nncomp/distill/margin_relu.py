"""Margin ReLU and partial L2: of what is negative, only that it is negative (Heo et al. 2019b)."""

import numpy as np

from nncomp.activations import Identity
from nncomp.distill.checks import check_features, check_params, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.regressor import check_regressor, regress, regress_vjp
from nncomp.losses import check_finite


def margins(teacher: np.ndarray) -> np.ndarray:
    """`m_c = E[F_c | F_c < 0]`, (width,): each feature's mean where it is negative; 0 of one that never is.

    `teacher (samples, width)` before the activation (Heo et al. 2019b, from the samples; the paper also has the closed
    form of a batch normalization, which the authors' code takes, with -3 scales of one that is hardly ever negative).

    >>> margins(np.array([[-1.0, 2.0], [-3.0, 0.0], [5.0, 1.0]]))
    array([-2.,  0.])
    """
    if teacher.ndim != 2 or teacher.size == 0:
        raise ValueError(f"features are (samples, width), not empty, not {teacher.shape}")
    check_finite("teacher", teacher)
    negative = teacher < 0
    sums = np.where(negative, teacher, 0).sum(axis=0, dtype=np.float64)
    return (sums / np.maximum(negative.sum(axis=0), 1)).astype(teacher.dtype)


@finite
def margin_relu(
    student: np.ndarray,
    teacher: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    m: np.ndarray,
    *,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = 1 / batch sum_n d_p(max(F_T, m), r(F_S))`, d_p the partial L2 (Heo et al. 2019b).

        d_p(T, S) = sum_i 0 if S_i <= T_i <= 0, else (T_i - S_i)^2

    F_S (batch, width) and F_T (batch, its width) are features before the activation, `r(F_S) = F_S WT + b` the
    regressor, which trains along, m (its width,) the `margins`, at most 0. A positive feature is to be matched, a
    negative one only to be negative enough: below T_i it is left alone, as a ReLU would not tell. The paper's regressor
    ends in a batch normalization. Returns the loss, its gradient at the student's features, and at (W, b).

    >>> S, T = np.array([[-9.0, -1.0, 1.0]]), np.array([[-2.0, -2.0, 3.0]])
    >>> loss, dstudent, _ = margin_relu(S, T, np.eye(3), np.zeros(3), m=np.full(3, -1.5))
    >>> loss, dstudent
    (4.25, array([[ 0.,  1., -4.]]))
    """
    check_features(student, teacher)
    check_regressor(student, W, b, teacher.shape[1])
    check_params(student.dtype, m=(m, teacher.shape[1:]))
    if (m > 0).any():
        raise ValueError(f"margins are at most 0, not {m.max()}")
    r, z = regress(student, W, b, Identity())
    target = np.maximum(teacher.astype(student.dtype), m)
    d = np.where((r <= target) & (target <= 0), 0, r - target)
    count = reduction(*teacher.shape)
    dstudent, dW, db = regress_vjp(student, W, z, r, 2 * d / count, Identity())
    return float((d * d).sum() / count), dstudent, (dW, db)
