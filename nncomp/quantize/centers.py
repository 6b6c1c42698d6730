"""Where k-means begins: distinct values `v (m,)` that rise, each counting for `h (m,)`, in; at most k centers out."""

from collections.abc import Callable

import numpy as np

Init = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""`(v, h, k) -> centers`, in any order; v and h were divided by powers of two."""


def linear(v: np.ndarray, h: np.ndarray, k: int) -> np.ndarray:
    """k centers at equal steps from the smallest value to the largest (Han, Mao & Dally 2016, section 3.2).

    The authors' choice: the few large weights, which matter most, get centers of their own.

    >>> linear(np.array([0.0, 1.0, 9.0]), np.ones(3), 4)
    array([0., 3., 6., 9.])
    """
    return np.linspace(v[0], v[-1], k)


def density(v: np.ndarray, h: np.ndarray, k: int) -> np.ndarray:
    """The values at which the cumulative distribution reaches (i + 1/2) / k (Han, Mao & Dally 2016, section 3.2).

    >>> density(np.array([0.0, 1.0, 9.0]), np.array([2.0, 4.0, 2.0]), 4)
    array([0., 1., 1., 9.])
    """
    cdf = np.cumsum(h)
    places = np.searchsorted(cdf, (np.arange(k) + 0.5) / k * cdf[-1])
    return v[np.minimum(places, v.size - 1)]


def random(v: np.ndarray, h: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """k of the values, drawn as often as they count, none twice (Forgy's; Han, Mao & Dally 2016, section 3.2).

    >>> random(np.array([0.0, 1.0, 9.0]), np.ones(3), 2)
    array([0., 9.])
    """
    with np.errstate(over="ignore"):
        turn = np.random.default_rng(seed).exponential(size=v.size) / h  # a race that the heavy ones tend to win
    return np.sort(v[np.argsort(turn, kind="stable")[:k]])


def kmeans_plus_plus(v: np.ndarray, h: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Each center is a value drawn with probability in proportion to `h D^2` (Arthur & Vassilvitskii 2007, 2.2).

    D: the distance to the nearest center so far; the first is drawn by h alone.

    >>> kmeans_plus_plus(np.array([0.0, 1.0, 9.0]), np.ones(3), 2)
    array([1., 9.])
    """
    rng, chance, squares = np.random.default_rng(seed), h, np.full(v.size, np.inf)
    chosen: list[float] = []
    while len(chosen) < k and chance.any():
        cdf = np.cumsum(chance)
        c = v[min(int(np.searchsorted(cdf, rng.random() * cdf[-1], side="right")), v.size - 1)]
        chosen.append(c)
        squares = np.minimum(squares, (v - c) ** 2)
        chance = h * squares
    return np.sort(chosen)
