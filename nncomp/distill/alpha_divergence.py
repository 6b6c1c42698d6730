"""Alpha-divergences: a family of distances between distributions, both directions of KL among them."""

import numpy as np

from nncomp.distill.checks import finite
from nncomp.distill.reductions import Reduction, batchmean
from nncomp.distill.softening import softened, weight


@finite
def alpha_divergence(
    student: np.ndarray,
    teacher: np.ndarray,
    T: float = 1.0,
    alpha: float = 0.5,
    *,
    square: bool = True,
    reduction: Reduction = batchmean,
) -> tuple[float, np.ndarray]:
    """`loss = T^2 / batch sum_n (sum_c q^alpha p^(1 - alpha) - 1) / (alpha (alpha - 1))` (Minka 2005).

    `p = softmax(student / T)`, `q = softmax(teacher / T)`, logits (batch, classes). alpha = 1 is `kl_divergence`,
    alpha = 0 `reverse_kl`, each the limit of its neighbours; 1/2 is symmetric, 4 (1 - sum sqrt(p q)), the square of
    Hellinger's distance times 4; 2 is half the chi-squared divergence. The larger alpha, the more it hurts to rule out
    what the teacher does not; the smaller, the more to believe what he does not. Wang et al. 2021 distill by both ends:
    their code takes the larger of alpha = -1 and 1, sample by sample, with powers of q / p limited to 5. A ValueError
    where alpha above 1 or below 0 lets it leave its dtype's range. `square` and `reduction` as in `kl_divergence`.
    Returns the loss and its gradient at the student's logits.

    >>> loss, dstudent = alpha_divergence(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), T=2.0, alpha=0.5)
    >>> round(loss, 6), dstudent.round(6)
    (0.459317, array([[ 0.475775, -0.475775]]))
    """
    if not np.isfinite(alpha):
        raise ValueError(f"alpha is finite, not {alpha}")
    log_p, log_q = softened(student, teacher, T)
    p, q = np.exp(log_p), np.exp(log_q)
    # With m = q^alpha p^(1 - alpha), r = log(q / p): m = p exp(alpha r) = q exp((alpha - 1) r). The form whose exponent
    # k r is the smaller one gives u = (m - base) / k without cancellation as k goes to 0, where it is base r.
    base, k, other = (p, alpha, alpha - 1) if alpha < 0.5 else (q, alpha - 1, alpha)
    r = log_q - log_p
    if k == 0:
        u = np.where(base > 0, base * r, 0)
    else:
        near = np.abs(k * r) < 1  # beyond, nothing cancels, and exp(k r) alone may be infinite where base is 0
        u = np.where(near, base * np.expm1(k * r), np.exp(alpha * log_q + (1 - alpha) * log_p) - base) / k
    w = weight(student, T, square, reduction)
    loss = w * u.sum() / other
    # d/dp_c is -(q / p)^alpha / alpha, so dz = -(m - p sum m) / (alpha T). With sum m = 1 + k sum u and m = base + k u
    # this is -(u - p sum u) / T for base p, k = alpha, and -(k (u - p sum u) + q - p) / (alpha T) for base q.
    e = u - p * u.sum(axis=1, keepdims=True)
    dz = -e if alpha < 0.5 else (p - q - k * e) / alpha
    return float(loss), w / student.dtype.type(T) * dz
