"""Dialects against the systems that speak them: codes of ties, their neighbours and anything, equal to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import PerRow, dialects
from nncomp.formats.dialects import Dialect
from nncomp.quantize.nearest import fit_grid
from tests.crosscheck.test_grid_onnxruntime import CODES, linear

torch = pytest.importorskip("torch")
primitives = pytest.importorskip("torchao.quantization.quant_primitives")


def case(seed: int, n: int = 1000) -> tuple[np.ndarray, np.float32, int]:
    """Values halfway between codes, one step around these, and any; a scale; a zero point."""
    rng = np.random.default_rng(seed)
    scale = np.float32(rng.uniform(0.01, 0.1) if seed % 2 else 2.0 ** rng.integers(-6, 3))
    ties = ((rng.integers(-300, 300, n) + 0.5).astype(np.float32) * scale).astype(np.float32)
    near = np.nextafter(ties, rng.choice(np.array([-np.inf, np.inf], np.float32), n))
    x = np.concatenate([ties, near, rng.standard_normal(n).astype(np.float32) * 60 * scale])
    return x, scale, int(rng.integers(-128, 128))


def runtime(x: np.ndarray, scale: np.float32, zero: int) -> np.ndarray:
    quantize, _ = linear(CODES[np.dtype(np.int8)], ())
    return quantize.run(None, {"in": x[None], "scale": np.array(scale), "zero": np.array(zero, np.int8)})[0][0]


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
    "onnxruntime": runtime, "torch_per_tensor": per_tensor, "torch_per_channel": per_channel,
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
    assert len(set(codes.values())) == 4, "torchao and torch's fake quantization alone agree"


@given(st.integers(0, 2**32 - 1))
def test_the_scale_of_torchao_and_torch(seed: int) -> None:
    W = np.random.default_rng(seed).standard_normal((4, 16)).astype(np.float32)
    scale = fit_grid(W, dialects.torchao.weights, PerRow()).scale
    symmetric = primitives.MappingType.SYMMETRIC
    theirs, zeros = primitives.choose_qparams_affine(torch.from_numpy(W), symmetric, (1, 16), torch.int8, eps=1e-30)
    np.testing.assert_array_equal(scale[:, 0], theirs.numpy().ravel())
    assert not zeros.any()
    observer = torch.ao.quantization.PerChannelMinMaxObserver(
        ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_symmetric
    )
    observer(torch.from_numpy(W))
    np.testing.assert_array_equal(scale[:, 0], observer.calculate_qparams()[0].numpy())
