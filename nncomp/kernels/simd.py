"""The vector operations the kernels are written in: small matrices held in registers.

Numba has no vector types, and LLVM finds neither the int8 dot product nor a register tile in plain loops. A tile is
`rows x vectors` registers that behave as one small matrix: `row` and `column` read from arrays as NumPy broadcasts,
`fma` and `dot` compute, `store` writes back. A kernel written with them reads like its algorithm, on every path.

Indices count elements from an array's start; arrays are contiguous; nothing here checks bounds.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.tile import BYTE, INDEX, WORD, Emit, Tile, intrinsic


@intrinsic(prefer_literal=True)
def zeros(_: Any, rows: Any, vectors: Any, like: Any) -> Any:
    """A tile of zeros of the dtype of the array `like`."""
    tile = Tile(like.dtype, rows.literal_value, vectors.literal_value)
    return tile(rows, vectors, like), lambda context, *_: ir.Constant(context.get_value_type(tile), None)


@intrinsic(prefer_literal=True)
def with_rows(_: Any, tile: Tile, rows: Any) -> Any:
    """A tile of zeros like `tile`, of other `rows`."""
    result = Tile(tile.element, rows.literal_value, tile.vectors)
    return result(tile, rows), lambda context, *_: ir.Constant(context.get_value_type(result), None)


@intrinsic
def height(_: Any, tile: Tile) -> Any:
    """The tile's rows."""
    return types.intp(tile), lambda *_: INDEX(tile.rows)


@intrinsic
def width(_: Any, tile: Tile) -> Any:
    """The tile's columns."""
    return types.intp(tile), lambda *_: INDEX(tile.vectors * tile.lanes)


@intrinsic
def column(_: Any, tile: Tile, u: Any, i: Any, step: Any) -> Any:
    """`u[i + r step]` all along row r."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        register = e.result.register
        found = [
            e.splat(e.load(1, e.at(e.values[2], r, e.values[3]), register.element), register) for r in range(tile.rows)
        ]
        return e.tile(lambda r, c: found[r])

    return tile(tile, u, types.intp, types.intp), emit


@intrinsic
def row(_: Any, tile: Tile, v: Any, j: Any) -> Any:
    """`v[j], v[j + 1], ...` in every row."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        found = [e.load(1, e.at(e.values[2], c, tile.lanes), tile.register) for c in range(tile.vectors)]
        return e.tile(lambda r, c: found[c])

    return tile(tile, v, types.intp), emit


@intrinsic
def store(_: Any, tile: Tile, out: Any, i: Any, step: Any, columns: Any) -> Any:
    """`out[i + r step + c] = tile[r, c]` in the first `columns` columns."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b, lanes = e.builder, tile.lanes

        def each_register(write: Callable[[Any, Any, int], Any]) -> None:
            for r, c in product(range(tile.rows), range(tile.vectors)):
                write(
                    e.part(0, r, c), e.pointer(1, e.at(e.at(e.values[2], r, e.values[3]), c, lanes), tile.register), c
                )

        def masked(register: Any, place: Any, c: int) -> None:
            index = ir.VectorType(WORD, lanes)
            numbers = ir.Constant(index, list(range(c * lanes, (c + 1) * lanes)))
            kept = b.icmp_signed("<", numbers, e.splat(b.trunc(e.values[4], WORD), index))
            e.call(f"llvm.masked.store.{tile.name_in_llvm}.p0", ir.VoidType(), register, place, WORD(1), kept)

        with b.if_else(b.icmp_signed(">=", e.values[4], INDEX(tile.vectors * lanes))) as (whole, partial):
            with whole:
                each_register(lambda register, place, c: b.store(register, place, align=1))
            with partial:
                each_register(masked)
        return e.context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp, types.intp), emit


@intrinsic
def prefetch(_: Any, tile: Tile, out: Any, i: Any, step: Any) -> Any:
    """Ask for the cache lines that `store` will write there."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        last = tile.vectors * tile.lanes - 1
        for r, c in product(range(tile.rows), [*range(0, last, tile.lanes), last]):
            _prefetch(e, 1, e.at(e.at(e.values[2], r, e.values[3]), c), write=1)
        return e.context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), emit


@intrinsic
def prefetch_line(_: Any, u: Any, i: Any) -> Any:
    """Ask for the cache line of `u[i]`, which may lie beyond the array, to be read."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        _prefetch(e, 0, e.values[1], write=0)
        return e.context.get_dummy_value()

    return types.void(u, types.intp), emit


def _prefetch(e: Emit, argument: int, index: Any, write: int) -> None:
    place = e.pointer(argument, index, BYTE)
    e.call("llvm.prefetch.p0", ir.VoidType(), place, WORD(write), WORD(3), WORD(1))


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
