"""Attention transfer: where activations are large, not what they are (Zagoruyko & Komodakis 2017)."""

import numpy as np

from nncomp.distill.checks import finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.units import unit, unit_vjp
from nncomp.losses import check_finite


@finite
def attention_transfer(
    student: np.ndarray,
    teacher: np.ndarray,
    p: float = 2.0,
    *,
    squared: bool = False,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = 1 / batch sum_n ||Q_S / ||Q_S|| - Q_T / ||Q_T|| ||`, `Q = sum_c |A_c|^p`: of one layer, by activations.

    A are activations (batch, channels, positions), Q (batch, positions) where they are large; both have the same
    positions. The hidden layer of a perceptron, (batch, positions), is one channel. The paper adds the loss times
    beta / 2, without the square. The authors' code has `squared=True, reduction=elementmean`: the mean of the squared
    differences, over positions too, which is another loss with another gradient, times beta. A sample whose activations
    are all 0 keeps a map of zeros; where both maps are equal the norm's derivative counts as 0. Returns the loss and
    its gradient at the student's activations.

    >>> s, t = np.array([[3.0, 0.0]]), np.array([[0.0, 2.0]])
    >>> round(attention_transfer(s, t)[0], 6)
    1.414214
    >>> loss, dstudent = attention_transfer(np.array([[1.0, 1.0]]), t)
    >>> round(loss, 6), dstudent.round(6)
    (0.765367, array([[ 0.92388, -0.92388]]))
    """
    alike = student.ndim == teacher.ndim and student.ndim in (2, 3) and student.size and teacher.size
    if not alike or (len(student), student.shape[-1]) != (len(teacher), teacher.shape[-1]):
        raise ValueError(
            f"activations of student {student.shape} and teacher {teacher.shape} are both (batch, positions) or both "
            "(batch, channels, positions), of one batch and as many positions, not empty"
        )
    check_finite("student", student)
    check_finite("teacher", teacher)
    if not 1 <= p < np.inf:
        raise ValueError(f"the power p is finite and at least 1, not {p}")
    U, length = unit(_attention(student, p))
    d = U - unit(_attention(teacher.astype(student.dtype), p))[0]
    count = reduction(*U.shape)
    if squared:
        loss, dU = (d * d).sum(), 2 * d
    else:
        direction, distance = unit(d)
        loss, dU = distance.sum(), direction
    dQ = unit_vjp(U, length, dU / count)
    power = p * np.abs(student) ** (p - 1) * np.sign(student)  # d|a|^p / da
    return float(loss / count), power * (dQ if student.ndim == 2 else dQ[:, None])


def _attention(A: np.ndarray, p: float) -> np.ndarray:
    """`sum_c |A_c|^p`, (batch, positions)."""
    Q = np.abs(A) ** p
    return Q if A.ndim == 2 else Q.sum(axis=1)
