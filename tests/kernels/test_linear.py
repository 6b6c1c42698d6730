"""The quantized layer in one pass: bit for bit its steps one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.linear import Outputs, int8_layer, int8_linear, int8_linear_reference
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.simd.path import LANES, ROWS
from nncomp.kernels.threads import limit_threads
from tests.oracles import linear_fractions, unchanged
from tests.strategies.arrays import CODES, code_products

INT8 = Outputs(np.float32(0.03), 5, -128, 127, np.dtype(np.int8))
UINT8 = Outputs(np.float32(0.7), 0, 0, 255, np.dtype(np.uint8))
FLOORS = [0.0, -np.inf]
positive = st.floats(2.0**-20, 2.0**10, width=32)


def packed_linear(a, b, a_zero, b_zero, a_scale, scale, bias, floor, outputs):  # type: ignore[no-untyped-def]
    return int8_linear(a, int8_layer(int8_pack(b, b_zero), scale, bias, floor, outputs), a_scale, a_zero)


def assert_layer(args: tuple) -> None:
    result = unchanged(packed_linear, *args)
    a, a_scale = args[0], args[4]
    expected = int8_linear_reference(*args[:4], np.broadcast_to(a_scale, len(a)), *args[5:])
    np.testing.assert_array_equal(result, expected, strict=True)


def random_layer(a: type, rows: int, columns: int, inner: int, outputs: Outputs | None, floor: float) -> tuple:
    rng = np.random.default_rng(rows + inner)
    low, high = np.iinfo(a).min, np.iinfo(a).max
    return (
        rng.integers(low, high, (rows, inner), a, endpoint=True), rng.integers(-128, 128, (columns, inner), np.int8),
        rng.integers(low, high, rows, endpoint=True), rng.integers(-128, 128, columns) * (inner % 2),
        rng.random(rows, np.float32) / 100, rng.random(columns, np.float32) / 100,
        rng.standard_normal(columns).astype(np.float32), floor, outputs,
    )  # fmt: skip


@given(code_products(), st.data(), st.sampled_from(FLOORS), st.sampled_from([None, INT8, UINT8]))
def test_equals_its_steps(codes: tuple, data: st.DataObject, floor: float, outputs: Outputs | None) -> None:
    rows, columns = len(codes[0]), len(codes[1])
    a_scale = np.float32(data.draw(st.lists(positive, min_size=rows, max_size=rows)) if rows > 1 else [0.5])
    scale = np.float32([data.draw(positive) for _ in range(columns)])
    bias = np.float32([data.draw(st.floats(-1e3, 1e3, width=32)) for _ in range(columns)])
    assert_layer((*codes, a_scale, scale, bias, floor, outputs))


def test_is_the_exact_outcome_within_rounding() -> None:
    """acc, scale times scale, their product and the sum are rounded once each: 4 u of the sizes of what is added."""
    args = random_layer(np.uint8, 5, 7, 33, None, -np.inf)
    exact, sizes = linear_fractions(*args[:7])
    assert (abs(packed_linear(*args).astype(np.float64) - exact) <= 4 * 2.0**-24 * sizes).all()


@pytest.mark.parametrize("outputs", [None, INT8, UINT8])
@pytest.mark.parametrize("a", CODES)
def test_every_tail(a: type, outputs: Outputs | None, large: int) -> None:
    for rows in range(1, 2 * ROWS + 2):
        assert_layer(random_layer(a, rows, 3, 5, outputs, 0.0))
    for columns in (1, LANES - 1, LANES, LANES + 1, 3 * LANES, 4 * LANES + 2):
        for rows in (1, 17):
            assert_layer(random_layer(a, rows, columns, large // 13, outputs, -np.inf))
    if large > 40:
        assert_layer(random_layer(a, 40, 70, 2500, outputs, 0.0))


def test_nan_scales_spread_and_the_floor_keeps_them() -> None:
    args = list(random_layer(np.int8, 3, 4, 5, None, 0.0))
    args[4] = np.float32([1, np.nan, 1])
    assert np.isnan(packed_linear(*args)).tolist() == [[False] * 4, [True] * 4, [False] * 4]


def test_on_every_number_of_threads(large: int) -> None:
    args = random_layer(np.uint8, 600 if large > 40 else 7, 700 if large > 40 else 9, large, INT8, 0.0)
    results = []
    for threads in (1, 2, 3):
        with limit_threads(threads):
            results.append(packed_linear(*args).tobytes())
    assert len(set(results)) == 1
    assert_layer(args)
