"""An integer layer's pass in one kernel, from floats to floats: bit for bit what its definition in `layer.py` gives."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.activations import Activation, Identity, ReLU
from nncomp.formats import Grid, PerRow, Uniform, nearest_even
from nncomp.kernels.encode import encode, encode_dynamic
from nncomp.kernels.linear import int8_layer, int8_linear
from nncomp.quantize import Dynamic, minmax
from nncomp.weights import Quantized

Pass = Callable[[np.ndarray], np.ndarray | None]
"""From a batch to the layer's outputs; None for a batch that only the definition knows what to say of."""
FLOORS = {Identity: -np.inf, ReLU: 0.0}


def integer_pass(weight: Quantized, bias: np.ndarray, activation: Activation, input: Any) -> Pass | None:
    """The pass of a layer with a static or dynamic `input` quantizer; None where no kernel has one.

    There is one for float32, 8-bit codes that are dense and have one scale a row or for all, and ReLU or nothing.
    """
    packed, floor, coded = weight.packed, FLOORS.get(type(activation)), _encoder(input)
    if packed is None or floor is None or coded is None or weight.dtype != np.float32:
        return None
    layer = int8_layer(packed, weight.grid.scale[:, 0], bias, floor)

    def run(x: np.ndarray) -> np.ndarray | None:
        if x.dtype != np.float32 or x.size == 0 or x.shape[1:] != (packed.inputs,):
            return None
        found = coded(x)
        return None if found is None else int8_linear(found[0], layer, *found[1:])

    return run


def _encoder(input: Any) -> Callable[[np.ndarray], tuple | None] | None:
    """From a batch to its codes, scales and zero points, or None if one is not finite."""
    if isinstance(input, Grid) and _plain(input.format):
        return _static(input)
    if isinstance(input, Dynamic) and _plain(input.format) and input.ranges is minmax:
        return _dynamic(input.format, isinstance(input.per, PerRow))
    return None


def _plain(format: Uniform) -> bool:
    return format.bits <= 8 and format.rounding is nearest_even


def _static(grid: Grid) -> Callable[[np.ndarray], tuple | None]:
    scale, zero, format = grid.scale[:, 0], grid.zeros[:, 0], grid.format

    def coded(x: np.ndarray) -> tuple | None:
        q = encode(x, scale, zero, format.qmin, format.qmax, format.dtype)
        return None if q is None else (q, scale, _each(zero, x))

    return coded


def _dynamic(format: Uniform, per_row: bool) -> Callable[[np.ndarray], tuple | None]:
    low, high, middle = format.qmin, format.qmax, format.middle
    steps = format.scale_rule(low - middle, high - middle) if format.symmetric else 0.0

    def coded(x: np.ndarray) -> tuple | None:
        found = encode_dynamic(x, low, high, middle, steps, format.dtype, per_row)
        return None if found is None else (*found[:2], _each(found[2], x))

    return coded


def _each(zero: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """A zero point for each sample, or None where all are 0."""
    return np.broadcast_to(zero, len(x)) if zero.any() else None
