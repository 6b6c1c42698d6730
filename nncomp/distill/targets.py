"""The target class apart from all others: one softmax as two, of target against rest and of the rest alone."""

import numpy as np
from scipy.special import logsumexp

from nncomp.losses import check_labels, log_probabilities


def check_target(student: np.ndarray, labels: np.ndarray) -> None:
    """Raise unless the labels fit the logits, and each sample has a class that is not its target."""
    check_labels(student, labels)
    if student.shape[1] < 2:
        raise ValueError(f"a target and other classes need at least 2 classes, not {student.shape[1]}")


def others(log_p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The columns (batch, classes - 1) that are not the target's.

    >>> others(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([0, 2]))
    array([[2., 3.],
           [4., 5.]])
    """
    batch, classes = log_p.shape
    return log_p[_not_target(log_p, labels)].reshape(batch, classes - 1)


def spread(values: np.ndarray, labels: np.ndarray, at_target: np.ndarray) -> np.ndarray:
    """(batch, classes) of which `others` are the given values, with `at_target (batch,)` at the targets.

    >>> spread(np.array([[2.0, 3.0], [4.0, 5.0]]), np.array([0, 2]), np.array([1.0, 6.0]))
    array([[1., 2., 3.],
           [4., 5., 6.]])
    """
    whole = np.empty((len(values), values.shape[1] + 1), values.dtype)
    whole[_not_target(whole, labels)] = values.ravel()
    whole[np.arange(len(values)), labels] = at_target
    return whole


def split(log_p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`log b (batch, 2)`, of the target and of all others together, and `log p̂ (batch, classes - 1)` among the others.

    >>> log_b, log_rest = split(np.log([[0.5, 0.1, 0.4]]), np.array([0]))
    >>> np.exp(log_b).round(6), np.exp(log_rest).round(6)
    (array([[0.5, 0.5]]), array([[0.2, 0.8]]))
    """
    rest = others(log_p, labels)
    log_b = np.stack([log_p[np.arange(len(log_p)), labels], logsumexp(rest, axis=1)], axis=1)
    return log_b, log_probabilities(rest)


def _not_target(like: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.arange(like.shape[1]) != labels[:, None]
