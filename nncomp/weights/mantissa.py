"""Scales as they train: of order one, so that one learning rate serves scales and biases alike, and never negative."""

from typing import NamedTuple, Self

import numpy as np


class Mantissa(NamedTuple):
    """A scale's mantissa p is what trains; its power of two e is held:

        scale = 2^e p  where p >= 1,  2^e exp(p - 1)  below,

    which is the scale exactly at the start (1 <= p < 2), smooth, and positive wherever training goes.

    >>> Mantissa.of(np.array([0.75, 3.0])).p, Mantissa.of(np.array([0.75, 3.0])).scale
    (array([1.5, 1.5]), array([0.75, 3.  ]))
    """

    exponent: np.ndarray
    p: np.ndarray

    @classmethod
    def of(cls, scale: np.ndarray) -> Self:
        """Positive scales taken apart."""
        exponent = np.frexp(scale)[1] - 1
        return cls(exponent, np.ldexp(scale, -exponent))

    @property
    def scale(self) -> np.ndarray:
        """The scales."""
        return np.ldexp(np.where(self.p < 1, np.exp(np.minimum(self.p, 1) - 1), self.p), self.exponent)

    def gradient(self, dscale: np.ndarray) -> np.ndarray:
        """dp from the gradient at the scales."""
        return np.ldexp(dscale * np.exp(np.minimum(self.p, 1) - 1), self.exponent)
