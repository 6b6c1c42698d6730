"""Floats to codes: equal to the reference, division and all, on ties, next to them, and at every extreme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.encode import encode, encode_dynamic, encode_dynamic_reference, encode_reference
from nncomp.kernels.threads import limit_threads
from tests.oracles import encode_loops, unchanged
from tests.strategies.arrays import LAYOUTS, floats

SPANS = [(-128, 127, 0), (-127, 127, 0), (0, 255, 128), (0, 255, 0), (-8, 7, 0), (-2, 1, 0)]
INT8, UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
spans = st.sampled_from(SPANS)
widths = st.integers(0, 70)


def code(low: int) -> np.dtype:
    return INT8 if low < 0 else UINT8


def assert_encoded(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, low: int, high: int) -> None:
    args = x, scale, zero, low, high, code(low)
    with np.errstate(over="ignore"):
        result, expected = unchanged(encode, *args), encode_reference(*args)
    assert result.dtype == code(low)
    np.testing.assert_array_equal(result, expected)


def assert_dynamic(x: np.ndarray, *how) -> None:  # type: ignore[no-untyped-def]
    with np.errstate(over="ignore"):
        result, expected = unchanged(encode_dynamic, x, *how), encode_dynamic_reference(x, *how)
    for ours, theirs in zip(result, expected):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@given(st.data(), spans)
def test_encode_is_round_divide_add_saturate(data: st.DataObject, span: tuple[int, int, int]) -> None:
    rows = data.draw(st.integers(0, 5))
    x = data.draw(floats(np.float32, (rows, data.draw(widths)), float(np.finfo(np.float32).max)))
    sizes = st.floats(2.0**-126, 2.0**100, width=32) | st.sampled_from([1.0, 2.0**-149, 2.0**-126, 2.0**127])
    scale = np.float32(data.draw(st.lists(sizes, min_size=rows, max_size=rows) if rows > 1 else st.tuples(sizes)))
    zero = np.int32([data.draw(st.integers(span[0], span[1])) for _ in scale])
    assert_encoded(x, scale, zero, *span[:2])


@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-5, 7e20, 1e-41])
@pytest.mark.parametrize("zero", [0, 1, 100])
def test_ties_and_their_neighbours(scale: float, zero: int) -> None:
    """Every tie of the range, as close as float32 comes to it, and the next floats on both sides."""
    with np.errstate(over="ignore"):
        x = ((np.arange(-300, 300) + 0.5) * np.float64(np.float32(scale))).astype(np.float32)
        near = np.stack([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])
    assert_encoded(near, np.float32([scale]), np.int32([zero]), 0, 255)
    with np.errstate(all="ignore"):
        result = encode(near, np.float32([scale]), np.int32([zero]), 0, 255, UINT8)
    assert result.tolist() == encode_loops(near, np.float32(scale), zero, 0, 255)


def test_whole_ties_go_to_the_even_code_and_then_is_the_zero_point_added() -> None:
    x = np.float32([[0.5, 1.5, 2.5, -0.5, -1.5]])
    assert encode(x, np.float32([1]), np.int32([1]), -128, 127, INT8).tolist() == [[1, 3, 3, 1, -1]]


def test_infinities_saturate_and_nan_has_no_code(large: int) -> None:
    one, zero = np.float32([1]), np.int32([0])
    x = np.float32([[np.inf, -np.inf, 3e38, -3e38, 0]])
    with np.errstate(all="ignore"):
        assert encode(x, one, zero, -128, 127, INT8).tolist() == [[127, -128, 127, -128, 0]]
        for place in range(0, large, 13):
            wide = np.zeros((3, large), np.float32)
            wide[2, place] = np.nan
            assert encode(wide, one, zero, -128, 127, INT8) is None
            for how in ((0, True), (0, False), (127, True)):
                assert encode_dynamic(wide, -128, 127, 0, how[0], INT8, how[1]) is None
                assert (
                    encode_dynamic(
                        np.where(np.isnan(wide), np.float32(-np.inf), wide), -128, 127, 0, how[0], INT8, how[1]
                    )
                    is None
                )
        assert encode_dynamic(np.float32([[3e38, -3e38]]), -128, 127, 0, 0, INT8, True) is None, "no finite scale"


@given(st.data(), spans, st.sampled_from([0.0, 127.0, 127.5, 7.0]), st.booleans())
def test_a_grid_fitted_to_each_row_or_to_all(data, span, steps, per_row) -> None:  # type: ignore[no-untyped-def]
    x = data.draw(floats(np.float32, (data.draw(st.integers(1, 5)), data.draw(widths)), 2.0**126))
    assert_dynamic(x, *span, steps, code(span[0]), per_row)


@pytest.mark.parametrize("per_row", [False, True])
def test_nothing_has_the_scale_1(per_row: bool) -> None:
    for shape in ((3, 0), (3, 2)):
        assert_dynamic(np.zeros(shape, np.float32), 0, 255, 0, 0.0, UINT8, per_row)


@pytest.mark.parametrize("per_row", [False, True])
def test_every_tail_and_every_number_of_threads(per_row: bool, large: int) -> None:
    rng = np.random.default_rng(0)
    for columns in range(large // 5):
        assert_dynamic(rng.standard_normal((3, columns)).astype(np.float32), 0, 255, 0, 0, UINT8, per_row)
    x = rng.standard_normal((60 if large > 40 else 3, 9 * large)).astype(np.float32)
    for threads in (1, 2, 3):
        with limit_threads(threads):
            assert_dynamic(x, -128, 127, 0, 127, INT8, per_row)
            assert_encoded(x, np.float32([0.02]), np.int32([3]), -128, 127)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)
    assert_dynamic(layout(x), 0, 255, 0, 0, UINT8, True)
    assert_encoded(layout(x), layout(np.float32([1, 2, 3, 4, 5])), layout(np.int32([1, 2, 3, 4, 5])), 0, 255)
