"""Networks as ONNX graphs, quantized layers as QDQ or in integers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nncomp.activations import GELU, Activation, GELUTanh, LeakyReLU
from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.integers import IntegerMLP
from nncomp.interchange.onnx_graph.integer_writing import add_integers
from nncomp.interchange.onnx_graph.nodes import Nodes, check_byte, dense_codes
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import Dynamic, minmax
from nncomp.weights import Quantized

if TYPE_CHECKING:
    import onnx

OPSET = 21
"""The first with 4-bit tensors and scales for blocks."""
OPERATORS = {
    "ReLU": "Relu", "LeakyReLU": "LeakyRelu", "Tanh": "Tanh", "Sigmoid": "Sigmoid", "GELU": "Gelu", "GELUTanh": "Gelu",
    "Softmax": "Softmax", "LogSoftmax": "LogSoftmax",
}  # fmt: skip


def to_onnx(network: MLP | IntegerMLP, integers: bool = False) -> "onnx.ModelProto":
    """A graph from `x (batch, in)` to `y (batch, out)` of standard operators (opset 21); needs the `onnx` extra.

    Float layers are Gemm; sparse, shared, encoded, low-rank weights and sums are written dense. Weights that are codes
    become DequantizeLinear of int4, int8 or int16, by row, column or block, and static input grids QuantizeLinear and
    DequantizeLinear (QDQ), which runtimes turn into integer products as they can. `integers`: layers that multiply
    integers here become MatMulInteger, whose sums are scaled as nncomp scales them, so that a runtime gives the same
    numbers. An `IntegerMLP` is QDQ, with biases in int32 and the outputs' grid; with `integers`, QGemm, an operator of
    ONNX Runtime's own. A `Dynamic` input is DynamicQuantizeLinear, so it is one grid for the batch, unsigned and
    asymmetric, of 8 bits. A ValueError for what has no operator.

    >>> [node.op_type for node in to_onnx(MLP.init([3, 2])).graph.node]
    ['Gemm']
    """
    import onnx

    graph, name = _Graph(), "x"
    if isinstance(network, IntegerMLP):
        add_integers(graph, network, name, integers)
    else:
        for i, layer in enumerate(network.layers):
            name = graph.layer(layer, name, f"layer{i}", integers)
    graph.nodes[-1].output[0] = "y"
    first, last = network.layers[0].weight, network.layers[-1].weight
    element = onnx.helper.np_dtype_to_tensor_dtype(first.dtype)
    ends = [
        onnx.helper.make_tensor_value_info(end, element, ["batch", size])
        for end, size in (("x", first.shape[1]), ("y", last.shape[0]))
    ]
    made = onnx.helper.make_graph(graph.nodes, "nncomp", ends[:1], ends[1:], graph.initializers)
    domains = [onnx.helper.make_opsetid("", OPSET)]
    if any(node.domain for node in graph.nodes):
        domains.append(onnx.helper.make_opsetid("com.microsoft", 1))
    model = onnx.helper.make_model(made, opset_imports=domains, producer_name="nncomp")
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph(Nodes):
    """Layers as nodes; each method returns the name of what it adds."""

    def layer(self, layer: Linear, x: str, name: str, integers: bool) -> str:
        if integers and layer.integer:
            z = self._product(layer, x, name)
        else:
            if layer.input is not None:
                x = self._seen(layer.input, x, name)
            weight, bias = self._weight(layer, name), self.array(layer.bias, f"{name}.bias")
            z = self.node("Gemm", x, weight, bias, name=name, transB=1)
        if layer.norm is not None:
            n = layer.norm
            parts = [self.array(getattr(n, part), f"{name}.norm.{part}") for part in ("gamma", "beta", "mean", "var")]
            z = self.node("BatchNormalization", z, *parts, name=f"{name}.norm", epsilon=n.eps)
        return self._activation(layer.activation, z, f"{name}.activation")

    def _activation(self, f: Activation, z: str, name: str) -> str:
        kind = type(f).__name__
        if kind == "Identity":
            return z
        if kind == "SiLU":
            return self.node("Mul", z, self.node("Sigmoid", z, name=f"{name}.sigmoid"), name=name)
        attributes: dict[str, Any] = {"alpha": f.slope} if isinstance(f, LeakyReLU) else {}
        if isinstance(f, GELU | GELUTanh):
            attributes = {"approximate": "tanh" if isinstance(f, GELUTanh) else "none"}
        return self.node(OPERATORS[kind], z, name=name, **attributes)

    def _weight(self, layer: Linear, name: str) -> str:
        stored = layer.stored().weight
        weight = stored.whole if isinstance(stored, Quantized) else None
        if weight is None:
            return self.array(stored.dense(), f"{name}.weight")
        _check_float32(layer, name)
        grid, codes = weight.grid, dense_codes(weight)
        scale, zero = grid.scale, grid.zeros.astype(codes.dtype)
        attributes: dict[str, int] = {"axis": 0}
        if grid.group is not None:
            attributes = {"axis": 1, "block_size": grid.group}
            scale, zero = (np.broadcast_to(v, (len(codes), v.shape[1])) for v in (scale, zero))
        elif len(scale) == 1:
            attributes, scale, zero = {}, scale[0, 0], zero[0, 0]
        else:
            scale, zero = scale[:, 0], zero[:, 0]
        bits = grid.format.bits
        parts = [self.array(codes, f"{name}.codes", bits), self.array(np.array(scale), f"{name}.scale")]
        return self.node(
            "DequantizeLinear", *parts, self.array(np.array(zero), f"{name}.zero", bits), name=f"{name}.weight",
            **attributes,
        )  # fmt: skip

    def _seen(self, input: Any, x: str, name: str) -> str:
        """The input as its grid lets it through."""
        if not isinstance(input, Grid):
            q, scale, zero = self._dynamic(input, x, name)
            return self.node("DequantizeLinear", q, scale, zero, name=f"{name}.input")
        check_byte(input.format, name)
        scale, zero = self._one_scale(input, name)
        q = self.node("QuantizeLinear", x, scale, zero, name=f"{name}.quantized")
        return self.node("DequantizeLinear", q, scale, zero, name=f"{name}.input")

    def _one_scale(self, grid: Grid, name: str) -> tuple[str, str]:
        zero = np.array(grid.zeros[0, 0], grid.format.dtype)
        return self.array(np.array(grid.scale[0, 0]), f"{name}.input.scale"), self.array(zero, f"{name}.input.zero")

    def _dynamic(self, input: Any, x: str, name: str) -> tuple[str, str, str]:
        import onnx

        if input != Dynamic(Uniform(signed=False, symmetric=False), PerTensor(), minmax):
            raise ValueError(f"{name}: DynamicQuantizeLinear fits one unsigned asymmetric grid to a batch, not {input}")
        outputs = [f"{name}.quantized", f"{name}.input.scale", f"{name}.input.zero"]
        self.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", [x], outputs, f"{name}.quantized"))
        return outputs[0], outputs[1], outputs[2]

    def _product(self, layer: Linear, x: str, name: str) -> str:
        """`acc (x_scale w_scale) + bias`, acc by MatMulInteger."""
        import onnx

        weight = layer.weight.whole if isinstance(layer.weight, Quantized) else None
        assert weight is not None
        _check_float32(layer, name)
        grid = weight.grid
        if grid.group is not None or grid.format.bits > 8:
            raise ValueError(f"{name}: MatMulInteger takes 8 bits and a scale a row, not {grid}; integers=False")
        if isinstance(layer.input, Grid):
            check_byte(layer.input.format, name)
            x_scale, zero = self._one_scale(layer.input, name)
            q = self.node("QuantizeLinear", x, x_scale, zero, name=f"{name}.quantized")
        else:
            q, x_scale, zero = self._dynamic(layer.input, x, name)
        w_scale = self.array(np.broadcast_to(grid.scale[:, 0], layer.bias.shape), f"{name}.weight.scale")
        scales = self.node("Mul", x_scale, w_scale, name=f"{name}.scale")
        codes = self.array(dense_codes(weight).T, f"{name}.codes")
        w_zero = np.broadcast_to(grid.zeros[:, 0], layer.bias.shape).astype(grid.format.dtype)
        acc = self.node("MatMulInteger", q, codes, zero, self.array(w_zero, f"{name}.zero"), name=f"{name}.sums")
        sums = self.node("Cast", acc, name=f"{name}.floats", to=onnx.TensorProto.FLOAT)
        scaled = self.node("Mul", sums, scales, name=f"{name}.product")
        return self.node("Add", scaled, self.array(layer.bias, f"{name}.bias"), name=name)


def _check_float32(layer: Linear, name: str) -> None:
    if layer.weight.dtype != np.float32:
        raise ValueError(f"{name}: DequantizeLinear gives float32, not {layer.weight.dtype}")
