"""Variational information distillation: how well the student's features tell the teacher's (VID, Ahn et al. 2019)."""

import numpy as np
from scipy.special import expit

from nncomp.activations import Identity
from nncomp.distill.checks import check_features, check_params, check_weights, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.regressor import check_regressor, regress, regress_vjp


@finite
def vid(
    student: np.ndarray,
    teacher: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    alpha: np.ndarray,
    *,
    eps: float = 1e-5,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = -1 / batch sum_n log q(t | s) = 1 / batch sum_n sum_c (log sigma_c + (t_c - mu_c)^2 / (2 sigma_c^2))`.

    Up to the constant log(2 pi) / 2 of each feature (Ahn et al. 2019). t are the teacher's features (batch, its width),
    s the student's (batch, width); `mu(s) = s WT + b` and `sigma_c^2 = log(1 + exp(alpha_c)) + eps`, alpha (its
    width,), make q a Gaussian whose mean and whose variance, one a feature, train along: a feature that no student can
    tell is given a large variance and weighs little. Less the loss is a lower bound of the mutual information of t and
    s, but for the entropy of t. It is not 0 at its minimum, and never below `width log(eps) / 2`. The authors' code has
    `reduction=elementmean`, sigma^2 = 5 at the start, and for mu a network of three layers. Returns the loss, its
    gradient at the student's features, and at (W, b, alpha).

    >>> s, t, one = np.array([[1.0], [2.0]]), np.array([[1.5], [2.0]]), np.ones((1, 1))
    >>> loss, dstudent, (dW, db, dalpha) = vid(s, t, one, np.zeros(1), alpha=np.array([np.log(np.e - 1)]), eps=0.0)
    >>> round(loss, 6), dstudent.round(6), dalpha.round(6)  # sigma = 1
    (0.0625, array([[-0.25],
           [ 0.  ]]), array([0.276553]))
    """
    check_features(student, teacher)
    width = teacher.shape[1]
    check_regressor(student, W, b, width)
    check_params(student.dtype, alpha=(alpha, (width,)))
    check_weights(eps=eps)
    mu, z = regress(student, W, b, Identity())
    d = mu - teacher.astype(student.dtype)
    var = np.logaddexp(0, alpha) + eps
    count = reduction(*teacher.shape)
    loss = len(student) * np.log(var).sum() / 2 + (d * d / var).sum() / 2
    # d loss / d sigma^2 = sum_n (1 / sigma^2 - d^2 / sigma^4) / 2, and the softplus's derivative is the sigmoid.
    dvar = (1 / var - d * d / (var * var)).sum(axis=0) / 2
    dstudent, dW, db = regress_vjp(student, W, z, mu, d / var / count, Identity())
    return float(loss / count), dstudent, (dW, db, dvar * expit(alpha) / count)
