"""ONNX Runtime's fastest graphs for a layer of 8-bit codes, each a session that keeps its weights packed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Run = Callable[[np.ndarray], np.ndarray]
KINDS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int8): TensorProto.INT8,
         np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int32): TensorProto.INT32}  # fmt: skip


def _session(nodes: list[Any], constants: dict[str, Any], x: np.dtype, y: np.dtype, inner: int, threads: int) -> Run:
    """From x (M, inner) to the tensor called y."""
    graph = helper.make_graph(
        nodes, "layer",
        [helper.make_tensor_value_info("x", KINDS[x], ["M", inner])],
        [helper.make_tensor_value_info("y", KINDS[y], ["M", None])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would keep a core from the others
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda a: session.run(None, {"x": a})[0]


def matmul_integer(b: np.ndarray, codes: np.dtype, threads: int) -> Run:
    """C (int32) of codes and b (N, K)."""
    nodes = [helper.make_node("MatMulInteger", ["x", "b"], ["y"])]
    return _session(nodes, {"b": b.T}, codes, np.dtype(np.int32), b.shape[1], threads)


def dynamic_linear(b: np.ndarray, scale: np.ndarray, bias: np.ndarray, threads: int) -> Run:
    """Floats to floats, x on uint8 codes of a grid fitted to all of it."""
    node = helper.make_node("DynamicQuantizeMatMul", ["x", "b", "scale", "", "bias"], ["y"], domain="com.microsoft")
    floats = np.dtype(np.float32)
    return _session([node], {"b": b.T, "scale": scale, "bias": bias}, floats, floats, b.shape[1], threads)


def static_linear(b: np.ndarray, scale: np.ndarray, bias: np.ndarray, x: tuple[float, int], threads: int) -> Run:
    """Floats to floats, x on uint8 codes of a fixed scale and zero point."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node(
            "MatMulIntegerToFloat", ["q", "b", "xs", "scale", "xz", "", "bias"], ["y"], domain="com.microsoft"
        ),
    ]
    constants = {"b": b.T, "scale": scale, "bias": bias, "xs": np.float32(x[0]), "xz": np.uint8(x[1])}
    floats = np.dtype(np.float32)
    return _session(nodes, constants, floats, floats, b.shape[1], threads)


def static_codes(b: np.ndarray, scale: np.ndarray, x: tuple[float, int], y: tuple[float, int], threads: int) -> Run:
    """Floats to uint8 codes of another fixed grid, without a bias."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("QLinearMatMul", ["q", "xs", "xz", "b", "scale", "bz", "ys", "yz"], ["y"]),
    ]
    constants = {
        "b": b.T, "scale": scale, "bz": np.zeros(len(b), np.int8), "xs": np.float32(x[0]), "xz": np.uint8(x[1]),
        "ys": np.float32(y[0]), "yz": np.uint8(y[1]),
    }  # fmt: skip
    return _session(nodes, constants, np.dtype(np.float32), np.dtype(np.uint8), b.shape[1], threads)
