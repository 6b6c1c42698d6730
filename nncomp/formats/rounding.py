"""Rounding to an integer: the modes differ only at ties, and frameworks differ there."""

import numpy as np


def nearest_even(x: np.ndarray) -> np.ndarray:
    """To nearest, ties to the even neighbour (IEEE 754 roundTiesToEven): ONNX, PyTorch, NumPy.

    >>> nearest_even(np.array([-1.5, -0.5, 0.5, 1.5, 2.5]))
    array([-2., -0.,  0.,  2.,  2.])
    """
    return np.rint(x)


def nearest_away(x: np.ndarray) -> np.ndarray:
    """To nearest, ties away from zero (IEEE 754 roundTiesToAway): C's `round`, GGUF, gemmlowp.

    >>> nearest_away(np.array([-1.5, -0.5, 0.5, 1.5, 2.5]))
    array([-2., -1.,  1.,  2.,  3.])
    """
    whole = np.trunc(x)
    with np.errstate(invalid="ignore"):  # inf - inf; infinities stay themselves
        tie_or_more = np.abs(x - whole) >= 0.5  # exact, where adding 0.5 to 0.49999997 is not
    return whole + np.copysign(tie_or_more.astype(x.dtype), x)
