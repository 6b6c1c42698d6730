"""Ranges of batches that come one after the other, taken together."""

from collections.abc import Iterable

import numpy as np


def moving_average(
    ranges: Iterable[tuple[np.ndarray, np.ndarray]], rate: float = 0.01
) -> tuple[np.ndarray, np.ndarray]:
    """`low += rate (new - low)`, and so high, over the `ranges (low, high)` of batches; the first is the start.

    PyTorch's MovingAverageMinMaxObserver, where rate is averaging_constant, in the ranges' dtype and its order of
    operations. TensorFlow's ema_decay is `1 - rate`; its start is a variable's value, not the first batch. A ValueError
    without any range, or where shapes change.

    >>> moving_average([(np.array([[-1.0]]), np.array([[2.0]])), (np.array([[-3.0]]), np.array([[2.0]]))], rate=0.5)
    (array([[-2.]]), array([[2.]]))
    """
    if not 0 < rate <= 1:
        raise ValueError(f"the rate at which an average moves is above 0 and at most 1, not {rate}")
    average: tuple[np.ndarray, np.ndarray] | None = None
    for low, high in ranges:
        if average is None:
            average = low, high
        if low.shape != average[0].shape or high.shape != low.shape:
            raise ValueError(f"ranges have one shape, {average[0].shape}, not {low.shape} and {high.shape}")
        average = average[0] + rate * (low - average[0]), average[1] + rate * (high - average[1])
    if average is None:
        raise ValueError("an average needs the range of one batch at least")
    return average
