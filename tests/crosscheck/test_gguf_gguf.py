"""GGUF's blocks against the gguf package: the bytes of every format it writes, and what it reads from any bytes.

Of scales so small that their inverse is infinite in float32, codes are casts of infinity there, which C leaves
undefined; float16 stores such a scale as 0. So these are left out.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.formats import gguf as ours

gguf = pytest.importorskip("gguf")
quants = pytest.importorskip("gguf.quants")

NAMES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0"]
each = pytest.mark.parametrize("name", NAMES)


def kind(name: str):  # type: ignore[no-untyped-def]
    return gguf.GGMLQuantizationType[name]


@each
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1e-3, 1e-30, 1e4, 1e7, 1e30]))
@example(0, 1e7)
def test_the_same_bytes_and_the_same_numbers(name: str, seed: int, size: float) -> None:
    """Blocks of noise, of one value, of zeros of both signs, of ties, and with one large value of either sign."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((8, 512)) * size
    x[1], x[2], x[3] = size, 0.0, -0.0
    x[4] = rng.integers(-8, 8, 512) * size / 2
    x[5, ::32], x[6, ::32] = -9 * size, 9 * size
    x[7] = np.abs(x[7])
    x = x.astype(np.float32)
    format = getattr(ours, name.lower())
    with np.errstate(over="ignore", invalid="ignore"):
        expected = quants.quantize(x, kind(name))
        numbers = quants.dequantize(expected, kind(name))
    found = format.encode(x)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(format.decode(found), numbers)
    assert format.bits == 8 * found.shape[1] / x.shape[1]


@each
@given(st.integers(0, 2**32 - 1))
def test_any_bytes_are_read_alike(name: str, seed: int) -> None:
    format = getattr(ours, name.lower())
    width = format.code_bytes + format.scale_bytes
    b = np.random.default_rng(seed).integers(0, 256, (3, 2 * width), np.uint8)
    with np.errstate(invalid="ignore"):
        expected = quants.dequantize(b, kind(name))
    np.testing.assert_array_equal(format.decode(b), expected)
