"""Decoupled distillation: the target class and the others, each with a weight of its own (Zhao et al. 2022)."""

import numpy as np

from nncomp.distill.checks import finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.softening import softened, weight
from nncomp.distill.targets import check_target, split, spread


@finite
def dkd(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    T: float = 4.0,
    alpha: float = 1.0,
    beta: float | np.ndarray = 8.0,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n (alpha TCKD + beta NCKD)` (Zhao et al. 2022, equation 7).

        TCKD = KL(b^T || b^S),     b = (p_t, 1 - p_t), t the sample's label
        NCKD = KL(p̂^T || p̂^S),   p̂_c = p_c / (1 - p_t) of the classes c != t

    of the softmax p at temperature T of the teacher's logits (T) and the student's (S), each (batch, classes). Hinton's
    divergence is TCKD + (1 - p_t^T) NCKD (equation 6): the surer the teacher, the less it says of the other classes,
    which beta makes up for. `beta` is one weight or (batch,) of them; with alpha = 1 and beta = 1 - p_t^T the loss is
    `kl_divergence`. With two classes NCKD is 0; one class is an error. `square` and `reduction` as there. Returns
    the loss and its gradient at the student's logits.

    >>> s, t = np.zeros((1, 3)), np.log([[0.5, 0.4, 0.1]])
    >>> loss, dstudent = dkd(s, t, np.array([0]), T=1.0, alpha=1.0, beta=2.0)
    >>> round(loss, 6), dstudent.round(6)
    (0.444381, array([[-0.166667, -0.516667,  0.683333]]))
    """
    log_p, log_q = softened(student, teacher, T)
    check_target(student, labels)
    if not (np.shape(beta) in ((), labels.shape) and np.isfinite((alpha, *np.ravel(beta))).all()):
        raise ValueError(f"alpha is finite, beta finite and one or {labels.shape}, not {alpha} and {beta}")
    beta = np.broadcast_to(np.asarray(beta, student.dtype), labels.shape)
    (log_b, log_rest), (log_bt, log_rest_t) = split(log_p, labels), split(log_q, labels)
    target, rest = _kl(log_bt, log_b), _kl(log_rest_t, log_rest)
    # TCKD has the two-way softmax's gradient, b^S - b^T, at its two logits z_t and log sum exp of the others, whose
    # derivative is p̂^S. NCKD has p̂^S - p̂^T at the others, and none at the target.
    db = (np.exp(log_b) - np.exp(log_bt)) * student.dtype.type(alpha)
    p = np.exp(log_rest)
    dz = spread(db[:, 1:] * p + beta[:, None] * (p - np.exp(log_rest_t)), labels, db[:, 0])
    w = weight(student, T, square, reduction)
    return float(w * (student.dtype.type(alpha) * target + beta * rest).sum()), w / student.dtype.type(T) * dz


def _kl(log_q: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """`KL(q || p)` of each row; what q rules out adds 0."""
    q = np.exp(log_q)
    return (q * np.where(q > 0, log_q - log_p, 0)).sum(axis=1)
