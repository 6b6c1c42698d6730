"""Tables: indices in the lowest bits of int32 lanes become floats."""

from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.path import LANES, PATH
from nncomp.kernels.simd.tile import INDEX, WORD, Emit, Tile, intrinsic


@intrinsic(prefer_literal=True)
def shifted(_: Any, words: Tile, bits: Any) -> Any:
    """Unsigned words without their lowest bits."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        by = ir.Constant(words.register, [bits.literal_value] * words.lanes)
        return e.tile(lambda r, c: e.builder.lshr(e.part(0, r, c), by))

    return words(words, bits), emit


@intrinsic(prefer_literal=True)
def looked_up(_: Any, words: Tile, table: Any, like: Tile, bits: Any) -> Any:
    """`table[i]`, i being the lowest `bits` of each of a row of words, in every row of a tile like `like`."""
    mask = 2**bits.literal_value - 1

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        if PATH == "avx512" and mask < LANES:  # a register is a table of 16
            entries = e.load(1, INDEX(0), like.register)
            found = [
                e.call("llvm.x86.avx512.permvar.sf.512", like.register, entries, e.part(0, 0, c))
                for c in range(like.vectors)
            ]
        else:
            all_bits = ir.Constant(words.register, [mask] * like.lanes)
            every = ir.Constant(ir.VectorType(ir.IntType(1), like.lanes), [1] * like.lanes)
            start = e.pointer(1, INDEX(0), like.register.element)
            places = [e.builder.and_(e.part(0, 0, c), all_bits) for c in range(like.vectors)]
            found = [_gathered(e, start, p, like, every) for p in places]
        return e.tile(lambda r, c: found[c])

    return like(words, table, like, bits), emit


@intrinsic
def gathered(_: Any, tile: Tile, u: Any, start: Any, index: Any, j: Any, count: Any) -> Any:
    """`u[start + index[j + c]]` in the first `count` lanes of a register, 0 beyond: nothing is read for those."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b, words = e.builder, ir.VectorType(WORD, tile.lanes)
        numbers = ir.Constant(words, list(range(tile.lanes)))
        inside = b.icmp_signed("<", numbers, e.splat(b.trunc(e.values[5], WORD), words))
        short = ir.VectorType(ir.IntType(index.dtype.bitwidth), tile.lanes)
        name = f"llvm.masked.load.v{tile.lanes}i{index.dtype.bitwidth}.p0"
        found = e.call(name, short, e.pointer(3, e.values[4], short), WORD(1), inside, ir.Constant(short, None))
        places = found if found.type == words else b.zext(found, words)
        one = _gathered(e, e.pointer(1, e.values[2], tile.register.element), places, tile, inside)
        return e.tile(lambda r, c: one)

    return tile(tile, u, types.intp, index, types.intp, types.intp), emit


def _gathered(e: Emit, start: Any, places: Any, tile: Tile, inside: Any) -> Any:
    """The elements at so many `places` from a pointer on, 0 outside."""
    nothing, size = ir.Constant(tile.register, None), tile.element.bitwidth // 8
    if PATH == "avx512":
        kind = "dps" if size == 4 else "dpd"
        return e.call(
            f"llvm.x86.avx512.mask.gather.{kind}.512", tile.register, nothing, start, places, inside, WORD(size)
        )
    b, wide = e.builder, ir.VectorType(INDEX, tile.lanes)
    offset = b.mul(b.zext(places, wide), ir.Constant(wide, [size] * tile.lanes))
    pointers = b.inttoptr(b.add(e.splat(b.ptrtoint(start, INDEX), wide), offset), ir.VectorType(start.type, tile.lanes))
    name = f"llvm.masked.gather.{tile.name_in_llvm}.v{tile.lanes}p0"
    return e.call(name, tile.register, pointers, WORD(size), inside, nothing)
