"""Tiles of zeros, and how large a tile is."""

from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.path import BITS
from nncomp.kernels.simd.tile import INDEX, Emit, Tile, intrinsic


@intrinsic(prefer_literal=True)
def zeros(_: Any, rows: Any, vectors: Any, like: Any) -> Any:
    """A tile of zeros of the dtype of the array `like`."""
    tile = Tile(like.dtype, rows.literal_value, vectors.literal_value)
    return tile(rows, vectors, like), lambda context, *_: ir.Constant(context.get_value_type(tile), None)


@intrinsic
def square(_: Any, like: Any) -> Any:
    """A tile of zeros with as many rows as lanes, of the dtype of the array `like`."""
    tile = Tile(like.dtype, BITS // like.dtype.bitwidth, 1)
    return tile(like), lambda context, *_: ir.Constant(context.get_value_type(tile), None)


@intrinsic(prefer_literal=True)
def upright(_: Any, rows: Any, like: Any) -> Any:
    """A tile of zeros of one vector and so many rows, or as many as it has lanes if those are fewer."""
    tile = Tile(like.dtype, min(rows.literal_value, BITS // like.dtype.bitwidth), 1)
    return tile(rows, like), lambda context, *_: ir.Constant(context.get_value_type(tile), None)


@intrinsic(prefer_literal=True)
def with_rows(_: Any, tile: Tile, rows: Any) -> Any:
    """A tile of zeros like `tile`, of other `rows`."""
    result = Tile(tile.element, rows.literal_value, tile.vectors)
    return result(tile, rows), lambda context, *_: ir.Constant(context.get_value_type(result), None)


@intrinsic
def full(_: Any, tile: Tile, value: Any) -> Any:
    """A tile like `tile` with `value` in every lane."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        number = e.context.cast(e.builder, e.values[1], e.types[1], tile.element)
        register = e.splat(number, tile.register)
        return e.tile(lambda r, c: register)

    return tile(tile, value), emit


@intrinsic
def height(_: Any, tile: Tile) -> Any:
    """The tile's rows."""
    return types.intp(tile), lambda *_: INDEX(tile.rows)


@intrinsic
def width(_: Any, tile: Tile) -> Any:
    """The tile's columns."""
    return types.intp(tile), lambda *_: INDEX(tile.vectors * tile.lanes)
