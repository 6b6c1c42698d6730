"""NNCF's dialect against its package: scales and codes of the weights of ONNX models it quantizes, equal to the bit."""

import logging
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.formats import dialects
from tests.crosscheck.test_dialects import fitted, hard_rows

onnx = pytest.importorskip("onnx")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else it reports each use, unasked
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    nncf = pytest.importorskip("nncf")
    from nncf.common.quantization.structs import QuantizerConfig, QuantizerGroup
    from nncf.common.tensor_statistics.statistics import MinMaxTensorStatistic
    from nncf.quantization import fake_quantize
    from nncf.tensor import Tensor

pytestmark = pytest.mark.filterwarnings("ignore")
OURS = dialects.nncf


def quantized(W: np.ndarray) -> dict[str, np.ndarray]:
    """What NNCF stores of a layer with these weights (outputs, inputs), by name."""
    logging.getLogger("nncf").setLevel(logging.ERROR)
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])]
        for name, size in (("x", W.shape[1]), ("y", W.shape[0]))
    ]
    weights = onnx.numpy_helper.from_array(np.ascontiguousarray(W.T), "w")
    graph = onnx.helper.make_graph(nodes, "layer", *ends, [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=10)
    data = nncf.Dataset([{"x": np.ones((1, W.shape[1]), np.float32)}])
    stored = nncf.quantize(model, data, subset_size=1).graph.initializer
    return {array.name: onnx.numpy_helper.to_array(array) for array in stored}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5)
def test_weights(seed: int) -> None:
    rows = hard_rows(seed, largest=1e30)
    of_a_size = rows[(np.abs(rows).max(1) < 1e4) | (seed % 3 == 0)]  # else all are nothing beside the largest
    small = rows[np.abs(rows).max(1) < 1e-2] * np.float32(0.01)
    for W in (of_a_size, small, np.zeros((3, 8), np.float32)):
        stored = quantized(W)
        scale = fitted(OURS, W)
        np.testing.assert_array_equal(scale, stored["scale_w_1"])
        assert not stored["zero_point_w_1"].any()
        codes = OURS.encode(W, scale[:, None], 0, OURS.weights.qmin, OURS.weights.qmax)
        np.testing.assert_array_equal(codes, stored["q_output_w_1"].T)


@pytest.mark.parametrize("narrow", [False, True])
@given(st.integers(0, 2**32 - 1))
def test_scales_in_both_ranges(narrow: bool, seed: int) -> None:
    """Models get narrow weights; a full range has 256/254 of the size below 0, and its scale may round otherwise."""
    W = hard_rows(seed, largest=1e38)
    W = W[np.abs(W).max(1) < 10.0 ** (seed % 40 - 8)]
    statistics = MinMaxTensorStatistic(*(Tensor(end) for end in (-np.abs(W).max(1, initial=0), np.abs(W).max(1))))
    config = QuantizerConfig(8, per_channel=True, signedness_to_force=True, narrow_range=narrow)
    fitting = fake_quantize.calculate_quantizer_parameters(statistics, config, QuantizerGroup.WEIGHTS)
    scale, zeros = fake_quantize.calculate_scale_zero_point(fitting.input_low, fitting.input_high, -128, 127, narrow)
    dialect = replace(OURS, weights=replace(OURS.weights, narrow=narrow))
    np.testing.assert_array_equal(fitted(dialect, W), scale.data)
    assert not zeros.data.any()
