"""Structured sparsity: blocks of floats and of codes, and n kept of every m."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.kernels.block_int8 import INPUTS, block_int8_matmul, block_int8_matmul_reference, block_int8_pack
from nncomp.kernels.blocks import HEIGHT, SAMPLES, block_matmul, block_matmul_reference, block_pack
from nncomp.kernels.n_of_m import BLOCK, n_of_m_matmul, n_of_m_matmul_reference, n_of_m_pack
from nncomp.kernels.pack import LARGEST_K
from nncomp.kernels.simd.path import LANES
from nncomp.kernels.threads import limit_threads
from tests.oracles import assert_sums, matmul_loops, matmul_pairs, unchanged
from tests.strategies.arrays import CODES, FLOATS, LAYOUTS, codes, floats, zero_points

PATTERNS = [(1, 1), (1, 2), (2, 4), (1, 4), (4, 4), (4, 8), (2, 8), (8, 16), (1, 16)]
sizes = st.integers(0, 40)


def packed_blocks(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return block_matmul(x, block_pack(w))


def blocks_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return block_matmul_reference(x, block_pack(w))


def packed_n_of_m(n: int, m: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda x, w: n_of_m_matmul(x, n_of_m_pack(w, n, m))


def in_blocks(rng: np.random.Generator, shape: tuple[int, int], block: tuple[int, int], density: float) -> np.ndarray:
    """A mask of whole blocks."""
    coarse = rng.random([-(-side // b) for side, b in zip(shape, block)]) < density
    return np.repeat(np.repeat(coarse, block[0], axis=0), block[1], axis=1)[: shape[0], : shape[1]]


def n_of_each(rng: np.random.Generator, shape: tuple[int, int], n: int, m: int) -> np.ndarray:
    """A mask that keeps n of every m neighbours, or fewer in a short group."""
    groups = -(-shape[1] // m)
    ranks = np.argsort(np.argsort(rng.random((shape[0], groups, m)), axis=2), axis=2)
    return (ranks < n).reshape(shape[0], groups * m)[:, : shape[1]]


def assert_float_product(kernel: Callable, reference: Callable, x: np.ndarray, w: np.ndarray) -> None:
    for function in (kernel, reference):
        result = unchanged(function, x, w)
        assert (result.dtype, result.shape) == (x.dtype, (len(x), len(w)))
        assert_sums(result, matmul_pairs(x, w))


def whole_numbers(rng: np.random.Generator, shape: tuple[int, int], dtype: type = np.float32) -> np.ndarray:
    """Small enough for every order of summation to be exact."""
    return rng.integers(-9, 10, shape).astype(dtype)


@given(st.data())
def test_blocks_of_floats_are_the_product_within_rounding(data: st.DataObject) -> None:
    outputs, inputs, batch = data.draw(sizes), data.draw(st.integers(0, 7)), data.draw(st.integers(0, 4))
    w, x = data.draw(floats(np.float32, (outputs, inputs))), data.draw(floats(np.float32, (batch, inputs)))
    mask = data.draw(arrays(bool, (-(-outputs // HEIGHT), inputs)))
    assert_float_product(packed_blocks, blocks_reference, x, w * np.repeat(mask, HEIGHT, axis=0)[:outputs])


@pytest.mark.parametrize(("n", "m"), PATTERNS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_n_of_m_is_the_product_within_rounding(n: int, m: int, dtype: type) -> None:
    rng = np.random.default_rng(m)
    for outputs, inputs, batch in ((3, 5, 2), (1, m, 1), (2, 3 * m - 1, 3), (4, 0, 2), (0, 4, 2), (2, 4, 0)):
        w = (rng.standard_normal((outputs, inputs)) * n_of_each(rng, (outputs, inputs), n, m)).astype(dtype)
        x = rng.standard_normal((batch, inputs)).astype(dtype)
        assert_float_product(packed_n_of_m(n, m), n_of_m_matmul_reference, x, w)


def test_every_tail(large: int) -> None:
    rng = np.random.default_rng(0)
    batches = range(1, 2 * SAMPLES + 3) if large > 40 else (1, 2, 3)
    shapes = [(b, 5, 5) for b in batches] + [(2, o, 3) for o in (1, 15, 16, 17, 33)]
    shapes += [(3, 4, k) for k in (*range(1, 2 * LANES + 2), BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 5)]
    for batch, outputs, inputs in shapes:
        x, shape = whole_numbers(rng, (batch, inputs)), (outputs, inputs)
        w = whole_numbers(rng, shape)
        blocks = w * in_blocks(rng, shape, (HEIGHT, 1), 0.6)
        np.testing.assert_array_equal(packed_blocks(x, blocks), x @ blocks.T)
        for n, m in ((2, 4), (1, 4), (4, 8)):
            kept = w * n_of_each(rng, shape, n, m)
            np.testing.assert_array_equal(packed_n_of_m(n, m)(x, kept), x @ kept.T)


@pytest.mark.parametrize("vectors", range(1, 10))
def test_panels_of_every_width(vectors: int, large: int) -> None:
    rng = np.random.default_rng(vectors)
    batch, shape = vectors * LANES - 1 if large > 40 else vectors, (20, 150)
    x, w = whole_numbers(rng, (batch, 150)), whole_numbers(rng, shape)
    kept = w * n_of_each(rng, shape, 2, 4)
    np.testing.assert_array_equal(packed_n_of_m(2, 4)(x, kept), x @ kept.T)


@pytest.mark.parametrize(
    ("n", "m", "message"),
    [(3, 4, "3 of 4: n and m are 1, 2, 4, 8 or 16"), (4, 2, "4 of 2: n and m are"), (2, 32, "2 of 32: n and m are"),
     (0, 4, "0 of 4: n and m are"), (1, 4, "2 of 4 neighbours are not 0, where 1 may be kept")],
)  # fmt: skip
def test_patterns_that_are_none(n: int, m: int, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        n_of_m_pack(np.float32([[0, 1, 0, 2]]), n, m)


def packed_codes(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray) -> np.ndarray:
    return block_int8_matmul(a, block_int8_pack(b), a_zero)


@given(st.data(), st.sampled_from(CODES))
def test_blocks_of_codes_equal_loops(data: st.DataObject, kind: type) -> None:
    rows, outputs, inputs = data.draw(st.integers(0, 4)), data.draw(sizes), data.draw(st.integers(0, 12))
    coarse = data.draw(arrays(bool, (-(-outputs // HEIGHT), -(-inputs // INPUTS))))
    mask = np.repeat(np.repeat(coarse, HEIGHT, axis=0), INPUTS, axis=1)[:outputs, :inputs]
    b = data.draw(codes(np.int8, (outputs, inputs))) * mask
    a, zero = data.draw(codes(kind, (rows, inputs))), data.draw(zero_points(kind, rows))
    result = unchanged(packed_codes, a, b, zero)
    assert result.dtype == np.int32
    loops = matmul_loops(a, b, zero, np.zeros(outputs, int))
    assert result.tolist() == unchanged(block_int8_matmul_reference, a, b, zero).tolist() == loops


@pytest.mark.parametrize("kind", CODES)
def test_every_tail_of_codes(kind: type, large: int) -> None:
    rng = np.random.default_rng(0)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    rows = range(1, 2 * SAMPLES + 3) if large > 40 else (1, 2, 3)
    for m, n, k in [(m, 5, 7) for m in rows] + [(2, 40, k) for k in (*range(1, 10), 63, 64, 65, 200)]:
        a = rng.integers(low, high, (m, k), kind, endpoint=True)
        b = rng.integers(-128, 128, (n, k), np.int8) * in_blocks(rng, (n, k), (HEIGHT, INPUTS), 0.6)
        np.testing.assert_array_equal(block_int8_matmul(a, block_int8_pack(b)), a.astype(int) @ b.T.astype(int))


def test_sums_that_leave_int32_raise() -> None:
    with pytest.raises(ValueError, match=f"65794 codes can overflow int32; any {LARGEST_K} fit"):
        block_int8_pack(np.full((1, 65_794), -128, np.int8))


def test_blocks_of_zeros_are_left_out() -> None:
    assert block_pack(np.zeros((40, 3), np.float32)).values.size == 0
    assert len(block_int8_pack(np.eye(32, 8, dtype=np.int8)).codes) == 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    x, w = whole_numbers(rng, (5, 9)), whole_numbers(rng, (20, 9))
    a, b, zero = x.astype(np.int8), w.astype(np.int8), np.arange(5)
    kept = w * n_of_each(rng, w.shape, 2, 4)
    np.testing.assert_array_equal(unchanged(packed_blocks, layout(x), layout(w)), x @ w.T)
    np.testing.assert_array_equal(packed_n_of_m(2, 4)(layout(x), layout(kept)), x @ kept.T)
    expected = packed_codes(a, b, zero)
    np.testing.assert_array_equal(unchanged(packed_codes, layout(a), layout(b), layout(zero)), expected)


def test_the_same_bits_on_every_number_of_threads(large: int) -> None:
    rng = np.random.default_rng(0)
    shape = (400, large) if large > 40 else (5, large)
    x, w = rng.standard_normal((1200 if large > 40 else 3, large)).astype(np.float32), rng.standard_normal(shape)
    w = (w * n_of_each(rng, shape, 2, 4)).astype(np.float32)
    a, b = rng.integers(0, 256, x.shape, np.uint8), rng.integers(-128, 128, shape, np.int8)
    results = set()
    for threads in (1, 2, 3):
        with limit_threads(threads):
            products = packed_blocks(x, w), packed_n_of_m(2, 4)(x, w), packed_codes(a, b, np.arange(len(a)))
            results.add(b"".join(product.tobytes() for product in products))
    assert len(results) == 1
