"""Dialects by fractions: where each rounds, and where it adds the zero point."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, dialects, fused_add_round
from nncomp.formats.dialects import Dialect
from tests.test_grid import half_away, half_even

ALL = {name: value for name, value in vars(dialects).items() if isinstance(value, Dialect)}


@pytest.mark.parametrize("name", ALL)
@given(st.integers(0, 2**32 - 1))
def test_by_fractions(name: str, seed: int) -> None:
    """What is rounded to float32 on the way is a float32; all else is exact."""
    dialect, rng = ALL[name], np.random.default_rng(seed)
    x, scale, z = (rng.integers(-40, 40, 6) / np.float32(2)).astype(np.float32), np.float32(rng.choice([1, 0.7])), 3
    to_integer = half_even if dialect.weights.rounding(np.array(2.5)) == 2 else half_away
    order = dialect.weights.arithmetic.__name__
    for v, q in zip(x, dialect.encode(x, scale, z, -16, 15)):
        inverse = np.float32(1) / scale
        quotient = Fraction(float(v * inverse if not order.startswith("divide") else v / scale))
        if order.endswith("round_add"):
            exact = to_integer(quotient) + z
        elif not order.startswith("fused"):
            exact = to_integer(Fraction(float(np.float32(float(quotient)) + np.float32(z))))
        else:  # the sum of the exact product is rounded once
            exact = to_integer(Fraction(float(np.float32(float(Fraction(float(v)) * Fraction(float(inverse)) + z)))))
        assert q == min(max(exact, -16), 15)


def test_the_default_is_the_grid_itself() -> None:
    x = np.linspace(-3, 3, 101, dtype=np.float32)[None]
    grid = Grid(
        replace(dialects.onnx.weights, symmetric=False), np.full((1, 1), 0.02, np.float32), np.array([[5]], np.int8)
    )
    np.testing.assert_array_equal(dialects.onnx.encode(x, grid.scale, 5, -128, 127), grid.encode(x))


@pytest.mark.parametrize("name", ALL)
@given(st.integers(0, 2**32 - 1))
def test_scales_within_three_roundings(name: str, seed: int) -> None:
    """Of weights of one size; where all are zeros there is some scale."""
    rng, weights = np.random.default_rng(seed), ALL[name].weights
    low, high = -rng.uniform(0, 9, 20).astype(np.float32), rng.uniform(1, 9, 20).astype(np.float32)
    steps = Fraction(weights.scale_rule(weights.qmin, weights.qmax))
    for a, b, scale in zip(low, high, ALL[name].fit(low, high)):
        exact = Fraction(float(max(-a, b))) / steps
        assert scale.dtype == np.float32 and abs(Fraction(float(scale)) / exact - 1) <= Fraction(3, 2**24)
    assert (ALL[name].fit(low * 0, high * 0) > 0).all()
    assert ALL[name].fit(low[:0], high[:0]).shape == (0,)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="fused in float32, not in float64"):
        Grid(dialects.torch_per_tensor.weights, np.ones((1, 1))).encode(np.ones((1, 1)))
    with pytest.raises(ValueError, match="float32 without NaN is encoded, not float64"):
        dialects.onnx.encode(np.ones(1), np.ones(1), 0, -128, 127)
    with pytest.raises(ValueError, match="float32 without NaN"):
        dialects.onnx.encode(np.full(1, np.nan, np.float32), np.ones(1), 0, -128, 127)
    one = np.ones(2, np.float32)
    with pytest.raises(ValueError, match=r"float32 of one shape, low <= high, not float64 \(2,\) and float32 \(2,\)"):
        dialects.aimet.fit(-np.ones(2), one)
    for low, high in ((one, -one), (one[:1], one), (one, one * np.float32(np.nan))):
        with pytest.raises(ValueError, match="float32 of one shape, low <= high"):
            dialects.aimet.fit(low, high)
    with pytest.raises(ValueError, match="no finite scale for weights from -inf to 1.0"):
        dialects.nncf.fit(-one * np.float32(np.inf), one)


@pytest.mark.parametrize(
    ("x", "scale", "zero", "code"),
    [(1.848715901374817, 3.697488307952881, 129, 129), (1.0054662227630615, 0.671184778213501, 32768, 32769)],
)
def test_a_fused_sum_is_rounded_once(x: float, scale: float, zero: int, code: int) -> None:
    """Of these, a sum rounded to float64 first lies halfway between two codes, and goes to the other one."""
    v, s = np.float32([x]), np.float32([scale])
    exact = Fraction(float(v[0])) * Fraction(float(np.float32(1) / s[0])) + zero
    assert half_even(Fraction(float(np.float32(float(exact))))) in (code, code + 1)
    assert fused_add_round(v, s, np.float32([zero]), np.rint) == code


@given(st.integers(0, 2**32 - 1))
def test_fused_sums_by_fractions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, s = (
        (rng.standard_normal(50) * 2.0 ** rng.integers(-30, 30, 50)).astype(np.float32),
        np.float32(rng.uniform(0.5, 2)),
    )
    zero = np.float32(rng.integers(-(2**15), 2**15))
    found = fused_add_round(x, s, zero, lambda v: v)
    for v, sum_ in zip(x, found):
        exact = Fraction(float(v)) * Fraction(float(np.float32(1) / s)) + Fraction(float(zero))
        near = [np.nextafter(sum_, np.float32(-np.inf)), sum_, np.nextafter(sum_, np.float32(np.inf))]
        off = [abs(Fraction(float(n)) - exact) for n in near]
        assert off[1] == min(off)
        if off.count(off[1]) > 1:
            assert sum_.view(np.int32) % 2 == 0, "a tie goes to the even one"
