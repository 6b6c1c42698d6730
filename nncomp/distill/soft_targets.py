"""Hinton's soft targets: match the teacher's softened distribution (Hinton, Vinyals & Dean 2015)."""

import numpy as np

from nncomp.distill.checks import check_weights, finite
from nncomp.distill.reductions import Reduction, batchmean, elementmean, summed
from nncomp.distill.softening import relative_entropy, softened, weight
from nncomp.losses import cross_entropy

__all__ = ["batchmean", "elementmean", "kd", "kl_divergence", "soft_cross_entropy", "summed"]


@finite
def kl_divergence(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n sum_c q log(q / p)`, `p = softmax(student / T)`, `q = softmax(teacher / T)`.

    Both are logits (batch, classes). Returns the loss and its gradient at the student's logits, `T (p - q) / batch`:
    equation 2 of the paper (which calls the student's q and the teacher's p), times the T^2 it asks for (section 2) so
    that hard and soft gradients stay comparable as T changes. `square=False` leaves T^2 out; `reduction` is what the
    sum is divided by. No gradient reaches the teacher.

    >>> loss, dstudent = kl_divergence(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0)
    >>> round(loss, 6), dstudent.round(6)
    (0.443776, array([[ 0.462117, -0.462117]]))
    """
    log_p, log_q = softened(student, teacher, T)
    q = np.exp(log_q)
    w = weight(student, T, square, reduction)
    return float(w * relative_entropy(log_q, log_p).sum()), w / student.dtype.type(T) * (np.exp(log_p) - q)


@finite
def soft_cross_entropy(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n sum_c q (-log p)`, p and q as in `kl_divergence` (Hinton et al. 2015, section 2).

    What the paper literally writes. It is the divergence plus the teacher's entropy, so it is not 0 where the student
    is the teacher, and its gradient is that of `kl_divergence`: systems that report it and systems that report the
    divergence train alike.

    >>> loss, dstudent = soft_cross_entropy(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0)
    >>> round(loss, 6), dstudent.round(6)  # 4 log 2
    (2.772589, array([[ 0.462117, -0.462117]]))
    """
    log_p, log_q = softened(student, teacher, T)
    q = np.exp(log_q)
    w = weight(student, T, square, reduction)
    return float(-w * (q * log_p).sum()), w / student.dtype.type(T) * (np.exp(log_p) - q)


@finite
def kd(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    T: float = 4.0,
    alpha: float = 0.9,
    *,
    ce_weight: float | None = None,
    smoothing: float = 0.0,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = alpha T^2 KL(q || p) + (1 - alpha) cross_entropy(student, labels)`: Hinton's soft and hard targets.

    Returns the loss and its gradient at the student's logits; terms as in `kl_divergence` and `cross_entropy`.
    `ce_weight`: the weight of the hard targets where it is not `1 - alpha`; alpha then may be above 1. `square` and
    `reduction` are the soft term's.

    >>> loss, dstudent = kd(np.zeros((1, 2)), np.array([[0.0, 2.0]]), np.array([1]), T=2.0, alpha=0.5)
    >>> round(loss, 6), dstudent.round(6)
    (0.568462, array([[ 0.481059, -0.481059]]))
    """
    if ce_weight is None and not 0 <= alpha <= 1:
        raise ValueError(f"the weight of the soft targets is between 0 and 1, not {alpha}")
    hard_weight = 1 - alpha if ce_weight is None else ce_weight
    check_weights(alpha=alpha, ce_weight=hard_weight)
    soft, dsoft = kl_divergence(student, teacher, T, square=square, reduction=reduction)
    hard, dhard = cross_entropy(student, labels, smoothing)
    mix = student.dtype.type
    return alpha * soft + hard_weight * hard, mix(alpha) * dsoft + mix(hard_weight) * dhard
