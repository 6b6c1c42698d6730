"""The quantized layer in one pass: bit for bit its steps one by one."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.encode import FIXED, TO_ALL, TO_ROW, Codes, encode_reference
from nncomp.kernels.linear import Layer, int8_linear, int8_linear_reference
from nncomp.kernels.lowbit import few_bits, lowbit_pack
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.simd.path import LANES, ROWS
from nncomp.kernels.threads import limit_threads
from tests.oracles import linear_fractions, unchanged
from tests.strategies.arrays import codes as some_codes
from tests.strategies.arrays import floats

INT8, UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
SIGNED = Codes(-128, 127, INT8, scale=np.float32([0.03]), zero=np.int32([5]))
UNSIGNED = Codes(0, 255, UINT8, scale=np.float32([0.7]), zero=np.int32([0]))
INPUTS = [
    SIGNED, UNSIGNED, Codes(-128, 127, INT8, TO_ROW, 0, np.float32(127)), Codes(0, 255, UINT8, TO_ALL),
    Codes(0, 255, UINT8, TO_ROW), Codes(-8, 7, INT8, TO_ALL, 0, np.float32(7)),
]  # fmt: skip
OUTPUTS = [None, SIGNED, UNSIGNED]
FLOORS = [0.0, -np.inf]


class Case(NamedTuple):
    """What `int8_linear_reference` takes."""

    x: np.ndarray
    codes: Codes
    b: np.ndarray
    b_zero: np.ndarray
    b_scale: np.ndarray
    bias: np.ndarray
    floor: float = -np.inf
    outputs: Codes | None = None


def packed_linear(*case):  # type: ignore[no-untyped-def]
    x, codes, b, b_zero, *rest = case
    scale, bias, *ends = rest
    return int8_linear(x, Layer(int8_pack(b, b_zero), scale, bias, codes, *ends))


def lowbit_linear(*case):  # type: ignore[no-untyped-def]
    x, codes, b, b_zero, scale, bias, *ends = case
    return int8_linear(x, Layer(lowbit_pack(b, few_bits(b) or 8, b_zero), scale, bias, codes, *ends))


def assert_layer(case: Case) -> None:
    result = unchanged(packed_linear if few_bits(case.b) is None else lowbit_linear, *case)
    np.testing.assert_array_equal(result, int8_linear_reference(*case), strict=True)


def random_case(rows: int, columns: int, inner: int, codes: Codes, outputs: Codes | None, floor: float) -> Case:
    rng = np.random.default_rng(rows + inner)
    return Case(
        rng.standard_normal((rows, inner)).astype(np.float32), codes,
        rng.integers(-128, 128, (columns, inner), np.int8), rng.integers(-128, 128, columns) * (inner % 2),
        rng.random(columns, np.float32) / 100, rng.standard_normal(columns).astype(np.float32), floor, outputs,
    )  # fmt: skip


@given(st.data(), st.sampled_from(INPUTS), st.sampled_from(OUTPUTS), st.sampled_from(FLOORS))
def test_equals_its_steps(data: st.DataObject, codes: Codes, outputs: Codes | None, floor: float) -> None:
    rows, columns, inner = (data.draw(st.integers(1, 7)) for _ in range(3))
    kind = data.draw(st.sampled_from([np.int8, np.uint8]))
    b, zero = data.draw(some_codes(kind, (columns, inner))), data.draw(some_codes(kind, columns))
    b >>= data.draw(st.sampled_from([0, 4, 6]))  # then 8, 4 or 2 bits
    x, bias = data.draw(floats(np.float32, (rows, inner), 1024.0)), data.draw(floats(np.float32, columns, 1024.0))
    scale = np.abs(data.draw(floats(np.float32, columns, 1.0))) + np.float32(2.0**-20)
    assert_layer(Case(x, codes, b, zero, scale, bias, floor, outputs))


@pytest.mark.parametrize("codes", INPUTS)
def test_is_the_exact_outcome_within_rounding(codes: Codes) -> None:
    """acc, scale times scale, their product and the sum are rounded once each: 4 u of the sizes of what is added."""
    case = random_case(5, 7, 33, codes, None, -np.inf)
    a, a_scale, a_zero = (np.broadcast_to(v, 5) if v.ndim == 1 else v for v in encode_reference(case.x, codes))
    exact, sizes = linear_fractions(a, case.b, a_zero, case.b_zero, a_scale, case.b_scale, case.bias)
    assert (abs(packed_linear(*case).astype(np.float64) - exact) <= 4 * 2.0**-24 * sizes).all()


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("codes", INPUTS[:4])
def test_every_tail(codes: Codes, outputs: Codes | None, large: int) -> None:
    for rows in range(1, 2 * ROWS + 2):
        assert_layer(random_case(rows, 3, 5, codes, outputs, 0.0))
    for columns in (1, LANES - 1, LANES, LANES + 1, 3 * LANES, 4 * LANES + 2):
        for rows in (1, 17):
            assert_layer(random_case(rows, columns, large // 13, codes, outputs, -np.inf))
    if large > 40:
        assert_layer(random_case(40, 70, 2500, codes, outputs, 0.0))


def test_nan_scales_spread_and_the_floor_keeps_them() -> None:
    case = random_case(3, 4, 5, SIGNED, None, 0.0)._replace(b_scale=np.float32([1, np.nan, 1, 1]))
    assert np.isnan(packed_linear(*case)).tolist() == [[False, True, False, False]] * 3


@pytest.mark.parametrize("codes", INPUTS)
def test_what_has_no_codes_has_no_outputs(codes: Codes, large: int) -> None:
    case = random_case(700 if large > 40 else 3, 300 if large > 40 else 2, large, codes, None, 0.0)
    case.x[-1, -1] = np.nan
    with np.errstate(invalid="ignore"):
        assert packed_linear(*case) is None
        if codes.fitted != FIXED:
            case.x[-1, -1] = np.inf
            assert packed_linear(*case) is None


@pytest.mark.parametrize("codes", INPUTS)
def test_on_every_number_of_threads(codes: Codes, large: int) -> None:
    for rows, columns in ((1300, 700), (20, 30_000)) if large > 40 else ((7, 9),):
        case = random_case(rows, columns, large, codes, SIGNED, 0.0)
        results = []
        for threads in (1, 2, 3):
            with limit_threads(threads):
                results.append(packed_linear(*case).tobytes())
        assert len(set(results)) == 1
        if codes is SIGNED:
            assert_layer(case)
