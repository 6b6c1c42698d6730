"""Similarity preserving: samples alike to the teacher are to be alike to the student (SP, Tung & Mori 2019)."""

import numpy as np

from nncomp.distill.checks import check_features, finite
from nncomp.distill.units import unit, unit_vjp


@finite
def similarity_preserving(student: np.ndarray, teacher: np.ndarray) -> tuple[float, np.ndarray]:
    """`loss = ||G_T - G_S||_F^2 / batch^2`, G the rows of `G~ = Q QT`, each of length 1 (Tung & Mori 2019).

    Q are features (batch, width), whose widths may differ; G (batch, batch). Rotating the features, or scaling all of
    them alike, changes nothing. The row of a sample whose features are all 0 stays 0. Returns the loss and its gradient
    at the student's features.

    >>> s, t = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, dstudent = similarity_preserving(s, t)
    >>> round(loss, 6), dstudent.round(6)
    (0.199233, array([[ 0.176777, -0.089443],
           [-0.087334,  0.266219]]))
    """
    check_features(student, teacher)
    teacher = teacher.astype(student.dtype)
    G, length = unit(student @ student.T)
    d = G - unit(teacher @ teacher.T)[0]
    count = len(student) ** 2
    dGram = unit_vjp(G, length, 2 * d / count)
    return float((d * d).sum() / count), (dGram + dGram.T) @ student
