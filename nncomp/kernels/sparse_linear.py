"""The quantized layer of kept codes: what `linear.py` says of dense ones, in three kernels, each over all rows."""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.encode import Codes, encode
from nncomp.kernels.linear import scaled
from nncomp.kernels.sparse_int8 import KeptCodes, sparse_int8_matmul


class SparseLayer(NamedTuple):
    """A layer's packed codes, their scales (N), the bias (N), the grid its inputs are laid on, and the least output."""

    weight: KeptCodes
    scale: np.ndarray
    bias: np.ndarray
    codes: Codes
    floor: np.float32


def sparse_int8_linear(x: np.ndarray, layer: SparseLayer) -> np.ndarray | None:
    """`y = max(acc (a_scale b_scale) + bias, floor)` of float32 x (M, K); None where x has no codes.

    >>> from nncomp.kernels.pattern import Pattern
    >>> from nncomp.kernels.sparse_int8 import sparse_int8_pack
    >>> pattern = Pattern(np.array([1]), np.array([0, 1]), inputs=2)
    >>> kept = sparse_int8_pack(np.array([3], np.int8), pattern, np.zeros(1, int))
    >>> one = np.ones(1, np.float32)
    >>> layer = SparseLayer(kept, one / 2, one, Codes(-128, 127, np.dtype(np.int8)), np.float32(0))
    >>> sparse_int8_linear(np.array([[4, 2], [0, -4]], np.float32), layer)
    array([[4.],
           [0.]], dtype=float32)
    """
    found = encode(x, layer.codes)
    if found is None:
        return None
    a, a_scale, a_zero = found
    acc = sparse_int8_matmul(a, layer.weight, np.broadcast_to(a_zero, len(a)))
    y = acc.view(np.float32)  # in the place of the sums
    scaled(acc, a_scale, layer.scale, layer.bias, layer.floor, y)
    return y
