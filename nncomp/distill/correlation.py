"""DIST: agree with the teacher up to scale and shift, by sample and by class (Huang et al. 2022)."""

import numpy as np

from nncomp.distill.checks import check_weights, finite
from nncomp.distill.softening import softened, softmax_vjp


@finite
def dist(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    *,
    square: bool = False,
    eps: float = 0.0,
) -> tuple[float, np.ndarray]:
    """`loss = beta mean_n (1 - rho(p_n, q_n)) + gamma mean_c (1 - rho(p_:c, q_:c))` (Huang et al. 2022, section 3).

    rho is Pearson's correlation, `p = softmax(student / T)` and `q = softmax(teacher / T)`, logits (batch, classes):
    what the student thinks of the classes of a sample, and of the samples of a class, need only be linear in what the
    teacher thinks. Each term is from 0 to 2; the paper weighs both by 2 to classify images, by 1 to detect and segment
    (section 4.1), the authors' code by 1. As T grows the loss tends to that of the logits themselves and needs no T^2,
    by which their code multiplies it (`square=True`). A row or a column that is constant has no correlation, as in one
    class, one sample, or a class no one believes in: an error, unless `eps`, 1e-8 in their code, is added to the
    product of the norms, which makes it 0. Returns the loss and its gradient at the student's logits.

    >>> s, t = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
    >>> loss, dstudent = dist(s, t, beta=0.0)
    >>> round(loss, 6), dstudent.round(6)
    (1.948242, array([[ 0.186484, -0.186484],
           [-0.060426,  0.060426],
           [-0.093242,  0.093242]]))
    """
    check_weights(beta=beta, gamma=gamma, eps=eps)
    log_p, log_q = softened(student, teacher, T)
    p, q = np.exp(log_p), np.exp(log_q)
    loss, dp = 0.0, np.zeros_like(p)
    if beta:
        rho, drho = _correlation(p, q, eps, "row")
        loss, dp = loss + beta * float((1 - rho).mean()), dp - drho * (beta / len(rho))
    if gamma:
        rho, drho = _correlation(p.T, q.T, eps, "column")
        loss, dp = loss + gamma * float((1 - rho).mean()), dp - drho.T * (gamma / len(rho))
    scale = T**2 if square else 1.0
    return scale * loss, scale * softmax_vjp(p, dp, T)


def _correlation(u: np.ndarray, v: np.ndarray, eps: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """`rho = a.b / (|a| |b| + eps)` of each row, a and b less their means, and its gradient at u.

    `drho/da = b / D - rho |b| a / (|a| D)`, D the denominator. a and b sum to 0, so centering takes nothing more away.
    """
    a, b = _centered(u), _centered(v)
    na, nb = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    D = na * nb + eps
    if (D == 0).any():
        i = int(np.argmin(D))
        raise ValueError(f"{name} {i} of the probabilities is constant and has no correlation; give an eps")
    rho = (a * b).sum(axis=1, keepdims=True) / D
    return rho[:, 0], b / D - rho * nb / D * a / np.where(na > 0, na, 1)


def _centered(x: np.ndarray) -> np.ndarray:
    """x less the mean of each row; exactly 0 where a row is constant, whose mean may be off by a rounding."""
    constant = x.max(axis=1, keepdims=True) == x.min(axis=1, keepdims=True)
    return np.where(constant, 0, x - x.mean(axis=1, keepdims=True))
