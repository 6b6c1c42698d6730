"""Products of 8-bit codes: integers, so equal or wrong."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given

from nncomp.kernels.int8 import LARGEST_K, int8_matmul, int8_matmul_reference
from tests.oracles import matmul_loops, unchanged
from tests.strategies.arrays import CODES, LAYOUTS, code_products

SIGNS = list(product(CODES, CODES))
Product = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def random_product(signs: tuple[type, type], rows: int, columns: int, inner: int) -> Product:
    rng = np.random.default_rng(inner)
    low, high = zip(*((np.iinfo(sign).min, np.iinfo(sign).max) for sign in signs))
    return (
        rng.integers(low[0], high[0], (rows, inner), signs[0], endpoint=True),
        rng.integers(low[1], high[1], (columns, inner), signs[1], endpoint=True),
        rng.integers(low[0], high[0], rows, endpoint=True),
        rng.integers(low[1], high[1], columns, endpoint=True),
    )


def assert_exact(codes: Product) -> None:
    result = unchanged(int8_matmul, *codes)
    assert result.dtype == np.int32 and result.shape == (len(codes[0]), len(codes[1]))
    assert result.tolist() == matmul_loops(*codes)


@given(code_products())
@example((np.zeros((2, 0), np.int8), np.zeros((3, 0), np.uint8), np.full(2, -128), np.full(3, 255)))
def test_equals_loops(codes: Product) -> None:
    assert_exact(codes)
    assert unchanged(int8_matmul_reference, *codes).tolist() == matmul_loops(*codes)


@pytest.mark.parametrize("signs", SIGNS)
def test_every_tail(signs: tuple[type, type]) -> None:
    """Vector loops run in steps of up to 64; each length around a step has a tail of its own."""
    for inner in [*range(35), 63, 64, 65, 127, 128, 129]:
        assert_exact(random_product(signs, 2, 3, inner))


@pytest.mark.parametrize("signs", SIGNS)
def test_equals_the_reference_and_exact_doubles_on_a_layer(signs: tuple[type, type]) -> None:
    """float64 holds every sum exactly here, and BLAS shares nothing with the kernel."""
    codes = random_product(signs, 2, 300, 784)
    a, b = (c.astype(np.float64) - zero[:, None] for c, zero in zip(codes[:2], codes[2:]))
    result = int8_matmul(*codes)
    np.testing.assert_array_equal(result, int8_matmul_reference(*codes))
    np.testing.assert_array_equal(result, a @ b.T)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("ends", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_longest_sum_is_exact(signs: tuple[type, type], ends: tuple[int, int]) -> None:
    """Every difference is 255 in size, so that all bits of int32 are needed and one more term would be too many."""
    (a, a_zero), (b, b_zero) = (
        ((info.max, info.min) if end else (info.min, info.max)) for info, end in zip(map(np.iinfo, signs), ends)
    )
    codes = np.full((1, LARGEST_K), a, signs[0]), np.full((1, LARGEST_K), b, signs[1])
    expected = LARGEST_K * 255 * 255 * (1 if ends[0] == ends[1] else -1)
    assert int8_matmul(*codes, np.array([a_zero]), np.array([b_zero])).tolist() == [[expected]]
    assert abs(expected) < 2**31 <= abs(expected) + 255 * 255


def test_one_term_more_raises() -> None:
    long = np.zeros((1, LARGEST_K + 1), np.uint8)
    with pytest.raises(ValueError, match=f"{LARGEST_K + 1} inputs can overflow int32; .* exact up to {LARGEST_K}"):
        int8_matmul(long, long, np.zeros(1, int), np.zeros(1, int))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    for signs in SIGNS:
        codes = random_product(signs, 4, 5, 19)
        np.testing.assert_array_equal(unchanged(int8_matmul, *map(layout, codes)), int8_matmul(*codes))
