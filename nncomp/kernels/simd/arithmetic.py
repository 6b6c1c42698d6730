"""Arithmetic lane by lane, on tiles of one shape: integers wrap, floats are rounded as IEEE 754 says."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from nncomp.kernels.simd.tile import WORD, Emit, Tile, intrinsic

Operation = Callable[..., Any]
"""From an `Emit` and registers to a register."""


def _of_one(operation: Operation) -> Any:
    return lambda _, a: (a(a), lambda *call: _each(operation, 1, *call))


def _of_two(operation: Operation) -> Any:
    return lambda _, a, b: (a(a, b), lambda *call: _each(operation, 2, *call))


def _each(operation: Operation, arguments: int, *call: Any) -> Any:
    e = Emit(*call)
    return e.tile(lambda r, c: operation(e, *(e.part(n, r, c) for n in range(arguments))))


def _named(name: str) -> Operation:
    """LLVM's function of that name."""
    return lambda e, *xs: e.call(f"llvm.{name}.{e.result.name_in_llvm}", e.result.register, *xs)


def _either(of_floats: str, of_integers: str) -> Operation:
    """The instruction for the kind of element."""
    return lambda e, *xs: getattr(e.builder, of_floats if e.result.floats else of_integers)(*xs)


def _first_if(comparison: str) -> Operation:
    return lambda e, x, y: e.builder.select(e.builder.fcmp_ordered(comparison, x, y), x, y)


add = intrinsic(_of_two(_either("fadd", "add")))
"""`a + b`"""
subtract = intrinsic(_of_two(_either("fsub", "sub")))
"""`a - b`"""
multiply = intrinsic(_of_two(_either("fmul", "mul")))
"""`a b`"""
divide = intrinsic(_of_two(_either("fdiv", "sdiv")))
"""`a / b`"""
lower = intrinsic(_of_two(_first_if("<")))
"""Of floats, a where `a < b`, and else b: where one is NaN, too."""
higher = intrinsic(_of_two(_first_if(">")))
"""Of floats, a where `a > b`, and else b: where one is NaN, too."""
rint = intrinsic(_of_one(_named("roundeven")))
"""The nearest whole number, of two the even one."""
sqrt = intrinsic(_of_one(_named("sqrt")))
"""The square root, rounded once."""
differing_bits = intrinsic(_of_two(lambda e, x, y: _named("ctpop")(e, e.builder.xor(x, y))))
"""In how many bits two integers differ."""
absolute = intrinsic(_of_one(_named("fabs")))
"""`|a|`"""


@intrinsic
def fma(_: Any, a: Tile, b: Tile, acc: Tile) -> Any:
    """`a b + acc`, rounded once where the processor can."""

    def one(e: Emit, x: Any, y: Any, z: Any) -> Any:
        if acc.floats:
            return e.call(f"llvm.fmuladd.{acc.name_in_llvm}", acc.register, x, y, z)
        return e.builder.add(e.builder.mul(x, y), z)

    return acc(a, b, acc), lambda *call: _each(one, 3, *call)


@intrinsic
def as_float(_: Any, tile: Tile, like: Any) -> Any:
    """Integers as floats of the dtype of the array `like`, as wide."""
    result = Tile(like.dtype, tile.rows, tile.vectors)

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        return e.tile(lambda r, c: e.builder.sitofp(e.part(0, r, c), result.register))

    return result(tile, like), emit


@intrinsic
def as_int(_: Any, tile: Tile) -> Any:
    """Whole numbers that int32 holds, as int32."""
    result = Tile(types.int32, tile.rows, tile.vectors)

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        return e.tile(lambda r, c: e.builder.fptosi(e.part(0, r, c), result.register))

    return result(tile), emit


@intrinsic
def any_above(_: Any, a: Tile, b: Tile) -> Any:
    """Whether in any lane `a > b`, or one of them is NaN."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        found = [
            e.builder.fcmp_unordered(">", e.part(0, r, c), e.part(1, r, c))
            for r in range(a.rows)
            for c in range(a.vectors)
        ]
        while len(found) > 1:
            found = [e.builder.or_(*found[:2]), *found[2:]]
        mask = e.builder.bitcast(found[0], ir.IntType(a.lanes))
        return e.builder.icmp_unsigned("!=", mask, mask.type(0))

    return types.boolean(a, b), emit


@intrinsic
def sign_bits(_: Any, x: Any, i: Any, count: Any) -> Any:
    """A bit for each of 32 numbers from `x[i]` on, the first `count` of them: 1 where it is >= 0, the lowest first."""
    whole, bits = isinstance(x.dtype, types.Integer), x.dtype.bitwidth
    of_floats = ir.FloatType() if bits == 32 else ir.DoubleType()
    register = ir.VectorType(ir.IntType(bits) if whole else of_floats, 32)
    name = f"llvm.masked.load.v32{'i' if whole else 'f'}{bits}.p0"

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        b, lanes = e.builder, ir.VectorType(WORD, 32)
        inside = b.icmp_signed("<", ir.Constant(lanes, list(range(32))), e.splat(b.trunc(e.values[2], WORD), lanes))
        nothing = ir.Constant(register, None)
        found = e.call(name, register, e.pointer(0, e.values[1], register), WORD(1), inside, nothing)
        compare = b.icmp_signed if whole else b.fcmp_ordered
        return b.bitcast(b.and_(compare(">=", found, nothing), inside), WORD)

    return types.uint32(x, types.intp, types.intp), emit
