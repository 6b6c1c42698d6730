"""An integer layer's pass by kernels, from floats to floats: bit for bit what its definition in `layer.py` gives."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nncomp.activations import Activation, Identity, ReLU
from nncomp.formats import Grid, PerRow, divide_round_add, nearest_even
from nncomp.kernels.encode import TO_ALL, TO_ROW, Codes
from nncomp.kernels.linear import Layer, int8_linear
from nncomp.kernels.sparse_linear import SparseLayer, sparse_int8_linear
from nncomp.quantize import Dynamic, minmax
from nncomp.weights import Quantized
from nncomp.weights.codes import CodeBlock

FLOORS = {Identity: -np.inf, ReLU: 0.0}
FEW, LARGE = 4, 2**20
"""The largest batch and the fewest weights that are faster in 4 or 2 bits than as bytes: they wait for memory."""


@dataclass(frozen=True)
class Pass:
    """From a batch to the layer's outputs; None for a batch that only the definition knows what to say of.

    Of codes that have a kernel; `scale` (out, or 1 for all), `bias` (out).
    """

    codes: CodeBlock
    scale: np.ndarray
    bias: np.ndarray
    inputs: Codes
    floor: float

    def __call__(self, x: np.ndarray) -> np.ndarray | None:
        if x.dtype != np.float32 or x.size == 0 or x.shape[1:] != self.codes.codes.shape[1:]:
            return None
        if self.codes.kept is not None:
            return sparse_int8_linear(x, self._kept)
        few = len(x) <= FEW and math.prod(self.codes.codes.shape) >= LARGE and self.codes.few is not None
        return int8_linear(x, self._few if few else self._bytes)

    @cached_property
    def _kept(self) -> SparseLayer:
        assert self.codes.kept is not None
        scale = np.broadcast_to(self.scale, self.bias.shape)
        return SparseLayer(self.codes.kept, scale, self.bias, self.inputs, np.float32(self.floor))

    @cached_property
    def _few(self) -> Layer:
        assert self.codes.few is not None
        return Layer(self.codes.few, self.scale, self.bias, self.inputs, self.floor)

    @cached_property
    def _bytes(self) -> Layer:
        assert self.codes.packed is not None
        return Layer(self.codes.packed, self.scale, self.bias, self.inputs, self.floor)


def integer_pass(weight: Quantized, bias: np.ndarray, activation: Activation, input: Any) -> Pass | None:
    """The pass of a layer with a static or dynamic `input` quantizer; None where no kernel has one.

    There is one for float32, 8-bit codes that have one scale a row or for all, and ReLU or nothing.
    """
    whole, floor, codes = weight.whole, FLOORS.get(type(activation)), input_codes(input)
    block = whole.products.whole if whole is not None else None
    if whole is None or block is None or floor is None or codes is None or weight.dtype != np.float32:
        return None
    return Pass(block, whole.grid.scale[:, 0], bias, codes, floor) if block.has_kernel else None


def input_codes(input: Any) -> Codes | None:
    """The input's codes as the kernel makes them: of 8 bits at most, to the nearest even, over the whole range."""
    if not isinstance(input, Grid | Dynamic):
        return None
    format = input.format
    if format.bits > 8 or (format.rounding, format.arithmetic) != (nearest_even, divide_round_add):
        return None
    fixed = Codes(format.qmin, format.qmax, format.dtype)
    if isinstance(input, Grid):
        return fixed._replace(scale=input.scale[:, 0], zero=input.zeros[:, 0])
    steps = format.scale_rule(format.qmin - format.middle, format.qmax - format.middle) if format.symmetric else 0.0
    fitted = TO_ROW if isinstance(input.per, PerRow) else TO_ALL
    return (
        fixed._replace(fitted=fitted, middle=format.middle, steps=np.float32(steps)) if input.ranges is minmax else None
    )
