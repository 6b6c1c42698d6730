"""Softened outputs: what a temperature makes of logits, and the way back for a gradient."""

import numpy as np

from nncomp.distill.checks import check_logits
from nncomp.distill.reductions import Reduction
from nncomp.losses import log_probabilities


def softened(student: np.ndarray, teacher: np.ndarray, T: float) -> tuple[np.ndarray, np.ndarray]:
    """`log p` and `log q`, `p = softmax(student / T)`, `q = softmax(teacher / T)` (Hinton et al. 2015, equation 1).

    Both are logits (batch, classes), and both come in the student's dtype. A ValueError if they do not fit each other,
    are not finite, or if T or its square is nothing that their dtype can tell.
    """
    check_logits(student, teacher)
    info = np.finfo(student.dtype)
    if not info.tiny <= T <= np.sqrt(info.max):  # outside, T or T^2 is 0 or infinite in their dtype
        raise ValueError(f"a temperature is positive, and its square a finite {student.dtype}: not {T}")
    t = student.dtype.type(T)
    with np.errstate(over="ignore"):
        return log_probabilities(student / t), log_probabilities(teacher.astype(student.dtype) / t)


def weight(student: np.ndarray, T: float, square: bool, reduction: Reduction) -> np.floating:
    """What the sum over samples and classes is multiplied by: `T^2` if `square`, over what `reduction` says."""
    return student.dtype.type((T**2 if square else 1.0) / reduction(*student.shape))


def relative_entropy(log_a: np.ndarray, log_b: np.ndarray) -> np.ndarray:
    """Of each class `a log(a / b) - a + b`, at least 0, which sum to `KL(a || b)`, as a and b both sum to 1.

    Without `b - a`, terms of either sign would cancel where T is high and a and b are close.
    """
    a, b, r = np.exp(log_a), np.exp(log_b), log_a - log_b
    near = np.abs(r) < 1  # beyond, exp(-r) = b / a alone may be infinite
    tiny = a * (r + np.expm1(np.where(near, -r, 0)))
    # Where a underflows to 0 its logarithm counts for nothing, however far from that of b.
    return np.maximum(np.where(near, tiny, a * np.where(a > 0, r, 0) - a + b), 0)


def softmax_vjp(p: np.ndarray, dp: np.ndarray, T: float) -> np.ndarray:
    """`dz_c = p_c (dp_c - sum_k p_k dp_k) / T`, given the gradient at `p = softmax(z / T)`.

    For the derivative of `p_k` at `z_c` is `p_k ([k = c] - p_c) / T`.
    """
    return p * (dp - (p * dp).sum(axis=1, keepdims=True)) / p.dtype.type(T)
