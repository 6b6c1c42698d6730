"""Matrix registers (AMX): eight of 16 rows of 64 bytes, which multiply 16 x 64 codes by 64 x 16 in one instruction.

A block of C takes `rows x columns` of them, at most four; the others hold what is multiplied. `multiply` adds the
products of 64 inputs. Their shapes are set by `configure` and given up by `release`, in each thread for itself.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from nncomp.kernels.simd.tile import BYTE, INDEX, Emit, intrinsic

DEPTH = 64
"""Inputs that one multiplication takes."""
SIDE = 16
"""Rows and columns of C in a register."""
VOID = ir.VoidType()
LEFT = 4
"""Registers 0 to 3 hold the block, 4 (and 5, if it has two rows of them) codes of `a`, the rest packed ones."""


def _shapes() -> np.ndarray:
    """For 1 to 16 rows of a block of one row of registers, the 64 bytes that `configure` takes."""
    shapes = np.zeros((SIDE + 1, 64), np.uint8)
    shapes[:, 0] = 1  # the palette
    shapes[:, 16:32].view(np.uint16)[:] = DEPTH
    shapes[:, 48:56] = SIDE
    shapes[:, 48:53] = np.arange(SIDE + 1)[:, None]
    return shapes


SHAPES = _shapes()


@intrinsic
def configure(_: Any, shapes: Any) -> Any:
    """Give the registers the shapes of a row of `SHAPES`, and zeros."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        e.call("llvm.x86.ldtilecfg", VOID, e.pointer(0, INDEX(0), BYTE))
        return e.context.get_dummy_value()

    return types.void(shapes), emit


@intrinsic
def release(_: Any) -> Any:
    """Give the registers up."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        e.call("llvm.x86.tilerelease", VOID)
        return e.context.get_dummy_value()

    return types.void(), emit


@intrinsic(prefer_literal=True)
def clear(_: Any, rows: Any, columns: Any) -> Any:
    """A block of C becomes zeros."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        for number in range(rows.literal_value * columns.literal_value):
            e.call("llvm.x86.tilezero", VOID, BYTE(number))
        return e.context.get_dummy_value()

    return types.void(rows, columns), emit


@intrinsic(prefer_literal=True)
def multiply(_: Any, rows: Any, columns: Any, a: Any, i: Any, second: Any, b: Any, j: Any, step: Any) -> Any:
    """Add to the block the products of 64 inputs: registers at `a[i]`, `a[i + second]` by `b[j]`, `b[j + step]`, ..."""
    height, width = rows.literal_value, columns.literal_value
    sign = "s" if a.dtype.signed else "u"

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        spare, line = range(LEFT + height, 8), INDEX(64)
        for c in range(width):
            right = BYTE(spare[c % len(spare)])
            place = e.pointer(5, e.at(e.values[6], c, e.values[7]), BYTE)
            e.call("llvm.x86.tileloadd64", VOID, right, place, line)
            for r in range(height):
                left = BYTE(LEFT + r)
                if c == 0:
                    place = e.pointer(2, e.at(e.values[3], r, e.values[4]), BYTE)
                    e.call("llvm.x86.tileloadd64", VOID, left, place, line)
                e.call(f"llvm.x86.tdpb{sign}sd", VOID, BYTE(r * width + c), left, right)
        return e.context.get_dummy_value()

    return types.void(rows, columns, a, types.intp, types.intp, b, types.intp, types.intp), emit


@intrinsic(prefer_literal=True)
def restore(_: Any, rows: Any, columns: Any, c: Any, i: Any, second: Any, step: Any) -> Any:
    """Read what `save` wrote there."""
    return _to_and_from(rows, columns, c, "llvm.x86.tileloadd64")


@intrinsic(prefer_literal=True)
def save(_: Any, rows: Any, columns: Any, c: Any, i: Any, second: Any, step: Any) -> Any:
    """Write the block to the int32 array `c` from `c[i]` on, a row every `step`, the second 16 rows `second` later."""
    return _to_and_from(rows, columns, c, "llvm.x86.tilestored64")


def _to_and_from(rows: Any, columns: Any, c: Any, instruction: str) -> Any:
    height, width = rows.literal_value, columns.literal_value

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        stride = e.builder.mul(e.values[5], INDEX(4))
        for r in range(height):
            for n in range(width):
                place = e.pointer(2, e.at(e.at(e.values[3], r, e.values[4]), SIDE * n), BYTE)
                e.call(instruction, VOID, BYTE(r * width + n), place, stride)
        return e.context.get_dummy_value()

    return types.void(rows, columns, c, *[types.intp] * 3), emit
