"""AIMET's dialect against its package: scales, codes and values of its quantizers, equal to the bit."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import dialects
from nncomp.formats.dialects import FULL, Dialect
from nncomp.formats.uniform import Uniform
from tests.crosscheck.test_dialects import case, fitted, hard_rows

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    affine = pytest.importorskip("aimet_torch.quantization.affine")

pytestmark = pytest.mark.filterwarnings("ignore")
OURS = dialects.aimet
FORMATS = [OURS.weights, FULL, Uniform(bits=4), Uniform(bits=4, narrow=True), Uniform(bits=2)]


@given(st.integers(0, 2**32 - 1))
def test_codes(seed: int) -> None:
    x, scale, zero = case(seed)
    parts = torch.from_numpy(x), torch.tensor(scale), torch.tensor(-float(zero)), -128, 127
    np.testing.assert_array_equal(OURS.encode(x, scale, zero, -128, 127), affine.quantize(*parts).numpy())
    codes = dialects.torch_fake_quantize.encode(x, scale, zero, -128, 127)
    values = (codes - zero).astype(np.float32) * scale
    np.testing.assert_array_equal(values, affine.quantize_dequantize(*parts).numpy())


@pytest.mark.parametrize("format", FORMATS, ids=str)
@given(st.integers(0, 2**32 - 1))
def test_scales_and_codes_of_weights(format: Uniform, seed: int) -> None:
    W, dialect = hard_rows(seed, largest=1e38), replace(OURS, weights=format)
    quantizer = affine.Quantize((len(W), 1), qmin=format.qmin, qmax=format.qmax, symmetric=True)
    with torch.no_grad():
        with quantizer.compute_encodings():
            quantizer(torch.from_numpy(W))
        codes, scale = quantizer(torch.from_numpy(W)), quantizer.get_scale()
    ours = fitted(dialect, W)
    np.testing.assert_array_equal(ours, scale.numpy().ravel())
    assert not quantizer.get_offset().any()
    found = dialect.encode(W, ours[:, None], 0, format.qmin, format.qmax)
    np.testing.assert_array_equal(found, codes.as_subclass(torch.Tensor).numpy())
    values = found.astype(np.float32) * ours[:, None]
    np.testing.assert_array_equal(values, codes.dequantize().as_subclass(torch.Tensor).numpy())


def test_its_dialect_is_strict() -> None:
    assert isinstance(OURS, Dialect) and (OURS.weights.qmin, OURS.weights.qmax) == (-127, 127)
