"""Codes in, codes out: bit for bit the reference, which is ONNX Runtime's rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats.requantize import round_then_zero
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.requantize import Requantized, requantized, requantized_reference
from nncomp.kernels.simd.path import LANES, ROWS
from nncomp.kernels.threads import limit_threads
from tests.oracles import unchanged


def check(rows: int, columns: int, inner: int, seed: int, ties: bool = False) -> None:
    rng = np.random.default_rng(seed)
    a_type, y_type = (np.dtype((np.int8, np.uint8)[seed // k % 2]) for k in (1, 2))
    a = rng.integers(*limits(a_type), (rows, inner)).astype(a_type)
    b, b_zero = rng.integers(-128, 128, (columns, inner), np.int8), rng.integers(-128, 128, columns) * (seed // 4 % 2)
    bias = rng.integers(-(10**5), 10**5, columns).astype(np.int32)
    m = 2.0 ** rng.integers(-14, -8, columns) if ties else rng.uniform(1e-4, 1e-2, columns)
    low, high = limits(y_type)
    a_zero, zero = int(rng.integers(*limits(a_type))) * (seed // 8 % 2), int(rng.integers(low, high))
    rest = bias, m.astype(np.float32), zero, low + seed % 3, high - 1, y_type
    expected = requantized_reference(a, a_zero, b, b_zero, *rest)
    layer = Requantized(int8_pack(b, b_zero), *rest)
    np.testing.assert_array_equal(unchanged(requantized, a, a_zero, layer), expected, strict=True)


def limits(dtype: np.dtype) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max) + 1


@given(st.integers(0, 40), st.integers(1, 70), st.integers(0, 70), st.integers(0, 2**20), st.booleans())
def test_the_reference(rows: int, columns: int, inner: int, seed: int, ties: bool) -> None:
    check(rows, columns, inner, seed, ties)


@pytest.mark.parametrize("seed", range(16))
def test_whole_registers_and_their_ends(seed: int) -> None:
    for rows in (1, ROWS, 2 * ROWS + 1):
        for columns in (LANES, 4 * LANES, 5 * LANES + 3):
            check(rows, columns, 65, seed, ties=seed % 2 == 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_on_every_number_of_threads(threads: int) -> None:
    with limit_threads(threads):
        check(130, 260, 300, 5)


def test_the_reference_is_the_rule_of_onnx_runtime() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (5, 30), np.int8), rng.integers(-128, 128, (7, 30), np.int8)
    s_a, s_b, s_y = np.float32([0.02]), rng.random(7, np.float32) / 50, np.float32([0.9])
    acc = (a.astype(np.int64) - 3) @ b.T.astype(np.int64)
    expected = round_then_zero(acc.astype(np.int32), s_a, s_b, s_y, 9, -128, 127)
    m = s_a * s_b / s_y
    found = requantized_reference(
        a, 3, b, np.zeros(7, np.int32), np.zeros(7, np.int32), m, 9, -128, 127, np.dtype("i1")
    )
    np.testing.assert_array_equal(found, expected)
