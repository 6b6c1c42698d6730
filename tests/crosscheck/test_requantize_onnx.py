"""From int32 sums to codes against ONNX Runtime's and ONNX's own QLinearMatMul: a million products, equal to the bit.

Weights have 7 bits: processors without VNNI saturate pairs of products in 16 bits otherwise.
"""

import numpy as np
import pytest

from nncomp.formats.requantize import round_then_zero, zero_then_round
from tests.crosscheck.test_grid_onnxruntime import session

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")

CODES = {np.dtype(np.int8): onnx.TensorProto.INT8, np.dtype(np.uint8): onnx.TensorProto.UINT8}
NAMES = ("a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero")


def products(seed: int, rows: int, columns: int, ties: bool) -> dict[str, np.ndarray]:
    """Random codes, scales and zero points; `ties`: scales are powers of two, so that many sums lie halfway."""
    rng = np.random.default_rng(seed)
    a_type, b_type, y_type = (
        (np.uint8, np.int8, np.uint8), (np.int8, np.int8, np.int8), (np.uint8, np.uint8, np.uint8),
    )[seed % 3]  # fmt: skip
    inputs = int(rng.integers(1, 80))
    b_low = 0 if b_type == np.uint8 else -64

    def scale(size: tuple[int, ...]) -> np.ndarray:
        return np.asarray(2.0 ** rng.integers(-6, -1, size) if ties else rng.uniform(0.001, 0.1, size), np.float32)

    per_column = (columns,) if seed % 2 else ()
    return {
        "a": rng.integers(np.iinfo(a_type).min, np.iinfo(a_type).max + 1, (rows, inputs)).astype(a_type),
        "a_scale": scale(()),
        "a_zero": np.array(rng.integers(np.iinfo(a_type).min, np.iinfo(a_type).max + 1), a_type),
        "b": rng.integers(b_low, b_low + 128, (inputs, columns)).astype(b_type),
        "b_scale": scale(per_column),
        "b_zero": np.full(per_column, rng.integers(b_low, b_low + 128)).astype(b_type),
        "y_scale": np.asarray(scale(()) * (16 if ties else 4 * np.sqrt(inputs)), np.float32),
        "y_zero": np.array(rng.integers(np.iinfo(y_type).min, np.iinfo(y_type).max + 1), y_type),
    }


def ours(rule, given: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[no-untyped-def]
    wide = {name: given[name].astype(np.int64) for name in ("a", "a_zero", "b", "b_zero")}
    acc = ((wide["a"] - wide["a_zero"]) @ (wide["b"] - wide["b_zero"])).astype(np.int32)
    codes = np.iinfo(given["y_zero"].dtype)
    scales = (given[name] for name in ("a_scale", "b_scale", "y_scale"))
    return rule(acc, *scales, int(given["y_zero"]), codes.min, codes.max)


def runtime(given: dict[str, np.ndarray]) -> np.ndarray:
    types = {name: CODES.get(array.dtype, onnx.TensorProto.FLOAT) for name, array in given.items()}
    node = onnx.helper.make_node("QLinearMatMul", NAMES, ["out"])
    return session([node], types, {"out": types["y_zero"]}).run(None, given)[0]


def test_a_million_products_by_onnx_runtime() -> None:
    compared, inside = 0, 0
    for seed in range(24):
        given = products(seed, 220, 200, ties=seed % 4 < 2)
        expected = runtime(given)
        np.testing.assert_array_equal(ours(round_then_zero, given), expected)
        limits = np.iinfo(expected.dtype)
        compared += expected.size
        inside += int(((expected > limits.min) & (expected < limits.max)).sum())
    assert compared >= 1_000_000 and inside > compared / 4, "and not just saturated ones"


def test_onnx_itself_adds_the_zero_point_first() -> None:
    """Its reference evaluator differs from its text, and from the runtime, where a sum lies halfway and zero is odd."""
    apart = 0
    for seed in range(0, 12):
        given = products(seed, 40, 30, ties=True)
        if np.ndim(given["b_scale"]):
            continue
        node = onnx.helper.make_node("QLinearMatMul", NAMES, ["out"])
        types = {name: CODES.get(array.dtype, onnx.TensorProto.FLOAT) for name, array in given.items()}
        values = [onnx.helper.make_tensor_value_info(name, element, None) for name, element in types.items()]
        out = [onnx.helper.make_tensor_value_info("out", types["y_zero"], None)]
        graph = onnx.helper.make_graph([node], "product", values, out)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
        [expected] = reference.ReferenceEvaluator(model).run(None, given)
        np.testing.assert_array_equal(ours(zero_then_round, given), expected)
        apart += int((ours(round_then_zero, given) != expected).sum())
    assert apart > 0
