"""Label smoothing: distillation from a teacher who cannot tell one class from another."""

import numpy as np

from nncomp.distill.soft_targets import kd


def label_smoothing(student: np.ndarray, labels: np.ndarray, epsilon: float = 0.1) -> tuple[float, np.ndarray]:
    """`loss = (1 - epsilon) cross_entropy(student, labels) + epsilon KL(u || p)`, u uniform: `kd` from logits 0.

    That is equation 3 of Yuan et al. 2020: the gradient is that of `cross_entropy(student, labels, epsilon)` (Szegedy
    et al. 2016, section 7), whose value is larger by the constant `epsilon log classes`, the entropy of the uniform
    teacher. Logits (batch, classes), integer labels (batch,).

    >>> loss, dstudent = label_smoothing(np.log([[0.25, 0.75]]), np.array([1]), epsilon=0.2)
    >>> round(loss, 6), dstudent.round(6)
    (0.258914, array([[ 0.15, -0.15]]))
    """
    return kd(student, np.zeros_like(student), labels, T=1.0, alpha=epsilon)
