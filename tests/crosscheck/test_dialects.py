"""Dialects against the systems that speak them: codes of ties, their neighbours and anything, equal to the bit.

Systems that need packages of their own are in files of theirs.
"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import dialects
from nncomp.formats.dialects import Dialect
from tests.crosscheck.test_grid_onnxruntime import CODES, linear

onnx = pytest.importorskip("onnx")
reference = pytest.importorskip("onnx.reference")
torch = pytest.importorskip("torch")
primitives = pytest.importorskip("torchao.quantization.quant_primitives")
runtime_tools = pytest.importorskip("onnxruntime.quantization.quant_utils")


def case(seed: int, n: int = 1000) -> tuple[np.ndarray, np.float32, int]:
    """Values halfway between codes, one step around these, and any; a scale; a zero point."""
    rng = np.random.default_rng(seed)
    scale = np.float32(rng.uniform(0.01, 0.1) if seed % 2 else 2.0 ** rng.integers(-6, 3))
    ties = ((rng.integers(-300, 300, n) + 0.5).astype(np.float32) * scale).astype(np.float32)
    near = np.nextafter(ties, rng.choice(np.array([-np.inf, np.inf], np.float32), n))
    x = np.concatenate([ties, near, rng.standard_normal(n).astype(np.float32) * 60 * scale])
    return x, scale, int(rng.integers(-128, 128))


def hard_rows(seed: int, largest: float = 3e38) -> np.ndarray:
    """Weights (rows, 8): of any size, of one sign, constant, zeros of both signs, subnormal, huge."""
    rng = np.random.default_rng(seed)
    any_size = rng.standard_normal((12, 8)) * 2.0 ** rng.integers(-40, 100, (12, 1))
    small = rng.standard_normal((12, 8)) * 10.0 ** rng.integers(-14, -3, (12, 1))
    alone = np.where(np.arange(8) == rng.integers(8), rng.standard_normal((4, 1)), 0)
    constant = np.full((4, 8), 1.0) * rng.standard_normal((4, 1))
    subnormal = rng.integers(-400, 400, (4, 8)) * 2.0**-149 * 10.0 ** rng.integers(0, 4, (4, 1))
    rows = [any_size, np.abs(any_size), -np.abs(small), small, alone, constant, subnormal, np.zeros((1, 8))]
    W = np.concatenate([*rows, -np.zeros((1, 8)), largest * rng.uniform(-1, 1, (2, 8))]).astype(np.float32)
    return W[rng.permutation(len(W))]


def fitted(dialect: Dialect, W: np.ndarray) -> np.ndarray:
    return dialect.fit(W.min(1), W.max(1))


def runtime(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    quantize, _ = linear(CODES[np.dtype(np.int8)], ())
    return quantize.run(None, {"in": x[None], "scale": np.array(scale), "zero": np.array(zero, np.int8)})[0][0]


@cache
def evaluator() -> "reference.ReferenceEvaluator":
    types = {"in": onnx.TensorProto.FLOAT, "scale": onnx.TensorProto.FLOAT, "zero": onnx.TensorProto.INT8}
    values = [onnx.helper.make_tensor_value_info(name, element, None) for name, element in types.items()]
    out = [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.INT8, None)]
    node = onnx.helper.make_node("QuantizeLinear", list(types), ["out"])
    graph = onnx.helper.make_graph([node], "codes", values, out)
    return reference.ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)]))


def specified(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    return evaluator().run(None, {"in": x, "scale": np.array(scale), "zero": np.array(zero, np.int8)})[0]


def per_tensor(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    return torch.quantize_per_tensor(torch.from_numpy(x), float(scale), zero, torch.qint8).int_repr().numpy()


def per_channel(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    scales, zeros = torch.tensor([float(scale)]), torch.tensor([zero])
    return torch.quantize_per_channel(torch.from_numpy(x[None]), scales, zeros, 0, torch.qint8).int_repr().numpy()[0]


def fake(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    y = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), float(scale), zero, -128, 127).numpy()
    return np.rint(y.astype(np.float64) / scale).astype(int) + zero


def affine(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    parts = torch.tensor(float(scale)), torch.tensor(zero)
    return primitives.quantize_affine(torch.from_numpy(x[None]), (1, len(x)), *parts, torch.int8, -128, 127).numpy()[0]


SPOKEN = {
    "onnx": specified, "onnxruntime": runtime, "torch_per_tensor": per_tensor, "torch_per_channel": per_channel,
    "torch_fake_quantize": fake, "torchao": affine,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SPOKEN)
@given(st.integers(0, 2**32 - 1))
def test_the_same_codes(name: str, seed: int) -> None:
    x, scale, zero = case(seed)
    dialect: Dialect = getattr(dialects, name)
    np.testing.assert_array_equal(dialect.encode(x, scale, zero, -128, 127), SPOKEN[name](x, scale, zero))


def test_they_differ_from_each_other() -> None:
    x, scale, zero = case(7)
    codes = {name: getattr(dialects, name).encode(x, scale, zero, -128, 127).tobytes() for name in SPOKEN}
    assert len(set(codes.values())) == 4, "ONNX's agree, and torchao and torch's fake quantization"


@given(st.integers(0, 2**32 - 1))
def test_the_scale_of_torchao(seed: int) -> None:
    W, symmetric = hard_rows(seed), primitives.MappingType.SYMMETRIC
    scale, zeros = primitives.choose_qparams_affine(torch.from_numpy(W), symmetric, (1, 8), torch.int8)
    np.testing.assert_array_equal(fitted(dialects.torchao, W), scale.numpy().ravel())
    assert not zeros.any()


@given(st.integers(0, 2**32 - 1))
def test_the_scale_of_torch(seed: int) -> None:
    W, observers = hard_rows(seed), torch.ao.quantization
    observer = observers.PerChannelMinMaxObserver(ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
    observer(torch.from_numpy(W))
    scale, zeros = observer.calculate_qparams()
    for dialect in (dialects.torch_fake_quantize, dialects.torch_per_channel, dialects.torch_per_tensor):
        np.testing.assert_array_equal(fitted(dialect, W), scale.numpy())
    assert not zeros.any()


@given(st.integers(0, 2**32 - 1))
def test_the_scale_of_onnx_runtime(seed: int) -> None:
    W, (low, high) = hard_rows(seed), (np.array(end, np.int8) for end in (-127, 127))
    for row, scale in zip(W, fitted(dialects.onnxruntime, W)):
        zero, theirs = runtime_tools.compute_scale_zp(row.min(), row.max(), low, high, symmetric=True)
        assert theirs == scale and theirs.dtype == np.float32 and zero == 0
    code = CODES[np.dtype(np.int8)]
    assert runtime_tools.get_qmin_qmax_for_qType(code, symmetric=True) == (low, high)
