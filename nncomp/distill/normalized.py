"""Normalized distillation: the teacher's certainty of the target, and its opinion of the others (Yang et al. 2023)."""

import numpy as np

from nncomp.distill.checks import check_weights, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.softening import softened
from nncomp.distill.targets import check_target, others, spread
from nncomp.losses import log_probabilities


@finite
def nkd(
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    T: float = 1.0,
    gamma: float = 1.5,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = 1 / batch sum_n (-T_t log S_t - gamma T^2 sum_{c != t} N(T)_c log N(S)_c)` (Yang et al. 2023).

    S and T are the softmaxes of the student's and the teacher's logits (batch, classes), t the label; `N(.)` is the
    softmax at temperature T (the paper's lambda) of the classes that are not t, so that both sum to 1. The first term
    is cross-entropy weighed by how sure the teacher is, without temperature; the second a cross-entropy, least but not
    0 where N(S) = N(T). The paper adds the `cross_entropy` of the labels. `square=False` leaves T^2 out of the second,
    `reduction` is what the sum is divided by. Returns the loss and its gradient at the student's logits.

    >>> s, t = np.zeros((1, 3)), np.log([[0.5, 0.4, 0.1]])
    >>> loss, dstudent = nkd(s, t, np.array([0]))
    >>> round(loss, 6), dstudent.round(6)  # log(3) / 2 + 1.5 log(2)
    (1.589027, array([[-0.333333, -0.283333,  0.616667]]))
    """
    (log_S, log_T), softer = softened(student, teacher, 1.0), softened(student, teacher, T)
    check_target(student, labels)
    check_weights(gamma=gamma)
    log_N, log_NT = (log_probabilities(others(log_p, labels)) for log_p in softer)
    N, NT = np.exp(log_N), np.exp(log_NT)
    rows = np.arange(len(labels))
    sure = np.exp(log_T[rows, labels])
    scale = gamma * (T**2 if square else 1.0)
    loss = -(sure * log_S[rows, labels]).sum() - scale * (NT * log_N).sum()
    # -log S_t has S - onehot; the second term N(S) - N(T) over T, at the others alone.
    S = np.exp(log_S)
    S[rows, labels] -= 1
    dz = sure[:, None] * S + scale / T * spread(N - NT, labels, np.zeros(len(labels), student.dtype))
    count = reduction(*student.shape)
    return float(loss / count), dz / count
