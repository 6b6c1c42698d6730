"""The uniform grid against ONNX Runtime's QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: equal bits."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nncomp.crosscheck import compare, grid_cases
from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.quantize import Dynamic

ort = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

CODES = {
    np.dtype(np.int8): onnx.TensorProto.INT8,
    np.dtype(np.uint8): onnx.TensorProto.UINT8,
    np.dtype(np.int16): onnx.TensorProto.INT16,
    np.dtype(np.uint16): onnx.TensorProto.UINT16,
}
FLOAT = onnx.TensorProto.FLOAT

seeds = st.integers(0, 2**32 - 1)
# ONNX knows no narrow codes and no widths between; both are limits of the same formula, nothing it could tell us of.
formats = st.builds(Uniform, bits=st.sampled_from([8, 16]), signed=st.booleans())
# Codes up to 2^16 times scales up to 2^100 stay finite, and values over scales down to 2^-100 reach infinity.
scales = st.floats(2**-100, 2**100, width=32) | st.integers(-100, 100).map(lambda k: 2.0**k)
everything = st.floats(width=32, allow_nan=False)


def session(nodes: list, inputs: dict[str, int], outputs: dict[str, int]) -> "ort.InferenceSession":
    """A session of one thread for `nodes`; `inputs` and `outputs` give the element type of each, of any shape."""
    values = [
        [onnx.helper.make_tensor_value_info(name, element, None) for name, element in side.items()]
        for side in (inputs, outputs)
    ]
    graph = onnx.helper.make_graph(nodes, "grid", *values)
    # int16 came with opset 21, which IR version 10 holds.
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@cache
def linear(code: int, attributes: tuple[tuple[str, int], ...]) -> tuple["ort.InferenceSession", "ort.InferenceSession"]:
    """QuantizeLinear and DequantizeLinear to and from codes of this element type."""
    parameters = {"scale": FLOAT, "zero": code}
    return tuple(
        session([onnx.helper.make_node(op, ["in", *parameters], ["out"], **dict(attributes))],
                {"in": source, **parameters}, {"out": target})
        for op, source, target in (("QuantizeLinear", FLOAT, code), ("DequantizeLinear", code, FLOAT))
    )  # fmt: skip


def quantized(grid: Grid, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes of `x` by ONNX Runtime, and what they stand for."""
    scale, zero = grid.scale, grid.zeros.astype(grid.format.dtype)
    attributes: dict[str, int] = {}
    if grid.group is not None:
        attributes = {"axis": 1, "block_size": grid.group}
    elif len(scale) > 1:
        attributes, scale, zero = {"axis": 0}, scale[:, 0], zero[:, 0]
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    quantize, dequantize = linear(CODES[grid.format.dtype], tuple(attributes.items()))
    (codes,) = quantize.run(None, {"in": x, "scale": scale, "zero": zero})
    (decoded,) = dequantize.run(None, {"in": codes, "scale": scale, "zero": zero})
    return codes, decoded


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_hazard(bits: int, symmetric: bool, signed: bool) -> None:
    format = Uniform(bits, signed, symmetric)

    def theirs(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return quantized(Grid(format, scale, zero_point), x)

    def ours(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grid = Grid(format, scale, zero_point)
        return grid.encode(x), grid.decode(grid.encode(x))

    comparison = compare(theirs, ours, grid_cases(format))
    assert comparison.agree and comparison.refused == 0 and comparison.exact == comparison.elements, comparison


@st.composite
def grids_and_values(draw: st.DrawFn, rows: int = 1, columns: int = 12, group: int | None = None):
    """A grid with any zero points (or none), and as many of its ties as of values of any size, infinities included."""
    format, shape = draw(formats), (rows, 1 if group is None else -(-columns // group))
    scale = draw(hnp.arrays(np.float32, shape, elements=scales.map(np.float32)))
    zero = draw(st.none() | hnp.arrays(format.dtype, shape))
    grid = Grid(format, scale, zero, group)
    ties = draw(hnp.arrays(np.float32, (rows, columns), elements=st.integers(-70_000, 70_000))) + np.float32(0.5)
    values = draw(hnp.arrays(np.float32, (rows, columns), elements=everything))
    with np.errstate(over="ignore"):
        x = np.where(np.arange(columns) % 2 == 0, ties * grid.spread(scale, columns), values)
    return grid, x


def assert_equal(grid: Grid, x: np.ndarray) -> None:
    codes, decoded = quantized(grid, x)
    np.testing.assert_array_equal(grid.encode(x), codes, strict=True)
    np.testing.assert_array_equal(grid.decode(codes), decoded, strict=True)


@given(st.integers(1, 4).flatmap(lambda rows: grids_and_values(rows=rows)))
def test_any_scale_or_scale_per_row(case: tuple[Grid, np.ndarray]) -> None:
    assert_equal(*case)


@given(st.integers(2, 5).flatmap(lambda group: grids_and_values(rows=2, group=group)))
def test_a_scale_per_group_of_columns(case: tuple[Grid, np.ndarray]) -> None:
    assert_equal(*case)


@given(hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-2.0**100, -2.0**-100, width=32) | st.floats(2.0**-100, 2.0**100, width=32) | st.just(0.0),
))  # fmt: skip
def test_dynamic_quantization(x: np.ndarray) -> None:
    codes, scale, zero = dynamic().run(None, {"x": x})
    grid = Dynamic(Uniform(signed=False, symmetric=False), PerTensor()).grid_for(x)
    np.testing.assert_array_equal(grid.scale, scale.reshape(1, 1))
    np.testing.assert_array_equal(grid.zeros, zero.reshape(1, 1))
    np.testing.assert_array_equal(grid.encode(x), codes)


@cache
def dynamic() -> "ort.InferenceSession":
    outputs = {"codes": onnx.TensorProto.UINT8, "scale": FLOAT, "zero": onnx.TensorProto.UINT8}
    return session([onnx.helper.make_node("DynamicQuantizeLinear", ["x"], list(outputs))], {"x": FLOAT}, outputs)
