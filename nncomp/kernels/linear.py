"""A quantized layer in one pass: integer products, scales, bias, activation, and the codes of the outputs if asked for.

    y = max(acc (a_scale b_scale) + bias, floor)              floor = 0 for ReLU, -infinity for none
    q = saturate(round(y / out_scale) + out_zero)

with acc the exact product of codes (`int8.py`), rounded once to float32: bit for bit what those steps give one by one.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.encode import encode_reference
from nncomp.kernels.int8 import int8_matmul, int8_matmul_reference, product
from nncomp.kernels.jit import compiled
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.pack import Packed
from nncomp.kernels.simd.path import PATH


class Outputs(NamedTuple):
    """The grid of a layer's outputs."""

    scale: np.float32
    zero: int
    low: int
    high: int
    dtype: np.dtype


class Layer(NamedTuple):
    """A layer's packed weights, and what makes outputs of their sums, as long as the packed weights are."""

    weight: Packed
    scale: np.ndarray
    bias: np.ndarray
    floor: np.float32
    outputs: Outputs | None


def int8_layer(
    weight: Packed, scale: np.ndarray, bias: np.ndarray, floor: float = -np.inf, outputs: Outputs | None = None
) -> Layer:
    """Pack the scales (N, or 1 for all) and the bias (N) of a layer with its weights."""
    wide = weight.sums.size
    padded = np.zeros((2, wide), np.float32)
    padded[0, : weight.outputs], padded[1, : weight.outputs] = scale, bias
    return Layer(weight, padded[0], padded[1], np.float32(floor), outputs)


def int8_linear_reference(
    a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray, a_scale: np.ndarray, scale: np.ndarray,
    bias: np.ndarray, floor: float = -np.inf, outputs: Outputs | None = None,
) -> np.ndarray:  # fmt: skip
    """The layer's outputs in float32, or their codes, from codes `a (M, K)`, scales and zero points of rows (M), and

    the weights' codes `b (N, K)`, zero points (N), scales (N or 1), and bias (N).
    """
    z = int8_matmul_reference(a, b, a_zero, b_zero).astype(np.float32) * (a_scale[:, None] * scale) + bias
    y = np.maximum(z, np.float32(floor))
    if outputs is None:
        return y
    return encode_reference(y, *_grid(outputs))


def int8_linear(a: np.ndarray, layer: Layer, a_scale: np.ndarray, a_zero: np.ndarray | None = None) -> np.ndarray:
    """As `int8_linear_reference`, of a packed layer, with one scale and zero point for each row (M), or scale for all.

    >>> from nncomp.kernels.pack import int8_pack
    >>> layer = int8_layer(int8_pack(np.array([[2, 3]], np.int8)), np.float32([0.5]), np.float32([1]), floor=0)
    >>> int8_linear(np.array([[4, 0], [0, -4]], np.int8), layer, a_scale=np.float32([1]))
    array([[5.],
           [0.]], dtype=float32)
    """
    weight, scale, bias, floor, outputs = layer
    if PATH == "scalar":
        y = np.empty((len(a), weight.outputs), np.float32)
        _outputs_scalar(int8_matmul(a, weight, a_zero), a_scale, scale, bias, floor, y)
        return y if outputs is None else encode_reference(y, *_grid(outputs))
    out = aligned_empty((len(a), weight.outputs), np.float32 if outputs is None else outputs.dtype)
    last = (floor,) if outputs is None else (floor, *outputs[:4])
    return product(a, weight, a_zero, out, (a_scale, int(a_scale.size > 1), scale, bias, *last))


def _grid(outputs: Outputs) -> tuple:
    """The grid as `encode` takes it."""
    return np.array([outputs.scale], np.float32), np.array([outputs.zero], np.int32), *outputs[2:]


def _outputs_scalar_py(sums, a_scale, b_scale, bias, floor, y):  # type: ignore[no-untyped-def]
    for m in range(y.shape[0]):
        for n in range(y.shape[1]):
            scale = a_scale[m if a_scale.size > 1 else 0] * b_scale[n]
            y[m, n] = max(np.float32(np.float32(sums[m, n]) * scale) + bias[n], floor)


_outputs_scalar = compiled(_outputs_scalar_py)
