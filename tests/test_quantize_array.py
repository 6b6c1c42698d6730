"""Weights of other frameworks: codes, grid and new weights, without a network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp import quantize_array
from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.layerwise import gram
from nncomp.quantize import adaround, gpfq, gptq, hqq, round_to_nearest
from tests.strategies.arrays import foreign_weights


def NINE(W: np.ndarray, grid: Grid) -> np.ndarray:
    return np.full(W.shape, 9, np.int8)


@given(
    foreign_weights,
    st.integers(2, 8),
)
def test_any_shape_is_rounded_by_its_outputs(w: np.ndarray, bits: int) -> None:
    before = w.copy()
    codes, grid, new = quantize_array(w, Uniform(bits))
    assert codes.shape == new.shape == w.shape and new.dtype == w.dtype and codes.dtype == np.int8
    rows = w.reshape(len(w), -1) if w.ndim > 1 else w.reshape(1, -1)
    assert grid.scale.shape == (len(rows), 1)
    scale = np.broadcast_to(grid.scale.reshape(-1, *[1] * (w.ndim - 1)), w.shape) if w.ndim > 1 else grid.scale[0]
    assert (np.abs(new.astype(float) - w) <= scale * 0.5001 + np.abs(w) * 2.0**-10).all()
    np.testing.assert_array_equal(w, before)


def test_a_method_gets_what_it_names() -> None:
    rng = np.random.default_rng(0)
    kernels, X = rng.standard_normal((6, 2, 2, 2)), rng.standard_normal((30, 8))
    matrix = kernels.reshape(6, 8)
    _, grid = round_to_nearest(matrix, Uniform(3), PerTensor())
    for method, more in ((gptq, {"H": gram(X)}), (gpfq, {"X": X}), (adaround, {"H": gram(X), "steps": 50})):
        codes, found, new = quantize_array(kernels.tolist(), Uniform(3), PerTensor(), method=method, **more)
        expected = method(W=matrix, grid=grid, **more).reshape(kernels.shape)
        np.testing.assert_array_equal(codes, expected)
        np.testing.assert_array_equal(found.scale, grid.scale)
        np.testing.assert_array_equal(new, grid.decode(codes.reshape(6, 8)).reshape(kernels.shape))


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    W = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    codes, _, new = quantize_array(W, Uniform(4))
    expected, _ = round_to_nearest(W.detach().float().numpy(), Uniform(4))
    np.testing.assert_array_equal(codes, expected)
    assert new.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize_array(np.ones((2, 2)), method=gptq), "gptq needs H, not none"),
        (lambda: quantize_array(np.ones((2, 2)), method=gptq, H=np.eye(2), Z=1), "gptq needs H, not H, Z"),
        (lambda: quantize_array(np.ones((2, 2)), H=np.eye(2)), "rounding to nearest needs nothing else, not H"),
        (lambda: quantize_array(np.ones((2, 2)), method=hqq, format=Uniform()), "multiple values|hqq takes no grid"),
        (
            lambda: quantize_array(np.ones((2, 2)), Uniform(4), method=lambda W, grid: 0),
            "codes are int8 .2, 2., not a int",
        ),
        (lambda: quantize_array(np.ones((2, 2)), Uniform(4), method=NINE), "codes from 9 to 9 leave"),
        (lambda: quantize_array(np.ones((2, 2)), method=gptq, H=np.eye(2), grid=3), "multiple|needs H, not H, grid"),
        (lambda: quantize_array(np.ones((2, 2)), per="row"), "a granularity such as PerRow.., not 'row'"),
        (lambda: quantize_array(np.full((2, 2), np.nan)), "weights are finite"),
        (lambda: quantize_array(np.ones((0, 2))), "values"),
        (lambda: quantize_array(np.ones((2, 2), int)), "floats"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
