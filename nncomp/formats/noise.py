"""How much of a signal a format loses."""

import numpy as np


def sqnr(x: np.ndarray, decoded: np.ndarray) -> float:
    """Signal to quantization noise in decibels: `10 log10(sum x^2 / sum (x - decoded)^2)`; inf where they are equal.

    >>> round(sqnr(np.array([3.0, 4.0]), np.array([3.0, 4.5])), 6)
    20.0
    """
    signal, noise = (
        float(np.square(v, dtype=np.float64).sum()) for v in (x, np.subtract(x, decoded, dtype=np.float64))
    )
    return float("inf") if noise == 0 else float(10 * np.log10(signal / noise)) if signal else float("-inf")
