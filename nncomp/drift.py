"""Whether data have moved away from what a compressed network is good at: told from incoming samples without labels.

Two things are watched that need no labels: how often the compressed network says another class than the original, and
how sure it is. Both have a distribution on samples like those it was made for, the reference, and a batch that does not
fit it is an alarm.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import softmax
from scipy.stats import beta, hypergeom, mannwhitneyu, norm

from nncomp.measure import outputs
from nncomp.network import MLP


@dataclass(frozen=True)
class Drift:
    """A batch beside the reference: agreement and confidence, each with a 95 % interval, and how likely chance does it.

    `agreement`: the fraction of samples that compressed and original put in one class (Clopper & Pearson's interval).
    `confidence`: the mean of the largest probability (normal interval). `p_agreement` and `p_confidence`: of a batch
    like the reference's, the probability of so few agreements, and of confidences that rank so low. `alarm`: one of
    them is below half the level that was asked for: it is time to update. To be surer than on the reference is no
    reason.

    >>> network = MLP.init([4, 3])
    >>> Reference.of(network, network, np.eye(4)).check(np.eye(4)).agreement
    1.0
    """

    agreement: float
    agreement_interval: tuple[float, float]
    confidence: float
    confidence_interval: tuple[float, float]
    p_agreement: float
    p_confidence: float
    alarm: bool


@dataclass(frozen=True, eq=False)
class Reference:
    """What compressed and original make of samples like those the network is for, such as the validation split.

    >>> rng = np.random.default_rng(0)
    >>> original = MLP.init([4, 8, 3])
    >>> noise = lambda p: p + 0.02 * rng.standard_normal(p.shape).astype(p.dtype)
    >>> noisy = original.with_layers(lambda layer: layer.with_params([noise(p) for p in layer.params]))
    >>> x = rng.standard_normal((4000, 4))
    >>> reference = Reference.of(noisy, original, x[:2000])
    >>> reference.check(x[2000:2500]).alarm, reference.check(0.3 * x[2500:3000]).alarm
    (False, True)
    """

    compressed: MLP
    original: MLP
    disagreed: int
    confidences: np.ndarray

    @classmethod
    def of(cls, compressed: MLP, original: MLP, x: np.ndarray) -> Self:
        """From samples `x (n, features)` that were not trained on: on those, a network is surer than it should be."""
        if compressed.sizes[0] != original.sizes[0] or compressed.sizes[-1] != original.sizes[-1]:
            raise ValueError(f"networks {compressed.sizes} and {original.sizes} do not take the same samples")
        if compressed.sizes[-1] < 2:
            raise ValueError("drift is told by classes, and a network with one output has none")
        differ, confidences = _seen(compressed, original, x)
        return cls(compressed, original, differ, confidences)

    def check(self, x: np.ndarray, level: float = 0.005) -> Drift:
        """A batch `x (n, features)` of samples, at best 500 or more; `level`: how often a false alarm may come.

        Disagreements by Fisher's exact test of batch against reference, since both are samples; confidences by ranks
        (Mann & Whitney 1947), which holds for any distribution of them and for few samples. Both look at one side, and
        each has half of the level.
        """
        if not 0 < level < 1:
            raise ValueError(f"a level is between 0 and 1, not {level}")
        differ, confidences = _seen(self.compressed, self.original, x)
        n, reference = len(confidences), len(self.confidences)
        both = self.disagreed + differ
        p_agreement = float(hypergeom.sf(differ - 1, n + reference, both, n))
        mean, error = confidences.mean(), confidences.std(ddof=1) / np.sqrt(n)
        ranked = mannwhitneyu(confidences, self.confidences, alternative="less", method="asymptotic")
        p_confidence = 1.0 if np.isnan(ranked.pvalue) else float(ranked.pvalue)  # NaN where all are the same
        return Drift(
            1 - differ / n,
            (float(beta.ppf(0.025, n - differ, differ + 1)) if differ < n else 0.0,
             float(beta.ppf(0.975, n - differ + 1, differ)) if differ else 1.0),
            float(mean),
            (float(mean - norm.ppf(0.975) * error), float(mean + norm.ppf(0.975) * error)),
            p_agreement,
            p_confidence,
            min(p_agreement, p_confidence) < level / 2,
        )  # fmt: skip


def _seen(compressed: MLP, original: MLP, x: np.ndarray) -> tuple[int, np.ndarray]:
    """How many samples they put in different classes, and how sure the compressed one is of each."""
    if len(x) < 2:
        raise ValueError(f"a distribution needs at least two samples, not {len(x)}")
    z = outputs(compressed, x).astype(np.float64)
    differ = int((z.argmax(axis=1) != outputs(original, x).argmax(axis=1)).sum())
    return differ, softmax(z, axis=1).max(axis=1)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """`ECE = sum_b n_b / n |accuracy_b - confidence_b|`, samples in `bins` equal steps of confidence (Guo et al. 2017).

    Probabilities (n, classes), each row's largest being its confidence, and labels (n,): equation 3 of the paper. What
    incoming samples show once their labels are known.

    >>> round(calibration_error(np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 1]), bins=10), 6)
    0.4
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or probabilities.size == 0 or bins < 1:
        raise ValueError(f"probabilities (n, classes), labels (n,), not empty: {probabilities.shape}, {labels.shape}")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities are between 0 and 1")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    at = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # steps are open below, closed above
    gaps = np.bincount(at, right - confidence, bins)
    return float(np.abs(gaps).sum() / len(labels))
