"""Logit standardization: compare the shape of the logits, whatever their mean and spread (Sun et al. 2024)."""

import numpy as np

from nncomp.distill.checks import check_logits, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.soft_targets import kl_divergence
from nncomp.distill.units import unit


@finite
def logit_standardization(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 2.0,
    *,
    ddof: int = 0,
    eps: float = 0.0,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = kl_divergence(Z(student), Z(teacher), T)`, `Z(z) = (z - mean z) / std z` (Sun et al. 2024).

    Logits (batch, classes), standardized sample by sample; T, on top, is the paper's base temperature. The student need
    not reach the teacher's scale: `a student + b` has the same loss for every a > 0 and b. The paper's deviation is
    `sqrt(sum (z - mean z)^2 / classes)`; the authors' code divides by classes - 1 (`ddof=1`) and adds `eps=1e-7` to it.
    Logits all equal have no spread: without eps they are an error. `square` and `reduction` as in `kl_divergence`.
    Returns the loss and its gradient at the student's logits.

    >>> loss, dstudent = logit_standardization(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 2.0, 1.0]]))
    >>> round(loss, 6), dstudent.round(6)
    (0.610988, array([[ 0.305494, -0.610988,  0.305494]]))
    """
    check_logits(student, teacher)
    if ddof not in (0, 1) or not 0 <= eps < np.inf:
        raise ValueError(f"ddof is 0 or 1, and eps finite and at least 0, not {ddof} and {eps}")
    y, std = _standardized("student", student, ddof, eps)
    target, _ = _standardized("teacher", teacher.astype(student.dtype), ddof, eps)
    loss, dy = kl_divergence(y, target, T, square=square, reduction=reduction)
    # y = c / (std + eps) with c = z - mean z and d std / dc = c / ((classes - ddof) std): dy through the quotient, and
    # then through the mean. kl_divergence's dy sums to 0 and so does y: the mean takes nothing more away.
    n = max(student.shape[1] - ddof, 1)
    along = (dy * y).sum(axis=1, keepdims=True) / (n * np.where(std > 0, std, 1))
    return loss, dy / (std + eps) - along * y


def _standardized(name: str, z: np.ndarray, ddof: int, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """`c / (std + eps)` and std of each row, c in units of its largest entry: squares may be too large or small."""
    equal = z.max(axis=1, keepdims=True) == z.min(axis=1, keepdims=True)  # their mean may be off by a rounding
    c = np.where(equal, 0, z - z.mean(axis=1, keepdims=True))
    _, length = unit(c)
    std = length / z.dtype.type(np.sqrt(max(z.shape[1] - ddof, 1)))
    if eps == 0 and (std == 0).any():
        row = int(np.argmin(std))
        raise ValueError(f"logits of the {name} in row {row} are all {z[row, 0]:g}: they have no spread; give an eps")
    return c / (std + eps), std
