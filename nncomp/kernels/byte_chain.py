"""Layers of bytes in turn, floats to floats, in one call: a small batch would take longer on its way through Python.

q_0 = saturate(round(x / scale) + zero),    q_l = requantized(q_(l-1)) by layer l,    y = (q_L - y_zero) y_scale
"""

from collections.abc import Sequence

import numpy as np

from nncomp.kernels.encode import FIXED, Codes, encode, encode_rows
from nncomp.kernels.int8 import FASTER, int8_kernel, int8_move
from nncomp.kernels.jit import compiled
from nncomp.kernels.memory import aligned, aligned_empty
from nncomp.kernels.requantize import ONE, Requantized, requantized
from nncomp.kernels.simd.path import PATH
from nncomp.kernels.threads import split

STEP = 32
"""Rows that a thread takes at a time."""


class ByteChain:
    """Layers whose codes, in and out, are of one dtype; their arrays lie end to end, a table has where each begins."""

    def __init__(self, inputs: Codes, layers: Sequence[Requantized], y_scale: np.float32, y_zero: int) -> None:
        self.inputs, self.layers, self.ends = inputs, layers, (np.float32(y_scale), np.float32(y_zero))
        w = [layer.weight for layer in layers]
        parts = [[p.panels for p in w], [p.sums for p in w], [p.zeros for p in w]]
        parts += [[layer.bias for layer in layers], [layer.m for layer in layers]]
        starts = [np.cumsum([0, *(a.size for a in arrays)]) for arrays in parts[:3]]
        befores = [int(inputs.zero[0]), *(layer.zero for layer in layers)]
        table = np.array([
            [p.outputs, before, *(start[i + k] for start in starts for k in (0, 1))]
            for i, (p, before) in enumerate(zip(w, befores))
        ])  # fmt: skip
        limits = np.array([[layer.zero, layer.low, layer.high] for layer in layers], np.float32)
        grid = inputs.low, inputs.high, inputs.scale, inputs.zero, np.empty(0, inputs.dtype), int8_move(inputs.dtype)
        self.arguments = *grid, table, limits, *(np.concatenate(arrays) for arrays in parts), *self.ends
        self.outputs, self.work = w[-1].outputs, sum(p.inputs * p.outputs for p in w) // FASTER


def byte_chain(x: np.ndarray, chain: ByteChain) -> np.ndarray | None:
    """The outputs in float32 of float32 x (M, K), one layer after the other; None where x has no codes.

    >>> from nncomp.kernels.pack import int8_pack
    >>> one, uint8 = np.ones(1, np.float32), np.dtype(np.uint8)
    >>> double = Requantized(int8_pack(np.array([[2]], np.int8)), np.zeros(1, np.int32), one, 0, 0, 255, uint8)
    >>> byte_chain(np.array([[3]], np.float32), ByteChain(Codes(0, 255, uint8), [double, double], one[0] / 2, 0))
    array([[6.]], dtype=float32)
    """
    x, rows = np.ascontiguousarray(x), len(x)
    if PATH == "scalar" or rows == 0:
        return _one_by_one(x, chain)
    out = aligned_empty((rows, chain.outputs), np.float32)
    if rows < 2 * STEP:
        bad = _byte_chain(x, *chain.arguments, out)
        return None if bad else out
    found: list[bool] = []
    split(
        lambda m, end: found.append(_byte_chain(x[m:end], *chain.arguments, out[m:end])), rows, rows * chain.work, STEP
    )
    return None if any(found) else out


def _one_by_one(x: np.ndarray, chain: ByteChain) -> np.ndarray | None:
    encoded = encode(x, chain.inputs)
    if encoded is None:
        return None
    q, zero = encoded[0], int(chain.inputs.zero[0])
    for layer in chain.layers:
        q, zero = requantized(q, zero, layer), layer.zero
    y_scale, y_zero = chain.ends
    return (q.astype(np.float32) - y_zero) * y_scale


def _byte_chain_py(  # type: ignore[no-untyped-def]
    x, low, high, scale, zero, like, move, table, limits, panels, sums, zeros, bias, m, y_scale, y_zero, out
):
    rows = x.shape[0]
    q = aligned(rows * x.shape[1], like).reshape((rows, x.shape[1]))
    bad = encode_rows(x, FIXED, low, high, 0, np.float32(0), scale, zero, q, 0, 0, rows)
    for i in range(len(table)):
        outputs, before, p, p_end, s, s_end, z, z_end = table[i]
        following = aligned(rows * outputs, like).reshape((rows, outputs))
        a_zero = np.full(rows if before else 0, before, np.int32)
        end = limits[i]
        scales = (ONE, 0, m[s:s_end], bias[s:s_end], np.float32(-np.inf), np.float32(1), end[0], end[1], end[2])
        weight = panels[p:p_end], sums[s:s_end], zeros[z:z_end]
        int8_kernel(q, move, weight[0], weight[1], weight[2], a_zero, following, scales, 0, rows, 0, outputs)
        q = following
    for i in range(rows):
        for n in range(q.shape[1]):
            out[i, n] = (np.float32(q[i, n]) - y_zero) * y_scale
    return bad


_byte_chain = compiled(_byte_chain_py)
