"""Contrastive distillation: tell a sample's own teacher features from those of the others (CRD, Tian et al. 2020)."""

import numpy as np

from nncomp.activations import Identity
from nncomp.distill.checks import check_features, check_params, check_positive, finite
from nncomp.distill.regressor import regress, regress_vjp
from nncomp.distill.units import unit, unit_vjp
from nncomp.losses import cross_entropy


@finite
def contrastive(
    student: np.ndarray,
    teacher: np.ndarray,
    W_S: np.ndarray,
    b_S: np.ndarray,
    W_T: np.ndarray,
    b_T: np.ndarray,
    tau: float = 0.07,
) -> tuple[float, np.ndarray, tuple[np.ndarray, ...]]:
    """`loss = -1 / batch sum_i log(exp(g_i^S . g_i^T / tau) / sum_j exp(g_i^S . g_j^T / tau))`.

    Contrastive representation distillation (Tian et al. 2020) in the form of InfoNCE (van den Oord et al. 2018,
    equation 4), whose negatives are the other samples of the batch. The paper itself tells pair by pair whether both
    are of one sample, against thousands from a memory of all, and its code adds the same with student and teacher
    exchanged. `g = W x + b`, each then of length 1, embeds the student's features (batch, width) and the teacher's
    (batch, its width) in one space: W_S and W_T (dimensions, width), b_S and b_T (dimensions,) train along.
    `log(batch) - loss` is a lower bound of the mutual information of both. Never 0; a batch of one has nothing to tell
    apart: an error. tau is by default that of the code. Returns the loss, its gradient at the student's features, and
    at (W_S, b_S, W_T, b_T).

    >>> x, one, zero = np.eye(2), np.eye(2), np.zeros(2)
    >>> loss, dstudent, _ = contrastive(x, x, one, zero, one, zero, tau=1.0)
    >>> round(loss, 6), dstudent.round(6)  # log(1 + exp(-1))
    (0.313262, array([[0.      , 0.134471],
           [0.134471, 0.      ]]))
    """
    check_features(student, teacher, batch=2)
    check_params(student.dtype, W_S=(W_S, (b_S.size, student.shape[1])), b_S=(b_S, (b_S.size,)))
    check_params(student.dtype, W_T=(W_T, (b_S.size, teacher.shape[1])), b_T=(b_T, b_S.shape))
    check_positive(tau=tau)
    teacher = teacher.astype(student.dtype)
    (g_S, z_S), (g_T, z_T) = regress(student, W_S, b_S, Identity()), regress(teacher, W_T, b_T, Identity())
    (U_S, length_S), (U_T, length_T) = unit(g_S), unit(g_T)
    loss, dlogits = cross_entropy(U_S @ U_T.T / tau, np.arange(len(student)))
    dg_S, dg_T = unit_vjp(U_S, length_S, dlogits @ U_T / tau), unit_vjp(U_T, length_T, dlogits.T @ U_S / tau)
    dstudent, dW_S, db_S = regress_vjp(student, W_S, z_S, g_S, dg_S, Identity())
    _, dW_T, db_T = regress_vjp(teacher, W_T, z_T, g_T, dg_T, Identity())
    return loss, dstudent, (dW_S, db_S, dW_T, db_T)
