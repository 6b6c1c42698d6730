"""Activation boundaries: which side of zero each of the teacher's neurons is on (Heo et al. 2019a)."""

import numpy as np

from nncomp.activations import Identity
from nncomp.distill.checks import check_features, check_positive, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.regressor import check_regressor, regress, regress_vjp


@finite
def activation_boundaries(
    student: np.ndarray,
    teacher: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    margin: float = 1.0,
    *,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = 1 / batch sum_n ||rho(T) relu(mu - r(S)) + (1 - rho(T)) relu(mu + r(S))||^2` (Heo et al. 2019a).

    S and T are the student's (batch, width) and the teacher's (batch, its width) before the activation; `rho(T)` is 1
    where T > 0, else 0; mu is the margin; `r(S) = S WT + b` the connector, which trains along. It is 0 where every
    neuron is on the teacher's side by at least mu, however far, and stands for the number of neurons on the wrong side,
    which has no gradient (the paper's alternative loss). The authors' code has the same, with a batch normalization at
    the end of the connector. Returns the loss, its gradient at the student's features, and at (W, b).

    >>> S, T = np.array([[0.5, 3.0]]), np.array([[-2.0, 0.1]])
    >>> loss, dstudent, (dW, db) = activation_boundaries(S, T, W=np.eye(2), b=np.zeros(2))
    >>> loss, dstudent, db
    (2.25, array([[3., 0.]]), array([3., 0.]))
    """
    check_features(student, teacher)
    check_regressor(student, W, b, teacher.shape[1])
    check_positive(margin=margin)
    r, z = regress(student, W, b, Identity())
    sign = np.where(teacher > 0, 1, -1).astype(student.dtype)
    missing = np.maximum(margin - sign * r, 0)  # of the margin, on the teacher's side
    count = reduction(*teacher.shape)
    dstudent, dW, db = regress_vjp(student, W, z, r, -2 * sign * missing / count, Identity())
    return float((missing * missing).sum() / count), dstudent, (dW, db)
