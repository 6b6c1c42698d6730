"""Tables: indices in the lowest bits of int32 lanes become floats."""

from typing import Any

from llvmlite import ir

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
            found = [_gathered(e, e.part(0, 0, c), mask, like) for c in range(like.vectors)]
        return e.tile(lambda r, c: found[c])

    return like(words, table, like, bits), emit


def _gathered(e: Emit, words: Any, mask: int, like: Tile) -> Any:
    b, wide = e.builder, ir.VectorType(INDEX, like.lanes)
    index = b.and_(words, ir.Constant(words.type, [mask] * like.lanes))
    start = e.pointer(1, INDEX(0), like.register.element)
    offset = b.mul(b.zext(index, wide), ir.Constant(wide, [like.element.bitwidth // 8] * like.lanes))
    places = b.add(e.splat(b.ptrtoint(start, INDEX), wide), offset)
    name = f"llvm.masked.gather.{like.name_in_llvm}.v{like.lanes}p0"
    every = ir.Constant(ir.VectorType(ir.IntType(1), like.lanes), [1] * like.lanes)
    nothing = ir.Constant(like.register, ir.Undefined)
    return e.call(
        name, like.register, b.inttoptr(places, ir.VectorType(start.type, like.lanes)), WORD(4), every, nothing
    )
