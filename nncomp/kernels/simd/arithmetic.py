"""Arithmetic on tiles: multiply-adds lane by lane, sums along rows, rows turned into columns."""

from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.tile import WORD, Emit, Tile, intrinsic


@intrinsic
def fma(_: Any, a: Tile, b: Tile, acc: Tile) -> Any:
    """`a * b + acc`; integers wrap, floats are rounded once where the processor can."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)

        def one(r: int, c: int) -> Any:
            x, y, z = e.part(0, r, c), e.part(1, r, c), e.part(2, r, c)
            if isinstance(acc.element, types.Float):
                return e.call(f"llvm.fmuladd.{acc.name_in_llvm}", acc.register, x, y, z)
            return e.builder.add(e.builder.mul(x, y), z)

        return e.tile(one)

    return acc(a, b, acc), emit


@intrinsic
def add(_: Any, a: Tile, b: Tile) -> Any:
    """`a + b`; integers wrap."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        plus = e.builder.fadd if isinstance(a.element, types.Float) else e.builder.add
        return e.tile(lambda r, c: plus(e.part(0, r, c), e.part(1, r, c)))

    return a(a, b), emit


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


@intrinsic
def row_sums(_: Any, tile: Tile) -> Any:
    """The sums of a tile's rows, 1, 2, 4, ... of them, each one register: row r's in lane r, and again in r + rows, ...

    Two rows that exchange half their lanes and are added become one register with both; always in the same order.
    """

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        rows = [e.part(0, r, 0) for r in range(tile.rows)]
        for d in _powers(tile.lanes):
            pairs = [(r, r + d) for r in range(0, tile.rows, 2 * d)] if d < tile.rows else [(0, 0)]
            for r, other in pairs:
                rows[r] = e.builder.fadd(*exchanged(e, rows[r], rows[other], d))
        return e.tile(lambda r, c: rows[0])

    return Tile(tile.element, 1, 1)(tile), emit


def _powers(lanes: int) -> list[int]:
    return [1 << n for n in range(lanes.bit_length() - 1)]
