"""Floats times codes of few bits without decoding them: exact where sums are, else within their rounding."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, Uniform
from nncomp.kernels.lookup import QUICK
from nncomp.weights import Dense, Quantized, Sparse
from nncomp.weights.looked_up import LEAST, LookedUp

quick = pytest.mark.skipif(QUICK == 0, reason="this processor's path has no table in a register")


@st.composite
def laid_out(draw: st.DrawFn) -> tuple[np.ndarray, Grid]:
    """Codes (out, in) of 1 to 4 bits and their grid, scales of powers of two, one zero point for all."""
    bits, signed, rows = draw(st.integers(1, 4)), draw(st.booleans()), draw(st.integers(1, 40))
    columns, one = draw(st.integers(1, 50)), draw(st.booleans())
    group = draw(st.none() | st.integers(1, columns))
    format = Uniform(bits, signed=signed, symmetric=False, integer_zero=True)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = rng.integers(format.qmin, format.qmax + 1, (rows, columns)).astype(format.dtype)
    shape = (1 if one else rows, 1 if group is None else -(-columns // group))
    zero = np.full(shape, draw(st.integers(format.qmin, format.qmax)), format.dtype)
    return codes, Grid(format, np.exp2(rng.integers(-3, 4, shape)).astype(np.float32), zero, group)


@given(laid_out(), st.integers(0, 9), st.integers(0, 2**32))
def test_products_of_small_integers_are_exact(laid: tuple[np.ndarray, Grid], samples: int, seed: int) -> None:
    codes, grid = laid
    x = np.random.default_rng(seed).integers(-8, 9, (samples, codes.shape[1]))
    width = grid.group or codes.shape[1]
    expected = np.zeros((samples, len(codes)))
    for n in range(len(codes)):
        for k in range(codes.shape[1]):
            scale = grid.scale[n % len(grid.scale), k // width]
            expected[:, n] += x[:, k] * (int(codes[n, k]) - int(grid.zeros[0, 0])) * float(scale)
    found = LookedUp.of(codes, grid)(x.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def weight(bits: int, inputs: int = 64, seed: int = 0, **others: Any) -> Quantized:
    format = Uniform(bits, **others)
    codes = np.random.default_rng(seed).integers(format.qmin, format.qmax + 1, (48, inputs)).astype(format.dtype)
    scale = np.linspace(0.01, 0.02, 48, dtype=np.float32)[:, None]
    zero = None if format.symmetric else np.full((48, 1), 3, format.dtype)
    return Quantized.of(codes, Grid(format, scale, zero))


@quick
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_products_of_floats_are_within_the_rounding_of_their_sums(bits: int) -> None:
    w, x = weight(bits), np.random.default_rng(1).standard_normal((9, 64)).astype(np.float32)
    assert w.prepared() is w
    exact = x.astype(np.float64) @ w.dense().astype(np.float64).T
    bound = (64 + 3) * np.finfo(np.float32).eps * (np.abs(x) @ np.abs(w.dense()).T)
    assert (np.abs(w.apply(x) - exact) <= bound).all()


@quick
def test_what_no_table_holds_is_decoded() -> None:
    assert isinstance(weight(5).prepared(), Dense), "32 values"
    w = weight(4)
    assert isinstance(Quantized(Sparse.from_dense(w.plain, w.plain > 0), w.grid).prepared(), Sparse)  # type: ignore
    assert isinstance(Quantized(w.codes, Grid(w.grid.format, w.grid.scale.astype(np.float64))).prepared(), Dense)
    whole = weight(4, signed=False, symmetric=False)
    assert whole.prepared() is whole
    mixed = np.where(np.arange(48)[:, None] == 7, 2, 3).astype(np.uint8)
    grid = Grid(whole.grid.format, whole.grid.scale, mixed)
    assert isinstance(Quantized(whole.codes, grid).prepared(), Dense), "zero points of their own"
    narrow = Grid(w.grid.format, np.repeat(w.grid.scale, 2, axis=1), group=32)
    assert LEAST > 48 * 32 and isinstance(Quantized(w.codes, narrow).prepared(), Dense), "calls for next to nothing"


@quick
def test_scales_that_move_are_looked_up_anew() -> None:
    w, x = weight(4), np.ones((1, 64), np.float32)
    y = w.apply(x)
    moved = w.with_params((w.params[0] * np.float32(1.5),))
    np.testing.assert_allclose(moved.apply(x), moved.forward(x)[0], rtol=1e-5)
    assert not np.allclose(moved.apply(x), y)
