"""How layers of integers run: byte layers by one kernel each, layers of signs by the XNOR kernel and thresholds.

What flows between two layers is codes, or before a layer of signs their margins: int32, at least 0 where the bit is 1.
Both give the codes of the definition, bit for bit.
"""

from collections.abc import Callable, Sequence

import numpy as np

from nncomp.integer import input_codes
from nncomp.integers.layer import IntegerLayer
from nncomp.kernels.binary import Signs, binary_matmul, binary_pack
from nncomp.kernels.byte_chain import ByteChain, byte_chain
from nncomp.kernels.encode import encode
from nncomp.kernels.requantize import Requantized, requantized, sums_to_codes

Flow = Callable[[np.ndarray], np.ndarray]
Ends = Callable[[np.ndarray], np.ndarray | None]


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


def from_floats(layers: Sequence[IntegerLayer], flow: Flow) -> Ends:
    """From floats to floats, None where they have no codes: by one kernel where all layers are of dense bytes."""
    inputs, output = input_codes(layers[0].input), layers[-1].output
    if inputs is None:
        return lambda x: None
    kernels = [byte_kernel(layer) for layer in layers]
    dense = [kernel for kernel in kernels if kernel is not None and kernel.dtype == inputs.dtype]
    if len(dense) == len(layers) and not any(of_signs(layer) for layer in layers):
        whole = ByteChain(inputs, dense, output.scale[0, 0], int(output.zeros[0, 0]))
        return lambda x: byte_chain(x, whole)

    def ends(x: np.ndarray) -> np.ndarray | None:
        encoded = encode(x, inputs)
        return None if encoded is None else output.decode(flow(encoded[0]))

    return ends


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


def code_ends(layer: IntegerLayer) -> tuple[int, int, int, np.dtype]:
    """The zero point of its outputs' codes, their ends and their dtype."""
    return int(layer.output.zeros[0, 0]), layer.low, layer.output.format.qmax, layer.output.format.dtype


def byte_kernel(layer: IntegerLayer) -> Requantized | None:
    """What the kernel of codes to codes takes of a layer with dense weights."""
    whole = layer.weight.products.whole
    packed = None if whole is None else whole.packed
    if packed is None:
        return None
    return Requantized(packed, layer.bias, multiplier(layer), *code_ends(layer))


def bytes_to_codes(layer: IntegerLayer) -> Flow:
    """By the kernel of codes to codes; sums of sparse or of wider codes, and then that of sums to codes."""
    kernel = byte_kernel(layer)
    if kernel is not None:
        return lambda q: requantized(q, int(layer.input.zeros[0, 0]), kernel)
    m, ends = multiplier(layer), code_ends(layer)
    return lambda q: sums_to_codes(layer.sums(q), m, *ends)


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
    return lambda margins: sums_to_codes(binary_matmul(margins, signs, less), half, *code_ends(layer))


def bits_to_margins(layer: IntegerLayer) -> Flow:
    signs, more = bits(layer)
    least = np.clip(2 * least_sums(layer) - more, -signs.inputs, signs.inputs + 1).astype(np.int32)
    return lambda margins: binary_matmul(margins, signs, least)
