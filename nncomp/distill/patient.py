"""Patient distillation: the directions of hidden layers, layer by layer (PKD, Sun et al. 2019)."""

import numpy as np

from nncomp.distill.checks import check_features, finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.units import unit, unit_vjp


@finite
def pkd(student: np.ndarray, teacher: np.ndarray, *, reduction: Reduction = batchmean) -> tuple[float, np.ndarray]:
    """`loss = 1 / batch sum_n ||h^s / ||h^s|| - h^t / ||h^t|| ||^2`: of one layer (Sun et al. 2019, section 3.2).

    Hidden features (batch, width) of the same width. The lengths do not count, and with c the cosine between both a
    sample's term is 2 - 2 c: from 0, the same direction, to 4, the opposite one. The paper sums over the samples and
    over the layers chosen, every second or the last; its code takes the mean over batch and width
    (`reduction=elementmean`). Features all 0 stay 0. Returns the loss and its gradient at the student's features.

    >>> loss, dstudent = pkd(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]]))
    >>> round(loss, 6), dstudent.round(6)
    (0.8, array([[-0.256,  0.192]]))
    """
    check_features(student, teacher, same=True)
    U, length = unit(student)
    d = U - unit(teacher.astype(student.dtype))[0]
    count = reduction(*student.shape)
    return float((d * d).sum() / count), unit_vjp(U, length, 2 * d / count)
