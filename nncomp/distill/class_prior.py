"""Class priors: what to add to logits that were learned where classes are more or less frequent than they should be."""

from collections.abc import Sequence

import numpy as np

from nncomp.losses import check_finite, check_labels


def correct_prior(logits: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`z_c + log(new_c / old_c)`: posteriors under other class priors (Saerens et al. 2002).

    Logits (batch, classes) of a network that learned where class c has the prior `old_c`; a softmax of the result has
    the posteriors where it has `new_c`. Its derivative is 1, so any loss may follow, whose gradient stays as it is:
    with old and new exchanged before a loss, training takes the imbalance out (Menon et al. 2021, equation 10). A class
    that never was, prior 0, has no such correction, but `best_bias`.

    >>> correct_prior(np.zeros((1, 2)), old=np.array([0.8, 0.2]), new=np.array([0.5, 0.5])).round(6)
    array([[-0.470004,  0.916291]])
    """
    if logits.ndim != 2:
        raise ValueError(f"logits are (batch, classes), not {logits.shape}")
    check_finite("logits", logits)
    for name, prior in (("old", old), ("new", new)):
        if prior.shape != logits.shape[1:] or not ((prior > 0) & (prior < np.inf)).all():
            raise ValueError(f"{name} priors are {logits.shape[1]} positive, finite numbers, not {prior}")
    ratio = np.log(new / new.sum(dtype=np.float64)) - np.log(old / old.sum(dtype=np.float64))
    return logits + ratio.astype(logits.dtype)


def best_bias(logits: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> float:
    """The number which, added to the logits of `classes`, makes the most labels right: exact, by the sample that turns.

    A student distilled without threes, or from sevens and eights alone, is right about the others but for how likely
    they are (Hinton et al. 2015, section 3): one bias for all of `classes` mends it. Logits (batch, all classes) and
    labels of data held out. Of intervals equally good it is the middle nearest to 0, or 0 itself; beyond the last
    sample that turns, a step of 1.

    >>> z, y = np.array([[2.0, 0.0], [3.0, 0.0], [1.0, 0.5]]), np.array([1, 1, 0])
    >>> best_bias(z, y, classes=[1])  # above 3 both of the others are right, where the last one is wrong
    4.0
    """
    check_labels(logits, labels)
    inside = np.isin(np.arange(logits.shape[1]), classes)
    if inside.all() or not inside.any() or inside.sum() != len(set(classes)):
        raise ValueError(f"the bias is for some of {logits.shape[1]} classes, not for none, all or others: {classes}")
    z = logits.astype(np.float64)
    of_inside, of_outside = np.where(inside, z, -np.inf), np.where(inside, -np.inf, z)
    turns = of_outside.max(axis=1) - of_inside.max(axis=1)  # the bias at which a sample goes from outside to inside
    right_above = turns[of_inside.argmax(axis=1) == labels]
    right_below = turns[of_outside.argmax(axis=1) == labels]
    ends = np.unique(turns)
    biases = np.concatenate([[ends[0] - 1], (ends[:-1] + ends[1:]) / 2, [ends[-1] + 1], [0.0]])
    right = np.searchsorted(np.sort(right_above), biases) + len(right_below)
    right -= np.searchsorted(np.sort(right_below), biases, side="right")
    right[-1] = (logits.argmax(axis=1) == labels).sum()  # where the first of equal logits is told
    best = biases[right == right.max()]
    return float(best[np.argmin(np.abs(best))])
