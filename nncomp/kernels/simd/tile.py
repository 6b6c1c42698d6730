"""Tiles of vector registers as a type that Numba carries and LLVM keeps in registers, and writing LLVM for them."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, register_model

from nncomp.kernels.simd.path import BITS

intrinsic: Any = extending.intrinsic  # Numba's own annotation counts the typing context as an argument


class Tile(types.Type):
    """`rows x vectors` registers of `element`; held in registers as long as all of them fit."""

    def __init__(self, element: Any, rows: int, vectors: int) -> None:
        self.element, self.rows, self.vectors = element, rows, vectors
        self.lanes = BITS // element.bitwidth
        super().__init__(f"Tile({element}, {rows}, {vectors}, {self.lanes})")

    @property
    def floats(self) -> bool:
        """Whether the elements are floats."""
        return isinstance(self.element, types.Float)

    @property
    def register(self) -> ir.VectorType:
        return ir.VectorType(_in_llvm(self.element), self.lanes)

    @property
    def name_in_llvm(self) -> str:
        """How LLVM calls the register in the names of its functions."""
        return f"v{self.lanes}{'f' if self.floats else 'i'}{self.element.bitwidth}"


def _in_llvm(element: Any) -> ir.Type:
    if isinstance(element, types.Float):
        return ir.FloatType() if element.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(element.bitwidth)


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, tile: Tile) -> None:
        super().__init__(manager, tile, ir.ArrayType(tile.register, tile.rows * tile.vectors))


INDEX, BYTE, WORD = ir.IntType(64), ir.IntType(8), ir.IntType(32)


class Emit:
    """Writing LLVM for one call of an intrinsic: `values` are its arguments."""

    def __init__(self, context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> None:
        self.context, self.builder, self.types, self.values = context, builder, signature.args, values
        self.result: Tile = signature.return_type

    def pointer(self, argument: int, index: Any, to: ir.Type) -> Any:
        """Where the array or pointer in `argument` has element `index`, as a pointer `to`."""
        start = self.values[argument]
        if isinstance(self.types[argument], types.Array):
            start = self.context.make_array(self.types[argument])(self.context, self.builder, start).data
        return self.builder.bitcast(self.builder.gep(start, [index]), to.as_pointer())

    def load(self, argument: int, index: Any, to: ir.Type) -> Any:
        return self.builder.load(self.pointer(argument, index, to), align=1)

    def at(self, start: Any, count: int, step: Any = 1) -> Any:
        """start + count * step"""
        step = step if isinstance(step, ir.Value) else INDEX(step)
        return self.builder.add(start, self.builder.mul(step, INDEX(count)))

    def splat(self, scalar: Any, register: ir.VectorType) -> Any:
        empty, lanes = ir.Constant(register, ir.Undefined), ir.VectorType(WORD, register.count)
        first = self.builder.insert_element(empty, scalar, WORD(0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(lanes, [0] * register.count))

    def call(self, name: str, result: ir.Type, *arguments: Any) -> Any:
        function = ir.FunctionType(result, [a.type for a in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function, name), arguments)

    def tile(self, register: Callable[[int, int], Any]) -> Any:
        """A tile of `register(row, vector)`."""
        tile = ir.Constant(self.context.get_value_type(self.result), ir.Undefined)
        for r in range(self.result.rows):
            for c in range(self.result.vectors):
                tile = self.builder.insert_value(tile, register(r, c), r * self.result.vectors + c)
        return tile

    def part(self, argument: int, r: int, c: int) -> Any:
        """Register `(r, c)` of the tile in `argument`."""
        return self.builder.extract_value(self.values[argument], r * self.types[argument].vectors + c)
