"""From the ends of some weights to their scale, operation by operation as each system does it.

`low` and `high`: the least and the largest of the values of each scale, float32, of one shape; `format`: the codes.
Most systems divide the largest magnitude, `size`, by what `format.scale_rule` says, and differ in what is done where
all values are zero or almost; some come to it by way of a range, which is another float32 in the last bit.
"""

import numpy as np

from nncomp.formats.uniform import Uniform

EPSILON, TINY = np.finfo(np.float32).eps, np.finfo(np.float32).tiny


def one_for_zero(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`size / steps`, 1 for zeros: what `Uniform` does itself.

    >>> one_for_zero(np.float32([0, -1]), np.float32([0, 254]), Uniform())
    array([1., 2.], dtype=float32)
    """
    return format.fit(low, high)[0]


def one_for_subnormal(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`size / steps`, 1 where that has no normal float32: ONNX Runtime's `compute_scale_zp`.

    >>> one_for_subnormal(np.float32([0, -1]), np.float32([1e-40, 254]), Uniform())
    array([1., 2.], dtype=float32)
    """
    exact = _size(low, high).astype(np.float64) / _steps(format)
    return np.where(exact < TINY, 1, exact).astype(np.float32)


def at_least_normal(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`max(size / steps, 2^-126)`: torchao's `choose_qparams_affine`.

    >>> at_least_normal(np.float32([0, -1]), np.float32([0, 254]), Uniform())
    array([1.1754944e-38, 2.0000000e+00], dtype=float32)
    """
    return np.maximum(_size(low, high) / _steps(format), TINY)


def at_least_epsilon(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`max(size / steps, 2^-23)`: PyTorch's observers.

    >>> at_least_epsilon(np.float32([0, -1]), np.float32([0, 254]), Uniform())
    array([1.1920929e-07, 2.0000000e+00], dtype=float32)
    """
    return np.maximum(_size(low, high) / _steps(format), EPSILON)


def epsilon_for_zero(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`size / steps`, 2^-23 where that is 0: compressed-tensors' `calculate_qparams`.

    >>> epsilon_for_zero(np.float32([0, -1]), np.float32([0, 254]), Uniform())
    array([1.1920929e-07, 2.0000000e+00], dtype=float32)
    """
    scale = _size(low, high) / _steps(format)
    return np.where(scale == 0, EPSILON, scale)


def size_at_least(low: np.ndarray, high: np.ndarray, format: Uniform, least: float) -> np.ndarray:
    """`max(size, least) / steps`: 1e-10 in Brevitas' Int8Weight quantizers, 1e-9 in AI Edge Quantizer.

    >>> size_at_least(np.float32([0, -1]), np.float32([0, 254]), Uniform(), least=1e-10)
    array([7.874016e-13, 2.000000e+00], dtype=float32)
    """
    return np.maximum(_size(low, high), np.float32(least)) / _steps(format)


def size_of_largest(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """Of a size at least a hundredth of the largest beside it and 8e-5, the range over its steps: NNCF.

    >>> size_of_largest(np.float32([0, -1]), np.float32([0, 254]), Uniform(narrow=True))
    array([0.02, 2.  ], dtype=float32)
    """
    size = _size(low, high)
    size = np.maximum(size, np.maximum(size.max(initial=0) * np.float32(0.01), np.float32(8e-5)))
    steps = format.qmax - format.qmin
    below = size * np.float32((steps + 1) / (steps - 1)) if steps % 2 else size  # one code more than above
    return (size + below) / np.float32(steps)


def widest_of_halves(low: np.ndarray, high: np.ndarray, format: Uniform) -> np.ndarray:
    """`max(high / above, -low / below)` of the codes above and below 0, by way of the range's ends: AIMET.

    Where zeros and almost zeros would have less than 2^-23, the range is widened by that for each code.

    >>> widest_of_halves(np.float32([0, -1]), np.float32([0, 254]), Uniform())
    array([1.1920929e-07, 2.0000000e+00], dtype=float32)
    """
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    steps = format.qmax - format.qmin
    above, below = np.float32(steps // 2), np.float32(steps - steps // 2)
    wider = EPSILON * ((high - low) / np.float32(steps) < EPSILON)
    half = np.maximum((high + above * wider) / (above + (steps == 3)), -(low - below * wider) / below)
    return np.maximum((above * half + below * half) / np.float32(steps), EPSILON)


def _size(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(-low, high), np.float32(0))


def _steps(format: Uniform) -> np.float32:
    return np.float32(format.scale_rule(format.qmin - format.middle, format.qmax - format.middle))
