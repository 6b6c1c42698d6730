"""Codes of GROUP separate inputs brought side by side, so that one `dot` multiplies each with a weight of its own.

A panel of `GROUP * LANES` samples keeps each input's codes together. Within it sample `LANES v + 4 q + i` stands at
`4 GROUP q + 4 v + i`: merging bytes within every 16 of them, which is what processors do fast, then leaves the samples
in order.
"""

from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.path import GROUP, LANES
from nncomp.kernels.simd.tile import BYTE, INDEX, WORD, Emit, Tile, intrinsic
from nncomp.kernels.simd.turning import exchanged

HALF = ir.IntType(16)


def _shuffled(e: Emit, a: Any, b: Any, lanes: list[int]) -> Any:
    return e.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(WORD, len(lanes)), lanes))


def _merged(e: Emit, a: Any, b: Any) -> tuple[Any, Any]:
    """Elements of a and b in turn, from the first and from the last half of every 16 bytes."""
    count = a.type.count
    each = 16 * count // (a.type.element.width * count // 8)
    first = [q + t + h * count for q in range(0, count, each) for t in range(each // 2) for h in range(2)]
    return _shuffled(e, a, b, first), _shuffled(e, a, b, [lane + each // 2 for lane in first])


@intrinsic
def zipped(_: Any, tile: Tile, panel: Any, columns: Any, j: Any) -> Any:
    """The panel's codes of inputs `columns[j : j + GROUP]`, side by side for each sample, as `dot` takes them."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b = e.builder
        raw, halves = ir.VectorType(BYTE, GROUP * LANES), ir.VectorType(HALF, 2 * LANES)
        index = ir.IntType(columns.dtype.bitwidth)
        places = [b.zext(e.load(2, e.at(e.values[3], g), index), INDEX) for g in range(GROUP)]
        found = [e.load(1, b.mul(place, INDEX(GROUP * LANES)), raw) for place in places]
        if GROUP == 4:
            pairs = [_merged(e, *found[:2]), _merged(e, *found[2:])]
            quads = [_merged(e, *(b.bitcast(pair[half], halves) for pair in pairs)) for half in range(2)]
            registers = [*quads[0], *quads[1]]
        else:
            widen = b.sext if panel.dtype.signed else b.zext
            registers = list(_merged(e, *(widen(f, halves) for f in found)))
        return e.tile(lambda r, c: b.bitcast(registers[c], tile.register))

    return tile(tile, panel, columns, types.intp), emit


@intrinsic
def unzipped(_: Any, tile: Tile) -> Any:
    """From four neighbouring inputs of each sample, sample by sample, to each input's samples as a panel has them."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b, raw = e.builder, ir.VectorType(BYTE, 4 * LANES)
        turned = [q + 4 * i + c for q in range(0, 4 * LANES, 16) for c in range(4) for i in range(4)]
        rows = [b.bitcast(e.part(0, 0, v), raw) for v in range(GROUP)]
        rows = [b.bitcast(_shuffled(e, r, r, turned), tile.register) for r in rows]
        if GROUP == 4:
            for d in (1, 2):
                for r in (r for r in range(4) if not r & d):
                    rows[r], rows[r + d] = exchanged(e, rows[r], rows[r + d], d)
        else:
            even, odd = exchanged(e, rows[0], rows[1], 1)
            firsts = [0, 1, 4, 5, 8, 9, 12, 13]
            rows = [_shuffled(e, even, odd, [lane + c for lane in firsts]) for c in (0, 2)]
        return e.tile(lambda r, c: rows[c])

    return tile(tile), emit
