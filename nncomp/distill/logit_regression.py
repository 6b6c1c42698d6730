"""Regression on logits: match the teacher before any softmax (Ba & Caruana 2014)."""

import numpy as np

from nncomp.distill.checks import check_logits, finite
from nncomp.distill.reductions import Reduction, batchmean


@finite
def logit_regression(
    student: np.ndarray, teacher: np.ndarray, *, reduction: Reduction = batchmean
) -> tuple[float, np.ndarray]:
    """`loss = 1 / (2 batch) sum_n sum_c (student - teacher)^2` (Ba & Caruana 2014, mimic learning).

    Logits (batch, classes); the gradient at the student's is `(student - teacher) / batch`. It sees what a softmax
    throws away, a constant added to all logits of a sample. For logits whose mean is 0, `T^2 KL` tends to this loss
    over the number of classes as T grows (Hinton et al. 2015, equation 4). PyTorch's `MSELoss()` is twice this with
    `reduction=elementmean`.

    >>> logit_regression(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    (2.0, array([[ 0., -2.]]))
    """
    check_logits(student, teacher)
    d = student - teacher.astype(student.dtype)
    count = reduction(*student.shape)
    return float((d * d).sum() / (2 * count)), d / count
