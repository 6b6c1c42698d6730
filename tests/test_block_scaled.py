"""Blocks under a power of two, by fractions and by searching all numbers of the element."""

from dataclasses import replace
from fractions import Fraction
from math import floor, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import block_scaled as mx
from nncomp.formats.fixed_point import FixedPoint

FORMATS = {
    name: getattr(mx, name) for name in ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8")
}
RULES = [mx.floor_scale, mx.ceil_scale, mx.ratio_ceil_scale, mx.even_scale]
LARGEST = {"mxfp8_e4m3": 448, "mxfp8_e5m2": 57344, "mxfp6_e2m3": 7.5, "mxfp6_e3m2": 28, "mxfp4": 6, "mxint8": 127 / 64}
each = pytest.mark.parametrize("name", FORMATS)


def numbers(name: str) -> list[Fraction]:
    """All numbers of the element."""
    element = FORMATS[name].element
    if isinstance(element, FixedPoint):
        return [Fraction(q, 64) for q in range(-127, 128)]
    values = element.values[np.isfinite(element.values)]
    return sorted({Fraction(float(v)) for v in values})


@each
@given(seed=st.integers(0, 2**32 - 1), columns=st.integers(1, 9), exponent=st.integers(-40, 40))
def test_each_value_is_the_nearest_under_its_scale(name: str, seed: int, columns: int, exponent: int) -> None:
    format = replace(FORMATS[name], size=4)
    x = (np.random.default_rng(seed).standard_normal((2, columns)) * 2.0**exponent).astype(np.float32)
    codes, scales = format.encode(x)
    decoded, all_numbers = format.decode(codes, scales), numbers(name)
    assert codes.shape == x.shape and scales.shape == (2, -(-columns // 4)) and scales.dtype == np.uint8
    for i, j in np.ndindex(x.shape):
        scale = Fraction(2) ** (int(scales[i, j // 4]) - 127)
        v = Fraction(float(x[i, j])) / scale
        nearest = min(abs(v - n) for n in all_numbers)
        assert abs(v - Fraction(float(decoded[i, j])) / scale) == nearest


@each
@given(seed=st.integers(0, 2**32 - 1))
def test_the_rules_by_their_words(name: str, seed: int) -> None:
    """floor: the largest power of two not above amax, over that of the largest number. ceil: not below. ratio: nothing
    saturates, and half the scale would."""
    rng = np.random.default_rng(seed)
    amax = (2.0 ** rng.integers(-20, 20, 8) * rng.choice([1.0, 1.5, 1.75, LARGEST[name], rng.uniform(1, 2)], 8)).astype(
        np.float32
    )
    element, top = FORMATS[name].element, floor(log2(LARGEST[name]))
    for v, low, high, ratio, even in zip(amax, *(rule(amax, element) for rule in RULES)):
        exact = Fraction(float(v))
        assert Fraction(2) ** (int(low) + top) <= exact < Fraction(2) ** (int(low) + top + 1)
        assert Fraction(2) ** (int(high) + top - 1) < exact <= Fraction(2) ** (int(high) + top)
        quotient = Fraction(float(np.float32(v) / np.float32(LARGEST[name])))  # in float32, as it is computed
        assert Fraction(2) ** (int(ratio) - 1) < quotient <= Fraction(2) ** int(ratio)
        assert low <= even <= high


def test_what_the_issue_trackers_know() -> None:
    """torchao#2035: amax 150 in e4m3 by floor, ceil and ratio; amax 448 in e2m1."""
    for amax, name, expected in ((150.0, "mxfp8_e4m3", [0.5, 1, 0.5]), (448.0, "mxfp4", [64, 128, 128])):
        found = [2.0 ** rule(np.array([amax], np.float32), FORMATS[name].element)[0] for rule in RULES[:3]]
        assert found == expected


def test_the_ends_of_the_scale() -> None:
    x = np.array([[0.0, 0.0], [1e-45, -1e-45], [3e38, -3e38]], np.float32)
    codes, scales = mx.mxfp4.encode(x)
    assert scales[:, 0].tolist() == [0, 0, 252] and codes[0].tolist() == [0, 0]
    assert np.isnan(mx.mxfp4.decode(codes, np.full((3, 1), 255, np.uint8))).all()
    assert [format.bits for format in FORMATS.values()] == [8.25, 8.25, 6.25, 6.25, 4.25, 8.25]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mx.mxfp4.encode(np.array([[np.nan]])), "finite floats .rows, columns., not float64 .1, 1."),
        (lambda: mx.mxfp4.encode(np.ones(3)), "not float64 .3,."),
        (lambda: mx.mxfp4.decode(np.ones((1, 40), np.uint8), np.ones((1, 1), np.uint8)), "in blocks of 32 do not fit"),
        (lambda: mx.BlockScaled(mx.float4_e2m1fn, 0), "at least one value, not 0"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
