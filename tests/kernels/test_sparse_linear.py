"""The quantized layer of kept codes: the bits of the dense layer's reference, whose absent codes are zero points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.encode import FIXED, TO_ALL, TO_ROW, Codes
from nncomp.kernels.linear import int8_linear_reference
from nncomp.kernels.pattern import Pattern
from nncomp.kernels.sparse_int8 import sparse_int8_pack
from nncomp.kernels.sparse_linear import SparseLayer, sparse_int8_linear
from tests.oracles import unchanged
from tests.strategies.weights import seeds

GRIDS = [
    Codes(-128, 127, np.dtype(np.int8), FIXED, scale=np.float32([0.05]), zero=np.int32([3])),
    Codes(-127, 127, np.dtype(np.int8), TO_ROW, 0, np.float32(127)),
    Codes(0, 255, np.dtype(np.uint8), TO_ROW),
    Codes(0, 255, np.dtype(np.uint8), TO_ALL),
]


@pytest.mark.parametrize("codes", GRIDS)
@given(seeds, st.integers(0, 20), st.integers(1, 9), st.integers(1, 40), st.sampled_from([0.0, -np.inf]))
def test_the_bits_of_the_reference(codes: Codes, seed: int, batch: int, out: int, inputs: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    mask, zero = rng.random((out, inputs)) < 0.4, rng.integers(-5, 6, out)
    b = np.where(mask, rng.integers(-128, 128, mask.shape), zero[:, None])
    pattern = Pattern(np.nonzero(mask)[1], np.concatenate([[0], np.cumsum(mask.sum(axis=1))]), inputs)
    kept = sparse_int8_pack(b[mask].astype(np.int8), pattern, zero)
    assert kept is not None
    scale, bias = rng.random(out, np.float32), rng.standard_normal(out, np.float32)
    x = rng.standard_normal((batch, inputs), np.float32)
    ours = unchanged(sparse_int8_linear, x, SparseLayer(kept, scale, bias, codes, np.float32(floor)))
    meant = int8_linear_reference(x, codes, b, zero, scale, bias, floor)
    assert ours.dtype == np.float32 and ours.tobytes() == meant.tobytes()
    if batch:
        x[-1, 0] = np.nan
        assert sparse_int8_linear(x, SparseLayer(kept, scale, bias, codes, np.float32(floor))) is None
