"""Brevitas' dialect against its package: scales, codes and values of its layers' weights, equal to the bit."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import dialects
from tests.crosscheck.test_dialects import case, fitted, hard_rows

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("brevitas")
    from brevitas.core.function_wrapper import Identity
    from brevitas.core.quant import IntQuant
    from brevitas.nn import QuantLinear
    from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat

pytestmark = pytest.mark.filterwarnings("ignore")
OURS = dialects.brevitas


@given(st.integers(0, 2**32 - 1))
def test_codes(seed: int) -> None:
    x, scale, zero = case(seed)
    for narrow, zero_point in ((False, zero), (Int8WeightPerTensorFloat.narrow_range, 0)):
        quantizer = IntQuant(narrow_range=narrow, signed=True, input_view_impl=Identity())
        parts = torch.tensor(scale), torch.tensor(float(zero_point)), torch.tensor(8.0), torch.from_numpy(x)
        lowest = OURS.weights.qmin if narrow else -128
        np.testing.assert_array_equal(OURS.encode(x, scale, zero_point, lowest, 127), quantizer.to_int(*parts).numpy())


@pytest.mark.parametrize("per_row", [False, True])
@given(st.integers(0, 2**32 - 1))
def test_weights(per_row: bool, seed: int) -> None:
    W = hard_rows(seed)
    W = W if per_row else W[:2]  # two of the rows, in any order
    layer = QuantLinear(
        W.shape[1], len(W), bias=False, weight_quant=Int8WeightPerChannelFloat if per_row else Int8WeightPerTensorFloat
    )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W))
        theirs = layer.quant_weight()
    scale = fitted(OURS, W if per_row else W.reshape(1, -1))[:, None]
    np.testing.assert_array_equal(scale.ravel(), theirs.scale.numpy().ravel())
    assert not theirs.zero_point.any()
    codes = OURS.encode(W, scale, 0, OURS.weights.qmin, OURS.weights.qmax)
    np.testing.assert_array_equal(codes.astype(np.float32) * scale, theirs.value.numpy())
    whole = np.abs(W).max(1) > 1e-30  # `int` divides the value by the scale again, and subnormal ones are not exact
    np.testing.assert_array_equal(codes[whole], theirs.int().numpy()[whole])
