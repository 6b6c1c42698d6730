"""A quantized layer in one pass: integer products, scales, bias, activation, and the codes of the outputs if asked for.

    a = saturate(round(x / a_scale) + a_zero)
    y = max(acc (a_scale b_scale) + bias, floor)
    q = saturate(round(y / scale) + zero)

with acc the exact product of codes (`int8.py`, `lowbit.py`), rounded once to float32: bit for bit what those steps give
one by one.
"""

import numpy as np
from numba import types
from numba.extending import overload

from nncomp.kernels.encode import TO_ALL, Codes, encode, encode_reference, encode_rows, fit_to_all, grids
from nncomp.kernels.int8 import ALONE, int8_kernel, int8_matmul, int8_matmul_reference, int8_move, split_product
from nncomp.kernels.jit import compiled
from nncomp.kernels.lowbit import LowBit, lowbit_kernel, lowbit_matmul
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.pack import Packed
from nncomp.kernels.simd.path import PATH, to_take
from nncomp.kernels.threads import WORTH


class Layer:
    """A layer's packed weights, their scales (N, or 1 for all), the bias (N), and the grid its inputs are laid on.

    `floor`: 0 for ReLU, -infinity for none. `outputs`: the fixed grid of the outputs' codes, or None for floats.
    """

    def __init__(
        self, weight: Packed | LowBit, scale: np.ndarray, bias: np.ndarray, codes: Codes,
        floor: float = -np.inf, outputs: Codes | None = None,
    ) -> None:  # fmt: skip
        wide = np.zeros((2, weight.sums.size), np.float32)  # as far as the packed weights go
        wide[0, : weight.outputs], wide[1, : weight.outputs] = scale, bias
        self.weight, self.codes, self.outputs = weight, codes, outputs
        self.dtype = np.dtype(np.float32) if outputs is None else outputs.dtype
        ends: tuple = (np.float32(floor),)
        if outputs is not None:
            ends += (outputs.scale[0], *(np.float32(end) for end in (outputs.zero[0], outputs.low, outputs.high)))
        self.fit = codes.low, codes.high, codes.middle, np.float32(codes.steps)
        move, bits = (int8_move(codes.dtype), 8) if isinstance(weight, Packed) else (to_take(codes.dtype), weight.bits)
        self.rest = np.empty(0, codes.dtype), move, *weight[:3], bits, wide[0], wide[1], ends


def int8_linear_reference(
    x: np.ndarray, codes: Codes, b: np.ndarray, b_zero: np.ndarray, b_scale: np.ndarray, bias: np.ndarray,
    floor: float = -np.inf, outputs: Codes | None = None,
) -> np.ndarray:  # fmt: skip
    """The outputs in float32, or their codes, of float32 x (M, K), with the weights' codes `b (N, K)`, zero points (N),

    scales (N or 1) and bias (N).
    """
    a, a_scale, a_zero = encode_reference(x, codes)
    acc = int8_matmul_reference(a, b, np.broadcast_to(a_zero, len(a)), b_zero)
    y = np.maximum(acc.astype(np.float32) * (a_scale[:, None] * b_scale) + bias, np.float32(floor))
    return y if outputs is None else encode_reference(y, outputs)[0]


def int8_linear(x: np.ndarray, layer: Layer) -> np.ndarray | None:
    """As `int8_linear_reference`, of float32 x (M, K) and a packed layer; None where x has no codes.

    >>> from nncomp.kernels.pack import int8_pack
    >>> codes, one = Codes(-128, 127, np.dtype(np.int8)), np.ones(1, np.float32)
    >>> layer = Layer(int8_pack(np.array([[2, 3]], np.int8)), one / 2, one, codes, floor=0)
    >>> int8_linear(np.array([[4, 0], [0, -4]], np.float32), layer)
    array([[5.],
           [0.]], dtype=float32)
    """
    if PATH == "scalar":
        return _one_by_one(x, layer)
    x, (rows, inner), outputs, codes = np.ascontiguousarray(x), x.shape, layer.weight.outputs, layer.codes
    out = aligned_empty((rows, outputs), layer.dtype)
    if codes.fitted == TO_ALL and rows * inner * outputs >= WORTH:  # as several threads need it
        codes = fit_to_all(x, codes)
    args = x, codes.fitted, *layer.fit, *grids(codes, rows), *layer.rest, out
    found: list[bool] = []
    if rows * inner * outputs < ALONE:
        found.append(_linear(*args, 0, rows, 0, outputs))
    else:
        split_product(lambda *part: found.append(_linear(*args, *part)), rows, inner, outputs)
    return None if any(found) else out


def _linear_py(  # type: ignore[no-untyped-def]
    x, fitted, low, high, middle, steps, scale, zero, like, move, panels, sums, b_zero, bits, b_scale, bias, ends, out,
    top, bottom, start, end,
):  # fmt: skip
    """Whether the rows from `top` to `bottom` have no codes; else their outputs are in `out`."""
    rows = bottom - top
    codes = aligned(rows * x.shape[1], like).reshape((rows, x.shape[1]))
    bad = encode_rows(x, fitted, low, high, middle, steps, scale, zero, codes, top, top, bottom)
    each = scale.size > 1
    a_zero = np.empty(rows if zero.any() else 0, np.int32)
    for m in range(a_zero.size):
        a_zero[m] = zero[top + m if each else 0]
    scales = (scale[top:] if each else scale, int(each), b_scale, bias)
    _multiply(codes, move, panels, sums, b_zero, bits, a_zero, out[top:bottom], (*scales, *ends), start, end)
    return bad


def _multiply(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end):  # type: ignore[no-untyped-def]
    """By the kernel that reads such panels, chosen when this is compiled."""


@overload(_multiply, inline="always")
def _choose_multiply(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end):  # type: ignore[no-untyped-def]
    if panels.dtype == types.uint8:
        return _lowbit
    return _int8


def _lowbit(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end):  # type: ignore[no-untyped-def]
    lowbit_kernel(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end)


def _int8(a, move, panels, sums, b_zero, bits, a_zero, out, scales, start, end):  # type: ignore[no-untyped-def]
    int8_kernel(a, move, panels, sums, b_zero, a_zero, out, scales, 0, len(a), start, end)


def _one_by_one(x: np.ndarray, layer: Layer) -> np.ndarray | None:
    """The steps of the definition, each by its own kernel."""
    found = encode(x, layer.codes)
    if found is None:
        return None
    a, a_scale, a_zero = found
    *_, b_scale, bias, ends = layer.rest
    y = np.empty((len(a), layer.weight.outputs), np.float32)
    w, zero = layer.weight, np.broadcast_to(a_zero, len(a))
    sums = int8_matmul(a, w, zero) if isinstance(w, Packed) else lowbit_matmul(a, w, zero)
    scaled(sums, a_scale, b_scale, bias, ends[0], y)
    return y if layer.outputs is None else encode_reference(y, layer.outputs)[0]


def _scaled_py(acc, a_scale, b_scale, bias, floor, y):  # type: ignore[no-untyped-def]
    for m in range(y.shape[0]):
        row = a_scale[m if a_scale.size > 1 else 0]
        for n in range(y.shape[1]):
            y[m, n] = max(np.float32(np.float32(acc[m, n]) * np.float32(row * b_scale[n])) + bias[n], floor)


scaled = compiled(_scaled_py)
_linear = compiled(_linear_py)
