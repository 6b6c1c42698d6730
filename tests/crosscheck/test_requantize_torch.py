"""From int32 sums to codes against PyTorch's quantized linear by FBGEMM: equal to the bit.

QNNPACK and oneDNN come to their factors otherwise, and are now and then one code off.
Weights have 7 bits: processors without VNNI saturate pairs of products in 16 bits otherwise.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import dialects
from nncomp.formats.requantize import round_then_zero

torch = pytest.importorskip("torch")

if "fbgemm" not in torch.backends.quantized.supported_engines:
    pytest.skip("FBGEMM is for x86", allow_module_level=True)


def linear(a: "torch.Tensor", b: np.ndarray, s_b: np.ndarray, s_y: np.float32, z: int) -> np.ndarray:
    """Codes of a quantized tensor times int8 weights of one scale or one a row."""
    if s_b.size == 1:
        weights = torch._make_per_tensor_quantized_tensor(torch.from_numpy(b), s_b.item(), 0)
    else:
        zeros = torch.zeros(len(b), dtype=torch.long)
        weights = torch._make_per_channel_quantized_tensor(torch.from_numpy(b), torch.tensor(s_b).double(), zeros, 0)
    return torch.ops.quantized.linear(a, torch.ops.quantized.linear_prepack(weights, None), float(s_y), z).int_repr()


@pytest.mark.filterwarnings("ignore")
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_codes_of_sums(seed: int, per_row: bool, ties: bool) -> None:
    rng, rows = np.random.default_rng(seed), 30 if per_row else 1
    a, b = rng.integers(0, 256, (40, 24)).astype(np.uint8), rng.integers(-64, 64, (30, 24)).astype(np.int8)
    s_a, s_y = (np.float32(2.0**low if ties else rng.uniform(2.0**low, 2.0 ** (low + 3))) for low in (-5, -3))
    s_b = np.asarray(2.0 ** rng.integers(-8, -5, rows) if ties else rng.uniform(0.001, 0.01, rows), np.float32)
    z_a, z = (int(v) for v in rng.integers(0, 256, 2))
    used = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = "fbgemm"
        inputs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(a), float(s_a), z_a)
        expected = linear(inputs, b, s_b, s_y, z)
    finally:
        torch.backends.quantized.engine = used
    sums = ((a.astype(np.int32) - z_a) @ b.T.astype(np.int32)).astype(np.int32)
    np.testing.assert_array_equal(round_then_zero(sums, s_a, s_b, s_y, z, 0, 255), expected.numpy())


def test_the_dialects_requantize_so() -> None:
    assert dialects.torch_per_tensor.requantize is dialects.torch_per_channel.requantize is round_then_zero
