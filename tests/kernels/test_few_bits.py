"""Weights of few bits: 4, 2, 1, and indices into a codebook."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.kernels.binary import binary_matmul, binary_matmul_reference, binary_pack, binary_unpack
from nncomp.kernels.lookup import lookup_matmul, lookup_matmul_reference, lookup_pack, lookup_unpack
from nncomp.kernels.lowbit import few_bits as few_bits_of
from nncomp.kernels.lowbit import lowbit_matmul, lowbit_pack, lowbit_unpack
from nncomp.kernels.simd.path import GROUP, LANES, ROWS, VECTORS
from nncomp.kernels.threads import limit_threads
from tests.oracles import assert_sums, matmul_loops, matmul_pairs, unchanged
from tests.strategies.arrays import CODES, FLOATS, LAYOUTS, codes, floats, zero_points

sides = st.integers(0, 9)
AROUND = sorted({max(1, n + d) for n in (LANES, VECTORS * LANES, 2 * VECTORS * LANES) for d in (-1, 0, 1)})
ENTRIES = [1, 2, 3, 4, 5, 15, 16, 17, 255, 256]


def few_bits(bits: int, shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int8, shape, elements=st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))


def random_codes(rng: np.random.Generator, bits: int, shape: tuple[int, int]) -> np.ndarray:
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int8)


def packed_lowbit(
    a: np.ndarray, b: np.ndarray, bits: int, a_zero: np.ndarray, b_zero: np.ndarray | None = None
) -> np.ndarray:
    return lowbit_matmul(a, lowbit_pack(b, bits, b_zero), a_zero)


@pytest.mark.parametrize("bits", [2, 4])
@given(st.data(), st.sampled_from(CODES))
def test_few_bits_equal_loops(bits: int, data: st.DataObject, kind: type) -> None:
    m, n, k = data.draw(sides), data.draw(sides), data.draw(st.integers(0, 20))
    a, b, zero = data.draw(codes(kind, (m, k))), data.draw(few_bits(bits, (n, k))), data.draw(zero_points(kind, m))
    if data.draw(st.booleans()):
        b = (b + 2 ** (bits - 1)).astype(np.uint8)
    b_zero = data.draw(zero_points(np.int8, n))
    result = unchanged(packed_lowbit, a, b, bits, zero, b_zero)
    assert result.dtype == np.int32
    assert result.tolist() == matmul_loops(a, b, zero, b_zero)
    np.testing.assert_array_equal(lowbit_unpack(lowbit_pack(b, bits)), b, strict=True)
    assert few_bits_of(b) in ((2,), (2, 4))[bits == 4]


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("kind", CODES)
def test_every_tail(bits: int, kind: type, large: int) -> None:
    rng = np.random.default_rng(bits)
    shapes = [(m, 3, 5) for m in range(1, 10)] + [(m, n, 3) for n in AROUND for m in (1, 5)]
    for m, n, k in shapes + [(2, 3, k) for k in (*range(1, 8 * GROUP + 2), large)]:
        a, b = rng.integers(0, 128, (m, k)).astype(kind), random_codes(rng, bits, (n, k))
        np.testing.assert_array_equal(lowbit_matmul(a, lowbit_pack(b, bits)), a.astype(int) @ b.T.astype(int))


@pytest.mark.parametrize(("code", "bits"), [(8, 4), (-9, 4), (2, 2), (-3, 2), (0, 3), (0, 8)])
def test_codes_that_do_not_fit(code: int, bits: int) -> None:
    with pytest.raises(ValueError, match=re.escape(f"-8 to 7, of 2 bits -2 to 1, not {code} to {code} in {bits}")):
        lowbit_pack(np.full((1, 2), code, np.int8), bits)


def test_ternary_weights_are_codes_of_two_bits() -> None:
    b = np.array([[-1, 0, 1, 1], [0, 0, -1, 1]], np.int8)
    a = np.array([[10, 20, 30, 40]], np.uint8)
    assert lowbit_matmul(a, lowbit_pack(b, 2)).tolist() == [[60, 10]]


def packed_lookup(x: np.ndarray, indices: np.ndarray, codebook: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return lookup_matmul(x, lookup_pack(indices, codebook, scale))


@given(st.data(), st.sampled_from(ENTRIES))
def test_a_codebook_is_the_product_within_rounding(data: st.DataObject, entries: int) -> None:
    m, n, k = data.draw(sides), data.draw(sides), data.draw(st.integers(0, 20))
    x, codebook = data.draw(floats(np.float32, (m, k))), data.draw(floats(np.float32, entries))
    indices = data.draw(arrays(np.uint8, (n, k), elements=st.integers(0, entries - 1)))
    for function in (packed_lookup, lookup_matmul_reference):
        result = unchanged(function, x, indices, codebook, np.ones(n, np.float32))
        assert (result.dtype, result.shape) == (np.float32, (m, n))
        assert_sums(result, matmul_pairs(x, codebook[indices]))
    assert lookup_unpack(lookup_pack(indices, codebook)).tolist() == indices.tolist()


@pytest.mark.parametrize("entries", ENTRIES)
def test_every_tail_of_indices(entries: int, large: int) -> None:
    """Whole numbers, scales too, so that every order is exact."""
    rng = np.random.default_rng(entries)
    codebook = rng.integers(-9, 10, entries).astype(np.float32)
    shapes = [(m, 3, 5) for m in range(1, 7)] + [(m, n, 3) for n in AROUND for m in (1, 5)]
    for m, n, k in shapes + [(2, 3, k) for k in (*range(1, 18), large)]:
        x, indices = rng.integers(-9, 10, (m, k)).astype(np.float32), rng.integers(0, entries, (n, k)).astype(np.uint8)
        scale = rng.integers(1, 9, n).astype(np.float32)
        expected = x @ codebook[indices].T * scale
        np.testing.assert_array_equal(packed_lookup(x, indices, codebook, scale), expected)


@pytest.mark.parametrize(("entries", "top"), [(0, 0), (3, 3), (257, 0), (16, 200)])
def test_indices_that_are_not_in_the_codebook(entries: int, top: int) -> None:
    with pytest.raises(ValueError, match=rf"indices up to {top} into a codebook of shape \({entries},\)"):
        lookup_pack(np.full((1, 2), top, np.uint8), np.zeros(entries, np.float32))


@pytest.mark.parametrize("dtype", FLOATS)
@given(st.data())
def test_signs_equal_loops(dtype: type, data: st.DataObject) -> None:
    m, n, k = data.draw(sides), data.draw(sides), data.draw(st.integers(0, 70))
    a, b = data.draw(floats(dtype, (m, k))), data.draw(floats(np.float32, (n, k)))
    signs = [np.array([[1 if v >= 0 else -1 for v in row] for row in x], int).reshape(x.shape) for x in (a, b)]
    loops = matmul_loops(*signs, np.zeros(m, int), np.zeros(n, int))
    result = unchanged(binary_matmul, a, binary_pack(b))
    assert result.dtype == np.int32 and result.tolist() == loops == binary_matmul_reference(a, b).tolist()
    least = np.random.default_rng(k).integers(-k - 1, k + 2, n).astype(np.int32)
    margins = unchanged(binary_matmul, a, binary_pack(b), least)
    assert margins.tolist() == (result - least).tolist() == binary_matmul_reference(a, b, least).tolist()
    assert binary_unpack(binary_pack(b)).tolist() == signs[1].tolist()


def test_every_tail_of_signs(large: int) -> None:
    rng = np.random.default_rng(0)
    shapes = [(m, 3, 5) for m in range(1, 2 * ROWS + 2)] + [(m, n, 3) for n in AROUND for m in (1, ROWS)]
    for m, n, k in shapes + [(2, 3, k) for k in (1, 31, 32, 33, 63, 64, 65, large)]:
        a, b = rng.standard_normal((m, k)), rng.standard_normal((n, k))
        np.testing.assert_array_equal(binary_matmul(a, binary_pack(b)), binary_matmul_reference(a, b))


@given(st.integers(1, 9), st.integers(1, 70), st.integers(0, 2**20))
def test_integers_have_signs_too(m: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-2, 3, (m, k)).astype(np.int32), rng.standard_normal((5, k))
    a[rng.random(a.shape) < 0.1] = rng.choice(np.array([-(2**31), 2**31 - 1, -1], np.int32))
    np.testing.assert_array_equal(binary_matmul(a, binary_pack(b)), binary_matmul_reference(a, b))


def test_zeros_are_positive_and_nan_is_not() -> None:
    a = np.float32([[0.0, -0.0, np.nan, np.inf, -np.inf]])
    assert binary_matmul(a, binary_pack(np.eye(5) * 2 - 1)).tolist() == [[1, 1, -3, 1, -3]]
    assert binary_unpack(binary_pack(a)).tolist() == [[1, 1, -1, 1, -1]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    a, x, b = rng.integers(0, 256, (5, 9), np.uint8), rng.standard_normal((5, 9)), random_codes(rng, 4, (7, 9))
    indices, codebook, scale = (b + 8).astype(np.uint8), np.arange(16, dtype=np.float32), np.ones(7, np.float32)
    whole = np.round(x).astype(np.float32)
    zero = np.arange(5)
    expected = packed_lowbit(a, b, 4, zero)
    np.testing.assert_array_equal(unchanged(packed_lowbit, layout(a), layout(b), 4, layout(zero)), expected)
    others = layout(whole), layout(indices), layout(codebook), layout(scale)
    np.testing.assert_array_equal(unchanged(packed_lookup, *others), whole @ codebook[indices].T)
    np.testing.assert_array_equal(binary_matmul(layout(x), binary_pack(layout(x))), binary_matmul_reference(x, x))


def test_the_same_bits_on_every_number_of_threads(large: int) -> None:
    rng = np.random.default_rng(0)
    m, n = (1200, 700) if large > 40 else (3, 5)
    x, b = rng.standard_normal((m, large)).astype(np.float32), random_codes(rng, 4, (n, large))
    a, indices = rng.integers(0, 256, x.shape, np.uint8), (b + 8).astype(np.uint8)
    codebook = np.arange(-8, 8, dtype=np.float32)
    results = set()
    for threads in (1, 2, 3):
        with limit_threads(threads):
            products = (
                lowbit_matmul(a, lowbit_pack(b, 4)), binary_matmul(x, binary_pack(b)),
                lookup_matmul(x, lookup_pack(indices, codebook)),
            )  # fmt: skip
            results.add(b"".join(product.tobytes() for product in products))
    assert len(results) == 1
