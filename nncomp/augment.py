"""Samples changed at random as they are learned, so that no epoch sees the same ones."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncomp.fields import check_whole

Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Samples `(n, features)` and what chance draws from in, as many changed samples out."""


@dataclass(frozen=True)
class Jitter:
    """Move each square picture by up to `pixels` in either direction, drawn anew each time; zeros come in.

    What Hinton, Vinyals & Dean (2015, section 3) regularize their teacher with, at two pixels.

    >>> picture = np.arange(9.0).reshape(1, 9)
    >>> Jitter(1)(picture, np.random.default_rng(0)).reshape(3, 3)  # up by one
    array([[3., 4., 5.],
           [6., 7., 8.],
           [0., 0., 0.]])
    """

    pixels: int = 2

    def __post_init__(self) -> None:
        check_whole(self, pixels=1)

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The samples `x (n, features)` moved, a new array."""
        n, features = x.shape
        side, p = math.isqrt(features), self.pixels
        if side * side != features or p >= side:
            raise ValueError(f"{features} features are no square picture that can be moved by {p} pixels")
        padded = np.zeros((n, side + 2 * p, side + 2 * p), x.dtype)
        padded[:, p:-p, p:-p] = x.reshape(n, side, side)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        down, right = rng.integers(0, 2 * p + 1, (2, n))
        return windows[np.arange(n), down, right].reshape(n, features)
