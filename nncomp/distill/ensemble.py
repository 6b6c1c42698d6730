"""One teacher of several: the mean of what each of them predicts, as logits."""

import numpy as np

from nncomp.losses import check_finite, log_probabilities


def geometric_mean(logits: np.ndarray, T: float = 1.0) -> np.ndarray:
    """`z = mean_k z_k`: its softmax, at any T, is the geometric mean of the teachers' distributions, normalized.

    Logits (teachers, batch, classes) in, (batch, classes) out (Hinton, Vinyals & Dean 2015, section 1).

    >>> geometric_mean(np.array([[[0.0, 2.0]], [[0.0, 4.0]]]))
    array([[0., 3.]])
    """
    _check(logits, T)
    return logits.mean(axis=0, dtype=np.float64).astype(logits.dtype)


def arithmetic_mean(logits: np.ndarray, T: float = 1.0) -> np.ndarray:
    """`z = T log mean_k softmax(z_k / T)`: its softmax at T is the arithmetic mean of the teachers' distributions at T.

    Logits (teachers, batch, classes) in, (batch, classes) out (Hinton, Vinyals & Dean 2015, section 1).

    >>> z = arithmetic_mean(np.log([[[0.5, 0.5]], [[0.1, 0.9]]]))
    >>> np.exp(z).round(6)
    array([[0.3, 0.7]])
    """
    _check(logits, T)
    t = logits.dtype.type(T)
    log_p = np.stack([log_probabilities(z / t) for z in logits])
    return np.asarray(t * (np.logaddexp.reduce(log_p, axis=0) - logits.dtype.type(np.log(len(logits)))))


def _check(logits: np.ndarray, T: float) -> None:
    if logits.ndim != 3 or logits.size == 0:
        raise ValueError(f"logits are (teachers, batch, classes), not empty, not {logits.shape}")
    check_finite("logits", logits)
    if not 0 < T < np.inf:
        raise ValueError(f"a temperature is positive and finite, not {T}")
