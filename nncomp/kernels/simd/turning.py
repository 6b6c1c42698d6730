"""Across lanes: rows turned into columns, and sums along rows."""

from typing import Any

from llvmlite import ir

from nncomp.kernels.simd.tile import WORD, Emit, Tile, intrinsic


def exchanged(e: Emit, a: Any, b: Any, d: int) -> tuple[Any, Any]:
    """Of every 2 d lanes, b's first d in the place of a's last d, and the other way around."""
    lanes = a.type.count
    upper = [lanes + lane - d if lane & d else lane for lane in range(lanes)]
    lower = [lanes + lane if lane & d else lane + d for lane in range(lanes)]
    words = ir.VectorType(WORD, lanes)
    first, second = (e.builder.shuffle_vector(a, b, ir.Constant(words, take)) for take in (upper, lower))
    return first, second


@intrinsic
def transposed(_: Any, tile: Tile) -> Any:
    """A square tile's rows as columns: blocks of 1, 2, 4, ... lanes change places across the diagonal."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        rows = [e.part(0, r, 0) for r in range(tile.rows)]
        for d in _powers(tile.lanes):
            for r in range(tile.rows):
                if not r & d:
                    rows[r], rows[r + d] = exchanged(e, rows[r], rows[r + d], d)
        return e.tile(lambda r, c: rows[r])

    return tile(tile), emit


def summed(e: Emit, registers: list[Any], add: Any) -> Any:
    """The sums of 1, 2, 4, ... registers' lanes: register r's in lane r, and again in lane r + their number, ...

    Two that exchange half their lanes and are added become one with both; always in the same order.
    """
    count = len(registers)
    for d in _powers(registers[0].type.count):
        pairs = [(r, r + d) for r in range(0, count, 2 * d)] if d < count else [(0, 0)]
        for r, other in pairs:
            registers[r] = add(*exchanged(e, registers[r], registers[other], d))
    return registers[0]


@intrinsic
def row_sums(_: Any, tile: Tile) -> Any:
    """The sums of a tile's rows, 1, 2, 4, ... of them, each one register, as one: row r's in lane r."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        total = summed(e, [e.part(0, r, 0) for r in range(tile.rows)], e.builder.fadd)
        return e.tile(lambda r, c: total)

    return Tile(tile.element, 1, 1)(tile), emit


def _folded(comparison: str) -> Any:
    """Of all lanes of a tile, one that compares so with every other; NaN is passed over."""

    def typed(_: Any, tile: Tile) -> Any:
        def emit(*call: Any) -> Any:
            e = Emit(*call)
            best, *others = [e.part(0, r, c) for r in range(tile.rows) for c in range(tile.vectors)]
            for d in _powers(tile.lanes):
                others.append(d)
            for other in others:
                if isinstance(other, int):
                    turned = ir.Constant(ir.VectorType(WORD, tile.lanes), [lane ^ other for lane in range(tile.lanes)])
                    other = e.builder.shuffle_vector(best, best, turned)
                best = e.builder.select(e.builder.fcmp_ordered(comparison, other, best), other, best)
            return e.builder.extract_element(best, WORD(0))

        return tile.element(tile), emit

    return typed


lowest = intrinsic(_folded("<"))
"""The lowest float of a tile."""
highest = intrinsic(_folded(">"))
"""The highest float of a tile."""


def _powers(lanes: int) -> list[int]:
    return [1 << n for n in range(lanes.bit_length() - 1)]
