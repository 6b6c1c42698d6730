"""Sums that do not fit, in plain loops over Python's integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats.saturation import accumulate16, pair_sums, wrap_sums


def clip16(v: int) -> int:
    return min(max(v, -(2**15)), 2**15 - 1)


def wrapped(v: int, bits: int) -> int:
    return (v + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 4), st.integers(0, 9), st.integers(1, 5))
def test_by_loops(seed: int, batch: int, out: int, inputs: int, every: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array([0, 1, 128, 200, 255], np.uint8), (batch, inputs))
    W = rng.choice(np.array([-128, -127, -1, 3, 127], np.int8), (out, inputs))
    pairs, spilled, plain, low = pair_sums(x, W), accumulate16(x, W, every), accumulate16(x, W), wrap_sums(x, W, 17)
    for b, o in np.ndindex(batch, out):
        p = [int(a) * int(w) for a, w in zip(x[b], W[o])]
        assert pairs[b, o] == sum(clip16(sum(p[k : k + 2])) for k in range(0, inputs, 2))
        totals, acc = [], 0
        for k, v in enumerate(p):
            acc = clip16((0 if k % every == 0 else acc) + v)
            if k % every == every - 1 or k == inputs - 1:
                totals.append(acc)
        assert spilled[b, o] == sum(totals)
        acc = 0
        for v in p:
            acc = clip16(acc + v)
        assert plain[b, o] == acc
        assert low[b, o] == wrapped(sum(p), 17)


def test_seven_bits_never_saturate_a_pair() -> None:
    """Why weights of 7 bits are advised: 2 * 255 * 64 fits."""
    x, W = np.full((1, 64), 255, np.uint8), np.full((2, 64), 63, np.int8)
    W[1] = -64
    np.testing.assert_array_equal(pair_sums(x, W), x.astype(int) @ W.T.astype(int))
    assert (pair_sums(x, np.full((1, 64), 127, np.int8)) != 64 * 255 * 127).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair_sums(np.ones((1, 2), np.int8), np.ones((1, 2), np.int8)), "uint8 inputs and int8 weights"),
        (lambda: wrap_sums(np.ones((1, 2)), np.ones((1, 2), np.int8)), "codes x .* not float64"),
        (lambda: wrap_sums(np.ones((1, 2), np.int8), np.ones((1, 3), np.int8)), "not int8 .1, 2. and int8 .1, 3."),
        (lambda: wrap_sums(np.ones((1, 2), np.int8), np.ones((1, 2), np.int8), 64), "2 to 32 bits, not 64"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
