"""Dialects by fractions: where each rounds, and where it adds the zero point."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, dialects
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
        replace(dialects.nncf.weights, symmetric=False), np.full((1, 1), 0.02, np.float32), np.array([[5]], np.int8)
    )
    np.testing.assert_array_equal(dialects.nncf.encode(x, grid.scale, 5, -128, 127), grid.encode(x))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="fused in float32, not in float64"):
        Grid(dialects.torch_per_tensor.weights, np.ones((1, 1))).encode(np.ones((1, 1)))
    with pytest.raises(ValueError, match="float32 without NaN is encoded, not float64"):
        dialects.onnx.encode(np.ones(1), np.ones(1), 0, -128, 127)
    with pytest.raises(ValueError, match="float32 without NaN"):
        dialects.onnx.encode(np.full(1, np.nan, np.float32), np.ones(1), 0, -128, 127)
