"""Hinton's soft targets: match the teacher's softened distribution (Hinton, Vinyals & Dean 2015)."""

from collections.abc import Callable

import numpy as np

from nncomp.losses import check_finite, cross_entropy, log_probabilities


def batchmean(batch: int, classes: int) -> int:
    """Divide the sum over everything by the batch: the divergence's mean, which is what the paper means.

    >>> batchmean(8, 10)
    8
    """
    return batch


def elementmean(batch: int, classes: int) -> int:
    """Divide by batch x classes: `reduction="mean"` of PyTorch's KLDivLoss, its default, too small by the classes.

    >>> elementmean(8, 10)
    80
    """
    return batch * classes


def summed(batch: int, classes: int) -> int:
    """Divide by nothing.

    >>> summed(8, 10)
    1
    """
    return 1


def kl_divergence(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    *,
    square: bool = True,
    reduction: Callable[[int, int], int] = batchmean,
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
    if student.shape != teacher.shape or student.ndim != 2 or student.size == 0:
        raise ValueError(
            f"logits of student {student.shape} and teacher {teacher.shape} are one shape (batch, classes), not empty"
        )
    check_finite("student", student)
    check_finite("teacher", teacher)
    info = np.finfo(student.dtype)
    if not info.tiny <= T <= np.sqrt(info.max):  # outside, T or T^2 is 0 or infinite in their dtype
        raise ValueError(f"a temperature is positive, and its square a finite {student.dtype}: not {T}")
    t = student.dtype.type(T)
    with np.errstate(over="ignore"):
        log_p, log_q = (log_probabilities(z / t) for z in (student, teacher.astype(student.dtype)))
    q = np.exp(log_q)
    weight = student.dtype.type((T**2 if square else 1.0) / reduction(*student.shape))
    # Where the teacher's probability underflows to 0 its term is 0, however large the difference of the logarithms.
    loss = weight * (q * np.where(q > 0, log_q - log_p, 0)).sum()
    return float(loss), weight / t * (np.exp(log_p) - q)


def kd(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    T: float = 4.0,
    alpha: float = 0.9,
    *,
    smoothing: float = 0.0,
) -> tuple[float, np.ndarray]:
    """`loss = alpha T^2 KL(q || p) + (1 - alpha) cross_entropy(student, labels)`: Hinton's soft and hard targets.

    Returns the loss and its gradient at the student's logits; terms as in `kl_divergence` and `cross_entropy`.

    >>> loss, dstudent = kd(np.zeros((1, 2)), np.array([[0.0, 2.0]]), np.array([1]), T=2.0, alpha=0.5)
    >>> round(loss, 6), dstudent.round(6)
    (0.568462, array([[ 0.481059, -0.481059]]))
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"the weight of the soft targets is between 0 and 1, not {alpha}")
    soft, dsoft = kl_divergence(student, teacher, T)
    hard, dhard = cross_entropy(student, labels, smoothing)
    mix = student.dtype.type(alpha)
    return alpha * soft + (1 - alpha) * hard, mix * dsoft + (1 - mix) * dhard
