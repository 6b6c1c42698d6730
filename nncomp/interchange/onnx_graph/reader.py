"""The nodes of a graph, read one after the other as what they do to the layers of a network."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.activations import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from nncomp.interchange.onnx_graph import floats, integers
from nncomp.interchange.onnx_graph.flow import Flow


def array_of(tensor: Any) -> np.ndarray:
    """The numbers of a tensor that holds them itself, of 4 bits in a dtype of ml_dtypes."""
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"the tensor {tensor.name!r} lies in another file, which is not read")
    needed = int(np.prod([int(n) for n in tensor.dims], dtype=object))
    if needed > 8 * len(tensor.SerializeToString()):  # before anything of that size is made
        raise ValueError(f"the tensor {tensor.name!r} of shape {list(tensor.dims)} does not hold that many numbers")
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the tensor {tensor.name!r} cannot be read: {error}") from error


class Reader:
    """What every name stands for so far: a constant, codes, or what flows.

    >>> Reader({"w": np.ones(2)}).values["w"]
    array([1., 1.])
    """

    def __init__(self, constants: dict[str, np.ndarray]) -> None:
        self.values: dict[str, Any] = dict(constants)

    def read(self, node: Any) -> None:
        """Add a node's outputs; a ValueError that names it where it has no place in a chain of layers."""
        import onnx

        told = f"node {node.name or node.output[0]!r} ({node.op_type})"
        read = OPERATORS.get(node.op_type)
        if read is None:
            raise ValueError(f"{told}: an operator that no layer has; known are {', '.join(sorted(OPERATORS))}")
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise ValueError(f"{told}: nothing before it makes {', '.join(missing)}")
        given = [self.values[name] if name else None for name in node.input]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            made = read(*given, **attributes)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"{told}: {error}") from error
        made = made if isinstance(made, tuple) and not isinstance(made, Flow) else (made,)
        self.values.update(zip(node.output, made))


OPERATORS: dict[str, Callable[..., Any]] = {
    "Gemm": floats.gemm,
    "MatMul": floats.matmul,
    "Add": floats.add,
    "BatchNormalization": floats.batch_norm,
    "Relu": floats.activation(ReLU),
    "LeakyRelu": floats.activation(floats.leaky),
    "Tanh": floats.activation(Tanh),
    "Sigmoid": floats.activation(Sigmoid),
    "Gelu": floats.activation(floats.gelu),
    "Softmax": floats.activation(floats.over_classes(Softmax())),
    "LogSoftmax": floats.activation(floats.over_classes(LogSoftmax())),
    "QuantizeLinear": integers.quantize,
    "DequantizeLinear": integers.dequantize,
    "DynamicQuantizeLinear": integers.dynamic,
    "MatMulInteger": integers.matmul_integer,
    "Cast": integers.cast,
    "Mul": integers.multiply,
    "QLinearMatMul": integers.qlinear_matmul,
    "QGemm": integers.qgemm,
    "Clip": integers.clip,
    "Constant": lambda value: array_of(value),
    "Identity": lambda x: x,
    "Flatten": lambda x, axis=1: x,
    "Dropout": lambda x, *more, **seed: x,
}
"""What each operator does to what it is given."""
