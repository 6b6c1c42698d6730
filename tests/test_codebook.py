"""Tables of numbers: the nearest by search, the tables by their definitions, NVFP4's two scales by fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats.codebook import (
    NF4,
    Codebook,
    additive_powers_of_two,
    binary,
    nf4,
    normal_float,
    powers_of_two,
    ternary,
)  # fmt: skip
from nncomp.formats.floats import float4_e2m1fn, float8_e4m3fn
from nncomp.formats.two_scales import NVFP4, nvfp4

TABLES = {"nf4": nf4, "ternary": ternary, "binary": binary, "powers": Codebook(powers_of_two(4), size=5),
          "additive": Codebook(additive_powers_of_two(5), size=3, up=True)}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_nearest_entry(name: str, seed: int, columns: int) -> None:
    format = TABLES[name]
    x = np.random.default_rng(seed).choice(np.linspace(-2, 2, 33), (2, columns)).astype(np.float32)
    codes, sizes = format.encode(x)
    table = [Fraction(float(v)) for v in format.table]
    for i, j in np.ndindex(x.shape):
        block = x[i, j // format.size * format.size :][: format.size]
        a = max(abs(Fraction(float(v))) for v in block)
        assert Fraction(float(sizes[i, j // format.size])) == a
        v = Fraction(float(x[i, j]) / float(a)) if a else Fraction(0)  # the quotient is a double
        nearest = min(abs(v - n) for n in table)
        ties = [q for q, n in enumerate(table) if abs(v - n) == nearest]
        assert codes[i, j] == (ties[-1] if format.up else ties[0])
    np.testing.assert_array_equal(
        format.decode(codes, sizes), format.table[codes] * np.repeat(sizes, format.size, axis=1)[:, :columns]
    )


def test_the_tables() -> None:
    np.testing.assert_allclose(normal_float(4), NF4, atol=2e-7)
    assert len(normal_float(3)) == 8 and normal_float(3)[3] == 0 and normal_float(3)[0] == -1
    assert powers_of_two(4) == tuple(sorted({0.0, *(s * 2.0**-k for s in (1, -1) for k in range(7))}))
    firsts, seconds = (0, 1, 2**-2, 2**-4), (0, 2**-1, 2**-3, 2**-5)  # n = 2, k = 2: Li et al.'s own example
    sums = {Fraction(a) + Fraction(b) for a, b in product(firsts, seconds)}
    expected = sorted({s / max(sums) for s in sums} | {-s / max(sums) for s in sums})
    np.testing.assert_allclose(additive_powers_of_two(5), [float(v) for v in expected], rtol=1e-15)
    assert [f.bits for f in (nf4, ternary, binary)] == [4.5, 2.5, 1.5]


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_nvfp4_is_the_nearest_under_both_scales(seed: int, reciprocal: bool) -> None:
    """Within what float32 rounds: of two almost equally near numbers it may take the other."""
    x = np.random.default_rng(seed).standard_normal((2, 32)).astype(np.float32)
    format = NVFP4(reciprocal=reciprocal)
    t = format.tensor_scale(x)
    codes, scales, again = format.encode(x)
    np.testing.assert_array_equal(t, again)
    assert scales.max() == float8_e4m3fn.top, "the largest block uses the largest scale"
    s = np.repeat(float8_e4m3fn.decode(scales).astype(float) * float(t[0]), 16, axis=1)
    numbers = np.unique(float4_e2m1fn.values.astype(float))
    nearest = np.abs(x[..., None] / s[..., None] - numbers).min(axis=-1)
    assert (np.abs(x / s - float4_e2m1fn.decode(codes)) <= nearest + 4e-6).all()
    np.testing.assert_allclose(format.decode(codes, scales, t), s * float4_e2m1fn.decode(codes), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Codebook((1.0, 0.0)), "values that rise, not 2"),
        (lambda: Codebook((0.0, 1.0), 0), "at least one value, not 0"),
        (lambda: nf4.encode(np.array([[np.inf]])), "finite floats"),
        (lambda: ternary.decode(np.array([[3]], np.uint8), np.ones((1, 1), np.float32)), "code 3 of a table of 3"),
        (
            lambda: nf4.decode(np.zeros((1, 65), np.uint8), np.ones((1, 1), np.float32)),
            "do not fit sizes float32 .1, 1.",
        ),
        (lambda: additive_powers_of_two(4), "3 bits beside the sign are no multiple of k = 2"),
        (lambda: nvfp4.encode(np.full((1, 17), np.nan, np.float32)), "finite floats"),
        (lambda: nvfp4.encode(np.ones((1, 16), np.float32), np.zeros(1, np.float32)), "one positive float32 of shape"),
        (lambda: nvfp4.decode(np.ones((1, 16), np.uint8), np.ones((1, 2), np.uint8), np.ones(1)), "do not fit"),
        (lambda: NVFP4(least=0.0), "scales from above 0 to 448, not 16 and 0.0"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
