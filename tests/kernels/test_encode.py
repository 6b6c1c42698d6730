"""Floats to codes: equal to the reference, division and all, on ties, next to them, and at every extreme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.encode import TO_ALL, TO_ROW, Codes, encode, encode_reference
from nncomp.kernels.threads import limit_threads
from tests.oracles import encode_loops, unchanged
from tests.strategies.arrays import LAYOUTS, floats

SPANS = [(-128, 127, 0), (-127, 127, 0), (0, 255, 128), (0, 255, 0), (-8, 7, 0), (-2, 1, 0)]
INT8, UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
spans = st.sampled_from(SPANS)
widths = st.integers(0, 70)


def fixed(scale: list[float] | np.ndarray, zero: list[int] | np.ndarray, low: int, high: int) -> Codes:
    dtype = INT8 if low < 0 else UINT8
    return Codes(low, high, dtype, scale=np.asarray(scale, np.float32), zero=np.asarray(zero, np.int32))


def fitted(to: int, low: int, high: int, middle: int, steps: float) -> Codes:
    return Codes(low, high, INT8 if low < 0 else UINT8, to, middle, np.float32(steps))


def assert_encoded(x: np.ndarray, codes: Codes) -> None:
    with np.errstate(over="ignore"):
        result, expected = unchanged(encode, x, codes), encode_reference(x, codes)
    assert result[0].dtype == codes.dtype
    for ours, theirs in zip(result, expected):
        np.testing.assert_array_equal(ours, theirs, strict=True)


def codes_of(x: np.ndarray, codes: Codes) -> list[list[int]]:
    with np.errstate(all="ignore"):
        return encode(x, codes)[0].tolist()


@given(st.data(), spans)
def test_encode_is_round_divide_add_saturate(data: st.DataObject, span: tuple[int, int, int]) -> None:
    rows = data.draw(st.integers(0, 5))
    x = data.draw(floats(np.float32, (rows, data.draw(widths)), float(np.finfo(np.float32).max)))
    sizes = st.floats(2.0**-126, 2.0**100, width=32) | st.sampled_from([1.0, 2.0**-149, 2.0**-126, 2.0**127])
    scale = data.draw(st.lists(sizes, min_size=rows, max_size=rows) if rows > 1 else st.tuples(sizes))
    zero = [data.draw(st.integers(span[0], span[1])) for _ in scale]
    assert_encoded(x, fixed(scale, zero, *span[:2]))


@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-5, 7e20, 1e-41])
@pytest.mark.parametrize("zero", [0, 1, 100])
def test_ties_and_their_neighbours(scale: float, zero: int) -> None:
    """Every tie of the range, as close as float32 comes to it, and the next floats on both sides."""
    with np.errstate(over="ignore"):
        x = ((np.arange(-300, 300) + 0.5) * np.float64(np.float32(scale))).astype(np.float32)
        near = np.stack([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])
    codes = fixed([scale], [zero], 0, 255)
    assert_encoded(near, codes)
    assert codes_of(near, codes) == encode_loops(near, np.float32(scale), zero, 0, 255)


def test_whole_ties_go_to_the_even_code_and_then_is_the_zero_point_added() -> None:
    assert codes_of(np.float32([[0.5, 1.5, 2.5, -0.5, -1.5]]), fixed([1], [1], -128, 127)) == [[1, 3, 3, 1, -1]]


def test_infinities_saturate_and_nan_has_no_code(large: int) -> None:
    one = fixed([1], [0], -128, 127)
    assert codes_of(np.float32([[np.inf, -np.inf, 3e38, -3e38, 0]]), one) == [[127, -128, 127, -128, 0]]
    with np.errstate(all="ignore"):
        for place in range(0, large, 13):
            x = np.zeros((3, large), np.float32)
            x[2, place] = np.nan
            assert encode(x, one) is None
            for codes in (fitted(to, -128, 127, 0, steps) for to in (TO_ROW, TO_ALL) for steps in (0, 127)):
                for wild in (np.nan, np.inf, -np.inf):
                    x[2, place] = wild
                    assert encode(x, codes) is None
        assert encode(np.float32([[3e38, -3e38]]), fitted(TO_ROW, -128, 127, 0, 0)) is None, "no finite scale"


@given(st.data(), spans, st.sampled_from([0.0, 127.0, 127.5, 7.0]), st.sampled_from([TO_ROW, TO_ALL]))
def test_a_grid_fitted_to_each_row_or_to_all(data: st.DataObject, span: tuple, steps: float, to: int) -> None:
    x = data.draw(floats(np.float32, (data.draw(st.integers(1, 5)), data.draw(widths)), 2.0**126))
    assert_encoded(x, fitted(to, *span, steps))


@pytest.mark.parametrize("to", [TO_ROW, TO_ALL])
def test_nothing_has_the_scale_1(to: int) -> None:
    for shape in ((3, 0), (3, 2)):
        assert_encoded(np.zeros(shape, np.float32), fitted(to, 0, 255, 0, 0.0))


@pytest.mark.parametrize("to", [TO_ROW, TO_ALL])
def test_every_tail_and_every_number_of_threads(to: int, large: int) -> None:
    rng = np.random.default_rng(0)
    for columns in range(large // 5):
        assert_encoded(rng.standard_normal((3, columns)).astype(np.float32), fitted(to, 0, 255, 0, 0))
    x = rng.standard_normal((3000 if large > 40 else 3, 9 * large)).astype(np.float32)
    for threads in (1, 2, 3):
        with limit_threads(threads):
            assert_encoded(x, fitted(to, -128, 127, 0, 127))
            assert_encoded(x, fixed([0.02], [3], -128, 127))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)
    assert_encoded(layout(x), fitted(TO_ROW, 0, 255, 0, 0))
    assert_encoded(layout(x), fixed(layout(np.float32([1, 2, 3, 4, 5])), layout(np.int32([1, 2, 3, 4, 5])), 0, 255))
