"""Products of 8-bit codes: integers, so equal or wrong."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given

from nncomp.kernels.int8 import int8_matmul, int8_matmul_reference
from nncomp.kernels.pack import LARGEST_K, fits_int32, int8_pack
from nncomp.kernels.simd.path import LANES, ROWS, VECTORS
from nncomp.kernels.threads import limit_threads
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


def int8_product(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    return int8_matmul(a, int8_pack(b, b_zero), a_zero)


def assert_exact(codes: Product) -> None:
    result = unchanged(int8_product, *codes)
    assert result.dtype == np.int32 and result.shape == (len(codes[0]), len(codes[1]))
    assert result.tolist() == matmul_loops(*codes)


@given(code_products())
@example((np.zeros((2, 0), np.int8), np.zeros((3, 0), np.uint8), np.full(2, -128), np.full(3, 255)))
def test_equals_loops(codes: Product) -> None:
    assert_exact(codes)
    assert unchanged(int8_matmul_reference, *codes).tolist() == matmul_loops(*codes)


@pytest.mark.parametrize("signs", SIGNS)
def test_every_tail(signs: tuple[type, type], large: int) -> None:
    """Each length around that of a group, a register or a tile has a tail of its own, in each of the three sizes."""
    around = sorted({max(0, n + d) for n in (0, ROWS, LANES, 2 * LANES, VECTORS * LANES) for d in (-1, 0, 1, 2)})
    for rows in range(2 * ROWS + 2):
        assert_equals_doubles(random_product(signs, rows, 3, 5))
    for columns in around:
        for rows in (1, 4, ROWS + 1):
            assert_equals_doubles(random_product(signs, rows, columns, 3))
    for inner in [*range(large // 20), 63, 64, 65, 127, 128, 129]:
        assert_equals_doubles(random_product(signs, 2, 3, inner))


def assert_equals_doubles(codes: Product) -> None:
    """float64 holds every sum exactly here, and BLAS shares nothing with the kernel."""
    a, b = (c.astype(np.float64) - zero[:, None] for c, zero in zip(codes[:2], codes[2:]))
    np.testing.assert_array_equal(int8_product(*codes), a @ b.T)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("zeros", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_layer(signs: tuple[type, type], zeros: tuple[int, int]) -> None:
    a, b, a_zero, b_zero = random_product(signs, 2, 300, 784)
    codes = a, b, a_zero * zeros[0], b_zero * zeros[1]
    assert_equals_doubles(codes)
    np.testing.assert_array_equal(int8_product(*codes), int8_matmul_reference(*codes))
    if not zeros[0]:
        np.testing.assert_array_equal(int8_matmul(a, int8_pack(b, codes[3])), int8_product(*codes))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("ends", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_longest_sum_is_exact(signs: tuple[type, type], ends: tuple[int, int]) -> None:
    """Every difference is 255 in size, so that all bits of int32 are needed and one more term would be too many."""
    (a, a_zero), (b, b_zero) = (
        ((info.max, info.min) if end else (info.min, info.max)) for info, end in zip(map(np.iinfo, signs), ends)
    )
    codes = np.full((1, LARGEST_K), a, signs[0]), np.full((1, LARGEST_K), b, signs[1])
    expected = LARGEST_K * 255 * 255 * (1 if ends[0] == ends[1] else -1)
    assert int8_product(*codes, np.array([a_zero]), np.array([b_zero])).tolist() == [[expected]]
    assert abs(expected) < 2**31 <= abs(expected) + 255 * 255


@pytest.mark.parametrize(("code", "zero"), [(-128, 0), (127, 0), (-128, 127), (127, -128), (3, 3), (-1, 0)])
def test_what_int32_holds_depends_on_the_codes(code: int, zero: int) -> None:
    size = 255 * abs(code - zero)
    longest = (2**31 - 1) // size if size else 10**6
    if longest < 10**6:
        assert fits_int32(np.full((2, longest), code, np.int8), np.full(2, zero))
        longer = np.full((1, longest + 1), code, np.int8), np.array([zero])
        assert not fits_int32(*longer)
        with pytest.raises(ValueError, match=f"these {longest + 1} codes can overflow int32; any {LARGEST_K} fit"):
            int8_pack(*longer)
    else:
        assert fits_int32(np.full((2, longest), code, np.int8), np.full(2, zero))


@pytest.mark.parametrize("shape", [(64, 64), (600, 700)])
def test_into_an_array_and_on_every_number_of_threads(shape: tuple[int, int], large: int) -> None:
    m, n = shape if large > 40 else (7, 9)
    for rows, columns in ((m, n), (3, 40 * n)):
        a, b, a_zero, b_zero = random_product((np.uint8, np.int8), rows, columns, large)
        packed, out = int8_pack(b, b_zero), np.full((rows, columns), -1, np.int32)
        assert int8_matmul(a, packed, a_zero, out) is out
        for threads in (1, 2, 3, 7):
            with limit_threads(threads):
                np.testing.assert_array_equal(int8_matmul(a, packed, a_zero), out)
        np.testing.assert_array_equal(out, int8_matmul_reference(a, b, a_zero, b_zero))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    for signs in SIGNS:
        codes = random_product(signs, 4, 5, 19)
        np.testing.assert_array_equal(unchanged(int8_product, *map(layout, codes)), int8_product(*codes))
