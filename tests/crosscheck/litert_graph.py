"""Graphs of one operator for TFLite's interpreter, made with the schema that its package ships."""

from collections.abc import Sequence

import numpy as np
import pytest

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
flatbuffers = pytest.importorskip("flatbuffers")
litert = pytest.importorskip("ai_edge_litert.interpreter")

RESOLVERS = litert.OpResolverType
TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32, np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}  # fmt: skip


class Value:
    """A tensor of the graph: its type, shape, scales, zero points and, where it is a constant, its values."""

    def __init__(
        self, like: np.ndarray, scale: np.ndarray | float | None = None, zero: int = 0, constant: bool = False
    ) -> None:
        self.like, self.scale, self.zero, self.constant = like, scale, zero, constant

    def tensor(self, name: str, buffer: int) -> object:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, list(self.like.shape), TYPES[self.like.dtype], buffer
        if self.scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(s) for s in np.ravel(self.scale)]
            made.quantization.zeroPoint = [self.zero] * np.size(self.scale)
        return made


def run(op: str, version: int, options: object, inputs: Sequence[Value], output: Value, resolver: object) -> np.ndarray:
    """What the interpreter makes of `op` of these inputs, by the kernels that `resolver` names."""
    graph, operator, code, model = schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT(), schema.ModelT()
    buffers = [b""] + [value.like.tobytes() if value.constant else b"" for value in inputs]
    graph.tensors = [value.tensor(f"t{i}", (i + 1) * value.constant) for i, value in enumerate([*inputs, output])]
    fed = [i for i, value in enumerate(inputs) if not value.constant]
    graph.inputs, graph.outputs, graph.operators = fed, [len(inputs)], [operator]
    operator.inputs, operator.outputs, operator.builtinOptions = list(range(len(inputs))), [len(inputs)], options
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, op)
    code.version, model.version, model.operatorCodes, model.subgraphs = version, 3, [code], [graph]
    model.buffers = [schema.BufferT() for _ in buffers]
    for made, values in zip(model.buffers, buffers):
        made.data = np.frombuffer(values, np.uint8) if values else None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    interpreter = litert.Interpreter(
        model_content=bytes(builder.Output()), experimental_op_resolver_type=resolver, num_threads=1
    )
    interpreter.allocate_tensors()
    for place, i in zip(interpreter.get_input_details(), fed):
        interpreter.set_tensor(place["index"], inputs[i].like)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
