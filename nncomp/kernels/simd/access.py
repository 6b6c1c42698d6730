"""Between arrays and tiles: as NumPy broadcasts, up to an edge, or from places listed in an array."""

from itertools import product
from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.tile import BYTE, INDEX, WORD, Emit, Tile, intrinsic


@intrinsic
def pointer(_: Any, u: Any) -> Any:
    """Where `u` begins: what inner functions take in place of arrays, whose users Numba counts in each of them.

    Numba frees an array made within a kernel after its last use, and does not see that of the pointer: see `keep`.
    """

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        return e.context.make_array(u)(e.context, e.builder, e.values[0]).data

    return types.CPointer(u.dtype)(u), emit


@intrinsic
def keep(_: Any, u: Any) -> Any:
    """The last use of an array made within a kernel, which lives until here."""
    return types.void(u), lambda context, *_: context.get_dummy_value()


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
def across(_: Any, tile: Tile, v: Any, j: Any, step: Any) -> Any:
    """A register from `v[j + c step]` on in vector c of every row."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        found = [e.load(1, e.at(e.values[2], c, e.values[3]), tile.register) for c in range(tile.vectors)]
        return e.tile(lambda r, c: found[c])

    return tile(tile, v, types.intp, types.intp), emit


@intrinsic
def take(_: Any, tile: Tile, u: Any, index: Any, j: Any, step: Any, start: Any) -> Any:
    """`u[index[j + r] step + start + c]` in row r."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b, whole = e.builder, ir.IntType(index.dtype.bitwidth)
        places = [b.zext(e.load(2, e.at(e.values[3], r), whole), INDEX) for r in range(tile.rows)]
        starts = [b.add(b.mul(place, e.values[4]), e.values[5]) for place in places]
        return e.tile(lambda r, c: e.load(1, e.at(starts[r], c, tile.lanes), tile.register))

    return tile(tile, u, index, types.intp, types.intp, types.intp), emit


@intrinsic
def load(_: Any, tile: Tile, u: Any, i: Any, step: Any, rows: Any, columns: Any) -> Any:
    """`u[i + r step + c]` in the first `rows` and `columns`, 0 beyond: what lies there is not read."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        name, nothing, places = f"llvm.masked.load.{tile.name_in_llvm}.p0", ir.Constant(tile.register, None), []
        with e.builder.if_else(_whole(e, tile)) as (whole, edge):
            with whole:
                plain = [e.builder.load(_place(e, tile, r, c, tile.register), align=1) for r, c in _registers(tile)]
                places.append(e.builder.block)
            with edge:
                masked = []
                for r, c in _registers(tile):
                    place, inside = _place(e, tile, r, c, tile.register), _inside(e, tile, r, c)
                    masked.append(e.call(name, tile.register, place, WORD(1), inside, nothing))
                places.append(e.builder.block)
        merged = {}
        for at, *found in zip(_registers(tile), plain, masked):
            merged[at] = e.builder.phi(tile.register)
            for value, place in zip(found, places):
                merged[at].add_incoming(value, place)
        return e.tile(lambda r, c: merged[r, c])

    return tile(tile, u, *[types.intp] * 4), emit


@intrinsic
def store(_: Any, tile: Tile, u: Any, i: Any, step: Any, rows: Any, columns: Any) -> Any:
    """`u[i + r step + c] = tile[r, c]` in the first `rows` and `columns`; what lies beyond is not written.

    Integers of a narrower dtype keep their lowest bits.
    """
    narrow = ir.VectorType(ir.IntType(u.dtype.bitwidth), tile.lanes)

    def emit(*call: Any) -> Any:
        e = Emit(*call)

        def value(r: int, c: int) -> Any:
            whole = e.part(0, r, c)
            return whole if u.dtype.bitwidth == tile.element.bitwidth else e.builder.trunc(whole, narrow)

        first = value(0, 0).type
        name = f"llvm.masked.store.{tile.name_in_llvm if first == tile.register else f'v{tile.lanes}i8'}.p0"
        with e.builder.if_else(_whole(e, tile)) as (whole, edge):
            with whole:
                for r, c in _registers(tile):
                    e.builder.store(value(r, c), _place(e, tile, r, c, first), align=1)
            with edge:
                for r, c in _registers(tile):
                    place, inside = _place(e, tile, r, c, first), _inside(e, tile, r, c)
                    e.call(name, ir.VoidType(), value(r, c), place, WORD(1), inside)
        return e.context.get_dummy_value()

    return types.void(tile, u, *[types.intp] * 4), emit


def _registers(tile: Tile) -> list[tuple[int, int]]:
    return list(product(range(tile.rows), range(tile.vectors)))


def _place(e: Emit, tile: Tile, r: int, c: int, to: ir.Type) -> Any:
    return e.pointer(1, e.at(e.at(e.values[2], r, e.values[3]), c, tile.lanes), to)


def _whole(e: Emit, tile: Tile) -> Any:
    full = INDEX(tile.rows), INDEX(tile.vectors * tile.lanes)
    return e.builder.and_(*(e.builder.icmp_signed(">=", given, all_) for given, all_ in zip(e.values[4:], full)))


def _inside(e: Emit, tile: Tile, r: int, c: int) -> Any:
    """Which lanes of register (r, c) are in the first rows and columns."""
    lanes = ir.VectorType(WORD, tile.lanes)
    numbers = ir.Constant(lanes, list(range(c * tile.lanes, (c + 1) * tile.lanes)))
    columns = e.builder.select(e.builder.icmp_signed("<", INDEX(r), e.values[4]), e.values[5], INDEX(0))
    return e.builder.icmp_signed("<", numbers, e.splat(e.builder.trunc(columns, WORD), lanes))


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
