"""Entropy coding: exact, as short as the entropy allows, and safe with any bytes."""

import itertools
import random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from nncomp.coding import Decoder, Encoder, Frequencies, entropy_bits, from_gaps, gaps
from nncomp.coding.frequencies import HEAD, SIZES
from nncomp.coding.range_coder import A_BYTE, FREE
from tests.strategies.weights import masks, seeds

DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8")


@st.composite
def integers(draw: st.DrawFn) -> np.ndarray:
    """One to 3,000 integers: constant, few, skewed, smooth with a long tail, or all over their dtype."""
    rng, n = np.random.default_rng(draw(seeds)), draw(st.sampled_from([1, 2, 30, 3000]))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    low, high = (
        (0, 1) if dtype.kind == "b" else (max(np.iinfo(dtype).min, -(2**31)), min(np.iinfo(dtype).max, 2**31 - 1))
    )
    kind = draw(st.sampled_from(["constant", "few", "skewed", "tail", "all"]))
    if kind == "all":
        return rng.integers(low, high, n, endpoint=True).astype(dtype)
    start = draw(st.integers(low, high))
    above = {
        "constant": lambda: np.zeros(n, np.int64),
        "few": lambda: rng.integers(0, 5, n),
        "skewed": lambda: (rng.random(n) < 0.01) * rng.integers(1, 100, n),
        "tail": lambda: rng.geometric(draw(st.sampled_from([0.3, 0.02, 0.001])), n),
    }[kind]()
    return np.minimum(start + above, high).astype(dtype)


def least(values: np.ndarray) -> float:
    """The entropy in bytes, by SciPy."""
    counts = np.unique(values, return_counts=True)[1]
    return values.size * float(scipy.stats.entropy(counts, base=2)) / 8


@given(integers())
def test_the_entropy_is_scipys(values: np.ndarray) -> None:
    n = values.size  # each of the logarithms is exact within an ulp or two, and at most log2(n) in size
    assert abs(entropy_bits(values) / 8 - least(values)) <= 1e-14 * n * (1 + np.log2(n))


def test_the_entropy_of_nothing_and_of_what_has_none() -> None:
    assert entropy_bits(np.zeros((0, 3), np.int8)) == 0.0
    with pytest.raises(ValueError, match="of integers, not of float32"):
        entropy_bits(np.zeros(3, np.float32))


@given(st.data(), st.integers(1, 20), st.integers(1, 300))
def test_gaps_count_what_is_passed_over(data: st.DataObject, out: int, inputs: int) -> None:
    mask = data.draw(masks((out, inputs)))
    columns, starts, passed, expected = [], [0], 0, []
    for row in mask:
        for column, kept in enumerate(row):
            if kept:
                columns.append(column)
                expected.append(passed)
                passed = 0
            else:
                passed += 1
        starts.append(len(columns))
    kept = (np.array(columns, np.min_scalar_type(inputs - 1)), np.array(starts, np.min_scalar_type(len(columns))))
    found = gaps(*kept, inputs)
    assert found.tolist() == expected
    for before, after in zip(kept, from_gaps(found, out, inputs), strict=True):
        assert before.dtype == after.dtype and before.tolist() == after.tolist()


@pytest.mark.parametrize(
    "told",
    [
        ([3], 1, 3), ([1, 1], 1, 3), ([-1], 1, 3), ([2**62, 2**62, 2**62, 2**62 - 8], 2, 3), ([0.5], 1, 3),
        ([], 0, 3), ([], 3, 0), ([], 2**16, 2**16), ([], -1, -3),
    ],
)  # fmt: skip
def test_gaps_out_of_the_matrix_are_refused(told) -> None:  # type: ignore[no-untyped-def]
    steps, rows, inputs = told
    with pytest.raises(ValueError, match="gaps lead to place|gaps are at least 0|a matrix has 1 to 2.31 places"):
        from_gaps(np.array(steps, np.int32 if not steps else None), rows, inputs)


def test_sizes_rise_and_are_near_every_count() -> None:
    assert SIZES[:18].tolist() == [*range(17), 18] and SIZES[-1] == 15 << 30 and (np.diff(SIZES) > 0).all()
    for count in itertools.chain(range(1, 5000), (SIZES[:-1] + SIZES[1:]) // 2):
        assert min(abs(int(size) - int(count)) for size in SIZES) * 17 <= count


@given(integers(), st.binary(max_size=3))
def test_tables_round_trip_at_any_place(values: np.ndarray, before: bytes) -> None:
    table = Frequencies.fit(values)
    content = before + table.to_bytes()
    again, end = Frequencies.read(content + b"\1", len(before))
    assert end == len(content)
    assert (again.low, again.shift, again.sizes.tolist()) == (table.low, table.shift, table.sizes.tolist())
    for cut in np.unique(np.linspace(0, len(table.to_bytes()) - 1, 30, dtype=int)):
        with pytest.raises(ValueError):
            Frequencies.read(table.to_bytes()[:cut])


def head(low: int = 0, last: int = 1, shift: int = 0) -> bytes:
    return HEAD.pack(low, last, shift)


@pytest.mark.parametrize(
    "content",
    [
        head() + b"\0\2", head() + b"\1\0\1", head() + b"\0\1\1", head() + b"\1\0\2", head(shift=17) + b"\1\1",
        head(2**31 - 1) + b"\1\1", head(2**31 - 2**16, shift=16) + b"\1\1", head(last=0) + b"\0\1",
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="frequencies"):
        Frequencies.read(content)


@pytest.mark.parametrize("values", [np.zeros(0, int), np.array([2**31]), np.array([-(2**31) - 1]), np.array([0.5])])
def test_tables_of_other_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a table is of integers from"):
        Frequencies.fit(values)


@given(st.lists(integers(), max_size=4))
def test_lists_come_back_bit_for_bit(lists: list[np.ndarray]) -> None:
    encoder = Encoder()
    taken = [values for values in lists if encoder.offer(values, values.nbytes)]
    decoder = Decoder(encoder.content())
    for values in taken:
        again = decoder.take(values.size, values.dtype)
        assert again.dtype == values.dtype and again.tobytes() == values.tobytes()
    decoder.close()


@given(integers(), st.integers(1, 100))
def test_a_list_takes_one_percent_more_than_its_entropy_and_a_table(values: np.ndarray, times: int) -> None:
    values = np.tile(values, times)
    encoder = Encoder()
    assert encoder.offer(values, 2**60)
    kinds = values.max().astype(int) - values.min().astype(int) + 1
    table = 7 + min(1.5 * kinds, 3 * np.unique(values).size) + 2 * kinds / 255  # a run of zeros has two bytes
    coder = 8 + 8  # the head, and the coder's state of 64 bits
    bound = max(1.01 * least(values), (values.size - FREE) / A_BYTE) if kinds <= 2**16 else np.inf
    assert encoder.content().size <= bound + table + coder


def test_smooth_values_merge_with_their_neighbours() -> None:
    values = np.random.default_rng(0).geometric(0.01, 4000)
    table = Frequencies.fit(values)
    assert table.shift > 2 and len(table.to_bytes()) < 60
    assert abs(table.bits_of(values) / 4000 - scipy.stats.geom(0.01).entropy() / np.log(2)) < 0.05


def test_what_does_not_get_smaller_is_not_taken() -> None:
    encoder = Encoder()
    content = encoder.content().tobytes()
    for values in (np.arange(256, dtype=np.uint8), np.zeros(0, int), np.array([2**40]), np.zeros(9, np.float32)):
        assert not encoder.offer(values, values.nbytes)
    assert encoder.content().tobytes() == content


def test_few_bytes_tell_of_no_more_values_than_they_may() -> None:
    values = np.zeros(10**6, np.uint8)
    encoder = Encoder()
    assert encoder.offer(values, values.nbytes, beside=1000)
    content = encoder.content()
    assert content.size - 4 < (values.size + 1000 - FREE) / A_BYTE <= content.size
    decoder = Decoder(content)
    assert not decoder.take(values.size, np.uint8, beside=1000).any()
    decoder.close()
    for told in (
        (A_BYTE * content.size + FREE + 1, 0),
        (1, A_BYTE * content.size + FREE),
        (2**62, 2**62),
        (0, 0),
        (1, -1),
    ):
        with pytest.raises(ValueError, match="none or more than their bytes hold"):
            Decoder(content).take(told[0], np.uint8, beside=told[1])


def test_damage_is_noticed() -> None:
    encoder = Encoder()
    values = np.tile(np.arange(7, dtype=np.uint8), 100)
    assert encoder.offer(values, values.size)
    good, noticed = encoder.content(), 0
    for at in range(good.size):
        bad = good.copy()
        bad[at] ^= 1
        try:
            decoder = Decoder(bad)
            again = decoder.take(values.size, np.uint8)
            decoder.close()
            assert again.tobytes() == values.tobytes()  # the last bits of the last word tell of nothing
        except ValueError:
            noticed += 1
    assert noticed > good.size - 4
    with pytest.raises(ValueError, match="tables are left over"):
        Decoder(good).close()
    with pytest.raises(ValueError, match="from 0 to 6 are no bool"):
        Decoder(good).take(values.size, bool)
    for bad in (good[:7], good.astype(np.int8), good[None]):
        with pytest.raises(ValueError, match="coded values are at least 8 bytes"):
            Decoder(bad)


def test_any_bytes_give_values_or_a_value_error() -> None:
    rng, decoded = random.Random(0), 0
    for _ in range(3000):
        words, span = rng.randrange(6), rng.choice((1, 2, 3, 40))
        sizes = bytes(rng.choice((1, 2, 255, rng.randrange(1, 256))) for _ in range(span))
        table = HEAD.pack(rng.choice((0, -(2**31), rng.randrange(99))), span - 1, rng.choice((0, 0, 1, 16))) + sizes
        table = bytearray(table * rng.randint(1, 2))
        if rng.random() < 0.5:
            table[rng.randrange(len(table))] = rng.randrange(256)
        content = bytes(4) + words.to_bytes(4, "little") + rng.choice((rng.randbytes, bytes))(4 * words) + bytes(table)
        try:
            decoder = Decoder(np.frombuffer(content, np.uint8))
            decoder.take(rng.choice((1, 300)), rng.choice((np.int8, np.uint16, np.int32)))
            decoder.take(1, np.int32)
            decoder.close()
        except ValueError as error:
            assert "\n" not in str(error)
            decoded += "check sum" in str(error)
    assert decoded > 300
