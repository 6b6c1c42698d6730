"""Values on a line and the centers they belong to: what k-means in one dimension is made of."""

from typing import NamedTuple, Self

import numpy as np


class Values(NamedTuple):
    """The distinct values of an array, rising, and how much each counts; both divided by powers of two.

    >>> Values.of(np.array([[3.0, 1.0, 3.0]]))
    Values(v=array([0.25, 0.75]), h=array([0.5, 1. ]), exponent=2)
    """

    v: np.ndarray
    """float64 (m,), the largest in size from 1/2 to 1."""
    h: np.ndarray
    """float64 (m,), above 0."""
    exponent: int
    """What was divided by: `w = 2^exponent v`."""

    @classmethod
    def of(cls, w: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Those of `w`, each counting for the sum of its `weights`, or as often as it is there."""
        if not np.issubdtype(w.dtype, np.floating) or w.size == 0 or not np.isfinite(w).all():
            raise ValueError(f"what is shared are finite floats, at least one, not {w.dtype} of shape {w.shape}")
        if weights is None:
            weights = np.ones(w.shape)
        h = np.asarray(weights, np.float64)
        if h.shape != w.shape or not (np.isfinite(h).all() and (h >= 0).all() and h.any()):
            raise ValueError(
                f"values {w.shape} count for finite weights of that shape, at least 0 and not all of them, "
                f"not for {h.shape} from {h.min(initial=np.inf)} to {h.max(initial=-np.inf)}"
            )
        v, places = np.unique(w.astype(np.float64), return_inverse=True)
        counts = np.bincount(places.ravel(), np.ldexp(h, -np.frexp(h.max())[1]).ravel())
        v, counts = v[counts > 0], counts[counts > 0]
        exponent = int(np.frexp(np.abs(v).max())[1])
        return cls(np.ldexp(v, -exponent), counts, exponent)

    def means(self, edges: np.ndarray) -> np.ndarray:
        """The mean of the values from each edge to the next; NaN where there are none.

        By sums of their own, since differences of sums of all would lose values that count for little.
        """
        means = np.full(edges.size - 1, np.nan)
        full = np.diff(edges) > 0
        first, end = edges[:-1][full], edges[1:][full]
        if first.size:
            sums = (np.add.reduceat(a[: edges[-1]], first) for a in (self.h * self.v, self.h))
            means[full] = np.clip(np.divide(*sums), self.v[first], self.v[end - 1])
        return means


def middles(c: np.ndarray) -> np.ndarray:
    """Halfway from each of the centers `c`, which never fall, to the next.

    >>> middles(np.array([0.0, 1.0, 4.0]))
    array([0.5, 2.5])
    """
    return c[1:] / 2 + c[:-1] / 2


def nearest(w: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The index of the center nearest to each value: of centers that never fall, the lower of two as near.

    >>> nearest(np.array([[-3.0, 0.5, 0.6]]), np.array([0.0, 1.0]))
    array([[0, 0, 1]], dtype=uint8)
    """
    first = np.searchsorted(c, c).astype(np.uint8 if c.size <= 256 else np.uint16)  # of those that are equal
    return first[np.searchsorted(middles(c.astype(np.float64)), w)]


def shared(w: np.ndarray, k: int, c: np.ndarray, exponent: int) -> tuple[np.ndarray, np.ndarray]:
    """Centers as a codebook (k,) in w's dtype, the last filling it up, and the index of each value's nearest.

    >>> shared(np.array([[3.0, 1.0]]), 3, np.array([0.25, 0.75]), exponent=2)
    (array([1., 3., 3.]), array([[1, 0]], dtype=uint8))
    """
    codebook = np.ldexp(np.pad(c, (0, k - c.size), mode="edge"), exponent).astype(w.dtype)
    return codebook, nearest(w, codebook)


def check_count(k: int) -> None:
    """Raise unless there can be k centers."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= 65536:
        raise ValueError(f"1 to 65536 values are shared, not {k!r}")
