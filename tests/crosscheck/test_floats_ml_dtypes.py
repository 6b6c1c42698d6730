"""Small floats against ml_dtypes and NumPy: every bit of every code, of both 16-bit formats and of every midpoint.

ml_dtypes does not saturate, but for formats without NaN; of NaN it keeps the sign, and so do we.
"""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.formats import floats

ml_dtypes = pytest.importorskip("ml_dtypes")

NAMES = [
    "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float6_e2m3fn",
    "float6_e3m2fn", "float4_e2m1fn",
]  # fmt: skip


def theirs(name: str) -> type:
    return np.float16 if name == "float16" else getattr(ml_dtypes, name)


def inputs(values: np.ndarray) -> np.ndarray:
    """float32: every float16 and bfloat16, every value and midpoint, and one step around each of these."""
    numbers = np.unique(values[np.isfinite(values)]).astype(np.float64)
    middles = (numbers[1:] + numbers[:-1]) / 2
    beyond = numbers[-1] + (numbers[-1] - numbers[-2]) / 2  # where rounding up would leave the format
    near = np.concatenate([numbers, middles, [beyond, -beyond]]).astype(np.float32)
    bits = np.arange(1 << 16, dtype=np.uint16)
    every = [bits.view(np.float16).astype(np.float32), (bits.astype(np.uint32) << 16).view(np.float32)]
    return np.concatenate(
        [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, -np.float32(np.inf)), *every]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_code_decodes_to_the_same_bits(name: str) -> None:
    format = getattr(floats, name)
    codes = np.arange(1 << format.bits).astype(format.dtype)
    expected, found = codes.view(theirs(name)).astype(np.float32), format.decode(codes)
    np.testing.assert_array_equal(found, expected)  # NaN equals NaN here
    np.testing.assert_array_equal(np.signbit(found)[~np.isnan(found)], np.signbit(expected)[~np.isnan(expected)])


@pytest.mark.parametrize("name", NAMES)
def test_every_input_encodes_to_the_same_bits(name: str) -> None:
    format = replace(getattr(floats, name), saturate=False)
    x = inputs(format.values)
    nan = np.isnan(x)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x[~nan].astype(theirs(name)).view(format.dtype)
    np.testing.assert_array_equal(format.encode(x[~nan]), expected)
    if format.specials != "finite":
        with np.errstate(invalid="ignore"):
            assert np.isnan(format.decode(format.encode(x[nan]))).all()
            assert np.isnan(x[nan].astype(theirs(name)).astype(np.float32)).all()
