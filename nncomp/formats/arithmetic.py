"""How a number is brought onto a grid: in which order it is scaled, rounded and moved by the zero point.

Each gives whole numbers in floating point, not yet limited to the codes. In exact arithmetic they would differ at ties
alone, where the zero point is odd; in floating point a product with `1 / scale` is not quite a quotient either.
"""

from collections.abc import Callable

import numpy as np

Rounding = Callable[[np.ndarray], np.ndarray]
Arithmetic = Callable[[np.ndarray, np.ndarray, np.ndarray, Rounding], np.ndarray]


def divide_round_add(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, rounding: Rounding) -> np.ndarray:
    """`round(x / scale) + zero`: ONNX QuantizeLinear.

    >>> divide_round_add(np.array([0.5, 1.5]), np.array(1.0), np.array(1.0), np.rint)
    array([1., 3.])
    """
    q = rounding(x / scale)
    q += zero
    return q


def multiply_round_add(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, rounding: Rounding) -> np.ndarray:
    """`round(x (1 / scale)) + zero`: PyTorch's fake quantization, torchao.

    >>> multiply_round_add(np.array([0.5, 1.5]), np.array(1.0), np.array(1.0), np.rint)
    array([1., 3.])
    """
    q = rounding(x * (1 / scale))
    q += zero
    return q


def divide_add_round(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, rounding: Rounding) -> np.ndarray:
    """`round(x / scale + zero)`: gemmlowp, and zero points that are no codes.

    >>> divide_add_round(np.array([0.5, 1.5]), np.array(1.0), np.array(1.0), np.rint)
    array([2., 2.])
    """
    return rounding(x / scale + zero)


def multiply_add_round(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, rounding: Rounding) -> np.ndarray:
    """`round(x (1 / scale) + zero)`: PyTorch, per channel.

    >>> multiply_add_round(np.array([0.5, 1.5]), np.array(1.0), np.array(1.0), np.rint)
    array([2., 2.])
    """
    return rounding(x * (1 / scale) + zero)


def fused_add_round(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, rounding: Rounding) -> np.ndarray:
    """`round(fma(x, 1 / scale, zero))`: product and sum rounded to float32 as one; PyTorch, per tensor.

    >>> fused_add_round(np.float32([0.5, 1.5]), np.float32(1.0), np.float32(1.0), np.rint)
    array([2., 2.], dtype=float32)
    """
    if x.dtype != np.float32 or scale.dtype != np.float32:
        raise ValueError(f"a product and a sum are fused in float32, not in {x.dtype} with scales {scale.dtype}")
    product, z = x.astype(np.float64) * (1 / scale), np.asarray(zero, np.float64)  # the product is exact
    total = product + z
    with np.errstate(invalid="ignore"):  # of infinities, which need none of this
        own = total - product
        off = (product - (total - own)) + (z - own)  # what the sum was rounded by, exactly
    even = (total.view(np.int64) & 1) == 0
    # To odd in 53 bits, so that rounding to 24 is as if it had been the only one (Boldo & Melquiond 2008).
    inexact = np.isfinite(total) & (off != 0) & even
    total = np.where(inexact, np.nextafter(total, np.copysign(np.inf, off)), total)
    return rounding(total.astype(np.float32))
