"""Products of kept codes: integers, so equal or wrong; an absent weight is 0 whatever its row's zero point."""

import numpy as np
import pytest
from hypothesis import example, given

from nncomp.kernels.pattern import Pattern
from nncomp.kernels.simd.path import GROUP, LANES
from nncomp.kernels.sparse_int8 import sparse_int8_matmul, sparse_int8_matmul_reference, sparse_int8_pack
from nncomp.kernels.threads import limit_threads
from tests.oracles import masked_codes_loops, unchanged
from tests.strategies.arrays import CODES, LAYOUTS, Rows, code_layers, compressed

Layer = tuple[np.ndarray, Rows, np.ndarray, np.ndarray]


def packed_product(a, codes, columns, row_start, inputs, a_zero, b_zero):  # type: ignore[no-untyped-def]
    kept = sparse_int8_pack(codes, Pattern(columns, row_start, inputs), b_zero)
    assert kept is not None
    return sparse_int8_matmul(a, kept, a_zero)


def reference(a, codes, columns, row_start, inputs, a_zero, b_zero):  # type: ignore[no-untyped-def]
    return sparse_int8_matmul_reference(a, codes, Pattern(columns, row_start, inputs), a_zero, b_zero)


def random_layer(a: type, b: type, batch: int, inputs: int, out: int, density: float) -> Layer:
    rng = np.random.default_rng(inputs)
    mask = rng.random((out, inputs)) < density
    mask[:, -1] = True
    mask[1:2] = False
    (a_low, a_high), (b_low, b_high) = ((np.iinfo(sign).min, np.iinfo(sign).max) for sign in (a, b))
    return (
        rng.integers(a_low, a_high, (batch, inputs), a, endpoint=True),
        compressed(mask, rng.integers(b_low, b_high, int(mask.sum()), b, endpoint=True)),
        rng.integers(a_low, a_high, batch, endpoint=True), rng.integers(b_low, b_high, out, endpoint=True),
    )  # fmt: skip


def assert_equals_reference(layer: Layer) -> None:
    a, rows, *zeros = layer
    result = unchanged(packed_product, a, *rows, *zeros)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, reference(a, *rows, *zeros))


@given(code_layers())
@example(  # minus this zero point, in its own dtype, is itself
    (np.zeros((1, 1), np.int8), compressed(np.ones((1, 1), bool), np.ones(1, np.int8)), np.int8([-128]), np.int8([0]))
)
def test_codes_equal_loops(layer: Layer) -> None:
    a, (codes, columns, row_start, inputs), *zeros = layer
    result = unchanged(packed_product, a, codes, columns, row_start, inputs, *zeros)
    assert result.dtype == np.int32 and result.shape == (len(a), len(zeros[1]))
    loops = masked_codes_loops(a, codes, columns, row_start, *zeros)
    assert result.tolist() == unchanged(reference, a, codes, columns, row_start, inputs, *zeros).tolist() == loops


@pytest.mark.parametrize("a", CODES)
@pytest.mark.parametrize("b", CODES)
def test_every_tail(a: type, b: type, large: int) -> None:
    """Each length around that of a group, a register or a panel, in the batch, the inputs and the outputs."""
    panel = GROUP * LANES if large > 40 else 3
    for batch in [*range(6), panel - 1, panel, panel + 1, 2 * panel + 3]:
        assert_equals_reference(random_layer(a, b, batch, 11, 3, 0.5))
    for inputs in [*range(1, 10), 4 * LANES - 1, 4 * LANES, 4 * LANES + 1, 200]:
        assert_equals_reference(random_layer(a, b, 3, inputs, 5, 0.3))
    for out in range(1, LANES + 2):
        assert_equals_reference(random_layer(a, b, 3, 9, out, 0.5))


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_steps_that_int8_lacks_are_sums_of_several(kept: int) -> None:
    """From -255 to 255, at every place in a group."""
    codes, zeros = np.array([255, 128, 127, 0, 0, 255] * 3, np.uint8)[: 6 * kept], np.array([0, 255, 100])[:kept]
    rows = compressed(np.ones((kept, 6), bool), codes)
    a = np.arange(12).reshape(2, 6).astype(np.uint8)
    assert_equals_reference((a, rows, np.array([0, 7]), zeros))


def test_sums_that_int32_does_not_hold_are_not_packed() -> None:
    """By the steps there are, at the largest activation: 255 * 127 * 66,311 is the last that fits."""
    for inputs, fits in ((66_311, True), (66_312, False)):
        codes, columns, row_start, _ = compressed(np.ones((1, inputs), bool), np.full(inputs, 127, np.int8), np.uint32)
        kept = sparse_int8_pack(codes, Pattern(columns, row_start, inputs), np.zeros(1, int))
        assert (kept is not None) == fits
        if kept is not None:
            for a, zero in ((255, 0), (0, 255)):
                (got,) = sparse_int8_matmul(np.full((1, inputs), a, np.uint8), kept, np.array([zero])).tolist()
                assert got == [127 * inputs * (a - zero)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    a, rows, *zeros = random_layer(np.int8, np.uint8, 5, 9, 4, 0.5)
    args = a, *rows[:3], rows.inputs, *zeros
    others = layout(a), *map(layout, rows[:3]), rows.inputs, *map(layout, zeros)
    np.testing.assert_array_equal(unchanged(packed_product, *others), packed_product(*args))


def test_on_every_number_of_threads(large: int) -> None:
    a, rows, *zeros = random_layer(np.uint8, np.int8, 500 if large > 40 else 7, large, 300 if large > 40 else 5, 0.5)
    for threads in (1, 2, 3, 8):
        with limit_threads(threads):
            np.testing.assert_array_equal(packed_product(a, *rows, *zeros), reference(a, *rows, *zeros))
