"""GGUF's blocks by plain loops: the scale, each code, and the traps the format is known for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import gguf, packing

FORMATS = {name: getattr(gguf, name) for name in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq1_0", "tq2_0")}
BITS = {"q4_0": 4.5, "q4_1": 5.0, "q5_0": 5.5, "q5_1": 6.0, "q8_0": 8.5, "tq1_0": 1.6875, "tq2_0": 2.0625}
STEP = {"q4_0": 1, "q4_1": 0.5, "q5_0": 1, "q5_1": 0.5, "q8_0": 0.5, "tq1_0": 0.5, "tq2_0": 0.5}
each = pytest.mark.parametrize("name", FORMATS)


@each
@given(st.integers(0, 2**32 - 1))
def test_no_value_is_off_by_more_than_its_step(name: str, seed: int) -> None:
    """Half a step, or a whole one where the other sign saturates; and what float16 does to d, for each step of it."""
    format = FORMATS[name]
    x = np.random.default_rng(seed).standard_normal((2, format.size)).astype(np.float32)
    assert format.decode(format.encode(x[:0])).shape == (0, format.size)
    stored, q = format.codes(x)
    d = np.abs(stored[0])
    decoded = format.decode(format.encode(x))
    off = (
        STEP[name] * d + (float(q.max()) + 16) * d * 2.0**-11 + (np.abs(stored[1]) * 2.0**-11 if len(stored) > 1 else 0)
    )
    assert (np.abs(decoded - x) <= off * (1 + 1e-5)).all()
    assert format.bits == BITS[name]


PACKINGS = [
    (packing.halves, packing.from_halves, 16, 32), (packing.fifth_bit_apart, packing.from_fifth_bit_apart, 32, 32),
    (packing.signed_bytes, packing.from_signed_bytes, 255, 32), (packing.quarters, packing.from_quarters, 4, 256),
    (packing.fives, packing.from_fives, 3, 256),
]  # fmt: skip


@pytest.mark.parametrize(("pack", "unpack", "codes", "size"), PACKINGS)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_what_is_packed_comes_out(pack, unpack, codes: int, size: int, seed: int, blocks: int) -> None:  # type: ignore[no-untyped-def]
    q = np.random.default_rng(seed).integers(0, codes, (blocks, size)).astype(np.uint8)
    np.testing.assert_array_equal(unpack(pack(q)), q)


def test_known_traps() -> None:
    """The largest value gets code 0, whatever its sign; low nibbles are the first half; ties go away from zero."""
    x = np.zeros((1, 32), np.float32)
    x[0, 0], x[0, 16] = -8.0, 7.0
    b = gguf.q4_0.encode(x)
    assert b[0, :3].tolist() == [0, 0x3C, 0xF0], "d = 1 in float16, codes 0 and 15"
    x[0, 0], x[0, 1], x[0, 2] = 127.0, 0.5, -1.5
    assert gguf.q8_0.encode(x)[0, 2:5].view(np.int8).tolist() == [127, 1, -2]
    huge = gguf.q4_0.encode(np.full((1, 32), 1e7, np.float32))
    assert not np.isfinite(gguf.q4_0.decode(huge)).any(), "a scale beyond float16"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gguf.q4_0.encode(np.ones((1, 33))), "whole blocks of 32, not float64 .1, 33."),
        (lambda: gguf.q8_0.encode(np.full((1, 32), np.nan)), "rows are finite"),
        (lambda: gguf.tq1_0.decode(np.ones((1, 53), np.uint8)), "whole blocks of 54 bytes, not uint8 .1, 53."),
        (lambda: gguf.q4_0.decode(np.ones((1, 18))), "whole blocks of 18 bytes, not float64"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
