"""A small task: eight features, three classes."""

import numpy as np

from nncomp.data import Data, Split


def small(seed: int, samples: int = 60, apart: float = 0.0) -> Data:
    """Normal samples, those of class k moved by `apart` along feature k; nine more for validation."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    x = rng.standard_normal((samples, 8)) + apart * np.eye(8)[y]
    return Data(
        Split(x.astype(np.float32), y),
        Split(rng.standard_normal((9, 8)).astype(np.float32), rng.integers(0, 3, 9)),
    )


def blobs(n: int, seed: int) -> Split:
    """Four classes around four centers in twelve dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    centers = np.random.default_rng(0).standard_normal((4, 12)) * 2
    return Split((centers[y] + rng.standard_normal((n, 12))).astype(np.float32), y)
