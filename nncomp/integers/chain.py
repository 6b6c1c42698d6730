"""How layers of integers run: byte layers by one kernel each, layers of signs by the XNOR kernel and thresholds.

What flows between two layers is codes, or before a layer of signs their margins: int32, at least 0 where the bit is 1.
Both give the codes of the definition, bit for bit.
"""

from collections.abc import Callable, Sequence

import numpy as np

from nncomp.integers.layer import IntegerLayer
from nncomp.kernels.binary import Signs, binary_matmul, binary_pack
from nncomp.kernels.pack import Packed
from nncomp.kernels.requantize import Requantized, requantized, sums_to_codes

Flow = Callable[[np.ndarray], np.ndarray]


def chain(layers: Sequence[IntegerLayer]) -> Flow:
    """From the inputs' codes to the outputs', by kernels that round as `round_then_zero`."""
    signs = [of_signs(layer) for layer in layers]
    flows: list[Flow] = []
    if signs[0]:
        lowest = layers[0].input.format.qmin
        flows.append(lambda q: np.where(q > lowest, np.int32(0), np.int32(-1)))
    for layer, from_bits, to_bits in zip(layers, signs, [*signs[1:], False]):
        make = (bytes_to_codes, bytes_to_margins, bits_to_codes, bits_to_margins)[2 * from_bits + to_bits]
        flows.append(make(layer))

    def run(q: np.ndarray) -> np.ndarray:
        for flow in flows:
            q = flow(q)
        return q

    return run


def of_signs(layer: IntegerLayer) -> bool:
    """Whether the layer multiplies bits by signs: all weights are there, as -1 or 1, and inputs have 1 bit."""
    grid, codes = layer.weight.grid, layer.weight.plain
    if layer.input.format.bits > 1 or not isinstance(codes, np.ndarray) or grid.format.bits > 2:
        return False
    return bool((np.abs(codes - grid.zeros) == 1).all())


def multiplier(layer: IntegerLayer) -> np.ndarray:
    """`m = s_x s_w / s_y` in float32, as `round_then_zero` computes it."""
    return layer.input.scale[:, 0] * layer.weight.grid.scale[:, 0] / layer.output.scale[:, 0]


def least_sums(layer: IntegerLayer) -> np.ndarray:
    """The least sum of each output whose code is 1, one more than the `largest` there is if that has 0: by bisection.

    The code of a sum never falls where the sum rises.
    """
    shape = (1, layer.weight.shape[0])
    low, high = np.full(shape, -layer.largest, np.int64), np.full(shape, layer.largest + 1, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        one = layer.requantized(middle.astype(np.int32)) > layer.output.format.qmin
        low, high = np.where(one, low, np.minimum(middle + 1, high)), np.where(one, middle, high)
    return high[0]


def bytes_to_codes(layer: IntegerLayer) -> Flow:
    """By the kernel of codes to codes; sums of sparse or of wider codes, and then that of sums to codes."""
    zero, low, high = int(layer.output.zeros[0, 0]), layer.low, layer.output.format.qmax
    m, dtype = multiplier(layer), layer.output.format.dtype
    packed = layer.weight.products.packed
    if isinstance(packed, Packed):
        kernel = Requantized(packed, layer.bias, m, zero, low, high, dtype)
        return lambda q: requantized(q, int(layer.input.zeros[0, 0]), kernel)
    return lambda q: sums_to_codes(layer.sums(q), m, zero, low, high, dtype)


def bytes_to_margins(layer: IntegerLayer) -> Flow:
    least = least_sums(layer).astype(np.int32)
    return lambda q: layer.sums(q) - least


def bits(layer: IntegerLayer) -> tuple[Signs, np.ndarray]:
    """The signs w as packed, and what `sum of s(b) w` of the bits' signs is less than twice the layer's sum.

    sum of (q - z) w + bias = (sum of s(b) w + sum of w) / 2 + (qmin - z) sum of w + bias
    """
    w = layer.weight.plain - layer.weight.grid.zeros
    total, z = w.sum(axis=1, dtype=np.int64), int(layer.input.zeros[0, 0])
    return binary_pack(w), total + 2 * ((layer.input.format.qmin - z) * total + layer.bias)


def bits_to_codes(layer: IntegerLayer) -> Flow:
    signs, more = bits(layer)
    less, half = (-more).astype(np.int32), multiplier(layer) / 2  # twice the sum times half of m: the same float
    ends = int(layer.output.zeros[0, 0]), layer.low, layer.output.format.qmax, layer.output.format.dtype
    return lambda margins: sums_to_codes(binary_matmul(margins, signs, less), half, *ends)


def bits_to_margins(layer: IntegerLayer) -> Flow:
    signs, more = bits(layer)
    least = np.clip(2 * least_sums(layer) - more, -signs.inputs, signs.inputs + 1).astype(np.int32)
    return lambda margins: binary_matmul(margins, signs, least)
