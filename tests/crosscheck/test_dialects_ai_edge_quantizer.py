"""The dialect of AI Edge Quantizer, which makes TFLite's weights, against it: scales, codes and values, equal bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import dialects
from tests.crosscheck.test_dialects import case, fitted, hard_rows

qtyping = pytest.importorskip("ai_edge_quantizer.qtyping")
theirs = pytest.importorskip("ai_edge_quantizer.algorithms.uniform_quantize.uniform_quantize_tensor")

OURS = dialects.ai_edge_quantizer


def told(scale: np.ndarray, zero: np.ndarray, symmetric: bool) -> "qtyping.UniformQuantParams":
    return qtyping.UniformQuantParams(
        num_bits=8, quantized_dimension=0, scale=scale, zero_point=zero.astype(np.int8), symmetric=symmetric
    )


@given(st.integers(0, 2**32 - 1))
def test_codes(seed: int) -> None:
    x, scale, zero = case(seed)
    codes = theirs.uniform_quantize(x[None], told(np.array([[scale]]), np.array([[zero]]), symmetric=False))
    np.testing.assert_array_equal(OURS.encode(x, scale, zero, -128, 127), codes[0])
    limited = theirs.uniform_quantize(x[None], told(np.array([[scale]]), np.zeros((1, 1)), symmetric=True))
    np.testing.assert_array_equal(OURS.encode(x, scale, 0, OURS.weights.qmin, OURS.weights.qmax), limited[0])


@given(st.integers(0, 2**32 - 1))
def test_weights(seed: int) -> None:
    W, granularity = hard_rows(seed), qtyping.QuantGranularity.CHANNELWISE
    ends = W.min(1, keepdims=True), W.max(1, keepdims=True)
    zeros, scale = theirs.tensor_zp_scale_from_min_max(*ends, 8, symmetric=True, granularity=granularity)
    ours = fitted(OURS, W)[:, None]
    np.testing.assert_array_equal(ours, scale)
    assert not zeros.any()
    codes = theirs.uniform_quantize(W, told(scale, zeros, symmetric=True))
    found = OURS.encode(W, ours, 0, OURS.weights.qmin, OURS.weights.qmax)
    np.testing.assert_array_equal(found, codes)
    values = theirs.uniform_dequantize(codes, told(scale, zeros, symmetric=True))
    np.testing.assert_array_equal(found.astype(np.float32) * ours, values)
