"""The dialect of compressed-tensors against its package: scales, zero points, codes and values, equal to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, dialects
from tests.crosscheck.test_dialects import case, fitted, hard_rows

torch = pytest.importorskip("torch")
quantization = pytest.importorskip("compressed_tensors.quantization")
forward = pytest.importorskip("compressed_tensors.quantization.lifecycle.forward")
utils = pytest.importorskip("compressed_tensors.quantization.utils")

OURS = dialects.compressed_tensors


def told(strategy: str, symmetric: bool) -> object:
    return quantization.QuantizationArgs(num_bits=8, type="int", symmetric=symmetric, strategy=strategy)


@given(st.integers(0, 2**32 - 1))
def test_codes_and_values(seed: int) -> None:
    x, scale, zero = case(seed)
    parts = torch.tensor([scale]), torch.tensor([zero], dtype=torch.int8), told("tensor", symmetric=False)
    codes = forward.quantize(torch.from_numpy(x), *parts, dtype=torch.int8)
    np.testing.assert_array_equal(OURS.encode(x, scale, zero, -128, 127), codes.numpy())
    grid = Grid(replace(OURS.weights, symmetric=False), scale.reshape(1, 1), np.array([[zero]], np.int8))
    np.testing.assert_array_equal(grid.decode(codes.numpy()[None])[0], forward.dequantize(codes, *parts).numpy())


@given(st.integers(0, 2**32 - 1))
def test_scales_and_codes_of_weights(seed: int) -> None:
    W, args = hard_rows(seed), told("channel", symmetric=True)
    tensor = torch.from_numpy(W)
    ends = tensor.amin(1, keepdim=True), tensor.amax(1, keepdim=True)
    scale, zeros = utils.calculate_qparams(*ends, args)
    ours = fitted(OURS, W)
    np.testing.assert_array_equal(ours, scale.numpy()[:, 0])
    assert not zeros.any()
    codes = forward.quantize(tensor, scale, zeros, args, dtype=torch.int8).numpy()
    np.testing.assert_array_equal(OURS.encode(W, ours[:, None], 0, -128, 127), codes)


@given(st.integers(0, 2**32 - 1))
def test_zero_points(seed: int) -> None:
    W = hard_rows(seed, largest=1e38)  # of a range, which is twice that, a float32
    W = W[W.max(1) - W.min(1) > 1e-30]
    args, ends = told("channel", symmetric=False), (W.min(1, keepdims=True), W.max(1, keepdims=True))
    scale, zeros = utils.calculate_qparams(*map(torch.from_numpy, ends), args)
    ours = replace(OURS.weights, symmetric=False).fit(*ends)
    np.testing.assert_array_equal(ours[0], scale.numpy())
    np.testing.assert_array_equal(ours[1], zeros.numpy())
