"""Layers of bytes in one call: bit for bit the layers one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.byte_chain import ByteChain, byte_chain
from nncomp.kernels.encode import Codes, encode_reference
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.requantize import Requantized, requantized_reference
from nncomp.kernels.threads import limit_threads
from tests.oracles import unchanged


def check(sizes: list[int], rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtype = np.dtype((np.int8, np.uint8)[seed % 2])
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    zero = int(rng.integers(low, high)) * (seed // 2 % 2)
    inputs = Codes(low, high, dtype, scale=np.float32([0.03]), zero=np.int32([zero]))
    x = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    q, layers = encode_reference(x, inputs)[0], []
    for i, outputs in enumerate(sizes[1:]):
        b, b_zero = rng.integers(-128, 128, (outputs, sizes[i]), np.int8), np.zeros(outputs, int)
        b_zero += rng.integers(-5, 5, outputs) * (seed // 4 % 2) * (i % 2)
        bias = rng.integers(-999, 999, outputs).astype(np.int32)
        m, least = rng.uniform(1e-4, 1e-2, outputs).astype(np.float32), low + int(rng.integers(0, 9))
        before, zero = zero, int(rng.integers(low, high)) * (seed // 8 % 2)
        rest = bias, m, zero, least, high, dtype
        q = requantized_reference(q, before, b, b_zero, *rest)
        layers.append(Requantized(int8_pack(b, b_zero), *rest))
    chain = ByteChain(inputs, layers, np.float32(0.7), zero)
    expected = (q.astype(np.float32) - np.float32(zero)) * np.float32(0.7)
    np.testing.assert_array_equal(unchanged(byte_chain, x, chain), expected, strict=True)


@given(st.lists(st.integers(1, 70), min_size=2, max_size=5), st.integers(0, 40), st.integers(0, 2**20))
def test_the_layers_one_by_one(sizes: list[int], rows: int, seed: int) -> None:
    check(sizes, rows, seed)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_on_every_number_of_threads(threads: int) -> None:
    with limit_threads(threads):
        check([300, 260, 300], 1030, 6)


def test_what_has_no_codes_gives_nothing() -> None:
    one, uint8 = np.ones(1, np.float32), np.dtype(np.uint8)
    layer = Requantized(int8_pack(np.array([[2, 1]], np.int8)), np.zeros(1, np.int32), one, 0, 0, 255, uint8)
    chain = ByteChain(Codes(0, 255, uint8), [layer], one[0], 0)
    assert byte_chain(np.array([[1, np.nan]], np.float32), chain) is None
    assert byte_chain(np.array([[1, np.inf]], np.float32), chain) == [[255]]
