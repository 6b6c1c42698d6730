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


def half_up(x: np.ndarray) -> np.ndarray:
    """To nearest, ties to the larger: `floor(x + 1/2)`, computed exactly; many a hardware's and a script's rounding.

    >>> half_up(np.array([-1.5, -0.5, 0.5, 1.5, 0.49999999999999994]))
    array([-1., -0.,  1.,  2.,  0.])
    """
    whole = np.floor(x)
    with np.errstate(invalid="ignore"):  # inf - inf; infinities stay themselves
        tie_or_more = x - whole >= 0.5
    return np.copysign(whole + tie_or_more, x)


def stochastic(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up with the probability of what lies above the floor, so that the mean is x (Gupta et al. 2015, section 3.1).

    As a rounding mode: `partial(stochastic, rng=np.random.default_rng(0))`, which draws anew in every call.

    >>> stochastic(np.array([2.0, -3.0]), np.random.default_rng(0))
    array([ 2., -3.])
    >>> float(stochastic(np.full(1000, 0.25), np.random.default_rng(0)).mean())
    0.231
    """
    whole = np.floor(x)
    with np.errstate(invalid="ignore"):
        up = rng.random(x.shape) < x - whole
    return np.copysign(whole + up, x)
