"""Networks in integers alone as ONNX graphs: as QDQ, which runtimes turn into integers, or by operators on codes."""

from typing import Any

import numpy as np

from nncomp.formats import Grid
from nncomp.integers import IntegerLayer, IntegerMLP
from nncomp.interchange.onnx_graph.nodes import Nodes, check_byte, dense_codes


def add_integers(graph: Nodes, network: IntegerMLP, x: str, operators: bool) -> str:
    """Floats to codes, layer after layer, codes to floats; the name of these."""
    first = network.layers[0].input
    grid = _grid(graph, first, "x")
    q = graph.node("QuantizeLinear", x, *grid, name="x.quantized")
    for i, layer in enumerate(network.layers):
        name = f"layer{i}"
        after = _grid(graph, layer.output, name)
        q = (_operator if operators else _dequantized)(graph, layer, q, grid, after, name)
        grid = after
    return graph.node("DequantizeLinear", q, *grid, name="floats")


def _grid(graph: Nodes, grid: Grid, name: str) -> tuple[str, str]:
    check_byte(grid.format, name)
    zero = np.array(grid.zeros[0, 0], grid.format.dtype)
    return graph.array(np.array(grid.scale[0, 0]), f"{name}.y.scale"), graph.array(zero, f"{name}.y.zero")


def _weight(graph: Nodes, layer: IntegerLayer, name: str) -> list[str]:
    """Codes in whole bytes, scales and zero points of the rows."""
    grid, rows = layer.weight.grid, layer.bias.shape
    codes = dense_codes(layer.weight)
    scale = np.array(np.broadcast_to(grid.scale[:, 0], rows))
    zero = np.broadcast_to(grid.zeros[:, 0], rows).astype(codes.dtype)
    parts = zip((codes, scale, zero), ("codes", "scale", "zero"))
    return [graph.array(part, f"{name}.{told}") for part, told in parts]


def _dequantized(
    graph: Nodes, layer: IntegerLayer, q: str, before: tuple[str, str], after: tuple[str, str], name: str
) -> str:
    """DequantizeLinear of inputs, weights and bias, Gemm, Relu, QuantizeLinear."""
    units = (layer.input.scale * layer.weight.grid.scale)[:, 0]
    bias = graph.array(layer.bias, f"{name}.bias.codes")
    unit = graph.array(np.array(np.broadcast_to(units, layer.bias.shape)), f"{name}.bias.scale")
    x = graph.node("DequantizeLinear", q, *before, name=f"{name}.x")
    w = graph.node("DequantizeLinear", *_weight(graph, layer, name), name=f"{name}.weight", axis=0)
    b = graph.node("DequantizeLinear", bias, unit, name=f"{name}.bias", axis=0)
    z = graph.node("Gemm", x, w, b, name=name, transB=1)
    if layer.relu:
        z = graph.node("Relu", z, name=f"{name}.activation")
    return graph.node("QuantizeLinear", z, *after, name=f"{name}.quantized")


def _operator(
    graph: Nodes, layer: IntegerLayer, q: str, before: tuple[str, str], after: tuple[str, str], name: str
) -> str:
    """QGemm of ONNX Runtime's own operators; a ReLU is the limit of its codes."""
    if layer.input.format.dtype != layer.output.format.dtype:
        raise ValueError(f"{name}: QGemm takes and gives bytes of one kind, not {layer.input} and {layer.output}")
    bias: Any = graph.array(layer.bias, f"{name}.bias.codes")
    given = q, *before, *_weight(graph, layer, name), bias, *after
    y = graph.node("QGemm", *given, name=name, domain="com.microsoft", transB=1)
    if layer.low == layer.output.format.qmin:
        return y
    return graph.node("Clip", y, after[1], name=f"{name}.activation")
