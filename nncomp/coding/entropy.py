"""The bound of all codes that know how often each value occurs, and nothing of its neighbours."""

import numpy as np


def entropy_bits(values: np.ndarray) -> float:
    """`n H = -sum_v c_v log2(c_v / n)`, where v occurs c_v times among n integers of any shape; 0 for none.

    No code of one word a value takes fewer bits than this for the values, given their frequencies (Shannon 1948,
    theorem 9). A ValueError for what is neither integers nor truth values.

    >>> entropy_bits(np.array([0, 0, 1, 1])), entropy_bits(np.array([7, 7, 7]))
    (4.0, 0.0)
    """
    if values.dtype.kind not in "biu":
        raise ValueError(f"the entropy is of integers, not of {values.dtype}")
    counts = np.unique(values, return_counts=True)[1]
    return float(np.sum(counts * np.log2(values.size / counts)))
