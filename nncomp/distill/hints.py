"""Hints: a student's hidden layer predicts a teacher's through a regressor (FitNets, Romero et al. 2015)."""

import numpy as np

from nncomp.activations import Activation, Identity
from nncomp.distill.checks import check_features, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.regressor import check_regressor, regress, regress_vjp


@finite
def hint(
    student: np.ndarray,
    teacher: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    activation: Activation = Identity(),
    *,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = 1 / (2 batch) sum_n ||u_h - r(v_g)||^2`, `r(v) = f(v W_rT + b)` (Romero et al. 2015, equation 3).

    v_g: the student's guided layer (batch, width); u_h: the teacher's hint layer (batch, its width); W (its width,
    width) and b (its width,) the regressor, which trains along and is thrown away. f is `activation`, the paper says
    the teacher's own: both sides must be comparable. Returns the loss, its gradient at the student's features, and at
    (W, b).

    >>> v, u = np.array([[1.0, 2.0]]), np.array([[2.0]])
    >>> hint(v, u, W=np.array([[1.0, 1.0]]), b=np.array([0.0]))
    (0.5, array([[1., 1.]]), (array([[1., 2.]]), array([1.])))
    """
    check_features(student, teacher)
    check_regressor(student, W, b, teacher.shape[1])
    r, z = regress(student, W, b, activation)
    d = r - teacher.astype(student.dtype)
    count = reduction(*teacher.shape)
    dstudent, dW, db = regress_vjp(student, W, z, r, d / count, activation)
    return float((d * d).sum() / (2 * count)), dstudent, (dW, db)
