"""Factor transfer: a paraphrase of the teacher's features, and a translation of the student's (Kim et al. 2018)."""

import numpy as np

from nncomp.activations import Activation, Identity, LeakyReLU
from nncomp.distill.checks import check_features, check_params, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.regressor import check_regressor, regress, regress_vjp
from nncomp.distill.units import unit, unit_vjp


@finite
def paraphrase(
    teacher: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    W_out: np.ndarray,
    b_out: np.ndarray,
    activation: Activation = LeakyReLU(0.1),
    *,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = 1 / batch sum_n ||x - P(x)||^2`, `P(x) = f(x WT + b) W_outT + b_out` (Kim et al. 2018).

    The paraphraser, an autoencoder of the teacher's features x (batch, width), trains first and alone. W (factors,
    width) and b (factors,) give its `factors`, W_out (width, factors) and b_out (width,) what they are to restore. The
    paper's is convolutional, three layers there and three back; the authors' code has a LeakyReLU after the last one
    too, and takes the mean of |x - P(x)|. Returns the loss, its gradient at the features, and at (W, b, W_out, b_out).

    >>> x, W = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    >>> paraphrase(x, W, np.zeros(1), W.T, np.zeros(2))[0]  # the second is lost
    4.0
    """
    check_features(teacher, teacher)
    check_params(teacher.dtype, W=(W, (b.size, teacher.shape[1])), b=(b, (b.size,)))
    check_params(teacher.dtype, W_out=(W_out, W.shape[::-1]), b_out=(b_out, teacher.shape[1:]))
    F, z = regress(teacher, W, b, activation)
    out, z_out = regress(F, W_out, b_out, Identity())
    d = out - teacher
    count = reduction(*teacher.shape)
    dout = 2 * d / count
    dF, dW_out, db_out = regress_vjp(F, W_out, z_out, out, dout, Identity())
    dx, dW, db = regress_vjp(teacher, W, z, F, dF, activation)
    return float((d * d).sum() / count), dx - dout, (dW, db, dW_out, db_out)


def factors(x: np.ndarray, W: np.ndarray, b: np.ndarray, activation: Activation = LeakyReLU(0.1)) -> np.ndarray:
    """`F = f(x WT + b)`, (batch, factors): the middle of the paraphraser, what `factor_transfer` hands over.

    >>> factors(np.array([[1.0, -2.0]]), W=np.eye(2), b=np.zeros(2))
    array([[ 1. , -0.2]])
    """
    check_features(x, x)
    check_params(x.dtype, W=(W, (b.size, x.shape[1])), b=(b, (b.size,)))
    return regress(x, W, b, activation)[0]


@finite
def factor_transfer(
    student: np.ndarray,
    F_T: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    activation: Activation = LeakyReLU(0.1),
    *,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = 1 / batch sum_n ||F_T / ||F_T||_2 - F_S / ||F_S||_2||_1`, `F_S = f(s WT + b)` (Kim et al. 2018).

    F_T are the teacher's `factors` (batch, factors), s the student's features (batch, width); W (factors, width) and b
    (factors,) the translator, which trains along. Of the paper's norms ||.||_p outside it is the one with p = 1, which
    the authors' code takes, with `reduction=elementmean` and the weight 500. Factors that are all 0 stay 0; where two
    are equal the derivative of the modulus counts as 0. Returns the loss, its gradient at the student's features, and
    at (W, b).

    >>> loss, dstudent, _ = factor_transfer(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]]), np.eye(2), np.zeros(2))
    >>> round(loss, 6), dstudent.round(6)
    (1.2, array([[-0.224,  0.168]]))
    """
    check_features(student, F_T)
    check_regressor(student, W, b, F_T.shape[1])
    F_S, z = regress(student, W, b, activation)
    U, length = unit(F_S)
    d = U - unit(F_T.astype(student.dtype))[0]
    count = reduction(*F_T.shape)
    dF = unit_vjp(U, length, np.sign(d) / count)
    dstudent, dW, db = regress_vjp(student, W, z, F_S, dF, activation)
    return float(np.abs(d).sum() / count), dstudent, (dW, db)
