"""Small floats by exact fractions: every code, every midpoint, every rounding, and what lies beyond."""

from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import floats
from nncomp.formats.floats import Float
from nncomp.formats.rounding import half_up, nearest_away, nearest_even, stochastic

SMALL = {
    name: getattr(floats, name)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float6_e2m3fn",
                 "float6_e3m2fn", "float4_e2m1fn")
}  # fmt: skip
each = pytest.mark.parametrize("format", SMALL.values(), ids=SMALL)


def value(format: Float, code: int) -> Fraction | str:
    """What the bits say, by the definition."""
    E, m = (code >> format.mantissa) & ((1 << format.exponent) - 1), code & ((1 << format.mantissa) - 1)
    sign, ones = code >> (format.bits - 1), (1 << format.exponent) - 1
    if format.specials == "ieee" and ones == E:
        return "nan" if m else "inf"
    if format.specials == "fn" and ones == E and m == (1 << format.mantissa) - 1:
        return "nan"
    if format.specials == "fnuz" and sign and E == m == 0:
        return "nan"
    size = Fraction(m, 2**format.mantissa) + (1 if E else 0)
    return (-1) ** sign * size * Fraction(2) ** (max(E, 1) - format.bias)


@each
def test_every_code(format: Float) -> None:
    codes = np.arange(1 << format.bits).astype(format.dtype)
    for code, x in zip(codes, format.decode(codes)):
        expected = value(format, int(code))
        if isinstance(expected, str):
            assert np.isnan(x) if expected == "nan" else np.isinf(x)
        else:
            assert Fraction(float(x)) == expected
    numbers = codes[~np.isnan(format.decode(codes)) & np.isfinite(format.decode(codes))]
    np.testing.assert_array_equal(format.encode(format.decode(numbers)), numbers)


@each
@given(st.data())
def test_nearest_of_all_numbers(format: Float, data: st.DataObject) -> None:
    """Against a search through the sorted numbers, in fractions; ties to the even code."""
    numbers = sorted((v, c) for c in range(1 << (format.bits - 1)) if isinstance(v := value(format, c), Fraction))
    k = data.draw(st.integers(0, len(numbers) - 2))
    (low, a), (high, b) = numbers[k], numbers[k + 1]
    x = np.float64(data.draw(st.sampled_from([float((low + high) / 2), float(low)])))
    for y in (x, np.nextafter(x, np.inf), np.nextafter(x, 0)):
        middle = (low + high) / 2
        expected = b if Fraction(float(y)) > middle else a if Fraction(float(y)) < middle else a if a % 2 == 0 else b
        if Fraction(float(y)) < low:
            expected = a
        found = int(format.encode(np.array([y]))[0])
        assert found == expected
        assert float(format.decode(format.encode(np.array([-y])))[0]) == -float(
            format.decode(format.encode(np.array([y])))[0]
        )


@each
def test_what_is_too_large(format: Float) -> None:
    top = np.float64(format.largest)
    step = float(format.values[format.top] - format.values[format.top - 1])
    beyond = np.array([top + 0.49 * step, top + step, 1e300, np.inf])
    assert (format.decode(format.encode(beyond)) == top).all() and (format.decode(format.encode(-beyond)) == -top).all()
    if format.specials == "finite":
        return
    strict = format.decode(replace(format, saturate=False).encode(np.concatenate([beyond, -beyond])))
    assert strict[0] == top and strict[4] == -top
    others = np.concatenate([strict[1:4], strict[5:]])
    assert np.isinf(others).all() if format.specials == "ieee" else np.isnan(others).all()


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (nearest_even, [1.0, 1.5, 2.0, -1.0, -1.5, -2.0]),
        (nearest_away, [1.5, 1.5, 2.0, -1.5, -1.5, -2.0]),
        (half_up, [1.5, 1.5, 2.0, -1.0, -1.5, -1.5]),
        (np.floor, [1.0, 1.0, 1.5, -1.5, -1.5, -2.0]),
        (np.trunc, [1.0, 1.0, 1.5, -1.0, -1.0, -1.5]),
    ],
)
def test_rounding_modes(rounding, expected: list[float]) -> None:  # type: ignore[no-untyped-def]
    format = replace(floats.float4_e2m1fn, rounding=rounding)
    x = np.array([1.25, 1.3, 1.75, -1.25, -1.3, -1.75])
    assert format.decode(format.encode(x)).tolist() == expected


def test_stochastic_rounding_is_right_in_the_mean() -> None:
    """Of 40,000, within six standard deviations; and exact where there is nothing to round."""
    format = replace(floats.float4_e2m1fn, rounding=partial(stochastic, rng=np.random.default_rng(0)))
    for x in (2.25, -0.1, 5.0):
        found = format.decode(format.encode(np.full(40_000, x)))
        assert len(np.unique(found)) == 2 and abs(found.mean() - x) < 6 * found.std() / 200
    np.testing.assert_array_equal(format.decode(format.encode(format.values.astype(np.float64))), format.values)


def test_signed_zeros_and_nan() -> None:
    zeros = np.array([0.0, -0.0, 1e-30, -1e-30])
    assert floats.float8_e5m2.encode(zeros).tolist() == [0, 128, 0, 128]
    assert floats.float8_e5m2fnuz.encode(zeros).tolist() == [0, 0, 0, 0]
    for format in (floats.float8_e4m3fn, floats.float8_e5m2, floats.float8_e4m3fnuz, floats.bfloat16):
        assert np.isnan(format.decode(format.encode(np.array([np.nan], np.float32)))).all()
    with pytest.raises(ValueError, match=r"NaN at \(1,\) has no code among 16 numbers"):
        floats.float4_e2m1fn.encode(np.array([0.0, np.nan]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Float(8, 8, 127), "at most 16 bits"),
        (lambda: Float(4, 3, 7, "posit"), "specials of ieee, fn, fnuz, finite, not 4 [+] 3 [+] 1 and 'posit'"),
        (lambda: floats.float8_e5m2.encode(np.array([1])), "floats are encoded, not int64"),
        (lambda: floats.float4_e2m1fn.decode(np.array([16], np.uint8)), "codes are uint8 below 16, not uint8 up to 16"),
        (lambda: floats.float8_e5m2.decode(np.array([1])), "codes are uint8 below 256, not int64"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
