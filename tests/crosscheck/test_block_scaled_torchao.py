"""MX and NVFP4 blocks against torchao: the bytes of scales and codes, by each scale rule.

torchao divides by at least 2^-126, so blocks of such small values are left out.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import block_scaled as mx
from nncomp.formats.two_scales import NVFP4

torch = pytest.importorskip("torch")
mx_tensor = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
constants = pytest.importorskip("torchao.prototype.mx_formats.constants")

MODE = mx_tensor.ScaleCalculationMode
RULES = {"FLOOR": mx.floor_scale, "CEIL": mx.ceil_scale, "RCEIL": mx.ratio_ceil_scale, "EVEN": mx.even_scale}
ELEMENTS = {
    "mxfp8_e4m3": torch.float8_e4m3fn, "mxfp8_e5m2": torch.float8_e5m2, "mxfp6_e2m3": constants.DTYPE_FP6_E2M3,
    "mxfp6_e3m2": constants.DTYPE_FP6_E3M2, "mxfp4": torch.float4_e2m1fn_x2,
}  # fmt: skip


def blocks(seed: int, exponent: int) -> np.ndarray:
    """Rows of all sizes around a power of two, powers of two, largest numbers and zeros among them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((16, 64)) * 2.0 ** rng.integers(exponent - 6, exponent + 6, (16, 1))
    x[:4, 3] = 2.0 ** rng.integers(exponent, exponent + 9, 4)
    x[4:8, 5] = rng.choice([448.0, 6.0, 7.5, 28.0, 57344.0], 4) * 2.0 ** rng.integers(exponent - 5, exponent + 5, 4)
    x[8:10, 40:] = 0
    x[10] = 0
    unit = 2.0**exponent * rng.uniform(1, 2, (5, 1))  # halfway between numbers, where 6 units are the block's largest
    x[11:] = rng.choice([0.25, -0.75, 1.25, 1.75, -2.5, 3.5, 5.0], (5, 64)) * unit
    x[11:, ::16] = 6 * unit
    return x.astype(np.float32)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ELEMENTS)
@given(st.integers(0, 2**32 - 1), st.integers(-60, 90))
def test_the_same_bytes(name: str, rule: str, seed: int, exponent: int) -> None:
    x = blocks(seed, exponent)
    format = replace(getattr(mx, name), scale_rule=RULES[rule])
    codes, scales = format.encode(x)
    their_scales, theirs = mx_tensor.to_mx(torch.from_numpy(x), ELEMENTS[name], 32, MODE[rule])
    their_scales, theirs = their_scales.view(torch.uint8).numpy(), theirs.view(torch.uint8).numpy()
    if name == "mxfp4":  # two in a byte, the first low
        theirs = np.stack([theirs & 15, theirs >> 4], axis=-1).reshape(x.shape)
    np.testing.assert_array_equal(scales, their_scales)
    np.testing.assert_array_equal(codes, theirs)


nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.two_scales_tensor")


@pytest.mark.parametrize("two_levels", [True, False])
@given(st.integers(0, 2**32 - 1), st.integers(-12, 12))
def test_the_same_bytes_of_nvfp4(two_levels: bool, seed: int, exponent: int) -> None:
    x, format = blocks(seed, exponent), NVFP4()
    t = format.tensor_scale(x) if two_levels else np.ones(1, np.float32)
    codes, scales, _ = format.encode(x, t)
    tensor = torch.from_numpy(x)
    given_scale = nvfp4.per_tensor_amax_to_scale(tensor.abs().max()) if two_levels else None
    their_scales, theirs = nvfp4.nvfp4_quantize(tensor, 16, given_scale)
    theirs = theirs.view(torch.uint8).numpy()
    np.testing.assert_array_equal(scales, their_scales.view(torch.uint8).numpy())
    np.testing.assert_array_equal(codes, np.stack([theirs & 15, theirs >> 4], axis=-1).reshape(x.shape))
