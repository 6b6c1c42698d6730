"""IDX against the format's own words, and whatever bytes come: an array that accounts for all of them, or one error."""

import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.idx import read_idx

UNSIGNED_BYTES = b"\0\0\x08"


def header(*shape: int) -> bytes:
    return UNSIGNED_BYTES + struct.pack(f">B{len(shape)}I", len(shape), *shape)


@given(st.lists(st.integers(0, 4), max_size=5), st.randoms(use_true_random=False))
def test_every_shape_reads_back_in_row_order(shape: list[int], random) -> None:  # type: ignore[no-untyped-def]
    content = random.randbytes(math.prod(shape))
    array = read_idx(header(*shape) + content)
    assert array.dtype == np.uint8 and array.shape == tuple(shape)
    assert array.tobytes() == content


def test_dimensions_are_big_endian() -> None:
    assert read_idx(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258)).shape == (258,)


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda rest: UNSIGNED_BYTES + rest)))
def test_any_bytes_are_an_array_or_a_value_error(content: bytes) -> None:
    try:
        array = read_idx(content)
    except ValueError:
        return
    assert len(content) == 4 + 4 * array.ndim + array.size


@pytest.mark.parametrize("kept", range(len(header(2, 3)) + 6))
def test_a_file_cut_anywhere_is_refused(kept: int) -> None:
    told = "not an IDX file" if kept < 4 else "ends inside its header" if kept < 12 else f"holds {kept - 12} bytes"
    with pytest.raises(ValueError, match=told):
        read_idx((header(2, 3) + bytes(6))[:kept])


@pytest.mark.parametrize("kind", [0x00, 0x07, 0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0xFF])
def test_other_types_are_refused_by_name(kind: int) -> None:
    with pytest.raises(ValueError, match=f"not an IDX file of unsigned bytes: it starts with 00 00 {kind:02x} 01"):
        read_idx(bytes([0, 0, kind, 1, 0, 0, 0, 1, 5]))


@pytest.mark.parametrize("magic", [b"\x01\0\x08", b"\0\x01\x08"])
def test_the_first_two_bytes_are_zero(magic: bytes) -> None:
    with pytest.raises(ValueError, match="not an IDX file"):
        read_idx(magic + header(1)[3:] + b"x")


@pytest.mark.parametrize("shape", [(2**32 - 1,), (2**31, 2**31), (2**32 - 1,) * 8, (2**16,) * 4, (1, 2**32 - 1)])
def test_a_huge_announcement_allocates_nothing(shape: tuple[int, ...]) -> None:
    # 2^16 four times is 2^64, which is 0 in 64 bits: a product that wrapped around would match an empty body.
    content = header(*shape)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="announces shape .* and holds 0 bytes"):
            read_idx(content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
