"""The integer product equals Python integers exactly, for every shape, sign and zero point, up to where int32 ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.kernels.int8 import LARGEST_K, int8_matmul, int8_matmul_reference
from tests.oracles import centered_matmul
from tests.strategies.arrays import bytes_, codes, seeds


@settings(max_examples=50)
@given(bytes_, bytes_, st.integers(0, 5), st.integers(0, 5), st.integers(0, 70), seeds)
def test_equals_python_integers(a_type: type, b_type: type, m: int, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = codes(rng, a_type, (m, k)), codes(rng, b_type, (n, k))
    a_zero, b_zero = codes(rng, a_type, (m,)).astype(np.int32), codes(rng, b_type, (n,)).astype(np.int32)
    for x in (a, b, a_zero, b_zero):
        x.flags.writeable = False
    c = int8_matmul(a, b, a_zero, b_zero)
    assert c.dtype == np.int32 and c.tolist() == centered_matmul(a, b, a_zero, b_zero)
    assert int8_matmul_reference(a, b, a_zero, b_zero).tolist() == c.tolist()


def test_larger_shapes_equal_exact_doubles(large: int) -> None:
    """float64 holds every sum exactly here, and BLAS shares nothing with the kernel."""
    rng = np.random.default_rng(0)
    a, b = codes(rng, np.uint8, (33, large)), codes(rng, np.int8, (31, large))
    none = np.zeros(33, np.int32)
    assert np.array_equal(int8_matmul(a, b, none, none[:31]), a.astype(np.float64) @ b.T.astype(np.float64))


def test_strided_views() -> None:
    rng = np.random.default_rng(1)
    a, b = codes(rng, np.uint8, (8, 40))[::2, ::2], codes(rng, np.int8, (20, 6)).T[::2]
    zero = np.array([3, 1, 4, 1])
    assert int8_matmul(a, b, zero, zero[:3]).tolist() == centered_matmul(a, b, zero, zero[:3])


def test_exact_up_to_the_bound_and_an_error_past_it() -> None:
    a, b = np.full((1, LARGEST_K), 255, np.uint8), np.full((1, LARGEST_K), -128, np.int8)
    zero, high = np.array([0]), np.array([127])
    assert int8_matmul(a, b, zero, high).tolist() == [[-255 * 255 * LARGEST_K]]
    assert 255 * 255 * LARGEST_K < 2**31 <= 255 * 255 * (LARGEST_K + 1)
    with pytest.raises(ValueError, match=f"over {LARGEST_K + 1} inputs can overflow int32"):
        int8_matmul(np.zeros((1, LARGEST_K + 1), np.uint8), np.zeros((1, LARGEST_K + 1), np.int8), zero, zero)
