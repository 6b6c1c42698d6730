"""The dot product of 8-bit codes, GROUP neighbours at a time, on tiles of int32 sums.

Each processor has its own: vpdpbusd takes uint8 times int8 in fours, vpmaddwd 16 bits in pairs, sdot int8 in fours.
"""

from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.path import GROUP, LANES, PATH, SDOT
from nncomp.kernels.simd.tile import BYTE, WORD, Emit, Tile, intrinsic

CODES, HALVES = ir.IntType(8 * GROUP), ir.VectorType(ir.IntType(16), GROUP)


@intrinsic
def codes(_: Any, tile: Tile, a: Any, i: Any, step: Any) -> Any:
    """The GROUP codes from `a[i + r step]` on, in every lane of row r, as `dot` takes them."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        found = [_group(e, e.load(1, e.at(e.values[2], r, e.values[3]), CODES)) for r in range(tile.rows)]
        return e.tile(lambda r, c: found[r])

    return tile(tile, a, types.intp, types.intp), emit


def _group(e: Emit, found: Any) -> Any:
    """GROUP codes in every lane of a register."""
    if GROUP == 2:  # widened to 16 bits, where both signs fit
        pair = e.builder.bitcast(found, ir.VectorType(BYTE, 2))
        widen = e.builder.sext if e.types[1].dtype.signed else e.builder.zext
        found = e.builder.bitcast(widen(pair, HALVES), WORD)
    return e.splat(found, e.result.register)


@intrinsic
def packed(_: Any, tile: Tile, b: Any, j: Any, step: Any) -> Any:
    """A register of packed codes from `b[j + v step]` on in vector v of every row, GROUP in each lane, for `dot`."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        raw = ir.VectorType(BYTE, GROUP * LANES)
        found = [e.load(1, e.at(e.values[2], v, e.values[3]), raw) for v in range(tile.vectors)]
        if GROUP == 2:
            found = [e.builder.sext(f, ir.VectorType(ir.IntType(16), 2 * LANES)) for f in found]
        found = [e.builder.bitcast(f, tile.register) for f in found]
        return e.tile(lambda r, c: found[c])

    return tile(tile, b, types.intp, types.intp), emit


@intrinsic(prefer_literal=True)
def fields(_: Any, tile: Tile, b: Any, j: Any, step: Any, bits: Any, field: Any) -> Any:
    """As `packed`, of bytes of several unsigned codes of so many `bits`: of each byte the `field`, from the lowest."""
    narrow = bits.literal_value

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        raw = ir.VectorType(BYTE, GROUP * LANES)

        def one(v: int) -> Any:
            found = e.load(1, e.at(e.values[2], v, e.values[3]), raw)
            found = e.builder.lshr(found, ir.Constant(raw, [narrow * field.literal_value] * raw.count))
            found = e.builder.and_(found, ir.Constant(raw, [2**narrow - 1] * raw.count))
            if GROUP == 2:
                found = e.builder.zext(found, ir.VectorType(ir.IntType(16), 2 * LANES))
            return e.builder.bitcast(found, tile.register)

        found = [one(v) for v in range(tile.vectors)]
        return e.tile(lambda r, c: found[c])

    return tile(tile, b, types.intp, types.intp, bits, field), emit


@intrinsic
def dot(_: Any, a: Tile, b: Tile, acc: Tile) -> Any:
    """`acc + the sum over each lane's GROUP of a * b`, exact in int32: `a` from `codes`, `b` from `packed`."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)

        def one(r: int, c: int) -> Any:
            x, y, total = e.part(0, r, c), e.part(1, r, c), e.part(2, r, c)
            if PATH == "avx512":
                return e.call("llvm.x86.avx512.vpdpbusd.512", acc.register, total, x, y)
            if PATH == "avx2":
                halves = ir.VectorType(ir.IntType(16), 2 * LANES)
                x, y = e.builder.bitcast(x, halves), e.builder.bitcast(y, halves)
                return e.builder.add(total, e.call("llvm.x86.avx2.pmadd.wd", acc.register, x, y))
            return _dot_generic(e, x, y, total)

        return e.tile(one)

    return acc(a, b, acc), emit


def _dot_generic(e: Emit, x: Any, y: Any, total: Any) -> Any:
    """sdot where Numba generates code for an aarch64 with it; else the products, summed twice over neighbours."""
    x, y = (e.builder.bitcast(codes, ir.VectorType(BYTE, 4 * LANES)) for codes in (x, y))
    if SDOT:
        return e.call("llvm.aarch64.neon.sdot.v4i32.v16i8", total.type, total, x, y)
    wide = ir.VectorType(WORD, 4 * LANES)
    sums = e.builder.mul(e.builder.sext(x, wide), e.builder.sext(y, wide))
    for count in (2 * LANES, LANES):
        neighbours = (ir.Constant(ir.VectorType(WORD, count), list(range(odd, 2 * count, 2))) for odd in (0, 1))
        even, odd = (e.builder.shuffle_vector(sums, sums, which) for which in neighbours)
        sums = e.builder.add(even, odd)
    return e.builder.add(total, sums)
