"""Correlation congruence: one kernel's matrix between the samples, for student and teacher (Peng et al. 2019)."""

import numpy as np

from nncomp.distill.checks import check_features, finite
from nncomp.distill.similarity import Kernel, taylor_kernel
from nncomp.distill.units import unit, unit_vjp


@finite
def correlation_congruence(
    student: np.ndarray, teacher: np.ndarray, kernel: Kernel = taylor_kernel
) -> tuple[float, np.ndarray]:
    """`loss = sum_ij (k(f_i^S, f_j^S) - k(f_i^T, f_j^T))^2 / batch^2`, all f of length 1 (Peng et al. 2019).

    Features (batch, width), whose widths may differ. `taylor_kernel` is the paper's Gaussian expanded to the second
    order; `linear_kernel` its bilinear pooling; `gaussian_kernel` the Gaussian itself, with `gamma = 1 / (2 sigma^2)`.
    Rotating the features, or scaling any of them, changes nothing. Features all 0 stay 0. What Tian et al.'s benchmark
    RepDistiller has under this name, from the authors, is another loss, without a kernel: the mean over i of
    `|d_i| . |d_i+1|`, d = f^S - f^T. Returns the loss and its gradient at the student's features.

    >>> s, t = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, dstudent = correlation_congruence(s, t)
    >>> round(loss, 6), dstudent.round(6)
    (0.053161, array([[ 0.064882, -0.064882],
           [ 0.      ,  0.129765]]))
    """
    check_features(student, teacher)
    U, length = unit(student)
    U_t, _ = unit(teacher.astype(student.dtype))
    K, vjp = kernel(U, U)
    d = K - kernel(U_t, U_t)[0]
    count = len(student) ** 2
    # K is symmetric: u_i is in row and column i, so that its gradient counts twice.
    return float((d * d).sum() / count), unit_vjp(U, length, 2 * vjp(2 * d / count))
