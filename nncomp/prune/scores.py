"""How much a weight matters: an array of weights in, an array of scores of the same shape out, larger = keep."""

from collections.abc import Sequence

import numpy as np


def magnitude(W: np.ndarray) -> np.ndarray:
    """`s = |w|` (Han et al. 2015, section 3).

    >>> magnitude(np.array([[-2.0, 1.0]]))
    array([[2., 1.]])
    """
    return np.abs(W)


def random(weights: Sequence[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    """Scores of each layer that say nothing: uniform in [0, 1), by seed and shapes. What every method must beat.

    >>> random([np.ones((1, 2))], seed=1)[0].round(3)
    array([[0.512, 0.95 ]])
    """
    rng = np.random.default_rng(seed)
    return [rng.random(W.shape) for W in weights]


def deviation_threshold(W: np.ndarray, quality: float) -> float:
    """`t = quality std(W)`, to be given to `keep_above(magnitude(W), t)`: the threshold of Han et al. 2015.

    >>> deviation_threshold(np.array([[1.0, 3.0]]), quality=2.0)
    2.0
    """
    return float(quality * np.std(W))
