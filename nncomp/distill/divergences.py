"""Other distances between what student and teacher say: the other direction, both directions, neither.

All are of `p = softmax(student / T)` and `q = softmax(teacher / T)`, logits (batch, classes), and return the loss and
its gradient at the student's logits. `square` multiplies by T^2, `reduction` is what the sum is divided by; both as in
`kl_divergence`. No gradient reaches the teacher.
"""

import numpy as np

from nncomp.distill.checks import finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.softening import relative_entropy, softened, softmax_vjp, weight


@finite
def reverse_kl(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n sum_c p log(p / q)`: the student's mistakes weigh, not the teacher's (Gu et al. 2024).

    Minimized by a student too small for all that the teacher knows, it drops what it cannot have, where `kl_divergence`
    spreads out to cover it (mode seeking and mean seeking, section 2.1).

    >>> loss, dstudent = reverse_kl(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0)
    >>> round(loss, 6), dstudent.round(6)
    (0.480458, array([[ 0.5, -0.5]]))
    """
    log_p, log_q = softened(student, teacher, T)
    p = np.exp(log_p)
    w = weight(student, T, square, reduction)
    # d/dp of p log(p / q) is log(p / q) + 1, and the softmax's Jacobian is blind to a constant.
    dp = np.where(p > 0, log_p - log_q, 0)
    return float(w * relative_entropy(log_p, log_q).sum()), w * softmax_vjp(p, dp, T)


@finite
def jensen_shannon(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    beta: float = 0.5,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n (beta KL(q || m) + (1 - beta) KL(p || m))`, `m = beta q + (1 - beta) p`.

    The generalized Jensen-Shannon divergence (Agarwal et al. 2024, equation 1); with beta = 1/2 that of Lin 1991. It is
    symmetric then, and at most log 2 a sample, however certain both are. Over beta it tends to `kl_divergence` as beta
    goes to 0, over 1 - beta to `reverse_kl` as it goes to 1.

    >>> loss, dstudent = jensen_shannon(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0)
    >>> round(loss, 6), dstudent.round(6)
    (0.114141, array([[ 0.117654, -0.117654]]))
    """
    if not 0 < beta < 1:
        raise ValueError(f"beta mixes both distributions: above 0 and below 1, not {beta}")
    log_p, log_q = softened(student, teacher, T)
    p, q = np.exp(log_p), np.exp(log_q)
    log_m = np.logaddexp(log_q + float(np.log(beta)), log_p + float(np.log(1 - beta)))
    w = weight(student, T, square, reduction)
    loss = w * (beta * q * (log_q - log_m) + (1 - beta) * p * (log_p - log_m)).sum()
    # With dm = (1 - beta) dp, what m does to both terms is -(1 - beta) (beta q + (1 - beta) p) / m: a constant.
    return float(loss), w * softmax_vjp(p, (1 - beta) * (log_p - log_m), T)


@finite
def total_variation(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    *,
    square: bool = False,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = 1 / batch sum_n sum_c |p - q| / 2`: how far any event's probability can differ (Wen et al. 2023).

    At most 1 a sample, symmetric, and a metric. Its gradient falls by 1 / T where those of the divergences fall by
    1 / T^2, so T^2, which `square=True` multiplies by, is too much. Where p = q the derivative of |p - q| counts as 0.

    >>> loss, dstudent = total_variation(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0)
    >>> round(loss, 6), dstudent
    (0.231059, array([[ 0.125, -0.125]]))
    """
    log_p, log_q = softened(student, teacher, T)
    p, q = np.exp(log_p), np.exp(log_q)
    w = weight(student, T, square, reduction)
    return float(w * np.abs(p - q).sum() / 2), w * softmax_vjp(p, np.sign(p - q) / 2, T)
